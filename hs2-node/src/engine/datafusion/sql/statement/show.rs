//! `SHOW` and `DESCRIBE`.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{Detail, Statement};
use crate::engine::EngineError;
use crate::engine::datafusion::error;
use crate::engine::datafusion::sql::cursor::Cursor;

pub(super) fn show(c: &mut Cursor) -> Result<Statement, EngineError> {
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

pub(super) fn describe(c: &mut Cursor) -> Result<Statement, EngineError> {
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
