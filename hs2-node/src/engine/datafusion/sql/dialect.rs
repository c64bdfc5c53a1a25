//! Hive's operators for sqlparser: the Spark dialect with the precedences of `IdentifiersParser.g`.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};
use datafusion::sql::sqlparser::dialect::{Dialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

/// `IS NULL` binds tighter than any operator with two sides.
const IS: u8 = 48;
const XOR: u8 = 44;
const MULTIPLY: u8 = 40;
const PLUS: u8 = 30;
const CONCAT: u8 = 26;
const AMPERSAND: u8 = 24;
const PIPE: u8 = 22;
/// `<`, `LIKE`, `IN`, `BETWEEN`.
const SIMILAR: u8 = 20;
/// `=`, `<>`, `<=>`.
const EQUAL: u8 = 18;

/// The dialect that queries are parsed with. Tokens come from our own lexer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HiveDialect;

impl Dialect for HiveDialect {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_ascii_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_ascii_alphanumeric() || ch == '_'
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_group_by_with_modifier(&self) -> bool {
        true
    }

    fn supports_select_item_multi_column_alias(&self) -> bool {
        true
    }

    fn supports_limit_comma(&self) -> bool {
        true
    }

    fn require_interval_qualifier(&self) -> bool {
        true
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Period => 100,
            Precedence::DoubleColon => 60,
            Precedence::AtTz => 50,
            Precedence::Is => IS,
            Precedence::Caret => XOR,
            Precedence::MulDivModOp => MULTIPLY,
            Precedence::PlusMinus => PLUS,
            Precedence::Ampersand => AMPERSAND,
            Precedence::Xor | Precedence::Pipe | Precedence::Colon => PIPE,
            Precedence::Between | Precedence::Like => SIMILAR,
            Precedence::Eq => EQUAL,
            Precedence::PgOther => 16,
            Precedence::UnaryNot => 15,
            Precedence::And => 10,
            Precedence::Or => 5,
        }
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        let precedence = match &parser.peek_token_ref().token {
            Token::Lt | Token::LtEq | Token::Gt | Token::GtEq => SIMILAR,
            Token::StringConcat => CONCAT,
            Token::Word(word) if word.keyword == Keyword::IS => {
                let negated = usize::from(is_word(parser, 1, Keyword::NOT));
                if is_word(parser, 1 + negated, Keyword::DISTINCT) {
                    EQUAL
                } else {
                    IS
                }
            }
            _ => return None,
        };
        Some(Ok(precedence))
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        if !parser.parse_keyword(Keyword::DIV) {
            return None;
        }
        Some(
            parser
                .parse_subexpr(precedence)
                .map(|right| Expr::BinaryOp {
                    left: Box::new(left.clone()),
                    op: BinaryOperator::MyIntegerDivide,
                    right: Box::new(right),
                }),
        )
    }
}

fn is_word(parser: &Parser<'_>, ahead: usize, keyword: Keyword) -> bool {
    matches!(&parser.peek_nth_token_ref(ahead).token, Token::Word(word) if word.keyword == keyword)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datafusion::sql::{lexer, variables::SourceText};

    /// The expression with every pair of operands in brackets.
    fn brackets(sql: &str) -> String {
        fn show(expr: &Expr) -> String {
            match expr {
                Expr::BinaryOp { left, op, right } => {
                    format!("({} {op} {})", show(left), show(right))
                }
                Expr::UnaryOp { op, expr } => format!("({op} {})", show(expr)),
                Expr::IsNull(expr) => format!("({} IS NULL)", show(expr)),
                Expr::IsDistinctFrom(l, r) => format!("({} IS DISTINCT FROM {})", show(l), show(r)),
                Expr::Like { expr, pattern, .. } => {
                    format!("({} LIKE {})", show(expr), show(pattern))
                }
                Expr::Between {
                    expr, low, high, ..
                } => {
                    format!("({} BETWEEN {} AND {})", show(expr), show(low), show(high))
                }
                other => other.to_string(),
            }
        }
        let tokens = lexer::tokenize(&SourceText::plain(sql)).expect("tokens");
        show(
            &Parser::new(&HiveDialect)
                .with_tokens_with_locations(tokens)
                .parse_expr()
                .expect(sql),
        )
    }

    #[test]
    fn precedence_is_hives() {
        for (sql, tree) in [
            ("10 DIV 3 + 1", "((10 DIV 3) + 1)"),
            ("1 + 10 DIV 3 * 2", "(1 + ((10 DIV 3) * 2))"),
            ("a ^ b * c", "((a ^ b) * c)"),
            ("a || b + c", "(a || (b + c))"),
            ("a & b || c", "(a & (b || c))"),
            ("a | b & c", "(a | (b & c))"),
            ("a = b < c", "(a = (b < c))"),
            ("a = b IS NULL", "(a = (b IS NULL))"),
            ("a + 1 IS DISTINCT FROM b", "((a + 1) IS DISTINCT FROM b)"),
            ("NOT a = b", "(NOT (a = b))"),
            ("a OR b AND c", "(a OR (b AND c))"),
            ("a LIKE b || c", "(a LIKE (b || c))"),
            (
                "a BETWEEN b + 1 AND c AND d",
                "((a BETWEEN (b + 1) AND c) AND d)",
            ),
            ("a - b - c", "((a - b) - c)"),
            ("- a * b", "((- a) * b)"),
        ] {
            assert_eq!(brackets(sql), tree, "{sql}");
        }
    }
}
