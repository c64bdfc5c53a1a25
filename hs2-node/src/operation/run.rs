//! The task of an operation: from the engine's batches to the result file.

use arrow_array::RecordBatch;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use hs2_proto::rowset::arrow::encode_batch;
use hs2_proto::tcli::OperationState;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{sleep_until, timeout};

use super::{Deadline, Operation};
use crate::engine::EngineError;
use crate::error::Failure;
use crate::spool::{SpoolDir, SpoolError, SpoolWriter};

/// Rows that are gathered to a page are not kept back longer than this when the engine is slow.
const FLUSH_AFTER: Duration = Duration::from_millis(100);

/// What all operations of a node run on.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) spool: SpoolDir,
    running: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    waiting_max: usize,
}

impl Runner {
    pub(crate) fn new(spool: SpoolDir, running_max: usize, waiting_max: usize) -> Self {
        let running_max = running_max.min(Semaphore::MAX_PERMITS);
        Self {
            spool,
            running: Arc::new(Semaphore::new(running_max)),
            waiting: Arc::default(),
            waiting_max,
        }
    }

    /// A place in the queue, or at its front.
    pub(super) fn queue(&self) -> Result<Turn, Failure> {
        let running = Arc::clone(&self.running);
        let place = match Arc::clone(&running).try_acquire_owned() {
            Ok(permit) => {
                return Ok(Turn {
                    running,
                    place: None,
                    permit: Some(permit),
                });
            }
            Err(_) => Place(Arc::clone(&self.waiting)),
        };
        if place.0.fetch_add(1, Ordering::AcqRel) >= self.waiting_max {
            let message = "The background threadpool cannot accept new task for execution, please retry the operation";
            return Err(Failure::new("53300", message));
        }
        Ok(Turn {
            running,
            place: Some(place),
            permit: None,
        })
    }
}

/// A place in the queue of operations, and later the permit to run.
#[derive(Debug)]
pub(super) struct Turn {
    running: Arc<Semaphore>,
    place: Option<Place>,
    permit: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Turn {
    /// Waits until it may run.
    async fn come(&mut self) {
        if self.permit.is_none() {
            self.permit = Arc::clone(&self.running).acquire_owned().await.ok();
        }
        self.place = None;
    }
}

/// Runs an operation to its end, or until it is canceled, closed or out of time. It never panics: what the engine
/// does so is the operation's failure.
pub(super) async fn run(
    operation: Arc<Operation>,
    mut turn: Option<Turn>,
    batches: BoxStream<'static, Result<RecordBatch, EngineError>>,
    writer: Option<SpoolWriter>,
    deadline: Option<Deadline>,
) {
    let mut status = operation.status.subscribe();
    let outcome = {
        let stopped = status.wait_for(|status| !status.active);
        let work =
            AssertUnwindSafe(work(&operation, turn.as_mut(), batches, writer)).catch_unwind();
        tokio::select! {
            biased;
            // Dropping the work drops the stream, which stops the engine, and the writer, which frees who waits.
            _ = stopped => return,
            () = out_of_time(deadline) => Err(None),
            outcome = work => outcome.unwrap_or_else(|panic| Err(Failure::internal(panic_text(&panic)))).map_err(Some),
        }
    };
    match outcome {
        Ok(()) => operation.end(),
        Err(Some(failure)) => {
            tracing::warn!(operation = %operation.id(), sqlstate = failure.sqlstate, error = %failure, "operation failed");
            operation.log.error(&format!("FAILED: {failure}"));
            operation.fail(OperationState::ERROR, failure);
        }
        Err(None) => {
            let given = deadline.map_or(0, |deadline| deadline.given.as_secs());
            operation
                .log
                .error(&format!("Stopped after its timeout of {given} s"));
            operation.fail(OperationState::TIMEDOUT, Failure::timed_out(given));
        }
    }
}

async fn work(
    operation: &Operation,
    turn: Option<&mut Turn>,
    mut batches: BoxStream<'static, Result<RecordBatch, EngineError>>,
    mut writer: Option<SpoolWriter>,
) -> Result<(), Failure> {
    operation.advance(OperationState::PENDING, None);
    if let Some(turn) = turn {
        turn.come().await;
    }
    operation.advance(OperationState::RUNNING, None);
    let (started, query_id) = (Instant::now(), &operation.query_id);
    operation.log.info(&format!(
        "Executing command(queryId={query_id}): {}",
        operation.statement
    ));
    loop {
        let pending = writer.as_ref().is_some_and(SpoolWriter::has_pending_rows);
        let next = if pending {
            timeout(FLUSH_AFTER, batches.next()).await
        } else {
            Ok(batches.next().await)
        };
        writer = match (next, writer) {
            (Ok(Some(batch)), Some(writer)) => Some(write(writer, batch?).await?),
            // A statement without a result set has no rows to keep.
            (Ok(Some(batch)), None) => batch.map(|_| None)?,
            (Ok(None), writer) => {
                finish(writer).await?;
                break;
            }
            (Err(_), Some(writer)) => Some(flush(writer).await?),
            (Err(_), None) => None,
        };
        if writer.as_ref().is_some_and(|writer| writer.rows() > 0)
            && operation.advance(OperationState::FINISHED, None)
        {
            operation.log.performance(&format!(
                "First rows after {:.3} seconds",
                started.elapsed().as_secs_f64()
            ));
        }
    }
    // Once the stream is gone, what the engine counted is final; and who reads FINISHED finds the whole log.
    drop(batches);
    operation.log_done(started.elapsed().as_secs_f64());
    operation.advance(OperationState::FINISHED, None);
    Ok(())
}

/// Encodes and writes a batch where blocking is allowed.
async fn write(mut writer: SpoolWriter, batch: RecordBatch) -> Result<SpoolWriter, Failure> {
    blocking(move || {
        let batch = encode_batch(&batch)?;
        writer.write(&batch)?;
        Ok(writer)
    })
    .await
}

async fn flush(mut writer: SpoolWriter) -> Result<SpoolWriter, Failure> {
    blocking(move || {
        writer.flush()?;
        Ok(writer)
    })
    .await
}

async fn finish(writer: Option<SpoolWriter>) -> Result<(), Failure> {
    let Some(writer) = writer else { return Ok(()) };
    blocking(move || writer.finish().map_err(SpoolError::into)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => Err(Failure::internal(panic_text(&error.into_panic()))),
        Err(_) => Err(Failure::internal("its runtime is shutting down")),
    }
}

async fn out_of_time(deadline: Option<Deadline>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.at.into()).await,
        None => std::future::pending().await,
    }
}

/// What a panic said, as far as it said anything.
pub(crate) fn panic_text(panic: &Box<dyn std::any::Any + Send>) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words")
}
