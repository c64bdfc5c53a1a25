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
//! # Bounds
//! What a client may cost, measured on a 64-bit Linux with glibc, paths of 32 bytes; a test of this repository fails above
//! the bound.
//!
//! | | bound | measured |
//! | --- | --- | --- |
//! | a read under way, its future included | 1.5 KiB | 0.6 KiB; 0.9 KiB of it stay with the allocator |
//! | a read under way that leaves a watch | 2 KiB | 1.4 KiB |
//! | a one-shot watch that stands | 1.5 KiB | 0.9 KiB |
//! | a persistent watch that stands | 4 KiB | 3.1 KiB |
//!
//! - A request holds its own bytes until the socket has taken them. [`ConnectOptions::max_requests`], 100,000 by default,
//!   may wait for an answer at once; one more is refused with [`Error::TooManyRequests`]. A request whose future was
//!   dropped, or whose deadline has passed, keeps its place until it is answered if it had left, since the server answers
//!   it all the same.
//! - A frame over [`ConnectOptions::max_incoming_bytes`], 4 MiB by default, costs the connection. Room is made for bytes
//!   that have come, never for bytes that were promised: a server that announces two gigabytes costs nothing.
//! - A persistent watch holds [`PersistentWatch::QUEUE_MAX`] events for a slow reader, and a [`WatchItem::Gap`] for the rest.
//! - After a reconnect, watches are registered again in requests of about 128 KiB, well under the servers' limit of 1 MiB:
//!   100,000 of them stood again in less than a second, in 28 requests.
//!
//! # Observability
//! **Counters.** [`Client::counters`] gives plain numbers ([`Counters`]): totals since the session was opened, and how much
//! is under way. An exporter of any metrics library reads them when it is asked for its metrics:
//!
//! ```
//! # use zk_client::Client;
//! fn metrics(client: &Client) -> Vec<(&'static str, u64)> {
//!     let counters = client.counters();
//!     vec![
//!         ("zookeeper_requests_total", counters.requests),
//!         ("zookeeper_unanswered_total", counters.unanswered),
//!         ("zookeeper_received_bytes_total", counters.bytes_received),
//!         ("zookeeper_sent_bytes_total", counters.bytes_sent),
//!         ("zookeeper_reconnects_total", counters.connects.saturating_sub(1)),
//!         ("zookeeper_watch_events_total", counters.watch_events),
//!         ("zookeeper_requests_in_flight", counters.in_flight as u64),
//!         ("zookeeper_connected", client.state().borrow().is_connected().into()),
//!     ]
//! }
//! ```
//!
//! **States.** [`Client::state`] is a stream of the session's states; whoever reads late sees the last one.
//!
//! **Tracing.** What the driver does is in the span `zookeeper.session` (INFO), a root, whose field `session` is recorded
//! once a server has given one. The names of the events and of their fields are stable, the messages are not:
//!
//! | event | level | fields | when |
//! | --- | --- | --- | --- |
//! | `zookeeper.session.state` | INFO | session, host, state | the state is another |
//! | `zookeeper.watches.suspended` | WARN | watchers, host | the server is too old for persistent watches |
//! | `zookeeper.watch.overrun` | WARN | path | the reader of a persistent watch is too slow: events are dropped |
//! | `zookeeper.connect.start` | DEBUG | host | a server is tried |
//! | `zookeeper.connect.failed` | DEBUG | host, error | it could not be reached |
//! | `zookeeper.connection.lost` | DEBUG | host, reason | a connection has ended or was refused |
//! | `zookeeper.watches.gap` | DEBUG | watchers | persistent watches stand again, and events may be missing |
//! | `zookeeper.server.version` | DEBUG | host, version (where it tells) | the server was asked for its version |
//! | `zookeeper.server.writable` | DEBUG | host, writable | another server was asked whether it takes writes |
//! | `zookeeper.call` | TRACE | error (where there is one) | a call has ended |
//!
//! Neither holds data of znodes or credentials. With [`ConnectOptions::dedicated_thread`] they come from that thread, where
//! only a global subscriber hears them.
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
