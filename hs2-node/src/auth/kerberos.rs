//! Kerberos by the system's GSSAPI library, as SASL has it (RFC 4752), without a security layer: TLS is for that.
//!
//! ```text
//!   client: AP-REQ ──► node: AP-REP ──► client: (empty) ──► node: layers it offers ──► client: none of them ──► known
//! ```

use hs2_proto::sasl::SecurityLayer;
use libgssapi::context::{SecurityContext, ServerCtx};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_KRB5_PRINCIPAL, OidSet};
use std::fmt;
use std::sync::Arc;

use super::{Answer, AuthenticationError, KerberosError};
use crate::config::Config;
use crate::drain::host_name;

/// How many tokens may pass before the context stands; Kerberos needs one or two.
const TOKENS_MAX: u32 = 16;
/// What the setting's principal may have in the place of the host's name.
const HOST: &str = "_HOST";

/// The node's own principal, and the keytab that proves it.
pub(crate) struct Kerberos {
    credentials: Cred,
    principal: String,
    /// The realm whose principals have short names.
    realm: String,
}

impl Kerberos {
    /// As the settings say. Reads the keytab, and may ask the DNS for the realm: it blocks.
    pub(super) fn new(config: &Config) -> Result<Self, AuthenticationError> {
        let failed = |problem: String| AuthenticationError {
            method: config.authentication.as_str(),
            problem,
        };
        if config.transport_mode.has_http() {
            let text = "Kerberos by HTTP (SPNEGO) is not supported: set hive.server2.transport.mode = binary";
            return Err(failed(text.to_owned()));
        }
        if config.sasl_qop != "auth" {
            return Err(failed(format!(
                "hive.server2.thrift.sasl.qop = {}: messages are not wrapped: set it to auth, and hive.server2.use.SSL = true for secrecy",
                config.sasl_qop
            )));
        }
        if config.kerberos_principal.is_empty() {
            let text = "hive.server2.authentication.kerberos.principal is not set: it is the principal of this node, such as hive/_HOST@EXAMPLE.COM";
            return Err(failed(text.to_owned()));
        }
        if let Some((name, keytab)) = config.missing_environment() {
            return Err(failed(format!(
                "the Kerberos library takes its keytab from the environment: start this program with {name}={} (`hs2-node serve` does it by itself)",
                keytab.display()
            )));
        }
        let principal = with_host(&config.kerberos_principal, &config.bind_host)
            .ok_or_else(|| failed("this machine does not know its name: write it into hive.server2.authentication.kerberos.principal in the place of _HOST".to_owned()))?;
        let realm = principal_of("user")
            .ok()
            .and_then(|user| Some(user.rsplit_once('@')?.1.to_owned()))
            .filter(|realm| !realm.is_empty())
            .ok_or_else(|| failed("krb5.conf has no default_realm".to_owned()))?;
        let not_ours = |error: libgssapi::error::Error| {
            let keytab = config.kerberos_keytab.as_deref();
            let keytab = keytab.map_or_else(
                || "of the environment".into(),
                |keytab| keytab.to_string_lossy(),
            );
            failed(format!(
                "{error}, for the principal {principal} and the keytab {keytab}"
            ))
        };
        let principal = principal_of(&principal).map_err(not_ours)?;
        let credentials = credentials(&principal).map_err(not_ours)?;
        tracing::info!(principal, "logins by Kerberos");
        Ok(Self {
            credentials,
            principal,
            realm,
        })
    }

    /// What a client has to ask for a ticket to.
    pub(super) fn principal(&self) -> &str {
        &self.principal
    }

    /// Begins a login; in a build without Kerberos there is none.
    pub(super) fn accept(self: &Arc<Self>) -> Option<Acceptor> {
        let context = ServerCtx::new(Some(self.credentials.clone()));
        Some(Acceptor {
            kerberos: Arc::clone(self),
            state: State::Context(context, TOKENS_MAX),
        })
    }
}

/// Has no keys to show.
impl fmt::Debug for Kerberos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kerberos")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

/// The setting's principal with a host's name in it: where to listen if that is a name, else the machine's own.
fn with_host(principal: &str, bind_host: &str) -> Option<String> {
    let is_address = bind_host.parse::<std::net::IpAddr>().is_ok();
    if !principal.contains(HOST) {
        return Some(principal.to_owned());
    }
    let host = if bind_host.is_empty() || is_address {
        host_name()?
    } else {
        bind_host.to_owned()
    };
    Some(principal.replacen(HOST, &host.to_ascii_lowercase(), 1))
}

/// A principal as the library writes it: with its realm.
fn principal_of(name: &str) -> Result<String, libgssapi::error::Error> {
    let name = Name::new(name.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))?;
    let name = name.canonicalize(Some(GSS_MECH_KRB5))?.display_name()?;
    Ok(String::from_utf8_lossy(&name).into_owned())
}

fn credentials(principal: &str) -> Result<Cred, libgssapi::error::Error> {
    let mut mechanisms = OidSet::new();
    mechanisms.add(GSS_MECH_KRB5)?;
    let name = Name::new(principal.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))?;
    Cred::acquire(Some(&name), None, CredUsage::Accept, Some(&mechanisms))
}

/// A login on its way.
pub(crate) struct Acceptor {
    kerberos: Arc<Kerberos>,
    state: State,
}

enum State {
    /// The client's token is due, of so many.
    Context(ServerCtx, u32),
    /// The context stands; the client has to say that it has seen the last token.
    Seen(ServerCtx),
    /// The client's choice of a layer is due.
    Choice(ServerCtx),
    Over,
}

impl Acceptor {
    /// What follows the client's token. It blocks: the library reads the keytab, and writes down what it has seen.
    pub(super) fn step(&mut self, token: &[u8]) -> Result<Answer, KerberosError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Context(mut context, left) => {
                let left = left
                    .checked_sub(1)
                    .ok_or_else(|| refused("Kerberos: too many tokens"))?;
                let answer = context
                    .step(token, None)
                    .map_err(|error| self.failed(&error))?;
                match answer {
                    None => self.offer(context),
                    Some(answer) => {
                        self.state = if context.is_complete() {
                            State::Seen(context)
                        } else {
                            State::Context(context, left)
                        };
                        Ok(Answer::Challenge(answer.to_vec()))
                    }
                }
            }
            State::Seen(context) if token.is_empty() => self.offer(context),
            State::Choice(mut context) => {
                let choice = context.unwrap(token).map_err(|error| self.failed(&error))?;
                let choice =
                    SecurityLayer::parse(&choice).map_err(|error| refused(&error.to_string()))?;
                if !choice.chooses_none() {
                    return Err(refused(
                        "Kerberos: the client chose a security layer that was not offered",
                    ));
                }
                let name = context.source_name().and_then(|name| name.display_name());
                let name = name.map_err(|error| self.failed(&error))?;
                let principal = String::from_utf8_lossy(&name);
                if !choice.authzid.is_empty() && choice.authzid != principal {
                    return Err(refused(&format!(
                        "Kerberos: {principal} may not act as {}: set the session's hive.server2.proxy.user",
                        choice.authzid
                    )));
                }
                let user = short_name(&principal, &self.kerberos.realm);
                user.map(|user| Answer::Known(user.to_owned()))
                    .map_err(|reason| refused(&format!("Kerberos: {} {reason}", principal)))
            }
            State::Seen(_) | State::Over => Err(refused(
                "Kerberos: the client sent a token when none was due",
            )),
        }
    }

    fn offer(&mut self, mut context: ServerCtx) -> Result<Answer, KerberosError> {
        let offer = context
            .wrap(false, &SecurityLayer::NONE)
            .map_err(|error| self.failed(&error))?;
        self.state = State::Choice(context);
        Ok(Answer::Challenge(offer.to_vec()))
    }

    /// The library's words, which it has for the thread that failed.
    fn failed(&self, error: &libgssapi::error::Error) -> KerberosError {
        let text = error.to_string();
        // What says nothing is left out.
        let said = text
            .strip_prefix("Unspecified GSS failure.  Minor code may provide more information (")
            .and_then(|rest| rest.strip_suffix(')'));
        refused(&format!(
            "Kerberos: {}; this node is {}",
            said.unwrap_or(&text),
            self.kerberos.principal
        ))
    }
}

/// Names out of a ticket that nobody has checked may be in the text: it stays on one line.
fn refused(text: &str) -> KerberosError {
    KerberosError::Refused(text.replace(char::is_control, "?"))
}

/// The user that a principal is, by Hadoop's DEFAULT rule of auth_to_local: the first part, if the realm is the own.
fn short_name<'a>(principal: &'a str, own_realm: &str) -> Result<&'a str, String> {
    // The library writes a backslash before what is no separator.
    let (name, realm) = principal
        .split_once('@')
        .filter(|_| !principal.contains('\\'))
        .ok_or("has no form that names a user")?;
    if realm != own_realm {
        return Err(format!(
            "is of another realm: only principals of {own_realm} are users here"
        ));
    }
    let mut parts = name.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        // RFC 6111: the anonymous principal and its like.
        (Some("WELLKNOWN"), _, _) => Err("is nobody in particular".to_owned()),
        (Some(user), host, None) if !user.is_empty() && host != Some("") => Ok(user),
        _ => Err("has no form that names a user".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_the_first_part_of_a_principal_of_the_own_realm() {
        let short = |principal| short_name(principal, "EXAMPLE.COM");
        assert_eq!(short("app@EXAMPLE.COM"), Ok("app"));
        assert_eq!(short("app/host.example.com@EXAMPLE.COM"), Ok("app"));
        let foreign = short("app@OTHER.COM").unwrap_err();
        assert!(foreign.contains("only principals of EXAMPLE.COM"));
        for nobody in [
            "app",
            "@EXAMPLE.COM",
            "/host@EXAMPLE.COM",
            "app/@EXAMPLE.COM",
            "a/b/c@EXAMPLE.COM",
            "app@OTHER@EXAMPLE.COM",
            "app\\@EXAMPLE.COM",
            "king\\/x@EXAMPLE.COM",
            "WELLKNOWN/ANONYMOUS@EXAMPLE.COM",
            "app@example.com",
        ] {
            assert!(short(nobody).is_err(), "{nobody}");
        }
    }

    #[test]
    fn the_host_stands_in_the_place_of_host() {
        let of = |bind_host| with_host("hive/_HOST@R", bind_host);
        assert_eq!(of("Node1.Example.com").unwrap(), "hive/node1.example.com@R");
        let own = format!("hive/{}@R", host_name().unwrap().to_ascii_lowercase());
        for address in ["0.0.0.0", "::", "127.0.0.1", ""] {
            assert_eq!(of(address).as_ref(), Some(&own));
        }
        assert_eq!(with_host("hive/h@R", "x").unwrap(), "hive/h@R");
    }
}
