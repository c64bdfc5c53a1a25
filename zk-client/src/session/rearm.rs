//! Watches on the server: registered by answers, registered again after a reconnect, removed when nobody waits.

use std::sync::Arc;
use std::time::Instant;

use zk_proto::four_letter::ServerVersion;
use zk_proto::record::{
    AddWatchMode, EventType, RemoveWatchesRequest, Request, WatcherEvent, WatcherType,
};
use zk_proto::{ErrorCode, OpCode, Xid, Zxid, path};

use super::calls::{SentKind, Wish};
use super::connection::Phase;
use super::gate::Admission;
use super::watches::{WatchKind, WatcherId, no_watches};
use super::{Output, Session};

/// Bytes of paths in one `setWatches`, as the Java client cuts them.
const REARM_BYTES_MAX: usize = 128 * 1024;

/// From this version on, a server keeps one-shot, persistent and recursive watches of one path apart. Before, the last
/// one that comes takes the place of the others.
const WATCHES_COEXIST: ServerVersion = ServerVersion::new(3, 9, 0);

/// How far the watches of the book stand on the server that serves.
#[derive(Debug, Default)]
pub(super) struct Rearm {
    /// Whether one-shot watches are still being registered again.
    one_shots_wait: bool,
    persistent: Persistent,
    /// Whether persistent watchers are still to be told of the gap that the lost connection has left.
    gap_is_due: bool,
    /// A change of this znode's children that was told from a child's own event. If the server tells of it too, it does
    /// so right behind, with nothing in between.
    children_told: Option<String>,
    /// What the server has to compare watched znodes with; moves on only when every one-shot watch stands again.
    relative_zxid: Zxid,
    /// Persistent watches that the server still has although their watchers have gone, since others waited at their
    /// paths.
    leftovers: Vec<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Persistent {
    /// They stand, or there were none when the connection was made.
    #[default]
    Stand,
    /// They have to be registered again.
    Wanted,
    /// The server is too old.
    Suspended,
}

impl<T> Session<T> {
    /// A connection stands again: has the server watch for what it is watched for.
    pub(super) fn start_rearm(&mut self, now: Instant) {
        self.rearm.persistent = match self.watches.persistent_count() {
            0 => Persistent::Stand,
            _ => Persistent::Wanted,
        };
        self.rearm.gap_is_due = self.rearm.persistent == Persistent::Wanted;
        self.rearm.children_told = None;
        self.rearm.leftovers.clear();
        let watches = std::mem::take(&mut self.watches);
        let batches = watches.one_shots(self.rearm.relative_zxid, REARM_BYTES_MAX);
        let count = batches.len();
        self.rearm.one_shots_wait = count > 0;
        for (number, batch) in (1..).zip(batches) {
            let kind = SentKind::SetWatches {
                last: number == count,
            };
            self.send_rearm(now, &Request::SetWatches(batch), kind);
        }
        self.watches = watches;
    }

    /// Registers persistent watches as far as the server may be asked. `false` while that has to come before any call.
    pub(super) fn advance_rearm(&mut self, now: Instant) -> bool {
        if self.rearm.persistent != Persistent::Wanted {
            return true;
        }
        match self
            .gate
            .admits(self.hosts.index(), OpCode::SET_WATCHES2.since())
        {
            Admission::Yes => self.rearm_persistent(now),
            Admission::Ask => self.ask_version(),
            // Calls that every server knows go on meanwhile.
            Admission::Pending => {}
            Admission::Alone => {
                if self.sent.is_empty() {
                    let request = Request::SetWatches2(no_watches(self.rearm.relative_zxid));
                    self.send_rearm(now, &request, SentKind::SetWatches2Probe);
                    self.exclusive = true;
                }
                return false;
            }
            Admission::No(_) => {
                self.rearm.persistent = Persistent::Suspended;
                self.outputs
                    .push_back(Output::Suspended(self.watches.persistent()));
            }
        }
        true
    }

    /// Whether persistent watches can only be registered with nothing else in flight, so that calls have to wait.
    pub(super) fn rearm_must_be_alone(&self) -> bool {
        let since = OpCode::SET_WATCHES2.since();
        self.rearm.persistent == Persistent::Wanted
            && self.gate.admits(self.hosts.index(), since) == Admission::Alone
    }

    fn rearm_persistent(&mut self, now: Instant) {
        self.rearm.persistent = Persistent::Stand;
        let watches = std::mem::take(&mut self.watches);
        let batches = watches.persistent_batches(self.rearm.relative_zxid, REARM_BYTES_MAX);
        let count = batches.len();
        self.rearm.gap_is_due = count > 0;
        for (number, batch) in (1..).zip(batches) {
            let kind = SentKind::SetWatches2 {
                last: number == count,
            };
            self.send_rearm(now, &Request::SetWatches2(batch), kind);
        }
        self.watches = watches;
    }

    fn send_rearm(&mut self, now: Instant, request: &Request<'_>, kind: SentKind<T>) {
        self.counters.watches_rearmed += 1;
        self.send_own_as(now, Xid::SET_WATCHES, request, kind);
    }

    pub(super) const fn one_shots_stand(&mut self, last: bool) {
        if last {
            self.rearm.one_shots_wait = false;
        }
    }

    pub(super) fn persistent_stand(&mut self, last: bool) {
        if !last {
            return;
        }
        self.rearm.gap_is_due = false;
        let persistent = self.watches.persistent();
        if !persistent.is_empty() {
            self.outputs.push_back(Output::Gap(persistent));
        }
    }

    /// The connection is lost. Where registration was cut short, the watches that do not stand yet go by the older
    /// transaction.
    pub(super) const fn stop_rearm(&mut self) {
        if !self.rearm.one_shots_wait {
            self.rearm.relative_zxid = self.last_zxid;
        }
    }

    /// What a call's last byte has to be for the server, where that is not what the caller asked for.
    ///
    /// A one-shot watch beside a persistent one of the same path would take its place on servers before 3.9, so none is
    /// left: the events of the persistent one serve both. A persistent watch beside a recursive one becomes recursive.
    pub(super) fn server_watch(&self, wish: &Wish) -> Option<u8> {
        let stands = self.rearm.persistent == Persistent::Stand;
        let has = |kind| self.watches.on_server(&wish.path, kind, stands);
        // One that was left may be recursive, and others may hear by it.
        let recursive = has(WatchKind::PersistentRecursive) || self.is_leftover(&wish.path);
        match wish.kind {
            WatchKind::Data | WatchKind::Exist => {
                (has(WatchKind::Persistent) || recursive).then_some(0)
            }
            WatchKind::Child => has(WatchKind::Persistent).then_some(0),
            WatchKind::Persistent => {
                (!self.watches_coexist() && recursive).then_some(RECURSIVE_MODE)
            }
            WatchKind::PersistentRecursive => None,
        }
    }

    fn watches_coexist(&self) -> bool {
        self.gate.admits(self.hosts.index(), WATCHES_COEXIST) == Admission::Yes
    }

    /// A notification of the server.
    pub(super) fn notified(&mut self, now: Instant, event: WatcherEvent<'_>) {
        self.counters.watch_events += 1;
        let children_told = self.rearm.children_told.take();
        if event.event_type == EventType::NODE_CHILDREN_CHANGED
            && children_told.as_deref() == Some(event.path)
        {
            return;
        }
        let gap = self.rearm.gap_is_due;
        let told = self.watches.fire(event.event_type, event.path, gap);
        if told.is_empty() {
            self.remove_leftovers(now, event.path);
        }
        for watcher in told {
            let path = event.path.to_owned();
            self.outputs
                .push_back(Output::Event(watcher, event.event_type, path));
        }
        let comes_or_goes = matches!(
            event.event_type,
            EventType::NODE_CREATED | EventType::NODE_DELETED
        );
        if comes_or_goes
            && let Some(parent) = path::parent(event.path)
            && (self.watches.has_recursive(parent) || self.is_leftover(parent))
        {
            // A recursive watch may have taken the place of the one that tells of children.
            let persistent_too = !gap && !self.watches_coexist();
            if persistent_too {
                self.rearm.children_told = Some(parent.to_owned());
            }
            for watcher in self.watches.fire_children(parent, persistent_too) {
                self.outputs.push_back(Output::Event(
                    watcher,
                    EventType::NODE_CHILDREN_CHANGED,
                    parent.to_owned(),
                ));
            }
        }
    }

    /// Something else than a notification has come.
    pub(super) fn notifications_end(&mut self) {
        self.rearm.children_told = None;
    }

    /// A watch stands from the reply that answers it on. `exists` of a missing znode waits for its creation.
    pub(super) fn book_watch(
        &mut self,
        now: Instant,
        opcode: OpCode,
        err: ErrorCode,
        wish: Option<Wish>,
    ) {
        if let Some(wish) = wish {
            self.watches.expect_no_more(&wish.path, wish.kind);
            self.watches.wish_no_more(wish.watcher);
            let kind = match (opcode, err) {
                (_, ErrorCode::OK) => Some(wish.kind),
                (OpCode::EXISTS, ErrorCode::NO_NODE) => Some(WatchKind::Exist),
                _ => None,
            };
            match kind {
                Some(_) if wish.is_gone => self.unwatch(now, &wish.path),
                Some(kind) => self.watches.add(wish.path, kind, wish.watcher),
                None => {}
            }
        }
    }

    /// Forgets a watcher. The server's watch of a persistent one is removed unless others wait at its path; a one-shot
    /// watch that nobody waits for any more fires unheard.
    pub fn remove_watcher(&mut self, now: Instant, watcher: WatcherId) {
        if let Some(call) = self.watches.wish_no_more(watcher) {
            // Its answer is not here yet: nothing is to be booked when it comes.
            self.unwish(call);
        } else if let Some((path, kind)) = self.watches.remove(watcher)
            && kind.is_persistent()
        {
            self.unwatch(now, &path);
        }
    }

    /// Forgets a watcher that stands. Returns the path whose watches the server is to remove, as nobody waits for them
    /// any more: the user asks for that, and waits for the answer.
    pub fn release_watcher(&mut self, watcher: WatcherId) -> Option<String> {
        let (path, _) = self.watches.remove(watcher)?;
        (!self.watches.is_wanted(&path)).then(|| path.as_ref().to_owned())
    }

    /// Has the server forget a persistent watch. It removes all watches of a path together: while somebody waits for
    /// events of the path, it is left for later.
    fn unwatch(&mut self, now: Instant, path: &Arc<str>) {
        if self.phase != Phase::Connected || self.rearm.persistent != Persistent::Stand {
            return;
        }
        let request = Request::RemoveWatches(RemoveWatchesRequest {
            path,
            watcher_type: WatcherType::ANY,
        });
        let known = self.gate.admits(self.hosts.index(), request.since()) == Admission::Yes;
        let may_send = !self.exclusive && self.close_by.is_none();
        if known && may_send && !self.watches.is_wanted(path) {
            self.rearm.leftovers.retain(|leftover| leftover != path);
            self.send_own(now, &request, SentKind::Own);
        } else if known && !self.rearm.leftovers.contains(path) {
            self.rearm.leftovers.push(Arc::clone(path));
        }
    }

    fn is_leftover(&self, path: &str) -> bool {
        self.rearm.leftovers.iter().any(|own| own.as_ref() == path)
    }

    /// Nobody was told of an event at `path`: a watch of those that were left may have sent it.
    fn remove_leftovers(&mut self, now: Instant, path: &str) {
        let leftovers = std::mem::take(&mut self.rearm.leftovers);
        for leftover in leftovers {
            if is_at_or_below(path, &leftover) {
                self.unwatch(now, &leftover);
            } else {
                self.rearm.leftovers.push(leftover);
            }
        }
    }
}

fn is_at_or_below(path: &str, above: &str) -> bool {
    above == "/"
        || path
            .strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The low byte of [`AddWatchMode::PERSISTENT_RECURSIVE`], the last of its request.
const RECURSIVE_MODE: u8 = AddWatchMode::PERSISTENT_RECURSIVE.0.to_be_bytes()[3];
