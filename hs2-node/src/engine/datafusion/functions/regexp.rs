//! Functions of regular expressions: `RLIKE`, `regexp_replace`, `regexp_extract`, `split`; and `LIKE` with a pattern that
//! is no constant.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, ListBuilder, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::logical_expr::ScalarUDF;

use super::pattern::{Pattern, Patterns, Piece, replacement};
use super::udf::{Args, Fixed};

/// All of them.
pub(crate) fn udfs() -> Vec<ScalarUDF> {
    use DataType::{Boolean, Int32, Utf8};
    let two: &[DataType] = &[Utf8, Utf8];
    let three: &[DataType] = &[Utf8, Utf8, Utf8];
    vec![
        Fixed::udf("hive rlike", &[two], Boolean, rlike),
        Fixed::udf("hive like", &[two], Boolean, |a| {
            let (texts, patterns) = (a.strings(0), a.strings(1));
            let found: BooleanArray = (0..a.rows)
                .map(|i| Some(like(texts.get(i)?, patterns.get(i)?)))
                .collect();
            Ok(Arc::new(found))
        }),
        Fixed::udf("hive regexp_replace", &[three], Utf8, replace),
        Fixed::udf(
            "hive regexp_extract",
            &[&[Utf8, Utf8, Int32]],
            Utf8,
            extract,
        ),
        Fixed::udf("hive split", &[two], DataType::new_list(Utf8, true), split),
    ]
}

fn failed(why: String) -> DataFusionError {
    DataFusionError::Execution(why)
}

fn rlike(args: &Args) -> Result<ArrayRef> {
    let (texts, patterns) = (args.strings(0), args.strings(1));
    let mut compiled = Patterns::default();
    let found: BooleanArray = (0..args.rows)
        .map(|i| {
            let (Some(text), Some(pattern)) = (texts.get(i), patterns.get(i)) else {
                return Ok(None);
            };
            // Hive answers so for an empty pattern.
            if pattern.is_empty() {
                return Ok(Some(false));
            }
            compiled.get(pattern)?.is_found(text).map(Some)
        })
        .collect::<Result<_, String>>()
        .map_err(failed)?;
    Ok(Arc::new(found))
}

/// `LIKE`: a backslash escapes `%` and `_` only.
fn like(text: &str, pattern: &str) -> bool {
    enum Part {
        Any,
        One,
        Char(char),
    }
    let mut parts = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => match chars.next_if(|next| matches!(next, '%' | '_')) {
                Some(next) => Part::Char(next),
                None => Part::Char('\\'),
            },
            other => Part::Char(other),
        });
    }
    let text: Vec<char> = text.chars().collect();
    // Where to go on when a guess of the last `%` fails: it takes one character more.
    let (mut t, mut p, mut retry) = (0, 0, None);
    while t < text.len() {
        match parts.get(p) {
            Some(Part::Any) => {
                retry = Some((t, p));
                p += 1;
            }
            Some(Part::One) => (t, p) = (t + 1, p + 1),
            Some(Part::Char(c)) if *c == text[t] => (t, p) = (t + 1, p + 1),
            _ => match retry {
                Some((from, any)) => {
                    retry = Some((from + 1, any));
                    (t, p) = (from + 1, any + 1);
                }
                None => return false,
            },
        }
    }
    parts[p..].iter().all(|part| matches!(part, Part::Any))
}

fn replace(args: &Args) -> Result<ArrayRef> {
    let (texts, patterns, replacements) = (args.strings(0), args.strings(1), args.strings(2));
    let mut compiled = Patterns::default();
    let mut pieces: Option<(String, String, Vec<Piece>)> = None;
    let mut out = StringBuilder::new();
    let mut buffer = String::new();
    for i in 0..args.rows {
        let (Some(text), Some(pattern), Some(with)) =
            (texts.get(i), patterns.get(i), replacements.get(i))
        else {
            out.append_null();
            continue;
        };
        let regex = compiled.get(pattern).map_err(failed)?;
        if pieces
            .as_ref()
            .is_none_or(|(p, w, _)| p != pattern || w != with)
        {
            let read = replacement(with, regex.group_count())
                .map_err(|why| failed(format!("regexp_replace: {why}")))?;
            pieces = Some((pattern.to_owned(), with.to_owned(), read));
        }
        let pieces = pieces.as_ref().map_or(&[][..], |(_, _, pieces)| pieces);
        buffer.clear();
        let mut from = 0;
        for groups in regex.matches(text).map_err(failed)? {
            let range = groups.range();
            buffer.push_str(&text[from..range.start]);
            for piece in pieces {
                buffer.push_str(match piece {
                    Piece::Text(text) => text,
                    Piece::Group(group) => groups.get(*group).unwrap_or_default(),
                });
            }
            from = range.end;
        }
        buffer.push_str(&text[from..]);
        out.append_value(&buffer);
    }
    Ok(Arc::new(out.finish()))
}

fn extract(args: &Args) -> Result<ArrayRef> {
    let (texts, patterns, groups) = (args.strings(0), args.strings(1), args.ints(2));
    let mut compiled = Patterns::default();
    let mut out = StringBuilder::new();
    for i in 0..args.rows {
        let (Some(text), Some(pattern), Some(group)) =
            (texts.get(i), patterns.get(i), groups.get(i))
        else {
            out.append_null();
            continue;
        };
        let regex = compiled.get(pattern).map_err(failed)?;
        let Some(group) = usize::try_from(group)
            .ok()
            .filter(|group| *group <= regex.group_count())
        else {
            return exec_err!("regexp_extract: no group {group} in '{pattern}'");
        };
        match regex.groups(text).map_err(failed)? {
            Some(found) => out.append_option(found.get(group)),
            None => out.append_value(""),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// The parts of a text between a pattern, at most `limit` of them: empty parts stay, but an empty match at the start gives
/// no part.
pub(super) fn split_parts<'t>(
    regex: &Pattern,
    text: &'t str,
    limit: usize,
) -> Result<Vec<&'t str>, String> {
    let mut parts = Vec::new();
    let mut from = 0;
    for groups in regex.matches(text)? {
        let range = groups.range();
        if parts.len() + 1 >= limit {
            break;
        }
        if range.end == 0 {
            continue;
        }
        parts.push(&text[from..range.start]);
        from = range.end;
    }
    parts.push(&text[from..]);
    Ok(parts)
}

/// Java's `String.split(pattern, -1)`.
fn split(args: &Args) -> Result<ArrayRef> {
    let (texts, patterns) = (args.strings(0), args.strings(1));
    let mut compiled = Patterns::default();
    let mut out = ListBuilder::new(StringBuilder::new());
    for i in 0..args.rows {
        let (Some(text), Some(pattern)) = (texts.get(i), patterns.get(i)) else {
            out.append(false);
            continue;
        };
        let regex = compiled.get(pattern).map_err(failed)?;
        for part in split_parts(&regex, text, usize::MAX).map_err(failed)? {
            out.values().append_value(part);
        }
        out.append(true);
    }
    Ok(Arc::new(out.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_escapes_wildcards_only() {
        for (text, pattern, found) in [
            ("abc", "a%", true),
            ("abc", "%c", true),
            ("abc", "a_c", true),
            ("abc", "a_", false),
            ("a_c", r"a\_c", true),
            ("abc", r"a\_c", false),
            (r"a\b", r"a\b", true),
            ("", "%", true),
            ("", "", true),
            ("a", "", false),
            ("aXbXc", "%X%X%", true),
            ("aXb", "%X%X%", false),
            ("é中", "_中", true),
        ] {
            assert_eq!(like(text, pattern), found, "{text} LIKE {pattern}");
        }
    }
}
