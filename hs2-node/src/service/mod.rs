//! Every call of `TCLIService`: arguments to methods of sessions and operations, their answers to replies.

mod catalog;
mod info;
mod pattern;

use bytes::Bytes;
use futures::FutureExt;
use futures::stream;
use hs2_proto::rowset::{
    ColumnKind, ColumnSlice, Pieces, RowSetError, WireBatch, WireColumn, write_row_set,
};
use hs2_proto::tcli::{
    Call, CallError, CancelDelegationTokenReq, CancelOperationReq, CloseOperationReq,
    CloseSessionReq, DownloadDataReq, ExecuteStatementReq, FetchOrientation, FetchResultsReq,
    GetCatalogsReq, GetColumnsReq, GetCrossReferenceReq, GetDelegationTokenReq,
    GetDelegationTokenResp, GetFunctionsReq, GetInfoReq, GetInfoResp, GetOperationStatusReq,
    GetOperationStatusResp, GetPrimaryKeysReq, GetQueryIdReq, GetQueryIdResp,
    GetResultSetMetadataReq, GetResultSetMetadataResp, GetSchemasReq, GetTableTypesReq,
    GetTablesReq, GetTypeInfoReq, HandleId, HandleResp, IncomingCall, OpenSessionReq,
    OpenSessionResp, OperationHandle, OperationState, OperationType, ProtocolVersion,
    RenewDelegationTokenReq, Request, SessionHandle, SetClientInfoReq, Status, StatusResp,
    TransferResp, UploadDataReq, decode_call, write_exception, write_fetch_reply, write_reply,
};
use hs2_proto::thrift::{ApplicationException, Encode, ExceptionKind, StringMap};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::sleep_until;

use crate::config::Config;
use crate::engine::{Database, Engine, Execution};
use crate::error::Failure;
use crate::handle::new_handle;
use crate::operation::{
    Deadline, LogLevel, NewOperation, Operation, OperationLog, Runner, one_line, panic_text,
};
use crate::quota::SessionQuota;
use crate::session::{FETCH_SIZE, Session, SessionRequest, Sessions};
use catalog::Batch;

/// Bytes of names and values that a session may be opened with. They are kept for its life.
const CONFIGURATION_BYTES_MAX: usize = 1 << 20;

/// What answers the calls of all connections of a node.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) config: Config,
    pub(crate) sessions: Sessions,
    quota: SessionQuota,
    engine: Arc<dyn Engine>,
    /// The node's version, as its znode and GetInfo say.
    pub(crate) version: String,
    runner: Runner,
}

/// A connection, as far as calls need to know it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: SocketAddr,
    /// Who has logged in; `None` where the connection has no login.
    pub(crate) identity: Option<String>,
    /// For whom else it acts, if it may.
    pub(crate) do_as: Option<String>,
    /// The addresses that a proxy before it names. They are for the log: anybody can name them.
    pub(crate) forwarded: Option<String>,
    /// The guids of the sessions that it opened.
    opened: Mutex<Vec<[u8; 16]>>,
}

impl Client {
    pub(crate) const fn new(peer: SocketAddr, identity: Option<String>) -> Self {
        Self {
            peer,
            identity,
            do_as: None,
            forwarded: None,
            opened: Mutex::new(Vec::new()),
        }
    }
}

impl Service {
    pub(crate) fn new(
        config: Config,
        version: String,
        engine: Arc<dyn Engine>,
        runner: Runner,
    ) -> Self {
        Self {
            quota: SessionQuota::new(&config),
            config,
            sessions: Sessions::new(),
            engine,
            version,
            runner,
        }
    }

    /// From now no session is opened any more.
    pub(crate) fn leave(&self) {
        self.sessions.leave();
    }

    /// Whether a session ends with this connection: one that it opened and that is still open. Such a connection may be
    /// idle for as long as others use the session.
    pub(crate) fn holds_session(&self, client: &Client) -> bool {
        let opened = client.opened.lock().unwrap_or_else(PoisonError::into_inner);
        self.config.close_session_on_disconnect
            && opened.iter().any(|guid| self.sessions.is_open(guid))
    }

    /// What a connection leaves behind: its sessions are closed, where the settings say so.
    pub(crate) fn disconnected(&self, client: &Client) {
        if self.config.close_session_on_disconnect {
            for guid in
                std::mem::take(&mut *client.opened.lock().unwrap_or_else(PoisonError::into_inner))
            {
                self.sessions.close(&guid);
            }
        }
    }

    /// Answers one message: a reply, or an exception where there is none. A call that panics is answered too.
    ///
    /// # Errors
    /// The message is no Thrift, so that there is nothing to answer.
    ///
    /// # Cancel safety
    /// Dropped before its end, the call may or may not have had its effect. No operation is left that nobody knows.
    pub(crate) async fn call(&self, client: &Client, message: &Bytes) -> Result<Pieces, CallError> {
        let IncomingCall { seqid, request } = match decode_call(message) {
            Ok(call) => call,
            Err(error) => {
                tracing::debug!(peer = %client.peer, %error, "call refused");
                return error.answer().map(Pieces::from).ok_or(error);
            }
        };
        let method = request.method();
        tracing::trace!(peer = %client.peer, method, "call");
        let answer = async {
            match request {
                Request::FetchResults(req) => self.fetch(seqid, &req).await,
                other => self.answer(client, seqid, other).await.into(),
            }
        };
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        Ok(answer.unwrap_or_else(|panic| {
            tracing::error!(peer = %client.peer, method, panic = panic_text(&panic), "call panicked");
            let exception = ApplicationException::new(ExceptionKind::INTERNAL_ERROR, "the node failed; its log says more");
            let mut out = Vec::new();
            write_exception(&mut out, method, seqid, &exception);
            out.into()
        }))
    }

    async fn answer(&self, client: &Client, seqid: i32, request: Request) -> Vec<u8> {
        match request {
            Request::OpenSession(req) => {
                reply::<OpenSessionReq>(seqid, &self.open_session(client, &req).await)
            }
            Request::CloseSession(req) => reply::<CloseSessionReq>(
                seqid,
                &status(self.close_session(client, &req.session_handle)),
            ),
            Request::GetInfo(req) => reply::<GetInfoReq>(seqid, &self.get_info(req)),
            Request::ExecuteStatement(req) => {
                reply::<ExecuteStatementReq>(seqid, &handle(self.execute(req).await))
            }
            Request::GetOperationStatus(req) => {
                reply::<GetOperationStatusReq>(seqid, &self.operation_status(&req).await)
            }
            Request::CancelOperation(req) => {
                let canceled = self
                    .sessions
                    .operation(&req.operation_handle)
                    .map(|operation| operation.cancel());
                reply::<CancelOperationReq>(seqid, &status(canceled))
            }
            Request::CloseOperation(req) => reply::<CloseOperationReq>(
                seqid,
                &status(self.sessions.close_operation(&req.operation_handle)),
            ),
            Request::GetResultSetMetadata(req) => {
                let found = self.sessions.operation(&req.operation_handle);
                reply::<GetResultSetMetadataReq>(seqid, &schema(found))
            }
            Request::GetQueryId(req) => {
                let found = self.sessions.operation(&req.operation_handle);
                let query_id =
                    found.map_or_else(|_| String::new(), |operation| operation.query_id.clone());
                reply::<GetQueryIdReq>(seqid, &GetQueryIdResp { query_id })
            }
            Request::SetClientInfo(req) => {
                reply::<SetClientInfoReq>(seqid, &status(self.set_client_info(&req)))
            }
            other => self.answer_metadata(seqid, other).await,
        }
    }

    async fn answer_metadata(&self, seqid: i32, request: Request) -> Vec<u8> {
        use OperationType as T;
        match request {
            Request::GetCatalogs(req) => {
                let rows = self
                    .fixed(req.session_handle, T::GET_CATALOGS, catalog::catalogs)
                    .await;
                reply::<GetCatalogsReq>(seqid, &handle(rows))
            }
            Request::GetTableTypes(req) => {
                let rows = || catalog::table_types(self.config.table_type_mapping);
                let rows = self
                    .fixed(req.session_handle, T::GET_TABLE_TYPES, rows)
                    .await;
                reply::<GetTableTypesReq>(seqid, &handle(rows))
            }
            Request::GetTypeInfo(req) => {
                let rows = self
                    .fixed(req.session_handle, T::GET_TYPE_INFO, catalog::type_info)
                    .await;
                reply::<GetTypeInfoReq>(seqid, &handle(rows))
            }
            Request::GetSchemas(req) => {
                let rows = |databases: &[Database]| catalog::schemas(databases, &req);
                reply::<GetSchemasReq>(
                    seqid,
                    &handle(self.listed(req.session_handle, T::GET_SCHEMAS, rows).await),
                )
            }
            Request::GetTables(req) => {
                let mapping = self.config.table_type_mapping;
                let rows = |databases: &[Database]| catalog::tables(databases, &req, mapping);
                reply::<GetTablesReq>(
                    seqid,
                    &handle(self.listed(req.session_handle, T::GET_TABLES, rows).await),
                )
            }
            Request::GetColumns(req) => {
                let rows = |databases: &[Database]| catalog::columns(databases, &req);
                reply::<GetColumnsReq>(
                    seqid,
                    &handle(self.listed(req.session_handle, T::GET_COLUMNS, rows).await),
                )
            }
            Request::GetFunctions(req) => {
                reply::<GetFunctionsReq>(seqid, &handle(self.functions(&req).await))
            }
            // These two say GET_FUNCTIONS in Hive too.
            Request::GetPrimaryKeys(req) => {
                let rows = self
                    .fixed(req.session_handle, T::GET_FUNCTIONS, catalog::primary_keys)
                    .await;
                reply::<GetPrimaryKeysReq>(seqid, &handle(rows))
            }
            Request::GetCrossReference(req) => {
                let rows = self
                    .fixed(
                        req.session_handle,
                        T::GET_FUNCTIONS,
                        catalog::cross_reference,
                    )
                    .await;
                reply::<GetCrossReferenceReq>(seqid, &handle(rows))
            }
            other => self.refuse(seqid, &other),
        }
    }

    /// Calls for what this node does not have. They have answers with an error status, so that clients show it.
    fn refuse(&self, seqid: i32, request: &Request) -> Vec<u8> {
        let refusal = |session: &SessionHandle, what: &str| match self.sessions.session(session) {
            Ok(_) => Failure::new("0A000", format!("this node has no {what}")).status(),
            Err(failure) => failure.status(),
        };
        let tokens = "delegation tokens: log in with user and password";
        match request {
            Request::GetDelegationToken(req) => {
                let resp = GetDelegationTokenResp {
                    status: refusal(&req.session_handle, tokens),
                    delegation_token: None,
                };
                reply::<GetDelegationTokenReq>(seqid, &resp)
            }
            Request::CancelDelegationToken(req) => {
                let status = refusal(&req.session_handle, tokens);
                reply::<CancelDelegationTokenReq>(seqid, &StatusResp { status })
            }
            Request::RenewDelegationToken(req) => {
                let status = refusal(&req.session_handle, tokens);
                reply::<RenewDelegationTokenReq>(seqid, &StatusResp { status })
            }
            Request::UploadData(req) => {
                let status = refusal(&req.session_handle, "upload of files");
                reply::<UploadDataReq>(seqid, &no_transfer(status))
            }
            Request::DownloadData(req) => {
                let status = refusal(&req.session_handle, "download of files");
                reply::<DownloadDataReq>(seqid, &no_transfer(status))
            }
            other => {
                let exception = ApplicationException::new(
                    ExceptionKind::UNKNOWN_METHOD,
                    format!("Invalid method name: '{}'", other.method()),
                );
                let mut out = Vec::new();
                write_exception(&mut out, other.method(), seqid, &exception);
                out
            }
        }
    }

    async fn open_session(&self, client: &Client, req: &OpenSessionReq) -> OpenSessionResp {
        let version = ProtocolVersion::LATEST.negotiate(req.client_protocol);
        match self.try_open_session(client, req, version).await {
            Ok((session, fetch_size)) => {
                let configuration = StringMap::from_iter([(FETCH_SIZE, fetch_size.to_string())]);
                OpenSessionResp::opened(version, session.handle, configuration)
            }
            Err(failure) => {
                tracing::info!(peer = %client.peer, error = %failure, "session refused");
                OpenSessionResp::failed(version, failure.status())
            }
        }
    }

    async fn try_open_session(
        &self,
        client: &Client,
        req: &OpenSessionReq,
        version: ProtocolVersion,
    ) -> Result<(Arc<Session>, u32), Failure> {
        let place = self.sessions.reserve()?;
        let configuration = req.configuration.iter().flat_map(StringMap::iter);
        let configuration = configuration.map(|(key, value)| key.len() + value.len());
        let user = req.username.as_ref().map_or(0, String::len);
        let bytes = user + configuration.sum::<usize>();
        if bytes > CONFIGURATION_BYTES_MAX {
            let message = format!(
                "the session's user and configuration have {bytes} bytes, {CONFIGURATION_BYTES_MAX} are allowed"
            );
            return Err(Failure::new("22001", message));
        }
        let SessionRequest {
            options,
            fetch_size,
        } = SessionRequest::read(req, client, &self.config)?;
        let ticket = self.quota.take(&options.user, client.peer.ip())?;
        let id = new_handle()
            .map_err(|error| Failure::internal(&format!("no random numbers: {error}")))?;
        let user = options.user.clone();
        let engine = self.engine.open_session(options).await?;
        let session = Session::new(id, version, user, engine, ticket);
        client
            .opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(id.guid);
        place.open(Arc::clone(&session));
        let forwarded = client.forwarded.as_deref();
        tracing::info!(session = %id, user = session.user, peer = %client.peer, forwarded, %version, "session opened");
        Ok((session, fetch_size))
    }

    fn close_session(&self, client: &Client, handle: &SessionHandle) -> Result<(), Failure> {
        let closed = self.sessions.session(handle)?.handle.session_id.guid;
        self.sessions.close(&closed);
        let mut opened = client.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.retain(|guid| *guid != closed);
        Ok(())
    }

    /// Keeps what a client says of itself, such as its `ApplicationName`, for the log.
    fn set_client_info(&self, req: &SetClientInfoReq) -> Result<(), Failure> {
        let session = self.sessions.session(&req.session_handle)?;
        let pairs = req.configuration.iter().flat_map(StringMap::iter);
        let told = session.tell_client_info(pairs, CONFIGURATION_BYTES_MAX)?;
        let client = one_line(&told);
        tracing::info!(session = %session.handle.session_id, user = session.user, client, "client info");
        Ok(())
    }

    fn get_info(&self, req: GetInfoReq) -> GetInfoResp {
        let info_value = info::value(req.info_type, &self.version);
        let status = self
            .sessions
            .session(&req.session_handle)
            .map_or_else(|f| f.status(), |_| Status::SUCCESS);
        GetInfoResp { status, info_value }
    }

    async fn execute(&self, req: ExecuteStatementReq) -> Result<OperationHandle, Failure> {
        let session = self.sessions.session(&req.session_handle)?;
        self.sessions.check_room_for_operation(&session)?;
        let (bytes, limit) = (req.statement.len() as u64, self.config.statement_bytes_max);
        if bytes > limit {
            let message = format!(
                "the statement has {bytes} bytes, {limit} are allowed (hs2.node.statement.size.max): put its values in a table"
            );
            return Err(Failure::new("54000", message));
        }
        let deadline = self.deadline(req.query_timeout);
        let overlay: BTreeMap<String, String> = req
            .conf_overlay
            .map_or_else(BTreeMap::new, |map| map.0.into_iter().collect());
        let (log, query_id) = (self.new_log(), self.new_query_id());
        let statement = one_line(&req.statement);
        log.info(&format!(
            "Compiling command(queryId={query_id}): {statement}"
        ));
        let compiling = Instant::now();
        tracing::debug!(session = %session.handle.session_id, query_id, statement = req.statement, "statement");
        let execution = tokio::select! {
            biased;
            () = session.closed() => return Err(Failure::closed()),
            failure = out_of_time(deadline) => return Err(failure),
            compiled = session.engine.execute(&req.statement, &overlay) => compiled?,
        };
        log.info(&format!(
            "Completed compiling command(queryId={query_id}); Time taken: {:.3} seconds",
            compiling.elapsed().as_secs_f64()
        ));
        let kind = OperationType::EXECUTE_STATEMENT;
        let mut new = self.new_operation(&session, kind, execution, log, query_id);
        (new.statement, new.deadline) = (statement, deadline);
        let operation = Operation::start(new, &self.runner)?;
        self.sessions.add(&operation)?;
        if !req.run_async.unwrap_or(false) {
            self.finished(&operation).await?;
        }
        Ok(operation.handle)
    }

    /// The rows of a metadata call that needs no catalog.
    async fn fixed(
        &self,
        session: SessionHandle,
        kind: OperationType,
        rows: impl FnOnce() -> Batch,
    ) -> Result<OperationHandle, Failure> {
        let session = self.sessions.session(&session)?;
        self.rows(&session, kind, rows()).await
    }

    /// The rows of a metadata call that looks into the catalog.
    async fn listed(
        &self,
        session: SessionHandle,
        kind: OperationType,
        rows: impl FnOnce(&[Database]) -> Batch,
    ) -> Result<OperationHandle, Failure> {
        let session = self.sessions.session(&session)?;
        let databases = tokio::select! {
            biased;
            () = session.closed() => return Err(Failure::closed()),
            databases = session.engine.catalog() => databases?,
        };
        self.rows(&session, kind, rows(&databases)).await
    }

    /// The rows of GetFunctions.
    async fn functions(&self, req: &GetFunctionsReq) -> Result<OperationHandle, Failure> {
        let session = self.sessions.session(&req.session_handle)?;
        let rows = catalog::functions(&session.engine.functions(), req);
        self.rows(&session, OperationType::GET_FUNCTIONS, rows)
            .await
    }

    /// Rows that are known become an operation like any other. Clients expect it to be FINISHED at once.
    async fn rows(
        &self,
        session: &Session,
        kind: OperationType,
        batch: Batch,
    ) -> Result<OperationHandle, Failure> {
        let batch = batch.map_err(|error| {
            Failure::internal(&format!(
                "a metadata result does not fit its columns: {error}"
            ))
        })?;
        self.sessions.check_room_for_operation(session)?;
        // As in Hive, a metadata call has no log.
        let (log, query_id) = (OperationLog::new(LogLevel::None), self.new_query_id());
        let schema = Some(batch.schema());
        let execution = Execution::new(schema, Box::pin(stream::iter([Ok(batch)])));
        let mut new = self.new_operation(session, kind, execution, log, query_id);
        new.known = true;
        let operation = Operation::start(new, &self.runner)?;
        self.sessions.add(&operation)?;
        self.finished(&operation).await?;
        Ok(operation.handle)
    }

    fn new_operation(
        &self,
        session: &Session,
        kind: OperationType,
        execution: Execution,
        log: OperationLog,
        query_id: String,
    ) -> NewOperation {
        let (session, version) = (session.handle.session_id.guid, session.version);
        NewOperation {
            kind,
            session,
            version,
            query_id,
            log,
            execution,
            statement: String::new(),
            known: false,
            deadline: None,
        }
    }

    fn new_log(&self) -> OperationLog {
        OperationLog::new(if self.config.operation_log {
            LogLevel::of(&self.config.operation_log_level)
        } else {
            LogLevel::None
        })
    }

    fn new_query_id(&self) -> String {
        format!("hs2_{:016x}", fastrand::u64(..))
    }

    /// Waits until an operation is FINISHED. One that ends otherwise is closed. One whose caller goes away is closed
    /// too, since nobody knows its handle: at once, or when it has done its work where sessions outlive connections.
    async fn finished(&self, operation: &Arc<Operation>) -> Result<(), Failure> {
        struct CloseIfLeft<'a>(&'a Service, Option<&'a Arc<Operation>>);
        impl Drop for CloseIfLeft<'_> {
            fn drop(&mut self) {
                let Some(operation) = self.1 else { return };
                if self.0.config.close_session_on_disconnect {
                    self.0.sessions.discard(operation);
                } else {
                    let operation = Arc::clone(operation);
                    tokio::spawn(async move {
                        operation.settled(None).await;
                        operation.close();
                    });
                }
            }
        }
        let mut guard = CloseIfLeft(self, Some(operation));
        let status = operation.settled(None).await;
        guard.1 = None;
        if status.state == OperationState::FINISHED {
            return Ok(());
        }
        self.sessions.discard(operation);
        Err(status.failure.unwrap_or_else(Failure::closed))
    }

    /// The shorter of the statement's own timeout and the node's.
    fn deadline(&self, query_timeout: Option<i64>) -> Option<Deadline> {
        let own = query_timeout
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Duration::from_secs);
        let given = [own, Some(self.config.query_timeout)]
            .into_iter()
            .flatten()
            .filter(|time| !time.is_zero())
            .min()?;
        Some(Deadline {
            at: Instant::now().checked_add(given)?,
            given,
        })
    }

    async fn operation_status(&self, req: &GetOperationStatusReq) -> GetOperationStatusResp {
        let operation = match self.sessions.operation(&req.operation_handle) {
            Ok(operation) => operation,
            Err(failure) => return GetOperationStatusResp::failed(failure.status()),
        };
        let status = operation
            .settled(Some(self.config.long_polling_timeout))
            .await;
        operation.answer(status, req.get_progress_update == Some(true))
    }

    async fn fetch(&self, seqid: i32, req: &FetchResultsReq) -> Pieces {
        let mut out = Pieces::default();
        let written = match self.try_fetch(&mut out, seqid, req).await {
            Ok(written) => written.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = written {
            tracing::debug!(operation = %req.operation_handle.operation_id, error = %failure, "fetch refused");
            let none = None::<fn(&mut Pieces) -> Result<(), RowSetError>>;
            // Without a row set there is nothing that could fail.
            let _ = write_fetch_reply(&mut out, seqid, &failure.status(), false, none);
        }
        out
    }

    async fn try_fetch(
        &self,
        out: &mut Pieces,
        seqid: i32,
        req: &FetchResultsReq,
    ) -> Result<Result<(), RowSetError>, Failure> {
        let operation = self.sessions.operation(&req.operation_handle)?;
        let limit = usize::try_from(self.config.fetch_size_max).unwrap_or(usize::MAX);
        let rows_max = usize::try_from(req.max_rows.max(0))
            .unwrap_or(usize::MAX)
            .min(limit);
        let layout = operation.layout;
        if req.fetch_type == Some(FetchResultsReq::LOG) {
            let rewind = req.orientation == FetchOrientation::FIRST;
            let (first, lines) = operation.log.read(rewind, rows_max);
            let batch = one_text_column(&lines);
            return Ok(write_fetch_reply(
                out,
                seqid,
                &Status::SUCCESS,
                false,
                Some(|out: &mut Pieces| {
                    write_row_set(
                        out,
                        row_offset(first as u64),
                        batch.rows,
                        &batch.slice(0..batch.rows)?,
                        layout,
                    )
                }),
            ));
        }
        let fetched = operation.fetch(req.orientation, rows_max).await?;
        Ok(write_fetch_reply(
            out,
            seqid,
            &Status::SUCCESS,
            fetched.more,
            Some(|out: &mut Pieces| match &fetched.rows {
                Some(rows) => {
                    out.share_from(rows.memory());
                    write_row_set(
                        out,
                        row_offset(rows.first_row()),
                        rows.len(),
                        &rows.columns()?,
                        layout,
                    )
                }
                None => {
                    let none = |kind: &ColumnKind| ColumnSlice::new(*kind, &[], 0, &[], 0);
                    let columns = operation
                        .kinds
                        .iter()
                        .map(none)
                        .collect::<Result<Vec<_>, _>>()?;
                    write_row_set(out, row_offset(fetched.position), 0, &columns, layout)
                }
            }),
        ))
    }
}

fn reply<C: Call<Reply: Encode>>(seqid: i32, reply: &C::Reply) -> Vec<u8> {
    let mut out = Vec::new();
    write_reply::<C>(&mut out, seqid, reply);
    out
}

fn status(done: Result<(), Failure>) -> StatusResp {
    StatusResp {
        status: done.map_or_else(|failure| failure.status(), |()| Status::SUCCESS),
    }
}

fn handle(started: Result<OperationHandle, Failure>) -> HandleResp {
    started.map_or_else(
        |failure| HandleResp::failed(failure.status()),
        HandleResp::started,
    )
}

fn schema(operation: Result<Arc<Operation>, Failure>) -> GetResultSetMetadataResp {
    match operation {
        Ok(operation) => GetResultSetMetadataResp {
            status: Status::SUCCESS,
            schema: Some(operation.schema.clone()),
        },
        Err(failure) => GetResultSetMetadataResp {
            status: failure.status(),
            schema: None,
        },
    }
}

/// The answer to a transfer must have a handle even when there is none.
fn no_transfer(status: Status) -> TransferResp {
    let operation_handle = OperationHandle {
        operation_id: HandleId {
            guid: [0; 16],
            secret: [0; 16],
        },
        operation_type: OperationType::UNKNOWN,
        has_result_set: false,
        modified_row_count: None,
    };
    TransferResp {
        status,
        operation_handle,
    }
}

fn row_offset(row: u64) -> i64 {
    i64::try_from(row).unwrap_or(i64::MAX)
}

fn one_text_column(lines: &[String]) -> WireBatch {
    let mut column = WireColumn {
        kind: ColumnKind::String,
        values: Vec::new(),
        offsets: vec![0],
        nulls: Vec::new(),
    };
    for line in lines {
        // The log bounds its lines, and the number of them.
        column
            .values
            .extend(u32::try_from(line.len()).unwrap_or_default().to_be_bytes());
        column.values.extend_from_slice(line.as_bytes());
        column
            .offsets
            .push(u32::try_from(column.values.len()).unwrap_or(u32::MAX));
    }
    WireBatch {
        rows: lines.len(),
        columns: vec![column],
    }
}

async fn out_of_time(deadline: Option<Deadline>) -> Failure {
    match deadline {
        Some(Deadline { at, given }) => {
            sleep_until(at.into()).await;
            Failure::timed_out(given.as_secs())
        }
        None => std::future::pending().await,
    }
}
