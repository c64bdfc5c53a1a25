//! Errors in Hive's words: its SQLSTATEs, its numbers (`ErrorMsg.java`), and one line for a person.

use datafusion::common::{DataFusionError, SchemaError};
use datafusion::sql::sqlparser::tokenizer::Location;

use crate::engine::EngineError;

/// What every message of a statement that never ran begins with.
const COMPILING: &str = "Error while compiling statement: FAILED:";

/// The longest message: what it quotes may be as long as a statement.
const MESSAGE_BYTES_MAX: usize = 2_000;

/// A syntax error at `at`, in the text that was sent.
pub(crate) fn parse(at: Location, detail: impl AsRef<str>) -> EngineError {
    EngineError {
        sqlstate: "42000",
        code: 40000,
        message: one_line(&format!(
            "{COMPILING} ParseException {} {}",
            line(at),
            detail.as_ref()
        )),
    }
}

/// A statement that parses and means nothing: the number and words of Hive's `ErrorMsg`, with its SQLSTATE.
pub(crate) fn semantic(code: i32, detail: impl AsRef<str>) -> EngineError {
    EngineError {
        sqlstate: match code {
            10001 => "42S02",
            10015 => "21000",
            _ => "42000",
        },
        code,
        message: one_line(&format!(
            "{COMPILING} SemanticException [Error {code}]: {}",
            detail.as_ref()
        )),
    }
}

/// Something that Hive has, or that the parser knows, and that this engine refuses rather than answer differently.
pub(crate) fn unsupported(at: Option<Location>, what: impl AsRef<str>) -> EngineError {
    let place = at
        .filter(|at| at.line > 0)
        .map(|at| format!("{} ", capital_line(at)))
        .unwrap_or_default();
    EngineError {
        sqlstate: "0A000",
        code: 0,
        message: one_line(&format!(
            "{COMPILING} SemanticException {place}{}",
            what.as_ref()
        )),
    }
}

/// No such table, named with its database.
pub(crate) fn no_such_table(at: Option<Location>, database: &str, table: &str) -> EngineError {
    let place = at
        .filter(|at| at.line > 0)
        .map(|at| format!("{} ", capital_line(at)))
        .unwrap_or_default();
    semantic(
        10001,
        format!("{place}Table not found '{table}' in database '{database}'"),
    )
}

/// No such database.
pub(crate) fn no_such_database(database: &str) -> EngineError {
    semantic(10072, format!("Database does not exist: {database}"))
}

/// No such column.
pub(crate) fn no_such_column(at: Option<Location>, name: &str, others: &[String]) -> EngineError {
    let place = at
        .filter(|at| at.line > 0)
        .map(|at| format!("{} ", capital_line(at)))
        .unwrap_or_default();
    let mut detail = format!("{place}Invalid table alias or column reference '{name}'");
    if !others.is_empty() {
        detail.push_str(&format!(
            ": (possible column names are: {})",
            others.join(", ")
        ));
    }
    semantic(10004, detail)
}

/// No such function.
pub(crate) fn no_such_function(at: Location, name: &str) -> EngineError {
    let place = if at.line > 0 {
        format!("{} ", capital_line(at))
    } else {
        String::new()
    };
    semantic(10011, format!("{place}Invalid function '{name}'"))
}

/// A DDL statement that the catalog turned down.
pub(crate) fn ddl(detail: impl AsRef<str>) -> EngineError {
    EngineError {
        sqlstate: "08S01",
        code: 1,
        message: one_line(&format!(
            "Error while processing statement: FAILED: Execution Error, return code 1 from DDLTask. {}",
            detail.as_ref()
        )),
    }
}

/// A failure while running.
pub(crate) fn execution(detail: impl AsRef<str>) -> EngineError {
    EngineError {
        sqlstate: "08S01",
        code: 2,
        message: one_line(&format!(
            "Error while processing statement: FAILED: Execution Error, return code 2. {}",
            detail.as_ref()
        )),
    }
}

/// A failure of the file system under the warehouse or the spill folder.
pub(crate) fn io(doing: &str, error: &std::io::Error) -> EngineError {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return execution(format!(
            "{doing}: the disk is full; free space or give the warehouse a larger disk"
        ));
    }
    execution(format!("{doing}: {error}"))
}

/// An error of a running query.
pub(crate) fn from_running(error: &DataFusionError) -> EngineError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(detail) => execution(format!(
            "the query needs more memory than the engine may use: {}",
            detail.lines().next().unwrap_or_default()
        )),
        DataFusionError::IoError(e) => io("reading or spilling data", e),
        root => {
            let text = root.strip_backtrace();
            if text.contains("No space left on device") {
                return execution(format!("the disk is full: {text}"));
            }
            execution(text)
        }
    }
}

/// An error of a query's planning; `place` finds where in the statement an identifier stands.
pub(crate) fn from_planning(
    error: &DataFusionError,
    place: impl Fn(&str) -> Option<Location>,
) -> EngineError {
    match error.find_root() {
        DataFusionError::External(inner) => {
            if let Some(ours) = inner.downcast_ref::<EngineError>() {
                return ours.clone();
            }
            semantic(40000, inner.to_string())
        }
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound {
                field,
                valid_fields,
            } => no_such_column(
                place(&field.name),
                &field.name,
                &valid_fields
                    .iter()
                    .map(|c| c.name.clone())
                    .collect::<Vec<_>>(),
            ),
            SchemaError::AmbiguousReference { field } => {
                let at = place(&field.name)
                    .map(|at| format!("{} ", capital_line(at)))
                    .unwrap_or_default();
                semantic(
                    10007,
                    format!("{at}Ambiguous column reference {}", field.name),
                )
            }
            other => semantic(40000, other.to_string()),
        },
        DataFusionError::NotImplemented(detail) => {
            unsupported(None, format!("not supported: {detail}"))
        }
        DataFusionError::Internal(detail) => unsupported(
            None,
            format!(
                "the engine cannot plan this: {}",
                detail.lines().next().unwrap_or_default()
            ),
        ),
        root => semantic(40000, root.strip_backtrace()),
    }
}

/// Carries one of our errors through DataFusion.
pub(crate) fn external(error: EngineError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// `line 1:7`, the column counted from 0 as Hive does.
fn line(at: Location) -> String {
    format!("line {}:{}", at.line, at.column.saturating_sub(1))
}

/// `Line 1:7`, as Hive begins its semantic errors.
fn capital_line(at: Location) -> String {
    format!("Line {}:{}", at.line, at.column.saturating_sub(1))
}

/// One line, and not the whole of a long statement in it.
fn one_line(text: &str) -> String {
    let mut line = text
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if line.len() > MESSAGE_BYTES_MAX {
        let end = line.floor_char_boundary(MESSAGE_BYTES_MAX);
        line.truncate(end);
        line.push_str(" …");
    }
    line
}
