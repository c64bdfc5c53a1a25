//! A HiveServer2 in Rust: sessions, operations, result spool, embedded engine, ZooKeeper registration.
//!
//! [`Node`] is the server; the program `hs2-node` is made of it. An [`Engine`](engine::Engine) runs the SQL.

mod auth;
pub mod config;
mod drain;
pub mod engine;
mod error;
mod handle;
mod listener;
mod node;
mod operation;
mod quota;
mod service;
mod session;
pub mod spool;

pub use auth::{Authenticator, LoginError};
pub use listener::SecurityError;
pub use node::{Drained, Node, NodeError};
