//! DIGEST-MD5 by RFC 2831, the client's side, with `qop=auth`: who speaks is proven, what is said is not protected.
//!
//! ```text
//!   client: (empty)  ──►  server: realm, nonce, …  ──►  client: response  ──►  server: rspauth
//! ```

use std::fmt;

use md5::{Digest, Md5};
use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_while, take_while1};
use nom::combinator::{all_consuming, map, verify};
use nom::multi::{fold_many0, separated_list0};
use nom::sequence::{delimited, preceded, separated_pair};
use nom::{IResult, Parser};

use super::{Answer, SaslError};

/// The name that every ZooKeeper server gives itself in this mechanism.
const DIGEST_URI: &str = "zookeeper/zk-sasl-md5";
/// Challenges are shorter (RFC 2831, 2.1.1).
const CHALLENGE_BYTES_MAX: usize = 2048;
const CNONCE_BYTES: usize = 16;

/// A user who proves to know a password, and has the server prove it too.
pub struct DigestMd5 {
    user: String,
    password: String,
    uri: &'static str,
    cnonce: String,
    state: State,
}

enum State {
    /// The server's challenge is due.
    Challenge,
    /// The server's proof is due, and has to be this.
    Proof(String),
    Done,
}

impl DigestMd5 {
    /// A negotiation as this user.
    ///
    /// # Errors
    /// The system has no random bytes to give.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Result<Self, SaslError> {
        let mut cnonce = [0; CNONCE_BYTES];
        // What a server could foresee would help it to have passwords tried on tables made beforehand.
        getrandom::fill(&mut cnonce).map_err(|error| SaslError::Random(error.to_string()))?;
        Ok(Self::with_cnonce(
            user.into(),
            password.into(),
            hex(&cnonce),
        ))
    }

    fn with_cnonce(user: String, password: String, cnonce: String) -> Self {
        Self {
            user,
            password,
            uri: DIGEST_URI,
            cnonce,
            state: State::Challenge,
        }
    }

    /// The first token: an empty one asks for the challenge.
    pub fn start(&mut self) -> Answer {
        self.state = State::Challenge;
        Answer::Send(Vec::new())
    }

    /// What follows the server's token.
    ///
    /// # Errors
    /// The challenge is malformed or asks for what is not spoken here; the proof is missing or wrong; or no token was
    /// due.
    pub fn step(&mut self, token: &[u8]) -> Result<Answer, SaslError> {
        match &self.state {
            State::Challenge => {
                let challenge = Challenge::parse(token)?;
                let hash = |a2_prefix| self.hash(&challenge, a2_prefix);
                let (response, proof) = (hash("AUTHENTICATE"), hash(""));
                let answer = self.answer(&challenge, &response);
                self.state = State::Proof(proof);
                Ok(Answer::Send(answer))
            }
            State::Proof(expected) => {
                let directives = directives(token)?;
                let proof = directives.iter().find(|(name, _)| name == "rspauth");
                if proof.is_none_or(|(_, proof)| proof != expected.as_bytes()) {
                    return Err(SaslError::ServerNotProven);
                }
                self.state = State::Done;
                Ok(Answer::Done)
            }
            State::Done => Err(SaslError::NotDue),
        }
    }

    /// The response value (RFC 2831, 2.1.2.1); with an empty prefix the server's (2.1.3).
    fn hash(&self, challenge: &Challenge, a2_prefix: &str) -> String {
        let secret = Md5::new()
            .chain_update(latin1_or_utf8(&self.user))
            .chain_update(b":")
            .chain_update(challenge.realm_for_hash())
            .chain_update(b":")
            .chain_update(latin1_or_utf8(&self.password))
            .finalize();
        let a1 = Md5::new()
            .chain_update(secret)
            .chain_update(b":")
            .chain_update(&challenge.nonce)
            .chain_update(b":")
            .chain_update(&self.cnonce)
            .finalize();
        let a2 = Md5::digest(format!("{a2_prefix}:{}", self.uri));
        let response = Md5::new()
            .chain_update(hex(&a1))
            .chain_update(b":")
            .chain_update(&challenge.nonce)
            .chain_update(b":00000001:")
            .chain_update(&self.cnonce)
            .chain_update(b":auth:")
            .chain_update(hex(&a2))
            .finalize();
        hex(&response)
    }

    fn answer(&self, challenge: &Challenge, response: &str) -> Vec<u8> {
        let mut answer = Vec::new();
        if challenge.utf8 {
            answer.extend_from_slice(b"charset=utf-8,");
        }
        put_quoted(&mut answer, "username", &challenge.encode(&self.user));
        if let Some(realm) = &challenge.realm {
            put_quoted(&mut answer, "realm", realm);
        }
        put_quoted(&mut answer, "nonce", &challenge.nonce);
        answer.extend_from_slice(b"nc=00000001,");
        put_quoted(&mut answer, "cnonce", self.cnonce.as_bytes());
        put_quoted(&mut answer, "digest-uri", self.uri.as_bytes());
        answer.extend_from_slice(format!("maxbuf=65536,response={response},qop=auth").as_bytes());
        answer
    }
}

/// Says neither who nor by which password.
impl fmt::Debug for DigestMd5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestMd5").finish_non_exhaustive()
    }
}

/// What the server says first, as far as it matters for `qop=auth`.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: Option<Vec<u8>>,
    nonce: Vec<u8>,
    /// Names are in UTF-8; else in ISO 8859-1.
    utf8: bool,
}

impl Challenge {
    fn parse(token: &[u8]) -> Result<Self, SaslError> {
        let directives = directives(token)?;
        let all = |wanted: &'static str| {
            directives
                .iter()
                .filter(move |(name, _)| name == wanted)
                .map(|(_, value)| value.as_slice())
        };
        let at_most_one = |wanted| {
            let mut values = all(wanted);
            let first = values.next();
            match values.next() {
                Some(_) => Err(SaslError::Challenge("says the same thing twice")),
                None => Ok(first),
            }
        };
        let Some(nonce) = at_most_one("nonce")? else {
            return Err(SaslError::Challenge("has no nonce"));
        };
        match at_most_one("algorithm")? {
            Some(algorithm) if algorithm.eq_ignore_ascii_case(b"md5-sess") => {}
            _ => return Err(SaslError::Challenge("does not name the algorithm md5-sess")),
        }
        let utf8 = match at_most_one("charset")? {
            None => false,
            Some(charset) if charset.eq_ignore_ascii_case(b"utf-8") => true,
            Some(_) => return Err(SaslError::Challenge("names a charset other than utf-8")),
        };
        // Without the directive, authentication is what is offered.
        if let Some(offered) = at_most_one("qop")? {
            let mut offered = offered.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            if !offered.any(|qop| qop.eq_ignore_ascii_case(b"auth")) {
                return Err(SaslError::Challenge("insists on a security layer; use TLS"));
            }
        }
        Ok(Self {
            // Of several realms the first: a user of ZooKeeper has but one.
            realm: all("realm").next().map(<[u8]>::to_vec),
            nonce: nonce.to_vec(),
            utf8,
        })
    }

    /// A name in the charset of the answer. What ISO 8859-1 lacks goes as UTF-8 all the same: the server refuses the
    /// name then, and nobody else's is taken.
    fn encode(&self, name: &str) -> Vec<u8> {
        if self.utf8 {
            name.as_bytes().to_vec()
        } else {
            latin1_or_utf8(name)
        }
    }

    fn realm_for_hash(&self) -> Vec<u8> {
        let realm = self.realm.as_deref().unwrap_or_default();
        match std::str::from_utf8(realm) {
            Ok(realm) if self.utf8 => latin1_or_utf8(realm),
            _ => realm.to_vec(),
        }
    }
}

/// Hashes are made over ISO 8859-1 wherever all characters are in it, whatever the charset of the answer.
fn latin1_or_utf8(text: &str) -> Vec<u8> {
    let latin1: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    latin1.unwrap_or_else(|_| text.as_bytes().to_vec())
}

fn put_quoted(answer: &mut Vec<u8>, name: &str, value: &[u8]) {
    answer.extend_from_slice(name.as_bytes());
    answer.extend_from_slice(b"=\"");
    for &byte in value {
        if byte == b'"' || byte == b'\\' {
            answer.push(b'\\');
        }
        answer.push(byte);
    }
    answer.extend_from_slice(b"\",");
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;

    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

type Directive = (String, Vec<u8>);

/// Reads `name=value,name="value"`: names in lower case, values without their quotes.
fn directives(token: &[u8]) -> Result<Vec<Directive>, SaslError> {
    if token.len() >= CHALLENGE_BYTES_MAX {
        return Err(SaslError::Challenge("is longer than 2 KiB"));
    }
    let separator = || verify(blank, |blank: &[u8]| blank.contains(&b','));
    let list = separated_list0(separator(), directive);
    all_consuming(delimited(blank, list, blank))
        .parse(token)
        .map(|(_, directives)| directives)
        .map_err(|_: nom::Err<nom::error::Error<&[u8]>>| {
            SaslError::Challenge("is not a list of directives")
        })
}

fn directive(input: &[u8]) -> IResult<&[u8], Directive> {
    let equals = (space, tag("="), space);
    let value = alt((quoted, map(word, <[u8]>::to_vec)));
    let name = map(word, |name| {
        String::from_utf8_lossy(name).to_ascii_lowercase()
    });
    separated_pair(name, equals, value).parse(input)
}

fn word(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while1(|byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte))
        .parse(input)
}

fn quoted(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let plain = take_while1(|byte| byte != b'"' && byte != b'\\');
    let escaped = preceded(tag("\\"), take(1_usize));
    let text = fold_many0(alt((plain, escaped)), Vec::new, |mut text, part: &[u8]| {
        text.extend_from_slice(part);
        text
    });
    delimited(tag("\""), text, tag("\"")).parse(input)
}

fn space(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|byte: u8| byte.is_ascii_whitespace()).parse(input)
}

/// Space and commas: elements of a list may be empty.
fn blank(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|byte: u8| byte.is_ascii_whitespace() || byte == b',').parse(input)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(user: &str, password: &str, cnonce: &str) -> DigestMd5 {
        DigestMd5::with_cnonce(user.into(), password.into(), cnonce.into())
    }

    fn text(step: Result<Answer, SaslError>) -> String {
        match step {
            Ok(Answer::Send(token)) => String::from_utf8(token).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Frames of ZooKeeper 3.8.0, which took bob for bob.
    #[test]
    fn a_real_servers_challenge_is_answered_byte_for_byte() {
        let mut bob = digest("bob", "secret", "c25vbmNlY25vbmNl");
        assert_eq!(bob.start(), Answer::Send(Vec::new()));
        let challenge = b"realm=\"zk-sasl-md5\",nonce=\"uOItXRKz8cM4RgJYFjP39L+aDJ+JokTrpkT36FqS\",charset=utf-8,algorithm=md5-sess";
        let answer = text(bob.step(challenge));
        assert_eq!(
            answer,
            "charset=utf-8,username=\"bob\",realm=\"zk-sasl-md5\",nonce=\"uOItXRKz8cM4RgJYFjP39L+aDJ+JokTrpkT36FqS\",nc=00000001,cnonce=\"c25vbmNlY25vbmNl\",digest-uri=\"zookeeper/zk-sasl-md5\",maxbuf=65536,response=60e9acee11fb1d94fb4dfe4cd277000f,qop=auth"
        );
        let proof = b"rspauth=85303db2a8f529b69cbb48586510e3a5";
        assert_eq!(bob.step(proof), Ok(Answer::Done));
        assert_eq!(bob.step(proof), Err(SaslError::NotDue));
    }

    /// The example of RFC 2831, section 4.
    #[test]
    fn the_example_of_the_rfc() {
        let mut chris = digest("chris", "secret", "OA6MHXh6VqTrRk");
        chris.uri = "imap/elwood.innosoft.com";
        let challenge = b"realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\",algorithm=md5-sess,charset=utf-8";
        let answer = text(chris.step(challenge));
        assert!(
            answer.contains("response=d388dad90d4bbd760a152321f2143af7"),
            "{answer}"
        );
        assert_eq!(
            chris.step(b"rspauth=ea40f60335c427b5527b84dbabcdfffd"),
            Ok(Answer::Done)
        );
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_not_believed() {
        for proof in [
            &b""[..],
            b"rspauth=00000000000000000000000000000000",
            b"realm=\"zk-sasl-md5\",nonce=\"n\",algorithm=md5-sess",
        ] {
            let mut bob = digest("bob", "secret", "c");
            text(bob.step(b"nonce=\"n\",algorithm=md5-sess"));
            assert_eq!(bob.step(proof), Err(SaslError::ServerNotProven));
        }
    }

    #[test]
    fn challenges_that_break_the_rules_are_refused() {
        let long = format!("nonce=\"{}\",algorithm=md5-sess", "n".repeat(2048));
        for (challenge, why) in [
            ("", "has no nonce"),
            ("realm=\"r\",algorithm=md5-sess", "has no nonce"),
            (
                "nonce=\"a\",nonce=\"b\",algorithm=md5-sess",
                "says the same thing twice",
            ),
            ("nonce=\"a\"", "does not name the algorithm md5-sess"),
            (
                "nonce=\"a\",algorithm=md5",
                "does not name the algorithm md5-sess",
            ),
            (
                "nonce=\"a\",algorithm=md5-sess,charset=latin1",
                "names a charset other than utf-8",
            ),
            (
                "nonce=\"a\",algorithm=md5-sess,qop=\"auth-int,auth-conf\"",
                "insists on a security layer; use TLS",
            ),
            ("nonce=\"a", "is not a list of directives"),
            (
                "nonce=\"a\" algorithm=md5-sess",
                "is not a list of directives",
            ),
            ("nonce", "is not a list of directives"),
            (&long, "is longer than 2 KiB"),
        ] {
            let refused = digest("bob", "secret", "c").step(challenge.as_bytes());
            assert_eq!(refused, Err(SaslError::Challenge(why)), "{challenge}");
        }
    }

    #[test]
    fn what_the_rules_allow_is_taken() {
        let challenge = b" ,, NONCE=\"a\\\"b\" ,\r\n algorithm = MD5-sess, realm=\"x\",realm=\"y\",qop=\"auth-int, auth\",stale=true,cipher=\"rc4\",maxbuf=1,new-thing=1,";
        assert_eq!(
            Challenge::parse(challenge),
            Ok(Challenge {
                realm: Some(b"x".to_vec()),
                nonce: b"a\"b".to_vec(),
                utf8: false,
            })
        );
        // Without a realm there is none in the answer, and names are in ISO 8859-1.
        let mut digest = digest("b\u{f6}\"b", "secret", "c");
        let Ok(Answer::Send(answer)) = digest.step(b"nonce=n,algorithm=md5-sess") else {
            panic!("refused");
        };
        assert!(
            answer.starts_with(b"username=\"b\xf6\\\"b\",nonce=\"n\","),
            "{answer:?}"
        );
    }

    #[test]
    fn nothing_secret_is_printed() {
        let printed = format!("{:?}", DigestMd5::new("bob", "secret").unwrap());
        assert!(
            !printed.contains("bob") && !printed.contains("secret"),
            "{printed}"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(tokens in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..4)) {
            let mut digest = digest("bob", "secret", "c");
            for token in tokens {
                let _ = digest.step(&token);
            }
        }

        #[test]
        fn near_challenges_are_read_or_refused(challenge in "(nonce|realm|qop|algorithm|rspauth|[a-z]{1,3})?[= ]?(\"|\\\\|,|md5-sess|auth|[a-z\u{e9}]){0,9}(,| |=)?") {
            let _ = directives(challenge.as_bytes());
        }

        #[test]
        fn values_are_read_as_they_were_quoted(value in prop::collection::vec(any::<u8>(), 0..60), other in "[a-z]{1,9}") {
            let mut token = Vec::new();
            put_quoted(&mut token, "nonce", &value);
            put_quoted(&mut token, &other, &value);
            let read = directives(&token).unwrap();
            prop_assert_eq!(read, vec![("nonce".to_owned(), value.clone()), (other, value)]);
        }
    }
}
