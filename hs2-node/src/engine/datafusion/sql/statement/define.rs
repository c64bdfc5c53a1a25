//! `CREATE` and `ALTER` of databases, tables and views.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::tokenizer::{Location, Token};

use super::{ColumnDef, CreateTable, FileFormat, Statement};
use crate::engine::EngineError;
use crate::engine::datafusion::error;
use crate::engine::datafusion::sql::cursor::Cursor;
use crate::engine::datafusion::sql::lexer;
use crate::engine::datafusion::sql::types::HiveType;
use crate::engine::datafusion::sql::variables::SourceText;

pub(super) fn create_database(c: &mut Cursor) -> Result<Statement, EngineError> {
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

pub(super) fn create_table(c: &mut Cursor, external: bool) -> Result<Statement, EngineError> {
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
pub(super) fn alter(c: &mut Cursor, view: bool) -> Result<Statement, EngineError> {
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

pub(super) fn create_view(
    c: &mut Cursor,
    text: &str,
    or_replace: bool,
) -> Result<Statement, EngineError> {
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
