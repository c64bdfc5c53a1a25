//! Kerberos, by the system's library: a realm of the test's own, keytabs, servers that know their principals.

/// Our node and its clients, ours and Hive's own.
mod hive;
mod realm;
/// Our client of a real ZooKeeper.
mod zookeeper;
