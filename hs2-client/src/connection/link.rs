//! The task that owns one transport: it sends the calls of its queue one after another and reads their answers.
//!
//! Calls that stop or close something may not wait for long behind a call that waits itself (a fetch for its first
//! row, a status that the server keeps back): after [`GRACE`] they go *aside*, over a second connection that is made
//! for them and ends when it has been idle for a while. Servers take the handles of a session from any connection.
//! Where no second connection can be had, they wait for their turn after all.

use super::{Delivered, Job, Lost, Shared, Target, WriteCall};
use crate::transport::{ReadError, Transport};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// Calls that wait for their turn. When it is full, calls wait to be queued; calls that close things and that
/// nobody waits for are dropped.
pub(super) const QUEUE_CALLS_MAX: usize = 64;

/// How long the call before it may take before an urgent call goes aside: most answers are there sooner.
const GRACE: Duration = Duration::from_millis(50);

/// How long a second connection is kept for the next urgent call.
const ASIDE_IDLE: Duration = Duration::from_secs(5);

/// How long the last words of a connection may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// One transport and its calls.
pub(super) struct Link {
    target: Arc<Target>,
    shared: Arc<Shared>,
    transport: Transport,
    queue: mpsc::Receiver<Job>,
    /// Taken from the queue while an answer was awaited: only so can the end of all callers be seen.
    waiting: VecDeque<Job>,
    last_seqid: i32,
    role: Role,
}

enum Role {
    /// The connection that callers know.
    Main {
        /// Its own queue, for calls that come back.
        queue: mpsc::WeakSender<Job>,
        /// The queue of the connection beside it, if there is one.
        aside: Option<mpsc::Sender<Job>>,
    },
    /// The connection beside it.
    Aside,
}

impl Link {
    /// The link that callers know.
    pub(super) const fn main(
        target: Arc<Target>,
        shared: Arc<Shared>,
        transport: Transport,
        queue: mpsc::Receiver<Job>,
        sender: mpsc::WeakSender<Job>,
    ) -> Self {
        let role = Role::Main {
            queue: sender,
            aside: None,
        };
        Self::new(target, shared, transport, queue, role)
    }

    const fn new(
        target: Arc<Target>,
        shared: Arc<Shared>,
        transport: Transport,
        queue: mpsc::Receiver<Job>,
        role: Role,
    ) -> Self {
        Self {
            target,
            shared,
            transport,
            queue,
            waiting: VecDeque::new(),
            last_seqid: 0,
            role,
        }
    }

    pub(super) async fn run(mut self) {
        while let Some(job) = self.next().await {
            // A caller that has given up before its call was sent wants nothing sent.
            if job.answer.as_ref().is_some_and(oneshot::Sender::is_closed) {
                continue;
            }
            if let Some(reason) = self.shared.closed.get() {
                self.deliver(job, 0, Err(Lost::Closed(Arc::clone(reason))));
                break;
            }
            let seqid = self.next_seqid();
            let deadline = far(Instant::now(), self.target.options.call_timeout);
            match self.exchange(&job.write, seqid, deadline).await {
                Ok(Some(message)) => self.deliver(job, seqid, Ok(message)),
                Ok(None) => return self.leave(true).await,
                Err(lost) => {
                    self.deliver(job, seqid, Err(lost));
                    break;
                }
            }
        }
        // Whoever is still queued learns the reason when its channel closes.
    }

    async fn next(&mut self) -> Option<Job> {
        // What stops or closes something comes before what was queued sooner.
        let urgent = self.waiting.iter().position(|job| job.urgent);
        match self.waiting.remove(urgent.unwrap_or(0)) {
            Some(job) => Some(job),
            None if matches!(self.role, Role::Aside) => {
                timeout(ASIDE_IDLE, self.idle()).await.ok().flatten()
            }
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
        write: &WriteCall,
        seqid: i32,
        deadline: Instant,
    ) -> Result<Option<Bytes>, Lost> {
        let sent = timeout_at(deadline, self.transport.send(|out| write(out, seqid)));
        match sent.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.lost(error.to_string())),
            Err(_) => return Err(self.too_late()),
        }
        let mut hurry = self.hurry();
        loop {
            tokio::select! {
                biased;
                read = timeout_at(deadline, self.transport.receive()) => return match read {
                    Ok(Ok(message)) => Ok(Some(message)),
                    Ok(Err(ReadError::Protocol(reason))) => {
                        self.shared.close(reason.clone());
                        Err(Lost::Protocol(reason))
                    }
                    #[cfg(feature = "http")]
                    Ok(Err(ReadError::Refused(message))) => {
                        self.shared.close(message.clone());
                        Err(Lost::Refused(message))
                    }
                    Ok(Err(error)) => Err(self.lost(error.to_string())),
                    Err(_) => Err(self.too_late()),
                },
                () = sleep_until(hurry.unwrap_or(deadline)), if hurry.is_some() => {
                    self.send_aside();
                    hurry = None;
                }
                job = self.queue.recv(), if self.waiting.len() < QUEUE_CALLS_MAX => match job {
                    Some(job) => {
                        self.waiting.push_back(job);
                        hurry = hurry.or_else(|| self.hurry());
                    }
                    None => return Ok(None),
                },
            }
        }
    }

    /// When the urgent calls among those that wait should go aside, if there are any.
    fn hurry(&self) -> Option<Instant> {
        let urgent = matches!(self.role, Role::Main { .. })
            && self.waiting.iter().any(|job| job.may_go_aside());
        urgent.then(|| Instant::now() + GRACE)
    }

    /// Hands the urgent calls that wait to the connection beside this one.
    fn send_aside(&mut self) {
        let Role::Main { queue, aside } = &mut self.role else {
            return;
        };
        let (urgent, others) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<Vec<_>, _>(Job::may_go_aside);
        self.waiting = others.into();
        for job in urgent {
            let refused = match aside {
                Some(aside) => aside
                    .try_send(job)
                    .err()
                    .map(mpsc::error::TrySendError::into_inner),
                None => Some(job),
            };
            if let Some(job) = refused {
                let (sender, jobs) = mpsc::channel(QUEUE_CALLS_MAX);
                // A new queue has room.
                let _ = sender.try_send(job);
                *aside = Some(sender);
                tokio::spawn(beside(Arc::clone(&self.target), jobs, queue.clone()));
            }
        }
    }

    fn lost(&self, reason: String) -> Lost {
        self.shared.close(reason.clone());
        Lost::Closed(reason.into())
    }

    fn too_late(&self) -> Lost {
        self.shared
            .close("an earlier call was not answered in time, and its answer may still come");
        Lost::Timeout
    }

    /// Nobody is left. What was queued to be closed is still closed, aside when an answer keeps the main link waiting.
    async fn leave(mut self, answer_is_due: bool) {
        if answer_is_due {
            let patience = match self.role {
                Role::Main { .. } => GRACE,
                Role::Aside => LEAVE_TIMEOUT,
            };
            match timeout(patience, self.transport.receive()).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return,
                Err(_) => return self.send_aside(),
            }
        }
        let begun = Instant::now();
        for job in std::mem::take(&mut self.waiting) {
            if job.answer.is_some() {
                continue;
            }
            let seqid = self.next_seqid();
            let exchange = async {
                let sent = self.transport.send(|out| (job.write)(out, seqid)).await;
                sent.is_ok() && self.transport.receive().await.is_ok()
            };
            if !matches!(timeout_at(begun + LEAVE_TIMEOUT, exchange).await, Ok(true)) {
                return;
            }
        }
    }

    fn deliver(&self, job: Job, seqid: i32, message: Result<Bytes, Lost>) {
        let delivered = Delivered {
            seqid,
            message: Some(message),
            link: Arc::clone(&self.shared),
            undo: job.undo,
        };
        match job.answer {
            // A caller that is gone has no use for its answer: dropped, the answer undoes what must be undone.
            Some(answer) => drop(answer.send(delivered)),
            None => drop(delivered),
        }
    }

    const fn next_seqid(&mut self) -> i32 {
        self.last_seqid = self.last_seqid.wrapping_add(1);
        self.last_seqid
    }
}

/// The connection beside another one: connects, and serves until it was idle for a while.
async fn beside(target: Arc<Target>, mut jobs: mpsc::Receiver<Job>, main: mpsc::WeakSender<Job>) {
    match Transport::open(&target.host, target.port, &target.options).await {
        Ok(transport) => {
            let shared = Arc::new(Shared::new(&target));
            let link = Link::new(target, shared, transport, jobs, Role::Aside);
            // Boxed: the type of a link's future must not contain itself.
            Box::pin(link.run()).await;
        }
        Err(error) => {
            tracing::debug!(server = %target.name, %error, "no second connection: calls wait for their turn");
            jobs.close();
            while let Some(mut job) = jobs.recv().await {
                job.stays = true;
                if let Some(main) = main.upgrade() {
                    // A full queue holds calls that hang as well: the caller is told that the connection is closed.
                    let _ = main.try_send(job);
                }
            }
        }
    }
}

/// `wait` from now, or the far future where the clock has no such time: somebody has said "never".
fn far(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait)
        .unwrap_or_else(|| now + Duration::from_secs(30 * 365 * 86_400))
}
