//! The user's calls: waiting, sent, answered; and what the session itself sends among them.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use zk_proto::four_letter::ServerVersion;
use zk_proto::frame::{self, LENGTH_BYTES};
use zk_proto::record::{MultiOp, ReplyHeader, Request};
use zk_proto::{ErrorCode, OpCode, Xid};

use super::connection::Phase;
use super::gate::Admission;
use super::watches::{WatchKind, WatcherId};
use super::{CallError, Output, Reply, Session, SessionState};
use crate::error::{Outcome, SessionEnd};

/// Names a call of this session, in the order of the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub(super) u64);

#[derive(Debug)]
pub(super) struct Waiting<T> {
    id: CallId,
    /// The frame, its xid not yet known.
    frame: Bytes,
    opcode: OpCode,
    since: ServerVersion,
    is_read: bool,
    deadline: Option<Instant>,
    watch: Option<Wish>,
    /// Gone once the call is withdrawn.
    token: Option<T>,
}

#[derive(Debug)]
pub(super) struct Sent<T> {
    /// The call's number; for a request of the session's own, that of the call before it.
    id: CallId,
    xid: Xid,
    opcode: OpCode,
    since: ServerVersion,
    pub(super) kind: SentKind<T>,
}

#[derive(Debug)]
pub(super) enum SentKind<T> {
    /// A call of the user.
    User(Call<T>),
    /// A `setWatches`; the last one completes the registration of the one-shot watches.
    SetWatches { last: bool },
    /// A `setWatches2`; the last one completes the registration of the persistent watches.
    SetWatches2 { last: bool },
    /// An empty `setWatches2`, to see whether the server knows it.
    SetWatches2Probe,
    /// A request of the session's own, whose answer nobody needs.
    Own,
    /// A token of the SASL exchange.
    Sasl,
    /// The end of the session.
    Close,
}

#[derive(Debug)]
pub(super) struct Call<T> {
    is_read: bool,
    deadline: Option<Instant>,
    pub(super) watch: Option<Wish>,
    /// The frame, kept while it may have to be sent again: a read that went ahead of the session's answer.
    ahead: Option<Bytes>,
    /// Gone once the caller has an answer, if only that its deadline has passed.
    token: Option<T>,
}

/// A watch that is to stand from an answer on.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) kind: WatchKind,
    pub(super) path: Arc<str>,
    pub(super) watcher: WatcherId,
    /// Nobody waits for it any more; what the server has of it is to be removed.
    pub(super) is_gone: bool,
}

impl<T> Session<T> {
    /// Gives the session a request. The answer comes as [`Output::Completed`] with `token`, at `deadline` at the latest
    /// if there is one. A watch stands from the answer on, if the answer allows it.
    pub fn submit(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        watch: Option<(WatchKind, String, WatcherId)>,
        deadline: Option<Instant>,
        token: T,
    ) -> CallId {
        self.next_call += 1;
        let id = CallId(self.next_call);
        if let Err(error) = self.admit(now, id, request, watch, deadline, token) {
            let (token, error) = *error;
            self.complete(token, Err(error));
        }
        id
    }

    fn admit(
        &mut self,
        now: Instant,
        id: CallId,
        request: &Request<'_>,
        watch: Option<(WatchKind, String, WatcherId)>,
        deadline: Option<Instant>,
        token: T,
    ) -> Result<(), Box<(T, CallError)>> {
        let refuse = |token, error| Err(Box::new((token, error)));
        if let SessionState::Ended(end) = &self.state {
            let end = end.clone();
            return refuse(token, CallError::Ended(end, Outcome::NotApplied));
        }
        if self.close_by.is_some() {
            return refuse(
                token,
                CallError::Ended(SessionEnd::Closed, Outcome::NotApplied),
            );
        }
        if self.waiting.len() - self.withdrawn + self.sent.len() >= self.config.max_requests {
            return refuse(token, CallError::TooMany(self.config.max_requests));
        }
        let (opcode, since) = (request.opcode(), request.since());
        let is_read = is_read(request);
        let max = self.config.max_outgoing_bytes;
        let watch = watch.map(|(kind, path, watcher)| {
            self.watches.wish(watcher, id);
            Wish {
                kind,
                path: path.into(),
                watcher,
                is_gone: false,
            }
        });
        let at_once = self.phase == Phase::Connected
            && self.waiting.is_empty()
            && !self.exclusive
            && !self.rearm_must_be_alone()
            && self.gate.admits(self.hosts.index(), since) == Admission::Yes;
        if at_once {
            let xid = self.take_xid();
            let before = self.out.len();
            let encoded = frame::encode_request(&mut self.out, xid, request, max);
            if let Err(error) = encoded {
                return refuse(token, CallError::TooLarge(error));
            }
            let call = Call {
                is_read,
                deadline,
                watch,
                ahead: None,
                token: Some(token),
            };
            let sent = Sent {
                id,
                xid,
                opcode,
                since,
                kind: SentKind::User(call),
            };
            self.sent_now(now, before, sent);
        } else {
            let mut frame = BytesMut::new();
            if let Err(error) = frame::encode_request(&mut frame, Xid(0), request, max) {
                return refuse(token, CallError::TooLarge(error));
            }
            self.waiting.push_back(Waiting {
                id,
                frame: frame.freeze(),
                opcode,
                since,
                is_read,
                deadline,
                watch,
                token: Some(token),
            });
            self.flush(now);
        }
        self.sweep_at = [self.sweep_at, deadline].into_iter().flatten().min();
        Ok(())
    }

    /// Withdraws a call that waits: it will not be sent, and not be answered. `false` when it has left, or is answered.
    /// What has left is not sent again.
    pub fn withdraw(&mut self, id: CallId) -> bool {
        if let Some(waiting) = self.waiting_call(id) {
            if waiting.token.take().is_none() {
                return false;
            }
            waiting.frame = Bytes::new();
            if let Some(wish) = waiting.watch.take() {
                self.watches.wish_no_more(wish.watcher);
            }
            self.withdrawn += 1;
            self.forget_withdrawn();
            return true;
        }
        if let Some(call) = self.sent_call(id) {
            call.ahead = None;
        }
        false
    }

    fn waiting_call(&mut self, id: CallId) -> Option<&mut Waiting<T>> {
        let at = self
            .waiting
            .binary_search_by_key(&id, |waiting| waiting.id)
            .ok()?;
        self.waiting.get_mut(at)
    }

    /// Drops the places of withdrawn calls once they are the larger half: what waits is bounded by what is wanted.
    fn forget_withdrawn(&mut self) {
        if self.withdrawn * 2 > self.waiting.len() {
            self.waiting.retain(|waiting| waiting.token.is_some());
            self.withdrawn = 0;
        }
    }

    fn sent_call(&mut self, id: CallId) -> Option<&mut Call<T>> {
        let at = self.sent.partition_point(|sent| sent.id < id);
        match self.sent.get_mut(at) {
            Some(Sent {
                id: found,
                kind: SentKind::User(call),
                ..
            }) if *found == id => Some(call),
            _ => None,
        }
    }

    /// Sends what waits, in order, as far as the server may be asked it now.
    pub(super) fn flush(&mut self, now: Instant) {
        if self.phase != Phase::Connected || self.exclusive {
            return;
        }
        if !self.advance_rearm(now) {
            return;
        }
        while let Some(front) = self.waiting.front() {
            if front.token.is_none() {
                self.waiting.pop_front();
                self.withdrawn -= 1;
                continue;
            }
            let (needed, host) = (front.since, self.hosts.index());
            match self.gate.admits(host, needed) {
                Admission::Yes => self.send_first_waiting(now, false),
                Admission::Ask => return self.ask_version(),
                Admission::Pending => return,
                Admission::Alone if self.sent.is_empty() => {
                    self.send_first_waiting(now, false);
                    self.exclusive = true;
                    return;
                }
                Admission::Alone => return,
                Admission::No(server) => {
                    if let Some(Waiting {
                        token: Some(token), ..
                    }) = self.waiting.pop_front()
                    {
                        self.complete(token, Err(CallError::Unsupported { needed, server }));
                    }
                }
            }
        }
        self.close_when_done(now);
    }

    pub(super) fn ask_version(&mut self) {
        let ask = self.gate.ask();
        self.outputs.push_back(Output::AskVersion(ask));
    }

    /// Sends the reads that wait behind the connect request of a new session.
    pub(super) fn send_reads_ahead(&mut self, now: Instant) {
        while self.waiting.front().is_some_and(|waiting| {
            waiting.token.is_none() || (waiting.is_read && waiting.since <= ServerVersion::OLDEST)
        }) {
            self.send_first_waiting(now, true);
        }
    }

    /// The server has taken the session: what went ahead is sent once and for all.
    pub(super) fn settle_reads_ahead(&mut self) {
        for sent in &mut self.sent {
            if let SentKind::User(call) = &mut sent.kind {
                call.ahead = None;
            }
        }
    }

    fn send_first_waiting(&mut self, now: Instant, ahead: bool) {
        let Some(waiting) = self.waiting.pop_front() else {
            return;
        };
        let Some(token) = waiting.token else {
            self.withdrawn -= 1;
            return;
        };
        let xid = self.take_xid();
        let before = self.out.len();
        let at = before + LENGTH_BYTES;
        self.out.extend_from_slice(&waiting.frame);
        if let Some(field) = self.out.get_mut(at..at + 4) {
            field.copy_from_slice(&xid.0.to_be_bytes());
        }
        let call = Call {
            is_read: waiting.is_read,
            deadline: waiting.deadline,
            watch: waiting.watch,
            ahead: ahead.then_some(waiting.frame),
            token: Some(token),
        };
        let sent = Sent {
            id: waiting.id,
            xid,
            opcode: waiting.opcode,
            since: waiting.since,
            kind: SentKind::User(call),
        };
        self.sent_now(now, before, sent);
    }

    /// Books a call whose frame stands in `out` behind `before`.
    fn sent_now(&mut self, now: Instant, before: usize, sent: Sent<T>) {
        if let SentKind::User(Call {
            watch: Some(wish), ..
        }) = &sent.kind
        {
            // Reads that leave a watch end with the flag for it, and `addWatch` with the low byte of its mode.
            if let (Some(value), Some(last)) = (self.server_watch(wish), self.out.last_mut()) {
                *last = value;
            }
            self.watches.expect(&wish.path, wish.kind);
        }
        self.counters.requests += 1;
        self.wrote(now, before);
        self.last_sent = sent.id;
        self.sent.push_back(sent);
    }

    pub(super) fn send_own(&mut self, now: Instant, request: &Request<'_>, kind: SentKind<T>) {
        let xid = self.take_xid();
        self.send_own_as(now, xid, request, kind);
    }

    pub(super) fn send_own_as(
        &mut self,
        now: Instant,
        xid: Xid,
        request: &Request<'_>,
        kind: SentKind<T>,
    ) {
        let before = self.out.len();
        if frame::encode_request(&mut self.out, xid, request, usize::MAX).is_ok() {
            self.wrote(now, before);
            self.sent.push_back(Sent {
                id: self.last_sent,
                xid,
                opcode: request.opcode(),
                since: request.since(),
                kind,
            });
        }
    }

    /// Everything in `out` behind `before` is new.
    pub(super) fn wrote(&mut self, now: Instant, before: usize) {
        self.last_written = now;
        self.counters.bytes_sent += (self.out.len() - before) as u64;
    }

    /// Takes an answer that is neither a notification nor a ping nor one to credentials. `body` is what is behind the
    /// header.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        header: ReplyHeader,
        body: Bytes,
    ) -> Result<(), String> {
        let Some(sent) = self.sent.pop_front() else {
            return Err(format!(
                "an answer with xid {} that nothing asked for",
                header.xid.0
            ));
        };
        if sent.xid != header.xid {
            let reason = format!(
                "an answer with xid {} where {} ({}) is due",
                header.xid.0, sent.xid.0, sent.opcode
            );
            self.sent.push_front(sent);
            return Err(reason);
        }
        self.exclusive = false;
        let Sent { opcode, since, .. } = sent;
        // An unknown opcode is answered without a transaction number, and then the server closes.
        let is_unknown = header.err == ErrorCode::UNIMPLEMENTED && header.zxid.0 == -1;
        if is_unknown {
            self.gate.refused(self.hosts.index(), since);
        } else {
            self.gate.answered(since);
            self.hosts.succeeded();
        }
        if header.zxid.0 > 0 {
            self.last_zxid = header.zxid;
        }
        match sent.kind {
            SentKind::User(call) => {
                self.counters.replies += 1;
                self.book_watch(now, opcode, header.err, call.watch);
                let result = match header.err {
                    ErrorCode::OK => Ok(Reply {
                        zxid: header.zxid,
                        body,
                    }),
                    ErrorCode::SESSION_MOVED => Err(CallError::Lost(Outcome::NotApplied)),
                    ErrorCode::UNIMPLEMENTED if is_unknown => Err(CallError::Unsupported {
                        needed: since,
                        server: None,
                    }),
                    code => Err(CallError::Server(code)),
                };
                if let Some(token) = call.token {
                    self.complete(token, result);
                }
            }
            SentKind::SetWatches { .. } | SentKind::SetWatches2 { .. }
                if header.err != ErrorCode::OK && !is_unknown =>
            {
                return Err(format!(
                    "the server refused to register watches again: {}",
                    header.err
                ));
            }
            SentKind::SetWatches { last } => self.one_shots_stand(last),
            SentKind::SetWatches2 { last } if !is_unknown => self.persistent_stand(last),
            SentKind::SetWatches2 { .. } | SentKind::SetWatches2Probe | SentKind::Own => {}
            SentKind::Sasl => self.sasl_challenge(header.err, body),
            SentKind::Close => {
                self.outputs.push_back(Output::Disconnect);
                self.end(SessionEnd::Closed);
                return Ok(());
            }
        }
        if is_unknown {
            return Err(format!("the server does not know {opcode}"));
        }
        match header.err {
            ErrorCode::SESSION_MOVED => {
                return Err("the session has moved to another server".to_owned());
            }
            ErrorCode::SESSION_CLOSED_REQUIRE_SASL_AUTH => {
                self.outputs.push_back(Output::Disconnect);
                self.end(SessionEnd::AuthFailed(
                    "sasl, which the server requires".to_owned(),
                ));
            }
            _ => self.flush(now),
        }
        Ok(())
    }

    /// The connection is lost: what was sent is lost with it, but for reads that went ahead of the session.
    pub(super) fn lose_sent(&mut self) {
        self.exclusive = false;
        self.last_sent = CallId(0);
        let mut again = Vec::new();
        for sent in std::mem::take(&mut self.sent) {
            let SentKind::User(call) = sent.kind else {
                continue;
            };
            if let Some(wish) = &call.watch {
                self.watches.expect_no_more(&wish.path, wish.kind);
            }
            match (call.token, call.ahead) {
                (Some(token), Some(frame)) => again.push(Waiting {
                    id: sent.id,
                    frame,
                    opcode: sent.opcode,
                    since: sent.since,
                    is_read: call.is_read,
                    deadline: call.deadline,
                    watch: call.watch,
                    token: Some(token),
                }),
                (token, _) => {
                    if let Some(wish) = call.watch {
                        self.watches.wish_no_more(wish.watcher);
                    }
                    if let Some(token) = token {
                        let outcome = outcome_of_sent(call.is_read);
                        self.complete(token, Err(CallError::Lost(outcome)));
                    }
                }
            }
        }
        for waiting in again.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
    }

    /// The session is over: everything that was asked of it is answered so, in order.
    pub(super) fn end_calls(&mut self, end: &SessionEnd) {
        for sent in std::mem::take(&mut self.sent) {
            if let SentKind::User(Call {
                token: Some(token),
                is_read,
                ..
            }) = sent.kind
            {
                let outcome = outcome_of_sent(is_read);
                self.complete(token, Err(CallError::Ended(end.clone(), outcome)));
            }
        }
        for waiting in std::mem::take(&mut self.waiting) {
            if let Some(token) = waiting.token {
                let error = CallError::Ended(end.clone(), Outcome::NotApplied);
                self.complete(token, Err(error));
            }
        }
        self.withdrawn = 0;
        for (_, token) in std::mem::take(&mut self.auth_callers) {
            let error = CallError::Ended(end.clone(), Outcome::NotApplied);
            self.complete(token, Err(error));
        }
    }

    /// Answers the calls whose deadline has passed. One that was sent keeps its place: its answer is still to come.
    pub(super) fn sweep(&mut self, now: Instant) {
        if self.sweep_at.is_none_or(|at| now < at) {
            return;
        }
        let mut next: Option<Instant> = None;
        let mut overdue = Vec::new();
        let mut look = |deadline: Option<Instant>, token: &mut Option<T>, outcome| {
            let Some(deadline) = deadline.filter(|_| token.is_some()) else {
                return false;
            };
            if now < deadline {
                next = Some(next.map_or(deadline, |next| next.min(deadline)));
                return false;
            }
            overdue.extend(token.take().map(|token| (token, outcome)));
            true
        };
        for sent in &mut self.sent {
            if let SentKind::User(call) = &mut sent.kind
                && look(
                    call.deadline,
                    &mut call.token,
                    outcome_of_sent(call.is_read),
                )
            {
                call.ahead = None;
            }
        }
        for waiting in &mut self.waiting {
            if look(waiting.deadline, &mut waiting.token, Outcome::NotApplied) {
                waiting.frame = Bytes::new();
                if let Some(wish) = waiting.watch.take() {
                    self.watches.wish_no_more(wish.watcher);
                }
                self.withdrawn += 1;
            }
        }
        self.sweep_at = next;
        for (token, outcome) in overdue {
            self.complete(token, Err(CallError::Deadline(outcome)));
        }
        self.forget_withdrawn();
    }

    /// Nobody waits any more for the watch that this call is to leave.
    pub(super) fn unwish(&mut self, id: CallId) {
        if let Some(waiting) = self.waiting_call(id) {
            match &mut waiting.watch {
                // The server has to be asked, and then asked to forget.
                Some(wish) if wish.kind.is_persistent() => wish.is_gone = true,
                _ => {
                    waiting.watch = None;
                    waiting.frame = without_watch(&waiting.frame);
                }
            }
        } else if let Some(call) = self.sent_call(id)
            && let Some(wish) = &mut call.watch
        {
            if wish.kind.is_persistent() {
                wish.is_gone = true;
            } else if let Some(wish) = call.watch.take() {
                self.watches.expect_no_more(&wish.path, wish.kind);
            }
        }
    }
}

/// A read without the flag that asks for a watch, which is its last byte.
fn without_watch(frame: &Bytes) -> Bytes {
    let mut frame = BytesMut::from(&frame[..]);
    if let Some(last) = frame.last_mut() {
        *last = 0;
    }
    frame.freeze()
}

/// What became of a request that was sent and has no answer.
const fn outcome_of_sent(is_read: bool) -> Outcome {
    if is_read {
        Outcome::NotApplied
    } else {
        Outcome::Unknown
    }
}

/// Whether a request changes nothing in the tree, so that it may be sent again.
pub(crate) fn is_read(request: &Request<'_>) -> bool {
    match request {
        Request::Multi(multi) => multi.ops.iter().all(|op| matches!(op, MultiOp::Check(_))),
        _ => matches!(
            request.opcode(),
            OpCode::EXISTS
                | OpCode::GET_DATA
                | OpCode::GET_ACL
                | OpCode::GET_CHILDREN
                | OpCode::GET_CHILDREN2
                | OpCode::SYNC
                | OpCode::MULTI_READ
                | OpCode::GET_EPHEMERALS
                | OpCode::GET_ALL_CHILDREN_NUMBER
                | OpCode::WHO_AM_I
                | OpCode::ADD_WATCH
                | OpCode::CHECK_WATCHES
                | OpCode::REMOVE_WATCHES
        ),
    }
}
