//! The cookie that stands for a login: who, until when, and a keyed digest of both.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::Config;

/// Hive's name of it.
const NAME: &str = "hive.server2.auth";

/// Makes cookies and reads them again. The key lives in this process: after a restart, and on another node, a client
/// has to show its password again, which Hive's driver does by itself.
#[derive(Debug)]
pub(super) struct Cookies {
    key: [u8; 32],
    max_age: Duration,
    attributes: String,
}

impl Cookies {
    /// As the settings say; `None` where they want none. `Secure` keeps a cookie from being sent without TLS: given
    /// without TLS, it would never come back.
    pub(super) fn new(config: &Config) -> Result<Option<Self>, getrandom::Error> {
        if !config.http_cookie {
            return Ok(None);
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let max_age = config.http_cookie_max_age;
        let mut attributes = format!("; Max-Age={}", max_age.as_secs());
        for (name, value) in [
            ("Domain", &config.http_cookie_domain),
            ("Path", &config.http_cookie_path),
        ] {
            if !value.is_empty() {
                let _ = write!(attributes, "; {name}={value}");
            }
        }
        if config.tls {
            attributes.push_str("; Secure");
        }
        if config.http_cookie_http_only {
            attributes.push_str("; HttpOnly");
        }
        Ok(Some(Self {
            key,
            max_age,
            attributes,
        }))
    }

    /// The value of `Set-Cookie`.
    pub(super) fn make(&self, user: &str) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let until = now.checked_add(self.max_age)?.as_secs();
        Some(format!(
            "{NAME}={}{}",
            self.value(user, until)?,
            self.attributes
        ))
    }

    /// The user of a `Cookie` header, if one of its cookies is ours and still good.
    pub(super) fn user(&self, header: &str) -> Option<String> {
        let cookies = header
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='));
        let mut ours = cookies.filter(|(name, _)| *name == NAME);
        ours.find_map(|(_, value)| self.read(value.trim_matches('"')))
    }

    fn read(&self, value: &str) -> Option<String> {
        let (signed, digest) = value.rsplit_once("&s=")?;
        let digest = BASE64_URL_SAFE_NO_PAD.decode(digest).ok()?;
        // In a time that does not tell how much of it is right.
        self.mac(signed)?.verify_slice(&digest).ok()?;
        let (user, until) = signed.strip_prefix("cu=")?.split_once("&ts=")?;
        let until = UNIX_EPOCH.checked_add(Duration::from_secs(until.parse().ok()?))?;
        if until < SystemTime::now() {
            return None;
        }
        String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(user).ok()?).ok()
    }

    fn value(&self, user: &str, until: u64) -> Option<String> {
        let signed = format!("cu={}&ts={until}", BASE64_URL_SAFE_NO_PAD.encode(user));
        let digest = self.mac(&signed)?.finalize().into_bytes();
        Some(format!(
            "{signed}&s={}",
            BASE64_URL_SAFE_NO_PAD.encode(digest)
        ))
    }

    fn mac(&self, signed: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(signed.as_bytes());
        Some(mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(settings: &str) -> Option<Cookies> {
        let mut config = Config::default();
        config.apply_text(settings).unwrap();
        Cookies::new(&config).unwrap()
    }

    fn first(set_cookie: &str) -> &str {
        set_cookie.split_once(';').unwrap().0
    }

    #[test]
    fn a_cookie_names_its_user_and_nobody_elses_does() {
        let (ours, other) = (cookies("").unwrap(), cookies("").unwrap());
        for user in ["scott", "a;b=c&s=\"x\" ř", "CN=scott,DC=x"] {
            let set = ours.make(user).unwrap();
            assert!(set.ends_with("; Max-Age=86400; HttpOnly"), "{set}");
            let header = format!("a=b; {}; c", first(&set));
            assert_eq!(ours.user(&header).as_deref(), Some(user));
            assert_eq!(other.user(&header), None);
        }
        let good = ours.make("scott").unwrap();
        let good = first(&good).strip_prefix("hive.server2.auth=").unwrap();
        assert_eq!(
            ours.user(&format!("hive.server2.auth=\"{good}\""))
                .as_deref(),
            Some("scott")
        );
        let king = BASE64_URL_SAFE_NO_PAD.encode("king");
        let scott = BASE64_URL_SAFE_NO_PAD.encode("scott");
        for bad in [
            good.replace(&scott, &king),
            good.replace("&ts=", "&ts=9"),
            good.get(..good.len() - 2).unwrap().to_owned(),
            String::new(),
            "cu=&ts=&s=".to_owned(),
        ] {
            assert_eq!(
                ours.user(&format!("hive.server2.auth={bad}")),
                None,
                "{bad}"
            );
        }
        let over = ours.value("scott", 1).unwrap();
        assert_eq!(ours.user(&format!("hive.server2.auth={over}")), None);
    }

    #[test]
    fn attributes_follow_the_settings() {
        assert!(cookies("hive.server2.thrift.http.cookie.auth.enabled = false").is_none());
        let under_tls = cookies(
            "hive.server2.use.SSL = true\nhive.server2.thrift.http.cookie.max.age = 1h\nhive.server2.thrift.http.cookie.path = /x",
        );
        let set = under_tls.unwrap().make("scott").unwrap();
        assert!(
            set.ends_with("; Max-Age=3600; Path=/x; Secure; HttpOnly"),
            "{set}"
        );
    }
}
