//! Connect strings: `host:port,host:port/chroot`, the way every ZooKeeper client names an ensemble.

use std::fmt;
use std::str::FromStr;

use nom::branch::alt;
use nom::bytes::complete::take_while1;
use nom::character::complete::{char, digit1};
use nom::combinator::{cut, opt, verify};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use crate::path;

/// The port that is meant when none is given.
pub const DEFAULT_PORT: u16 = 2181;

/// The servers of an ensemble, and the znode that a client takes for its root.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectString {
    /// At least one server, in the order given.
    pub hosts: Vec<HostPort>,
    /// A path such as `/app`; `None` for the whole tree.
    pub chroot: Option<String>,
}

/// A host, by name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Prints `host:port`, an IPv6 address in brackets.
impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for ConnectString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, host) in self.hosts.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{host}")?;
        }
        f.write_str(self.chroot.as_deref().unwrap_or_default())
    }
}

/// A text that names no ensemble.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a connect string: {reason} (at byte {position}); write host:port,host:port/chroot"
)]
pub struct ConnectStringError {
    /// What was given.
    pub text: String,
    /// Byte offset of the fault.
    pub position: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

/// Reads a connect string. Empty entries are dropped, spaces around an entry ignored, a port left out is
/// [`DEFAULT_PORT`], and a lone `/` is no chroot, as in the Java client.
impl FromStr for ConnectString {
    type Err = ConnectStringError;

    fn from_str(text: &str) -> Result<Self, ConnectStringError> {
        let fail = |position, reason| {
            Err(ConnectStringError {
                text: text.to_owned(),
                position,
                reason,
            })
        };
        let (servers, chroot) = text.find('/').map_or((text, ""), |at| text.split_at(at));
        let chroot = match chroot {
            "" | "/" => None,
            chroot => match path::check(chroot) {
                Ok(()) => Some(chroot.to_owned()),
                Err(error) => return fail(servers.len() + error.position, error.reason),
            },
        };
        let mut hosts = Vec::new();
        let mut position = 0;
        for entry in servers.split(',') {
            let lead = entry.len() - entry.trim_start().len();
            let entry_text = entry.trim();
            if !entry_text.is_empty() {
                match server(entry_text) {
                    Ok(("", host)) => hosts.push(host),
                    Ok((rest, _)) => {
                        return fail(
                            position + lead + entry_text.len() - rest.len(),
                            "this does not belong to host:port",
                        );
                    }
                    Err(nom::Err::Error(error) | nom::Err::Failure(error)) => {
                        return fail(
                            position + lead + entry_text.len() - error.input.len(),
                            "a host or a port is expected",
                        );
                    }
                    Err(nom::Err::Incomplete(_)) => {
                        return fail(position + lead, "a host or a port is expected");
                    }
                }
            }
            position += entry.len() + 1;
        }
        if hosts.is_empty() {
            return fail(0, "no server is named");
        }
        Ok(Self { hosts, chroot })
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn server(input: &str) -> IResult<&str, HostPort> {
    let address = take_while1(|c: char| c.is_ascii_alphanumeric() || ".:%_-".contains(c));
    let v6 = delimited(char('['), cut(address), cut(char(']')));
    let name = take_while1(|c: char| !c.is_whitespace() && !c.is_control() && !",:/[]".contains(c));
    let (input, host) = alt((v6, name)).parse(input)?;
    let (input, port) = opt(preceded(char(':'), cut(port))).parse(input)?;
    Ok((
        input,
        HostPort {
            host: host.to_owned(),
            port: port.unwrap_or(DEFAULT_PORT),
        },
    ))
}

fn port(input: &str) -> IResult<&str, u16> {
    let (rest, digits) = verify(digit1, |digits: &str| {
        digits.parse::<u16>().is_ok_and(|port| port > 0)
    })
    .parse(input)?;
    Ok((rest, digits.parse().unwrap_or(DEFAULT_PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(host: &str, port: u16) -> HostPort {
        HostPort {
            host: host.into(),
            port,
        }
    }

    #[test]
    fn servers_ports_and_chroot() {
        let parsed: ConnectString = "zk1, zk2:2182,,[::1]:2183,[fe80::1%eth0]/app/x"
            .parse()
            .unwrap();
        assert_eq!(
            parsed.hosts,
            [
                host("zk1", 2181),
                host("zk2", 2182),
                host("::1", 2183),
                host("fe80::1%eth0", 2181)
            ]
        );
        assert_eq!(parsed.chroot.as_deref(), Some("/app/x"));
        assert_eq!(
            parsed.to_string(),
            "zk1:2181,zk2:2182,[::1]:2183,[fe80::1%eth0]:2181/app/x"
        );
        assert_eq!("a/".parse::<ConnectString>().unwrap().chroot, None);
    }

    #[test]
    fn faults_have_a_position() {
        for (text, position) in [
            ("", 0),
            (",", 0),
            ("zk1:x", 4),
            ("zk1:99999", 4),
            ("zk1:0", 4),
            ("zk1,zk2:21:81", 10),
            ("zk1,:2181", 4),
            ("zk1/a//b", 6),
            ("[::1", 4),
        ] {
            assert_eq!(
                text.parse::<ConnectString>()
                    .map_err(|error| error.position),
                Err(position),
                "{text}"
            );
        }
    }
}
