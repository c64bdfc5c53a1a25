//! Choosing an instance from the watched list, again and again.
//!
//! A pick costs tens of nanoseconds and no memory, however long the list: the list is an immutable snapshot, and what a
//! strategy needs beside it is prepared once per snapshot, by the first pick that sees it.

mod aside;
mod dice;
mod error;
mod table;
mod walk;

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::{ArcSwap, Guard};

use crate::instance::InstanceName;
use crate::published::InstanceData;
use crate::view::View;
use crate::view::member::{Member, Slot};
use aside::Record;
pub(crate) use aside::SetAside;
use dice::Dice;
pub use error::{Failure, PickError};
use table::{Prepared, Table, Weights};
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

/// Picks instances from a [`View`]. Threads and tasks share one.
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
/// let picker = Picker::new(&view, Strategy::LeastSessions);
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
    view: View,
    strategy: Strategy,
    table: ArcSwap<Table>,
    turn: AtomicUsize,
    dice: Dice,
}

/// Draws before the instances that are open are counted: they find one at once while most are.
const DRAWS: usize = 8;

impl Picker {
    /// Picks from `view`.
    #[must_use]
    pub fn new(view: &View, strategy: Strategy) -> Self {
        Self::with_dice(view, strategy, Dice::default())
    }

    /// As [`new`](Self::new), and one thread's choices are the same each time that the list is the same.
    #[must_use]
    pub fn with_seed(view: &View, strategy: Strategy, seed: u64) -> Self {
        Self::with_dice(view, strategy, Dice::with_seed(seed))
    }

    fn with_dice(view: &View, strategy: Strategy, dice: Dice) -> Self {
        let table = Table::new(view, &strategy);
        // Clients that begin together do not all begin with the same.
        let turn = AtomicUsize::new(dice.below(table.snapshot.len()));
        Self {
            view: view.clone(),
            strategy,
            table: ArcSwap::from_pointee(table),
            turn,
            dice,
        }
    }

    /// Picks an instance that is not set aside. It waits for nothing.
    ///
    /// # Errors
    /// Nobody is on the list, or everybody has failed and is set aside. See [`PickError`].
    pub fn pick(&self) -> Result<Pick, PickError> {
        let table = self.table();
        let picked = self.pick_open(&table, |_| true);
        picked.ok_or_else(|| self.none(&table, None))
    }

    /// Begins to look for an instance that works: each is tried once.
    #[must_use]
    pub fn walk(&self) -> Walk<'_> {
        Walk::new(self)
    }

    /// The view that it picks from.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    fn table(&self) -> Guard<Arc<Table>> {
        let table = self.table.load();
        if table.number < self.view.number() {
            return self.renew();
        }
        table
    }

    #[cold]
    fn renew(&self) -> Guard<Arc<Table>> {
        // Should another thread store an older one after this, the next pick sees that.
        self.table
            .store(Arc::new(Table::new(&self.view, &self.strategy)));
        self.table.load()
    }

    /// One of those that may be picked and are not set aside.
    fn pick_open(&self, table: &Table, may: impl Fn(&Slot) -> bool) -> Option<Pick> {
        loop {
            let slot = self.choose(table, |slot| slot.member().aside.is_open() && may(slot))?;
            // Another may just have taken the trial of one that was set aside.
            if slot.member().aside.admit() {
                let member = slot.enter();
                return Some(Pick { member });
            }
        }
    }

    /// One of those that may be picked, set aside or not.
    fn pick_any(&self, table: &Table, may: impl Fn(&Slot) -> bool) -> Option<Pick> {
        let member = self.choose(table, may)?.enter();
        Some(Pick { member })
    }

    fn choose<'a>(&self, table: &'a Table, may: impl Fn(&Slot) -> bool) -> Option<&'a Slot> {
        let slots = &table.snapshot.slots;
        match &table.prepared {
            Prepared::Weights(weights) => self.weighted(slots, weights, may),
            Prepared::Near(groups) => groups.iter().find_map(|group| self.random(group, &may)),
            Prepared::Nothing => match self.strategy {
                Strategy::RoundRobin => self.next(slots, may),
                Strategy::LeastSessions => self.least(slots, may),
                _ => self.random(slots, may),
            },
        }
    }

    fn random<'a>(&self, slots: &'a [Arc<Slot>], may: impl Fn(&Slot) -> bool) -> Option<&'a Slot> {
        for _ in 0..DRAWS {
            let slot = slots.get(self.dice.below(slots.len()))?;
            if may(slot) {
                return Some(slot);
            }
        }
        self.counted(slots, |_| 1, may)
    }

    fn weighted<'a>(
        &self,
        slots: &'a [Arc<Slot>],
        weights: &Weights,
        may: impl Fn(&Slot) -> bool,
    ) -> Option<&'a Slot> {
        for _ in 0..DRAWS {
            let Some(place) = weights.draw(&self.dice) else {
                break;
            };
            let slot = slots.get(place)?;
            if may(slot) {
                return Some(slot);
            }
        }
        let rest = self.counted(slots, |place| weights.get(place), &may);
        rest.or_else(|| self.random(slots, may))
    }

    fn next<'a>(&self, slots: &'a [Arc<Slot>], may: impl Fn(&Slot) -> bool) -> Option<&'a Slot> {
        for _ in 0..slots.len() {
            // Who is set aside has had its turn: the one behind it gets no more than its own.
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let slot = slots.get(turn % slots.len())?;
            if may(slot) {
                return Some(slot);
            }
        }
        None
    }

    fn least<'a>(&self, slots: &'a [Arc<Slot>], may: impl Fn(&Slot) -> bool) -> Option<&'a Slot> {
        let one = self.random(slots, &may)?;
        let drawn = (0..DRAWS).filter_map(|_| slots.get(self.dice.below(slots.len())));
        let mut others = drawn.filter(|slot| !std::ptr::eq(&***slot, one) && may(slot));
        match others.next() {
            Some(other) if other.sessions() < one.sessions() => Some(other),
            _ => Some(one),
        }
    }

    /// One of those that may be picked, each as likely as its weight says. For lists in which they are few: it looks at
    /// all.
    #[cold]
    fn counted<'a>(
        &self,
        slots: &'a [Arc<Slot>],
        weight: impl Fn(usize) -> u64,
        may: impl Fn(&Slot) -> bool,
    ) -> Option<&'a Slot> {
        let those = || {
            let slots = slots.iter().enumerate().filter(|(_, slot)| may(slot));
            slots.map(|(place, slot)| (slot, weight(place)))
        };
        let sum = those().map(|(_, weight)| weight).sum();
        let mut rest = self.dice.below_u64(sum);
        for (slot, weight) in those() {
            if rest < weight {
                return Some(slot);
            }
            rest -= weight;
        }
        None
    }

    /// Why there is nothing to pick: the failures of a walk, or else those because of which instances are set aside.
    #[cold]
    fn none(&self, table: &Table, failures: Option<Vec<Failure>>) -> PickError {
        let snapshot = &table.snapshot;
        let (servers, namespace) = (self.view.servers(), self.view.namespace());
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
