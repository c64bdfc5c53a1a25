//! Kerberos by the system's GSSAPI library (RFC 4752), without a security layer: TLS is for that.
//!
//! ```text
//!   client: AP-REQ ──► server: AP-REP ──► client: (empty) ──► server: layers it offers ──► client: none of them
//!     ──► server: (empty)
//! ```

use std::fmt;

use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_HOSTBASED_SERVICE, GSS_NT_KRB5_PRINCIPAL, OidSet};

use super::{Answer, SaslError};

/// How many tokens may pass before the context stands; Kerberos needs two.
const TOKENS_MAX: u32 = 16;
/// "No security layer" among the layers offered and chosen.
const NO_LAYER: u8 = 1;

/// Names in Kerberos that differ from the usual ones.
#[derive(Clone, Default)]
pub struct GssapiOptions {
    principal: Option<String>,
    service: Option<String>,
    server_principal: Option<String>,
}

impl GssapiOptions {
    /// The usual names: the environment's own principal, and `zookeeper/HOST` for the server.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Be this principal, such as `app@EXAMPLE.COM`, where the environment has credentials of several.
    #[must_use]
    pub fn principal(mut self, principal: impl Into<String>) -> Self {
        self.principal = Some(principal.into());
        self
    }

    /// The servers' service name, `zookeeper` by default (Java: `zookeeper.sasl.client.username`).
    #[must_use]
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// The principal of every server, whatever its host, such as `zookeeper/ensemble@EXAMPLE.COM` (Java:
    /// `zookeeper.server.principal`).
    #[must_use]
    pub fn server_principal(mut self, principal: impl Into<String>) -> Self {
        self.server_principal = Some(principal.into());
        self
    }
}

/// Says neither who nor to whom.
impl fmt::Debug for GssapiOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GssapiOptions").finish_non_exhaustive()
    }
}

/// A principal who proves to be it, and has the server prove its own.
///
/// Every step may ask the Kerberos servers, and blocks meanwhile.
pub struct Gssapi {
    options: GssapiOptions,
    host: String,
    state: State,
}

enum State {
    New,
    /// The server's token is due, of so many.
    Context(ClientCtx, u32),
    /// The context stands; the server's offer of layers is due.
    Layers(ClientCtx),
    /// The server's last word is due.
    LastWord,
    Over,
}

impl Gssapi {
    /// A negotiation with the server at a host.
    #[must_use]
    pub fn new(options: &GssapiOptions, host: &str) -> Self {
        Self {
            options: options.clone(),
            host: host.to_owned(),
            state: State::New,
        }
    }

    /// The first token.
    ///
    /// # Errors
    /// There are no credentials, or no ticket is to be had for the server.
    pub fn start(&mut self) -> Result<Answer, SaslError> {
        let context = self.context().map_err(|error| self.failed(&error))?;
        self.advance(context, None, TOKENS_MAX)
    }

    /// What follows the server's token.
    ///
    /// # Errors
    /// The server is not who it should be, refuses the ticket, or breaks the rules.
    pub fn step(&mut self, token: &[u8]) -> Result<Answer, SaslError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Context(context, left) => self.advance(context, Some(token), left),
            State::Layers(mut context) => {
                let offer = context.unwrap(token).map_err(|error| self.failed(&error))?;
                // One byte of layers, three of the longest message under one.
                let [layers, _, _, _] = *offer else {
                    return Err(SaslError::Challenge("is no offer of security layers"));
                };
                if layers & NO_LAYER == 0 {
                    return Err(SaslError::Challenge("insists on a security layer; use TLS"));
                }
                // Behind the choice there could be another name to act as: none, so the principal's own.
                let choice = context
                    .wrap(false, &[NO_LAYER, 0, 0, 0])
                    .map_err(|error| self.failed(&error))?;
                self.state = State::LastWord;
                Ok(Answer::Send(choice.to_vec()))
            }
            State::LastWord => Ok(Answer::Done),
            State::New | State::Over => Err(SaslError::NotDue),
        }
    }

    fn context(&self) -> Result<ClientCtx, libgssapi::error::Error> {
        let options = &self.options;
        let target = match &options.server_principal {
            Some(principal) => Name::new(principal.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))?,
            None => {
                let service = options.service.as_deref().unwrap_or("zookeeper");
                let service = format!("{service}@{}", self.host);
                Name::new(service.as_bytes(), Some(GSS_NT_HOSTBASED_SERVICE))?
            }
        };
        let mut mechanisms = OidSet::new();
        mechanisms.add(GSS_MECH_KRB5)?;
        let principal = options
            .principal
            .as_ref()
            .map(|principal| Name::new(principal.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL)));
        let credentials = Cred::acquire(
            principal.transpose()?.as_ref(),
            None,
            CredUsage::Initiate,
            Some(&mechanisms),
        )?;
        let flags = CtxFlags::GSS_C_MUTUAL_FLAG | CtxFlags::GSS_C_INTEG_FLAG;
        Ok(ClientCtx::new(
            Some(credentials),
            target,
            flags,
            Some(GSS_MECH_KRB5),
        ))
    }

    fn advance(
        &mut self,
        mut context: ClientCtx,
        token: Option<&[u8]>,
        left: u32,
    ) -> Result<Answer, SaslError> {
        let Some(left) = left.checked_sub(1) else {
            return Err(SaslError::Challenge("is one of too many"));
        };
        let answer = context
            .step(token, None)
            .map_err(|error| self.failed(&error))?;
        self.state = if context.is_complete() {
            State::Layers(context)
        } else {
            State::Context(context, left)
        };
        Ok(Answer::Send(
            answer.map_or_else(Vec::new, |answer| answer.to_vec()),
        ))
    }

    fn failed(&self, error: &libgssapi::error::Error) -> SaslError {
        let server = self.options.server_principal.clone().unwrap_or_else(|| {
            let service = self.options.service.as_deref().unwrap_or("zookeeper");
            format!("{service}/{}", self.host)
        });
        SaslError::Kerberos(format!("{error}, for the server {server}"))
    }
}

/// Says neither who nor to whom.
impl fmt::Debug for Gssapi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gssapi").finish_non_exhaustive()
    }
}
