//! What runs SQL: one trait for sessions of an engine, and the embedded DataFusion behind it.
//!
//! An engine knows Arrow and SQL; it never sees Thrift. A result's column types are the Arrow schema's, and where
//! Arrow has no word for a Hive type (`char(10)`, `varchar(20)`, intervals, a timestamp with local time zone) the
//! field's metadata carries Hive's type text under [`HIVE_TYPE`].

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use futures::stream::BoxStream;

#[cfg(feature = "datafusion")]
pub mod datafusion;
mod progress;

pub use progress::{Amount, Progress, Stage};

/// Key in an Arrow field's metadata that holds the column's Hive type as Hive prints it, such as `varchar(20)`.
pub const HIVE_TYPE: &str = "hive.type";

/// Key in an Arrow field's metadata that holds the comment of a table's column.
pub const COMMENT: &str = "comment";

/// Something that opens SQL sessions.
#[async_trait]
pub trait Engine: Send + Sync + Debug {
    /// Opens a session.
    ///
    /// # Errors
    /// The database named in the options does not exist, or the engine cannot take another session.
    async fn open_session(
        &self,
        options: SessionOptions,
    ) -> Result<Arc<dyn EngineSession>, EngineError>;
}

/// One session: a current database, settings and variables. Dropping it closes it.
#[async_trait]
pub trait EngineSession: Send + Sync + Debug {
    /// Compiles `statement`. Returns when the schema is known; the rows arrive on the stream. The work begins when
    /// the stream is first polled, which is when the statement's turn has come; dropping the stream cancels it.
    /// `overlay` holds settings for this statement only.
    ///
    /// # Errors
    /// Everything that is known before the first row: syntax, unknown tables, statements that are not supported.
    async fn execute(
        &self,
        statement: &str,
        overlay: &BTreeMap<String, String>,
    ) -> Result<Execution, EngineError>;

    /// The name of the current database.
    fn current_database(&self) -> String;

    /// Every database, table and column that the session can see, for the metadata calls.
    ///
    /// # Errors
    /// The catalog cannot be read.
    async fn catalog(&self) -> Result<Vec<Database>, EngineError>;

    /// The functions that a statement may call, for GetFunctions. An engine that does not say has none.
    fn functions(&self) -> Vec<Function> {
        Vec::new()
    }
}

/// What to open a session with.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// Who the session belongs to.
    pub user: String,
    /// The first current database; `None` is `default`.
    pub database: Option<String>,
    /// Hive settings by their full name.
    pub conf: BTreeMap<String, String>,
    /// Variables for `${hivevar:x}` and `${x}`.
    pub vars: BTreeMap<String, String>,
}

/// A statement under way.
pub struct Execution {
    /// The columns, or `None` where the statement has no result set (DDL, DML): then the stream yields no batch and
    /// its end is the statement's end.
    pub schema: Option<SchemaRef>,
    /// The rows. It does nothing until it is polled; dropped, it stops the work.
    pub batches: BoxStream<'static, Result<RecordBatch, EngineError>>,
    /// How far the work is; `None` where the engine cannot tell.
    pub progress: Option<Arc<dyn Progress>>,
}

impl Execution {
    /// A statement of which nothing is known but its rows.
    #[must_use]
    pub fn new(
        schema: Option<SchemaRef>,
        batches: BoxStream<'static, Result<RecordBatch, EngineError>>,
    ) -> Self {
        Self {
            schema,
            batches,
            progress: None,
        }
    }
}

impl Debug for Execution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execution")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

/// A statement or session that failed, in the words and numbers that a HiveServer2 client gets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    /// The five characters of the SQL standard: `42000` syntax or semantics, `42S02` no such table, `0A000` not
    /// supported, `08S01` failed while running.
    pub sqlstate: &'static str,
    /// Hive's number for the error (`ErrorMsg.java`); 0 where it has none.
    pub code: i32,
    /// One line for a person: what happened, to what, and what to do.
    pub message: String,
}

/// A function of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name, lower case.
    pub name: String,
    /// Whether it gives rows and stands in a FROM clause, rather than one value.
    pub table: bool,
}

/// A database (schema) of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Its name, lower case.
    pub name: String,
    /// Its tables and views.
    pub tables: Vec<Table>,
}

/// A table or view of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name, lower case.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// Its columns in order; Hive types where needed are in the fields' metadata ([`HIVE_TYPE`]), comments too
    /// ([`COMMENT`]).
    pub schema: SchemaRef,
    /// Its comment.
    pub comment: Option<String>,
}

/// Whether a table has data of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// A table whose files the warehouse owns.
    Managed,
    /// A table over files that somebody else owns.
    External,
    /// A stored query.
    View,
}
