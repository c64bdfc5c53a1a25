//! Literals with Hive's types.

use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, TypedString, Value};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::expr::cast;
use crate::engine::EngineError;
use crate::engine::datafusion::error;
use crate::engine::datafusion::functions::text;
use crate::engine::datafusion::sql::types::{DECIMAL_DIGITS_MAX, HiveType};

/// A literal with Hive's type: `int` or `bigint` by its size, `decimal` with a point, `double` with an exponent.
pub(super) fn literal(value: Value, at: Location) -> Result<Expr, EngineError> {
    match value {
        Value::Number(text, _) => number(&text, at),
        Value::SingleQuotedString(_) | Value::Boolean(_) | Value::Null => {
            Ok(Expr::Value(value.into()))
        }
        other => Err(error::unsupported(
            Some(at),
            format!("the literal {other} is not supported"),
        )),
    }
}

fn number(text: &str, at: Location) -> Result<Expr, EngineError> {
    let plain = Expr::Value(Value::Number(text.to_owned(), false).into());
    let string = Expr::Value(Value::SingleQuotedString(text.to_owned()).into());
    Ok(match number_type(text, at)? {
        HiveType::Int => Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(plain),
            data_type: DataType::Int(None),
            array: false,
            format: None,
        },
        HiveType::BigInt => plain,
        other => cast(string, &other.to_string(), None),
    })
}

/// The type of a number without a sign.
///
/// # Errors
/// It has more digits than a decimal.
pub(super) fn number_type(text: &str, at: Location) -> Result<HiveType, EngineError> {
    if text.contains(['e', 'E']) {
        return Ok(HiveType::Double);
    }
    if !text.contains('.') {
        if text.parse::<i32>().is_ok() {
            return Ok(HiveType::Int);
        }
        if text.parse::<i64>().is_ok() {
            return Ok(HiveType::BigInt);
        }
    }
    // Zeros at both ends do not count.
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (whole, fraction) = (
        whole.trim_start_matches('0'),
        fraction.trim_end_matches('0'),
    );
    match (
        u8::try_from((whole.len() + fraction.len()).max(1)),
        u8::try_from(fraction.len()),
    ) {
        (Ok(precision), Ok(scale)) if precision <= DECIMAL_DIGITS_MAX => {
            Ok(HiveType::Decimal(precision, scale))
        }
        _ => Err(error::parse(
            at,
            format!("the number {text} has more than {DECIMAL_DIGITS_MAX} digits"),
        )),
    }
}

/// `DATE '…'` and `TIMESTAMP '…'`.
pub(super) fn typed_literal(typed: &TypedString, at: Location) -> Result<Expr, EngineError> {
    let Value::SingleQuotedString(value) = &typed.value.value else {
        return Err(error::unsupported(
            Some(at),
            "this literal is not supported",
        ));
    };
    let string = Expr::Value(Value::SingleQuotedString(value.clone()).into());
    match &typed.data_type {
        DataType::Date if text::parse_date(value).is_some() => Ok(cast(string, "date", None)),
        DataType::Timestamp(None, _) if text::parse_timestamp(value).is_some() => {
            let finer = value
                .rsplit_once('.')
                .is_some_and(|(_, f)| f.trim_end().trim_end_matches('0').len() > 6);
            if finer {
                return Err(error::unsupported(
                    Some(at),
                    "fractions of a microsecond are not supported",
                ));
            }
            Ok(cast(string, "timestamp", None))
        }
        DataType::Date | DataType::Timestamp(None, _) => Err(error::semantic(
            40000,
            format!(
                "'{value}' is no {}",
                typed.data_type.to_string().to_lowercase()
            ),
        )),
        other => Err(error::unsupported(
            Some(at),
            format!("the literal {other} '…' is not supported"),
        )),
    }
}
