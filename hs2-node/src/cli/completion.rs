//! Completion in the shell: the words of SQL, and what the catalog has.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use hs2_client::{Error, ResultStream, Session, TablePattern};
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Words that begin with no name of the catalog, in the case that manuals write them.
const KEYWORDS: &[&str] = &[
    "ALTER",
    "AND",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CREATE",
    "CROSS",
    "DATABASE",
    "DATABASES",
    "DELETE",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXISTS",
    "EXPLAIN",
    "EXTERNAL",
    "FORMATTED",
    "FROM",
    "FULL",
    "FUNCTIONS",
    "GROUP",
    "HAVING",
    "INNER",
    "INSERT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCATION",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "OVERWRITE",
    "PARTITION",
    "PARTITIONED",
    "RIGHT",
    "SCHEMAS",
    "SELECT",
    "SET",
    "SHOW",
    "STORED",
    "TABLE",
    "TABLES",
    "THEN",
    "TRUNCATE",
    "UNION",
    "USE",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WITH",
];

/// How long names of the catalog are good for.
const NAMES_AGE: Duration = Duration::from_secs(30);

/// How long a Tab may take.
const ASK_PATIENCE: Duration = Duration::from_secs(2);

/// Names that are kept: a catalog with more is completed in part.
const NAMES_MAX: usize = 10_000;

pub(super) struct Completion {
    session: Session,
    runtime: Handle,
    names: Mutex<Option<(Instant, BTreeSet<String>)>>,
}

impl Completion {
    /// Must be made where the runtime is.
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            runtime: Handle::current(),
            names: Mutex::new(None),
        }
    }

    /// The catalog's names that begin so; none where the server does not answer soon.
    fn names(&self, prefix: &str) -> Vec<String> {
        let Ok(mut names) = self.names.lock() else {
            return Vec::new();
        };
        if names
            .as_ref()
            .is_none_or(|(asked, _)| asked.elapsed() > NAMES_AGE)
        {
            // The editor has a thread of its own, which may wait.
            let asked = self
                .runtime
                .block_on(timeout(ASK_PATIENCE, ask(&self.session)));
            let found = asked.ok().and_then(Result::ok).unwrap_or_default();
            *names = Some((Instant::now(), found));
        }
        let (_, all) = names.get_or_insert_with(|| (Instant::now(), BTreeSet::new()));
        all.iter()
            .filter(|name| begins(name, prefix))
            .cloned()
            .collect()
    }
}

async fn ask(session: &Session) -> Result<BTreeSet<String>, Error> {
    let mut names = BTreeSet::new();
    collect(session.schemas(None).await?, "TABLE_SCHEM", &mut names).await?;
    let tables = session.tables(&TablePattern::default()).await?;
    collect(tables, "TABLE_NAME", &mut names).await?;
    Ok(names)
}

async fn collect(
    mut stream: ResultStream,
    column: &str,
    names: &mut BTreeSet<String>,
) -> Result<(), Error> {
    while let Some(batch) = stream.next().await? {
        names.extend(texts(&batch, column));
        if names.len() >= NAMES_MAX {
            break;
        }
    }
    stream.close().await
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let texts = batch
        .column_by_name(column)
        .and_then(|column| column.as_string_opt::<i32>());
    let texts = texts.into_iter().flat_map(|texts| texts.iter().flatten());
    texts.map(str::to_owned).collect()
}

fn begins(word: &str, prefix: &str) -> bool {
    word.get(..prefix.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}

/// The word that ends at `end`, and where it begins.
fn word_before(line: &str, end: usize) -> (usize, &str) {
    let before = line.get(..end).unwrap_or(line);
    let start = before
        .char_indices()
        .rev()
        .take_while(|(_, c)| c.is_alphanumeric() || *c == '_')
        .last()
        .map_or(before.len(), |(at, _)| at);
    (start, before.get(start..).unwrap_or_default())
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        end: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let (start, prefix) = word_before(line, end);
        if prefix.is_empty() {
            return Ok((end, Vec::new()));
        }
        let lower = prefix.chars().all(char::is_lowercase);
        let keywords = KEYWORDS.iter().filter(|word| begins(word, prefix));
        let mut found: Vec<_> = keywords
            .map(|word| match lower {
                true => word.to_lowercase(),
                false => (*word).to_owned(),
            })
            .collect();
        found.extend(self.names(prefix));
        Ok((start, found))
    }
}

impl Hinter for Completion {
    type Hint = String;
}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_the_cursor() {
        assert_eq!(word_before("select na", 9), (7, "na"));
        assert_eq!(word_before("select db.t_1 from", 13), (10, "t_1"));
        assert_eq!(word_before("select ", 7), (7, ""));
        assert_eq!(word_before("řád", 5), (0, "řád"));
        assert!(begins("SELECT", "sel") && !begins("SELECT", "selects"));
    }
}
