//! Settings of transports and logins that are more than a text or a number.

use std::collections::BTreeMap;

/// How clients speak Thrift: `hive.server2.transport.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportMode {
    /// On the connection itself, with SASL or without.
    Binary,
    /// In HTTP requests.
    Http,
    /// Both.
    All,
}

impl TransportMode {
    /// Whether the binary transport is served.
    #[must_use]
    pub const fn has_binary(self) -> bool {
        matches!(self, Self::Binary | Self::All)
    }

    /// Whether HTTP is served.
    #[must_use]
    pub const fn has_http(self) -> bool {
        matches!(self, Self::Http | Self::All)
    }

    pub(super) fn read(value: &str, to: &mut Self) -> Option<()> {
        *to = match value.to_ascii_lowercase().as_str() {
            "binary" => Self::Binary,
            "http" => Self::Http,
            "all" => Self::All,
            _ => return None,
        };
        Some(())
    }
}

/// Who may log in: `hive.server2.authentication`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authentication {
    /// Everybody, with any password.
    None,
    /// The same. In Hive, without SASL; this node takes both.
    NoSasl,
    /// Who is in a password file.
    File,
    /// Who an LDAP directory knows.
    Ldap,
    /// Who has a Kerberos ticket for this node. Needs the feature `gssapi`.
    Kerberos,
    /// Who an [`Authenticator`](crate::Authenticator) of the program's own takes.
    Custom,
}

impl Authentication {
    /// Whether nobody proves who they are.
    #[must_use]
    pub const fn believes_everybody(self) -> bool {
        matches!(self, Self::None | Self::NoSasl)
    }

    /// The setting's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::NoSasl => "NOSASL",
            Self::File => "FILE",
            Self::Ldap => "LDAP",
            Self::Kerberos => "KERBEROS",
            Self::Custom => "CUSTOM",
        }
    }

    pub(super) fn read(value: &str, to: &mut Self) -> Option<()> {
        let all = [
            Self::None,
            Self::NoSasl,
            Self::File,
            Self::Ldap,
            Self::Kerberos,
            Self::Custom,
        ];
        *to = all
            .into_iter()
            .find(|one| one.as_str().eq_ignore_ascii_case(value))?;
        Some(())
    }
}

/// Where and how to ask an LDAP directory: `hive.server2.authentication.ldap.*`. `Debug` hides the password.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
#[allow(missing_docs)] // The table says what each means.
pub struct LdapConfig {
    pub url: String,
    pub base_dn: String,
    pub guid_key: String,
    pub domain: String,
    pub user_dn_pattern: String,
    pub user_filter: String,
    pub group_filter: String,
    pub group_class_key: String,
    pub group_membership_key: String,
    pub bind_dn: String,
    pub bind_password: String,
}

impl LdapConfig {
    /// The servers, in the order in which they are asked.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.url.split_whitespace()
    }
}

impl std::fmt::Debug for LdapConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LdapConfig")
            .field("url", &self.url)
            .field("base_dn", &self.base_dn)
            .field("bind_dn", &self.bind_dn)
            .finish_non_exhaustive()
    }
}

/// For whom a user may open sessions: `hadoop.proxyuser.NAME.users`, a list or `*`.
pub(super) const PROXY_PREFIX: &str = "hadoop.proxyuser.";

/// The users of all `hadoop.proxyuser.NAME.users`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProxyUsers(BTreeMap<String, String>);

impl ProxyUsers {
    /// Takes a setting of theirs; `false` when the key is another one.
    pub(super) fn set(&mut self, key: &str, value: &str) -> bool {
        let name = key
            .strip_prefix(PROXY_PREFIX)
            .and_then(|rest| rest.strip_suffix(".users"));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return false;
        };
        self.0.insert(name.to_owned(), value.to_owned());
        true
    }

    /// Whether `user` may act as `other`.
    #[must_use]
    pub fn allow(&self, user: &str, other: &str) -> bool {
        let listed = self.0.get(user).map(|list| list.split(',').map(str::trim));
        listed.is_some_and(|mut list| list.any(|one| one == "*" || one == other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_act_as_whom() {
        let mut users = ProxyUsers::default();
        assert!(users.set("hadoop.proxyuser.hue.users", "king, scott"));
        assert!(users.set("hadoop.proxyuser.knox.users", "*"));
        assert!(!users.set("hadoop.proxyuser.knox.groups", "*"));
        assert!(!users.set("hadoop.proxyuser..users", "*"));
        let allowed = |user, other| users.allow(user, other);
        assert!(allowed("hue", "king") && allowed("hue", "scott") && allowed("knox", "king"));
        assert!(!allowed("hue", "knox") && !allowed("king", "scott") && !allowed("", "king"));
    }
}
