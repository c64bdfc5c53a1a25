//! The connection's life: dialled, accepted, authenticated, kept alive, lost, closed.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use zk_proto::frame::{self, LENGTH_BYTES};
use zk_proto::record::{
    AuthRequest, ConnectRequest, ConnectResponse, PASSWORD_BYTES, ReplyHeader, Request,
    SaslRequest, SaslResponse, WatcherEvent,
};
use zk_proto::{Decode, Encode, ErrorCode, Reader, SessionId, Xid, Zxid};

use super::calls::SentKind;
use super::{CallError, Output, Reply, SaslAnswer, SaslStep, Session, SessionState};
use crate::error::SessionEnd;

/// The least time that a server gets to accept a connection and the session.
const ATTEMPT_MIN: Duration = Duration::from_millis(200);
/// How long the server's answer to the end of the session is waited for.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No connection; the next attempt starts at this time.
    Waiting { until: Instant },
    /// A connection is being made.
    Dialing { deadline: Instant },
    /// The connect request is on its way.
    Handshake { deadline: Instant },
    /// The server has the session, and tokens of the SASL exchange go back and forth.
    Sasl { deadline: Instant, read_only: bool },
    /// The session is served.
    Connected,
    /// It is over.
    Ended,
}

impl<T> Session<T> {
    pub(super) fn connected(&mut self, now: Instant) {
        let Phase::Dialing { deadline } = self.phase else {
            return;
        };
        self.phase = Phase::Handshake { deadline };
        self.out.clear();
        self.gate.reset();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: i32::try_from(self.config.session_timeout.as_millis()).unwrap_or(i32::MAX),
            session_id: self.id,
            password: Some(&self.password),
            read_only: Some(self.config.read_only),
        };
        // 45 bytes fit any limit.
        let _ = frame::encode(&mut self.out, usize::MAX, |out| request.encode(out));
        self.wrote(now, 0);
        if self.id == SessionId::NONE && self.config.auth.is_empty() && self.config.sasl.is_none() {
            self.send_reads_ahead(now);
        }
    }

    pub(super) fn received(&mut self, now: Instant, bytes: &mut BytesMut) {
        // Any byte is a sign of life: a reply may take longer than the time after which silence is death.
        self.last_heard = now;
        loop {
            if !matches!(
                self.phase,
                Phase::Handshake { .. } | Phase::Sasl { .. } | Phase::Connected
            ) {
                bytes.clear();
                return;
            }
            let payload = match self.decoder.decode(bytes) {
                Ok(Some(payload)) => payload,
                Ok(None) => return,
                Err(error) => return self.drop_connection(now, error.to_string()),
            };
            self.counters.bytes_received += (payload.len() + LENGTH_BYTES) as u64;
            let taken = match self.phase {
                Phase::Handshake { deadline } => self.handshake(now, deadline, &payload),
                _ => self.reply(now, payload),
            };
            if let Err(reason) = taken {
                return self.drop_connection(now, reason);
            }
        }
    }

    fn handshake(
        &mut self,
        now: Instant,
        deadline: Instant,
        payload: &Bytes,
    ) -> Result<(), String> {
        let response = ConnectResponse::decode(&mut Reader::new(payload))
            .map_err(|error| refusal(payload).unwrap_or_else(|| error.to_string()))?;
        if response.timeout_ms <= 0 {
            if self.id == SessionId::NONE {
                return Err("the server refused a new session".to_owned());
            }
            self.outputs.push_back(Output::Disconnect);
            self.end(SessionEnd::Expired(self.id));
            return Ok(());
        }
        let read_only = response.read_only == Some(true);
        self.id_is_real |= !read_only;
        self.id = response.session_id;
        if let Some(password) = response
            .password
            .and_then(|password| password.first_chunk())
        {
            self.password = *password;
        }
        self.timeout = Duration::from_millis(u64::from(response.timeout_ms.unsigned_abs()));
        self.hosts.connected();
        self.counters.connects += 1;
        self.settle_reads_ahead();
        if self.config.sasl.is_some() {
            self.phase = Phase::Sasl {
                deadline,
                read_only,
            };
            let step = SaslStep::Begin(self.hosts.current());
            self.outputs.push_back(Output::Sasl(step));
        } else {
            self.serve(now, read_only);
        }
        Ok(())
    }

    /// The session is served: what has to come first goes first, then what waits.
    fn serve(&mut self, now: Instant, read_only: bool) {
        self.phase = Phase::Connected;
        self.last_written = now;
        self.authenticate(now);
        self.start_rearm(now);
        self.flush(now);
        if read_only {
            self.start_search(now);
            self.set_state(SessionState::ConnectedReadOnly);
        } else {
            self.set_state(SessionState::Connected);
        }
    }

    fn authenticate(&mut self, now: Instant) {
        self.auth_sent.clear();
        for place in 0..self.config.auth.len() {
            self.send_auth(now, place);
        }
    }

    fn send_auth(&mut self, now: Instant, place: usize) {
        let Some((scheme, credentials)) = self.config.auth.get(place) else {
            return;
        };
        let request = Request::Auth(AuthRequest {
            scheme,
            auth: Some(credentials),
        });
        let before = self.out.len();
        let max = self.config.max_outgoing_bytes;
        // Too large for a frame: the server could not take it either.
        if frame::encode_request(&mut self.out, Xid::AUTH, &request, max).is_ok() {
            self.wrote(now, before);
            self.auth_sent.push_back(place);
        }
    }

    /// Proves one more identity, now and at every later connect. The answer comes as [`Output::Completed`] with `token`;
    /// a refusal ends the session.
    pub fn add_auth(&mut self, now: Instant, scheme: &str, credentials: &[u8], token: T) {
        if let SessionState::Ended(end) = &self.state {
            let error = CallError::Ended(end.clone(), crate::error::Outcome::NotApplied);
            return self.complete(token, Err(error));
        }
        if self.auth_callers.len() >= self.config.max_requests {
            return self.complete(token, Err(CallError::TooMany(self.config.max_requests)));
        }
        let known = self
            .config
            .auth
            .iter()
            .position(|(own, secret)| own == scheme && secret == credentials);
        let place = known.unwrap_or_else(|| {
            self.config
                .auth
                .push((scheme.to_owned(), credentials.to_vec()));
            self.config.auth.len() - 1
        });
        self.auth_callers.push((place, token));
        if self.phase == Phase::Connected {
            self.send_auth(now, place);
        }
    }

    /// An answer to credentials. They are answered in the order in which they were sent.
    fn authenticated(&mut self, err: ErrorCode) {
        let place = self.auth_sent.pop_front();
        if err == ErrorCode::OK {
            let callers = std::mem::take(&mut self.auth_callers);
            for (wanted, token) in callers {
                if Some(wanted) == place {
                    let reply = Reply {
                        zxid: Zxid(0),
                        body: Bytes::new(),
                    };
                    self.complete(token, Ok(reply));
                } else {
                    self.auth_callers.push((wanted, token));
                }
            }
            return;
        }
        let refused = place.and_then(|place| self.config.auth.get(place));
        let scheme = refused.map_or_else(String::new, |(scheme, _)| scheme.clone());
        self.outputs.push_back(Output::Disconnect);
        self.end(SessionEnd::AuthFailed(scheme));
    }

    /// The mechanism's word.
    pub(super) fn sasl_answer(&mut self, now: Instant, answer: SaslAnswer) {
        let Phase::Sasl { read_only, .. } = self.phase else {
            return;
        };
        match answer {
            SaslAnswer::Send(token) => {
                let request = Request::Sasl(SaslRequest {
                    token: Some(&token),
                });
                self.send_own(now, &request, SentKind::Sasl);
            }
            SaslAnswer::Done => self.serve(now, read_only),
            SaslAnswer::Failed(reason) => self.sasl_failed(&reason),
        }
    }

    /// The server's word.
    pub(super) fn sasl_challenge(&mut self, err: ErrorCode, body: Bytes) {
        if err != ErrorCode::OK {
            return self.sasl_failed(&format!("the server answered {err}"));
        }
        let token = match SaslResponse::decode(&mut Reader::new(&body)) {
            Ok(response) => response
                .token
                .map_or_else(Bytes::new, |token| body.slice_ref(token)),
            Err(error) => return self.sasl_failed(&error.to_string()),
        };
        self.outputs
            .push_back(Output::Sasl(SaslStep::Challenge(token)));
    }

    fn sasl_failed(&mut self, reason: &str) {
        let mechanism = self.config.sasl.unwrap_or_default();
        self.outputs.push_back(Output::Disconnect);
        self.end(SessionEnd::AuthFailed(format!(
            "sasl {mechanism}: {reason}"
        )));
    }

    fn reply(&mut self, now: Instant, mut payload: Bytes) -> Result<(), String> {
        let mut reader = Reader::new(&payload);
        let header = ReplyHeader::decode(&mut reader).map_err(|error| error.to_string())?;
        if header.xid != Xid::NOTIFICATION {
            self.notifications_end();
        }
        match header.xid {
            Xid::NOTIFICATION => {
                let event = WatcherEvent::decode(&mut reader).map_err(|error| error.to_string())?;
                self.notified(now, event);
            }
            Xid::PING => self.hosts.succeeded(),
            Xid::AUTH => self.authenticated(header.err),
            _ => {
                let body = payload.split_off(reader.offset());
                return self.answered(now, header, body);
            }
        }
        Ok(())
    }

    pub(super) fn lost(&mut self, now: Instant, reason: String) {
        match self.phase {
            Phase::Handshake { .. } | Phase::Sasl { .. } | Phase::Connected
                if self.close_by.is_some() =>
            {
                // The server may have read the close before the connection went; if not, the session times out.
                self.end(SessionEnd::Closed);
            }
            Phase::Dialing { .. }
            | Phase::Handshake { .. }
            | Phase::Sasl { .. }
            | Phase::Connected => self.try_next(now, reason),
            Phase::Waiting { .. } | Phase::Ended => {}
        }
    }

    pub(super) fn drop_connection(&mut self, now: Instant, reason: String) {
        self.outputs.push_back(Output::Disconnect);
        self.lost(now, reason);
    }

    /// Goes on to another server, after a pause where all were tried.
    pub(super) fn try_next(&mut self, now: Instant, reason: String) {
        self.out.clear();
        self.search = None;
        self.auth_sent.clear();
        self.lose_sent();
        if !self.id_is_real {
            // A read-only server made it up; no other knows it.
            self.id = SessionId::NONE;
            self.password = [0; PASSWORD_BYTES];
        }
        let pause = self.hosts.failed(reason, &mut self.rng);
        self.phase = Phase::Waiting { until: now + pause };
        if self.state.is_connected() {
            self.stop_rearm();
            self.set_state(SessionState::Disconnected);
        }
    }

    pub(super) fn timed_out(&mut self, now: Instant) {
        if self.close_by.is_some_and(|at| now >= at) {
            return self.abandon();
        }
        if let Some(at) = self.give_up_at()
            && now >= at
            && !matches!(self.phase, Phase::Connected | Phase::Ended)
        {
            let end = SessionEnd::GivenUp {
                session: self.id,
                silence: now - self.last_heard,
            };
            self.outputs.push_back(Output::Disconnect);
            return self.end(end);
        }
        self.sweep(now);
        match self.phase {
            Phase::Waiting { until } if now >= until => {
                self.phase = Phase::Dialing {
                    deadline: now + self.attempt_timeout(),
                };
                self.counters.connect_attempts += 1;
                self.outputs
                    .push_back(Output::Connect(self.hosts.current()));
            }
            Phase::Dialing { deadline } if now >= deadline => {
                self.outputs.push_back(Output::Disconnect);
                self.try_next(
                    now,
                    format!("no connection within {:?}", self.attempt_timeout()),
                );
            }
            Phase::Handshake { deadline } if now >= deadline => {
                let reason = format!(
                    "no answer to the connect request within {:?}",
                    self.attempt_timeout()
                );
                self.drop_connection(now, reason);
            }
            Phase::Sasl { deadline, .. } if now >= deadline => {
                let reason = format!("no SASL login within {:?}", self.attempt_timeout());
                self.drop_connection(now, reason);
            }
            Phase::Connected => {
                if now >= self.last_heard + self.read_timeout() {
                    let reason = format!("the server was silent for {:?}", now - self.last_heard);
                    return self.drop_connection(now, reason);
                }
                if now >= self.last_written + self.ping_interval() {
                    let before = self.out.len();
                    let _ =
                        frame::encode_request(&mut self.out, Xid::PING, &Request::Ping, usize::MAX);
                    self.counters.pings += 1;
                    self.wrote(now, before);
                }
                self.search_on(now);
            }
            _ => {}
        }
    }

    pub(super) fn close(&mut self, now: Instant) {
        if self.close_by.is_some() {
            return;
        }
        self.close_by = Some(now + CLOSE_TIMEOUT);
        match self.phase {
            Phase::Connected => self.flush(now),
            // The session is closed once the answer to the connect request is in.
            Phase::Handshake { .. } | Phase::Sasl { .. } | Phase::Ended => {}
            // No server to tell: an old session times out there.
            Phase::Waiting { .. } | Phase::Dialing { .. } => self.abandon(),
        }
    }

    /// Sends the end of the session, if the user wants it, behind everything that was asked before.
    pub(super) fn close_when_done(&mut self, now: Instant) {
        let is_sent = self
            .sent
            .back()
            .is_some_and(|sent| matches!(sent.kind, SentKind::Close));
        if self.close_by.is_some() && self.waiting.is_empty() && !is_sent {
            self.send_own(now, &Request::CloseSession, SentKind::Close);
        }
    }

    /// Ends the session and completes everything that was asked of it.
    pub(super) fn end(&mut self, end: SessionEnd) {
        if self.phase == Phase::Ended {
            return;
        }
        self.phase = Phase::Ended;
        self.search = None;
        self.end_calls(&end);
        self.watches = super::WatchBook::default();
        self.set_state(SessionState::Ended(end));
    }

    fn set_state(&mut self, state: SessionState) {
        if state != self.state {
            self.state = state.clone();
            self.outputs.push_back(Output::State(state));
        }
    }

    /// How long one server may take: its share of the time that a session has left, so that the others are tried too.
    fn attempt_timeout(&self) -> Duration {
        if self.id == SessionId::NONE {
            return self.config.attempt_timeout;
        }
        let servers = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        let share = (self.timeout / servers).max(ATTEMPT_MIN);
        self.config.attempt_timeout.min(share)
    }

    /// Silence after which a connection is taken for dead: 2/3 of the session timeout.
    pub(super) fn read_timeout(&self) -> Duration {
        self.timeout * 2 / 3
    }

    /// Idle time after which a ping is sent: a third of the session timeout, and 10 s at most.
    pub(super) fn ping_interval(&self) -> Duration {
        (self.timeout / 3).min(Duration::from_secs(10))
    }

    /// When a session without a connection is given up: after 4/3 of its timeout without a word from any server.
    pub(super) fn give_up_at(&self) -> Option<Instant> {
        (self.id != SessionId::NONE).then(|| self.last_heard + self.timeout * 4 / 3)
    }
}

/// Why the server gives no session, where it says so by a reply's header alone: one that is cut off from its ensemble
/// and keeps no local sessions answers new ones so.
fn refusal(payload: &Bytes) -> Option<String> {
    let header = ReplyHeader::decode(&mut Reader::new(payload)).ok()?;
    Some(format!("the server refused a session: {}", header.err))
}
