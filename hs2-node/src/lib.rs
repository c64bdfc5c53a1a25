//! A HiveServer2 in Rust: sessions, operations, result spool, embedded engine, ZooKeeper registration.

pub mod spool;
