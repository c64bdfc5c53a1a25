//! Why nothing could be picked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::instance::InstanceName;
use crate::resolve::others_text;

/// Why nothing could be picked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PickError {
    /// The list is empty.
    #[error(
        "no server is registered in the namespace {namespace} of ZooKeeper at {servers}{}{}; start one, or wait until it has registered",
        others_text(*foreign),
        Age(*age)
    )]
    NoInstances {
        /// The connect string.
        servers: String,
        /// The namespace's path.
        namespace: String,
        /// How many children it has that are something else, such as Hive's `leader`.
        foreign: usize,
        /// How old the list is; zero while it is live.
        age: Duration,
    },
    /// Every instance has failed: in a walk, each that was tried in it; else, each on the list, all of which are set
    /// aside.
    #[error(
        "every server in the namespace {namespace} of ZooKeeper at {servers} has failed{}: {}",
        Age(*age),
        Failures(failures)
    )]
    AllFailed {
        /// The connect string.
        servers: String,
        /// The namespace's path.
        namespace: String,
        /// Each of them, and why.
        failures: Vec<Failure>,
        /// How old the list is; zero while it is live.
        age: Duration,
    },
}

impl PickError {
    /// When to try again: the shortest time for which one is set aside. `None` when there is nothing to try.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::AllFailed { failures, .. } => {
                failures.iter().map(|failure| failure.retry_in).min()
            }
            Self::NoInstances { .. } => None,
        }
    }
}

/// An instance that is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// Which.
    pub instance: Arc<InstanceName>,
    /// What the last failure was.
    pub why: String,
    /// How many failures there were in a row.
    pub failures: u32,
    /// How long it was to stay aside when this was noted.
    pub retry_in: Duration,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (endpoint, why) = (self.instance.endpoint(), &self.why);
        write!(f, "{endpoint}: {why} (tried again in {:.1?}", self.retry_in)?;
        if self.failures > 1 {
            write!(f, ", failed {} times", self.failures)?;
        }
        f.write_str(")")
    }
}

/// Failures, as many as a line has room for.
struct Failures<'a>(&'a [Failure]);

impl fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 10;
        for (index, failure) in self.0.iter().take(SHOWN_MAX).enumerate() {
            let divider = if index > 0 { "; " } else { "" };
            write!(f, "{divider}{failure}")?;
        }
        match self.0.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

struct Age(Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return Ok(());
        }
        write!(f, " (the list is {:.1?} old: ZooKeeper is away)", self.0)
    }
}
