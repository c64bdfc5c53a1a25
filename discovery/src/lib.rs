//! HiveServer2 dynamic service discovery.
//!
//! A HiveServer2 instance registers as a child of a *namespace* in ZooKeeper. Its znode's name says
//! where it listens and which version it is; the znode's data says so too, and may add how to speak
//! to it. A client is given a `jdbc:hive2://` URL that names the ensemble and the namespace, lists
//! the instances, and connects to one of them.
//!
//! This crate reads and writes all three texts:
//!
//! - [`JdbcUrl`]: the URL, with errors at a position;
//! - [`InstanceName`]: the znode's name;
//! - [`InstanceData`]: the znode's data, and what follows from URL and data together.
//!
//! ```
//! use discovery::{Discovery, InstanceData, InstanceName, JdbcUrl};
//!
//! let url = JdbcUrl::parse(
//!     "jdbc:hive2://zk1,zk2/sales;serviceDiscoveryMode=zooKeeper;zooKeeperNamespace=hs2;user=me",
//! )?;
//! let Discovery::ZooKeeper { connect_string, namespace, .. } = url.discovery() else {
//!     panic!("the URL names an ensemble");
//! };
//! assert_eq!(connect_string, "zk1:2181,zk2:2181");
//! assert_eq!(namespace.path(), "/hs2");
//!
//! // What listing the namespace may give: one instance, and something else.
//! let children = ["leader", "serverUri=h1:10000;version=4.0.1;sequence=0000000003"];
//! let instances: Vec<InstanceName> = children.iter().filter_map(|name| name.parse().ok()).collect();
//! assert_eq!(instances.len(), 1);
//!
//! // The data of its znode leads to the server itself.
//! let direct = InstanceData::parse(b"h1:10000")?.direct_url(&url)?;
//! assert_eq!(direct.to_string(), "jdbc:hive2://h1:10000/sales;user=me");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! None of this needs a connection: without the default feature `zookeeper` it is all there is.
//! With it come those who meet in ZooKeeper:
//!
//! - `Registration` keeps an instance on the list, and `deregister` takes a whole version off it;
//! - `resolve`, `Candidates` and `list` read the list once;
//! - `View` keeps it up to date, for programs that stay, and `Picker` chooses from it.
//!
//! Each runs on the tokio runtime that it is called from and opens a session of its own. One-shot
//! operations have one deadline, `Ensemble::with_timeout`, and repeat what a lost connection has
//! cut off. Only `Registration` and `View` leave a task running, which ends with them.

#[cfg(feature = "zookeeper")]
mod backoff;
#[cfg(feature = "zookeeper")]
mod deregister;
mod endpoint;
#[cfg(feature = "zookeeper")]
mod ensemble;
mod error;
mod instance;
mod jdbc_url;
mod namespace;
#[cfg(feature = "zookeeper")]
mod pick;
mod published;
#[cfg(feature = "zookeeper")]
mod registration;
#[cfg(feature = "zookeeper")]
mod resolve;
#[cfg(feature = "zookeeper")]
mod view;

#[cfg(feature = "zookeeper")]
pub use deregister::{DeregisterError, Deregistered, deregister};
pub use endpoint::{Endpoint, HOST_BYTES_MAX};
#[cfg(feature = "zookeeper")]
pub use ensemble::{Ensemble, LookupError};
pub use error::{
    DataError, EndpointError, NameError, NamespaceError, NotAnInstance, UrlError, UrlProblem,
};
pub use instance::{InstanceName, SequenceNumber};
pub use jdbc_url::{
    Discovery, HIVESERVER2_PORT, JdbcUrl, MASK, URL_BYTES_MAX, URL_PREFIX, Variables, Warning,
    ZOOKEEPER_PORT,
};
pub use namespace::Namespace;
#[cfg(feature = "zookeeper")]
pub use pick::{Failure, Pick, PickError, Picker, Strategy, Walk};
pub use published::{DATA_BYTES_MAX, InstanceData, Published, TransportMode};
#[cfg(feature = "zookeeper")]
pub use registration::{
    DeregisteredBy, NewInstance, RegisterError, Registration, RegistrationState,
};
#[cfg(feature = "zookeeper")]
pub use resolve::{Candidates, Instance, Listing, ResolveError, list, resolve};
#[cfg(feature = "zookeeper")]
pub use view::{Change, Changes, Snapshot, View};
#[cfg(feature = "zookeeper")]
pub use zk_client;

/// Compiles and runs the README's programs.
#[cfg(all(doctest, feature = "zookeeper"))]
#[doc = include_str!("../README.md")]
struct Readme;
