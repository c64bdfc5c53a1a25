//! Variable substitution: `${hivevar:x}`, `${hiveconf:x}` and `${x}` are replaced textually before parsing, as Hive's
//! `VariableSubstitution` does: again and again until nothing changes, at most 40 times.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::tokenizer::Location;

use crate::engine::EngineError;
use crate::engine::datafusion::error;

/// How often a statement's variables are replaced before it is refused.
const DEPTH_MAX: usize = 40;
/// How many bytes are counted at most to find a character's place.
const STEP: usize = 256;
/// The longest statement that substitution may make.
const LENGTH_MAX: usize = 16 << 20;

/// A statement after substitution, and where each part of it stood in the text that was sent.
#[derive(Debug, Clone)]
pub(crate) struct SourceText {
    /// The text to parse.
    pub(crate) text: String,
    /// For each run of `text`: where it starts, and where its origin starts and whether it was copied (`true`) or came
    /// out of a variable (`false`: the whole run stands where the variable stood).
    runs: Vec<Run>,
    /// Byte offset of each line's start in the text that was sent.
    lines: Vec<usize>,
    /// How many characters stand before each [`STEP`]th byte of it.
    characters: Vec<usize>,
    sent: String,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    start: usize,
    origin: usize,
    copied: bool,
}

impl SourceText {
    /// A statement without variables.
    pub(crate) fn plain(sent: &str) -> Self {
        Self {
            text: sent.to_owned(),
            runs: vec![Run {
                start: 0,
                origin: 0,
                copied: true,
            }],
            lines: std::iter::once(0)
                .chain(sent.match_indices('\n').map(|(i, _)| i + 1))
                .collect(),
            characters: std::iter::once(0)
                .chain(sent.as_bytes().chunks(STEP).map(starts))
                .scan(0, |sum, count| {
                    *sum += count;
                    Some(*sum)
                })
                .collect(),
            sent: sent.to_owned(),
        }
    }

    /// Replaces the variables of `sent`. `conf` answers `${hiveconf:x}`, `vars` answers `${hivevar:x}` and `${x}`;
    /// what neither knows stays as it is.
    ///
    /// # Errors
    /// Variables that refer to each other without end.
    pub(crate) fn substitute(
        sent: &str,
        conf: &BTreeMap<String, String>,
        vars: &BTreeMap<String, String>,
    ) -> Result<Self, EngineError> {
        let mut source = Self::plain(sent);
        for _ in 0..=DEPTH_MAX {
            if !source.substitute_once(conf, vars) {
                if let Some((at, name)) = source.foreign_variable() {
                    return Err(error::unsupported(
                        Some(at),
                        format!(
                            "${{{name}}} is not supported: the server's environment is not for its clients"
                        ),
                    ));
                }
                return Ok(source);
            }
            if source.text.len() > LENGTH_MAX {
                break;
            }
        }
        Err(error::semantic(
            40000,
            format!(
                "Variable substitution depth is limited to {DEPTH_MAX}: a variable refers to itself"
            ),
        ))
    }

    /// A variable of the server's environment, which Hive gives to everybody and this server to nobody.
    fn foreign_variable(&self) -> Option<(Location, &str)> {
        let mut from = 0;
        while let Some((start, end)) = next_variable(&self.text, from) {
            let name = &self.text[start + 2..end - 1];
            if ["env:", "system:"]
                .iter()
                .any(|space| name.starts_with(space))
            {
                return Some((self.location(start), name));
            }
            from = start + 1;
        }
        None
    }

    /// Where byte `offset` of `text` stands in the text that was sent: line and column from 1, in characters.
    pub(crate) fn location(&self, offset: usize) -> Location {
        let run = self.runs[self
            .runs
            .partition_point(|run| run.start <= offset)
            .saturating_sub(1)];
        let origin = if run.copied {
            run.origin + (offset - run.start)
        } else {
            run.origin
        };
        let line = self
            .lines
            .partition_point(|&start| start <= origin)
            .saturating_sub(1);
        let column = self.character(origin) - self.character(self.lines[line]);
        Location {
            line: line as u64 + 1,
            column: column as u64 + 1,
        }
    }

    /// How many characters of the text that was sent stand before a byte.
    fn character(&self, offset: usize) -> usize {
        let step = offset / STEP;
        self.characters[step] + starts(&self.sent.as_bytes()[step * STEP..offset])
    }

    /// Where the statement ends.
    pub(crate) fn end(&self) -> Location {
        self.location(self.text.len())
    }

    fn substitute_once(
        &mut self,
        conf: &BTreeMap<String, String>,
        vars: &BTreeMap<String, String>,
    ) -> bool {
        let mut text = String::with_capacity(self.text.len());
        let mut runs = Vec::new();
        let mut from = 0;
        let mut changed = false;
        while let Some((start, end)) = next_variable(&self.text, from) {
            let name = &self.text[start + 2..end - 1];
            let value = if let Some(name) = name.strip_prefix("hiveconf:") {
                conf.get(name)
            } else {
                vars.get(name.strip_prefix("hivevar:").unwrap_or(name))
            };
            let Some(value) = value else {
                // Unknown: the text stays, and the search goes on behind its first character.
                self.copy_runs(from, start + 1, text.len(), &mut runs);
                text.push_str(&self.text[from..=start]);
                from = start + 1;
                continue;
            };
            changed = true;
            self.copy_runs(from, start, text.len(), &mut runs);
            text.push_str(&self.text[from..start]);
            runs.push(Run {
                start: text.len(),
                origin: self.origin(start),
                copied: false,
            });
            text.push_str(value);
            from = end;
        }
        if changed {
            self.copy_runs(from, self.text.len() + 1, text.len(), &mut runs);
            text.push_str(&self.text[from..]);
            self.text = text;
            self.runs = runs;
        }
        changed
    }

    fn origin(&self, offset: usize) -> usize {
        let run = self.runs[self
            .runs
            .partition_point(|run| run.start <= offset)
            .saturating_sub(1)];
        if run.copied {
            run.origin + (offset - run.start)
        } else {
            run.origin
        }
    }

    /// Copies the runs of `from..to` of the old text to position `at` of the new one.
    fn copy_runs(&self, from: usize, to: usize, at: usize, runs: &mut Vec<Run>) {
        let first = self
            .runs
            .partition_point(|run| run.start <= from)
            .saturating_sub(1);
        for run in self.runs[first..].iter().take_while(|run| run.start < to) {
            let start = run.start.max(from);
            let origin = if run.copied {
                run.origin + (start - run.start)
            } else {
                run.origin
            };
            runs.push(Run {
                start: at + (start - from),
                origin,
                copied: run.copied,
            });
        }
    }
}

/// How many characters begin among these bytes.
fn starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

/// The next `${name}` at or behind `from`: the name is not empty and holds no `}`, `$` or space.
fn next_variable(text: &str, mut from: usize) -> Option<(usize, usize)> {
    while let Some(found) = text[from..].find("${") {
        let start = from + found;
        let rest = &text[start + 2..];
        let length = rest.find(['}', '$', ' '])?;
        if length > 0 && rest.as_bytes()[length] == b'}' {
            return Some((start, start + 2 + length + 1));
        }
        from = start + 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn substitute(sent: &str) -> Result<SourceText, EngineError> {
        let conf = map(&[("a.b", "conf"), ("loop", "${hiveconf:loop}x")]);
        let vars = map(&[
            ("x", "1"),
            ("nested", "<${x}>"),
            ("which", "x"),
            ("self", "${self}"),
        ]);
        SourceText::substitute(sent, &conf, &vars)
    }

    #[test]
    fn known_variables_are_replaced_and_unknown_ones_stay() {
        let text = |sent: &str| substitute(sent).expect("substitutes").text;
        assert_eq!(
            text("select ${x}, ${hivevar:x}, ${hiveconf:a.b}"),
            "select 1, 1, conf"
        );
        assert_eq!(text("${nested}${x}"), "<1>1");
        assert_eq!(text("${hivevar:${which}}"), "1");
        assert_eq!(
            text("${nope} ${} ${a b} $ {x} ${x"),
            "${nope} ${} ${a b} $ {x} ${x"
        );
        assert_eq!(text("'${x}'"), "'1'");
    }

    #[test]
    fn the_environment_is_refused() {
        for sent in ["'${env:PATH}'", "${system:user.name} ${x}"] {
            let error = substitute(sent).expect_err(sent);
            assert_eq!(error.sqlstate, "0A000");
            assert!(error.message.contains("environment"), "{}", error.message);
        }
    }

    #[test]
    fn a_variable_that_refers_to_itself_is_an_error() {
        for sent in ["${self}", "${hiveconf:loop}"] {
            let error = substitute(sent).expect_err("endless");
            assert_eq!(error.sqlstate, "42000");
            assert!(
                error.message.contains("depth is limited to 40"),
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn positions_point_into_the_text_that_was_sent() {
        let source = substitute("a ${nested}\n${x} bad é z").expect("substitutes");
        assert_eq!(source.text, "a <1>\n1 bad é z");
        let at = |word: &str| {
            let at = source.location(source.text.find(word).expect("is there"));
            (at.line, at.column)
        };
        assert_eq!(at("a"), (1, 1));
        assert_eq!(at("<"), (1, 3));
        assert_eq!(at("1>"), (1, 3));
        assert_eq!(at("bad"), (2, 6));
        assert_eq!(at("z"), (2, 12));
        assert_eq!((source.end().line, source.end().column), (2, 13));
        let long = format!("{}x", "é\n".repeat(3) + &"é".repeat(1000));
        let at = SourceText::plain(&long).location(long.len() - 1);
        assert_eq!((at.line, at.column), (4, 1001));
    }
}
