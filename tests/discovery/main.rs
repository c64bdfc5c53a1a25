//! What `discovery` promises, on the embedded ZooKeeper and on a real one.
#![allow(clippy::unwrap_used)]

/// A whole version is taken off the list, and nothing else.
mod deregister;
/// Each error says what happened, to what, and what there is instead.
mod errors;
/// What the bodies share: an instance on the list, and somebody who looks at it and meddles with it.
mod fixture;
/// A deleted znode is an order and is obeyed; a lost session is an accident and is repaired.
mod order_or_accident;
/// ZooKeeper itself goes away, for less and for more than the session timeout.
mod outage;
/// The znode's name and data are Hive's, byte for byte.
mod registered;
/// Every instance is as likely as the others.
mod resolve;
