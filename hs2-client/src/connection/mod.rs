//! One connection, owned by a task of its own (`link.rs`).
//!
//! Calls go to the task through a queue and come back through a channel each, so that a caller may give up at any
//! time: the task still reads the answer and drops it, and the next call finds the connection in step. What ends a
//! connection (a deadline, a broken frame, the server) is remembered and told to every later call.
//!
//! The server takes the calls of a connection one after another, so the task does too; only what stops or closes
//! something overtakes, over a second connection where it must.

mod link;

use crate::error::Error;
use crate::options::ConnectOptions;
use crate::transport::{Transport, server_name};
use bytes::Bytes;
use hs2_proto::tcli::{Call, ReplyError, decode_reply, write_call};
use link::{Link, QUEUE_CALLS_MAX};
use std::sync::{Arc, OnceLock};
use tokio::sync::{mpsc, oneshot};

/// A connection to one server, logged in. Clones are the same connection; it ends when the last one and all that
/// came from it are dropped, and with it most servers end its sessions.
#[derive(Debug, Clone)]
pub struct Connection {
    target: Arc<Target>,
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
}

/// Where a connection leads.
#[derive(Debug)]
struct Target {
    host: String,
    port: u16,
    /// `host:port`.
    name: String,
    options: ConnectOptions,
}

/// What a link's task and its callers share.
#[derive(Debug)]
struct Shared {
    server: String,
    /// Set once, when the link cannot be used any more.
    closed: OnceLock<Arc<str>>,
}

/// Why a call got no answer.
#[derive(Debug)]
enum Lost {
    Timeout,
    Closed(Arc<str>),
    Protocol(String),
    /// The server refused user or password. By HTTP it may do so at any call.
    #[cfg(feature = "http")]
    Refused(String),
}

type WriteCall = Box<dyn Fn(&mut Vec<u8>, i32) + Send + Sync>;

/// What to do about an answer that nobody took: its bytes, and the number of its call.
type Undo = Box<dyn FnOnce(&Bytes, i32) + Send>;

/// An answer on its way to its caller. One that is dropped on the way is undone.
struct Delivered {
    seqid: i32,
    message: Option<Result<Bytes, Lost>>,
    link: Arc<Shared>,
    undo: Option<Undo>,
}

impl Drop for Delivered {
    fn drop(&mut self) {
        if let (Some(Ok(message)), Some(undo)) = (&self.message, self.undo.take()) {
            undo(message, self.seqid);
        }
    }
}

struct Job {
    write: WriteCall,
    /// `None` for a call that nobody waits for.
    answer: Option<oneshot::Sender<Delivered>>,
    undo: Option<Undo>,
    /// It stops or closes something: it goes before others, and aside where the call before it takes long.
    urgent: bool,
    /// There is no other connection for it.
    stays: bool,
}

impl Job {
    const fn may_go_aside(&self) -> bool {
        self.urgent && !self.stays
    }
}

/// A call that has been queued.
pub(crate) struct Pending<C: Call> {
    answer: oneshot::Receiver<Delivered>,
    target: Arc<Target>,
    shared: Arc<Shared>,
    call: std::marker::PhantomData<fn() -> C>,
}

impl<C: Call> std::fmt::Debug for Pending<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending")
            .field("method", &C::METHOD)
            .finish_non_exhaustive()
    }
}

/// How a call is treated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// In its turn.
    Ordinary,
    /// It stops or closes something.
    Urgent,
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
        let target = Arc::new(Target {
            host: host.to_owned(),
            port,
            name: server_name(host, port),
            options: options.clone(),
        });
        let shared = Arc::new(Shared::new(&target));
        let (jobs, queue) = mpsc::channel(QUEUE_CALLS_MAX);
        let link = Link::main(
            Arc::clone(&target),
            Arc::clone(&shared),
            transport,
            queue,
            jobs.downgrade(),
        );
        tokio::spawn(link.run());
        Ok(Self {
            target,
            shared,
            jobs,
        })
    }

    /// The server, as `host:port`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.target.name
    }

    /// Calls the server and waits for the answer.
    pub(crate) async fn call<C: Call + Send + Sync + 'static>(
        &self,
        call: C,
    ) -> Result<C::Reply, Error> {
        self.start(call, Urgency::Ordinary).await?.reply().await
    }

    /// Calls the server to stop or close something.
    pub(crate) async fn call_urgently<C: Call + Send + Sync + 'static>(
        &self,
        call: C,
    ) -> Result<C::Reply, Error> {
        self.start(call, Urgency::Urgent).await?.reply().await
    }

    /// Calls the server. `undo` gets the answer if the caller is gone when it comes, and says what to call then.
    pub(crate) async fn call_or_undo<C, U>(
        &self,
        call: C,
        undo: impl FnOnce(C::Reply) -> Option<U> + Send + 'static,
    ) -> Result<C::Reply, Error>
    where
        C: Call + Send + Sync + 'static,
        U: Call + Send + Sync + 'static,
    {
        let (mut job, mut pending) = self.job(call, Urgency::Ordinary);
        let jobs = self.jobs.downgrade();
        job.undo = Some(Box::new(move |message, seqid| {
            let reply = decode_reply::<C>(message, seqid).ok();
            if let (Some(call), Some(jobs)) = (reply.and_then(undo), jobs.upgrade()) {
                let _ = jobs.try_send(forgotten(call));
            }
        }));
        self.queue(job).await?;
        pending.reply().await
    }

    /// Queues a call.
    pub(crate) async fn start<C: Call + Send + Sync + 'static>(
        &self,
        call: C,
        urgency: Urgency,
    ) -> Result<Pending<C>, Error> {
        let (job, pending) = self.job(call, urgency);
        self.queue(job).await?;
        Ok(pending)
    }

    async fn queue(&self, job: Job) -> Result<(), Error> {
        let queued = self.jobs.send(job).await;
        queued.map_err(|_| self.shared.closed_error())
    }

    /// Queues a call if there is room.
    pub(crate) fn try_start<C: Call + Send + Sync + 'static>(&self, call: C) -> Option<Pending<C>> {
        let (job, pending) = self.job(call, Urgency::Ordinary);
        self.jobs.try_send(job).ok().map(|()| pending)
    }

    fn job<C: Call + Send + Sync + 'static>(&self, call: C, urgency: Urgency) -> (Job, Pending<C>) {
        let (sender, answer) = oneshot::channel();
        let job = Job {
            answer: Some(sender),
            urgent: urgency == Urgency::Urgent,
            ..forgotten(call)
        };
        let pending = Pending {
            answer,
            target: Arc::clone(&self.target),
            shared: Arc::clone(&self.shared),
            call: std::marker::PhantomData,
        };
        (job, pending)
    }

    /// Queues a call that closes something and that nobody waits for, if there is room.
    pub(crate) fn forget<C: Call + Send + Sync + 'static>(&self, call: C) {
        let _ = self.jobs.try_send(forgotten(call));
    }
}

/// A call that closes something and that nobody waits for.
fn forgotten<C: Call + Send + Sync + 'static>(call: C) -> Job {
    Job {
        write: Box::new(move |out, seqid| write_call(out, seqid, &call)),
        answer: None,
        undo: None,
        urgent: true,
        stays: false,
    }
}

impl<C: Call> Pending<C> {
    /// Waits for the answer.
    ///
    /// # Cancel safety
    /// Safe: the answer can be waited for again.
    pub(crate) async fn reply(&mut self) -> Result<C::Reply, Error> {
        self.sized_reply().await.map(|(reply, _)| reply)
    }

    /// Waits for the answer, and says how many bytes it had.
    ///
    /// # Cancel safety
    /// As [`Pending::reply`].
    pub(crate) async fn sized_reply(&mut self) -> Result<(C::Reply, usize), Error> {
        let Ok(mut delivered) = (&mut self.answer).await else {
            return Err(self.shared.closed_error());
        };
        let server = || self.target.name.clone();
        let Some(message) = delivered.message.take() else {
            return Err(self.shared.closed_error());
        };
        let message = message.map_err(|lost| match lost {
            Lost::Timeout => Error::Timeout {
                server: server(),
                method: C::METHOD,
                after: self.target.options.call_timeout,
            },
            Lost::Protocol(reason) => Error::Protocol {
                server: server(),
                reason,
            },
            Lost::Closed(reason) => Error::Closed {
                server: server(),
                reason,
            },
            #[cfg(feature = "http")]
            Lost::Refused(message) => Error::LoginRefused {
                server: server(),
                user: self.target.options.auth.user().to_owned(),
                message,
            },
        })?;
        let reply = decode_reply::<C>(&message, delivered.seqid);
        let reply = reply.map_err(|error| match error {
            ReplyError::Exception(exception) => Error::Exception(exception),
            error => {
                delivered.link.close(error.to_string());
                Error::Protocol {
                    server: server(),
                    reason: error.to_string(),
                }
            }
        })?;
        Ok((reply, message.len()))
    }
}

impl Shared {
    fn new(target: &Target) -> Self {
        Self {
            server: target.name.clone(),
            closed: OnceLock::new(),
        }
    }

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
