//! `INTERVAL` beside `+` and `-`: so many months, or so many microseconds, behind a date or timestamp.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DateTimeField, Expr, Interval, Value, ValueWithSpan,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::Rewriter;
use super::expr::{binary, call, cast};
use crate::engine::EngineError;
use crate::engine::datafusion::error;
use crate::engine::datafusion::functions::dates::{PLUS_MICROS, PLUS_MONTHS};
use crate::engine::datafusion::functions::intervals;

const SECOND: i64 = 1_000_000;

/// A unit's length in months or microseconds.
fn unit(field: &DateTimeField) -> Option<(bool, i64)> {
    use DateTimeField as F;
    Some(match field {
        F::Year | F::Years => (true, 12),
        F::Month | F::Months => (true, 1),
        F::Week(None) | F::Weeks => (false, 7 * 86_400 * SECOND),
        F::Day | F::Days => (false, 86_400 * SECOND),
        F::Hour | F::Hours => (false, 3600 * SECOND),
        F::Minute | F::Minutes => (false, 60 * SECOND),
        F::Second | F::Seconds => (false, SECOND),
        _ => return None,
    })
}

/// Whether an expression is an interval, in brackets or not.
pub(super) fn is_interval(expr: &Expr) -> bool {
    match expr {
        Expr::Interval(_) => true,
        Expr::Nested(inner) => is_interval(inner),
        _ => false,
    }
}

impl Rewriter<'_> {
    /// `value + interval`, or `value - interval`.
    pub(super) fn shifted(
        &mut self,
        value: Expr,
        interval: Expr,
        minus: bool,
        at: Location,
    ) -> Result<Expr, EngineError> {
        let interval = match interval {
            Expr::Nested(inner) => return self.shifted(value, *inner, minus, at),
            Expr::Interval(interval) => interval,
            _ => return Err(error::unsupported(Some(at), "an INTERVAL is expected")),
        };
        let (months, length) = self.length(interval, minus, at)?;
        Ok(call(
            if months { PLUS_MONTHS } else { PLUS_MICROS },
            vec![value, length],
        ))
    }

    /// Whether an interval counts months, and how many months or microseconds it has, with the other sign for `minus`.
    fn length(
        &mut self,
        interval: Interval,
        minus: bool,
        at: Location,
    ) -> Result<(bool, Expr), EngineError> {
        let wrong = |what: &str| {
            Err(error::unsupported(
                Some(at),
                format!("INTERVAL {what} is not supported"),
            ))
        };
        let Interval {
            value,
            leading_field: Some(leading),
            leading_precision: None,
            last_field,
            fractional_seconds_precision: None,
        } = interval
        else {
            return wrong("of this form");
        };
        let Some((months, of_unit)) = unit(&leading) else {
            return wrong(&format!("of {leading}"));
        };
        let text = match value.as_ref() {
            Expr::Value(ValueWithSpan {
                value: Value::SingleQuotedString(text) | Value::Number(text, _),
                ..
            }) => Some(text.trim().to_owned()),
            _ => None,
        };
        let number = |count: i64| Expr::Value(Value::Number(count.to_string(), false).into());
        let signed = |count: i64| {
            if minus {
                count.checked_neg()
            } else {
                Some(count)
            }
        };
        match (text, last_field) {
            (Some(text), Some(last)) => match span(&text, &leading, &last).and_then(signed) {
                Some(length) => Ok((months, number(length))),
                None => Err(error::parse(
                    at,
                    format!("'{text}' is no INTERVAL {leading} TO {last}"),
                )),
            },
            (Some(text), None) => {
                let count = if of_unit == SECOND {
                    intervals::parse_seconds(&text)
                } else {
                    text.parse::<i64>()
                        .ok()
                        .and_then(|n| n.checked_mul(of_unit))
                };
                match count.and_then(signed) {
                    Some(count) => Ok((months, number(count))),
                    None => Err(error::parse(
                        at,
                        format!("'{text}' is no INTERVAL {leading}"),
                    )),
                }
            }
            (None, None) => {
                let count = cast(self.expr(*value)?, "bigint", None);
                Ok((
                    months,
                    binary(
                        count,
                        BinaryOperator::Multiply,
                        number(if minus { -of_unit } else { of_unit }),
                    ),
                ))
            }
            (None, Some(_)) => wrong("of an expression with TO"),
        }
    }
}

/// `1-2` YEAR TO MONTH or `1 2:3:4.5` DAY TO SECOND.
fn span(text: &str, leading: &DateTimeField, last: &DateTimeField) -> Option<i64> {
    use DateTimeField as F;
    match (leading, last) {
        (F::Year, F::Month) => intervals::parse_year_month(text).map(i64::from),
        (F::Day, F::Second) => intervals::parse_day_time(text),
        _ => None,
    }
}
