//! Progress and log lines of an operation while it runs.

use super::{Operation, Poll};
use crate::error::Error;
use hs2_proto::tcli::{GetOperationStatusResp, JobExecutionStatus, ProgressUpdateResp};

/// What [`Operation::watch`] tells while an operation runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// How far it is, each time the server was asked and had something to say.
    Progress(&'a ProgressUpdateResp),
    /// A line of its log.
    Log(&'a str),
}

/// Answers with lines that are taken at the end: a server that never runs out of them must not hold us for ever.
const LAST_LOGS_MAX: usize = 100;

impl Operation {
    /// Waits as [`Operation::wait`] does and tells `on_event` of progress and log lines. A server without logs, or one
    /// that fails to give them, is waited for all the same.
    ///
    /// Each line is told once, and not again by [`Operation::logs`].
    ///
    /// # Errors
    /// As [`Operation::wait`]; the log is told before.
    ///
    /// # Cancel safety
    /// Safe: the operation goes on. Lines that the server has sent already may be lost.
    pub async fn watch(
        &self,
        mut on_event: impl FnMut(Event<'_>),
    ) -> Result<GetOperationStatusResp, Error> {
        let mut poll = Poll::new();
        let mut has_logs = true;
        loop {
            let answer = poll.status(self).await?;
            if let Some(progress) = &answer.progress_update_response
                && progress.status != JobExecutionStatus::NOT_AVAILABLE
            {
                on_event(Event::Progress(progress));
            }
            let ended = self.ended(answer);
            let rounds = if matches!(ended, Ok(None)) {
                1
            } else {
                LAST_LOGS_MAX
            };
            for _ in 0..rounds {
                if !has_logs {
                    break;
                }
                match self.logs().await {
                    Ok(lines) if lines.is_empty() => break,
                    Ok(lines) => lines.iter().for_each(|line| on_event(Event::Log(line))),
                    Err(Error::Server(_) | Error::Exception(_)) => has_logs = false,
                    // The connection is gone; how the operation ended is the better news where it is known.
                    Err(error) => return ended.and_then(|answer| answer.ok_or(error)),
                }
            }
            if let Some(answer) = ended? {
                return Ok(answer);
            }
            poll.pause().await;
        }
    }
}
