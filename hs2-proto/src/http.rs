//! What the HTTP transport says beside its bodies: the user to act for, the addresses of proxies, cookies.
//!
//! Requests and answers themselves are an HTTP library's.

use std::collections::BTreeMap;

/// Longest text of a proxy's that is kept.
const FORWARDED_CHARS_MAX: usize = 256;

/// The user of `doAs=` in a query, if it names one. Hive's driver sends the name as it stands in the URL.
#[must_use]
pub fn do_as(query: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("doAs"));
    let user = decoded(named.next()?.1)?;
    (!user.is_empty()).then_some(user)
}

/// The addresses that a proxy names in `X-Forwarded-For`, on one line and not too long, for a log.
#[must_use]
pub fn forwarded_for(header: &[u8]) -> String {
    let text = String::from_utf8_lossy(header);
    text.chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(FORWARDED_CHARS_MAX)
        .collect()
}

/// A text of a query without its escapes; `None` when it is no UTF-8 behind them.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match (first, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                u8::try_from(digit(high)? << 4 | digit(low)?).ok()?
            }
            (b'%', _) => return None,
            (byte, _) => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Cookies that are kept; a server that sends more is not listened to.
const COOKIES_MAX: usize = 16;
const COOKIE_BYTES_MAX: usize = 4096;

/// The cookies of one server, as far as a client of one path needs them. `Debug` hides what they stand for.
#[derive(Default)]
pub struct Cookies(BTreeMap<String, String>);

impl std::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Cookies {
    /// Takes what a `Set-Cookie` says. A cookie that wants TLS is not kept without it.
    pub fn take(&mut self, set_cookie: &str, tls: bool) {
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
        } else if set_cookie.len() <= COOKIE_BYTES_MAX
            && (self.0.len() < COOKIES_MAX || self.0.contains_key(name))
        {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The `Cookie` header, if there is anything in it.
    #[must_use]
    pub fn header(&self) -> Option<String> {
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
    fn the_user_to_act_as() {
        for (query, user) in [
            ("doAs=king", Some("king")),
            ("a=b&doas=k%C3%ADng+2", Some("kíng 2")),
            ("doAs=", None),
            ("doAs=%f", None),
            ("doAs=%zz", None),
            ("doAs=%ff", None),
            ("x", None),
        ] {
            assert_eq!(do_as(query).as_deref(), user, "{query}");
        }
    }

    #[test]
    fn a_proxys_words_stay_on_their_line() {
        assert_eq!(
            forwarded_for(b"10.0.0.1, 10.0.0.2\n\x1b[31m"),
            "10.0.0.1, 10.0.0.2[31m"
        );
    }

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
        cookies.take("other=2", false);
        assert_eq!(cookies.0["other"], "2", "one that is there is renewed");
    }
}
