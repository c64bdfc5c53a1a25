//! Who may do what with a znode.

use std::borrow::Cow;
use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use bytes::{BufMut, BytesMut};
use nom::Parser;
use nom::bytes::complete::{take_while, take_while1};
use nom::character::complete::char;
use nom::combinator::{all_consuming, rest};
use nom::sequence::{separated_pair, terminated};

use crate::DecodeError;
use crate::jute::{Decode, Encode, Reader, put_string};

/// One entry of an access control list: an identity and what it may do (jute `ACL`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Acl {
    /// What the identity may do.
    pub perms: Perms,
    /// How the identity is proven: `world`, `auth`, `digest`, `ip`, `sasl` or `x509`.
    pub scheme: Cow<'static, str>,
    /// Who it is, in the scheme's own form.
    pub id: Cow<'static, str>,
}

impl Acl {
    /// Everyone may do everything (`OPEN_ACL_UNSAFE`).
    pub const OPEN: &'static [Self] = &[Self::world(Perms::ALL)];
    /// Everyone may read (`READ_ACL_UNSAFE`).
    pub const READ: &'static [Self] = &[Self::world(Perms::READ)];
    /// Whoever creates the znode may do everything (`CREATOR_ALL_ACL`); needs an authenticated connection.
    pub const CREATOR_ALL: &'static [Self] = &[Self {
        perms: Perms::ALL,
        scheme: Cow::Borrowed("auth"),
        id: Cow::Borrowed(""),
    }];

    /// An entry for everyone.
    #[must_use]
    pub const fn world(perms: Perms) -> Self {
        Self {
            perms,
            scheme: Cow::Borrowed("world"),
            id: Cow::Borrowed("anyone"),
        }
    }
}

impl Encode for Acl {
    fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.perms.0);
        put_string(out, &self.scheme);
        put_string(out, &self.id);
    }
}

impl<'a> Decode<'a> for Acl {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("ACL");
        let perms = Perms(r.int("perms")?);
        // A null scheme or id is no identity; servers refuse it with InvalidACL, as they refuse the empty text.
        let scheme = r.optional_string("scheme")?.unwrap_or_default();
        let id = r.optional_string("id")?.unwrap_or_default();
        Ok(if (scheme, id) == ("world", "anyone") {
            Self::world(perms)
        } else {
            Self {
                perms,
                scheme: Cow::Owned(scheme.to_owned()),
                id: Cow::Owned(id.to_owned()),
            }
        })
    }
}

/// Prints `scheme:id:perms`, as `zkCli` does.
impl fmt::Display for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.scheme, self.id, self.perms)
    }
}

/// Reads `scheme:id:perms`, as `zkCli` takes it: `world:anyone:r`, `digest:bob:fyVm…=:cdrwa`.
impl FromStr for Acl {
    type Err = AclError;

    fn from_str(text: &str) -> Result<Self, AclError> {
        let error = || AclError {
            text: text.to_owned(),
        };
        // The id may hold colons (digest has one, IPv6 many): the scheme ends at the first, the perms follow the last.
        let (head, perms) = text.rsplit_once(':').ok_or_else(error)?;
        let (_, (scheme, id)) = all_consuming(separated_pair(
            take_while1::<_, _, ()>(|c| c != ':'),
            char(':'),
            rest,
        ))
        .parse(head)
        .map_err(|_| error())?;
        let perms = perms.parse().map_err(|()| error())?;
        Ok(Self {
            perms,
            scheme: Cow::Owned(scheme.to_owned()),
            id: Cow::Owned(id.to_owned()),
        })
    }
}

/// A text that is not an ACL entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an ACL entry: write scheme:id:perms, for example world:anyone:r or digest:user:hash:cdrwa"
)]
pub struct AclError {
    /// What was given.
    pub text: String,
}

/// What an identity may do: a set of bits. Bits without a meaning are kept, as servers keep them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Perms(pub i32);

impl Perms {
    /// Read data and list children.
    pub const READ: Self = Self(1);
    /// Replace data.
    pub const WRITE: Self = Self(2);
    /// Create children.
    pub const CREATE: Self = Self(4);
    /// Delete children.
    pub const DELETE: Self = Self(8);
    /// Replace the ACL.
    pub const ADMIN: Self = Self(16);
    /// All of it.
    pub const ALL: Self = Self(31);

    const LETTERS: [(char, Self); 5] = [
        ('c', Self::CREATE),
        ('d', Self::DELETE),
        ('r', Self::READ),
        ('w', Self::WRITE),
        ('a', Self::ADMIN),
    ];

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Perms {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Prints the letters that `zkCli` uses: `cdrwa`.
impl fmt::Display for Perms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::LETTERS
            .iter()
            .filter(|(_, bit)| self.contains(*bit))
            .try_for_each(|(letter, _)| write!(f, "{letter}"))
    }
}

impl fmt::Debug for Perms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Perms({self})")
    }
}

impl FromStr for Perms {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let letter = |c| {
            Self::LETTERS
                .iter()
                .find(|(letter, _)| *letter == c)
                .map(|(_, bit)| *bit)
        };
        let (_, letters) = all_consuming(terminated(
            take_while::<_, _, ()>(|c| letter(c).is_some()),
            nom::combinator::eof,
        ))
        .parse(text)
        .map_err(|_| ())?;
        Ok(letters
            .chars()
            .filter_map(letter)
            .fold(Self::default(), BitOr::bitor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_and_printed_as_zkcli_does() {
        for text in [
            "world:anyone:cdrwa",
            "digest:bob:fyVmFCwVbTJYrznoSu1koqYEYF0=:rw",
            "ip:fe80::1:r",
            "auth::a",
        ] {
            assert_eq!(
                text.parse::<Acl>().map(|acl| acl.to_string()),
                Ok(text.to_owned())
            );
        }
        assert_eq!("world:anyone:cdrwa".parse::<Acl>().unwrap(), Acl::OPEN[0]);
        for text in ["", "world", "world:anyone", ":x:r", "world:anyone:rx"] {
            assert!(text.parse::<Acl>().is_err(), "{text}");
        }
    }
}
