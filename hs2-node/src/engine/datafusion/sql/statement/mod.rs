//! Statements: what our own grammar reads, and queries, which sqlparser reads.

mod define;
mod show;

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::Query;
use datafusion::sql::sqlparser::tokenizer::Token;

use self::define::{alter, create_database, create_table, create_view};
use self::show::{describe, show};
use super::cursor::{Cursor, TableName};
use super::types::HiveType;
use crate::engine::EngineError;
use crate::engine::datafusion::error;

/// A statement.
#[derive(Debug, Clone)]
pub(crate) enum Statement {
    Query(Box<Query>),
    Explain(Box<Query>),
    Use(String),
    ShowDatabases {
        pattern: Option<String>,
    },
    ShowTables {
        database: Option<String>,
        pattern: Option<String>,
    },
    ShowViews {
        database: Option<String>,
        pattern: Option<String>,
    },
    ShowFunctions {
        pattern: Option<String>,
    },
    ShowColumns {
        table: TableName,
        pattern: Option<String>,
    },
    ShowCreateTable(TableName),
    /// No table here has partitions: there is one with another answer only.
    ShowPartitions(TableName),
    ShowTableProperties {
        table: TableName,
        key: Option<String>,
    },
    Describe {
        table: TableName,
        column: Option<String>,
        detail: Detail,
    },
    DescribeDatabase(String),
    DescribeFunction(String),
    Rename {
        name: TableName,
        to: TableName,
        view: bool,
    },
    SetProperties {
        name: TableName,
        properties: BTreeMap<String, String>,
    },
    UnsetProperties {
        name: TableName,
        keys: Vec<String>,
        if_exists: bool,
    },
    AddColumns {
        name: TableName,
        columns: Vec<ColumnDef>,
    },
    CreateDatabase {
        name: String,
        if_not_exists: bool,
        comment: Option<String>,
    },
    DropDatabase {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    CreateTable(Box<CreateTable>),
    CreateView {
        name: TableName,
        if_not_exists: bool,
        or_replace: bool,
        columns: Vec<ColumnDef>,
        comment: Option<String>,
        query: Box<Query>,
        text: String,
    },
    DropTable {
        name: TableName,
        if_exists: bool,
    },
    DropView {
        name: TableName,
        if_exists: bool,
    },
    Truncate {
        name: TableName,
        if_exists: bool,
    },
    Insert(Box<Insert>),
}

/// How much `DESCRIBE` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Columns,
    Extended,
    Formatted,
}

/// A column of `CREATE TABLE`; views name theirs without a type.
#[derive(Debug, Clone)]
pub(crate) struct ColumnDef {
    pub(crate) name: String,
    pub(crate) hive_type: HiveType,
    pub(crate) comment: Option<String>,
}

/// How a table's files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileFormat {
    Parquet,
    /// Text with quotes, as spreadsheets write it.
    Csv,
    /// Hive's text: fields parted by one character, no quotes, `\\N` for NULL.
    Text,
    Json,
}

/// `CREATE [EXTERNAL] TABLE`, with or without a query.
#[derive(Debug, Clone)]
pub(crate) struct CreateTable {
    pub(crate) name: TableName,
    pub(crate) external: bool,
    pub(crate) if_not_exists: bool,
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) comment: Option<String>,
    pub(crate) format: FileFormat,
    pub(crate) location: Option<String>,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) like: Option<TableName>,
    pub(crate) query: Option<Box<Query>>,
}

/// `INSERT INTO | OVERWRITE [TABLE] t [(columns)] query`.
#[derive(Debug, Clone)]
pub(crate) struct Insert {
    pub(crate) table: TableName,
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) overwrite: bool,
    pub(crate) query: Box<Query>,
}

/// Statements that Hive has and this engine does not, by their first words.
const REFUSED: [&str; 39] = [
    "ALTER DATABASE",
    "ALTER SCHEMA",
    "ALTER MATERIALIZED",
    "ALTER INDEX",
    "PREPARE",
    "EXECUTE",
    "ABORT",
    "ANALYZE",
    "MSCK",
    "LOAD",
    "EXPORT",
    "IMPORT",
    "MERGE",
    "UPDATE",
    "DELETE",
    "GRANT",
    "REVOKE",
    "LOCK",
    "UNLOCK",
    "FROM",
    "START",
    "COMMIT",
    "ROLLBACK",
    "SHOW INDEXES",
    "SHOW LOCKS",
    "SHOW ROLES",
    "SHOW GRANT",
    "SHOW TRANSACTIONS",
    "SHOW COMPACTIONS",
    "SHOW CONF",
    "CREATE TEMPORARY",
    "CREATE MATERIALIZED",
    "CREATE INDEX",
    "CREATE ROLE",
    "CREATE FUNCTION",
    "DROP FUNCTION",
    "DROP ROLE",
    "RELOAD",
    "KILL",
];

/// Parses a statement. `text` is what the tokens were read from, variables replaced; a view keeps its part of it.
///
/// # Errors
/// A syntax error, or a statement that is not supported.
pub(crate) fn parse(cursor: &mut Cursor, text: &str) -> Result<Statement, EngineError> {
    if cursor.at_end() {
        return Err(cursor.unexpected("expected a statement"));
    }
    for refused in REFUSED {
        if cursor.comes(refused) {
            return Err(error::unsupported(
                Some(cursor.location()),
                format!("{refused} is not supported"),
            ));
        }
    }
    let statement = statement(cursor, text)?;
    cursor.expect_end()?;
    Ok(statement)
}

fn statement(c: &mut Cursor, text: &str) -> Result<Statement, EngineError> {
    if c.is_word("SELECT") || c.is_word("WITH") || c.peek() == &Token::LParen || c.is_word("VALUES")
    {
        return Ok(Statement::Query(c.query()?));
    }
    if c.eat("EXPLAIN") {
        for refused in [
            "DEPENDENCY",
            "AUTHORIZATION",
            "LOCKS",
            "VECTORIZATION",
            "CBO",
            "AST",
            "DEBUG",
            "ANALYZE",
        ] {
            if c.is_word(refused) {
                return Err(error::unsupported(
                    Some(c.location()),
                    format!("EXPLAIN {refused} is not supported"),
                ));
            }
        }
        // One plan serves all three.
        if !c.eat("FORMATTED") {
            c.eat("EXTENDED");
        }
        if !(c.is_word("SELECT") || c.is_word("WITH") || c.peek() == &Token::LParen) {
            return Err(error::unsupported(
                Some(c.location()),
                "EXPLAIN of another statement than a query is not supported",
            ));
        }
        return Ok(Statement::Explain(c.query()?));
    }
    if c.eat("USE") {
        return Ok(Statement::Use(c.identifier()?));
    }
    if c.eat("SHOW") {
        return show(c);
    }
    if c.eat("DESCRIBE") || c.eat("DESC") {
        return describe(c);
    }
    if c.eat("CREATE DATABASE") || c.eat("CREATE SCHEMA") {
        return create_database(c);
    }
    if c.eat("DROP DATABASE") || c.eat("DROP SCHEMA") {
        let if_exists = c.eat("IF EXISTS");
        let name = c.identifier()?;
        let cascade = c.eat("CASCADE");
        c.eat("RESTRICT");
        return Ok(Statement::DropDatabase {
            name,
            if_exists,
            cascade,
        });
    }
    if c.eat("CREATE EXTERNAL TABLE") {
        return create_table(c, true);
    }
    if c.eat("CREATE TABLE") || c.eat("CREATE MANAGED TABLE") {
        return create_table(c, false);
    }
    if c.eat("ALTER TABLE") {
        return alter(c, false);
    }
    if c.eat("ALTER VIEW") {
        return alter(c, true);
    }
    if c.eat("CREATE OR REPLACE VIEW") {
        return create_view(c, text, true);
    }
    if c.eat("CREATE VIEW") {
        return create_view(c, text, false);
    }
    if c.eat("DROP TABLE") {
        let if_exists = c.eat("IF EXISTS");
        let name = c.table_name()?;
        c.eat("PURGE");
        return Ok(Statement::DropTable { name, if_exists });
    }
    if c.eat("DROP VIEW") {
        let if_exists = c.eat("IF EXISTS");
        return Ok(Statement::DropView {
            name: c.table_name()?,
            if_exists,
        });
    }
    if c.eat("TRUNCATE") {
        c.eat("TABLE");
        let if_exists = c.eat("IF EXISTS");
        return Ok(Statement::Truncate {
            name: c.table_name()?,
            if_exists,
        });
    }
    if c.eat("INSERT") {
        return insert(c);
    }
    Err(c.unexpected("expected a statement"))
}

fn insert(c: &mut Cursor) -> Result<Statement, EngineError> {
    let overwrite = c.eat("OVERWRITE");
    if !overwrite {
        c.expect("INTO")?;
    }
    for refused in ["DIRECTORY", "LOCAL"] {
        if c.is_word(refused) {
            return Err(error::unsupported(
                Some(c.location()),
                format!("INSERT … {refused} is not supported"),
            ));
        }
    }
    c.eat("TABLE");
    let table = c.table_name()?;
    if c.is_word("PARTITION") || c.is_word("IF") {
        return Err(error::unsupported(
            Some(c.location()),
            "INSERT … PARTITION is not supported",
        ));
    }
    let named = c.peek() == &Token::LParen
        && !c.is_nth_word(1, "SELECT")
        && !c.is_nth_word(1, "WITH")
        && c.peek_nth(1) != &Token::LParen;
    let columns = if named {
        c.expect_token(&Token::LParen)?;
        let mut names = Vec::new();
        loop {
            names.push(c.identifier()?);
            if !c.eat_token(&Token::Comma) {
                break;
            }
        }
        c.expect_token(&Token::RParen)?;
        Some(names)
    } else {
        None
    };
    Ok(Statement::Insert(Box::new(Insert {
        table,
        columns,
        overwrite,
        query: c.query()?,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datafusion::sql::lexer;
    use crate::engine::datafusion::sql::variables::SourceText;

    fn parse_text(text: &str) -> Result<Statement, EngineError> {
        let source = SourceText::plain(text);
        let mut cursor = Cursor::new(lexer::tokenize(&source)?, source.end());
        parse(&mut cursor, text)
    }

    #[test]
    fn create_table_with_every_type() {
        let Statement::CreateTable(table) = parse_text(
            "CREATE TABLE IF NOT EXISTS Db.`T` (a INT COMMENT 'it\\'s', b VARCHAR(10), c CHAR(3), d DECIMAL(10,2), \
             e DECIMAL, f BINARY, g ARRAY<ARRAY<INT>>, h MAP<STRING,STRUCT<x:INT,y:DOUBLE>>, i TIMESTAMP) \
             COMMENT 'c' STORED AS PARQUET TBLPROPERTIES ('k'='v');",
        )
        .expect("parses") else {
            panic!("a table")
        };
        assert_eq!(table.name.database.as_deref(), Some("db"));
        assert_eq!(table.name.table, "t");
        assert!(table.if_not_exists && !table.external);
        assert_eq!(table.columns[0].comment.as_deref(), Some("it's"));
        let types: Vec<String> = table
            .columns
            .iter()
            .map(|c| c.hive_type.to_string())
            .collect();
        assert_eq!(
            types,
            [
                "int",
                "varchar(10)",
                "char(3)",
                "decimal(10,2)",
                "decimal(10,0)",
                "binary",
                "array<array<int>>",
                "map<string,struct<x:int,y:double>>",
                "timestamp"
            ]
        );
    }

    #[test]
    fn errors_point_at_their_place() {
        for (text, place) in [
            ("select from t", "line 1:7 "),
            ("select 1\n  from", "line 2:6 "),
            ("selec 1", "line 1:0 "),
            ("create table t (a int", "line 1:21 "),
            ("create table t (a foo)", "line 1:18 "),
            ("use", "line 1:3 "),
            ("show tables in", "line 1:14 "),
            ("select 1 where )", "line 1:15 "),
            ("", "line 1:0 "),
        ] {
            let error = parse_text(text).expect_err(text);
            assert_eq!(
                (error.sqlstate, error.code),
                ("42000", 40000),
                "{text}: {}",
                error.message
            );
            assert!(
                error
                    .message
                    .starts_with("Error while compiling statement: FAILED: ParseException line ")
                    && error.message.contains(place),
                "{text}: {}",
                error.message
            );
        }
    }

    #[test]
    fn several_statements_are_refused_by_name() {
        for text in ["select 1; select 2", "use a; use b"] {
            let error = parse_text(text).expect_err(text);
            assert_eq!(error.sqlstate, "0A000");
            assert!(
                error.message.contains("several statements"),
                "{}",
                error.message
            );
        }
        assert!(parse_text("select 1 ; ;").is_ok());
    }

    #[test]
    fn what_is_not_here_is_refused_by_name() {
        for (text, name) in [
            (
                "ALTER TABLE t ADD PARTITION (a=1)",
                "ALTER TABLE … ADD PARTITION",
            ),
            ("alter table t change a b int", "ALTER TABLE … CHANGE"),
            ("explain analyze select 1", "EXPLAIN ANALYZE"),
            ("from t select a", "FROM"),
            (
                "create table t (a int) partitioned by (b int)",
                "PARTITIONED",
            ),
            ("create table t (a int) stored as orc", "orc"),
            ("insert into t partition (a=1) select 1", "PARTITION"),
            ("insert overwrite directory '/tmp' select 1", "DIRECTORY"),
            ("create temporary table t (a int)", "CREATE TEMPORARY"),
        ] {
            let error = parse_text(text).expect_err(text);
            assert_eq!(error.sqlstate, "0A000", "{text}: {}", error.message);
            assert!(error.message.contains(name), "{text}: {}", error.message);
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("select {}1{}", "(".repeat(5000), ")".repeat(5000));
        assert_eq!(parse_text(&deep).expect_err("too deep").sqlstate, "42000");
        let deep = format!(
            "create table t (a {}int{})",
            "array<".repeat(900),
            ">".repeat(900)
        );
        assert_eq!(parse_text(&deep).expect_err("too deep").sqlstate, "42000");
    }

    #[test]
    fn a_view_keeps_its_querys_text() {
        let Statement::CreateView { text, .. } =
            parse_text("create view v as\n  select 'é' as a,\n 1 ;").expect("parses")
        else {
            panic!("a view")
        };
        assert_eq!(text, "select 'é' as a,\n 1");
    }
}
