//! What a server can be told when it starts.

use std::path::PathBuf;
use std::time::Duration;

use zk_proto::four_letter::ServerVersion;

/// Settings of one server; [`Default`] gives ZooKeeper's own values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// The unit of session time (`tickTime`, 2 s): sessions expire at multiples of it, and the limits of a session's
    /// timeout follow from it. At least 1 ms.
    pub tick: Duration,
    /// The shortest session timeout that a client may have (`minSessionTimeout`); `None` is two ticks.
    pub session_timeout_min: Option<Duration>,
    /// The longest (`maxSessionTimeout`); `None` is twenty ticks.
    pub session_timeout_max: Option<Duration>,
    /// How long a connection may stay without a session before it is closed (10 s).
    pub handshake_timeout: Duration,
    /// How often containers and znodes with a time to live are looked through
    /// (`znode.container.checkIntervalMs`, 60 s).
    pub container_check_interval: Duration,
    /// The largest frame that a client may send, in bytes of payload (`jute.maxbuffer`, 1048575). One more closes the
    /// connection.
    pub frame_bytes_max: usize,
    /// How many bytes may wait for a client that does not read (16 MiB). A connection with more is cut, its session
    /// lives on. This bounds a single reply too.
    pub output_bytes_max: usize,
    /// How many connections there may be (10,000). More are closed as they come.
    pub connections_max: usize,
    /// Whether the hard limits of quotas are enforced (`zookeeper.enforceQuota`, false, since 3.7): a write that would
    /// exceed one is answered `QuotaExceeded`.
    pub enforce_quota: bool,
    /// The release of ZooKeeper to behave as (3.9.5), for tests of clients against older ones: it is what `srvr` tells,
    /// opcodes that came later are answered as unknown, and watches, notifications, `exists` and multi follow the rules
    /// of that release. The numbers that make a difference are 3.4, 3.5.0, 3.5.1, 3.5.3, 3.6, 3.7, 3.8.4, 3.9.0 and
    /// 3.9.2; other differences between releases are not imitated.
    pub emulate_version: ServerVersion,
    /// The four-letter words that are answered (`4lw.commands.whitelist`); `None` is all of them. Real servers answer
    /// `srvr` alone unless they are told otherwise; with an empty list a client cannot learn the version.
    pub four_letter_words: Option<Vec<String>>,
    /// Whether it starts as the read-only server of an ensemble without a quorum (false): see
    /// [`Server::set_read_only`](crate::Server::set_read_only).
    pub read_only: bool,
    /// The folder in which a [`Server`](crate::Server) keeps what clients write, and goes on from when it is started
    /// again: znodes, sessions with their ephemerals, transaction numbers. It is made where it is missing, and one
    /// server at a time can use it. `None`, which is the default, keeps everything in memory alone.
    ///
    /// Answers wait until what they tell is kept. Where that fails, the disk being full for example, the server stops
    /// as the real one does: it cuts every connection and accepts no more, see
    /// [`Server::storage_failure`](crate::Server::storage_failure).
    pub data_dir: Option<PathBuf>,
    /// What "kept" means.
    pub durability: Durability,
    /// How long the log in the data folder may get, in bytes, before everything is written anew as a snapshot
    /// (64 MiB). While that is done, for which everything is copied once in memory, answers wait.
    pub log_bytes_max: u64,
}

/// What an answer to a write promises where there is a data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The operating system has it: it outlives the process, also one that is killed, and not always a power failure.
    #[default]
    Process,
    /// The disk has it, as with the real server: `fsync`, once for all that came together since the last.
    Disk,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(2000),
            session_timeout_min: None,
            session_timeout_max: None,
            handshake_timeout: Duration::from_secs(10),
            container_check_interval: Duration::from_secs(60),
            frame_bytes_max: zk_proto::frame::DEFAULT_MAX_BYTES,
            output_bytes_max: 16 << 20,
            connections_max: 10_000,
            enforce_quota: false,
            emulate_version: ServerVersion::new(3, 9, 5),
            four_letter_words: None,
            read_only: false,
            data_dir: None,
            durability: Durability::default(),
            log_bytes_max: 64 << 20,
        }
    }
}

impl ServerOptions {
    pub(crate) fn tick_ms(&self) -> u64 {
        millis(self.tick).max(1)
    }

    /// The shortest and the longest session timeout, in milliseconds. A maximum below the minimum gives way to it.
    pub(crate) fn session_timeout_limits_ms(&self) -> (i32, i32) {
        let limit = |given: Option<Duration>, ticks: u64| {
            let ms = given.map_or(self.tick_ms().saturating_mul(ticks), millis);
            i32::try_from(ms).unwrap_or(i32::MAX).max(1)
        };
        let min = limit(self.session_timeout_min, 2);
        (min, limit(self.session_timeout_max, 20).max(min))
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_follow_the_tick_unless_they_are_given() {
        assert_eq!(
            ServerOptions::default().session_timeout_limits_ms(),
            (4000, 40_000)
        );
        let options = ServerOptions {
            tick: Duration::from_millis(100),
            session_timeout_min: Some(Duration::from_secs(5)),
            ..ServerOptions::default()
        };
        assert_eq!(options.session_timeout_limits_ms(), (5000, 5000));
    }
}
