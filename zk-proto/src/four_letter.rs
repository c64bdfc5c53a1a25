//! Four-letter words: questions in plain text that a server answers on its client port, and then closes.
//!
//! Only `srvr` may be relied on: the others need a server's whitelist. It tells the version, which the handshake does
//! not.

use nom::bytes::complete::{tag, take_until};
use nom::character::complete::{char, digit1, hex_digit1};
use nom::combinator::map_res;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::Zxid;

/// Asks for the version, the mode and a few counters.
pub const SRVR: &[u8; 4] = b"srvr";
/// Asks whether the server runs: `imok`.
pub const RUOK: &[u8; 4] = b"ruok";
/// Asks whether the server is read-only: `rw` or `ro`.
pub const ISRO: &[u8; 4] = b"isro";

/// A server's version, such as 3.8.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerVersion {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third.
    pub patch: u32,
}

impl ServerVersion {
    /// 3.4.0: what every server has that this crate is made for.
    pub const OLDEST: Self = Self::new(3, 4, 0);

    /// A version by its numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }
}

impl std::fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What `srvr` tells, as far as clients need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srvr {
    /// The server's version.
    pub version: ServerVersion,
    /// The last transaction that the server has seen.
    pub zxid: Option<Zxid>,
    /// `standalone`, `leader`, `follower`, `observer` or `read-only`.
    pub mode: Option<String>,
}

/// Reads the answer to `srvr`; `None` when it is not one (a server that does not allow the word says so in text).
///
/// ```
/// use zk_proto::four_letter::{ServerVersion, parse_srvr};
///
/// let answer = "Zookeeper version: 3.8.0-5a02a05, built on 2022-02-25\nZxid: 0x6e\nMode: standalone\nNode count: 17\n";
/// let srvr = parse_srvr(answer).expect("an answer to srvr");
/// assert_eq!(srvr.version, ServerVersion::new(3, 8, 0));
/// assert_eq!(srvr.mode.as_deref(), Some("standalone"));
/// ```
#[must_use]
pub fn parse_srvr(answer: &str) -> Option<Srvr> {
    let (rest, version) = version_line(answer).ok()?;
    let mut srvr = Srvr {
        version,
        zxid: None,
        mode: None,
    };
    for line in rest.lines() {
        if let Ok((_, zxid)) = zxid_line(line) {
            srvr.zxid = Some(zxid);
        } else if let Some(mode) = line.strip_prefix("Mode: ") {
            srvr.mode = Some(mode.trim().to_owned());
        }
    }
    Some(srvr)
}

fn version_line(input: &str) -> IResult<&str, ServerVersion> {
    let (input, _) = take_until("ookeeper version: ").parse(input)?;
    let (input, _) = tag("ookeeper version: ").parse(input)?;
    let (input, (major, minor, patch)) = (
        number,
        preceded(char('.'), number),
        preceded(char('.'), number),
    )
        .parse(input)?;
    Ok((
        input,
        ServerVersion {
            major,
            minor,
            patch,
        },
    ))
}

fn zxid_line(input: &str) -> IResult<&str, Zxid> {
    map_res(preceded(tag("Zxid: 0x"), hex_digit1), |digits| {
        u64::from_str_radix(digits, 16).map(|n| Zxid(n.cast_signed()))
    })
    .parse(input)
}

fn number(input: &str) -> IResult<&str, u32> {
    map_res(digit1, str::parse).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_word_is_no_answer() {
        assert_eq!(
            parse_srvr("srvr is not executed because it is not in the whitelist.\n"),
            None
        );
        assert_eq!(parse_srvr(""), None);
        assert_eq!(parse_srvr("Zookeeper version: 3.x\n"), None);
    }

    #[test]
    fn versions_order_as_releases_do() {
        assert!(ServerVersion::new(3, 10, 0) > ServerVersion::new(3, 9, 5));
        assert!(ServerVersion::new(3, 4, 14) < ServerVersion::new(3, 6, 0));
    }

    #[test]
    fn zxid_and_mode_are_found_among_the_lines() {
        let answer = "Zookeeper version: 3.4.14-4c25d480, built on 03/06/2019\nLatency min/avg/max: 0/0/0\nZxid: 0x100000002\nMode: follower\n";
        let srvr = parse_srvr(answer).unwrap();
        assert_eq!(srvr.zxid, Some(Zxid(0x1_0000_0002)));
        assert_eq!(srvr.mode.as_deref(), Some("follower"));
    }
}
