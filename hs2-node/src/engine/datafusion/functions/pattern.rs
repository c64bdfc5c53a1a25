//! Java's regular expressions on the `regex` crate, which matches in linear time: the pattern is translated, and what the
//! crate has not (look-around, back references, possessive quantifiers) or means otherwise is refused by name.

use std::collections::HashMap;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

/// The most memory that one compiled pattern may take.
const COMPILED_BYTES_MAX: usize = 4 << 20;
/// How many patterns of one batch are kept compiled.
const KEPT_MAX: usize = 64;
const LINE_ENDS: &str = r"\n\r\u{85}\u{2028}\u{2029}";
const SPACE: &str = r"\t\n\x0B\x0C\r ";
const WORD: &str = "0-9A-Za-z_";

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    regex: Regex,
    /// `$` stands in it: Java's also matches before a line end at the text's end.
    dollar: bool,
}

impl Pattern {
    /// Compiles a pattern of Java's.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn new(java: &str) -> Result<Self, String> {
        let mut translator = Translator {
            chars: java.chars().collect(),
            at: 0,
            out: String::with_capacity(java.len() + 16),
            any: format!("[^{LINE_ENDS}]"),
            dollar: false,
        };
        translator
            .run()
            .map_err(|why| format!("the regular expression '{java}' uses {why}"))?;
        let regex = RegexBuilder::new(&translator.out)
            .size_limit(COMPILED_BYTES_MAX)
            .nest_limit(200)
            .build()
            .map_err(|e| {
                let text = e.to_string();
                let why = text.lines().last().unwrap_or_default();
                format!("the regular expression '{java}' cannot be read: {why}")
            })?;
        Ok(Self {
            regex,
            dollar: translator.dollar,
        })
    }

    /// Whether it is found in `text`.
    ///
    /// # Errors
    /// As [`Self::matches`].
    pub(crate) fn is_found(&self, text: &str) -> Result<bool, String> {
        self.fits(text)?;
        Ok(self.regex.is_match(text))
    }

    /// The first place where it is found: each group's range.
    ///
    /// # Errors
    /// As [`Self::matches`].
    pub(crate) fn groups<'t>(&self, text: &'t str) -> Result<Option<Groups<'t>>, String> {
        self.fits(text)?;
        Ok(self.regex.captures(text).map(Groups))
    }

    /// How many groups it has.
    pub(crate) fn group_count(&self) -> usize {
        self.regex.captures_len() - 1
    }

    /// Every place where it is found, as Java's `Matcher.find` goes on: an empty match may follow another match.
    ///
    /// # Errors
    /// `$` would match elsewhere than in Java.
    pub(crate) fn matches<'t>(
        &'t self,
        text: &'t str,
    ) -> Result<impl Iterator<Item = Groups<'t>> + 't, String> {
        self.fits(text)?;
        let mut at = Some(0);
        Ok(std::iter::from_fn(move || {
            let groups = self.regex.captures_at(text, at?)?;
            let whole = groups.get(0)?;
            at = if whole.is_empty() {
                text[whole.end()..]
                    .chars()
                    .next()
                    .map(|c| whole.end() + c.len_utf8())
            } else {
                Some(whole.end())
            };
            Some(Groups(groups))
        }))
    }

    fn fits(&self, text: &str) -> Result<(), String> {
        if self.dollar && text.ends_with(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
            return Err("$ on a text that ends with a line end is not supported".to_owned());
        }
        Ok(())
    }
}

/// What a match found.
#[derive(Debug)]
pub(crate) struct Groups<'t>(regex::Captures<'t>);

impl<'t> Groups<'t> {
    /// The range of the whole match.
    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        self.0.get(0).map_or(0..0, |m| m.range())
    }

    /// The text of a group, `None` where it took no part.
    pub(crate) fn get(&self, group: usize) -> Option<&'t str> {
        self.0.get(group).map(|m| m.as_str())
    }
}

/// Patterns by their text, compiled once.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    compiled: HashMap<String, Arc<Pattern>>,
}

impl Patterns {
    /// The compiled pattern.
    ///
    /// # Errors
    /// As [`Pattern::new`].
    pub(crate) fn get(&mut self, java: &str) -> Result<Arc<Pattern>, String> {
        if let Some(pattern) = self.compiled.get(java) {
            return Ok(Arc::clone(pattern));
        }
        let pattern = Arc::new(Pattern::new(java)?);
        if self.compiled.len() >= KEPT_MAX {
            self.compiled.clear();
        }
        self.compiled.insert(java.to_owned(), Arc::clone(&pattern));
        Ok(pattern)
    }
}

/// A piece of a replacement: text, or a group of the match.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Group(usize),
}

/// Reads Java's replacement text: `$1` is a group, a backslash takes the next character as it is.
///
/// # Errors
/// What Java turns down.
pub(crate) fn replacement(text: &str, groups: usize) -> Result<Vec<Piece>, String> {
    let mut pieces = vec![Piece::Text(String::new())];
    let mut chars = text.chars().peekable();
    let push = |pieces: &mut Vec<Piece>, c: char| match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push(c),
        _ => pieces.push(Piece::Text(c.to_string())),
    };
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c) => push(&mut pieces, c),
                None => return Err("the replacement ends with a backslash".to_owned()),
            },
            '$' => {
                let digit = |c: Option<&char>| c.and_then(|c| c.to_digit(10)).map(|d| d as usize);
                let Some(mut group) = digit(chars.peek()) else {
                    return Err("$ in a replacement needs the number of a group".to_owned());
                };
                chars.next();
                while let Some(longer) = digit(chars.peek()).map(|d| group * 10 + d) {
                    if longer > groups {
                        break;
                    }
                    group = longer;
                    chars.next();
                }
                if group > groups {
                    return Err(format!("No group {group}"));
                }
                pieces.push(Piece::Group(group));
            }
            other => push(&mut pieces, other),
        }
    }
    Ok(pieces)
}

struct Translator {
    chars: Vec<char>,
    at: usize,
    out: String,
    /// What `.` becomes.
    any: String,
    dollar: bool,
}

impl Translator {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn comes(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(i, c)| self.peek(i) == Some(c))
    }

    fn run(&mut self) -> Result<(), &'static str> {
        self.flags()?;
        // Whether the last thing read repeats what stands before it.
        let mut repeated = false;
        while let Some(c) = self.peek(0) {
            let quantifier = matches!(c, '*' | '+' | '?' | '{');
            if repeated && quantifier {
                match c {
                    '?' => {
                        self.out.push('?');
                        self.at += 1;
                        repeated = false;
                        continue;
                    }
                    '+' => return Err("a possessive quantifier"),
                    _ => return Err("two quantifiers in a row"),
                }
            }
            repeated = quantifier;
            match c {
                '\\' => self.escape(false)?,
                '[' => self.class(0)?,
                '(' => self.group()?,
                '.' => {
                    self.out.push_str(&self.any);
                    self.at += 1;
                }
                '$' => {
                    self.dollar = true;
                    self.out.push_str(r"\z");
                    self.at += 1;
                }
                '{' => {
                    if !self.peek(1).is_some_and(|c| c.is_ascii_digit()) {
                        return Err("{ that is no quantifier");
                    }
                    while let Some(c) = self.peek(0) {
                        self.out.push(c);
                        self.at += 1;
                        if c == '}' {
                            break;
                        }
                    }
                }
                '*' | '+' | '?' | '|' | ')' | '^' => {
                    self.out.push(c);
                    self.at += 1;
                }
                other => {
                    literal(other, &mut self.out);
                    self.at += 1;
                }
            }
        }
        Ok(())
    }

    /// `(?is)` at the pattern's start.
    fn flags(&mut self) -> Result<(), &'static str> {
        if !self.comes("(?") || !self.peek(2).is_some_and(|c| c.is_ascii_alphabetic()) {
            return Ok(());
        }
        let mut at = self.at + 2;
        let mut any = None;
        loop {
            match self.chars.get(at) {
                Some('i' | 'u') => {}
                Some('s') => any = Some(r"[\s\S]".to_owned()),
                Some(')') => break,
                _ => return Err("flags other than (?i) and (?s) at its start"),
            }
            at += 1;
        }
        if self.chars[self.at + 2..at].contains(&'i') {
            self.out.push_str("(?i)");
        }
        if let Some(any) = any {
            self.any = any;
        }
        self.at = at + 1;
        Ok(())
    }

    fn group(&mut self) -> Result<(), &'static str> {
        if !self.comes("(?") {
            self.out.push('(');
            self.at += 1;
            return Ok(());
        }
        match (self.peek(2), self.peek(3)) {
            (Some(':'), _) => {
                self.out.push_str("(?:");
                self.at += 3;
                Ok(())
            }
            (Some('<'), Some(c)) if c.is_ascii_alphabetic() => {
                self.out.push_str("(?<");
                self.at += 3;
                while let Some(c) = self.peek(0) {
                    if !c.is_ascii_alphanumeric() && c != '>' {
                        return Err("a group's name of other characters than letters and digits");
                    }
                    self.out.push(c);
                    self.at += 1;
                    if c == '>' {
                        break;
                    }
                }
                Ok(())
            }
            (Some('=' | '!' | '<'), _) => Err("look-around"),
            (Some('>'), _) => Err("an atomic group"),
            _ => Err("flags inside the pattern"),
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self, in_class: bool) -> Result<(), &'static str> {
        let Some(c) = self.peek(1) else {
            return Err("a backslash at its end");
        };
        self.at += 2;
        let set = |set: &str, negated: bool| match (in_class, negated) {
            (true, false) => set.to_owned(),
            (true, true) | (false, true) => format!("[^{set}]"),
            (false, false) => format!("[{set}]"),
        };
        let text = match c {
            'd' | 'D' => set("0-9", c == 'D'),
            'w' | 'W' => set(WORD, c == 'W'),
            's' | 'S' => set(SPACE, c == 'S'),
            'h' => set(
                r" \t\u{a0}\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}",
                false,
            ),
            'b' | 'B' | 'A' | 'z' if !in_class => format!("\\{c}"),
            't' | 'n' | 'r' => format!("\\{c}"),
            'f' => r"\x0C".to_owned(),
            'a' => r"\x07".to_owned(),
            'e' => r"\x1B".to_owned(),
            'x' | 'u' => {
                let count = if c == 'x' { 2 } else { 4 };
                let digits: String = (0..count).filter_map(|i| self.peek(i)).collect();
                if digits.len() != count || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err("an escape that is no character");
                }
                self.at += count;
                format!("\\u{{{digits}}}")
            }
            'p' | 'P' => self.property(c == 'P', in_class)?,
            'Q' => {
                let mut quoted = String::new();
                while self.at < self.chars.len() && !self.comes("\\E") {
                    literal(self.chars[self.at], &mut quoted);
                    self.at += 1;
                }
                self.at = (self.at + 2).min(self.chars.len());
                quoted
            }
            '1'..='9' | 'k' if !in_class => return Err("a back reference"),
            c if c.is_ascii_alphanumeric() => return Err("an escape that is not supported"),
            other => {
                let mut text = String::new();
                literal(other, &mut text);
                text
            }
        };
        self.out.push_str(&text);
        Ok(())
    }

    /// `\p{…}`: general categories and the POSIX classes.
    fn property(&mut self, negated: bool, in_class: bool) -> Result<String, &'static str> {
        let name: String = if self.peek(0) == Some('{') {
            let length = self.chars[self.at..].iter().position(|c| *c == '}');
            let Some(length) = length else {
                return Err("an escape without its end");
            };
            let name = self.chars[self.at + 1..self.at + length].iter().collect();
            self.at += length + 1;
            name
        } else {
            let name = self.peek(0).map(String::from).unwrap_or_default();
            self.at += 1;
            name
        };
        let set = match name.as_str() {
            "Lower" => "a-z",
            "Upper" => "A-Z",
            "ASCII" => r"\x00-\x7F",
            "Alpha" => "A-Za-z",
            "Digit" => "0-9",
            "Alnum" => "0-9A-Za-z",
            "Punct" => r"!-/:-@\[-`{-\x7E",
            "Graph" => "!-~",
            "Print" => " -~",
            "Blank" => r" \t",
            "Cntrl" => r"\x00-\x1F\x7F",
            "XDigit" => "0-9a-fA-F",
            "Space" => SPACE,
            name if matches!(name.len(), 1 | 2) && name.starts_with(|c| "LMNPSZC".contains(c)) => {
                return Ok(format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' }));
            }
            _ => return Err("a character class that is not supported"),
        };
        Ok(match (in_class, negated) {
            (true, false) => set.to_owned(),
            (_, true) => format!("[^{set}]"),
            (false, false) => format!("[{set}]"),
        })
    }

    /// `[…]`, which may hold others.
    fn class(&mut self, depth: usize) -> Result<(), &'static str> {
        if depth > 20 {
            return Err("character classes that nest too deep");
        }
        self.out.push('[');
        self.at += 1;
        if self.peek(0) == Some('^') {
            self.out.push('^');
            self.at += 1;
        }
        let mut first = true;
        loop {
            let Some(c) = self.peek(0) else {
                return Err("a character class without its end");
            };
            match c {
                ']' if !first => {
                    self.out.push(']');
                    self.at += 1;
                    return Ok(());
                }
                '[' if self.peek(1) == Some(':') => return Err("[: in a character class"),
                '[' => self.class(depth + 1)?,
                '\\' => self.escape(true)?,
                '&' if self.peek(1) == Some('&') => {
                    self.out.push_str("&&");
                    self.at += 2;
                }
                '-' if self.peek(1) == Some('-') => return Err("-- in a character class"),
                '-' => {
                    let itself = first || self.peek(1) == Some(']');
                    self.out.push_str(if itself { r"\-" } else { "-" });
                    self.at += 1;
                }
                other => {
                    literal(other, &mut self.out);
                    self.at += 1;
                }
            }
            first = false;
        }
    }
}

/// A character that stands for itself.
fn literal(c: char, out: &mut String) {
    if c.is_ascii_punctuation()
        && !matches!(
            c,
            '<' | '>' | '_' | '/' | '\'' | '"' | '`' | ',' | ';' | ':' | '=' | '@' | '!' | '%'
        )
    {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_find_what_java_finds() {
        for (pattern, text, found) in [
            ("a.c", "xabcx", true),
            ("a.c", "a\nc", false),
            ("(?s)a.c", "a\nc", true),
            ("(?i)ABC", "xabc", true),
            (r"^\d+$", "123", true),
            (r"^\d+$", "12a", false),
            (r"\d", "\u{663}", false),
            (r"\w", "é", false),
            (r"\p{L}", "é", true),
            (r"\p{Alpha}", "é", false),
            (r"[\w.-]+@[\w-]+\.com", "me.x@a-b.com", true),
            (r"[a-c&&[^b]]", "b", false),
            (r"[a-c&&[^b]]", "c", true),
            (r"[]a]", "]", true),
            (r"[^-a]", "-", false),
            (r"\Qa.b\E", "axb", false),
            (r"\Qa.b\E", "a.b", true),
            (r"[~&#]", "#", true),
            (r"\u00e9", "é", true),
            (r"a{2,3}", "aa", true),
            (r"\bfoo\b", "a foo b", true),
            ("a|b", "b", true),
            ("", "x", true),
            (r"[\[\]]", "[", true),
            (r"\$1", "$1", true),
        ] {
            let compiled = Pattern::new(pattern).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(compiled.is_found(text), Ok(found), "{pattern} in {text:?}");
        }
    }

    #[test]
    fn what_differs_is_refused() {
        for pattern in [
            "a++",
            "a*+",
            "(?=a)",
            "(?!a)",
            "(?<=a)",
            "(?<!a)",
            "(?>a)",
            r"(a)\1",
            "(?m)^a",
            "a(?i)b",
            "[[:alpha:]]",
            "[a--b]",
            r"\Z",
            "{",
            "a{",
            "(",
            "[",
            "\\",
            r"\p{IsGreek}",
            "((a{1000}){1000}){1000}",
        ] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
        assert!(Pattern::new("a$").unwrap().is_found("a\n").is_err());
    }

    #[test]
    fn replacements_are_javas() {
        assert_eq!(
            replacement("a$1b\\$", 1),
            Ok(vec![
                Piece::Text("a".into()),
                Piece::Group(1),
                Piece::Text("b$".into())
            ])
        );
        assert_eq!(replacement("$12", 1).map(|p| p.len()), Ok(3));
        assert!(replacement("$2", 1).is_err() && replacement("$x", 1).is_err());
        assert!(replacement("\\", 1).is_err());
    }

    #[test]
    fn no_pattern_panics() {
        let alphabet: Vec<char> = r"ab[]^-&(){}*+?|.\\$dwpQE1<>:=!,é 0".chars().collect();
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..20_000 {
            let pattern: String = (0..random.usize(0..14))
                .map(|_| alphabet[random.usize(0..alphabet.len())])
                .collect();
            if let Ok(compiled) = Pattern::new(&pattern) {
                let found: Vec<_> = compiled.matches("ab-]a1é").into_iter().flatten().collect();
                assert!(found.len() <= 9, "{pattern}");
            }
        }
    }
}
