//! An embedded, single-process ZooKeeper for laptops and tests; not for production.
//!
//! It speaks the client protocol of Apache ZooKeeper 3.9, or of an older release
//! ([`ServerOptions::emulate_version`]), and keeps everything in memory, and in a folder too if it is given one
//! ([`ServerOptions::data_dir`]). There is no ensemble, no TLS and no SASL.
//!
//! ```
//! # async fn example() -> std::io::Result<()> {
//! use zk_server::{Server, ServerOptions};
//!
//! let server = Server::start("127.0.0.1:0", ServerOptions::default()).await?;
//! println!("connect to {}", server.connect_string());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().expect("a runtime").block_on(example()).expect("a server");
//! ```
//!
//! # Two layers
//! [`core`] is the server without sockets and clocks: a plain struct into which bytes and the time are put, for
//! simulations and fuzzers. [`Server`] drives it on a TCP port, and can misbehave on command for tests: see its
//! methods.
//!
//! # Bounds
//! A connection costs at most one frame of input ([`ServerOptions::frame_bytes_max`]) and, when its client does not
//! read, [`ServerOptions::output_bytes_max`] of output, then it is cut, and 1 MiB more that is on its way or held back
//! by a delay. With a data folder up to 16 MiB wait to be written before further requests wait, and a snapshot costs a
//! copy of everything for as long as it is written. What clients store, znodes and watches, is bounded by nothing but
//! memory, as in the real server.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::expect_used,
        clippy::panic,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )
)]

pub mod core;
mod faults;
mod listener;
mod options;
mod storage;

pub use listener::Server;
pub use options::{Durability, ServerOptions};
pub use storage::StorageError;
pub use zk_proto::SessionId;
pub use zk_proto::four_letter::ServerVersion;

/// The program in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
