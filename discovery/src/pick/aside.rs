//! Setting an instance aside that has failed, and trying it again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::pause_after;

/// How long an instance is set aside at its first failure; each further one in a row doubles it.
const FIRST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_secs(30);

/// Whether an instance is set aside.
///
/// ```text
///              failed                time is over, picked
///     well ──────────────► aside ─────────────────────────► on trial
///      ▲                     ▲                                 │ │
///      │ succeeded           └────── failed, or nothing heard ─┘ │
///      └─────────────────────────────────────────────────────────┘
/// ```
///
/// One picker tries it again; the others pass it over until that one has succeeded. For an instance that is well, all
/// this costs a look at one flag; the lock is that of an instance that has failed.
#[derive(Debug, Default)]
pub(crate) struct SetAside {
    has_failed: AtomicBool,
    record: Mutex<Option<Record>>,
}

/// The failures since the last success.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(super) failures: u32,
    /// What the last one was.
    pub(super) why: String,
    /// Passed over until then.
    until: Instant,
    is_on_trial: bool,
}

impl Record {
    pub(super) fn retry_in(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl SetAside {
    /// Whether it may be picked.
    pub(super) fn is_open(&self) -> bool {
        !self.has_failed.load(Ordering::Acquire)
            || self
                .lock()
                .as_ref()
                .is_none_or(|record| record.retry_in().is_zero())
    }

    /// Picks it; false when it was set aside, or another has just taken its trial.
    pub(super) fn admit(&self) -> bool {
        if !self.has_failed.load(Ordering::Acquire) {
            return true;
        }
        match &mut *self.lock() {
            None => true,
            Some(record) if record.retry_in().is_zero() => {
                record.until = Instant::now() + pause(record.failures);
                record.is_on_trial = true;
                true
            }
            Some(_) => false,
        }
    }

    pub(super) fn succeeded(&self) {
        if self.has_failed.load(Ordering::Acquire) {
            let mut record = self.lock();
            *record = None;
            self.has_failed.store(false, Ordering::Release);
        }
    }

    pub(crate) fn failed(&self, why: &str) -> Record {
        let mut record = self.lock();
        let mut next = Record {
            failures: 1,
            why: why.to_owned(),
            until: Instant::now() + pause(1),
            is_on_trial: false,
        };
        match &*record {
            // It was picked before it was set aside: the same trouble once more.
            Some(old) if !old.is_on_trial && !old.retry_in().is_zero() => {
                (next.failures, next.until) = (old.failures, old.until);
            }
            Some(old) => {
                next.failures = old.failures.saturating_add(1);
                next.until = Instant::now() + pause(next.failures);
            }
            None => {}
        }
        *record = Some(next.clone());
        self.has_failed.store(true, Ordering::Release);
        next
    }

    /// The failures, while it is set aside or was not tried since.
    pub(super) fn record(&self) -> Option<Record> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Record>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pause(failures: u32) -> Duration {
    pause_after(failures.saturating_sub(1), FIRST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets the time pass until it is open; says how long that took.
    async fn wait(aside: &SetAside) -> Duration {
        let start = Instant::now();
        while !aside.is_open() {
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_doubles_up_to_a_bound() {
        let aside = SetAside::default();
        let mut longest = FIRST;
        for failures in 1..10 {
            aside.failed("refused");
            assert_eq!(aside.record().unwrap().failures, failures);
            let pause = wait(&aside).await;
            let slack = Duration::from_millis(20);
            assert!(
                pause >= longest / 2 && pause <= longest + slack,
                "{pause:?}"
            );
            assert!(aside.admit());
            longest = (longest * 2).min(LONGEST);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_tries_it_again_and_the_others_wait_for_that() {
        let aside = SetAside::default();
        aside.failed("refused");
        assert!(!aside.admit());
        wait(&aside).await;
        assert!(aside.admit());
        assert!(!aside.is_open() && !aside.admit(), "on trial");
        aside.succeeded();
        assert!(aside.is_open() && aside.admit() && aside.admit());
        aside.failed("refused");
        assert_eq!(aside.record().unwrap().failures, 1, "it starts anew");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_of_which_nothing_is_heard_is_followed_by_another() {
        let aside = SetAside::default();
        aside.failed("refused");
        wait(&aside).await;
        assert!(aside.admit());
        assert!(wait(&aside).await >= FIRST / 2);
        assert!(aside.admit());
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_together_counts_once() {
        let aside = SetAside::default();
        for number in 0..50 {
            aside.failed(&number.to_string());
        }
        let record = aside.record().unwrap();
        assert_eq!((record.failures, record.why.as_str()), (1, "49"));
    }
}
