//! Waiting for a condition, never for luck.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds; fails, naming what was awaited, at the deadline.
#[track_caller]
pub fn until(
    what: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    let asked_at = std::panic::Location::caller();
    async move {
        let found = some(deadline, async || condition().await.then_some(())).await;
        assert!(
            found.is_some(),
            "{asked_at}: not within {deadline:?}: {what}"
        );
    }
}

/// Waits until `poll` has a value, and returns it; `None` at the deadline.
pub async fn some<T>(deadline: Duration, mut poll: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        // A poll that hangs must not hide the deadline.
        match tokio::time::timeout_at(end, poll()).await {
            Ok(Some(value)) => return Some(value),
            Ok(None) if Instant::now() < end => sleep(POLL_INTERVAL).await,
            Ok(None) | Err(_) => return None,
        }
    }
}
