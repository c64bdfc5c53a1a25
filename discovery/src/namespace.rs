//! The znode below which the instances of one fleet register.

use std::fmt;
use std::str::FromStr;

use crate::error::NamespaceError;

/// The namespace of a fleet, normalised: no slash at either end, never empty.
///
/// It may have several levels (`prod/hive/hiveserver2`), which is also how a URL reaches below a
/// chroot. Hive 2.3 and 3.1 add a slash themselves and so fail on a namespace that begins with one;
/// here (as in Hive 4) `/hiveserver2/` and `hiveserver2` are the same.
///
/// ```
/// use discovery::Namespace;
///
/// let namespace: Namespace = "/prod/hiveserver2/".parse()?;
/// assert_eq!(namespace.as_str(), "prod/hiveserver2");
/// assert_eq!(namespace.path(), "/prod/hiveserver2");
/// # Ok::<(), discovery::NamespaceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(String);

impl Namespace {
    /// The namespace when none is given: Hive's `hive.server2.zookeeper.namespace`.
    pub const DEFAULT: &'static str = "hiveserver2";

    /// The namespace without slashes at its ends, as settings and URLs write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The absolute path of the namespace's znode.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/{}", self.0)
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl FromStr for Namespace {
    type Err = NamespaceError;

    fn from_str(text: &str) -> Result<Self, NamespaceError> {
        let text = text.trim_matches('/');
        if text.is_empty() {
            return Err(NamespaceError::Empty);
        }
        for level in text.split('/') {
            match level {
                "" => return Err(NamespaceError::EmptyLevel),
                "." | ".." => return Err(NamespaceError::Relative),
                _ => {}
            }
        }
        match text.chars().find(|&c| !is_znode_char(c)) {
            Some(c) => Err(NamespaceError::BadCharacter(c)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether ZooKeeper takes this character in a path.
pub(crate) fn is_znode_char(c: char) -> bool {
    !(c.is_control() || matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{FFF0}'..='\u{FFFF}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_the_ends_do_not_matter() {
        for text in ["a/b", "/a/b", "a/b/", "//a/b//"] {
            assert_eq!(text.parse::<Namespace>().unwrap().path(), "/a/b");
        }
        assert_eq!(Namespace::default().path(), "/hiveserver2");
    }

    #[test]
    fn what_zookeeper_would_refuse_is_refused() {
        for (text, why) in [
            ("", NamespaceError::Empty),
            ("//", NamespaceError::Empty),
            ("a//b", NamespaceError::EmptyLevel),
            ("a/../b", NamespaceError::Relative),
            (".", NamespaceError::Relative),
            ("a\0", NamespaceError::BadCharacter('\0')),
            ("a\u{85}", NamespaceError::BadCharacter('\u{85}')),
            ("\u{E000}", NamespaceError::BadCharacter('\u{E000}')),
        ] {
            assert_eq!(text.parse::<Namespace>(), Err(why), "{text:?}");
        }
    }
}
