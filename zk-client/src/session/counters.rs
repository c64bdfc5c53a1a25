//! What a session has done so far, in numbers.

/// Totals since the session was opened, and how much is under way now. Plain numbers: an exporter of any metrics
/// library can read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Requests of the user that were sent. Pings, credentials and watches registered again are not among them.
    pub requests: u64,
    /// Answers to those, refusals included.
    pub replies: u64,
    /// Calls that ended without the server's answer: deadline, lost connection, end of the session.
    pub unanswered: u64,
    /// Bytes given to connections, lengths of frames included.
    pub bytes_sent: u64,
    /// Bytes of whole frames that were received, their lengths included.
    pub bytes_received: u64,
    /// Pings that were sent.
    pub pings: u64,
    /// Notifications of the server.
    pub watch_events: u64,
    /// Times that watches were registered again after a reconnect, in requests.
    pub watches_rearmed: u64,
    /// Attempts to connect.
    pub connect_attempts: u64,
    /// Times that a server took the session; all but the first are reconnects.
    pub connects: u64,
    /// Requests that were sent and have no answer yet.
    pub in_flight: usize,
    /// Requests that wait to be sent.
    pub waiting: usize,
    /// Watchers that stand.
    pub watchers: usize,
}
