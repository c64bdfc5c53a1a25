//! A place in a statement's tokens, and the small grammar that our own statements share: words, names, strings, types.

use datafusion::sql::sqlparser::ast::Query;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Word};

use super::dialect::HiveDialect;
use super::types::{CHAR_LENGTH_MAX, DECIMAL_DIGITS_MAX, HiveType, VARCHAR_LENGTH_MAX};
use crate::engine::EngineError;
use crate::engine::datafusion::error;

/// How deep brackets, subqueries and types may nest.
const NESTING_MAX: usize = 200;

/// A table's name as written, letter case removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    pub(crate) database: Option<String>,
    pub(crate) table: String,
    /// Where it stands.
    pub(crate) at: Location,
}

/// Tokens with a place in them.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    tokens: Vec<TokenWithSpan>,
    at: usize,
    end: Location,
}

impl Cursor {
    /// A cursor before the first of `tokens`; `end` is where the statement ends.
    pub(crate) fn new(tokens: Vec<TokenWithSpan>, end: Location) -> Self {
        Self { tokens, at: 0, end }
    }

    /// Every token of the statement.
    pub(crate) fn tokens(&self) -> &[TokenWithSpan] {
        &self.tokens
    }

    /// How many tokens are behind the cursor.
    pub(crate) fn index(&self) -> usize {
        self.at
    }

    /// The next token, or `EOF`.
    pub(crate) fn peek(&self) -> &Token {
        self.peek_nth(0)
    }

    /// The token `ahead` behind the next one, or `EOF`.
    pub(crate) fn peek_nth(&self, ahead: usize) -> &Token {
        self.tokens
            .get(self.at + ahead)
            .map_or(&Token::EOF, |t| &t.token)
    }

    /// Where the next token stands.
    pub(crate) fn location(&self) -> Location {
        self.tokens.get(self.at).map_or(self.end, |t| t.span.start)
    }

    /// Whether the next token is the unquoted word `word`.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.is_nth_word(0, word)
    }

    /// Whether the token `ahead` behind the next one is the unquoted word `word`.
    pub(crate) fn is_nth_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek_nth(ahead), Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    }

    /// Whether `words` (separated by spaces) come next.
    pub(crate) fn comes(&self, words: &str) -> bool {
        words
            .split(' ')
            .enumerate()
            .all(|(i, word)| self.is_nth_word(i, word))
    }

    /// Takes `words` (separated by spaces) if all of them come next.
    pub(crate) fn eat(&mut self, words: &str) -> bool {
        let all = self.comes(words);
        self.at += if all { words.split(' ').count() } else { 0 };
        all
    }

    /// Takes `token` if it comes next.
    pub(crate) fn eat_token(&mut self, token: &Token) -> bool {
        let same = self.peek() == token;
        self.at += usize::from(same);
        same
    }

    /// Takes `words` or fails.
    pub(crate) fn expect(&mut self, words: &str) -> Result<(), EngineError> {
        if self.eat(words) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("expected {words}")))
        }
    }

    /// Takes `token` or fails.
    pub(crate) fn expect_token(&mut self, token: &Token) -> Result<(), EngineError> {
        if self.eat_token(token) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("expected '{token}'")))
        }
    }

    /// The statement must end here. A `;` at its end is taken; what follows a `;` is another statement.
    pub(crate) fn expect_end(&mut self) -> Result<(), EngineError> {
        while self.eat_token(&Token::SemiColon) {
            if !matches!(self.peek(), Token::EOF | Token::SemiColon) {
                return Err(error::unsupported(
                    Some(self.location()),
                    "several statements in one call are not supported: send each by itself",
                ));
            }
        }
        if self.peek() == &Token::EOF {
            Ok(())
        } else {
            Err(self.unexpected("expected the end of the statement"))
        }
    }

    /// Whether nothing but `;` follows.
    pub(crate) fn at_end(&self) -> bool {
        self.tokens[self.at.min(self.tokens.len())..]
            .iter()
            .all(|t| t.token == Token::SemiColon)
    }

    /// Any word, quoted or not, in lower case.
    pub(crate) fn identifier(&mut self) -> Result<String, EngineError> {
        let name = match self.peek() {
            Token::Word(word) => word.value.to_lowercase(),
            // `1` alone is a number to the lexer and never a name of ours.
            _ => return Err(self.unexpected("expected a name")),
        };
        self.at += 1;
        Ok(name)
    }

    /// An operator's text.
    pub(crate) fn operator(&mut self) -> Result<String, EngineError> {
        if self.at_end() {
            return Err(self.unexpected("expected a name"));
        }
        let text = self.peek().to_string();
        self.at += 1;
        Ok(text)
    }

    /// A string literal.
    pub(crate) fn string(&mut self) -> Result<String, EngineError> {
        let Token::SingleQuotedString(value) = self.peek() else {
            return Err(self.unexpected("expected a string"));
        };
        let value = value.clone();
        self.at += 1;
        Ok(value)
    }

    /// A string literal or a word: what `LIKE` takes in `SHOW`.
    pub(crate) fn pattern(&mut self) -> Result<String, EngineError> {
        match self.peek() {
            Token::SingleQuotedString(_) => self.string(),
            _ => self.identifier(),
        }
    }

    /// `[database.]table`.
    pub(crate) fn table_name(&mut self) -> Result<TableName, EngineError> {
        let at = self.location();
        let first = self.identifier()?;
        if self.eat_token(&Token::Period) {
            return Ok(TableName {
                database: Some(first),
                table: self.identifier()?,
                at,
            });
        }
        Ok(TableName {
            database: None,
            table: first,
            at,
        })
    }

    /// A whole number that fits `T`.
    pub(crate) fn number<T: std::str::FromStr>(&mut self) -> Result<T, EngineError> {
        let Token::Number(text, _) = self.peek() else {
            return Err(self.unexpected("expected a number"));
        };
        let Ok(value) = text.parse() else {
            return Err(self.unexpected("expected a smaller number"));
        };
        self.at += 1;
        Ok(value)
    }

    /// A Hive type.
    pub(crate) fn hive_type(&mut self) -> Result<HiveType, EngineError> {
        self.hive_type_at(0)
    }

    fn hive_type_at(&mut self, depth: usize) -> Result<HiveType, EngineError> {
        if depth > NESTING_MAX {
            return Err(self.unexpected("the type nests too deep"));
        }
        let at = self.location();
        let start = self.at;
        let word = self.identifier()?;
        Ok(match word.as_str() {
            "boolean" => HiveType::Boolean,
            "tinyint" => HiveType::TinyInt,
            "smallint" => HiveType::SmallInt,
            "int" | "integer" => HiveType::Int,
            "bigint" => HiveType::BigInt,
            "float" | "real" => HiveType::Float,
            "double" => {
                self.eat("PRECISION");
                HiveType::Double
            }
            "string" => HiveType::String,
            "binary" => HiveType::Binary,
            "date" => HiveType::Date,
            "timestamp" => {
                if self.eat("WITH") {
                    self.expect("LOCAL TIME ZONE")?;
                    return Ok(HiveType::TimestampLocalTz);
                }
                HiveType::Timestamp
            }
            "decimal" | "numeric" | "dec" => self.decimal(at)?,
            "varchar" => HiveType::Varchar(self.length(at, "varchar", VARCHAR_LENGTH_MAX)?),
            "char" if depth > 0 => {
                return Err(error::unsupported(
                    Some(at),
                    "char inside another type is not supported: use string",
                ));
            }
            "char" => HiveType::Char(self.length(at, "char", CHAR_LENGTH_MAX)?),
            "array" => {
                self.expect_token(&Token::Lt)?;
                let element = self.hive_type_at(depth + 1)?;
                self.expect_token(&Token::Gt)?;
                HiveType::Array(Box::new(element))
            }
            "map" => {
                self.expect_token(&Token::Lt)?;
                let key = self.hive_type_at(depth + 1)?;
                if !key.is_primitive() {
                    return Err(error::parse(at, "a map's key must have a primitive type"));
                }
                self.expect_token(&Token::Comma)?;
                let value = self.hive_type_at(depth + 1)?;
                self.expect_token(&Token::Gt)?;
                HiveType::Map(Box::new(key), Box::new(value))
            }
            "struct" => {
                self.expect_token(&Token::Lt)?;
                let mut fields = Vec::new();
                loop {
                    let name = self.identifier()?;
                    self.expect_token(&Token::Colon)?;
                    fields.push((name, self.hive_type_at(depth + 1)?));
                    if self.eat("COMMENT") {
                        self.string()?;
                    }
                    if !self.eat_token(&Token::Comma) {
                        break;
                    }
                }
                self.expect_token(&Token::Gt)?;
                HiveType::Struct(fields)
            }
            TIMESTAMP_LOCAL_TZ_WORD => HiveType::TimestampLocalTz,
            "uniontype" | "interval" => {
                return Err(error::unsupported(
                    Some(at),
                    format!("type {word} is not supported"),
                ));
            }
            _ => {
                self.at = start;
                return Err(self.unexpected("expected a type"));
            }
        })
    }

    fn decimal(&mut self, at: Location) -> Result<HiveType, EngineError> {
        if !self.eat_token(&Token::LParen) {
            return Ok(HiveType::Decimal(10, 0));
        }
        let precision: u8 = self.number()?;
        let scale: u8 = if self.eat_token(&Token::Comma) {
            self.number()?
        } else {
            0
        };
        self.expect_token(&Token::RParen)?;
        if precision == 0 || precision > DECIMAL_DIGITS_MAX || scale > precision {
            return Err(error::parse(
                at,
                format!(
                    "decimal({precision},{scale}): precision is 1 to 38 and scale at most the precision"
                ),
            ));
        }
        Ok(HiveType::Decimal(precision, scale))
    }

    fn length(&mut self, at: Location, word: &str, max: u32) -> Result<u32, EngineError> {
        self.expect_token(&Token::LParen)?;
        let length: u32 = self.number()?;
        self.expect_token(&Token::RParen)?;
        if length == 0 || length > max {
            return Err(error::parse(
                at,
                format!("{word}({length}): the length is 1 to {max}"),
            ));
        }
        Ok(length)
    }

    /// A query up to the statement's end.
    pub(crate) fn query(&mut self) -> Result<Box<Query>, EngineError> {
        let mut rest: Vec<_> = self.tokens[self.at.min(self.tokens.len())..].to_vec();
        while rest.last().is_some_and(|t| t.token == Token::SemiColon) {
            rest.pop();
        }
        if let Some(semicolon) = rest.iter().position(|t| t.token == Token::SemiColon) {
            return Err(error::unsupported(
                Some(rest[semicolon].span.start),
                "several statements in one call are not supported: send each by itself",
            ));
        }
        let word = |t: &TokenWithSpan, word: &str| matches!(&t.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word));
        if let Some(pair) = rest
            .windows(2)
            .find(|pair| word(&pair[0], "SELECT") && word(&pair[1], "FROM"))
        {
            return Err(self.unexpected_at(pair[1].span.start, "expected an expression"));
        }
        fold_local_tz(&mut rest);
        rest.push(TokenWithSpan::new(
            Token::EOF,
            Span::new(self.end, self.end),
        ));
        let mut parser = Parser::new(&HiveDialect)
            .with_recursion_limit(NESTING_MAX)
            .with_tokens_with_locations(rest);
        let query = parser.parse_query().map_err(|e| self.parser_failure(&e))?;
        if parser.peek_token_ref().token != Token::EOF {
            let at = parser.peek_token_ref().span.start;
            return Err(self.unexpected_at(at, "expected the end of the statement"));
        }
        self.at = self.tokens.len();
        Ok(query)
    }

    /// A syntax error at the next token.
    pub(crate) fn unexpected(&self, expected: &str) -> EngineError {
        self.unexpected_at(self.location(), expected)
    }

    fn unexpected_at(&self, at: Location, expected: &str) -> EngineError {
        let first = self
            .tokens
            .iter()
            .position(|t| t.span.start >= at)
            .unwrap_or(self.tokens.len());
        let mut near: Vec<String> = self.tokens[first..]
            .iter()
            .take(3)
            .map(|t| format!("'{}'", show(&t.token)))
            .collect();
        if near.len() < 3 {
            near.push("'<EOF>'".to_owned());
        }
        error::parse(
            at,
            format!("cannot recognize input near {}: {expected}", near.join(" ")),
        )
    }

    /// sqlparser's error, which carries its place as text.
    fn parser_failure(&self, parser_error: &ParserError) -> EngineError {
        let (ParserError::TokenizerError(text) | ParserError::ParserError(text)) = parser_error
        else {
            return error::parse(self.location(), "the statement nests too deep");
        };
        let (detail, place) = match text.rsplit_once(" at Line: ") {
            Some((detail, place)) => (detail, place.split_once(", Column: ")),
            None => (text.as_str(), None),
        };
        let at = place.and_then(|(line, column)| {
            Some((line.trim().parse().ok()?, column.trim().parse().ok()?))
        });
        let at = at.map_or(self.end, |(line, column)| Location { line, column });
        let detail = detail.split(", found:").next().unwrap_or(detail).replacen(
            "Expected: ",
            "expected ",
            1,
        );
        self.unexpected_at(at, &detail)
    }
}

/// Makes one word of the type `timestamp with local time zone`, which the parser does not know.
fn fold_local_tz(tokens: &mut Vec<TokenWithSpan>) {
    const WORDS: [&str; 5] = ["TIMESTAMP", "WITH", "LOCAL", "TIME", "ZONE"];
    let is = |token: &TokenWithSpan, word: &str| matches!(&token.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word));
    let mut at = 0;
    while let Some(words) = tokens.get(at..at + WORDS.len()) {
        if words.iter().zip(WORDS).all(|(token, word)| is(token, word)) {
            let span = Span::new(words[0].span.start, words[4].span.end);
            let one = TokenWithSpan::new(Token::make_word(TIMESTAMP_LOCAL_TZ_WORD, None), span);
            tokens.splice(at..at + WORDS.len(), [one]);
        }
        at += 1;
    }
}

/// The type's other name in Hive.
const TIMESTAMP_LOCAL_TZ_WORD: &str = "timestamplocaltz";

fn show(token: &Token) -> String {
    match token {
        Token::Word(Word { value, .. }) => value.clone(),
        other => other.to_string(),
    }
}
