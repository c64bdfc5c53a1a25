//! Who may log in: the check behind SASL PLAIN and HTTP Basic, whatever it asks, and behind SASL GSSAPI.
//!
//! ```text
//!   user, password ──► checked lately? ──► place in the queue ──► Authenticator ──► yes: remembered for a while
//!                                                                              └──► no: slow, and logged
//!   Kerberos tokens ─────────────────────► place in the queue ──► the system's library, on a thread that may block
//! ```

mod file;
#[cfg(feature = "gssapi")]
mod kerberos;
#[cfg(not(feature = "gssapi"))]
#[path = "no_kerberos.rs"]
mod kerberos;
mod ldap;
mod remembered;

use async_trait::async_trait;
use bytes::Bytes;
use hs2_proto::sasl::{Plain, SecurityLayer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use crate::config::{Authentication, Config};
pub(crate) use kerberos::Acceptor;
use kerberos::Kerberos;
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

/// What follows a client's token.
#[derive(Debug)]
#[cfg_attr(not(feature = "gssapi"), allow(dead_code, reason = "there are none"))]
pub(crate) enum Answer {
    /// Send this token, which may be empty, and give the client's answer to the next step.
    Challenge(Vec<u8>),
    /// The client is this user.
    Known(String),
}

/// Why a login by Kerberos is not taken. The texts are for the client too.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(feature = "gssapi"), allow(dead_code, reason = "there are none"))]
pub(crate) enum KerberosError {
    /// The client has not proven to be a user.
    #[error("{0}")]
    Refused(String),
    /// The token could not be looked at.
    #[error("the login cannot be checked now: too many at once, try again, or another node")]
    Busy,
}

/// The logins of a node.
#[derive(Debug)]
pub(crate) struct Logins {
    method: Method,
    checks: Arc<Semaphore>,
    waiting: Semaphore,
    remembered: Remembered,
}

#[derive(Debug)]
enum Method {
    /// Everybody is believed.
    None,
    Passwords(Arc<dyn Authenticator>),
    Kerberos(Arc<Kerberos>),
}

impl Logins {
    /// As the settings say; `own` is what CUSTOM means. Reads files: it blocks.
    pub(crate) fn new(
        config: &Config,
        own: Option<Arc<dyn Authenticator>>,
    ) -> Result<Self, AuthenticationError> {
        let method = match config.authentication {
            Authentication::None | Authentication::NoSasl => Method::None,
            Authentication::File => Method::Passwords(Arc::new(file::PasswordFile::open(config)?)),
            Authentication::Ldap => Method::Passwords(Arc::new(ldap::Ldap::new(config)?)),
            Authentication::Kerberos => Method::Kerberos(Arc::new(Kerberos::new(config)?)),
            Authentication::Custom => Method::Passwords(own.ok_or_else(|| AuthenticationError {
                method: "CUSTOM",
                problem: "this program brings no check of its own: embed the node as a library and give Node::start_with an Authenticator, or choose FILE or LDAP".to_owned(),
            })?),
        };
        let remembered = Remembered::new().map_err(|error| AuthenticationError {
            method: config.authentication.as_str(),
            problem: format!("no random numbers: {error}"),
        })?;
        Ok(Self {
            method,
            checks: Arc::new(Semaphore::new(CHECKS_MAX)),
            waiting: Semaphore::new(WAITING_MAX),
            remembered,
        })
    }

    /// What a client has to bring where it has to bring something: for one that brings nothing.
    pub(crate) fn wanted(&self) -> Option<String> {
        let (wants, how) = match &self.method {
            Method::None => return None,
            Method::Passwords(_) => ("checks passwords", "user and password".to_owned()),
            Method::Kerberos(kerberos) => (
                "wants Kerberos",
                format!("principal={}", kerberos.principal()),
            ),
        };
        Some(format!(
            "this node {wants}: connect with {how}, and without auth=noSasl"
        ))
    }

    /// The SASL mechanism by which clients log in.
    pub(crate) const fn mechanism(&self) -> &'static str {
        match self.method {
            Method::None | Method::Passwords(_) => Plain::MECHANISM,
            Method::Kerberos(_) => SecurityLayer::MECHANISM,
        }
    }

    /// Begins a login by Kerberos, where that is the way.
    pub(crate) fn accept(&self) -> Option<Acceptor> {
        match &self.method {
            Method::Kerberos(kerberos) => kerberos.accept(),
            Method::None | Method::Passwords(_) => None,
        }
    }

    /// The next step of a login by Kerberos.
    ///
    /// # Cancel safety
    /// The login is gone. A step that blocks keeps its place in the queue until it is done.
    pub(crate) async fn step(
        &self,
        mut acceptor: Acceptor,
        token: Bytes,
    ) -> Result<(Acceptor, Answer), KerberosError> {
        let _waiting = self
            .waiting
            .try_acquire()
            .map_err(|_| KerberosError::Busy)?;
        let check = Arc::clone(&self.checks).acquire_owned().await;
        let check = check.map_err(|_| KerberosError::Busy)?;
        let step = tokio::task::spawn_blocking(move || {
            let _check = check;
            let answer = acceptor.step(&token)?;
            Ok((acceptor, answer))
        });
        step.await.unwrap_or(Err(KerberosError::Busy))
    }

    /// Whether anything is checked.
    pub(crate) const fn are_checked(&self) -> bool {
        !matches!(self.method, Method::None)
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
        let authenticator = match &self.method {
            Method::None if !user.is_empty() => return Ok(()),
            // No password stands for a ticket.
            Method::None | Method::Kerberos(_) => return Err(LoginError::Refused),
            Method::Passwords(authenticator) => authenticator,
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

    #[test]
    fn kerberos_says_what_it_lacks() {
        let mut config = Config::default();
        let mut error = |line: &str| {
            config.apply_text(line).unwrap();
            Logins::new(&config, None).unwrap_err().to_string()
        };
        let first = error("hive.server2.authentication = kerberos");
        if !cfg!(feature = "gssapi") {
            assert!(first.contains("its feature gssapi"), "{first}");
            return;
        }
        assert!(first.contains("kerberos.principal is not set"), "{first}");
        error("hive.server2.authentication.kerberos.principal = hive/_HOST@R");
        for (line, said) in [
            ("kerberos.keytab", "with KRB5_KTNAME=/nonexistent/x"),
            ("hive.server2.thrift.sasl.qop = auth-conf", "set it to auth"),
            ("hive.server2.transport.mode = all", "SPNEGO"),
        ] {
            let line = line.replace(
                "kerberos.keytab",
                "hive.server2.authentication.kerberos.keytab = /nonexistent/x",
            );
            let error = error(&line);
            assert!(error.contains(said), "{error}");
        }
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
