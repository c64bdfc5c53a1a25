//! Operators of two operands, planned by the operands' types as Hive's `FunctionRegistry` does: which conversion each
//! side gets, and what is refused.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, ScalarUDF, lit};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::error;
use super::functions::arithmetic::{Arithmetic, Operator as Arith, decimal_of};
use super::functions::cast::HiveCast;
use super::functions::{strings, text};
use super::sql::types::{DECIMAL_DIGITS_MAX, HiveType};

/// The planner of operators.
#[derive(Debug)]
pub(crate) struct HiveOperators {
    cast: Arc<ScalarUDF>,
    /// `||`.
    concat: Arc<ScalarUDF>,
}

/// Types that are compared and combined with each other alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Void,
    Number,
    Text,
    Date,
    Timestamp,
    /// Instants.
    LocalTz,
    YearMonth,
    DayTime,
    Boolean,
    Binary,
    Complex,
}

/// The group of a type.
pub(crate) fn group(hive_type: &HiveType) -> Group {
    use HiveType as T;
    match hive_type {
        T::Void => Group::Void,
        T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::Float | T::Double | T::Decimal(..) => {
            Group::Number
        }
        T::String | T::Varchar(_) | T::Char(_) => Group::Text,
        T::Date => Group::Date,
        T::Timestamp => Group::Timestamp,
        T::TimestampLocalTz => Group::LocalTz,
        T::IntervalYearMonth => Group::YearMonth,
        T::IntervalDayTime => Group::DayTime,
        T::Boolean => Group::Boolean,
        T::Binary => Group::Binary,
        T::Array(_) | T::Map(..) | T::Struct(_) => Group::Complex,
    }
}

/// The type that values of several types come to where each row takes one of them (`CASE`, `coalesce`, `array`): text
/// beside numbers or dates is text. `None` where Hive has none.
pub(crate) fn common_type(types: &[HiveType]) -> Option<HiveType> {
    types.iter().try_fold(HiveType::Void, |common, hive| {
        let (l, r) = (group(&common), group(hive));
        Some(match (l, r) {
            _ if common == *hive => common,
            (Group::Void, _) => hive.clone(),
            (_, Group::Void) => common,
            (Group::Number, Group::Number) => common_number(&common, hive)?,
            (Group::Text, Group::Text | Group::Number | Group::Date | Group::Timestamp)
            | (Group::Number | Group::Date | Group::Timestamp, Group::Text) => HiveType::String,
            (Group::Date | Group::Timestamp, Group::Date | Group::Timestamp) => HiveType::Timestamp,
            (Group::Complex, Group::Complex) if common.arrow() == hive.arrow() => common,
            _ => return None,
        })
    })
}

fn common_number(left: &HiveType, right: &HiveType) -> Option<HiveType> {
    use HiveType as T;
    let whole = |hive: &T| match hive {
        T::TinyInt => Some(0),
        T::SmallInt => Some(1),
        T::Int => Some(2),
        T::BigInt => Some(3),
        _ => None,
    };
    Some(match (left, right) {
        (T::Double, _) | (_, T::Double) => T::Double,
        (T::Float, _) | (_, T::Float) => T::Float,
        _ => match (whole(left), whole(right)) {
            (Some(l), Some(r)) if l >= r => left.clone(),
            (Some(_), Some(_)) => right.clone(),
            _ => match (decimal_of(left)?, decimal_of(right)?) {
                (T::Decimal(p1, s1), T::Decimal(p2, s2)) => {
                    let scale = s1.max(s2);
                    T::Decimal(
                        ((p1 - s1).max(p2 - s2) + scale).min(DECIMAL_DIGITS_MAX),
                        scale,
                    )
                }
                _ => return None,
            },
        },
    })
}

impl HiveOperators {
    pub(crate) fn new() -> Self {
        Self {
            cast: Arc::new(HiveCast::udf()),
            concat: Arc::new(strings::concat()),
        }
    }

    /// A conversion by Hive's rules, where there is one to make.
    pub(crate) fn cast(&self, expr: Expr, from: &HiveType, to: &HiveType) -> Expr {
        if from == to {
            return expr;
        }
        Expr::ScalarFunction(ScalarFunction::new_udf(
            Arc::clone(&self.cast),
            vec![expr, lit(to.to_string())],
        ))
    }

    fn arithmetic(&self, operator: Arith, left: Side, right: Side) -> Result<Expr> {
        let Some((l, r)) = operator.operands(&left.hive, &right.hive) else {
            return refuse(operator.symbol(), &left.hive, &right.hive);
        };
        let (a, b) = (
            self.cast(left.expr, &left.hive, &l),
            self.cast(right.expr, &right.hive, &r),
        );
        let native = match operator {
            Arith::Add => Some(Operator::Plus),
            Arith::Subtract => Some(Operator::Minus),
            Arith::Multiply => Some(Operator::Multiply),
            _ => None,
        };
        Ok(match native {
            // Whole numbers wrap and doubles are IEEE in both.
            Some(native) if !matches!(l, HiveType::Decimal(..)) => native_binary(a, native, b),
            _ => Expr::ScalarFunction(ScalarFunction::new_udf(
                Arc::new(Arithmetic::udf(operator)),
                vec![a, b],
            )),
        })
    }

    fn comparison(&self, operator: Operator, left: Side, right: Side) -> Result<Expr> {
        use Group as G;
        let to = |side: Side, hive: &HiveType| self.cast(side.expr, &side.hive, hive);
        let both = |l: Side, r: Side, hive: HiveType| {
            Ok(native_binary(to(l, &hive), operator, to(r, &hive)))
        };
        let strict = |hive: &HiveType| matches!(hive, HiveType::BigInt | HiveType::Decimal(..));
        match (group(&left.hive), group(&right.hive)) {
            (G::Complex, _) | (_, G::Complex) => {
                refuse(&operator.to_string(), &left.hive, &right.hive)
            }
            (G::Void, _) | (_, G::Void) => Ok(native_binary(left.expr, operator, right.expr)),
            (G::Number, G::Number) => {
                // Beside a decimal the other side's precision counts, not the decimal's.
                let decimal = |hive: &HiveType| matches!(hive, HiveType::Decimal(..));
                let fraction = match (&left.hive, &right.hive) {
                    (a, b) if !decimal(a) && !decimal(b) => None,
                    (HiveType::Double, _) | (_, HiveType::Double) => Some(HiveType::Double),
                    (HiveType::Float, _) | (_, HiveType::Float) => Some(HiveType::Float),
                    _ => None,
                };
                match fraction {
                    Some(fraction) => both(left, right, fraction),
                    None => Ok(native_binary(left.expr, operator, right.expr)),
                }
            }
            (G::Text, G::Number) | (G::Number, G::Text) => {
                // Hive refuses these too (`hive.strict.checks.type.safety`): a double cannot hold them.
                if strict(&left.hive) || strict(&right.hive) {
                    return refuse(&operator.to_string(), &left.hive, &right.hive);
                }
                both(left, right, HiveType::Double)
            }
            (G::Text, G::Date | G::Timestamp) => {
                let hive = right.hive.clone();
                self.with_text(operator, left, &hive)
                    .map(|l| native_binary(l, operator, right.expr))
            }
            (G::Date | G::Timestamp, G::Text) => {
                let hive = left.hive.clone();
                self.with_text(operator, right, &hive)
                    .map(|r| native_binary(left.expr, operator, r))
            }
            (G::Date, G::Timestamp) | (G::Timestamp, G::Date) => {
                both(left, right, HiveType::Timestamp)
            }
            (l, r) if l == r => Ok(native_binary(left.expr, operator, right.expr)),
            _ => refuse(&operator.to_string(), &left.hive, &right.hive),
        }
    }

    /// A string beside a date or timestamp: only a constant that is one, since Hive's versions differ on the others.
    fn with_text(&self, operator: Operator, side: Side, hive: &HiveType) -> Result<Expr> {
        let constant = match &side.expr {
            Expr::Literal(ScalarValue::Utf8(Some(value)), _) => Some(value.as_str()),
            _ => None,
        };
        let fine = constant.is_some_and(|value| match hive {
            HiveType::Date => value.len() == 10 && text::parse_date(value).is_some(),
            _ => text::parse_timestamp(value).is_some(),
        });
        if fine {
            Ok(self.cast(side.expr, &side.hive, hive))
        } else {
            refuse(&operator.to_string(), hive, &side.hive)
        }
    }
}

impl HiveOperators {
    /// `IN` with the conversions of `=`, or `None` where no side needs one.
    ///
    /// # Errors
    /// Types that Hive does not compare.
    pub(crate) fn in_list(&self, list: &InList, schema: &DFSchema) -> Result<Option<Expr>> {
        let value = Side::new(list.expr.as_ref().clone(), schema)?;
        let items = list
            .list
            .iter()
            .map(|item| Side::new(item.clone(), schema))
            .collect::<Result<Vec<_>>>()?;
        if items
            .iter()
            .all(|item| item.hive == value.hive || item.hive == HiveType::Void)
        {
            return Ok(None);
        }
        let mut converted: Option<Expr> = None;
        let mut rest = Vec::with_capacity(items.len());
        for item in items {
            let of = value.hive.clone();
            let one = Side {
                expr: value.expr.clone(),
                hive: value.hive.clone(),
            };
            let hive = item.hive.clone();
            let Expr::BinaryExpr(equal) = self.comparison(Operator::Eq, one, item)? else {
                return refuse("IN", &of, &hive);
            };
            // One value cannot be compared in two types at once.
            if converted
                .as_ref()
                .is_some_and(|before| *before != *equal.left)
            {
                return refuse("IN", &of, &hive);
            }
            converted = Some(*equal.left);
            rest.push(*equal.right);
        }
        let value = converted.unwrap_or(value.expr);
        Ok(Some(Expr::InList(InList::new(
            Box::new(value),
            rest,
            list.negated,
        ))))
    }
}

struct Side {
    expr: Expr,
    hive: HiveType,
}

impl Side {
    fn new(expr: Expr, schema: &DFSchema) -> Result<Self> {
        // A chain's type without a descent through all of it: operands of arithmetic have one type.
        let mut last = &expr;
        while let Expr::BinaryExpr(binary) = last {
            if !matches!(
                binary.op,
                Operator::Plus | Operator::Minus | Operator::Multiply
            ) {
                if binary.op.supports_propagation()
                    || matches!(binary.op, Operator::And | Operator::Or)
                {
                    return Ok(Self {
                        expr,
                        hive: HiveType::Boolean,
                    });
                }
                break;
            }
            last = &binary.right;
        }
        let (_, field) = last.to_field(schema)?;
        match HiveType::of_field(&field) {
            Some(hive) => Ok(Self { expr, hive }),
            None => Err(error::external(error::unsupported(
                None,
                format!("a value of type {} is not supported", field.data_type()),
            ))),
        }
    }
}

fn native_binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)))
}

fn refuse<T>(operator: &str, left: &HiveType, right: &HiveType) -> Result<T> {
    Err(error::external(error::unsupported(
        None,
        format!("operator {operator} on {left} and {right} is not supported: CAST one side"),
    )))
}

impl ExprPlanner for HiveOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator as B;
        let RawBinaryExpr { op, left, right } = expr;
        let (left, right) = (Side::new(left, schema)?, Side::new(right, schema)?);
        let planned = match &op {
            B::Plus => self.arithmetic(Arith::Add, left, right)?,
            B::Minus => self.arithmetic(Arith::Subtract, left, right)?,
            B::Multiply => self.arithmetic(Arith::Multiply, left, right)?,
            B::Divide => self.arithmetic(Arith::Divide, left, right)?,
            B::Modulo => self.arithmetic(Arith::Modulo, left, right)?,
            B::Custom(name) if name == "pmod" => {
                self.arithmetic(Arith::PositiveModulo, left, right)?
            }
            B::MyIntegerDivide => self.arithmetic(Arith::IntegerDivide, left, right)?,
            B::Eq => self.comparison(Operator::Eq, left, right)?,
            B::NotEq => self.comparison(Operator::NotEq, left, right)?,
            B::Lt => self.comparison(Operator::Lt, left, right)?,
            B::LtEq => self.comparison(Operator::LtEq, left, right)?,
            B::Gt => self.comparison(Operator::Gt, left, right)?,
            B::GtEq => self.comparison(Operator::GtEq, left, right)?,
            B::Spaceship => self.comparison(Operator::IsNotDistinctFrom, left, right)?,
            B::And | B::Or => {
                for side in [&left, &right] {
                    if !matches!(group(&side.hive), Group::Boolean | Group::Void) {
                        return refuse(&op.to_string(), &left.hive, &right.hive);
                    }
                }
                native_binary(
                    left.expr,
                    if op == B::And {
                        Operator::And
                    } else {
                        Operator::Or
                    },
                    right.expr,
                )
            }
            B::StringConcat => {
                for side in [&left, &right] {
                    if matches!(
                        group(&side.hive),
                        Group::Binary | Group::Boolean | Group::Complex
                    ) {
                        return refuse(&op.to_string(), &left.hive, &right.hive);
                    }
                }
                let args =
                    [left, right].map(|side| self.cast(side.expr, &side.hive, &HiveType::String));
                Expr::ScalarFunction(ScalarFunction::new_udf(
                    Arc::clone(&self.concat),
                    args.to_vec(),
                ))
            }
            B::BitwiseAnd | B::BitwiseOr | B::BitwiseXor => {
                let whole = |hive: &HiveType| {
                    matches!(
                        hive,
                        HiveType::TinyInt | HiveType::SmallInt | HiveType::Int | HiveType::BigInt
                    )
                };
                if !whole(&left.hive) || !whole(&right.hive) {
                    return refuse(&op.to_string(), &left.hive, &right.hive);
                }
                let operator = match op {
                    B::BitwiseAnd => Operator::BitwiseAnd,
                    B::BitwiseOr => Operator::BitwiseOr,
                    _ => Operator::BitwiseXor,
                };
                native_binary(left.expr, operator, right.expr)
            }
            other => {
                return Err(error::external(error::unsupported(
                    None,
                    format!("operator {other} is not supported"),
                )));
            }
        };
        Ok(PlannerResult::Planned(planned))
    }
}
