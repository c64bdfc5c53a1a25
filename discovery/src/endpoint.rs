//! A host and a port, as instance names, published data and URLs write them.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use nom::bytes::complete::{take_till, take_while};
use nom::character::complete::char;
use nom::combinator::opt;
use nom::error::{ErrorKind, ParseError};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use crate::error::EndpointError;

/// The longest host name accepted, in bytes: the limit of the DNS.
pub const HOST_BYTES_MAX: usize = 253;

/// Where something listens: a host name or address, and a TCP port that is not 0.
///
/// IPv6 addresses are kept in their short form without brackets; [`Display`](fmt::Display) writes
/// the brackets. A link-local address may carry its zone (`fe80::1%eth0`).
///
/// ```
/// use discovery::Endpoint;
///
/// let endpoint: Endpoint = "[0:0:0:0:0:0:0:1]:10000".parse()?;
/// assert_eq!((endpoint.host(), endpoint.port()), ("::1", 10000));
/// assert_eq!(endpoint.to_string(), "[::1]:10000");
/// # Ok::<(), discovery::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// Takes a host name, an IPv4 address, or an IPv6 address with or without brackets.
    ///
    /// # Errors
    /// When the host is empty, too long or holds a character that no host has, and for port 0.
    pub fn new(host: &str, port: u16) -> Result<Self, EndpointError> {
        if port == 0 {
            return Err(EndpointError::BadPort);
        }
        let host = match host_address(host) {
            Some(address) => address,
            None => whole(host_part)(host).map_err(|fault| fault.why)?,
        };
        Ok(Self { host, port })
    }

    /// The host, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Reads `host:port`; the port must be there.
///
/// An IPv6 address belongs in brackets. A server written in Java may leave them out
/// (`0:0:0:0:0:0:0:1:10000`); that is read too where only one reading exists.
impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(endpoint) = without_brackets(text) {
            return endpoint;
        }
        let host_port = whole(host_port)(text).map_err(|fault| fault.why)?;
        host_port
            .port
            .map_or(Err(EndpointError::MissingPort), |port| {
                Ok(Self {
                    host: host_port.host,
                    port,
                })
            })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A host whose port may have been left to the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl HostPort {
    pub(crate) fn or_port(self, default: u16) -> Endpoint {
        Endpoint {
            host: self.host,
            port: self.port.unwrap_or(default),
        }
    }
}

/// What is wrong, and the rest of the text from there.
#[derive(Debug)]
pub(crate) struct EndpointFault<'a> {
    pub(crate) at: &'a str,
    pub(crate) why: EndpointError,
}

impl<'a> ParseError<&'a str> for EndpointFault<'a> {
    fn from_error_kind(at: &'a str, _: ErrorKind) -> Self {
        let why = unexpected(at);
        Self { at, why }
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a str, T, EndpointFault<'a>>;

/// `host[:port]` and nothing after it.
pub(crate) fn one_host_port(text: &str) -> Result<HostPort, EndpointFault<'_>> {
    whole(host_port)(text)
}

/// `host[:port]` *("," `host[:port]`) and nothing after it.
pub(crate) fn host_port_list(text: &str) -> Result<Vec<HostPort>, EndpointFault<'_>> {
    whole(|input| separated_list1(char(','), host_port).parse(input))(text)
}

/// Runs `parser` and lets nothing be left over.
fn whole<'a, T>(
    parser: impl Fn(&'a str) -> Parsed<'a, T>,
) -> impl Fn(&'a str) -> Result<T, EndpointFault<'a>> {
    move |text| match parser(text) {
        Ok(("", value)) => Ok(value),
        Ok((at, _)) => Err(EndpointFault {
            at,
            why: unexpected(at),
        }),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(fault),
        // Complete parsers never ask for more.
        Err(nom::Err::Incomplete(_)) => Err(EndpointFault {
            at: text,
            why: EndpointError::EmptyHost,
        }),
    }
}

fn host_port(input: &str) -> Parsed<'_, HostPort> {
    let (rest, host) = host_part(input)?;
    let (rest, port) = opt(preceded(char(':'), port)).parse(rest)?;
    Ok((rest, HostPort { host, port }))
}

fn host_part(input: &str) -> Parsed<'_, String> {
    if input.starts_with('[') {
        let (rest, inside) = delimited(char('['), take_till(|c| c == ']'), char(']'))
            .parse(input)
            .map_err(|_: nom::Err<EndpointFault<'_>>| fail(input, EndpointError::BadIpv6))?;
        let address = ipv6(inside).ok_or_else(|| fail(input, EndpointError::BadIpv6))?;
        return Ok((rest, address));
    }
    let (_, element) = take_till(|c| c == ',').parse(input)?;
    if let Some((before, _)) = element.split_once('@') {
        let at = input.get(before.len()..).unwrap_or(input);
        return Err(fail(at, EndpointError::UserInfo));
    }
    if element.matches(':').count() > 1 {
        return Err(fail(input, EndpointError::ManyColons));
    }
    let (rest, name) = take_while(is_host_char).parse(input)?;
    if name.is_empty() {
        let why = match unexpected(input) {
            EndpointError::BadCharacter(':') => EndpointError::EmptyHost,
            why => why,
        };
        return Err(fail(input, why));
    }
    if name.len() > HOST_BYTES_MAX {
        return Err(fail(input, EndpointError::HostTooLong));
    }
    Ok((rest, name.to_owned()))
}

fn port(input: &str) -> Parsed<'_, u16> {
    let (rest, digits) = take_while(|c: char| c.is_ascii_digit()).parse(input)?;
    match digits.parse() {
        Ok(port) if port > 0 => Ok((rest, port)),
        _ => Err(fail(input, EndpointError::BadPort)),
    }
}

/// A failure that ends the whole parse: no other reading of the text would do.
fn fail(at: &str, why: EndpointError) -> nom::Err<EndpointFault<'_>> {
    nom::Err::Failure(EndpointFault { at, why })
}

fn unexpected(at: &str) -> EndpointError {
    match at.chars().next() {
        None | Some(',') => EndpointError::EmptyHost,
        Some(c) => EndpointError::BadCharacter(c),
    }
}

/// Underscores are no part of a host name by the book, but container names have them.
fn is_host_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// An IPv6 address in its short form, its zone kept.
fn ipv6(text: &str) -> Option<String> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let address: Ipv6Addr = address.parse().ok()?;
    match zone {
        None => Some(address.to_string()),
        Some(zone) if !zone.is_empty() && zone.len() <= 64 && zone.chars().all(is_host_char) => {
            Some(format!("{address}%{zone}"))
        }
        Some(_) => None,
    }
}

fn host_address(text: &str) -> Option<String> {
    let inside = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    ipv6(inside.unwrap_or(text))
}

/// `1:2:3:4:5:6:7:8:10000`: an IPv6 address without brackets and a port, where the whole is not
/// an address itself.
fn without_brackets(text: &str) -> Option<Result<Endpoint, EndpointError>> {
    if text.starts_with('[') {
        return None;
    }
    let (head, port) = text.rsplit_once(':')?;
    let host = ipv6(head)?;
    if ipv6(text).is_some() {
        return Some(Err(EndpointError::ManyColons));
    }
    Some(match whole(self::port)(port) {
        Ok(port) => Ok(Endpoint { host, port }),
        Err(fault) => Err(fault.why),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, EndpointError> {
        text.parse::<Endpoint>().map(|e| e.to_string())
    }

    #[test]
    fn hosts_and_addresses_are_read() {
        for text in [
            "h:1",
            "host-192-168-45-173:10000",
            "node_1.docker:65535",
            "10.0.0.1:10000",
            "[::1]:10000",
            "[fe80::1%eth0]:10000",
        ] {
            assert_eq!(read(text), Ok(text.to_owned()));
        }
        assert_eq!(read("0:0:0:0:0:0:0:1:10000"), Ok("[::1]:10000".to_owned()));
        assert_eq!(read("::1:10000"), Ok("[::1]:10000".to_owned()));
    }

    #[test]
    fn what_is_no_endpoint_says_why() {
        use EndpointError::*;
        for (text, why) in [
            ("", EmptyHost),
            (":10000", EmptyHost),
            ("h", MissingPort),
            ("h:", BadPort),
            ("h:0", BadPort),
            ("h:65536", BadPort),
            ("h:+1", BadPort),
            ("h:1 ", BadCharacter(' ')),
            ("h:1/x", BadCharacter('/')),
            ("bücher:1", BadCharacter('ü')),
            ("a:b:c", ManyColons),
            ("::1:8080", ManyColons),
            ("[::1:8080", BadIpv6),
            ("[h]:1", BadIpv6),
            ("[fe80::1%]:1", BadIpv6),
            ("[::1]", MissingPort),
            ("me:secret@h:1", UserInfo),
        ] {
            assert_eq!(read(text), Err(why), "{text:?}");
        }
        assert_eq!(
            read(&format!("{}:1", "h".repeat(HOST_BYTES_MAX + 1))),
            Err(HostTooLong)
        );
    }

    #[test]
    fn new_takes_an_address_with_or_without_brackets() {
        assert_eq!(Endpoint::new("::1", 1), Endpoint::new("[::1]", 1));
        assert_eq!(Endpoint::new("h", 0), Err(EndpointError::BadPort));
        assert_eq!(
            Endpoint::new("h;x", 1),
            Err(EndpointError::BadCharacter(';'))
        );
        assert_eq!(
            Endpoint::new("h:1", 1),
            Err(EndpointError::BadCharacter(':'))
        );
    }

    #[test]
    fn a_fault_in_a_list_has_its_place() {
        let list = "a,b:1,c:x,d";
        let fault = host_port_list(list).unwrap_err();
        assert_eq!((fault.at, fault.why), ("x,d", EndpointError::BadPort));
        let fault = host_port_list("a,,b").unwrap_err();
        assert_eq!((fault.at, fault.why), (",b", EndpointError::EmptyHost));
        let fault = host_port_list("a,").unwrap_err();
        assert_eq!((fault.at, fault.why), ("", EndpointError::EmptyHost));
    }
}
