//! Where queries run: a runtime of their own, so that a heavy query never starves what serves the clients.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use arrow_array::RecordBatch;
use futures::Stream;
use futures::future::BoxFuture;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinError, JoinHandle};

use super::error;
use crate::engine::EngineError;

/// How many batches wait for their reader.
const BATCHES_WAITING: usize = 2;
/// Plans nest, and a tree of thousands of nodes is dropped by recursion. Untouched stack costs nothing.
const STACK_BYTES: usize = 64 << 20;

/// The engine's runtime.
#[derive(Debug)]
pub(crate) struct QueryRuntime {
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
}

impl QueryRuntime {
    /// A runtime with so many workers.
    ///
    /// # Errors
    /// The system gives no threads.
    pub(crate) fn new(workers: usize) -> Result<Self, EngineError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers.max(1))
            .thread_name("hs2-query")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|e| error::io("starting the engine's threads", &e))?;
        let handle = runtime.handle().clone();
        Ok(Self {
            runtime: Mutex::new(Some(runtime)),
            handle,
        })
    }

    /// Runs `work` here and waits for it. Dropping the future stops the work.
    ///
    /// # Errors
    /// The work's own, a panic in it, or the engine was shut down.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
    ) -> Result<T, EngineError> {
        let task = self.handle.spawn(work);
        let _guard = AbortOnDrop(task.abort_handle());
        task.await.unwrap_or_else(|e| Err(joined(e)))
    }

    /// A stream of the batches that `work` sends. The work starts when the stream is polled for the first time, so
    /// that a statement which waits for its turn costs nothing; dropping the stream stops it.
    pub(crate) fn stream<F>(&self, work: impl FnOnce(BatchSender) -> F) -> BatchStream
    where
        F: Future<Output = Result<(), EngineError>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(BATCHES_WAITING);
        BatchStream {
            receiver,
            work: Work::Waiting(self.handle.clone(), Box::pin(work(sender))),
        }
    }

    /// Figures of the runtime, such as how many tasks are alive.
    #[cfg(test)]
    pub(crate) fn metrics(&self) -> tokio::runtime::RuntimeMetrics {
        self.handle.metrics()
    }

    /// Stops everything that runs, without waiting for it.
    pub(crate) fn shutdown(&self) {
        let runtime = self
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

impl Drop for QueryRuntime {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Where a query's task puts its batches.
pub(crate) type BatchSender = mpsc::Sender<RecordBatch>;

/// The batches of one query, then its error if it has one.
pub(crate) struct BatchStream {
    receiver: mpsc::Receiver<RecordBatch>,
    work: Work,
}

enum Work {
    Waiting(Handle, BoxFuture<'static, Result<(), EngineError>>),
    Running(JoinHandle<Result<(), EngineError>>),
    Done,
}

impl Stream for BatchStream {
    type Item = Result<RecordBatch, EngineError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.work = match std::mem::replace(&mut this.work, Work::Done) {
            Work::Waiting(handle, work) => Work::Running(handle.spawn(work)),
            other => other,
        };
        let Work::Running(task) = &mut this.work else {
            return Poll::Ready(None);
        };
        if let Some(batch) = std::task::ready!(this.receiver.poll_recv(context)) {
            return Poll::Ready(Some(Ok(batch)));
        }
        let end = std::task::ready!(Pin::new(task).poll(context));
        this.work = Work::Done;
        Poll::Ready(end.unwrap_or_else(|e| Err(joined(e))).err().map(Err))
    }
}

impl Drop for BatchStream {
    fn drop(&mut self) {
        if let Work::Running(task) = &self.work {
            task.abort();
        }
    }
}

/// Stops a task when it goes out of scope.
pub(crate) struct AbortOnDrop(pub(crate) AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The error of a task that did not end by itself.
pub(crate) fn joined(error: JoinError) -> EngineError {
    if !error.is_panic() {
        return error::execution("the query was stopped: the engine shuts down");
    }
    let panic = error.into_panic();
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    error::execution(format!(
        "the query failed inside the engine ({text}); other queries go on"
    ))
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn work_begins_when_somebody_asks_for_its_batches() {
        let runtime = QueryRuntime::new(1).expect("starts");
        let (begun, mut beginning) = mpsc::channel::<()>(1);
        let mut stream = runtime.stream(|_| async move {
            let _ = begun.send(()).await;
            Ok(())
        });
        // What was spawned before this had its turn before this.
        assert_eq!(runtime.run(async { Ok(7) }).await, Ok(7));
        assert!(beginning.try_recv().is_err(), "nobody asked");
        assert!(stream.next().await.is_none());
        assert!(beginning.recv().await.is_some());
    }

    #[tokio::test]
    async fn a_panic_is_the_error_of_its_query_only() {
        let runtime = QueryRuntime::new(1).expect("starts");
        let mut panics = runtime.stream(|_| async { panic!("a bug") });
        let error = panics
            .next()
            .await
            .expect("an error")
            .expect_err("an error");
        assert_eq!(error.sqlstate, "08S01");
        assert!(error.message.contains("a bug"), "{}", error.message);
        assert!(panics.next().await.is_none());
        assert_eq!(runtime.run(async { Ok(7) }).await, Ok(7));
        let planning = runtime.run(async { if true { panic!("{}", "again") } else { Ok(()) } });
        assert!(
            planning
                .await
                .expect_err("an error")
                .message
                .contains("again")
        );
    }
}
