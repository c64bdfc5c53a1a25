//! The first frame of a connection: a new session, or an old one that goes on.

use bytes::Bytes;
use zk_proto::record::{ConnectRequest, ConnectResponse};
use zk_proto::{Decode, Reader, SessionId};

use super::connection::Phase;
use super::journal::SessionPart;
use super::tree::Stamp;
use super::{ConnectionId, Core, Now};

impl Core {
    /// Serves a connect request. A session that cannot go on is answered as expired, and the connection closed.
    pub(super) fn handshake(&mut self, now: Now, id: ConnectionId, payload: &Bytes) {
        let request = match ConnectRequest::decode(&mut Reader::new(payload)) {
            Ok(request) => request,
            Err(error) => {
                self.complain(id, &error);
                return self.abort(id);
            }
        };
        // The client knows more than this server: it has to find another, and is not told why.
        if request.last_zxid_seen > self.last_zxid {
            return self.abort(id);
        }
        let (min_ms, max_ms) = self.options.session_timeout_limits_ms();
        let timeout_ms = request.timeout_ms.clamp(min_ms, max_ms);
        // Here only those are welcome that have said so.
        if self.read_only && request.read_only != Some(true) {
            self.complain(id, &"read-only server, and the client wants to write");
            return self.abort(id);
        }
        // A client from before the field gets an answer without it.
        let read_only = request.read_only.map(|_| self.read_only);
        let session = if request.session_id == SessionId::NONE {
            let session = self.sessions.create(timeout_ms, id, now.monotonic_ms);
            if !self.read_only {
                let stamp = self.begin(now);
                let began = SessionPart::Began {
                    id: session,
                    timeout_ms,
                };
                self.log(stamp, began, &[]);
            }
            session
        } else if self.reattach(now, id, &request, timeout_ms) {
            request.session_id
        } else {
            self.respond(
                id,
                &ConnectResponse {
                    read_only,
                    ..ConnectResponse::EXPIRED
                },
            );
            return self.finish(id);
        };
        self.end_handshake(id);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Open;
            connection.session = Some(session);
        }
        let password = self.sessions.password(session);
        self.respond(
            id,
            &ConnectResponse {
                protocol_version: 0,
                timeout_ms,
                session_id: session,
                password: Some(&password),
                read_only,
            },
        );
    }

    /// Moves a session to this connection; `false` when it does not exist or the password is another. The connection
    /// that it had is closed in any case, even before the password is looked at, as the real server does.
    fn reattach(
        &mut self,
        now: Now,
        id: ConnectionId,
        request: &ConnectRequest<'_>,
        timeout_ms: i32,
    ) -> bool {
        let session = request.session_id;
        let Some(known) = self.sessions.get(session) else {
            return false;
        };
        let is_renegotiated = known.timeout_ms != timeout_ms && !known.is_local;
        if let Some(old) = known.connection {
            self.finish(old);
        }
        if request.password != Some(&self.sessions.password(session)[..]) {
            return false;
        }
        self.sessions
            .attach(session, id, timeout_ms, now.monotonic_ms);
        if is_renegotiated {
            // It takes no transaction of its own.
            let stamp = Stamp {
                zxid: self.last_zxid,
                wall_ms: now.wall_ms,
            };
            let renegotiated = SessionPart::Renegotiated {
                id: session,
                timeout_ms,
            };
            self.log(stamp, renegotiated, &[]);
        }
        true
    }

    fn respond(&mut self, id: ConnectionId, response: &ConnectResponse<'_>) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.push_connect_response(response);
        }
    }
}
