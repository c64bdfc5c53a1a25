//! Choosing an instance from the watched list, again and again.
//!
//! A pick costs some nanoseconds and no memory, however long the list: the list is an immutable snapshot, and what a
//! strategy needs beside it (`table`) is prepared once per snapshot, by the first pick that sees it.

mod aside;
mod choose;
mod error;
mod table;
mod walk;

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwap;
use fastrand::Rng;

use crate::instance::InstanceName;
use crate::published::InstanceData;
use crate::view::View;
use crate::view::member::{Member, Slot};
use aside::Record;
pub(crate) use aside::SetAside;
use choose::choose;
pub use error::{Failure, PickError};
use table::Table;
pub use walk::Walk;

/// How to choose among the instances that are not set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// Each is as likely, as with Hive's driver.
    #[default]
    Random,
    /// One after the other, in the order of their names, from a random one on.
    RoundRobin,
    /// Each is as likely as its weight says: `weight=<0 to 65535>`, an attribute of the znode's name or a pair of its
    /// data ([`View::open_with_data`]). It is 1 where there is none. An instance of weight 0 is picked when no other
    /// is left.
    Weighted,
    /// Of two at random, the one with fewer sessions. Those are counted that were picked through this view and whose
    /// [`Pick`] is still held. A slow instance, whose sessions last longer, gets fewer of them.
    LeastSessions,
    /// At random among those on the client's host; if there are none, in its zone; if there are none, among all.
    Nearest {
        /// The client's host, as instances there write it in their names.
        host: Option<String>,
        /// The client's zone: an instance's is `zone=<text>`, an attribute of the znode's name or a pair of its data.
        zone: Option<String>,
    },
}

/// Picks instances from a [`View`]. Each thread or task has a clone of its own: clones share all but their dice.
///
/// Who picks an instance says how it went. One that has failed is set aside, for every picker of the view: for a second
/// at first, twice as long with each further failure in a row, 30 s at most. Then one picker tries it again.
///
/// ```
/// # use discovery::{Endpoint, Ensemble, InstanceData, Namespace, NewInstance, Registration};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = zk_server::Server::start("127.0.0.1:0", zk_server::ServerOptions::default()).await?;
/// # let servers = server.connect_string();
/// # let endpoint = Endpoint::new("127.0.0.1", 1)?;
/// # let instance = NewInstance { data: InstanceData::HostPort(endpoint.clone()), endpoint, version: "4.0.1".into() };
/// # let registration = Registration::register(&Ensemble::new(&servers)?, &Namespace::default(), &instance).await?;
/// use discovery::{Picker, Strategy, View};
///
/// let ensemble = Ensemble::new(&servers)?; // "zk1:2181,zk2:2181,zk3:2181"
/// let view = View::open(&ensemble, &Namespace::default()).await?;
/// let mut picker = Picker::new(&view, Strategy::LeastSessions);
///
/// let pick = picker.pick()?;
/// assert_eq!(pick.name().version(), "4.0.1");
/// pick.failed("connection refused");
///
/// let error = picker.pick().unwrap_err();
/// assert!(error.to_string().contains("127.0.0.1:1: connection refused (tried again in "));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Picker {
    shared: Arc<Shared>,
    /// The newest that this clone has seen, at hand without a look at what is shared.
    table: Arc<Table>,
    dice: Rng,
}

/// What clones share.
#[derive(Debug)]
struct Shared {
    view: View,
    strategy: Strategy,
    table: ArcSwap<Table>,
    turn: AtomicUsize,
}

impl Picker {
    /// Picks from `view`.
    #[must_use]
    pub fn new(view: &View, strategy: Strategy) -> Self {
        Self::with_dice(view, strategy, Rng::new())
    }

    /// As [`new`](Self::new), and its choices are the same each time that the list is the same. A clone's are its own.
    #[must_use]
    pub fn with_seed(view: &View, strategy: Strategy, seed: u64) -> Self {
        Self::with_dice(view, strategy, Rng::with_seed(seed))
    }

    fn with_dice(view: &View, strategy: Strategy, mut dice: Rng) -> Self {
        let table = Arc::new(Table::new(view, &strategy));
        let shared = Shared {
            view: view.clone(),
            strategy,
            // Clients that begin together do not all begin with the same.
            turn: AtomicUsize::new(dice.usize(..table.snapshot.len().max(1))),
            table: ArcSwap::new(Arc::clone(&table)),
        };
        Self {
            shared: Arc::new(shared),
            table,
            dice,
        }
    }

    /// Picks an instance that is not set aside. It waits for nothing.
    ///
    /// # Errors
    /// Nobody is on the list, or everybody has failed and is set aside. See [`PickError`].
    pub fn pick(&mut self) -> Result<Pick, PickError> {
        let picked = self.pick_open(|_| true);
        picked.ok_or_else(|| self.none(None))
    }

    /// Begins to look for an instance that works: each is tried once.
    #[must_use]
    pub fn walk(&mut self) -> Walk<'_> {
        Walk::new(self)
    }

    /// The view that it picks from.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.shared.view
    }

    /// One of those that may be picked and are not set aside.
    fn pick_open(&mut self, may: impl Fn(&Slot) -> bool) -> Option<Pick> {
        loop {
            let slot = self.choose(|slot| slot.member().aside.is_open() && may(slot))?;
            // Another may just have taken the trial of one that was set aside.
            if slot.member().aside.admit() {
                let member = slot.enter();
                return Some(Pick { member });
            }
        }
    }

    /// One of those that may be picked, set aside or not.
    fn pick_any(&mut self, may: impl Fn(&Slot) -> bool) -> Option<Pick> {
        let member = self.choose(may)?.enter();
        Some(Pick { member })
    }

    fn choose(&mut self, may: impl Fn(&Slot) -> bool) -> Option<&Slot> {
        if self.table.number < self.shared.view.number() {
            self.renew();
        }
        choose(&self.table, &self.shared.turn, &mut self.dice, may)
    }

    /// Takes over the table that another clone has prepared, or prepares it.
    #[cold]
    fn renew(&mut self) {
        let Shared { view, strategy, .. } = &*self.shared;
        self.table = self.shared.table.load_full();
        if self.table.number < view.number() {
            self.table = Arc::new(Table::new(view, strategy));
            // Should another clone store an older one after this, the next that needs it prepares it again.
            self.shared.table.store(Arc::clone(&self.table));
        }
    }

    /// Why there is nothing to pick: the failures of a walk, or else those because of which instances are set aside.
    #[cold]
    fn none(&self, failures: Option<Vec<Failure>>) -> PickError {
        let (snapshot, view) = (&self.table.snapshot, &self.shared.view);
        let (servers, namespace) = (view.servers(), view.namespace());
        let (servers, namespace) = (servers.to_owned(), namespace.to_owned());
        let age = snapshot.age();
        let set_aside = || {
            let members = snapshot.slots.iter().map(|slot| slot.member());
            members
                .filter_map(|member| Some(Failure::new(member, member.aside.record()?)))
                .collect()
        };
        let failures = failures.unwrap_or_else(set_aside);
        if snapshot.is_empty() && failures.is_empty() {
            let foreign = snapshot.foreign();
            return PickError::NoInstances {
                servers,
                namespace,
                foreign,
                age,
            };
        }
        PickError::AllFailed {
            servers,
            namespace,
            failures,
            age,
        }
    }
}

impl Clone for Picker {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            table: Arc::clone(&self.table),
            dice: Rng::new(),
        }
    }
}

impl Failure {
    fn new(member: &Member, record: Record) -> Self {
        Self {
            instance: Arc::clone(&member.name),
            retry_in: record.retry_in(),
            why: record.why,
            failures: record.failures,
        }
    }
}

/// An instance that was picked, and counts as one of its sessions until this is dropped.
#[must_use = "dropped, it does not count as a session"]
#[derive(Debug)]
pub struct Pick {
    member: Arc<Member>,
}

impl Pick {
    /// The instance's name: endpoint, version, sequence number.
    #[must_use]
    pub fn name(&self) -> &InstanceName {
        &self.member.name
    }

    /// What it publishes, if the view was [opened with data](View::open_with_data) and could read it.
    #[must_use]
    pub fn data(&self) -> Option<Arc<InstanceData>> {
        self.member.data.load_full()
    }

    /// The instance has taken the session: it is well.
    pub fn succeeded(&self) {
        self.member.aside.succeeded();
    }

    /// The instance did not take the session, or has lost it: it is set aside for a while. `why` goes into
    /// [`PickError::AllFailed`].
    pub fn failed(self, why: impl Display) {
        self.member.aside.failed(&why.to_string());
    }
}
