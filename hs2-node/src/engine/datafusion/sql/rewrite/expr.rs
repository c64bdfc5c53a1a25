//! Expressions: literals with Hive's types, conversions, and the operators that need no types. Those that do are
//! planned in `operators`.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DataType, DateTimeField,
    ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Spanned, Subscript, UnaryOperator, Value, ValueWithSpan,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::interval::is_interval;
use super::literal::{literal, typed_literal};
use super::{Rewriter, lower, quoted, take};
use crate::engine::EngineError;
use crate::engine::datafusion::error;
use crate::engine::datafusion::functions::cast::{CAST, IMPLICIT, NUMBER, parse_type};
use crate::engine::datafusion::functions::complex::INDEX;
use crate::engine::datafusion::functions::pattern::Pattern;

/// Which of the keys a row of `GROUPING SETS` leaves out, one bit for each.
const GROUPING_ID: &str = "grouping__id";

impl Rewriter<'_> {
    pub(super) fn expr_in_place(&mut self, expr: &mut Expr) -> Result<(), EngineError> {
        *expr = self.expr(take(expr))?;
        Ok(())
    }

    fn boxed(&mut self, mut expr: Box<Expr>) -> Result<Box<Expr>, EngineError> {
        self.expr_in_place(&mut expr)?;
        Ok(expr)
    }

    pub(super) fn expr(&mut self, expr: Expr) -> Result<Expr, EngineError> {
        let at = expr.span().start;
        Ok(match expr {
            Expr::BinaryOp { .. } => return self.binary(expr),
            Expr::Identifier(mut ident) => match &self.grouped {
                Some(grouped) if ident.value.eq_ignore_ascii_case(GROUPING_ID) => {
                    if grouped.partly {
                        return Err(error::unsupported(
                            Some(at),
                            "GROUPING__ID with a key that is in no grouping set is not supported",
                        ));
                    }
                    let keys = self.copies.all(&grouped.keys)?;
                    cast(call("grouping", keys), "bigint", None)
                }
                _ => {
                    lower(&mut ident);
                    Expr::Identifier(ident)
                }
            },
            Expr::CompoundIdentifier(mut idents) => {
                idents.iter_mut().for_each(lower);
                Expr::CompoundIdentifier(idents)
            }
            Expr::Value(ValueWithSpan { value, span }) => return literal(value, span.start),
            Expr::TypedString(typed) => return typed_literal(&typed, at),
            Expr::Nested(inner) => Expr::Nested(self.boxed(inner)?),
            Expr::IsNull(inner) => Expr::IsNull(self.boxed(inner)?),
            Expr::IsNotNull(inner) => Expr::IsNotNull(self.boxed(inner)?),
            Expr::IsTrue(inner) => Expr::IsTrue(self.boxed(inner)?),
            Expr::IsNotTrue(inner) => Expr::IsNotTrue(self.boxed(inner)?),
            Expr::IsFalse(inner) => Expr::IsFalse(self.boxed(inner)?),
            Expr::IsNotFalse(inner) => Expr::IsNotFalse(self.boxed(inner)?),
            Expr::IsNotDistinctFrom(left, right) => same(self.expr(*left)?, self.expr(*right)?),
            Expr::IsDistinctFrom(left, right) => not(same(self.expr(*left)?, self.expr(*right)?)),
            Expr::InList {
                expr,
                list,
                negated,
            } => {
                let list = list
                    .into_iter()
                    .map(|item| self.expr(item))
                    .collect::<Result<_, _>>()?;
                Expr::InList {
                    expr: self.boxed(expr)?,
                    list,
                    negated,
                }
            }
            Expr::InSubquery {
                expr,
                mut subquery,
                negated,
            } => {
                self.query(&mut subquery)?;
                Expr::InSubquery {
                    expr: self.boxed(expr)?,
                    subquery,
                    negated,
                }
            }
            Expr::Exists {
                mut subquery,
                negated,
            } => {
                self.query(&mut subquery)?;
                Expr::Exists { subquery, negated }
            }
            Expr::Subquery(mut subquery) => {
                self.query(&mut subquery)?;
                Expr::Subquery(subquery)
            }
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                // As two comparisons, each with its own conversions.
                let (value, low, high) = (self.expr(*expr)?, self.expr(*low)?, self.expr(*high)?);
                let both = binary(
                    binary(self.copies.of(&value)?, BinaryOperator::GtEq, low),
                    BinaryOperator::And,
                    binary(value, BinaryOperator::LtEq, high),
                );
                if negated {
                    not(both)
                } else {
                    Expr::Nested(Box::new(both))
                }
            }
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char: None,
            } => {
                let value = self.text(*expr)?;
                return self.like(value, *pattern, negated);
            }
            Expr::Like {
                negated,
                any: true,
                expr,
                pattern,
                escape_char: None,
            } => {
                let patterns = match *pattern {
                    Expr::Tuple(patterns) => patterns,
                    Expr::Nested(pattern) => vec![*pattern],
                    other => vec![other],
                };
                let value = self.text(*expr)?;
                let mut found: Option<Expr> = None;
                for pattern in patterns {
                    let copy = self.copies.of(&value)?;
                    let one = self.like(copy, pattern, false)?;
                    found = Some(match found {
                        Some(before) => binary(before, BinaryOperator::Or, one),
                        None => one,
                    });
                }
                match found {
                    Some(found) if negated => not(found),
                    Some(found) => Expr::Nested(Box::new(found)),
                    None => return Err(error::parse(at, "LIKE ANY needs a pattern")),
                }
            }
            Expr::Like { .. } => {
                return Err(error::unsupported(
                    Some(at),
                    "LIKE with ESCAPE is not supported",
                ));
            }
            Expr::RLike {
                negated,
                expr,
                pattern,
                ..
            } => {
                let value = self.text(*expr)?;
                let pattern = self.pattern(*pattern, at)?;
                let found = call("hive rlike", vec![value, pattern]);
                if negated { not(found) } else { found }
            }
            Expr::UnaryOp { op, expr } => return self.unary(op, *expr, at),
            Expr::Cast {
                kind: CastKind::Cast,
                expr,
                data_type,
                array: false,
                format: None,
            } => {
                let name = type_name(&data_type, at)?;
                cast(self.expr(*expr)?, &name, None)
            }
            Expr::Case {
                case_token,
                end_token,
                operand,
                conditions,
                else_result,
            } => {
                let operand = operand.map(|operand| self.expr(*operand)).transpose()?;
                let mut rewritten = Vec::with_capacity(conditions.len());
                for CaseWhen { condition, result } in conditions {
                    let mut condition = self.expr(condition)?;
                    if let Some(operand) = &operand {
                        let operand = self.copies.of(operand)?;
                        condition = binary(operand, BinaryOperator::Eq, condition);
                    }
                    rewritten.push(CaseWhen {
                        condition,
                        result: self.expr(result)?,
                    });
                }
                let mut else_result = else_result.map(|expr| self.boxed(expr)).transpose()?;
                let results = rewritten.iter_mut().map(|when| &mut when.result);
                self.mark(results.chain(else_result.as_deref_mut()).collect())?;
                Expr::Case {
                    case_token,
                    end_token,
                    operand: None,
                    conditions: rewritten,
                    else_result,
                }
            }
            Expr::Extract { field, expr, .. } => {
                let name = match field {
                    DateTimeField::Year | DateTimeField::Years => "year",
                    DateTimeField::Quarter => "quarter",
                    DateTimeField::Month | DateTimeField::Months => "month",
                    DateTimeField::Week(None) | DateTimeField::Weeks => "weekofyear",
                    DateTimeField::Day | DateTimeField::Days => "day",
                    DateTimeField::Hour | DateTimeField::Hours => "hour",
                    DateTimeField::Minute | DateTimeField::Minutes => "minute",
                    DateTimeField::Second | DateTimeField::Seconds => "second",
                    other => {
                        return Err(error::unsupported(
                            Some(at),
                            format!("EXTRACT({other} …) is not supported"),
                        ));
                    }
                };
                return self.named(name, vec![*expr], at);
            }
            Expr::Trim {
                expr,
                trim_where: None,
                trim_what: None,
                trim_characters: None,
            } => {
                return self.named("trim", vec![*expr], at);
            }
            Expr::Substring {
                expr,
                substring_from: Some(from),
                substring_for,
                ..
            } => {
                let args = [Some(*expr), Some(*from), substring_for.map(|n| *n)]
                    .into_iter()
                    .flatten()
                    .collect();
                return self.named("substring", args, at);
            }
            Expr::Floor {
                expr,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            } => {
                let argument = self.expr(*expr)?;
                call("hive floor", vec![cast(argument, NUMBER, None)])
            }
            Expr::Ceil {
                expr,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            } => {
                let argument = self.expr(*expr)?;
                call("hive ceil", vec![cast(argument, NUMBER, None)])
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                let mut value = self.expr(*root)?;
                for access in access_chain {
                    value = match access {
                        AccessExpr::Subscript(Subscript::Index { index }) => {
                            call(INDEX, vec![value, self.expr(index)?])
                        }
                        AccessExpr::Dot(Expr::Identifier(field)) => {
                            let field = Value::SingleQuotedString(field.value.to_lowercase());
                            call("get_field", vec![value, Expr::Value(field.into())])
                        }
                        _ => {
                            return Err(error::unsupported(
                                Some(at),
                                "this element access is not supported",
                            ));
                        }
                    };
                }
                value
            }
            Expr::Function(function) => return self.function(function, at),
            Expr::Interval(_) => {
                return Err(error::unsupported(
                    Some(at),
                    "INTERVAL is supported beside + and - only",
                ));
            }
            other => {
                let shown: String = other.to_string().chars().take(60).collect();
                return Err(error::unsupported(
                    Some(at),
                    format!("the expression {shown} is not supported"),
                ));
            }
        })
    }

    /// A chain of operators, which may be thousands long: down its left side in a loop.
    fn binary(&mut self, expr: Expr) -> Result<Expr, EngineError> {
        let mut rest = Vec::new();
        let mut left = expr;
        while let Expr::BinaryOp {
            left: inner,
            op,
            right,
        } = left
        {
            rest.push((op, *right));
            left = *inner;
        }
        // `INTERVAL '1' DAY + d`.
        let mut leading = None;
        let mut result =
            if is_interval(&left) && matches!(rest.last(), Some((BinaryOperator::Plus, _))) {
                leading = Some(left);
                Expr::Value(Value::Null.into())
            } else {
                self.expr(left)?
            };
        while let Some((op, right)) = rest.pop() {
            use BinaryOperator as B;
            let at = right.span().start;
            if let Some(interval) = leading.take() {
                let right = self.expr(right)?;
                result = self.shifted(right, interval, false, at)?;
                continue;
            }
            if matches!(op, B::Plus | B::Minus) && is_interval(&right) {
                result = self.shifted(result, right, op == B::Minus, at)?;
                continue;
            }
            match &op {
                B::Plus
                | B::Minus
                | B::Multiply
                | B::Divide
                | B::Modulo
                | B::MyIntegerDivide
                | B::StringConcat
                | B::Gt
                | B::GtEq
                | B::Lt
                | B::LtEq
                | B::Eq
                | B::NotEq
                | B::Spaceship
                | B::And
                | B::Or
                | B::BitwiseAnd
                | B::BitwiseOr
                | B::BitwiseXor => {}
                other => {
                    return Err(error::unsupported(
                        Some(right.span().start),
                        format!("operator {other} is not supported"),
                    ));
                }
            }
            result = binary(result, op, self.expr(right)?);
        }
        Ok(result)
    }

    fn unary(
        &mut self,
        op: UnaryOperator,
        operand: Expr,
        at: Location,
    ) -> Result<Expr, EngineError> {
        // `- a ^ b` is `(- a) ^ b` in Hive and `- (a ^ b)` to the parser.
        if matches!(
            &operand,
            Expr::BinaryOp {
                op: BinaryOperator::BitwiseXor,
                ..
            }
        ) && op != UnaryOperator::Not
        {
            return Err(error::unsupported(
                Some(at),
                format!("{op} before ^ is not supported: write brackets"),
            ));
        }
        let operand = self.expr(operand)?;
        match op {
            UnaryOperator::Not => Ok(Expr::UnaryOp {
                op,
                expr: Box::new(operand),
            }),
            UnaryOperator::Plus => Ok(cast(operand, NUMBER, None)),
            UnaryOperator::Minus => Ok(Expr::UnaryOp {
                op,
                expr: Box::new(cast(operand, NUMBER, None)),
            }),
            UnaryOperator::BitwiseNot => Ok(call("bitwise_not", vec![operand])),
            other => Err(error::unsupported(
                Some(at),
                format!("operator {other} is not supported"),
            )),
        }
    }

    /// An expression where Hive takes a string.
    pub(super) fn text(&mut self, expr: Expr) -> Result<Expr, EngineError> {
        Ok(cast(self.expr(expr)?, "string", Some(IMPLICIT)))
    }

    /// `value LIKE pattern`, of which the value is rewritten: in Hive a backslash escapes `%` and `_` only, everywhere
    /// else it is itself.
    fn like(&mut self, value: Expr, pattern: Expr, negated: bool) -> Result<Expr, EngineError> {
        let Some(pattern_text) = string_constant(&pattern) else {
            let pattern = self.text(pattern)?;
            let found = call("hive like", vec![value, pattern]);
            return Ok(if negated { not(found) } else { found });
        };
        let mut escaped = String::with_capacity(pattern_text.len());
        let mut chars = pattern_text.chars().peekable();
        while let Some(c) = chars.next() {
            escaped.push(c);
            if c == '\\' {
                match chars.next_if(|next| matches!(next, '%' | '_')) {
                    Some(next) => escaped.push(next),
                    None => escaped.push('\\'),
                }
            }
        }
        Ok(Expr::Like {
            negated,
            any: false,
            expr: Box::new(value),
            pattern: Box::new(Expr::Value(Value::SingleQuotedString(escaped).into())),
            escape_char: None,
        })
    }

    /// A regular expression: one that is a constant is read now, so that what is wrong with it is known before it runs.
    pub(super) fn pattern(&mut self, pattern: Expr, at: Location) -> Result<Expr, EngineError> {
        if let Some(text) = string_constant(&pattern) {
            Pattern::new(text).map_err(|why| {
                error::unsupported(Some(at), format!("{why}, which is not supported"))
            })?;
        }
        self.text(pattern)
    }
}

/// The Hive text of a type in `CAST`.
fn type_name(data_type: &DataType, at: Location) -> Result<String, EngineError> {
    let name = match data_type {
        DataType::Decimal(info) | DataType::Dec(info) | DataType::Numeric(info) => match info {
            ExactNumberInfo::None => "decimal(10,0)".to_owned(),
            ExactNumberInfo::Precision(precision) => format!("decimal({precision},0)"),
            ExactNumberInfo::PrecisionAndScale(precision, scale) => {
                format!("decimal({precision},{scale})")
            }
        },
        other => other.to_string().to_lowercase(),
    };
    match parse_type(&name) {
        Ok(hive_type) if hive_type.is_primitive() => Ok(hive_type.to_string()),
        _ => Err(error::unsupported(
            Some(at),
            format!("CAST to {data_type} is not supported"),
        )),
    }
}

/// A conversion by Hive's rules.
pub(super) fn cast(expr: Expr, type_name: &str, mode: Option<&str>) -> Expr {
    let text = |text: &str| Expr::Value(Value::SingleQuotedString(text.to_owned()).into());
    let mut args = vec![expr, text(type_name)];
    args.extend(mode.map(text));
    call(CAST, args)
}

/// A call of a function of ours.
pub(super) fn call(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![quoted(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args
                .into_iter()
                .map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)))
                .collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    }
}

fn same(left: Expr, right: Expr) -> Expr {
    binary(left, BinaryOperator::Spaceship, right)
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp {
        op: UnaryOperator::Not,
        expr: Box::new(Expr::Nested(Box::new(expr))),
    }
}

/// A string constant.
pub(super) fn string_constant(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text),
            ..
        }) => Some(text),
        Expr::Nested(inner) => string_constant(inner),
        _ => None,
    }
}

/// The name of a plain function, in lower case.
pub(super) fn function_name(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [part] => part
            .as_ident()
            .map(|ident: &Ident| ident.value.to_lowercase()),
        _ => None,
    }
}
