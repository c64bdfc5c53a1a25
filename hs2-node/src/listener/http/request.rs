//! What a request says beside its body.

/// Longest text of a proxy's that is kept.
const FORWARDED_CHARS_MAX: usize = 256;

/// The user of `doAs=` in a query, if it names one. Hive's driver sends the name as it stands in the URL.
pub(super) fn do_as(query: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("doAs"));
    let user = decoded(named.next()?.1)?;
    (!user.is_empty()).then_some(user)
}

/// The addresses that a proxy names, for the log.
pub(super) fn addresses(header: &[u8]) -> String {
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
            addresses(b"10.0.0.1, 10.0.0.2\n\x1b[31m"),
            "10.0.0.1, 10.0.0.2[31m"
        );
    }
}
