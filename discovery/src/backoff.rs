//! Pauses between attempts that go on for ever.

use std::time::Duration;

use tokio::time::sleep;

/// The first pause.
const MIN: Duration = Duration::from_millis(50);
/// The longest.
const MAX: Duration = Duration::from_secs(5);

/// Pauses that double with each failure in a row, and that differ from those of others.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// After a failure.
    pub(crate) async fn pause(&mut self) {
        sleep(self.next()).await;
    }

    fn next(&mut self) -> Duration {
        let pause = pause_after(self.failures, MIN, MAX);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

/// A pause from half of `first` to `first`, doubled by each of the failures before it, up to `longest`.
pub(crate) fn pause_after(failures_before: u32, first: Duration, longest: Duration) -> Duration {
    let pause = first.saturating_mul(2_u32.saturating_pow(failures_before));
    pause.min(longest).mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_start_again_after_a_success() {
        let mut backoff = Backoff::default();
        let first = backoff.next();
        assert!(first >= MIN / 2 && first <= MIN, "{first:?}");
        let longest = (0..100).map(|_| backoff.next()).max().unwrap();
        assert!(longest > MAX / 2 && longest <= MAX, "{longest:?}");
        backoff.reset();
        assert!(backoff.next() <= MIN);
    }
}
