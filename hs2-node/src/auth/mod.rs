//! Who may log in: the check behind SASL PLAIN and HTTP Basic, whatever it asks.
//!
//! ```text
//!   user, password ──► checked lately? ──► place in the queue ──► Authenticator ──► yes: remembered for a while
//!                                                                              └──► no: slow, and logged
//! ```

mod file;
mod ldap;
mod remembered;

use async_trait::async_trait;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use crate::config::{Authentication, Config};
use remembered::Remembered;

/// A wrong password takes so long to be refused, whatever was wrong. Nothing but the connection waits meanwhile.
const REFUSAL_DELAY: Duration = Duration::from_secs(1);
/// Checks at the same time: a hash is worth a core's tenth of a second.
const CHECKS_MAX: usize = 4;
/// Logins that wait for their check. One more is told to come back.
const WAITING_MAX: usize = 256;
/// Longest name and longest password that are looked at.
const CREDENTIAL_BYTES_MAX: usize = 4096;

/// Says whether users are who they say. Implement it for a directory of your own, and give it to
/// [`Node::start_with`](crate::Node::start_with) with `hive.server2.authentication = CUSTOM`.
///
/// Neither name nor password is ever empty. A refusal is delayed and logged by the node.
#[async_trait]
pub trait Authenticator: std::fmt::Debug + Send + Sync {
    /// Checks a password.
    ///
    /// # Errors
    /// [`LoginError::Refused`] for a wrong one, [`LoginError::Unavailable`] when it cannot be checked.
    async fn check(&self, user: &str, password: &str) -> Result<(), LoginError>;
}

/// Why a login is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Wrong name or password; which of them is not told.
    #[error("Error validating the login")]
    Refused,
    /// The password could not be checked: this node's trouble, not the user's. The text is for the log.
    #[error("the password cannot be checked now: {0}")]
    Unavailable(String),
}

/// Settings that no login can be checked by.
#[derive(Debug, thiserror::Error)]
#[error("hive.server2.authentication = {method}: {problem}")]
pub(crate) struct AuthenticationError {
    pub(crate) method: &'static str,
    pub(crate) problem: String,
}

/// The logins of a node.
#[derive(Debug)]
pub(crate) struct Logins {
    /// `None` where everybody is believed.
    authenticator: Option<Arc<dyn Authenticator>>,
    checks: Semaphore,
    waiting: Semaphore,
    remembered: Remembered,
}

impl Logins {
    /// As the settings say; `own` is what CUSTOM means.
    pub(crate) fn new(
        config: &Config,
        own: Option<Arc<dyn Authenticator>>,
    ) -> Result<Self, AuthenticationError> {
        let authenticator: Option<Arc<dyn Authenticator>> = match config.authentication {
            Authentication::None | Authentication::NoSasl => None,
            Authentication::File => Some(Arc::new(file::PasswordFile::open(config)?)),
            Authentication::Ldap => Some(Arc::new(ldap::Ldap::new(config)?)),
            Authentication::Custom => Some(own.ok_or_else(|| AuthenticationError {
                method: "CUSTOM",
                problem: "this program brings no check of its own: embed the node as a library and give Node::start_with an Authenticator, or choose FILE or LDAP".to_owned(),
            })?),
        };
        let remembered = Remembered::new().map_err(|error| AuthenticationError {
            method: config.authentication.as_str(),
            problem: format!("no random numbers: {error}"),
        })?;
        Ok(Self {
            authenticator,
            checks: Semaphore::new(CHECKS_MAX),
            waiting: Semaphore::new(WAITING_MAX),
            remembered,
        })
    }

    /// Whether anything is checked.
    pub(crate) const fn are_checked(&self) -> bool {
        self.authenticator.is_some()
    }

    /// Checks a login.
    ///
    /// # Cancel safety
    /// Safe: nothing is remembered.
    pub(crate) async fn check(
        &self,
        user: &str,
        password: &str,
        peer: SocketAddr,
    ) -> Result<(), LoginError> {
        let Some(authenticator) = &self.authenticator else {
            return if user.is_empty() {
                Err(LoginError::Refused)
            } else {
                Ok(())
            };
        };
        let started = Instant::now();
        let checked = self.ask(authenticator.as_ref(), user, password).await;
        match &checked {
            Ok(()) => {}
            Err(error @ LoginError::Refused) => {
                tracing::warn!(user = %shown(user), %peer, "login refused: {error}");
                sleep_until(started + REFUSAL_DELAY).await;
            }
            Err(error) => {
                tracing::error!(user = %shown(user), %peer, "login not checked: {error}");
            }
        }
        checked
    }

    /// As [`check`](Self::check), but a login that was checked lately is taken without a new check: HTTP clients
    /// show their password with every call.
    pub(crate) async fn check_again(
        &self,
        user: &str,
        password: &str,
        peer: SocketAddr,
    ) -> Result<(), LoginError> {
        if !self.are_checked() {
            return self.check(user, password, peer).await;
        }
        if self.remembered.knows(user, password) {
            return Ok(());
        }
        self.check(user, password, peer).await?;
        self.remembered.remember(user, password);
        Ok(())
    }

    async fn ask(
        &self,
        authenticator: &dyn Authenticator,
        user: &str,
        password: &str,
    ) -> Result<(), LoginError> {
        // An empty password makes an LDAP bind that proves nothing.
        let lengths = 1..=CREDENTIAL_BYTES_MAX;
        if !lengths.contains(&user.len()) || !lengths.contains(&password.len()) {
            return Err(LoginError::Refused);
        }
        let busy = || LoginError::Unavailable("too many logins at once, try again".to_owned());
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let _check = self.checks.acquire().await.map_err(|_| busy())?;
        authenticator.check(user, password).await
    }
}

/// A name as the log shows it: on one line, and not longer than a name.
fn shown(user: &str) -> String {
    user.chars()
        .take(64)
        .collect::<String>()
        .escape_debug()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Debug, Default)]
    struct Tiger {
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Authenticator for Tiger {
        async fn check(&self, user: &str, password: &str) -> Result<(), LoginError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            match (user, password) {
                ("scott", "tiger") => Ok(()),
                ("nobody", _) => Err(LoginError::Unavailable("no answer".to_owned())),
                _ => Err(LoginError::Refused),
            }
        }
    }

    fn logins() -> (Arc<Tiger>, Logins) {
        let config = Config {
            authentication: Authentication::Custom,
            ..Config::default()
        };
        let tiger = Arc::new(Tiger::default());
        let logins = Logins::new(&config, Some(tiger.clone())).unwrap();
        (tiger, logins)
    }

    const PEER: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

    #[tokio::test]
    async fn refusals_take_their_time_and_nothing_else_does() {
        let (_, logins) = logins();
        let timed = async |user: &str, password: &str| {
            let started = Instant::now();
            let checked = logins.check(user, password, PEER).await;
            (checked, started.elapsed() >= REFUSAL_DELAY)
        };
        assert_eq!(timed("scott", "tiger").await, (Ok(()), false));
        let refused = (Err(LoginError::Refused), true);
        assert_eq!(timed("scott", "lion").await, refused);
        assert_eq!(timed("scott", "").await, refused);
        assert_eq!(timed("", "tiger").await, refused);
        let long = "x".repeat(CREDENTIAL_BYTES_MAX + 1);
        assert_eq!(timed("scott", &long).await, refused);
        let (unavailable, slow) = timed("nobody", "tiger").await;
        assert!(matches!(unavailable, Err(LoginError::Unavailable(_))) && !slow);
    }

    #[tokio::test]
    async fn only_what_was_right_is_remembered_and_only_where_it_is_asked_for() {
        let (tiger, logins) = logins();
        let asked = || tiger.asked.load(Ordering::Relaxed);
        for _ in 0..3 {
            assert_eq!(logins.check_again("scott", "tiger", PEER).await, Ok(()));
        }
        assert_eq!(asked(), 1);
        for wrong in [("scott", "tige"), ("scottt", "iger"), ("scott", "tigerr")] {
            let refused = logins.check_again(wrong.0, wrong.1, PEER).await;
            assert_eq!(refused, Err(LoginError::Refused));
        }
        assert_eq!(asked(), 4);
        assert_eq!(logins.check("scott", "tiger", PEER).await, Ok(()));
        assert_eq!(asked(), 5);
    }

    #[tokio::test]
    async fn a_flood_of_logins_is_turned_away() {
        #[derive(Debug)]
        struct Never;
        #[async_trait]
        impl Authenticator for Never {
            async fn check(&self, _: &str, _: &str) -> Result<(), LoginError> {
                std::future::pending().await
            }
        }
        let config = Config {
            authentication: Authentication::Custom,
            ..Config::default()
        };
        let logins = Arc::new(Logins::new(&config, Some(Arc::new(Never))).unwrap());
        let checks: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let logins = Arc::clone(&logins);
                tokio::spawn(async move { logins.check("scott", "tiger", PEER).await })
            })
            .collect();
        while logins.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let turned_away = logins.check("scott", "tiger", PEER).await;
        assert!(
            matches!(&turned_away, Err(LoginError::Unavailable(text)) if text.contains("too many"))
        );
        for check in checks {
            check.abort();
        }
    }
}
