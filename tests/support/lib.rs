//! What the suites share: real peers, faults, and waiting for a condition.
//!
//! Everything here panics with one clear sentence when the world is not as a test needs it, so that the
//! suites read as what they prove. Nothing is ever skipped: where a peer is missing, the test fails and
//! says to run `./tests/prepare`, which prepares them all.
//!
//! - [`release`]: the releases of ZooKeeper that the suites run against.
//! - [`zookeeper`]: a real ZooKeeper, in a container or as a plain process, with restarts and pauses.
//! - [`ensemble`]: several that elect a leader, with faults of members and of their network.
//! - [`backend`]: one body, run on the embedded server and on real ones of each release.
//! - [`process`]: the `hs2-node` program as a child process, and [`node`]: one that serves.
//! - [`fleet`]: the nodes of one namespace, and their list.
//! - [`peers`]: beeline, Hive's JDBC driver, impyla, PyHive and kazoo.
//! - [`spark`]: a real Spark Thrift Server.
//! - [`certificates`]: authorities and certificates of a test's own.
//! - [`directory`]: an LDAP directory.
//! - [`proxy`]: a TCP proxy that cuts, holds and delays.
//! - [`wait`]: a condition with a deadline.
#![allow(
    clippy::missing_panics_doc,
    reason = "a test harness reports by panicking; the module documentation says so once"
)]

pub mod backend;
pub mod certificates;
pub mod command;
pub mod directory;
pub mod ensemble;
pub mod fleet;
mod machine;
pub mod node;
pub mod peers;
pub mod process;
pub mod proxy;
mod reaper;
pub mod release;
mod settings;
pub mod spark;
pub mod wait;
pub mod zookeeper;

pub use machine::free_address;
