//! A text that may be a URL, made fit to be shown in an error.
//!
//! The text is malformed, so nothing says for certain where a secret in it ends. It is masked from
//! the `=` of a secret's name up to the next parameter that the driver knows, or to the end.

use super::escape::escaped;
use super::grammar::Fault;
use super::parameters::{MASK, is_secret, known};
use crate::error::UrlError;

impl UrlError {
    /// The error for `fault` in `url`.
    pub(crate) fn new(url: &str, fault: Fault) -> Self {
        let (before, after) = around(url, fault.offset);
        Self {
            problem: fault.problem,
            offset: fault.offset,
            before,
            after,
        }
    }
}

/// One character of the decoded text and where it stands in the URL.
struct Unit {
    at: usize,
    c: char,
}

/// The text before and after the byte `offset`, masked. A position within a mask is before it.
fn around(url: &str, offset: usize) -> (String, String) {
    let units = units(url);
    let masks = masks(&units, url.len());
    let (mut before, mut after) = (String::new(), String::new());
    let mut masks = masks.into_iter().peekable();
    let mut shown_mask_until = 0;
    for (at, c) in url.char_indices() {
        if at < shown_mask_until {
            continue;
        }
        while masks.peek().is_some_and(|(_, end)| *end <= at) {
            masks.next();
        }
        match masks.peek() {
            Some((start, end)) if *start <= at => {
                shown_mask_until = *end;
                let side = if *end <= offset {
                    &mut before
                } else {
                    &mut after
                };
                side.push_str(MASK);
            }
            _ => {
                let side = if at < offset { &mut before } else { &mut after };
                // A terminal would obey a control character.
                side.push(if c.is_control() { '\u{FFFD}' } else { c });
            }
        }
    }
    (before, after)
}

fn units(url: &str) -> Vec<Unit> {
    let mut units = Vec::with_capacity(url.len());
    let mut chars = url.char_indices();
    while let Some((at, c)) = chars.next() {
        let byte = if c == '%' { escaped(url, at) } else { None };
        if byte.is_some() {
            chars.nth(1);
        }
        units.push(Unit {
            at,
            c: byte.map_or(c, char::from),
        });
    }
    units
}

/// The byte ranges to mask, in order.
fn masks(units: &[Unit], end: usize) -> Vec<(usize, usize)> {
    let mut masks: Vec<(usize, usize)> = user_info(units).into_iter().collect();
    // Where the open mask began.
    let mut open: Option<usize> = None;
    let mut name = String::new();
    let mut name_at = 0;
    // Whether a parameter can begin at `name_at`, which alone ends a mask.
    let mut is_parameter = true;
    let mut ends = units.iter().map(|unit| unit.at).skip(1).chain([end]);
    for unit in units {
        let next = ends.next().unwrap_or(end);
        match unit.c {
            '=' => {
                if let Some(start) = open
                    && is_parameter
                    && known(&name).is_some()
                {
                    masks.push((start, name_at));
                    open = None;
                }
                if open.is_none() && is_secret(&name) {
                    open = Some(next);
                }
            }
            ';' | '?' | '#' | '&' | '/' | ',' | ' ' => {}
            c => {
                name.push(c);
                continue;
            }
        }
        name.clear();
        name_at = next;
        is_parameter = matches!(unit.c, ';' | '?' | '#');
    }
    masks.extend(open.map(|start| (start, end)));
    masks.retain(|(start, end)| start < end);
    masks.sort_unstable();
    masks
}

/// `user:password` before an `@` among the hosts.
fn user_info(units: &[Unit]) -> Option<(usize, usize)> {
    let hosts = units.split(|unit| unit.c == ';').next()?;
    let at_sign = hosts.iter().rposition(|unit| unit.c == '@')?;
    let before = hosts.get(..at_sign)?;
    let slashes = before
        .windows(2)
        .position(|pair| pair.iter().all(|unit| unit.c == '/'));
    let first = before.get(slashes.map_or(0, |index| index + 2))?;
    Some((first.at, hosts.get(at_sign)?.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str, offset: usize) -> String {
        let (before, after) = around(url, offset);
        format!("{before}|{after}")
    }

    #[test]
    fn passwords_are_masked_and_positions_kept() {
        let url = "jdbc:hive2://h/db;password=x;y=z;user=me;k=v";
        assert_eq!(shown(url, 18), "jdbc:hive2://h/db;|password=***user=me;k=v");
        assert_eq!(shown(url, 28), "jdbc:hive2://h/db;password=|***user=me;k=v");
        assert_eq!(shown(url, 33), "jdbc:hive2://h/db;password=***|user=me;k=v");
        assert_eq!(
            shown(url, url.len()),
            "jdbc:hive2://h/db;password=***user=me;k=v|"
        );
    }

    #[test]
    fn secrets_in_odd_places_are_masked() {
        for url in [
            "jdbc:hive2://me:S3@h/db",
            "jdbc:hive2://me:p/S3@h/db",
            "me:S3@h:1",
            "jdbc:hive2://h;Password=S3 x",
            "jdbc:hive2://h/?user=me&password=S3",
            "jdbc:hive2://h/;p%61ssword%3DS3",
            "jdbc:hive2://h/;trustStorePassword=a;S3=b",
            "jdbc:hive2://h/;password=a;trustStorePassword=S3;ssl=true",
            "jdbc:hive2://h/;password=S3=user=x",
            "jdbc:hive2://h/;password=a&user=S3",
            "password=S3",
        ] {
            for offset in 0..=url.len() {
                assert!(!shown(url, offset).contains("S3"), "{url} {offset}");
            }
        }
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(shown("a\u{1b}[2J", 1), "a|\u{FFFD}[2J");
    }
}
