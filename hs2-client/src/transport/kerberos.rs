//! Kerberos by the system's GSSAPI library, as SASL has it (RFC 4752), without a security layer: TLS is for that.
//!
//! ```text
//!   client: AP-REQ ──► server: AP-REP ──► client: (empty) ──► server: layers it offers ──► client: none of them
//! ```

use super::Server;
use crate::error::Error;
use bytes::Bytes;
use hs2_proto::sasl::SecurityLayer;
use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_HOSTBASED_SERVICE, GSS_NT_KRB5_PRINCIPAL, OidSet};
use std::time::Duration;
use tokio::time::timeout;

/// How many tokens may pass before the context stands; Kerberos needs two.
const TOKENS_MAX: u32 = 16;
/// What a principal may have in the place of the server's host.
const HOST: &str = "_HOST";

/// A login on its way, with what is told about it.
pub(super) struct Initiator {
    /// `host:port`.
    server: String,
    /// The server's principal: as it was given, then with the host in it.
    principal: String,
    /// Who logs in.
    user: String,
    state: State,
}

enum State {
    /// For the server at this host.
    New(String),
    /// The server's token is due, of so many.
    Context(ClientCtx, u32),
    /// The context stands; the server's offer of layers is due.
    Layers(ClientCtx),
    /// All has been said.
    Done,
    Over,
}

/// Why a step fails.
enum Failed {
    /// The library's words: they are this thread's.
    Library(String),
    /// The server breaks the rules.
    Server(&'static str),
}

impl From<libgssapi::error::Error> for Failed {
    fn from(error: libgssapi::error::Error) -> Self {
        let text = error.to_string();
        // What says nothing is left out.
        let said = text
            .strip_prefix("Unspecified GSS failure.  Minor code may provide more information (")
            .and_then(|rest| rest.strip_suffix(')'));
        Self::Library(said.unwrap_or(&text).to_owned())
    }
}

impl Initiator {
    /// A login at a server that is this principal.
    pub(super) fn new(server: &Server, principal: &str) -> Self {
        Self {
            server: server.name(),
            principal: principal.to_owned(),
            user: "the user of the Kerberos tickets".to_owned(),
            state: State::New(server.host.clone()),
        }
    }

    /// Who logs in, once that is known.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Whether the server has proven itself, and nothing is left to be said.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The first token, for `None`, or what follows the server's token. The first one may ask the Kerberos servers, which
    /// get so long: that is done on a thread for blocking work.
    ///
    /// # Cancel safety
    /// The login is gone.
    pub(super) async fn next(
        mut self,
        token: Option<Bytes>,
        patience: Duration,
    ) -> Result<(Self, Vec<u8>), Error> {
        let (server, principal) = (self.server.clone(), self.principal.clone());
        let step = tokio::task::spawn_blocking(move || {
            let answer = self.step(token.as_deref());
            (self, answer)
        });
        let (server, principal, reason) = match timeout(patience, step).await {
            Ok(Ok((this, Ok(answer)))) => return Ok((this, answer)),
            Ok(Ok((this, Err(Failed::Server(reason))))) => {
                return Err(Error::Protocol {
                    server: this.server,
                    reason: reason.to_owned(),
                });
            }
            Ok(Ok((this, Err(Failed::Library(reason))))) => (this.server, this.principal, reason),
            Ok(Err(gone)) => (server, principal, gone.to_string()),
            Err(_) => {
                let reason = format!("no ticket within {patience:?} from the realm's servers");
                (server, principal, reason)
            }
        };
        Err(Error::Kerberos {
            server,
            principal,
            reason,
        })
    }

    fn step(&mut self, token: Option<&[u8]>) -> Result<Vec<u8>, Failed> {
        match (std::mem::replace(&mut self.state, State::Over), token) {
            (State::New(host), None) => {
                self.principal = with_host(&self.principal, &host)?;
                let context = self.context()?;
                self.advance(context, None, TOKENS_MAX)
            }
            (State::Context(context, left), Some(token)) => {
                self.advance(context, Some(token), left)
            }
            (State::Layers(mut context), Some(token)) => {
                let offer = context.unwrap(token)?;
                let offer = SecurityLayer::parse(&offer)
                    .map_err(|_| Failed::Server("its offer of security layers is none"))?;
                if !offer.offers_none() {
                    return Err(Failed::Server(
                        "it insists on a security layer of SASL (hive.server2.thrift.sasl.qop), which this client does not have: TLS is for that",
                    ));
                }
                // Behind the choice there could be another name to act as: none, so the principal's own.
                let choice = context.wrap(false, &SecurityLayer::NONE)?;
                self.state = State::Done;
                Ok(choice.to_vec())
            }
            _ => Err(Failed::Server("it goes on after the end of the login")),
        }
    }

    fn context(&mut self) -> Result<ClientCtx, Failed> {
        let target = Name::new(self.principal.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))?;
        let mut mechanisms = OidSet::new();
        mechanisms.add(GSS_MECH_KRB5)?;
        let credentials = Cred::acquire(None, None, CredUsage::Initiate, Some(&mechanisms))?;
        if let Ok(name) = credentials.name().and_then(|name| name.display_name()) {
            self.user = String::from_utf8_lossy(&name).into_owned();
        }
        Ok(ClientCtx::new(
            Some(credentials),
            target,
            CtxFlags::GSS_C_MUTUAL_FLAG | CtxFlags::GSS_C_INTEG_FLAG,
            Some(GSS_MECH_KRB5),
        ))
    }

    fn advance(
        &mut self,
        mut context: ClientCtx,
        token: Option<&[u8]>,
        left: u32,
    ) -> Result<Vec<u8>, Failed> {
        let left = left
            .checked_sub(1)
            .ok_or(Failed::Server("it sends too many Kerberos tokens"))?;
        let answer = context.step(token, None)?;
        self.state = if context.is_complete() {
            State::Layers(context)
        } else {
            State::Context(context, left)
        };
        Ok(answer.map_or_else(Vec::new, |answer| answer.to_vec()))
    }
}

/// A principal with the server's host in it, by the name that krb5.conf's rules make of the one that was dialled
/// (`dns_canonicalize_hostname`, `rdns`): Java takes the canonical one too.
fn with_host(principal: &str, host: &str) -> Result<String, Failed> {
    if !principal.contains(HOST) {
        return Ok(principal.to_owned());
    }
    let name = Name::new(
        format!("host@{host}").as_bytes(),
        Some(GSS_NT_HOSTBASED_SERVICE),
    )?;
    let name = name.canonicalize(Some(GSS_MECH_KRB5))?.display_name()?;
    let name = String::from_utf8_lossy(&name);
    let canonical = name
        .strip_prefix("host/")
        .and_then(|rest| Some(rest.rsplit_once('@')?.0));
    let host = canonical.unwrap_or(host).to_ascii_lowercase();
    Ok(principal.replacen(HOST, &host, 1))
}
