//! Who a connection is, and what the ACLs let it do.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use zk_proto::{Acl, ErrorCode, Perms};

/// The most entries that an ACL can have here; a longer one is an invalid ACL.
const ACL_ENTRIES_MAX: usize = 4096;

/// An identity of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) scheme: Scheme,
    /// `user:base64(sha1(user:password))`, or an address.
    pub(super) id: String,
}

/// How an identity is proven. `world` needs no proof and is nobody's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scheme {
    Digest,
    Ip,
}

impl Scheme {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Ip => "ip",
        }
    }
}

impl Identity {
    /// The identity that every connection has from the start.
    pub(super) fn of_peer(peer: IpAddr) -> Self {
        Self {
            scheme: Scheme::Ip,
            id: peer.to_canonical().to_string(),
        }
    }

    /// The identity that an `auth` request proves. Anything is good credentials: there is no list of users.
    ///
    /// # Errors
    /// `AuthFailed`: the scheme is not one that can be proven.
    pub(super) fn prove(scheme: &str, credentials: &[u8], peer: IpAddr) -> Result<Self, ErrorCode> {
        match scheme {
            "digest" => Ok(Self {
                scheme: Scheme::Digest,
                id: digest(credentials),
            }),
            "ip" => Ok(Self::of_peer(peer)),
            _ => Err(ErrorCode::AUTH_FAILED),
        }
    }

    /// The name that `whoAmI` tells: without the password's hash.
    pub(super) fn user(&self) -> &str {
        match self.scheme {
            Scheme::Digest => self.id.split(':').next().unwrap_or_default(),
            Scheme::Ip => &self.id,
        }
    }

    fn matches(&self, acl: &Acl) -> bool {
        match self.scheme {
            _ if acl.scheme != self.scheme.name() => false,
            Scheme::Digest => acl.id == self.id,
            Scheme::Ip => {
                let network = Network::parse(&acl.id);
                let address = self.id.parse();
                network.is_some_and(|network| address.is_ok_and(|ip| network.contains(ip)))
            }
        }
    }
}

/// Checks that the ACL grants one of the permissions to one of the identities.
///
/// # Errors
/// `NoAuth`: it does not.
pub(super) fn check(acl: &[Acl], perms: Perms, who: &[Identity]) -> Result<(), ErrorCode> {
    let granted = acl.iter().any(|entry| {
        entry.perms.0 & perms.0 != 0
            && ((entry.scheme == "world" && entry.id == "anyone")
                || who.iter().any(|identity| identity.matches(entry)))
    });
    if granted {
        Ok(())
    } else {
        Err(ErrorCode::NO_AUTH)
    }
}

/// The ACL as it is stored: without duplicates, `auth` replaced by the connection's proven identities.
///
/// # Errors
/// `InvalidACL`: it is empty, or an entry is not one.
pub(super) fn resolve(acl: &[Acl], who: &[Identity]) -> Result<Arc<[Acl]>, ErrorCode> {
    if acl == Acl::OPEN {
        return Ok(Acl::OPEN.into());
    }
    let mut resolved = Vec::new();
    let mut seen = HashSet::new();
    let mut add = |entry: Cow<'_, Acl>| {
        if !seen.contains(entry.as_ref()) {
            let entry = entry.into_owned();
            seen.insert(entry.clone());
            resolved.push(entry);
        }
        if resolved.len() > ACL_ENTRIES_MAX {
            return Err(ErrorCode::INVALID_ACL);
        }
        Ok(())
    };
    for entry in acl {
        let valid = match &*entry.scheme {
            "world" => entry.id == "anyone",
            // The real server splits as Java does: colons at the end do not count, the user may be empty.
            "digest" => entry.id.trim_end_matches(':').split(':').count() == 2,
            "ip" => Network::parse(&entry.id).is_some(),
            "auth" => {
                // The peer's address is no proof.
                let mut proven = who
                    .iter()
                    .filter(|identity| identity.scheme == Scheme::Digest)
                    .peekable();
                if proven.peek().is_none() {
                    return Err(ErrorCode::INVALID_ACL);
                }
                for identity in proven {
                    add(Cow::Owned(Acl {
                        perms: entry.perms,
                        scheme: identity.scheme.name().into(),
                        id: identity.id.clone().into(),
                    }))?;
                }
                continue;
            }
            _ => false,
        };
        if !valid {
            return Err(ErrorCode::INVALID_ACL);
        }
        add(Cow::Borrowed(entry))?;
    }
    if resolved.is_empty() {
        return Err(ErrorCode::INVALID_ACL);
    }
    Ok(resolved.into())
}

/// The entries as they are shown to somebody who may not administer: without the hashes of passwords.
pub(super) fn masked(acl: &[Acl]) -> Vec<Acl> {
    let mask = |entry: &Acl| match entry.id.split_once(':') {
        Some((user, _)) if entry.scheme == "digest" => Acl {
            id: format!("{user}:x").into(),
            ..entry.clone()
        },
        _ => entry.clone(),
    };
    acl.iter().map(mask).collect()
}

/// `user:base64(sha1(user:password))` of `user:password`.
fn digest(credentials: &[u8]) -> String {
    let user = credentials
        .split(|byte| *byte == b':')
        .next()
        .unwrap_or_default();
    let hash = STANDARD.encode(Sha1::digest(credentials));
    format!("{}:{hash}", String::from_utf8_lossy(user))
}

/// `address` or `address/bits`.
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        (bits <= width).then_some(Self { address, bits })
    }

    fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let differ = a.to_bits() ^ b.to_bits();
                differ.checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let differ = a.to_bits() ^ b.to_bits();
                differ.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(text: &str) -> Acl {
        text.parse().unwrap()
    }

    fn peer() -> IpAddr {
        "127.0.0.1".parse().unwrap()
    }

    #[test]
    fn the_digest_is_the_one_that_real_servers_compute() {
        let bob = Identity::prove("digest", b"bob:secret", peer()).unwrap();
        assert_eq!(bob.id, "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=");
        assert_eq!(bob.user(), "bob");
        for scheme in ["world", "auth", "sasl", "super", ""] {
            assert_eq!(
                Identity::prove(scheme, b"x", peer()),
                Err(ErrorCode::AUTH_FAILED)
            );
        }
    }

    #[test]
    fn entries_are_checked_and_auth_becomes_the_proven_identities() {
        let who = [
            Identity::of_peer(peer()),
            Identity::prove("digest", b"bob:secret", peer()).unwrap(),
        ];
        let list = [
            acl("auth::cdrwa"),
            acl("auth:x:cdrwa"),
            acl("ip:10.0.0.0/8:r"),
        ];
        let resolved = resolve(&list, &who).unwrap();
        let texts: Vec<_> = resolved.iter().map(Acl::to_string).collect();
        assert_eq!(
            texts,
            [
                "digest:bob:fyVmFCwVbTJYrznoSu1koqYEYF0=:cdrwa",
                "ip:10.0.0.0/8:r"
            ]
        );
        assert!(resolve(&[acl("auth::r")], &who[..1]).is_err());
        for bad in [
            "world:all:r",
            "digest:bob:r",
            "digest:a:b:c:r",
            "ip:1.2.3:r",
            "ip:1.2.3.4/33:r",
            "super:x:r",
            "sasl:x:r",
        ] {
            assert_eq!(
                resolve(&[acl(bad)], &who),
                Err(ErrorCode::INVALID_ACL),
                "{bad}"
            );
        }
        assert_eq!(resolve(&[], &who), Err(ErrorCode::INVALID_ACL));
        // Odd, and accepted by real servers.
        assert!(resolve(&[acl("digest::b:r")], &who).is_ok());
    }

    #[test]
    fn networks_match_by_their_first_bits() {
        for (network, ip, expected) in [
            ("10.0.0.0/8", "10.9.9.9", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("fe80::/10", "fe81::1", true),
            ("::/0", "1.2.3.4", false),
        ] {
            let contains = Network::parse(network)
                .unwrap()
                .contains(ip.parse().unwrap());
            assert_eq!(contains, expected, "{network} {ip}");
        }
    }

    #[test]
    fn an_acl_cannot_be_blown_up() {
        let who: Vec<_> = (0..64)
            .map(|n| Identity::prove("digest", format!("u{n}:p").as_bytes(), peer()).unwrap())
            .collect();
        let list: Vec<_> = (0..1000)
            .map(|perms| Acl {
                perms: Perms(perms),
                ..Acl::CREATOR_ALL[0].clone()
            })
            .collect();
        assert_eq!(resolve(&list, &who), Err(ErrorCode::INVALID_ACL));
    }
}
