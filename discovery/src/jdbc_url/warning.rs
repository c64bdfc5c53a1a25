//! What a URL can be used with, but probably means otherwise.

use std::fmt;

use super::Discovery;
use super::grammar::Pair;

/// Something in a URL that probably means otherwise than it does. Its text is one line for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Several hosts, but no `serviceDiscoveryMode`: only the first is used.
    SeveralHosts {
        /// How many.
        hosts: usize,
    },
    /// `zooKeeperNamespace`, but no `serviceDiscoveryMode`: the host is taken for the server.
    UnusedNamespace,
    /// A parameter of the driver in another case; the driver would not recognise it.
    Spelling {
        /// As the URL has it.
        written: String,
        /// As the driver has it.
        meant: &'static str,
    },
    /// The old name of a parameter.
    Deprecated {
        /// As the URL has it.
        written: String,
        /// What it is called now.
        meant: &'static str,
    },
    /// Text between two `;` that has no `=`, which is ignored.
    NoValue {
        /// The byte of the URL at which it begins.
        offset: usize,
    },
    /// A pair that begins with `=`.
    EmptyName {
        /// The byte of the URL at which it begins.
        offset: usize,
    },
    /// An ensemble and a database with a `/`: probably meant as a chroot.
    ChrootAsDatabase,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeveralHosts { hosts } => write!(
                f,
                "{hosts} hosts but no serviceDiscoveryMode: only the first is used, as a HiveServer2; add ;serviceDiscoveryMode=zooKeeper if they are a ZooKeeper ensemble"
            ),
            Self::UnusedNamespace => write!(
                f,
                "zooKeeperNamespace but no serviceDiscoveryMode: the host is taken for a HiveServer2; add ;serviceDiscoveryMode=zooKeeper if it is ZooKeeper"
            ),
            Self::Spelling { written, meant } => write!(
                f,
                "{written} is taken for {meant}; write it so, since other clients ignore it otherwise"
            ),
            Self::Deprecated { written, meant } => {
                write!(
                    f,
                    "{written} is deprecated; write the session variable {meant}"
                )
            }
            Self::NoValue { offset } => write!(
                f,
                "the text at byte {offset} of the URL has no '=' and is ignored; write name=value, and note that ';' cannot be part of a value"
            ),
            Self::EmptyName { offset } => {
                write!(
                    f,
                    "the pair at byte {offset} of the URL has no name; write name=value"
                )
            }
            Self::ChrootAsDatabase => write!(
                f,
                "what follows the first '/' is the database, never a ZooKeeper chroot; write the levels of a chroot into zooKeeperNamespace"
            ),
        }
    }
}

/// Warnings about how the server is found.
pub(super) fn of_discovery(
    discovery: &Discovery,
    hosts: usize,
    session: &[Pair],
    database: &str,
) -> Option<Warning> {
    let has = |name: &str| session.iter().any(|pair| pair.name == name);
    match discovery {
        Discovery::ZooKeeper { .. } => database.contains('/').then_some(Warning::ChrootAsDatabase),
        // Said outright.
        Discovery::None if has("serviceDiscoveryMode") => None,
        Discovery::None if hosts > 1 => Some(Warning::SeveralHosts { hosts }),
        Discovery::None => has("zooKeeperNamespace").then_some(Warning::UnusedNamespace),
    }
}
