//! Finding instances, once: list the namespace, pick at random, read the data of the one picked.
//!
//! As in Hive's JDBC driver, a child's name decides whether it is an instance, and its data where
//! to connect. A cold resolution costs three round trips: the TCP connection, the session with the
//! list right behind it, and the data. The session is closed in the background.

use fastrand::Rng;
use zk_client::{Children, Client, SessionId, Stat, path};

use crate::ensemble::{Ensemble, Lookup, LookupError};
use crate::error::DataError;
use crate::instance::InstanceName;
use crate::namespace::Namespace;
use crate::published::InstanceData;

/// An instance as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instance {
    /// Its znode.
    pub path: String,
    /// The znode's name: endpoint, version, sequence number.
    pub name: InstanceName,
    /// The znode's data, which decides where to connect:
    /// [`direct_url`](InstanceData::direct_url).
    pub data: InstanceData,
    /// The session that the znode lives by; `None` for one that somebody made by hand and that
    /// stays until somebody deletes it.
    pub session: Option<SessionId>,
    /// When it registered, by ZooKeeper's clock, in milliseconds since 1970.
    pub registered_at_ms: i64,
}

impl Instance {
    fn new(path: String, name: InstanceName, data: InstanceData, stat: &Stat) -> Self {
        let session = Some(stat.ephemeral_owner).filter(|owner| *owner != SessionId::NONE);
        Self {
            path,
            name,
            data,
            session,
            registered_at_ms: stat.ctime_ms,
        }
    }
}

/// Why no instance was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// ZooKeeper could not be asked, or the namespace does not exist.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// Nothing in the namespace is an instance.
    #[error(
        "no server is registered in the namespace {namespace} of ZooKeeper at {servers}{}; start one, or wait until it has registered",
        others_text(*others)
    )]
    NoInstances {
        /// The connect string.
        servers: String,
        /// The namespace's path.
        namespace: String,
        /// How many children it has that are something else, such as Hive's `leader`.
        others: usize,
    },
    /// The data of one instance cannot be read. Others may be well.
    #[error("{}: {source}", path.escape_debug())]
    Data {
        /// Its znode.
        path: String,
        /// What is wrong with the data.
        source: DataError,
    },
}

pub(crate) fn others_text(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => " (its one child is something else)".to_owned(),
        n => format!(" (its {n} children are something else)"),
    }
}

/// Finds one instance: each is equally likely. A `seed` makes the choice repeatable.
///
/// ```
/// # use discovery::{Endpoint, Ensemble, InstanceData, Namespace, NewInstance, Registration};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = zk_server::Server::start("127.0.0.1:0", zk_server::ServerOptions::default()).await?;
/// # let servers = server.connect_string();
/// # let endpoint = Endpoint::new("h1", 10000)?;
/// # let instance = NewInstance { data: InstanceData::HostPort(endpoint.clone()), endpoint, version: "4.0.1".into() };
/// # let registration = Registration::register(&Ensemble::new(&servers)?, &Namespace::default(), &instance).await?;
/// let ensemble = Ensemble::new(&servers)?; // "zk1:2181,zk2:2181,zk3:2181"
/// let instance = discovery::resolve(&ensemble, &Namespace::default(), None).await?;
/// assert_eq!(instance.name.version(), "4.0.1");
/// # Ok(()) }
/// ```
///
/// # Errors
/// See [`ResolveError`]. All of it, errors too, takes no longer than [`Ensemble::with_timeout`].
///
/// # Cancel safety
/// Safe.
pub async fn resolve(
    ensemble: &Ensemble,
    namespace: &Namespace,
    seed: Option<u64>,
) -> Result<Instance, ResolveError> {
    let mut candidates = Candidates::list(ensemble, namespace, seed).await?;
    // Within the time that the list has left.
    let first = candidates.draw().await?;
    first.ok_or_else(|| candidates.no_instances())
}

/// The instances of a namespace in a random order, each at most once: when one turns out to be
/// dead, try the next.
///
/// The list is read once; an instance that has left since is passed over. The session stays open
/// until this is dropped.
#[derive(Debug)]
pub struct Candidates {
    lookup: Lookup,
    namespace: Namespace,
    children: Children,
    /// The places in `children` that were not drawn yet.
    left: Vec<usize>,
    rng: Rng,
    /// Children drawn that are no instances.
    others: usize,
    /// Whether an instance was drawn that exists, readable or not.
    any: bool,
}

impl Candidates {
    /// Lists the namespace. A `seed` makes the order repeatable.
    ///
    /// # Errors
    /// See [`LookupError`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn list(
        ensemble: &Ensemble,
        namespace: &Namespace,
        seed: Option<u64>,
    ) -> Result<Self, LookupError> {
        let mut lookup = Lookup::open(ensemble)?;
        let children = children(&mut lookup, namespace).await?;
        let mut left: Vec<usize> = (0..children.len()).collect();
        if seed.is_some() {
            // Servers list in no order of their own.
            left.sort_by_cached_key(|place| name_at(&children, *place).map(str::to_owned));
        }
        Ok(Self {
            lookup,
            namespace: namespace.clone(),
            children,
            left,
            rng: seed.map_or_else(Rng::new, Rng::with_seed),
            others: 0,
            any: false,
        })
    }

    /// Draws the next instance and reads its data; `None` when all were drawn.
    ///
    /// # Errors
    /// [`ResolveError::NoInstances`] when all were drawn and there was none, now or at the call
    /// before. After [`ResolveError::Data`] and [`ResolveError::Lookup`] go on with the next call.
    /// Each call may take as long as [`Ensemble::with_timeout`] says.
    ///
    /// # Cancel safety
    /// The instance that was drawn is lost.
    pub async fn next(&mut self) -> Result<Option<Instance>, ResolveError> {
        self.lookup.restart();
        self.draw().await
    }

    async fn draw(&mut self) -> Result<Option<Instance>, ResolveError> {
        while !self.left.is_empty() {
            let drawn = self.rng.usize(..self.left.len());
            let place = self.left.swap_remove(drawn);
            let name = name_at(&self.children, place).and_then(|name| name.parse().ok());
            let Some(name) = name else {
                self.others += 1;
                continue;
            };
            if let Some(instance) = self.read(name).await? {
                return Ok(Some(instance));
            }
        }
        if self.any {
            return Ok(None);
        }
        Err(self.no_instances())
    }

    /// `None` when it has left.
    async fn read(&mut self, name: InstanceName) -> Result<Option<Instance>, ResolveError> {
        let path = path::join(&self.namespace.path(), name.as_str());
        let answer = self
            .lookup
            .ask(&path, |client| client.get_data(&path))
            .await;
        let (data, stat) = match answer {
            Ok(answer) => answer,
            Err(error) if error.is_no_node() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        self.any = true;
        match InstanceData::parse(&data) {
            Ok(data) => Ok(Some(Instance::new(path, name, data, &stat))),
            Err(source) => Err(ResolveError::Data { path, source }),
        }
    }

    fn no_instances(&self) -> ResolveError {
        ResolveError::NoInstances {
            servers: self.lookup.ensemble().to_string(),
            namespace: self.namespace.path(),
            others: self.others,
        }
    }
}

/// Everything that is in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The instances, by sequence number.
    pub instances: Vec<Instance>,
    /// Instances by name whose data cannot be read: clients that draw one of them fail. Each with
    /// its znode's path.
    pub unreadable: Vec<(String, DataError)>,
    /// The names of children that are something else, such as Hive's `leader`.
    pub others: Vec<String>,
}

/// Lists a namespace and reads every instance in it. A namespace without instances is no error
/// here.
///
/// # Errors
/// See [`LookupError`]. All of it takes no longer than [`Ensemble::with_timeout`].
///
/// # Cancel safety
/// Safe.
pub async fn list(ensemble: &Ensemble, namespace: &Namespace) -> Result<Listing, LookupError> {
    let mut lookup = Lookup::open(ensemble)?;
    let children = children(&mut lookup, namespace).await?;
    let mut listing = Listing::default();
    let mut found = Vec::new();
    for name in children.to_vec() {
        match name.parse::<InstanceName>() {
            Ok(name) => found.push((path::join(&namespace.path(), name.as_str()), name)),
            Err(_) => listing.others.push(name),
        }
    }
    listing.others.sort();
    found.sort_by(|(_, a), (_, b)| a.sequence().cmp(&b.sequence()).then_with(|| a.cmp(b)));
    for window in found.chunks(WINDOW) {
        let asked: Vec<_> = window
            .iter()
            .map(|(path, _)| lookup.client().get_data(path))
            .collect();
        for ((path, name), answer) in window.iter().zip(asked) {
            let again = |client: &Client| client.get_data(path);
            let (data, stat) = match lookup.answer(path, answer, again).await {
                Ok(answer) => answer,
                Err(error) if error.is_no_node() => continue,
                Err(error) => return Err(error),
            };
            let (path, name) = (path.clone(), name.clone());
            match InstanceData::parse(&data) {
                Ok(data) => listing
                    .instances
                    .push(Instance::new(path, name, data, &stat)),
                Err(error) => listing.unreadable.push((path, error)),
            }
        }
    }
    lookup.close().await;
    Ok(listing)
}

/// How many znodes are read at once.
const WINDOW: usize = 256;

pub(crate) async fn children(
    lookup: &mut Lookup,
    namespace: &Namespace,
) -> Result<Children, LookupError> {
    let path = namespace.path();
    let listed = lookup.ask(&path, |client| client.get_children(&path)).await;
    match listed {
        Err(error) if error.is_no_node() => Err(lookup.no_namespace(namespace).await),
        listed => listed,
    }
}

fn name_at(children: &Children, place: usize) -> Option<&str> {
    children.get(place)?.ok()
}
