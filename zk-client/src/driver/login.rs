//! The SASL mechanism's part of a connection. It works beside the socket: asking a Kerberos server takes its time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::sasl::{Answer, Negotiation, SaslError, SaslOptions};
use crate::session::SaslStep;

/// An identity being proven on one connection; nothing between connections.
#[derive(Default)]
pub(super) struct Login {
    /// The server's token is due.
    resting: Option<Negotiation>,
    /// The mechanism's is.
    working: Option<Working>,
}

type Working = Pin<Box<dyn Future<Output = Result<(Negotiation, Answer), SaslError>> + Send>>;

impl Login {
    /// Has the mechanism work on what the session gives it.
    pub(super) fn work(&mut self, options: &SaslOptions, step: SaslStep) {
        let resting = self.resting.take();
        match step {
            SaslStep::Begin(server) => {
                let options = options.clone();
                self.working = Some(Box::pin(async move {
                    options.begin(&server.host)?.next(None).await
                }));
            }
            SaslStep::Challenge(token) => {
                // A challenge follows a token, so that there is a negotiation.
                self.working =
                    resting.map(|negotiation| Box::pin(negotiation.next(Some(token))) as Working);
            }
        }
    }

    /// What the mechanism says, once it does.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, SaslError>> {
        let Some(working) = &mut self.working else {
            return Poll::Pending;
        };
        working.as_mut().poll(cx).map(|done| {
            self.working = None;
            let (negotiation, answer) = done?;
            self.resting = Some(negotiation);
            Ok(answer)
        })
    }
}
