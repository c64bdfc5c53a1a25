//! The names in a URL: the driver's own, the old ones, and those whose values nobody may see.

use std::fmt;

/// What stands for a secret value where a URL is shown.
pub const MASK: &str = "***";

/// Names and values in the order given, each name once.
///
/// `Debug` masks the values of passwords, tokens and the like.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(Vec<(String, String)>);

impl Variables {
    /// The value of `name`, in exactly this spelling.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All names and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All names and values, with [`MASK`] in the place of passwords, tokens and the like: fit to be shown.
    pub fn masked(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.iter().map(|(name, value)| (name, masked(name, value)))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets `name`, in place of any earlier value.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }
}

/// The last value of a repeated name counts.
impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        let mut variables = Self::default();
        for (name, value) in pairs {
            variables.set(&name, &value);
        }
        variables
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.masked()).finish()
    }
}

/// The session variables that Hive's driver (2.3 to 4) uses itself.
const KNOWN: [&str; 36] = [
    "user",
    "password",
    "auth",
    "principal",
    "saslQop",
    "kerberosAuthType",
    "hive.server2.proxy.user",
    "ssl",
    "sslTrustStore",
    "trustStorePassword",
    "trustStoreType",
    "twoWay",
    "sslKeyStore",
    "keyStorePassword",
    "transportMode",
    "httpPath",
    "cookieAuth",
    "cookieName",
    "serviceDiscoveryMode",
    "zooKeeperNamespace",
    "zooKeeperSSLEnable",
    "zooKeeperKeystoreLocation",
    "zooKeeperKeystorePassword",
    "zooKeeperKeystoreType",
    "zooKeeperTruststoreLocation",
    "zooKeeperTruststorePassword",
    "zooKeeperTruststoreType",
    "retries",
    "retryInterval",
    "fetchSize",
    "initFile",
    "wmPool",
    "applicationName",
    "ApplicationName",
    "socketTimeout",
    "requestTrack",
];

/// The driver's spelling of a parameter written in any case.
pub(super) fn known(name: &str) -> Option<&'static str> {
    let exact = KNOWN.iter().find(|known| **known == name);
    exact
        .or_else(|| KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name)))
        .copied()
}

/// What a session variable of an old driver is called now.
pub(super) fn renamed(name: &str) -> Option<&'static str> {
    (name == "sasl.qop").then_some("saslQop")
}

/// The session variable that a Hive setting of an old URL is now. It is not sent to the server.
pub(super) fn moved_conf(name: &str) -> Option<&'static str> {
    match name {
        "hive.server2.transport.mode" => Some("transportMode"),
        "hive.server2.thrift.http.path" => Some("httpPath"),
        _ => None,
    }
}

/// Whether a session variable only says how to find the server.
pub(super) fn is_about_discovery(name: &str) -> bool {
    name == "serviceDiscoveryMode" || name.starts_with("zooKeeper")
}

/// `value`, or the mask when it holds a secret.
///
/// A value can hold a pair of its own: `?user=me&password=x` has one value, `me&password=x`.
pub(super) fn masked<'a>(name: &str, value: &'a str) -> &'a str {
    let holds_secret = value
        .split(['&', ',', ' ', '?'])
        .filter_map(|part| part.split_once('='))
        .any(|(name, _)| is_secret(name));
    if is_secret(name) || holds_secret {
        MASK
    } else {
        value
    }
}

/// Whether values of this name are nobody's business. Rather one too many than one too few.
pub(super) fn is_secret(name: &str) -> bool {
    const PARTS: [&str; 9] = [
        "password",
        "passwd",
        "pwd",
        "secret",
        "token",
        "credential",
        "jwt",
        "apikey",
        "access.key",
    ];
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part))
        || name.starts_with("http.header.")
        || name.starts_with("http.cookie.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_is_found_in_any_case() {
        assert_eq!(known("zooKeeperNameSpace"), Some("zooKeeperNamespace"));
        assert_eq!(known("ApplicationName"), Some("ApplicationName"));
        assert_eq!(known("applicationName"), Some("applicationName"));
        assert_eq!(known("mine"), None);
    }

    #[test]
    fn secrets_are_masked() {
        for name in [
            "password",
            "PASSWORD",
            "trustStorePassword",
            "zooKeeperKeystorePassword",
            "http.header.Authorization",
            "fs.s3a.secret.key",
            "jwt",
        ] {
            assert_eq!(masked(name, "x"), MASK, "{name}");
        }
        assert_eq!(masked("user", "me&password=x"), MASK);
        assert_eq!(masked("user", "me"), "me");
        let variables: Variables = [("password".to_owned(), "x1y2".to_owned())]
            .into_iter()
            .collect();
        assert!(!format!("{variables:?}").contains("x1y2"));
    }
}
