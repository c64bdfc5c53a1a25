//! Statements: what our own grammar reads, and queries, which sqlparser reads.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::Query;
use datafusion::sql::sqlparser::tokenizer::{Location, Token};

use super::cursor::{Cursor, TableName};
use super::lexer;
use super::types::HiveType;
use super::variables::SourceText;
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

fn show(c: &mut Cursor) -> Result<Statement, EngineError> {
    if c.eat("DATABASES") || c.eat("SCHEMAS") {
        return Ok(Statement::ShowDatabases { pattern: like(c)? });
    }
    if c.eat("CREATE TABLE") || c.eat("CREATE VIEW") {
        return Ok(Statement::ShowCreateTable(c.table_name()?));
    }
    if c.eat("FUNCTIONS") {
        let pattern = if c.at_end() {
            None
        } else {
            c.eat("LIKE");
            Some(c.pattern()?)
        };
        return Ok(Statement::ShowFunctions { pattern });
    }
    if c.eat("PARTITIONS") {
        return Ok(Statement::ShowPartitions(c.table_name()?));
    }
    if c.eat("COLUMNS") {
        if !c.eat("IN") {
            c.expect("FROM")?;
        }
        let mut table = c.table_name()?;
        if c.eat("IN") || c.eat("FROM") {
            table.database = Some(c.identifier()?);
        }
        return Ok(Statement::ShowColumns {
            table,
            pattern: like(c)?,
        });
    }
    if c.eat("TBLPROPERTIES") {
        let table = c.table_name()?;
        let key = if c.eat_token(&Token::LParen) {
            let key = c.string()?;
            c.expect_token(&Token::RParen)?;
            Some(key)
        } else {
            None
        };
        return Ok(Statement::ShowTableProperties { table, key });
    }
    let views = c.eat("VIEWS");
    if !views {
        c.expect("TABLES")?;
    }
    let database = if c.eat("IN") || c.eat("FROM") {
        Some(c.identifier()?)
    } else {
        None
    };
    let pattern = like(c)?;
    Ok(if views {
        Statement::ShowViews { database, pattern }
    } else {
        Statement::ShowTables { database, pattern }
    })
}

/// `[LIKE] 'pattern'`.
fn like(c: &mut Cursor) -> Result<Option<String>, EngineError> {
    if c.eat("LIKE") || matches!(c.peek(), Token::SingleQuotedString(_)) {
        Ok(Some(c.pattern()?))
    } else {
        Ok(None)
    }
}

fn describe(c: &mut Cursor) -> Result<Statement, EngineError> {
    if c.is_word("FUNCTION")
        && !c.at_end()
        && !matches!(c.peek_nth(1), Token::EOF | Token::SemiColon)
    {
        c.identifier()?;
        c.eat("EXTENDED");
        if let Token::SingleQuotedString(name) = c.peek() {
            let name = name.to_lowercase();
            c.string()?;
            return Ok(Statement::DescribeFunction(name));
        }
        if matches!(c.peek(), Token::Word(_)) {
            return Ok(Statement::DescribeFunction(c.identifier()?));
        }
        return Ok(Statement::DescribeFunction(c.operator()?));
    }
    if (c.is_word("DATABASE") || c.is_word("SCHEMA"))
        && !matches!(c.peek_nth(1), Token::EOF | Token::SemiColon)
    {
        c.identifier()?;
        c.eat("EXTENDED");
        return Ok(Statement::DescribeDatabase(c.identifier()?));
    }
    let alone = matches!(c.peek_nth(1), Token::EOF | Token::SemiColon | Token::Period);
    let detail = if alone {
        Detail::Columns
    } else if c.eat("FORMATTED") {
        Detail::Formatted
    } else if c.eat("EXTENDED") {
        Detail::Extended
    } else {
        Detail::Columns
    };
    let table = c.table_name()?;
    if c.is_word("PARTITION") {
        return Err(error::unsupported(
            Some(c.location()),
            "PARTITION is not supported",
        ));
    }
    let column = if matches!(c.peek(), Token::Word(_)) {
        Some(c.identifier()?)
    } else {
        None
    };
    Ok(Statement::Describe {
        table,
        column,
        detail,
    })
}

fn create_database(c: &mut Cursor) -> Result<Statement, EngineError> {
    let if_not_exists = c.eat("IF NOT EXISTS");
    let name = c.identifier()?;
    let comment = if c.eat("COMMENT") {
        Some(c.string()?)
    } else {
        None
    };
    for refused in ["LOCATION", "MANAGEDLOCATION", "WITH"] {
        if c.is_word(refused) {
            return Err(error::unsupported(
                Some(c.location()),
                format!(
                    "CREATE DATABASE … {refused} is not supported: databases live in the warehouse"
                ),
            ));
        }
    }
    Ok(Statement::CreateDatabase {
        name,
        if_not_exists,
        comment,
    })
}

fn create_table(c: &mut Cursor, external: bool) -> Result<Statement, EngineError> {
    let if_not_exists = c.eat("IF NOT EXISTS");
    let mut table = CreateTable {
        name: c.table_name()?,
        external,
        if_not_exists,
        columns: Vec::new(),
        comment: None,
        format: FileFormat::Parquet,
        location: None,
        properties: BTreeMap::new(),
        like: None,
        query: None,
    };
    if c.eat("LIKE") {
        table.like = Some(c.table_name()?);
    } else if c.peek() == &Token::LParen && !c.is_nth_word(1, "SELECT") {
        table.columns = columns(c, true)?;
    }
    loop {
        if c.eat("COMMENT") {
            table.comment = Some(c.string()?);
        } else if c.eat("LOCATION") {
            table.location = Some(c.string()?);
        } else if c.is_word("TBLPROPERTIES") {
            c.identifier()?;
            properties(c, &mut table.properties)?;
        } else if c.eat("STORED AS") || c.eat("USING") {
            let at = c.location();
            let word = c.identifier()?;
            table.format = match word.as_str() {
                "parquet" => FileFormat::Parquet,
                "csv" if external => FileFormat::Csv,
                // `ROW FORMAT SERDE` may have said otherwise.
                "textfile" if external && table.format != FileFormat::Parquet => table.format,
                "textfile" if external => FileFormat::Text,
                "json" | "jsonfile" if external => FileFormat::Json,
                "textfile" | "csv" | "json" | "jsonfile" => {
                    return Err(error::unsupported(
                        Some(at),
                        format!(
                            "STORED AS {word} is not supported for a managed table: use PARQUET"
                        ),
                    ));
                }
                _ => {
                    return Err(error::unsupported(
                        Some(at),
                        format!(
                            "STORED AS {word} is not supported: use PARQUET, or TEXTFILE, CSV or JSONFILE for an external table"
                        ),
                    ));
                }
            };
        } else if c.is_word("ROW") && external {
            row_format(c, &mut table)?;
        } else if c.eat("WITH SERDEPROPERTIES") {
            let at = c.location();
            let mut given = BTreeMap::new();
            properties(c, &mut given)?;
            for (key, value) in given {
                let name = match key.as_str() {
                    "field.delim" | "separatorChar" => "field.delim",
                    "serialization.format" => continue,
                    "quoteChar" if value == "\"" => continue,
                    _ => {
                        return Err(error::unsupported(
                            Some(at),
                            format!("SERDEPROPERTIES '{key}' is not supported"),
                        ));
                    }
                };
                table
                    .properties
                    .insert(name.to_owned(), one_byte(at, &value)?);
            }
        } else {
            break;
        }
    }
    for refused in ["PARTITIONED", "CLUSTERED", "SKEWED", "ROW", "STORED"] {
        if c.comes(refused) {
            return Err(error::unsupported(
                Some(c.location()),
                format!("CREATE TABLE … {refused} is not supported"),
            ));
        }
    }
    if c.eat("AS") {
        if !table.columns.is_empty() {
            return Err(c.unexpected("CREATE TABLE AS takes its columns from the query"));
        }
        table.query = Some(c.query()?);
    }
    Ok(Statement::CreateTable(Box::new(table)))
}

/// `ROW FORMAT DELIMITED …` or `ROW FORMAT SERDE '…'`.
fn row_format(c: &mut Cursor, table: &mut CreateTable) -> Result<(), EngineError> {
    c.expect("ROW")?;
    c.expect("FORMAT")?;
    let at = c.location();
    if c.eat("SERDE") {
        let class = c.string()?;
        table.format = match class.rsplit('.').next().unwrap_or_default() {
            "LazySimpleSerDe" => FileFormat::Text,
            "OpenCSVSerde" => FileFormat::Csv,
            "JsonSerDe" => FileFormat::Json,
            "ParquetHiveSerDe" => FileFormat::Parquet,
            _ => {
                return Err(error::unsupported(
                    Some(at),
                    format!("SERDE '{class}' is not supported"),
                ));
            }
        };
        return Ok(());
    }
    c.expect("DELIMITED")?;
    table.format = FileFormat::Text;
    loop {
        let at = c.location();
        if c.eat("FIELDS TERMINATED BY") {
            let value = c.string()?;
            table
                .properties
                .insert("field.delim".to_owned(), one_byte(at, &value)?);
            if c.is_word("ESCAPED") {
                return Err(error::unsupported(
                    Some(c.location()),
                    "ROW FORMAT … ESCAPED BY is not supported",
                ));
            }
        } else if c.eat("LINES TERMINATED BY") {
            if c.string()? != "\n" {
                return Err(error::unsupported(
                    Some(at),
                    "LINES TERMINATED BY anything but '\\n' is not supported",
                ));
            }
        } else if c.is_word("COLLECTION") || c.is_word("MAP") || c.is_word("NULL") {
            return Err(error::unsupported(
                Some(at),
                "ROW FORMAT DELIMITED with COLLECTION ITEMS, MAP KEYS or NULL is not supported",
            ));
        } else {
            break;
        }
    }
    Ok(())
}

/// A separator: Hive's is one byte, written as itself or as its number.
fn one_byte(at: Location, text: &str) -> Result<String, EngineError> {
    if text.len() == 1 {
        return Ok(text.to_owned());
    }
    match text.parse::<u8>() {
        Ok(code) if code < 128 => Ok(char::from(code).to_string()),
        _ => Err(error::unsupported(
            Some(at),
            format!("the separator '{text}' is not supported: it is one ASCII character"),
        )),
    }
}

/// `ALTER TABLE` and `ALTER VIEW`.
fn alter(c: &mut Cursor, view: bool) -> Result<Statement, EngineError> {
    let name = c.table_name()?;
    if c.eat("RENAME TO") {
        let to = c.table_name()?;
        return Ok(Statement::Rename { name, to, view });
    }
    if c.eat("SET TBLPROPERTIES") {
        let mut given = BTreeMap::new();
        properties(c, &mut given)?;
        return Ok(Statement::SetProperties {
            name,
            properties: given,
        });
    }
    if c.eat("UNSET TBLPROPERTIES") {
        let if_exists = c.eat("IF EXISTS");
        c.expect_token(&Token::LParen)?;
        let mut keys = vec![c.string()?];
        while c.eat_token(&Token::Comma) {
            keys.push(c.string()?);
        }
        c.expect_token(&Token::RParen)?;
        return Ok(Statement::UnsetProperties {
            name,
            keys,
            if_exists,
        });
    }
    if !view && c.eat("ADD COLUMNS") {
        let columns = columns(c, true)?;
        c.eat("CASCADE");
        c.eat("RESTRICT");
        return Ok(Statement::AddColumns { name, columns });
    }
    let kind = if view { "ALTER VIEW" } else { "ALTER TABLE" };
    let words: Vec<String> = (0..2)
        .filter_map(|i| match c.peek_nth(i) {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
            _ => None,
        })
        .collect();
    if words.is_empty() {
        return Err(c.unexpected("expected what to alter"));
    }
    Err(error::unsupported(
        Some(c.location()),
        format!("{kind} … {} is not supported", words.join(" ")),
    ))
}

/// `(name [type] [COMMENT '…'], …)`.
fn columns(c: &mut Cursor, typed: bool) -> Result<Vec<ColumnDef>, EngineError> {
    c.expect_token(&Token::LParen)?;
    let mut columns: Vec<ColumnDef> = Vec::new();
    loop {
        let at = c.location();
        let name = c.identifier()?;
        if columns.iter().any(|column| column.name == name) {
            return Err(error::semantic(
                10036,
                format!("Duplicate column name: {name}"),
            ));
        }
        if name
            .chars()
            .any(|ch| ch.is_control() || matches!(ch, '.' | ':'))
        {
            return Err(error::parse(
                at,
                format!("column name '{name}' may hold no '.', ':' or control character"),
            ));
        }
        let hive_type = if typed {
            c.hive_type()?
        } else {
            HiveType::Void
        };
        for refused in [
            "PRIMARY",
            "UNIQUE",
            "NOT",
            "DEFAULT",
            "CHECK",
            "REFERENCES",
            "CONSTRAINT",
        ] {
            if c.is_word(refused) {
                return Err(error::unsupported(
                    Some(c.location()),
                    format!("column constraint {refused} is not supported"),
                ));
            }
        }
        let comment = if c.eat("COMMENT") {
            Some(c.string()?)
        } else {
            None
        };
        columns.push(ColumnDef {
            name,
            hive_type,
            comment,
        });
        if !c.eat_token(&Token::Comma) {
            break;
        }
    }
    c.expect_token(&Token::RParen)?;
    Ok(columns)
}

/// `('key' = 'value', …)`.
fn properties(c: &mut Cursor, into: &mut BTreeMap<String, String>) -> Result<(), EngineError> {
    c.expect_token(&Token::LParen)?;
    loop {
        let key = c.string()?;
        c.expect_token(&Token::Eq)?;
        into.insert(key, c.string()?);
        if !c.eat_token(&Token::Comma) {
            break;
        }
    }
    c.expect_token(&Token::RParen)
}

fn create_view(c: &mut Cursor, text: &str, or_replace: bool) -> Result<Statement, EngineError> {
    let if_not_exists = c.eat("IF NOT EXISTS");
    let name = c.table_name()?;
    let columns = if c.peek() == &Token::LParen {
        columns(c, false)?
    } else {
        Vec::new()
    };
    let comment = if c.eat("COMMENT") {
        Some(c.string()?)
    } else {
        None
    };
    if c.is_word("TBLPROPERTIES") {
        c.identifier()?;
        properties(c, &mut BTreeMap::new())?;
    }
    if c.is_word("PARTITIONED") {
        return Err(error::unsupported(
            Some(c.location()),
            "CREATE VIEW … PARTITIONED is not supported",
        ));
    }
    c.expect("AS")?;
    let start = c.index();
    let query = c.query()?;
    let source = SourceText::plain(text);
    let at = lexer::tokenize(&source)?
        .get(start)
        .map_or(source.end(), |token| token.span.start);
    let text = behind(text, at.line, at.column);
    Ok(Statement::CreateView {
        name,
        if_not_exists,
        or_replace,
        columns,
        comment,
        query,
        text,
    })
}

/// The part of `text` from line and column (from 1, in characters) on, without the `;` at its end.
fn behind(text: &str, line: u64, column: u64) -> String {
    let mut lines = text
        .split_inclusive('\n')
        .skip(usize::try_from(line).unwrap_or(1).saturating_sub(1));
    let skip = usize::try_from(column).unwrap_or(1).saturating_sub(1);
    let first: String = lines
        .next()
        .unwrap_or_default()
        .chars()
        .skip(skip)
        .collect();
    let rest: String = lines.collect();
    format!("{first}{rest}")
        .trim_end()
        .trim_end_matches(';')
        .trim_end()
        .to_owned()
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
