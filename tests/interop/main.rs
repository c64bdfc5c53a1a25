//! The clients people already have, against two nodes behind a real ZooKeeper: nothing here was written by us but
//! the nodes.
#![allow(clippy::unwrap_used)]

/// Apache BeeLine through ZooKeeper, by host and port, and through the embedded ZooKeeper.
mod beeline;
/// What JDBC, PyHive, impyla and Hue see is what they would see of Hive.
mod conformance;
/// What the bodies share: two nodes of one fleet, with one warehouse.
mod fixture;
/// kazoo sees what it would see of Hive.
mod kazoo;
/// kazoo's lock and ours exclude one another.
mod kazoo_lock;
/// Passwords: of a file and of an LDAP directory, right and wrong, by each client on each transport.
mod passwords;
/// impyla and PyHive, value by value.
mod python;
/// Binary and HTTP, with and without TLS, on one port, by each client.
mod transports;
/// ZooKeeper's own shell, on the embedded ZooKeeper and on a real one.
mod zookeeper_cli;
