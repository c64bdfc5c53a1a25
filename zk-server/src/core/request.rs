//! The requests of an open session: decoded, served and answered, one after the other.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use zk_proto::record::{
    AddWatchMode, AddWatchResponse, AuthRequest, Children, ClientInfo, Create2Response,
    CreateResponse, EventType, ExistsResponse, GetAclResponse, GetAllChildrenNumberResponse,
    GetChildren2Response, GetChildrenResponse, GetDataResponse, GetEphemeralsResponse, MultiOp,
    ReplyHeader, Request, RequestHeader, SaslResponse, SetAclResponse, SetDataResponse,
    SetWatchesRequest, SyncResponse, WhoAmIResponse,
};
use zk_proto::{
    Decode, DecodeErrorKind, Encode, ErrorCode, OpCode, Perms, Reader, SessionId, Xid, Zxid,
};

use super::access::{self, Identity};
use super::connection::IDENTITIES_MAX;
use super::quota::Quotas;
use super::tree::{Stamp, Znode};
use super::write::{Author, Outcome};
use super::{ConnectionId, Core, Loss, Now};

/// A request's circumstances.
pub(super) struct Asker {
    pub(super) now: Now,
    pub(super) connection: ConnectionId,
    session: SessionId,
    identities: Arc<[Identity]>,
}

impl Core {
    /// Serves one frame of an open session.
    pub(super) fn request(&mut self, now: Now, id: ConnectionId, payload: &Bytes) {
        let mut reader = Reader::new(payload);
        let Ok(header) = RequestHeader::decode(&mut reader) else {
            return self.finish(id);
        };
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let Some(session) = connection.session else {
            return;
        };
        connection.log.last_opcode = Some(header.opcode);
        connection.log.last_xid = header.xid;
        let identities = Arc::clone(&connection.identities);
        self.sessions.touch(session, now.monotonic_ms);
        let asker = Asker {
            now,
            connection: id,
            session,
            identities,
        };
        if !self.release.knows(header.opcode) {
            return self.refuse_unknown(&asker, header);
        }
        if self.read_only && self.is_refused_read_only(header.opcode, session) {
            let result = Err(ErrorCode::NOT_READ_ONLY);
            return self.reply(&asker, header.xid, self.last_zxid, result, &[]);
        }
        let loss = if is_write(header.opcode) {
            self.sessions.take_loss(session)
        } else {
            None
        };
        if loss == Some(Loss::Request) {
            return self.finish(id);
        }
        let mut body = BytesMut::new();
        let request = match Request::decode(header.opcode, &mut reader) {
            Ok(request) => request,
            Err(error) => return self.refuse(&asker, header, error.kind),
        };
        match request {
            Request::Auth(auth) => self.authenticate(&asker, header.xid, auth),
            Request::Sasl(_) => {
                SaslResponse { token: None }.encode(&mut body);
                self.reply(&asker, header.xid, Zxid(0), Ok(()), &body);
            }
            Request::Ping => self.reply(&asker, Xid::PING, self.last_zxid, Ok(()), &[]),
            Request::CloseSession => {
                // The connection hears of its own ephemerals first, then the answer, then the end.
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.input.clear();
                }
                self.sessions.detach(session, id);
                self.end_session(now, session);
                self.reply(&asker, header.xid, self.last_zxid, Ok(()), &[]);
                self.finish(id);
            }
            request => {
                let result = self.serve(&asker, request, &mut body);
                if loss == Some(Loss::Answer) {
                    return self.finish(id);
                }
                self.reply(&asker, header.xid, self.last_zxid, result, &body);
            }
        }
    }

    fn reply(
        &mut self,
        asker: &Asker,
        xid: Xid,
        zxid: Zxid,
        result: Result<(), ErrorCode>,
        body: &[u8],
    ) {
        let err = result.err().unwrap_or(ErrorCode::OK);
        if let Some(connection) = self.connections.get_mut(&asker.connection) {
            connection.push_reply(ReplyHeader { xid, zxid, err }, body, asker.now);
        }
    }

    /// Answers a request that could not be read. The connection goes on, unless the opcode is unknown or the request
    /// was one of the network's own.
    fn refuse(&mut self, asker: &Asker, header: RequestHeader, kind: DecodeErrorKind) {
        match header.opcode {
            OpCode::AUTH | OpCode::SASL => self.finish(asker.connection),
            // Here the unknown opcode is one within the multi.
            OpCode::MULTI | OpCode::MULTI_READ => self.refuse_broken(asker, header),
            _ if matches!(kind, DecodeErrorKind::UnknownOpCode(_)) => {
                self.refuse_unknown(asker, header);
            }
            _ => self.refuse_broken(asker, header),
        }
    }

    fn refuse_unknown(&mut self, asker: &Asker, header: RequestHeader) {
        let result = Err(ErrorCode::UNIMPLEMENTED);
        self.reply(asker, header.xid, Zxid(-1), result, &[]);
        self.finish(asker.connection);
    }

    /// What a read-only server refuses. `sync` is among it: there is no leader to ask. So is the end of a session that
    /// the ensemble knows.
    fn is_refused_read_only(&self, opcode: OpCode, session: SessionId) -> bool {
        match opcode {
            OpCode::CHECK | OpCode::RECONFIG | OpCode::SYNC => true,
            OpCode::CLOSE_SESSION => self.sessions.get(session).is_some_and(|s| !s.is_local),
            opcode => is_write(opcode),
        }
    }

    fn refuse_broken(&mut self, asker: &Asker, header: RequestHeader) {
        if self.release.numbers_before_reading(header.opcode) {
            self.begin(asker.now);
        }
        let result = Err(ErrorCode::MARSHALLING_ERROR);
        self.reply(asker, header.xid, self.last_zxid, result, &[]);
    }

    fn authenticate(&mut self, asker: &Asker, xid: Xid, request: AuthRequest<'_>) {
        let Some(connection) = self.connections.get_mut(&asker.connection) else {
            return;
        };
        let credentials = request.auth.unwrap_or_default();
        let proven = Identity::prove(request.scheme, credentials, connection.peer.ip());
        let result = proven.and_then(|identity| {
            if connection.identities.contains(&identity) {
                return Ok(());
            }
            if connection.identities.len() >= IDENTITIES_MAX {
                return Err(ErrorCode::AUTH_FAILED);
            }
            connection.identities = connection
                .identities
                .iter()
                .cloned()
                .chain([identity])
                .collect();
            Ok(())
        });
        self.reply(asker, xid, Zxid(0), result, &[]);
        if result.is_err() {
            self.finish(asker.connection);
        }
    }

    /// Serves a request and writes the record of its answer into `body`.
    fn serve(
        &mut self,
        asker: &Asker,
        request: Request<'_>,
        body: &mut BytesMut,
    ) -> Result<(), ErrorCode> {
        match request {
            Request::Create(r) => self.write(asker, &MultiOp::Create(r), body),
            Request::Create2(r) => self.write(asker, &MultiOp::Create2(r), body),
            Request::CreateContainer(r) => self.write(asker, &MultiOp::CreateContainer(r), body),
            Request::CreateTtl(r) => self.write(asker, &MultiOp::CreateTtl(r), body),
            Request::Delete(r) => self.write(asker, &MultiOp::Delete(r), body),
            Request::SetData(r) => self.write(asker, &MultiOp::SetData(r), body),
            // Real servers that take it never answer a check that succeeds; a header alone harms nobody.
            Request::Check(r) => self.write(asker, &MultiOp::Check(r), body),
            Request::SetAcl(r) => {
                let stamp = self.begin(asker.now);
                let (stat, change) = self.tree.apply_set_acl(&r, asker.author(stamp, None))?;
                self.commit(&[change], stamp);
                SetAclResponse { stat }.encode(body);
                Ok(())
            }
            Request::Multi(r) => self.multi(asker, r, body),
            Request::MultiRead(r) => self.multi_read(asker, &r, body),
            Request::Reconfig(_) => {
                self.begin(asker.now);
                Err(ErrorCode::RECONFIG_DISABLED)
            }
            Request::Exists(r) => {
                if r.path.contains('\0') {
                    return Err(ErrorCode::BAD_ARGUMENTS);
                }
                let result = if self.release.guards_existence() {
                    self.readable(asker, r.path).map(Znode::stat)
                } else {
                    let znode = self.tree.get(r.path).ok_or(ErrorCode::NO_NODE);
                    znode.map(Znode::stat)
                };
                if r.watch && matches!(result, Ok(_) | Err(ErrorCode::NO_NODE)) {
                    self.watches.data.add_one_shot(r.path, asker.connection);
                }
                ExistsResponse { stat: result? }.encode(body);
                Ok(())
            }
            Request::GetData(r) => {
                get_data(self.readable(asker, r.path)?).encode(body);
                if r.watch {
                    self.watches.data.add_one_shot(r.path, asker.connection);
                }
                Ok(())
            }
            Request::GetChildren(r) => {
                let children = children(self.readable(asker, r.path)?);
                GetChildrenResponse { children }.encode(body);
                if r.watch {
                    self.watches.child.add_one_shot(r.path, asker.connection);
                }
                Ok(())
            }
            Request::GetChildren2(r) => {
                let znode = self.readable(asker, r.path)?;
                GetChildren2Response {
                    children: children(znode),
                    stat: znode.stat(),
                }
                .encode(body);
                if r.watch {
                    self.watches.child.add_one_shot(r.path, asker.connection);
                }
                Ok(())
            }
            Request::GetAcl(r) => {
                let znode = self.tree.get(r.path).ok_or(ErrorCode::NO_NODE)?;
                access::check(&znode.acl, Perms::READ | Perms::ADMIN, &asker.identities)?;
                let may_see = access::check(&znode.acl, Perms::ADMIN, &asker.identities).is_ok();
                GetAclResponse {
                    acl: if may_see {
                        znode.acl.to_vec()
                    } else {
                        access::masked(&znode.acl)
                    },
                    stat: znode.stat(),
                }
                .encode(body);
                Ok(())
            }
            Request::Sync(r) => {
                SyncResponse { path: r.path }.encode(body);
                Ok(())
            }
            Request::GetEphemerals(r) => {
                let prefix = r.prefix.unwrap_or_default().trim();
                let paths = self.tree.ephemerals(asker.session);
                let wanted = paths.filter(|path| path.starts_with(prefix));
                GetEphemeralsResponse {
                    paths: wanted.collect(),
                }
                .encode(body);
                Ok(())
            }
            Request::GetAllChildrenNumber(r) => {
                self.readable(asker, r.path)?;
                let total = self.tree.visit(r.path, |_, _| {}) - 1;
                GetAllChildrenNumberResponse {
                    total: i32::try_from(total).unwrap_or(i32::MAX),
                }
                .encode(body);
                Ok(())
            }
            Request::WhoAmI => {
                let clients = asker.identities.iter().map(|identity| ClientInfo {
                    scheme: identity.scheme.name(),
                    user: identity.user(),
                });
                WhoAmIResponse {
                    clients: clients.collect(),
                }
                .encode(body);
                Ok(())
            }
            Request::AddWatch(r) => {
                match r.mode {
                    AddWatchMode::PERSISTENT => {
                        self.watches.add_persistent(r.path, asker.connection);
                    }
                    AddWatchMode::PERSISTENT_RECURSIVE => {
                        self.watches.add_recursive(r.path, asker.connection);
                    }
                    _ => return Err(ErrorCode::MARSHALLING_ERROR),
                }
                AddWatchResponse { err: ErrorCode::OK }.encode(body);
                Ok(())
            }
            Request::CheckWatches(r) => {
                let found = self.watches.find(r.path, asker.connection, r.watcher_type);
                found_watch(found)
            }
            Request::RemoveWatches(r) => {
                let found = self.watches.has(r.path, asker.connection, r.watcher_type);
                found_watch(found)?;
                self.watches
                    .remove(r.path, asker.connection, r.watcher_type);
                Ok(())
            }
            Request::SetWatches(r) => {
                self.set_watches(asker, &r);
                Ok(())
            }
            Request::SetWatches2(r) => {
                self.set_watches(asker, &r.one_shot);
                for path in r.persistent {
                    self.watches.add_persistent(path, asker.connection);
                }
                for path in r.persistent_recursive {
                    self.watches.add_recursive(path, asker.connection);
                }
                Ok(())
            }
            _ => Err(ErrorCode::UNIMPLEMENTED),
        }
    }

    pub(super) fn readable(&self, asker: &Asker, path: &str) -> Result<&Znode, ErrorCode> {
        let znode = self.tree.get(path).ok_or(ErrorCode::NO_NODE)?;
        access::check(&znode.acl, Perms::READ, &asker.identities)?;
        Ok(znode)
    }

    fn write(
        &mut self,
        asker: &Asker,
        op: &MultiOp<'_>,
        body: &mut BytesMut,
    ) -> Result<(), ErrorCode> {
        let stamp = self.begin(asker.now);
        let quotas = self.enforce_quota.then_some(&self.quotas);
        let (outcome, change) = self.tree.apply(op, asker.author(stamp, quotas))?;
        self.commit(change.as_slice(), stamp);
        match outcome {
            Outcome::Created { path, stat: None } => CreateResponse { path: &path }.encode(body),
            Outcome::Created {
                path,
                stat: Some(stat),
            } => Create2Response { path: &path, stat }.encode(body),
            Outcome::DataSet(stat) => SetDataResponse { stat }.encode(body),
            Outcome::Deleted | Outcome::Checked => {}
        }
        Ok(())
    }

    /// Registers the one-shot watches of a client that was away, and tells it at once of what they would have seen.
    fn set_watches(&mut self, asker: &Asker, request: &SetWatchesRequest<'_>) {
        let since = request.relative_zxid;
        for path in &request.data {
            match self.tree.get(path).map(|znode| znode.mzxid > since) {
                None => self.catch_up(asker, EventType::NODE_DELETED, path),
                Some(true) => self.catch_up(asker, EventType::NODE_DATA_CHANGED, path),
                Some(false) => self.watches.data.add_one_shot(path, asker.connection),
            }
        }
        for path in &request.exist {
            if self.tree.get(path).is_some() {
                self.catch_up(asker, EventType::NODE_CREATED, path);
            } else {
                self.watches.data.add_one_shot(path, asker.connection);
            }
        }
        for path in &request.child {
            match self.tree.get(path).map(|znode| znode.pzxid > since) {
                None => self.catch_up(asker, EventType::NODE_DELETED, path),
                Some(true) => self.catch_up(asker, EventType::NODE_CHILDREN_CHANGED, path),
                Some(false) => self.watches.child.add_one_shot(path, asker.connection),
            }
        }
    }

    /// An event that was missed. It belongs to no transaction of now, so it carries no zxid.
    fn catch_up(&mut self, asker: &Asker, event: EventType, path: &str) {
        if let Some(connection) = self.connections.get_mut(&asker.connection) {
            connection.push_event(event, path, Zxid(-1));
        }
    }
}

/// Whether it changes znodes.
const fn is_write(opcode: OpCode) -> bool {
    matches!(
        opcode,
        OpCode::CREATE
            | OpCode::CREATE2
            | OpCode::CREATE_CONTAINER
            | OpCode::CREATE_TTL
            | OpCode::DELETE
            | OpCode::SET_DATA
            | OpCode::SET_ACL
            | OpCode::MULTI
    )
}

impl Asker {
    /// It must keep to these quotas, where it must.
    pub(super) fn author<'a>(&'a self, stamp: Stamp, quotas: Option<&'a Quotas>) -> Author<'a> {
        Author {
            quotas,
            session: self.session,
            identities: &self.identities,
            stamp,
        }
    }
}

const fn found_watch(found: Option<bool>) -> Result<(), ErrorCode> {
    match found {
        None => Err(ErrorCode::MARSHALLING_ERROR),
        Some(false) => Err(ErrorCode::NO_WATCHER),
        Some(true) => Ok(()),
    }
}

pub(super) fn get_data(znode: &Znode) -> GetDataResponse<'_> {
    GetDataResponse {
        data: znode.data.as_deref(),
        stat: znode.stat(),
    }
}

pub(super) fn children(znode: &Znode) -> Children {
    znode.children.iter().collect()
}
