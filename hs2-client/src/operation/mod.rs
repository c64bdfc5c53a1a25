//! Operations: statements and metadata calls, from their start to their end.

mod watch;

use crate::connection::{Connection, Urgency};
use crate::error::{Error, ServerError};
use crate::results::ResultStream;
use crate::session::{Inner, check, unless_unknown};
use hs2_proto::rowset::Cell;
use hs2_proto::tcli::{
    CancelOperationReq, CloseOperationReq, FetchOrientation, FetchResultsReq,
    GetOperationStatusReq, GetOperationStatusResp, GetQueryIdReq, OperationHandle, OperationState,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
pub use watch::Event;

/// What holds for one statement only.
#[derive(Debug, Clone, Default)]
pub struct ExecuteOptions {
    /// Settings.
    pub confs: Vec<(String, String)>,
    /// How long it may run, in whole seconds, rounded up; `None` is the server's choice.
    pub time_limit: Option<Duration>,
}

/// Something that a server does: a statement, or a question about its catalog.
///
/// Dropping it closes it on the server, which stops it if it still runs.
#[derive(Debug)]
pub struct Operation {
    session: Arc<Inner>,
    handle: OperationHandle,
    closed: bool,
}

impl Drop for Operation {
    fn drop(&mut self) {
        if !self.closed {
            self.session.connection.forget(CloseOperationReq {
                operation_handle: self.handle,
            });
        }
    }
}

/// An answer that came sooner was not kept back by the server: the next question waits.
const LONG_POLL_MIN: Duration = Duration::from_millis(100);
/// The first such wait, doubled each time up to the last.
const POLL_SLEEP_MIN: Duration = Duration::from_millis(5);
const POLL_SLEEP_MAX: Duration = Duration::from_millis(500);

/// Lines of a log asked for at a time.
const LOG_LINES: i64 = 1_000;

impl Operation {
    pub(crate) const fn new(session: Arc<Inner>, handle: OperationHandle) -> Self {
        Self {
            session,
            handle,
            closed: false,
        }
    }

    /// The operation's name on the wire.
    #[must_use]
    pub const fn handle(&self) -> OperationHandle {
        self.handle
    }

    pub(crate) fn session(&self) -> &Arc<Inner> {
        &self.session
    }

    /// How far it is, with the progress where the server has one. A server may keep the answer back for some
    /// seconds while the operation runs.
    ///
    /// # Errors
    /// [`Error::Server`] when the operation is not known, or what ended the connection. The failure of the operation
    /// itself is in the answer.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn status(&self) -> Result<GetOperationStatusResp, Error> {
        let call = GetOperationStatusReq {
            operation_handle: self.handle,
            get_progress_update: Some(true),
        };
        let answer = self.session.connection.call(call).await?;
        check(answer.status.clone())?;
        Ok(answer)
    }

    /// Waits until it has ended or its rows can be fetched, and returns the last answer of the server.
    ///
    /// # Errors
    /// [`Error::Server`] when it failed, [`Error::Cancelled`], [`Error::QueryTimeout`], or what ended the
    /// connection.
    ///
    /// # Cancel safety
    /// Safe: the operation goes on.
    pub async fn wait(&self) -> Result<GetOperationStatusResp, Error> {
        let mut poll = Poll::new();
        loop {
            if let Some(answer) = self.ended(poll.status(self).await?)? {
                return Ok(answer);
            }
            poll.pause().await;
        }
    }

    /// What an answer means: `None` while it runs, the answer when it has finished, an error for every other end.
    fn ended(
        &self,
        answer: GetOperationStatusResp,
    ) -> Result<Option<GetOperationStatusResp>, Error> {
        match answer.operation_state {
            Some(OperationState::FINISHED) => Ok(Some(answer)),
            Some(OperationState::ERROR) => Err(ServerError::of_operation(answer).into()),
            Some(OperationState::CANCELED) => Err(Error::Cancelled {
                reason: answer.error_message,
            }),
            Some(OperationState::TIMEDOUT) => Err(Error::QueryTimeout),
            Some(OperationState::CLOSED) => Err(Error::Cancelled {
                reason: Some("it was closed".to_owned()),
            }),
            Some(state) if state.is_terminal() => Err(Error::Protocol {
                server: self.session.connection.server().to_owned(),
                reason: format!("an operation is in the state {state}"),
            }),
            // A server that does not say has not ended it.
            Some(_) | None => Ok(None),
        }
    }

    /// Waits as [`Operation::wait`] does and reads the rows.
    ///
    /// # Errors
    /// As [`Operation::wait`]; [`Error::NoResultSet`] when the statement gives no rows.
    ///
    /// # Cancel safety
    /// The operation is closed.
    pub async fn into_results(self) -> Result<ResultStream, Error> {
        let answer = self.wait().await?;
        self.finished_results(&answer).await
    }

    /// Reads the rows of an operation that has finished, as `answer`, the last one of [`Operation::wait`] or
    /// [`Operation::watch`], says.
    ///
    /// # Errors
    /// As [`Operation::into_results`].
    ///
    /// # Cancel safety
    /// The operation is closed.
    pub async fn finished_results(
        self,
        answer: &GetOperationStatusResp,
    ) -> Result<ResultStream, Error> {
        if !answer.has_result_set.unwrap_or(self.handle.has_result_set) {
            return Err(Error::NoResultSet);
        }
        ResultStream::open(self).await
    }

    /// Stops it. It stays in the server, in the state CANCELED, until it is closed. Nothing happens to one that has
    /// ended. Calls of the connection that wait for their answers do not hold it back: it goes over a second
    /// connection then, where the server takes one.
    ///
    /// # Errors
    /// [`Error::Server`] when it is not known, or what ended the connection.
    ///
    /// # Cancel safety
    /// Safe: it is stopped unless the call had not been sent yet.
    pub async fn cancel(&self) -> Result<(), Error> {
        self.canceller().cancel().await
    }

    /// What stops the operation from elsewhere: from another task, while this one waits for rows.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller {
            connection: self.session.connection.clone(),
            handle: self.handle,
        }
    }

    /// The engine's own name of the query, where the server has one (Hive 3 and later).
    ///
    /// # Errors
    /// What ended the connection. Hive closes the connection when the operation is not known.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn query_id(&self) -> Result<Option<String>, Error> {
        let call = GetQueryIdReq {
            operation_handle: self.handle,
        };
        let answer = unless_unknown(self.session.connection.call(call).await)?;
        Ok(answer
            .map(|answer| answer.query_id)
            .filter(|id| !id.is_empty()))
    }

    /// The lines of its log that were not read yet; none when there are no more now.
    ///
    /// # Errors
    /// [`Error::Server`] when the server keeps no log, or what ended the connection.
    ///
    /// # Cancel safety
    /// Lines that the server has sent already are lost.
    pub async fn logs(&self) -> Result<Vec<String>, Error> {
        let call = FetchResultsReq {
            operation_handle: self.handle,
            orientation: FetchOrientation::NEXT,
            max_rows: LOG_LINES,
            fetch_type: Some(FetchResultsReq::LOG),
        };
        let answer = self.session.connection.call(call).await?;
        check(answer.status)?;
        let columns = answer.results.map(|rows| rows.columns).unwrap_or_default();
        let lines = columns
            .first()
            .into_iter()
            .flat_map(|column| column.cells());
        let text = |cell: Cell<'_>| match cell {
            Cell::String(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        };
        Ok(lines.filter_map(text).collect())
    }

    /// Stops it if it runs, frees its result, and waits for the server's word. Dropping it does the same without
    /// waiting.
    ///
    /// # Errors
    /// [`Error::Server`] when it was closed already, or what ended the connection.
    ///
    /// # Cancel safety
    /// Safe: it is closed.
    pub async fn close(mut self) -> Result<(), Error> {
        let pending = self
            .session
            .connection
            .start(
                CloseOperationReq {
                    operation_handle: self.handle,
                },
                Urgency::Urgent,
            )
            .await;
        self.closed = true;
        check(pending?.reply().await?.status)
    }
}

/// Stops an operation; see [`Operation::canceller`]. It keeps the connection open, not the operation.
#[derive(Debug, Clone)]
pub struct Canceller {
    connection: Connection,
    handle: OperationHandle,
}

impl Canceller {
    /// As [`Operation::cancel`].
    ///
    /// # Errors
    /// As [`Operation::cancel`].
    ///
    /// # Cancel safety
    /// As [`Operation::cancel`].
    pub async fn cancel(&self) -> Result<(), Error> {
        let call = CancelOperationReq {
            operation_handle: self.handle,
        };
        check(self.connection.call_urgently(call).await?.status)
    }
}

/// Asks for the status again and again, at a pace that suits the server.
struct Poll {
    asked: Instant,
    pause: Duration,
}

impl Poll {
    fn new() -> Self {
        Self {
            asked: Instant::now(),
            pause: POLL_SLEEP_MIN,
        }
    }

    async fn status(&mut self, operation: &Operation) -> Result<GetOperationStatusResp, Error> {
        self.asked = Instant::now();
        operation.status().await
    }

    /// Waits where the server has not.
    async fn pause(&mut self) {
        if self.asked.elapsed() < LONG_POLL_MIN {
            sleep(self.pause).await;
            self.pause = (self.pause * 2).min(POLL_SLEEP_MAX);
        }
    }
}
