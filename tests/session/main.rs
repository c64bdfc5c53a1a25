//! What `zk-client` promises, on the embedded ZooKeeper and on a real one.
#![allow(clippy::unwrap_used)]

/// Create, read, change, list, delete: each answer is the server's.
mod operations;
/// A cut connection costs neither the session, nor a one-shot watch, nor the meaning of an answer.
mod proxy;
/// How sessions end: closed, expired on the server, given up by the client's own clock.
mod session_end;
/// One-shot, persistent and recursive watches.
mod watches;
