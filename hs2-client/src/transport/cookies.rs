//! The cookies of one server, as far as a client of one path needs them.

use std::collections::BTreeMap;

/// Cookies that are kept; a server that sends more is not listened to.
const COOKIES_MAX: usize = 16;
const COOKIE_BYTES_MAX: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Cookies(BTreeMap<String, String>);

impl Cookies {
    /// Takes what a `Set-Cookie` says. A cookie that wants TLS is not kept without it.
    pub(super) fn take(&mut self, set_cookie: &str, tls: bool) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let mut over = false;
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            if key.eq_ignore_ascii_case("secure") && !tls {
                return;
            }
            over |= key.eq_ignore_ascii_case("max-age")
                && value.trim().parse::<i64>().is_ok_and(|age| age <= 0);
        }
        if over {
            self.0.remove(name);
        } else if set_cookie.len() <= COOKIE_BYTES_MAX && self.0.len() < COOKIES_MAX {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The `Cookie` header, if there is anything in it.
    pub(super) fn header(&self) -> Option<String> {
        let pairs: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_come_and_go() {
        let mut cookies = Cookies::default();
        assert_eq!(cookies.header(), None);
        cookies.take(
            "hive.server2.auth=cu=me&s=x=; Max-Age=86400; HttpOnly",
            false,
        );
        cookies.take("other=1; Secure", false);
        cookies.take("nonsense", false);
        assert_eq!(
            cookies.header().as_deref(),
            Some("hive.server2.auth=cu=me&s=x=")
        );
        cookies.take("other=1; Secure", true);
        cookies.take("hive.server2.auth=; Max-Age=0", false);
        assert_eq!(cookies.header().as_deref(), Some("other=1"));
        for number in 0..100 {
            cookies.take(&format!("many{number}=x"), false);
        }
        assert_eq!(cookies.0.len(), COOKIES_MAX);
    }
}
