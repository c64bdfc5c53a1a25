//! The server's behaviour, on its core, with a clock that the tests turn: one subject a file.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

/// Who may do what.
mod acl;
/// Writes that are lost on command.
mod faults;
/// Byte for byte what a real server answered.
mod golden;
/// Bytes that no client sends.
mod hostile;
/// Containers, times to live, quotas: what the server does to znodes by itself.
mod housekeeping;
/// A server from the records of another.
mod journal;
/// The clients, the clock and the wire of these tests.
mod lab;
/// All or nothing.
mod multi;
/// Hard limits.
mod quota;
/// A server of an ensemble without a quorum.
mod read_only;
/// What older releases of ZooKeeper do otherwise.
mod releases;
/// Handshake, timeouts, expiry.
mod sessions;
/// Creating, changing, deleting; stats and error codes.
mod tree;
/// Who is told what, and in which order.
mod watches;
/// Four-letter words.
mod words;
