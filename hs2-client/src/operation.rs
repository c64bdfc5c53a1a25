//! Operations: statements and metadata calls, from their start to their end.

use crate::error::{Error, ServerError};
use crate::results::ResultStream;
use crate::session::{Inner, check};
use hs2_proto::rowset::Cell;
use hs2_proto::tcli::{
    CancelOperationReq, CloseOperationReq, FetchOrientation, FetchResultsReq,
    GetOperationStatusReq, GetOperationStatusResp, OperationHandle, OperationState,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

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
        let mut pause = POLL_SLEEP_MIN;
        loop {
            let asked = Instant::now();
            let answer = self.status().await?;
            match answer.operation_state {
                Some(OperationState::FINISHED) => return Ok(answer),
                Some(OperationState::ERROR) => return Err(ServerError::of_operation(answer).into()),
                Some(OperationState::CANCELED) => {
                    return Err(Error::Cancelled {
                        reason: answer.error_message,
                    });
                }
                Some(OperationState::TIMEDOUT) => return Err(Error::QueryTimeout),
                Some(OperationState::CLOSED) => {
                    return Err(Error::Cancelled {
                        reason: Some("it was closed".to_owned()),
                    });
                }
                Some(state) if state.is_terminal() => {
                    let server = self.session.connection.server().to_owned();
                    return Err(Error::Protocol {
                        server,
                        reason: format!("an operation is in the state {state}"),
                    });
                }
                // A server that does not say has not ended it.
                Some(_) | None => {}
            }
            if asked.elapsed() < LONG_POLL_MIN {
                sleep(pause).await;
                pause = (pause * 2).min(POLL_SLEEP_MAX);
            }
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
        if !answer.has_result_set.unwrap_or(self.handle.has_result_set) {
            return Err(Error::NoResultSet);
        }
        ResultStream::open(self).await
    }

    /// Stops it. It stays in the server, in the state CANCELED, until it is closed. Nothing happens to one that has
    /// ended. While another call waits for its answer on the same connection, this one waits behind it.
    ///
    /// # Errors
    /// [`Error::Server`] when it is not known, or what ended the connection.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn cancel(&self) -> Result<(), Error> {
        let answer = self
            .session
            .connection
            .call(CancelOperationReq {
                operation_handle: self.handle,
            })
            .await?;
        check(answer.status)
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
            .start(CloseOperationReq {
                operation_handle: self.handle,
            })
            .await;
        self.closed = true;
        check(pending?.reply().await?.status)
    }
}
