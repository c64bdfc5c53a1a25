//! The task of a registration: it carries out each [`Step`] on a session.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout_at};
use tracing::{debug, info, warn};
use zk_client::{Client, CreateMode, Error, SessionEnd, SessionId, Stat, ZnodeVersion, path};

use super::state::{DeregisteredBy, Outcome, Step};
use super::{RegisterError, RegistrationState};
use crate::backoff::Backoff;
use crate::ensemble::{Ensemble, LookupError, is_passing};
use crate::instance::SequenceNumber;
use crate::namespace::Namespace;

/// The order to leave the list.
#[derive(Debug)]
pub(super) struct Leave {
    pub(super) deadline: Instant,
    pub(super) done: oneshot::Sender<Result<(), LookupError>>,
}

#[derive(Debug)]
pub(super) struct Task {
    ensemble: Ensemble,
    /// The namespace's path.
    namespace: String,
    /// The znode's name without its number.
    prefix: String,
    data: String,
    client: Client,
    /// Sessions that are over for us and may live on at the server, and their znodes with them.
    past: VecDeque<SessionId>,
    backoff: Backoff,
    state: watch::Sender<RegistrationState>,
}

/// How many past sessions are remembered. Each takes 4/3 of a session timeout to become one, and
/// the server keeps them for about as long.
const PAST_MAX: usize = 16;

impl Task {
    pub(super) fn new(
        ensemble: &Ensemble,
        namespace: &Namespace,
        prefix: String,
        data: String,
        client: Client,
    ) -> (Self, watch::Receiver<RegistrationState>) {
        let (state, states) = watch::channel(RegistrationState::Registering { failure: None });
        let task = Self {
            ensemble: ensemble.clone(),
            namespace: namespace.path(),
            prefix,
            data,
            client,
            past: VecDeque::new(),
            backoff: Backoff::default(),
            state,
        };
        (task, states)
    }

    /// Runs until somebody deletes the znode, or `leave` is sent or dropped.
    pub(super) async fn run(mut self, mut leave: oneshot::Receiver<Leave>) {
        let mut step = Step::Look;
        while step != Step::Over {
            step = tokio::select! {
                biased;
                asked = &mut leave => return self.leave(asked.ok()).await,
                next = self.take(step) => next,
            };
        }
        info!(
            namespace = self.namespace,
            "somebody else has deleted the instance's znode"
        );
        self.close(DeregisteredBy::Other).await;
    }

    /// Carries out a step; returns the next.
    async fn take(&mut self, step: Step) -> Step {
        debug!(?step, "registration");
        let result = match &step {
            Step::Open => Ok(self.open()),
            Step::Look => self.look().await,
            Step::Create => self.create().await,
            Step::Hold(path) => self.hold(path).await,
            Step::Judge(path) => self.client.sync(path).await.map(|()| Outcome::Answered),
            Step::Over => return step,
        };
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(error) => self.failed(error).await,
        };
        step.next(outcome)
    }

    fn open(&mut self) -> Outcome {
        match self.ensemble.open() {
            Ok(client) => {
                self.client = client;
                Outcome::Opened
            }
            Err(error) => {
                warn!(%error, "no session for the registration");
                Outcome::Failed
            }
        }
    }

    async fn look(&mut self) -> Result<Outcome, Error> {
        let mut ours = None;
        for (path, stat) in self.own_znodes().await? {
            if ours.is_none() && stat.ephemeral_owner == self.client.session_id() {
                ours = Some(path);
                continue;
            }
            let deleted = self.client.delete(&path, ZnodeVersion(stat.version)).await;
            deleted.or_else(gone_is_fine)?;
            info!(path, "znode of an earlier session removed");
        }
        self.past.clear();
        Ok(ours.map_or(Outcome::Missing, Outcome::Found))
    }

    /// The znodes with this instance's endpoint and version that sessions of ours own.
    async fn own_znodes(&self) -> Result<Vec<(String, Stat)>, Error> {
        // Another server of the ensemble may be behind the one that took the last `create`.
        let synced = self.client.sync(&self.namespace);
        let listed = self.client.get_children(&self.namespace);
        synced.await?;
        let children = match listed.await {
            Err(error) if error.is_no_node() => {
                self.client.create_all(&self.namespace).await?;
                return Ok(Vec::new());
            }
            listed => listed?,
        };
        let current = self.client.session_id();
        let mut own = Vec::new();
        for name in children.iter().flatten() {
            let number = name.strip_prefix(&self.prefix);
            if number.is_none_or(|number| number.parse::<SequenceNumber>().is_err()) {
                continue;
            }
            let path = path::join(&self.namespace, name);
            if let Some(stat) = self.client.exists(&path).await?
                && (stat.ephemeral_owner == current || self.past.contains(&stat.ephemeral_owner))
            {
                own.push((path, stat));
            }
        }
        Ok(own)
    }

    async fn create(&self) -> Result<Outcome, Error> {
        let prefix = path::join(&self.namespace, &self.prefix);
        let mode = CreateMode::EPHEMERAL_SEQUENTIAL;
        let created = self.client.create(&prefix, self.data.as_bytes(), mode);
        match created.await {
            Ok(path) => Ok(Outcome::Found(path)),
            // Somebody has deleted the namespace since we looked.
            Err(error) if error.is_no_node() => Ok(Outcome::Failed),
            Err(error) => Err(error),
        }
    }

    async fn hold(&mut self, path: &str) -> Result<Outcome, Error> {
        let (stat, watch) = self.client.exists_and_watch(path).await?;
        let session = self.client.session_id();
        if stat.is_none_or(|stat| stat.ephemeral_owner != session) {
            return Ok(Outcome::Gone);
        }
        self.backoff.reset();
        let path = path.to_owned();
        self.publish(RegistrationState::Registered { path });
        match watch.changed().await {
            Ok(_) => Ok(Outcome::Changed),
            Err(end) => Ok(self.ended(end).await),
        }
    }

    async fn failed(&mut self, error: Error) -> Outcome {
        if let Some(end) = error.session_end() {
            return self.ended(end.clone()).await;
        }
        if is_passing(&error) {
            debug!(%error, "registration delayed");
        } else {
            warn!(%error, namespace = self.namespace, "registration refused");
            self.refused(error);
        }
        self.backoff.pause().await;
        Outcome::Failed
    }

    async fn ended(&mut self, end: SessionEnd) -> Outcome {
        warn!(%end, namespace = self.namespace, "registering again");
        self.remember(&end);
        let refusal = matches!(end, SessionEnd::AuthFailed(_));
        let failure = refusal.then(|| LookupError::Unreachable(end.into()).into());
        self.publish(RegistrationState::Registering { failure });
        self.backoff.pause().await;
        Outcome::Ended
    }

    /// Whatever an expired session owned is gone. How else it ended, its znodes may still be there.
    fn remember(&mut self, end: &SessionEnd) {
        let session = self.client.session_id();
        if session != SessionId::NONE && !matches!(end, SessionEnd::Expired(_)) {
            self.past.truncate(PAST_MAX - 1);
            self.past.push_front(session);
        }
    }

    fn refused(&self, source: Error) {
        let namespace = self.namespace.clone();
        self.state.send_if_modified(|state| match state {
            RegistrationState::Registering { failure } => {
                *failure = Some(RegisterError::Refused { namespace, source });
                true
            }
            _ => false,
        });
    }

    fn publish(&self, state: RegistrationState) {
        self.state.send_if_modified(|old| {
            let is_new = *old != state;
            if is_new {
                info!(?state, namespace = self.namespace, "registration");
                *old = state;
            }
            is_new
        });
    }

    async fn leave(mut self, leave: Option<Leave>) {
        let Some(Leave { deadline, done }) = leave else {
            return self.close(DeregisteredBy::Us).await;
        };
        let started = Instant::now();
        let result = match timeout_at(deadline.into(), self.remove()).await {
            Ok(result) => result,
            Err(_) => {
                let (path, elapsed) = (&self.namespace, started.elapsed());
                let late = self.ensemble.out_of_time(&self.client, path, elapsed);
                Err(late.await)
            }
        };
        self.close(DeregisteredBy::Us).await;
        // Whoever asked may not wait any more.
        let _ = done.send(result);
    }

    /// Deletes the znode, also one whose number was never learnt, until it is known to be gone.
    async fn remove(&mut self) -> Result<(), LookupError> {
        loop {
            let Err(error) = self.delete_own_znodes().await else {
                return Ok(());
            };
            if let Some(end) = error.session_end() {
                self.remember(end);
                if self.past.is_empty() {
                    return Ok(());
                }
                self.client = self.ensemble.open()?;
            } else if !is_passing(&error) {
                return Err(self.ensemble.refused(error));
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn delete_own_znodes(&self) -> Result<(), Error> {
        for (path, _) in self.own_znodes().await? {
            let deleted = self.client.delete(&path, ZnodeVersion::ANY).await;
            deleted.or_else(gone_is_fine)?;
        }
        Ok(())
    }

    async fn close(self, by: DeregisteredBy) {
        self.publish(RegistrationState::Deregistered { by });
        self.client.close().await;
    }
}

/// The pause before leaving is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

fn gone_is_fine(error: Error) -> Result<(), Error> {
    if error.is_no_node() {
        Ok(())
    } else {
        Err(error)
    }
}
