//! The name of an instance's znode:
//! `serverUri=<host>:<port>;version=<version>[;<attribute>=<value>…];sequence=<10 digits>`.
//!
//! Hive writes no attributes. Kyuubi adds some, among them `refId=<uuid>` for an engine, and its
//! releases 1.0 to 1.3 wrote `serviceUri=`. The digits are the counter that ZooKeeper appends to a
//! sequential znode.
//!
//! Other children live in a namespace too: `leader` (the latch of Hive's privilege synchronizer,
//! HIVE-25411), locks, names put there by hand. Reading such a name gives the reason why it is no
//! instance, and is no failure of the namespace.

use std::fmt;
use std::str::FromStr;

use crate::endpoint::Endpoint;
use crate::error::{NameError, NotAnInstance};
use crate::namespace::is_znode_char;

/// The name of an instance's znode, taken apart.
///
/// It keeps the text it was read from, so that [`as_str`](Self::as_str) is the znode's name byte
/// for byte, whoever wrote it.
///
/// ```
/// use discovery::InstanceName;
///
/// let name: InstanceName = "serverUri=h1:10000;version=3.1.0.3.0.1.0-187;sequence=0000000001".parse()?;
/// assert_eq!(name.endpoint().to_string(), "h1:10000");
/// assert!(name.matches_version("3.1.0.3.0.1.0-187"));
/// assert!(!name.matches_version("3.1.0"));
/// assert_eq!(name.sequence().get(), 1);
///
/// assert!("leader".parse::<InstanceName>().is_err());
/// # Ok::<(), discovery::NotAnInstance>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceName {
    text: String,
    endpoint: Endpoint,
    version: String,
    sequence: SequenceNumber,
}

impl InstanceName {
    /// The name to create with mode `EPHEMERAL_SEQUENTIAL`: it ends in `sequence=`, and ZooKeeper
    /// appends the digits.
    ///
    /// # Errors
    /// When the version is empty or holds `;`, `/` or a character that ZooKeeper refuses in a path.
    pub fn prefix(endpoint: &Endpoint, version: &str) -> Result<String, NameError> {
        if version.is_empty() {
            return Err(NameError::EmptyVersion);
        }
        let refused = |&c: &char| matches!(c, ';' | '/') || !is_znode_char(c);
        if let Some(c) = version.chars().find(refused) {
            return Err(NameError::BadVersion(c));
        }
        Ok(format!("serverUri={endpoint};version={version};sequence="))
    }

    /// The znode's name, exactly as it was read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the instance says it listens. For a server in Hive 4's transport mode `all` it is
    /// the binary port.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The version it registered with: any text, vendor builds included.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The number that ZooKeeper gave the znode.
    #[must_use]
    pub fn sequence(&self) -> SequenceNumber {
        self.sequence
    }

    /// A further attribute, such as Kyuubi's `refId`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut pairs = self.text.split(';').filter_map(|part| part.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Whether this is exactly version `version`.
    ///
    /// Hive's `--deregister` looks for the text `version=<argument>;` anywhere in the name. This
    /// compares the attribute itself: `1.0` is neither `1.0.1` nor `11.0`, nor the end of some
    /// other attribute's name.
    #[must_use]
    pub fn matches_version(&self, version: &str) -> bool {
        self.version == version
    }
}

/// Reads a child's name.
impl FromStr for InstanceName {
    type Err = NotAnInstance;

    fn from_str(text: &str) -> Result<Self, NotAnInstance> {
        let mut parts = text.split(';');
        let uri = parts.next().and_then(|first| {
            first
                .strip_prefix("serverUri=")
                .or_else(|| first.strip_prefix("serviceUri="))
        });
        let endpoint = uri.ok_or(NotAnInstance::Foreign)?.parse()?;
        let sequence = parts
            .next_back()
            .and_then(|last| last.strip_prefix("sequence="))
            .ok_or(NotAnInstance::NoSequence)?
            .parse()?;
        let mut versions = parts.filter_map(|part| part.strip_prefix("version="));
        let version = versions.next().ok_or(NotAnInstance::NoVersion)?.to_owned();
        if versions.next().is_some() {
            return Err(NotAnInstance::TwoVersions);
        }
        Ok(Self {
            text: text.to_owned(),
            endpoint,
            version,
            sequence,
        })
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The counter of a sequential znode: signed, 32 bits, written in at least ten characters.
///
/// It grows with every child ever created under the parent and turns negative after 2147483647.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(i32);

impl SequenceNumber {
    /// Takes the number itself.
    #[must_use]
    pub fn new(number: i32) -> Self {
        Self(number)
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> i32 {
        self.0
    }
}

/// Reads the digits as ZooKeeper writes them (`%010d`), and nothing else.
impl FromStr for SequenceNumber {
    type Err = NotAnInstance;

    fn from_str(text: &str) -> Result<Self, NotAnInstance> {
        text.parse()
            .map(Self)
            .ok()
            .filter(|number| number.to_string() == text)
            .ok_or(NotAnInstance::BadSequence)
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::EndpointError;

    fn read(text: &str) -> Result<InstanceName, NotAnInstance> {
        text.parse()
    }

    #[test]
    fn a_hive_name_seen_in_the_wild() {
        let text =
            "serverUri=host-192-168-45-173:10000;version=3.1.0.3.0.1.0-187;sequence=0000000001";
        let name = read(text).unwrap();
        assert_eq!(name.as_str(), text);
        assert_eq!(name.endpoint().host(), "host-192-168-45-173");
        assert_eq!(name.endpoint().port(), 10000);
        assert_eq!(name.version(), "3.1.0.3.0.1.0-187");
        assert_eq!(name.sequence(), SequenceNumber::new(1));
    }

    #[test]
    fn kyuubi_names() {
        let engine = "serverUri=10.1.2.3:41017;version=1.9.0;kyuubi.engine.id=app_1;refId=8f3b;sequence=0000000042";
        let name = read(engine).unwrap();
        assert_eq!(name.attribute("refId"), Some("8f3b"));
        assert_eq!(name.attribute("absent"), None);
        let old = read("serviceUri=h:10009;version=1.3.0-incubating;sequence=0000000000").unwrap();
        assert_eq!(old.version(), "1.3.0-incubating");
    }

    #[test]
    fn ipv6_and_negative_sequence() {
        let name = read("serverUri=[::1]:10000;version=1;sequence=-2147483648").unwrap();
        assert_eq!(name.endpoint().host(), "::1");
        assert_eq!(name.sequence().get(), i32::MIN);
        let name = read("serverUri=h:1;version=1;sequence=-000000005").unwrap();
        assert_eq!(name.sequence().get(), -5);
    }

    #[test]
    fn foreign_children_say_why() {
        for (text, why) in [
            ("leader", NotAnInstance::Foreign),
            ("", NotAnInstance::Foreign),
            ("lock-0000000003", NotAnInstance::Foreign),
            (
                "_c_6f1e-serverUri=h:1;version=1;sequence=0000000001",
                NotAnInstance::Foreign,
            ),
            ("serverUri=h:1", NotAnInstance::NoSequence),
            ("serverUri=h:1;version=1", NotAnInstance::NoSequence),
            (
                "serverUri=h:1;version=1;sequence=",
                NotAnInstance::BadSequence,
            ),
            (
                "serverUri=h:1;version=1;sequence=1",
                NotAnInstance::BadSequence,
            ),
            (
                "serverUri=h:1;version=1;sequence=+000000001",
                NotAnInstance::BadSequence,
            ),
            (
                "serverUri=h:1;version=1;sequence=9999999999",
                NotAnInstance::BadSequence,
            ),
            (
                "serverUri=h:1;sequence=0000000001",
                NotAnInstance::NoVersion,
            ),
            (
                "serverUri=h:1;version=1;version=2;sequence=0000000001",
                NotAnInstance::TwoVersions,
            ),
            (
                "serverUri=h;version=1;sequence=0000000001",
                NotAnInstance::Endpoint(EndpointError::MissingPort),
            ),
        ] {
            assert_eq!(read(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn a_version_matches_itself_only() {
        let name = |version: &str| {
            read(&format!(
                "serverUri=h:1;version={version};xversion=1.0;sequence=0000000001"
            ))
            .unwrap()
        };
        assert!(name("1.0").matches_version("1.0"));
        for other in ["1.0.1", "11.0", "1.0-SNAPSHOT", ""] {
            assert!(!name(other).matches_version("1.0"), "{other}");
        }
    }

    #[test]
    fn a_prefix_becomes_a_name_when_the_digits_follow() {
        let endpoint = Endpoint::new("::1", 10000).unwrap();
        let prefix = InstanceName::prefix(&endpoint, "4.0.1").unwrap();
        assert_eq!(prefix, "serverUri=[::1]:10000;version=4.0.1;sequence=");
        let name = read(&format!("{prefix}0000000007")).unwrap();
        assert_eq!(name.endpoint(), &endpoint);
        assert_eq!(name.version(), "4.0.1");
    }

    #[test]
    fn a_version_that_would_break_the_name_is_refused() {
        let endpoint = Endpoint::new("h", 1).unwrap();
        for (version, why) in [
            ("", NameError::EmptyVersion),
            ("1;sequence=2", NameError::BadVersion(';')),
            ("1/2", NameError::BadVersion('/')),
            ("1\n", NameError::BadVersion('\n')),
            ("\u{E000}", NameError::BadVersion('\u{E000}')),
        ] {
            assert_eq!(InstanceName::prefix(&endpoint, version), Err(why));
        }
    }
}
