//! `%XX`, and the characters that a URL cannot hold as they are.

use super::grammar::Fault;
use crate::error::UrlProblem;

/// Decoded text, and for each of its bytes the byte of the URL it came from.
#[derive(Debug)]
pub(super) struct Decoded {
    text: String,
    offsets: Vec<usize>,
    end: usize,
}

impl Decoded {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The byte of the URL that the byte `index` of the text came from; its end for an index
    /// past the text.
    pub(super) fn offset(&self, index: usize) -> usize {
        self.offsets.get(index).copied().unwrap_or(self.end)
    }
}

/// Decodes the part of a URL that begins at its byte `start`.
pub(super) fn decode(part: &str, start: usize) -> Result<Decoded, Fault> {
    let fault = |index: usize, problem| Fault {
        offset: start + index,
        problem,
    };
    let mut bytes = Vec::with_capacity(part.len());
    let mut offsets = Vec::with_capacity(part.len());
    let mut chars = part.char_indices();
    while let Some((index, c)) = chars.next() {
        if c == '%' {
            let byte = escaped(part, index).ok_or_else(|| fault(index, UrlProblem::BadEscape))?;
            bytes.push(byte);
            offsets.push(start + index);
            chars.nth(1);
            continue;
        }
        if is_illegal(c) {
            return Err(fault(index, UrlProblem::IllegalCharacter(c)));
        }
        let mut utf8 = [0; 4];
        for byte in c.encode_utf8(&mut utf8).bytes() {
            bytes.push(byte);
            offsets.push(start + index);
        }
    }
    let end = start + part.len();
    let text = String::from_utf8(bytes).map_err(|error| {
        let bad = error.utf8_error().valid_up_to();
        Fault {
            offset: offsets.get(bad).copied().unwrap_or(end),
            problem: UrlProblem::EscapeNotUtf8,
        }
    })?;
    Ok(Decoded { text, offsets, end })
}

/// The byte that `%XX` at `index` stands for.
pub(super) fn escaped(text: &str, index: usize) -> Option<u8> {
    let digits = text.get(index + 1..index + 3)?;
    // from_str_radix alone would take a sign.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

/// A part of the URL that has its own marks to escape.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// The database and the session variables.
    Path,
    HiveConfs,
    HiveVars,
}

/// Appends `text` so that reading the part gives it again.
///
/// A `;` becomes `%3B`, which does not read back as part of a value: no URL can say that.
pub(super) fn encode(text: &str, part: Part, out: &mut String) {
    for c in text.chars() {
        let is_mark = match part {
            Part::Path => matches!(c, '?' | '#' | '[' | ']'),
            Part::HiveConfs | Part::HiveVars => c == '#',
        };
        if is_mark || matches!(c, '%' | ';') || is_illegal(c) {
            let mut utf8 = [0; 4];
            for byte in c.encode_utf8(&mut utf8).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(c);
        }
    }
}

/// What Java's URI refuses, and so the driver.
fn is_illegal(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_lead_back_to_the_url() {
        let decoded = decode("a%3Bü%C3%BCb", 10).unwrap();
        assert_eq!(decoded.text(), "a;üüb");
        let offsets: Vec<usize> = (0..8).map(|index| decoded.offset(index)).collect();
        assert_eq!(offsets, [10, 11, 14, 14, 16, 19, 22, 23]);
    }

    #[test]
    fn what_cannot_be_decoded_has_its_place() {
        let fault = |text| {
            let fault = decode(text, 100).unwrap_err();
            (fault.offset, fault.problem)
        };
        assert_eq!(fault("ab%4"), (102, UrlProblem::BadEscape));
        assert_eq!(fault("%+1"), (100, UrlProblem::BadEscape));
        assert_eq!(fault("%é"), (100, UrlProblem::BadEscape));
        assert_eq!(fault("a b"), (101, UrlProblem::IllegalCharacter(' ')));
        assert_eq!(fault("a%FFb"), (101, UrlProblem::EscapeNotUtf8));
        assert_eq!(fault("a%C3"), (101, UrlProblem::EscapeNotUtf8));
    }
}
