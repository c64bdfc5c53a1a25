//! Patterns of the metadata calls.

/// A pattern over names: `%` and `*` are any run, `_` and `.` one character, `.*` any run, `\` takes the next
/// character as it is, `|` separates alternatives. Case does not matter; absent and empty match everything.
///
/// The first two signs are JDBC's. The others Hive hands on to a regular expression, and impyla sends `.*`.
#[derive(Debug)]
pub(super) struct Pattern(Option<Vec<Vec<Token>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Run,
    Any,
    Char(char),
}

/// Bytes of a pattern that are read. What is longer can match no name that exists, and matches nothing.
const PATTERN_BYTES_MAX: usize = 4096;

impl Pattern {
    pub(super) fn new(text: Option<&str>) -> Self {
        let pattern = text.filter(|text| !text.is_empty());
        Self(pattern.map(|text| {
            if text.len() > PATTERN_BYTES_MAX {
                Vec::new()
            } else {
                parse(text)
            }
        }))
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
        self.0
            .as_ref()
            .is_none_or(|alternatives| alternatives.iter().any(|tokens| matches(tokens, &name)))
    }
}

fn parse(text: &str) -> Vec<Vec<Token>> {
    let mut alternatives = vec![Vec::new()];
    let mut add = |token, begin_next: bool| match alternatives.last_mut() {
        Some(tokens) if !begin_next => tokens.push(token),
        _ => alternatives.push(Vec::new()),
    };
    let mut chars = text.chars().flat_map(char::to_lowercase).peekable();
    while let Some(c) = chars.next() {
        match c {
            '|' => add(Token::Any, true),
            '%' | '*' => add(Token::Run, false),
            '.' if chars.next_if_eq(&'*').is_some() => add(Token::Run, false),
            '_' | '.' => add(Token::Any, false),
            '\\' => add(Token::Char(chars.next().unwrap_or('\\')), false),
            c => add(Token::Char(c), false),
        }
    }
    alternatives
}

/// Walks both once, going back to the last run only: never more than their product of steps.
fn matches(tokens: &[Token], name: &[char]) -> bool {
    let (mut t, mut n, mut back) = (0, 0, None);
    while n < name.len() || t < tokens.len() {
        let step = match (tokens.get(t), name.get(n)) {
            (Some(Token::Run), _) => {
                back = Some((t, n));
                t += 1;
                continue;
            }
            (Some(Token::Any), Some(_)) => true,
            (Some(Token::Char(c)), Some(d)) => c == d,
            _ => false,
        };
        if step {
            (t, n) = (t + 1, n + 1);
        } else {
            match back {
                Some((run, from)) if from < name.len() => {
                    back = Some((run, from + 1));
                    (t, n) = (run + 1, from + 1);
                }
                _ => return false,
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_jdbc_and_of_hive() {
        for (pattern, name, expected) in [
            (None, "x", true),
            (Some(""), "x", true),
            (Some("%"), "anything", true),
            (Some(".*"), "anything", true),
            (Some("*"), "", true),
            (Some("t_ble"), "TABLE", true),
            (Some("t\\_ble"), "table", false),
            (Some("t\\_ble"), "t_ble", true),
            (Some("%a%b"), "xaxbxab", true),
            (Some("%a%b"), "xaxbxa", false),
            (Some("a|b%"), "bus", true),
            (Some("a|b%"), "as", false),
            (Some("T1"), "t1", true),
            (Some("t1"), "t11", false),
            (Some("x\\"), "x\\", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(name),
                expected,
                "{pattern:?} on {name}"
            );
        }
    }

    #[test]
    fn a_long_pattern_of_runs_ends_soon() {
        let pattern = Pattern::new(Some(&"%a".repeat(500)));
        assert!(!pattern.matches(&"b".repeat(10_000)));
        assert!(pattern.matches(&"a".repeat(10_000)));
    }
}
