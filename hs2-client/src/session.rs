//! Sessions: a database, settings and variables on a server.

use crate::connection::{Connection, Urgency};
use crate::error::{Error, ServerError};
use crate::operation::{ExecuteOptions, Operation};
use crate::options::{ANONYMOUS, Auth, SessionOptions};
use crate::results::ResultStream;
use arrow_schema::TimeUnit;
use hs2_proto::tcli::{
    Call, CloseOperationReq, CloseSessionReq, ExecuteStatementReq, GetInfoReq, GetInfoType,
    GetInfoValue, HandleResp, OpenSessionReq, OpenSessionResp, OperationHandle, ProtocolVersion,
    SessionHandle, SetClientInfoReq, Status,
};
use hs2_proto::thrift::{ExceptionKind, StringMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An open session. Clones are the same session; when the last one and all its operations are dropped it is closed.
#[derive(Debug, Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) connection: Connection,
    handle: SessionHandle,
    version: ProtocolVersion,
    configuration: StringMap,
    pub(crate) fetch_rows: i64,
    pub(crate) fetch_bytes: usize,
    pub(crate) timestamp_unit: TimeUnit,
    closed: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::Relaxed) {
            self.connection.forget(CloseSessionReq {
                session_handle: self.handle,
            });
        }
    }
}

impl Session {
    /// Opens a session on a connection. `auth` is what the connection was made with: without SASL the user is named
    /// here.
    ///
    /// # Errors
    /// [`Error::Server`] when the server opens none (a database that does not exist, a limit), or what ended the
    /// connection.
    ///
    /// # Cancel safety
    /// A session that opens nevertheless is closed.
    pub async fn open(
        connection: &Connection,
        auth: &Auth,
        options: &SessionOptions,
    ) -> Result<Self, Error> {
        let answer = match Self::ask(connection, auth, options, options.protocol_version).await {
            // A server that does not know the newest number reads it as "unset".
            Err(Error::Exception(exception))
                if exception.kind == Some(ExceptionKind::PROTOCOL_ERROR)
                    && options.protocol_version > ProtocolVersion::V10 =>
            {
                Self::ask(connection, auth, options, ProtocolVersion::V10).await?
            }
            answer => answer?,
        };
        check(answer.status)?;
        let Some(handle) = answer.session_handle else {
            let server = connection.server().to_owned();
            return Err(Error::Protocol {
                server,
                reason: "it opened a session without a handle".to_owned(),
            });
        };
        let inner = Inner {
            connection: connection.clone(),
            handle,
            version: options
                .protocol_version
                .negotiate(answer.server_protocol_version),
            configuration: answer.configuration.unwrap_or_default(),
            fetch_rows: options.fetch_rows.max(1),
            fetch_bytes: options.fetch_bytes,
            timestamp_unit: options.timestamp_unit,
            closed: AtomicBool::new(false),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    async fn ask(
        connection: &Connection,
        auth: &Auth,
        options: &SessionOptions,
        client_protocol: ProtocolVersion,
    ) -> Result<OpenSessionResp, Error> {
        let (username, password) = match auth {
            Auth::NoSasl { user } if user.is_empty() => {
                (Some(ANONYMOUS.to_owned()), Some(ANONYMOUS.to_owned()))
            }
            Auth::NoSasl { user } => (Some(user.clone()), Some(ANONYMOUS.to_owned())),
            Auth::Plain { .. } => (None, None),
            #[cfg(feature = "gssapi")]
            Auth::Kerberos { .. } => (None, None),
        };
        let configuration = Some(StringMap(options.configuration()));
        let call = OpenSessionReq {
            client_protocol,
            username,
            password,
            configuration,
        };
        let close = |answer: OpenSessionResp| {
            answer
                .session_handle
                .map(|session_handle| CloseSessionReq { session_handle })
        };
        connection.call_or_undo(call, close).await
    }

    /// The protocol version that both sides speak.
    #[must_use]
    pub fn protocol_version(&self) -> ProtocolVersion {
        self.inner.version
    }

    /// What the server told about the session when it opened, by name.
    #[must_use]
    pub fn configuration(&self) -> &StringMap {
        &self.inner.configuration
    }

    /// The connection the session was opened on.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.inner.connection
    }

    /// The session's name on the wire, usable on any connection to its server.
    #[must_use]
    pub fn handle(&self) -> SessionHandle {
        self.inner.handle
    }

    /// Starts a statement. It runs beside the calls; see [`Operation::wait`].
    ///
    /// # Errors
    /// [`Error::Server`] when the server refuses the statement at once, or what ended the connection.
    ///
    /// # Cancel safety
    /// A statement that begins nevertheless is stopped and closed. It may have done something by then.
    pub async fn execute(&self, statement: impl Into<String>) -> Result<Operation, Error> {
        self.execute_with(statement, &ExecuteOptions::default())
            .await
    }

    /// Starts a statement with settings or a time limit of its own.
    ///
    /// # Errors
    /// As [`Session::execute`].
    ///
    /// # Cancel safety
    /// As [`Session::execute`].
    pub async fn execute_with(
        &self,
        statement: impl Into<String>,
        options: &ExecuteOptions,
    ) -> Result<Operation, Error> {
        // Rounded up: a limit of less than a second must not become none.
        let seconds = options
            .time_limit
            .map_or(0, |limit| limit.as_millis().div_ceil(1000));
        self.operation(ExecuteStatementReq {
            session_handle: self.inner.handle,
            statement: statement.into(),
            conf_overlay: Some(StringMap(options.confs.clone())),
            run_async: Some(true),
            query_timeout: Some(i64::try_from(seconds).unwrap_or(i64::MAX)),
        })
        .await
    }

    /// Runs a statement and reads its rows.
    ///
    /// # Errors
    /// As [`Session::execute`] and [`Operation::into_results`].
    ///
    /// # Cancel safety
    /// As [`Session::execute`].
    pub async fn query(&self, statement: impl Into<String>) -> Result<ResultStream, Error> {
        self.execute(statement).await?.into_results().await
    }

    /// Runs a statement that gives no rows and waits for its end. Says how many rows it has inserted, changed or
    /// deleted, where the server tells (Hive 3 and later). Rows that there are nevertheless are not read.
    ///
    /// # Errors
    /// As [`Session::execute`] and [`Operation::wait`].
    ///
    /// # Cancel safety
    /// As [`Session::execute`].
    pub async fn run(&self, statement: impl Into<String>) -> Result<Option<u64>, Error> {
        let operation = self.execute(statement).await?;
        let answer = operation.wait().await?;
        operation.close().await?;
        // Servers that do not count say -1.
        Ok(answer
            .num_modified_rows
            .and_then(|rows| u64::try_from(rows).ok()))
    }

    /// Makes any call that begins an operation, with [`Session::handle`] in it; the metadata calls have methods of
    /// their own.
    ///
    /// # Errors
    /// As [`Session::execute`].
    ///
    /// # Cancel safety
    /// As [`Session::execute`].
    pub async fn operation<C>(&self, call: C) -> Result<Operation, Error>
    where
        C: Call<Reply = HandleResp> + Send + Sync + 'static,
    {
        let close = |answer: HandleResp| {
            answer
                .operation_handle
                .map(|operation_handle| CloseOperationReq { operation_handle })
        };
        let answer = self.inner.connection.call_or_undo(call, close).await?;
        check(answer.status)?;
        match answer.operation_handle {
            Some(handle) => Ok(self.attach(handle)),
            None => Err(Error::Protocol {
                server: self.inner.connection.server().to_owned(),
                reason: "it began an operation without a handle".to_owned(),
            }),
        }
    }

    /// An operation by its name on the wire, which may have come from another connection.
    #[must_use]
    pub fn attach(&self, handle: OperationHandle) -> Operation {
        Operation::new(Arc::clone(&self.inner), handle)
    }

    /// Asks for one fact about the server.
    ///
    /// # Errors
    /// [`Error::Server`] when the server does not know it, or what ended the connection. Hive and Spark close the
    /// connection over facts they do not know.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn info(&self, info_type: GetInfoType) -> Result<GetInfoValue, Error> {
        let answer = self
            .inner
            .connection
            .call(GetInfoReq {
                session_handle: self.inner.handle,
                info_type,
            })
            .await?;
        check(answer.status)?;
        Ok(answer.info_value)
    }

    /// Tells the server about this program, for its logs and web pages: Hive knows `ApplicationName`. Says whether the
    /// server took it: servers before Hive 3 do not have the call.
    ///
    /// # Errors
    /// [`Error::Server`] when the server refuses, or what ended the connection.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn set_client_info(
        &self,
        entries: impl IntoIterator<Item = (String, String)>,
    ) -> Result<bool, Error> {
        let call = SetClientInfoReq {
            session_handle: self.inner.handle,
            configuration: Some(entries.into_iter().collect()),
        };
        match unless_unknown(self.inner.connection.call(call).await)? {
            Some(answer) => check(answer.status).map(|()| true),
            None => Ok(false),
        }
    }

    /// Closes the session and waits for the server's word. Operations of it that still live cannot be used any
    /// more. Dropping a session closes it too, without waiting.
    ///
    /// # Errors
    /// [`Error::Server`] when it was closed already, or what ended the connection.
    ///
    /// # Cancel safety
    /// Safe: the session closes.
    pub async fn close(self) -> Result<(), Error> {
        let call = CloseSessionReq {
            session_handle: self.inner.handle,
        };
        let connection = &self.inner.connection;
        let pending = connection.start(call, Urgency::Urgent).await;
        self.inner.closed.store(true, Ordering::Relaxed);
        check(pending?.reply().await?.status)
    }
}

/// An unsuccessful status as an error.
pub(crate) fn check(status: Status) -> Result<(), Error> {
    if status.is_success() {
        Ok(())
    } else {
        Err(ServerError::of_status(status).into())
    }
}

/// `None` where the server does not have the method: an older one, or another product.
pub(crate) fn unless_unknown<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(Error::Exception(exception))
            if exception.kind == Some(ExceptionKind::UNKNOWN_METHOD) =>
        {
            Ok(None)
        }
        answer => answer.map(Some),
    }
}
