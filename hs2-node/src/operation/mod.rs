//! Operations: a statement or a metadata call from its start to its close.
//!
//! A task of its own ([`run`]) pulls the engine's batches into the operation's result file; clients fetch from the
//! file. The two sides share nothing else, so that a client may be as slow as it likes. The states are drawn at
//! [`Status`].

mod log;
mod progress;
mod run;
mod state;

use hs2_proto::rowset::arrow::{column_kinds, table_schema};
use hs2_proto::rowset::{ColumnKind, RowSetLayout};
use hs2_proto::tcli::{
    FetchOrientation, GetOperationStatusResp, HandleId, OperationHandle, OperationState,
    OperationType, ProtocolVersion, TableSchema,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::engine::{Execution, Progress};
use crate::error::Failure;
use crate::handle::new_handle;
use crate::spool::{Rows, Spool, SpoolError, SpoolReader};

pub(crate) use log::{LogLevel, OperationLog, one_line};
pub(crate) use run::{Runner, panic_text};
pub(crate) use state::Status;

/// A statement or metadata call of a session.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) handle: OperationHandle,
    /// The guid of the session it belongs to.
    pub(crate) session: [u8; 16],
    pub(crate) query_id: String,
    pub(crate) log: OperationLog,
    /// What the client sent, or a part of it, as one line.
    statement: String,
    /// The columns; none when the statement has no result set.
    pub(crate) schema: TableSchema,
    pub(crate) kinds: Vec<ColumnKind>,
    pub(crate) layout: RowSetLayout,
    status: watch::Sender<Status>,
    progress: Option<Arc<dyn Progress>>,
    result: Option<ResultFile>,
    used: Mutex<Instant>,
}

#[derive(Debug)]
struct ResultFile {
    spool: Spool,
    /// Whoever fetches holds it until there are rows; others that fetch the same result wait their turn.
    reader: tokio::sync::Mutex<SpoolReader>,
}

/// What an operation is made of.
#[derive(Debug)]
pub(crate) struct NewOperation {
    pub(crate) kind: OperationType,
    pub(crate) session: [u8; 16],
    pub(crate) version: ProtocolVersion,
    pub(crate) query_id: String,
    pub(crate) log: OperationLog,
    pub(crate) statement: String,
    pub(crate) execution: Execution,
    /// Whether its rows are known already, so that it need not wait for others.
    pub(crate) known: bool,
    /// How much longer it may run.
    pub(crate) deadline: Option<Deadline>,
}

/// When an operation is stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// The time that was given in all.
    pub(crate) given: Duration,
}

/// Some rows, or the lack of them.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) rows: Option<Rows>,
    /// The row after those fetched before.
    pub(crate) position: u64,
    /// False when nothing follows.
    pub(crate) more: bool,
}

impl Operation {
    /// Starts an operation: its task is spawned, it waits for nothing.
    ///
    /// # Errors
    /// A column has no form on the wire, the result file cannot be made, or too many operations wait already.
    pub(crate) fn start(new: NewOperation, runner: &Runner) -> Result<Arc<Self>, Failure> {
        let id = new_handle()
            .map_err(|error| Failure::internal(&format!("no random numbers: {error}")))?;
        let (schema, kinds) = match &new.execution.schema {
            Some(schema) => (table_schema(schema, new.version)?, column_kinds(schema)?),
            None => (
                TableSchema {
                    columns: Vec::new(),
                },
                Vec::new(),
            ),
        };
        let turn = if new.known {
            None
        } else {
            Some(runner.queue()?)
        };
        let (writer, result) = if new.execution.schema.is_some() {
            let (writer, spool) = runner.spool.create(&id.to_string(), kinds.clone())?;
            let reader = tokio::sync::Mutex::new(spool.reader()?);
            (Some(writer), Some(ResultFile { spool, reader }))
        } else {
            (None, None)
        };
        let operation = Arc::new(Self {
            handle: OperationHandle {
                operation_id: id,
                operation_type: new.kind,
                has_result_set: result.is_some(),
                modified_row_count: None,
            },
            session: new.session,
            query_id: new.query_id,
            log: new.log,
            statement: new.statement,
            schema,
            kinds,
            layout: new.version.row_set_layout(),
            status: watch::Sender::new(Status::new()),
            progress: new.execution.progress,
            result,
            used: Mutex::new(Instant::now()),
        });
        let task = run::run(
            Arc::clone(&operation),
            turn,
            new.execution.batches,
            writer,
            new.deadline,
        );
        tokio::spawn(task);
        Ok(operation)
    }

    pub(crate) const fn id(&self) -> HandleId {
        self.handle.operation_id
    }

    /// How far it is now.
    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// How far it is as soon as that is no longer INITIALIZED, PENDING or RUNNING, or after `at_most`.
    pub(crate) async fn settled(&self, at_most: Option<Duration>) -> Status {
        let mut status = self.status.subscribe();
        let settled = async {
            // The sender is `self`, so that there is no error.
            let _ = status.wait_for(|status| status.state.is_terminal()).await;
        };
        match at_most {
            Some(at_most) => drop(timeout(at_most, settled).await),
            None => settled.await,
        }
        self.status()
    }

    /// What GetOperationStatus answers, with its progress if that is `wanted`.
    pub(crate) fn answer(&self, status: Status, wanted: bool) -> GetOperationStatusResp {
        let progress = self.progress.as_ref();
        let stages = progress
            .filter(|_| wanted)
            .map(|progress| progress.stages());
        let stages = stages.filter(|stages| !stages.is_empty());
        let table = stages
            .as_ref()
            .map(|stages| progress::table(&status, stages));
        let tasks = stages.map(|stages| progress::task_status(&status, &stages));
        let modified = progress.and_then(|progress| progress.rows_modified());
        let failure = status
            .failure
            .filter(|_| status.state == OperationState::ERROR);
        GetOperationStatusResp {
            sql_state: failure.as_ref().map(|failure| failure.sqlstate.to_owned()),
            error_code: failure.as_ref().map(|failure| failure.code),
            error_message: failure.map(|failure| failure.message),
            task_status: tasks,
            operation_started: status.started_ms,
            operation_completed: status.completed_ms,
            has_result_set: Some(self.handle.has_result_set),
            progress_update_response: table,
            num_modified_rows: modified.map(|rows| i64::try_from(rows).unwrap_or(i64::MAX)),
            ..GetOperationStatusResp::new(status.state)
        }
    }

    /// Stops the engine. Nothing happens when it is done already.
    pub(crate) fn cancel(&self) {
        if self.fail(OperationState::CANCELED, Failure::canceled()) {
            self.log.info("Canceled");
        }
    }

    /// Stops the engine and removes the result. Says whether it was still open.
    pub(crate) fn close(&self) -> bool {
        let closed = self.advance(OperationState::CLOSED, Some(Failure::closed()));
        if let Some(result) = &self.result {
            result.spool.discard();
        }
        closed
    }

    /// Ends without its rows: nobody can fetch them any more, so that their file goes at once.
    fn fail(&self, to: OperationState, failure: Failure) -> bool {
        let failed = self.advance(to, Some(failure));
        if let Some(result) = self.result.as_ref().filter(|_| failed) {
            result.spool.discard();
        }
        failed
    }

    /// The next rows, at most `rows_max`, waiting while there are none yet.
    ///
    /// # Errors
    /// The operation is not FINISHED or ceases to be, the orientation is not supported, or the result file cannot
    /// be read.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, no row is lost.
    pub(crate) async fn fetch(
        &self,
        orientation: FetchOrientation,
        rows_max: usize,
    ) -> Result<Fetched, Failure> {
        let rewind = match orientation {
            FetchOrientation::NEXT => false,
            FetchOrientation::FIRST => true,
            other => {
                let message = format!("The fetch type {other} is not supported for this resultset");
                return Err(Failure::new("0A000", message));
            }
        };
        let mut status = self.status.subscribe();
        let left = async {
            let state = status
                .wait_for(|status| status.state != OperationState::FINISHED)
                .await;
            state.map_or_else(|_| Failure::closed(), |status| why_no_rows(&status))
        };
        let fetched = tokio::select! {
            biased;
            failure = left => Err(failure),
            fetched = self.read(rewind, rows_max) => fetched.map_err(Failure::from),
        };
        match fetched {
            // The writer is gone before the state says why.
            Err(failure) if self.abandoned(&failure) => {
                let mut status = self.status.subscribe();
                let left = status.wait_for(|status| status.state != OperationState::FINISHED);
                let why = timeout(Duration::from_secs(5), left).await;
                Err(why
                    .ok()
                    .and_then(Result::ok)
                    .map_or(failure, |status| why_no_rows(&status)))
            }
            other => other,
        }
    }

    fn abandoned(&self, failure: &Failure) -> bool {
        *failure == Failure::from(SpoolError::Abandoned)
    }

    async fn read(&self, rewind: bool, rows_max: usize) -> Result<Fetched, SpoolError> {
        let Some(result) = &self.result else {
            return Ok(Fetched {
                rows: None,
                position: 0,
                more: false,
            });
        };
        let mut reader = result.reader.lock().await;
        if rewind {
            reader.rewind();
        }
        let position = reader.position();
        if rows_max == 0 {
            return Ok(Fetched {
                rows: None,
                position,
                more: true,
            });
        }
        let rows = reader.next(rows_max).await?;
        let more = rows.as_ref().is_some_and(Rows::more);
        Ok(Fetched {
            rows,
            position,
            more,
        })
    }

    /// Lets go of the page that its client has begun, unless somebody is fetching.
    pub(crate) fn release_page(&self) {
        if let Some(mut reader) = self
            .result
            .as_ref()
            .and_then(|result| result.reader.try_lock().ok())
        {
            reader.release();
        }
    }

    /// Writes to the log what the statement has done: rows of the result or of the table, and what each stage read.
    fn log_done(&self, seconds: f64) {
        let modified = self.progress.as_ref().and_then(|it| it.rows_modified());
        let written = || self.result.as_ref().map(|it| it.spool.written().0);
        for stage in self.progress.iter().flat_map(|it| it.stages()) {
            self.log.performance(&format!(
                "{}: {} of {} tasks, {} rows and {} bytes read",
                stage.name, stage.tasks_done, stage.tasks, stage.rows.done, stage.bytes.done
            ));
        }
        self.log.info(&format!(
            "Completed executing command(queryId={}); Time taken: {seconds:.3} seconds; Rows: {}",
            self.query_id,
            modified.or_else(written).unwrap_or_default()
        ));
        self.log.info("OK");
    }

    /// Notes that a client has asked about it.
    pub(crate) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// For how long no client has asked about it.
    pub(crate) fn idle(&self) -> Duration {
        self.used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    fn advance(&self, to: OperationState, failure: Option<Failure>) -> bool {
        self.status
            .send_if_modified(|status| status.advance(to, failure))
    }

    fn end(&self) {
        self.status.send_modify(Status::end);
    }
}

/// What a fetch is told when the state is not FINISHED.
fn why_no_rows(status: &Status) -> Failure {
    match (&status.failure, status.state) {
        (Some(failure), OperationState::ERROR | OperationState::TIMEDOUT) => failure.clone(),
        (_, state) => Failure::not_finished(state),
    }
}
