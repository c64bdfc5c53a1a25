//! One connection, owned by a task of its own.
//!
//! Calls go to the task through a queue and come back through a channel each, so that a caller may give up at any
//! time: the task still reads the answer and drops it, and the next call finds the connection in step. What ends a
//! connection (a deadline, a broken frame, the server) is remembered and told to every later call.
//!
//! The server takes the calls of a connection one after another, so the task does too.

use crate::error::Error;
use crate::options::ConnectOptions;
use crate::transport::{ReadError, Transport, server_name};
use bytes::Bytes;
use hs2_proto::tcli::{Call, ReplyError, decode_reply, write_call};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// Calls that wait for their turn. When it is full, calls wait to be queued; calls that close things and that
/// nobody waits for are dropped.
const QUEUE_CALLS_MAX: usize = 64;

/// A connection to one server, logged in. Clones are the same connection; it ends when the last one and all that
/// came from it are dropped, and with it most servers end its sessions.
#[derive(Debug, Clone)]
pub struct Connection {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
}

#[derive(Debug)]
struct Shared {
    server: String,
    call_timeout: Duration,
    /// Set once, by the task, when the connection cannot be used any more.
    closed: OnceLock<Arc<str>>,
}

type Answer = Result<Bytes, Lost>;

/// Why a call got no answer.
#[derive(Debug)]
enum Lost {
    Timeout,
    Closed,
    Protocol(String),
}

type WriteCall = Box<dyn FnOnce(&mut Vec<u8>, i32) + Send>;

struct Job {
    write: WriteCall,
    /// `None` for a call that nobody waits for.
    answer: Option<oneshot::Sender<(i32, Answer)>>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("answer", &self.answer)
            .finish_non_exhaustive()
    }
}

/// A call that has been queued.
#[derive(Debug)]
pub(crate) struct Pending<C: Call> {
    answer: oneshot::Receiver<(i32, Answer)>,
    shared: Arc<Shared>,
    call: std::marker::PhantomData<fn() -> C>,
}

impl Connection {
    /// Connects to a server and logs in.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::LoginTimeout`], [`Error::LoginRefused`], or [`Error::Protocol`] when something
    /// else than a HiveServer2 with this kind of login answers.
    ///
    /// # Cancel safety
    /// Safe: the attempt ends.
    pub async fn connect(host: &str, port: u16, options: &ConnectOptions) -> Result<Self, Error> {
        let transport = Transport::open(host, port, options).await?;
        let shared = Arc::new(Shared {
            server: server_name(host, port),
            call_timeout: options.call_timeout,
            closed: OnceLock::new(),
        });
        let (jobs, queue) = mpsc::channel(QUEUE_CALLS_MAX);
        let task = Task {
            transport,
            shared: Arc::clone(&shared),
            queue,
            waiting: VecDeque::new(),
            last_seqid: 0,
        };
        tokio::spawn(task.run());
        Ok(Self { shared, jobs })
    }

    /// The server, as `host:port`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.shared.server
    }

    /// Calls the server and waits for the answer.
    pub(crate) async fn call<C: Call + Send + 'static>(&self, call: C) -> Result<C::Reply, Error> {
        self.start(call).await?.reply().await
    }

    /// Queues a call.
    pub(crate) async fn start<C: Call + Send + 'static>(
        &self,
        call: C,
    ) -> Result<Pending<C>, Error> {
        let (job, pending) = self.job(call);
        self.jobs
            .send(job)
            .await
            .map_err(|_| self.shared.closed_error())?;
        Ok(pending)
    }

    /// Queues a call if there is room.
    pub(crate) fn try_start<C: Call + Send + 'static>(&self, call: C) -> Option<Pending<C>> {
        let (job, pending) = self.job(call);
        self.jobs.try_send(job).ok().map(|()| pending)
    }

    fn job<C: Call + Send + 'static>(&self, call: C) -> (Job, Pending<C>) {
        let (sender, answer) = oneshot::channel();
        let job = Job {
            write: Box::new(move |out, seqid| write_call(out, seqid, &call)),
            answer: Some(sender),
        };
        (
            job,
            Pending {
                answer,
                shared: Arc::clone(&self.shared),
                call: std::marker::PhantomData,
            },
        )
    }

    /// Queues a call that nobody waits for, if there is room.
    pub(crate) fn forget<C: Call + Send + 'static>(&self, call: C) {
        let write: WriteCall = Box::new(move |out, seqid| write_call(out, seqid, &call));
        let _ = self.jobs.try_send(Job {
            write,
            answer: None,
        });
    }
}

impl<C: Call> Pending<C> {
    /// Waits for the answer.
    ///
    /// # Cancel safety
    /// Safe: the answer can be waited for again.
    pub(crate) async fn reply(&mut self) -> Result<C::Reply, Error> {
        let Ok((seqid, answer)) = (&mut self.answer).await else {
            return Err(self.shared.closed_error());
        };
        let server = || self.shared.server.clone();
        let message = answer.map_err(|lost| match lost {
            Lost::Timeout => Error::Timeout {
                server: server(),
                method: C::METHOD,
                after: self.shared.call_timeout,
            },
            Lost::Protocol(reason) => Error::Protocol {
                server: server(),
                reason,
            },
            Lost::Closed => self.shared.closed_error(),
        })?;
        decode_reply::<C>(&message, seqid).map_err(|error| match error {
            ReplyError::Exception(exception) => Error::Exception(exception),
            error => {
                self.shared.close(error.to_string());
                Error::Protocol {
                    server: server(),
                    reason: error.to_string(),
                }
            }
        })
    }
}

impl Shared {
    fn close(&self, reason: impl Into<Arc<str>>) {
        let _ = self.closed.set(reason.into());
    }

    fn closed_error(&self) -> Error {
        let reason = self
            .closed
            .get()
            .map_or_else(|| "it was shut down".into(), Arc::clone);
        Error::Closed {
            server: self.server.clone(),
            reason,
        }
    }
}

struct Task {
    transport: Transport,
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Job>,
    /// Taken from the queue while an answer was awaited: only so can the end of all callers be seen.
    waiting: VecDeque<Job>,
    last_seqid: i32,
}

impl Task {
    async fn run(mut self) {
        while let Some(job) = self.next().await {
            // A caller that has given up before its call was sent wants nothing sent.
            if job.answer.as_ref().is_some_and(oneshot::Sender::is_closed) {
                continue;
            }
            if self.shared.closed.get().is_some() {
                answer(job.answer, 0, Err(Lost::Closed));
                break;
            }
            let seqid = self.next_seqid();
            let deadline = far(Instant::now(), self.shared.call_timeout);
            match self.exchange(job.write, seqid, deadline).await {
                Ok(Some(message)) => answer(job.answer, seqid, Ok(message)),
                Ok(None) => return self.leave().await,
                Err(lost) => {
                    answer(job.answer, seqid, Err(lost));
                    break;
                }
            }
        }
        // Whoever is still queued learns the reason when its channel closes.
    }

    async fn next(&mut self) -> Option<Job> {
        match self.waiting.pop_front() {
            Some(job) => Some(job),
            None => self.idle().await,
        }
    }

    /// Waits for a call. Nothing may come from the server meanwhile but its end.
    async fn idle(&mut self) -> Option<Job> {
        tokio::select! {
            biased;
            job = self.queue.recv() => job,
            read = self.transport.receive() => {
                self.shared.close(match read {
                    Ok(_) => "the server sent an answer that nobody had asked for".to_owned(),
                    Err(error) => error.to_string(),
                });
                // The next caller is told; there may be none.
                self.queue.recv().await
            }
        }
    }

    /// Sends a call and reads its answer; `None` when nobody is left who could want it.
    async fn exchange(
        &mut self,
        write: WriteCall,
        seqid: i32,
        deadline: Instant,
    ) -> Result<Option<Bytes>, Lost> {
        let sent = timeout_at(deadline, self.transport.send(|out| write(out, seqid))).await;
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.shared.close(error.to_string());
                return Err(Lost::Closed);
            }
            Err(_) => return Err(self.too_late()),
        }
        loop {
            tokio::select! {
                biased;
                read = timeout_at(deadline, self.transport.receive()) => return match read {
                    Ok(Ok(message)) => Ok(Some(message)),
                    Ok(Err(ReadError::Protocol(reason))) => {
                        self.shared.close(reason.clone());
                        Err(Lost::Protocol(reason))
                    }
                    Ok(Err(error)) => {
                        self.shared.close(error.to_string());
                        Err(Lost::Closed)
                    }
                    Err(_) => Err(self.too_late()),
                },
                job = self.queue.recv(), if self.waiting.len() < QUEUE_CALLS_MAX => match job {
                    Some(job) => self.waiting.push_back(job),
                    None => return Ok(None),
                },
            }
        }
    }

    fn too_late(&self) -> Lost {
        self.shared
            .close("an earlier call was not answered in time, and its answer may still come");
        Lost::Timeout
    }

    /// Nobody is left: what was queued to be closed is still sent, but not waited for.
    async fn leave(mut self) {
        while let Some(job) = self.waiting.pop_front() {
            if job.answer.is_none() {
                let seqid = self.next_seqid();
                let sending = self.transport.send(|out| (job.write)(out, seqid));
                if !matches!(timeout(LEAVE_TIMEOUT, sending).await, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }

    const fn next_seqid(&mut self) -> i32 {
        self.last_seqid = self.last_seqid.wrapping_add(1);
        self.last_seqid
    }
}

/// How long the last words of a connection may take to be sent.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// A caller that is gone has no use for its answer.
fn answer(to: Option<oneshot::Sender<(i32, Answer)>>, seqid: i32, answer: Answer) {
    if let Some(to) = to {
        let _ = to.send((seqid, answer));
    }
}

/// `wait` from now, or the far future where the clock has no such time: somebody has said "never".
fn far(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait)
        .unwrap_or_else(|| now + Duration::from_secs(30 * 365 * 86_400))
}
