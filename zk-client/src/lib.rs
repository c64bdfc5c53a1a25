//! An async ZooKeeper client.
//!
//! ```
//! use zk_client::{Client, CreateMode};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = zk_server::Server::start("127.0.0.1:0", zk_server::ServerOptions::default()).await?;
//! # let servers = server.connect_string();
//! let client = Client::connect(&servers).await?; // "zk1:2181,zk2:2181,zk3:2181/chroot"
//! client.create("/workers", b"", CreateMode::PERSISTENT).await?;
//! let path = client.create("/workers/w-", b"10.0.0.7:9000", CreateMode::EPHEMERAL_SEQUENTIAL).await?;
//! assert_eq!(path, "/workers/w-0000000000");
//! let (children, watch) = client.get_children_and_watch("/workers").await?;
//! assert_eq!(children.to_vec(), ["w-0000000000"]);
//! client.delete(&path, zk_client::ZnodeVersion::ANY).await?;
//! assert_eq!(watch.changed().await?.event_type, zk_client::EventType::NODE_CHILDREN_CHANGED);
//! client.close().await;
//! # Ok(()) }
//! ```
//!
//! # What it promises
//! **Order.** A request is in its place in the session's order when the method returns its future, before the future is
//! polled. Replies and watch events are seen in the order of the server; an event is delivered before the reply of any
//! later request that could see the change.
//!
//! **Pipelining.** Requests do not wait for one another: hold several futures and await them together.
//!
//! **Cancellation.** Dropping a future withdraws a request that has not left; one that has left may still be applied.
//! Either way the session goes on.
//!
//! **Loss.** When the connection is lost, the client goes on with the same session on another server, and every request
//! that was under way fails with [`Error::ConnectionLoss`], which says whether it may have been applied. Nothing that
//! changes the tree is ever sent twice. Requests made while there is no connection wait for the next one, within
//! their deadline ([`ConnectOptions::request_timeout`]).
//!
//! **Watches** survive reconnects. A one-shot watch whose event was missed fires after the reconnect. A persistent
//! watch gets no catch-up from the server, so its stream says [`WatchItem::Gap`]: read again what you watch.
//!
//! **The end.** A session that the server has expired, or that heard no server for 4/3 of its timeout, is over for good:
//! all calls fail with [`Error::SessionEnded`], [`Client::state`] says [`SessionState::Ended`]. Open a new client.
//!
//! # Features
//! None is on by default, and none changes what the others do.
//! - `tls`: TLS to the servers, by rustls (module `tls`, `ConnectOptions::tls`).
//! - `sasl-digest-md5`: SASL with a user and a password (module `sasl`, `ConnectOptions::sasl`).
//! - `gssapi`: SASL with Kerberos, by the system's library, whose headers and libclang are needed to build.
//!
//! The session's rules live in [`session`], a state machine without IO; this crate's driver feeds it from a task on the
//! runtime that opened the client.

mod client;
mod driver;
mod error;
mod options;
pub mod recipes;
#[cfg(feature = "__sasl")]
pub mod sasl;
pub mod session;
#[cfg(feature = "tls")]
pub mod tls;

pub use client::{
    Client, Identity, Op, OpResult, PersistentWatch, ReadOp, ReadResult, Reconfig, Watch,
    WatchItem, WatchedEvent,
};
pub use error::{Attempt, ConnectError, Error, Outcome, SessionEnd};
pub use options::ConnectOptions;
pub use session::{Counters, SessionState};

// What callers need of the wire's vocabulary.
pub use zk_proto::four_letter::ServerVersion;
pub use zk_proto::path;
pub use zk_proto::record::{AddWatchMode, Children, CreateMode, EventType, WatcherType};
pub use zk_proto::{
    Acl, ConnectString, ConnectStringError, ErrorCode, HostPort, OpCode, Perms, SessionId, Stat,
    ZnodeVersion, Zxid,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
