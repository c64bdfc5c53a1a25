//! What `zk-client` promises, on the embedded ZooKeeper and on a real one.
#![allow(clippy::unwrap_used)]

/// What a client costs in memory and time, with a hundred thousand of everything.
mod bounds;
/// A proxy that cuts a connection at the worst moment for one request.
mod cutter;
/// Names are looked up again at every attempt to connect.
mod names;
/// What came after 3.4: done where the server has it, and refused by name where it does not.
mod newer;
/// Create, read, change, list, delete: each answer is the server's.
mod operations;
/// Where ZooKeeper's users hurt elsewhere: an index, and the tests that are nowhere else.
mod pains;
/// A protected create makes one znode, whatever becomes of its answer.
mod protected;
/// A cut connection costs neither the session, nor a one-shot watch, nor the meaning of an answer.
mod proxy;
/// Lock, election and group: what they promise through cuts, cancellation and the end of a session.
mod recipes;
/// How sessions end: closed, expired on the server, given up by the client's own clock.
mod session_end;
/// A program that blocks its runtime, and the session's pings.
mod starvation;
/// One-shot, persistent and recursive watches.
mod watches;
