//! An async HiveServer2 client: connect, execute, stream Arrow batches.
//!
//! ```no_run
//! # async fn run() -> Result<(), hs2_client::Error> {
//! use hs2_client::{ConnectOptions, SessionOptions, connect};
//!
//! let url = "jdbc:hive2://zk1,zk2,zk3/sales;serviceDiscoveryMode=zooKeeper;zooKeeperNamespace=hiveserver2";
//! let session = connect(url, &ConnectOptions::default(), &SessionOptions::default()).await?;
//! let mut rows = session.query("SELECT day, sum(price) FROM orders GROUP BY day").await?;
//! while let Some(batch) = rows.next().await? {
//!     println!("{} rows of {}", batch.num_rows(), rows.schema());
//! }
//! # Ok(()) }
//! ```
//!
//! # What the client promises
//! * **Calls** of one connection are answered one after another, as servers answer them. A long one delays those
//!   behind it; but what cancels or closes goes over a second connection when it would have to wait.
//! * **Dropping a call** is safe: its answer is read and thrown away, an operation it began is closed, and the
//!   connection stays good. So `tokio::time::timeout` around any call is a deadline for that call.
//! * **Deadlines**: every wait has one, set in [`ConnectOptions`]. After a missed one the connection is closed, since
//!   the answer may still come, and every later call says so.
//! * **Dropping** a stream, operation or session closes it on the server, which stops it there, without waiting for
//!   the server's word.
//! * **Nothing is sent twice**: a statement whose answer was lost is not repeated. Only [`connect`] tries again, on
//!   the next server, before any statement.
//!
//! # What it does not do
//! Delegation tokens, Kerberos by HTTP, messages wrapped by SASL, and certificates of the client's own by URL. Asking for one
//! of them is [`Error::Unsupported`], and so is Kerberos without the feature `gssapi`.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::expect_used, clippy::panic)
)]

mod connection;
mod error;
mod failover;
mod metadata;
mod operation;
mod options;
mod results;
mod session;
mod transport;

pub use connection::Connection;
pub use error::{Attempt, Error, ServerError};
pub use failover::connect;
pub use metadata::{ColumnPattern, TableName, TablePattern};
pub use operation::{Canceller, Event, ExecuteOptions, Operation};
pub use options::{Auth, ConnectOptions, SessionOptions};
pub use results::ResultStream;
pub use session::Session;
#[cfg(feature = "tls")]
pub use transport::Tls;

/// The unit of timestamps, for [`SessionOptions`].
pub use arrow_schema::TimeUnit;

/// The calls and types of the protocol, for [`Session::operation`] and [`Operation::status`].
pub use hs2_proto::tcli;

/// Compiles the README's program with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
