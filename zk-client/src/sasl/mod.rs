//! SASL: proving an identity to the server in several steps, inside the session.
//!
//! The server gives the connection the id `sasl:USER` (or `sasl:PRINCIPAL`), which ACLs of the scheme `sasl` name. It is
//! proven again at every reconnect. SASL authenticates and protects nothing else: use TLS beneath it where the network is
//! not trusted, above all with [`DigestMd5`], whose hashes a listener can try passwords on.

#[cfg(feature = "sasl-digest-md5")]
mod digest_md5;
#[cfg(feature = "gssapi")]
mod gssapi;

use std::fmt;

use bytes::Bytes;

#[cfg(feature = "sasl-digest-md5")]
pub use digest_md5::DigestMd5;
#[cfg(feature = "gssapi")]
pub use gssapi::{Gssapi, GssapiOptions};

/// Whom to be, and how to prove it: for [`ConnectOptions::sasl`](crate::ConnectOptions::sasl).
#[derive(Clone)]
pub struct SaslOptions {
    identity: Identity,
}

#[derive(Clone)]
enum Identity {
    #[cfg(feature = "sasl-digest-md5")]
    DigestMd5 { user: String, password: String },
    #[cfg(feature = "gssapi")]
    Gssapi(GssapiOptions),
}

impl SaslOptions {
    /// A user with a password of the server's JAAS section `Server` (`org.apache.zookeeper.server.auth.DigestLoginModule`).
    #[cfg(feature = "sasl-digest-md5")]
    #[must_use]
    pub fn digest_md5(user: impl Into<String>, password: impl Into<String>) -> Self {
        let identity = Identity::DigestMd5 {
            user: user.into(),
            password: password.into(),
        };
        Self { identity }
    }

    /// Kerberos with the credentials of the environment: `kinit`'s cache (`KRB5CCNAME`), or a keytab
    /// (`KRB5_CLIENT_KTNAME`), from which tickets are fetched and renewed as needed. The server is `zookeeper/HOST`, by the
    /// name in the connect string.
    #[cfg(feature = "gssapi")]
    #[must_use]
    pub fn gssapi() -> Self {
        Self::gssapi_with(GssapiOptions::default())
    }

    /// Kerberos, with names that differ from the usual ones.
    #[cfg(feature = "gssapi")]
    #[must_use]
    pub fn gssapi_with(options: GssapiOptions) -> Self {
        let identity = Identity::Gssapi(options);
        Self { identity }
    }

    /// The mechanism's name.
    #[must_use]
    pub fn mechanism(&self) -> &'static str {
        match self.identity {
            #[cfg(feature = "sasl-digest-md5")]
            Identity::DigestMd5 { .. } => "DIGEST-MD5",
            #[cfg(feature = "gssapi")]
            Identity::Gssapi(_) => "GSSAPI",
        }
    }

    /// Begins to prove the identity to the server at a host, on a new connection.
    ///
    /// # Errors
    /// There is no randomness to be had from the system.
    pub fn begin(&self, host: &str) -> Result<Negotiation, SaslError> {
        let _ = host;
        let mechanism = match &self.identity {
            #[cfg(feature = "sasl-digest-md5")]
            Identity::DigestMd5 { user, password } => {
                Mechanism::DigestMd5(DigestMd5::new(user, password)?)
            }
            #[cfg(feature = "gssapi")]
            Identity::Gssapi(options) => Mechanism::Gssapi(Gssapi::new(options, host)),
        };
        Ok(Negotiation { mechanism })
    }
}

/// Names the mechanism, and neither user nor password.
impl fmt::Debug for SaslOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SaslOptions")
            .field(&self.mechanism())
            .finish()
    }
}

/// What the mechanism says to the server's token.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Send this token, which may be empty, and give the server's answer to the next step.
    Send(Vec<u8>),
    /// Each side has proven itself to the other.
    Done,
}

/// An identity being proven on one connection. [`session`](crate::session) says when a token is due.
#[derive(Debug)]
pub struct Negotiation {
    mechanism: Mechanism,
}

#[derive(Debug)]
enum Mechanism {
    #[cfg(feature = "sasl-digest-md5")]
    DigestMd5(DigestMd5),
    #[cfg(feature = "gssapi")]
    Gssapi(Gssapi),
}

impl Negotiation {
    /// The first token, for `None`, or what follows the server's token; a null token is an empty one. Kerberos may ask
    /// its servers over the network: that is done on a thread for blocking work.
    ///
    /// # Errors
    /// There are no credentials, the server breaks the mechanism's rules, or has not proven to be the server. The
    /// connection is of no use then.
    ///
    /// # Cancel safety
    /// Not safe: the negotiation is gone, and so must be the connection.
    pub async fn next(self, token: Option<Bytes>) -> Result<(Self, Answer), SaslError> {
        match self.mechanism {
            #[cfg(feature = "sasl-digest-md5")]
            Mechanism::DigestMd5(mut digest) => {
                let step = match token {
                    None => digest.start(),
                    Some(token) => digest.step(&token)?,
                };
                let mechanism = Mechanism::DigestMd5(digest);
                Ok((Self { mechanism }, step))
            }
            #[cfg(feature = "gssapi")]
            Mechanism::Gssapi(mut gssapi) => {
                let blocking = tokio::task::spawn_blocking(move || {
                    let step = match token {
                        None => gssapi.start()?,
                        Some(token) => gssapi.step(&token)?,
                    };
                    let mechanism = Mechanism::Gssapi(gssapi);
                    Ok((Self { mechanism }, step))
                });
                blocking
                    .await
                    .unwrap_or_else(|gone| Err(SaslError::Kerberos(gone.to_string())))
            }
        }
    }
}

/// Why an identity could not be proven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SaslError {
    /// The server's token breaks the mechanism's rules, or asks for what is not spoken here.
    #[error("SASL: the server's challenge {0}")]
    Challenge(&'static str),
    /// The server does not know the password: it may be another that poses as it.
    #[error("SASL: the server has not proven that it knows the password")]
    ServerNotProven,
    /// A token came when none was due.
    #[error("SASL: the server goes on after the end of the negotiation")]
    NotDue,
    /// The system has no randomness to give.
    #[error("SASL: no random bytes: {0}")]
    Random(String),
    /// The Kerberos library's word: no credentials, an unknown server, a refused token.
    #[error("SASL: Kerberos: {0}")]
    Kerberos(String),
}
