//! Mathematical functions by Hive's rules: what has no answer is NULL, `floor` and `ceil` are whole, `round` rounds half
//! away from zero in decimal digits.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array};
use datafusion::arrow::datatypes::FieldRef;
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::cast::rescale;
use super::text;
use super::udf::{Args, Fixed, apply};
use crate::engine::datafusion::sql::types::{DECIMAL_DIGITS_MAX, HiveType};

/// All of them.
pub(crate) fn udfs() -> Vec<ScalarUDF> {
    use DataType::Float64;
    let one: &[DataType] = &[Float64];
    let two: &[DataType] = &[Float64, Float64];
    vec![
        Fixed::udf("hive sqrt", &[one], Float64, |a| {
            double(a, |x| (x >= 0.0 || x.is_nan()).then(|| x.sqrt()))
        }),
        Fixed::udf("hive exp", &[one], Float64, |a| {
            double(a, |x| Some(x.exp()))
        }),
        Fixed::udf("hive ln", &[one], Float64, |a| {
            double(a, |x| (x > 0.0).then(|| x.ln()))
        }),
        Fixed::udf("hive log10", &[one], Float64, |a| {
            double(a, |x| (x > 0.0).then(|| x.log10()))
        }),
        Fixed::udf("hive log2", &[one], Float64, |a| {
            double(a, |x| (x > 0.0).then(|| x.log2()))
        }),
        Fixed::udf("hive sin", &[one], Float64, |a| {
            double(a, |x| Some(x.sin()))
        }),
        Fixed::udf("hive cos", &[one], Float64, |a| {
            double(a, |x| Some(x.cos()))
        }),
        Fixed::udf("hive tan", &[one], Float64, |a| {
            double(a, |x| Some(x.tan()))
        }),
        Fixed::udf("hive asin", &[one], Float64, |a| {
            double(a, |x| Some(x.asin()))
        }),
        Fixed::udf("hive acos", &[one], Float64, |a| {
            double(a, |x| Some(x.acos()))
        }),
        Fixed::udf("hive atan", &[one], Float64, |a| {
            double(a, |x| Some(x.atan()))
        }),
        Fixed::udf("hive pow", &[two], Float64, |a| {
            let (base, exponent) = (a.expanded(0)?, a.expanded(1)?);
            let values: Float64Array = base
                .as_primitive::<Float64Type>()
                .iter()
                .zip(exponent.as_primitive::<Float64Type>())
                .map(|(x, y)| Some(x?.powf(y?)))
                .collect();
            Ok(Arc::new(values))
        }),
        Rounding::udf(Kind::Round),
        Rounding::udf(Kind::Floor),
        Rounding::udf(Kind::Ceil),
        Rounding::udf(Kind::Abs),
    ]
}

fn double(args: &Args, function: impl Fn(f64) -> Option<f64>) -> Result<ArrayRef> {
    let values: Float64Array = args
        .array(0)
        .0
        .as_primitive::<Float64Type>()
        .iter()
        .map(|x| function(x?))
        .collect();
    Ok(Arc::new(values))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Round,
    Floor,
    Ceil,
    Abs,
}

/// Functions whose result type follows the argument's.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Rounding {
    kind: Kind,
    name: &'static str,
    signature: Signature,
}

impl Rounding {
    fn udf(kind: Kind) -> ScalarUDF {
        let name = match kind {
            Kind::Round => "hive round",
            Kind::Floor => "hive floor",
            Kind::Ceil => "hive ceil",
            Kind::Abs => "hive abs",
        };
        ScalarUDF::new_from_impl(Self {
            kind,
            name,
            signature: Signature::variadic_any(Volatility::Immutable),
        })
    }

    fn digits(scalars: &[Option<&ScalarValue>]) -> Result<i32> {
        match scalars.get(1) {
            None => Ok(0),
            Some(Some(ScalarValue::Int64(Some(digits)))) => Ok(whole_digits(*digits)),
            Some(_) => plan_err!("round's second argument must be a whole constant"),
        }
    }
}

impl ScalarUDFImpl for Rounding {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the type follows the arguments")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let digits = Self::digits(args.scalar_arguments)?;
        let Some(argument) = HiveType::of_arrow(args.arg_fields[0].data_type()) else {
            return plan_err!("{} needs a number", self.name);
        };
        let result = match (self.kind, argument) {
            (Kind::Round, HiveType::Decimal(precision, scale)) => {
                let whole = i32::from(precision - scale) + i32::from(digits < i32::from(scale));
                let scale = digits.clamp(0, i32::from(DECIMAL_DIGITS_MAX));
                let precision = (whole + scale).min(i32::from(DECIMAL_DIGITS_MAX));
                HiveType::Decimal(
                    u8::try_from(precision).unwrap_or(38),
                    u8::try_from(scale).unwrap_or(0),
                )
            }
            (Kind::Floor | Kind::Ceil, HiveType::Decimal(precision, scale)) => {
                HiveType::Decimal((precision - scale + 1).min(DECIMAL_DIGITS_MAX), 0)
            }
            (Kind::Floor | Kind::Ceil, _) => HiveType::BigInt,
            (_, argument) => argument,
        };
        Ok(Arc::new(result.field(self.name)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let digits = match args.args.get(1) {
            Some(ColumnarValue::Scalar(ScalarValue::Int64(Some(digits)))) => whole_digits(*digits),
            _ => 0,
        };
        let result = args.return_type().clone();
        apply(args, |args| {
            let array = args.array(0).0;
            match self.kind {
                Kind::Round => round(array, digits, &result),
                Kind::Abs => abs(array),
                Kind::Floor | Kind::Ceil => whole(array, self.kind == Kind::Ceil, &result),
            }
        })
    }
}

/// More digits than any number has change nothing.
fn whole_digits(digits: i64) -> i32 {
    i32::try_from(digits.clamp(-1000, 1000)).unwrap_or_default()
}

/// Rounds half away from zero at a decimal digit, as Java's `BigDecimal` does on the number's shortest text.
pub(crate) fn round_double(value: f64, digits: i32) -> f64 {
    if !value.is_finite() || digits > 330 {
        return value;
    }
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mut decimal: Vec<u8> = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(|b| b - b'0')
        .collect();
    // How many of the digits stay.
    let keep = exponent + 1 + digits;
    let Ok(keep) = usize::try_from(keep) else {
        return 0.0_f64.copysign(value);
    };
    if keep >= decimal.len() {
        return value;
    }
    let up = decimal[keep] >= 5;
    decimal.truncate(keep);
    if up {
        let carry = decimal.iter_mut().rev().all(|digit| {
            *digit = (*digit + 1) % 10;
            *digit == 0
        });
        if carry {
            decimal.insert(0, 1);
        }
    }
    if decimal.is_empty() {
        return 0.0_f64.copysign(value);
    }
    let whole: String = decimal
        .iter()
        .map(|digit| char::from(b'0' + digit))
        .collect();
    let rounded: f64 = format!("{whole}e{}", -digits)
        .parse()
        .unwrap_or(value.abs());
    rounded.copysign(value)
}

fn round_whole(value: i64, digits: i32) -> i64 {
    let Some(unit) = digits
        .checked_neg()
        .and_then(|n| u32::try_from(n).ok())
        .and_then(|n| 10_i128.checked_pow(n))
    else {
        return if digits >= 0 { value } else { 0 };
    };
    let value = i128::from(value);
    let (quotient, rest) = (value / unit, (value % unit).abs());
    let quotient = if rest * 2 >= unit {
        quotient + value.signum()
    } else {
        quotient
    };
    (quotient * unit) as i64
}

fn round(array: &ArrayRef, digits: i32, result: &DataType) -> Result<ArrayRef> {
    Ok(match (array.data_type(), result) {
        (DataType::Float64, _) => Arc::new(
            array
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|v| round_double(v, digits)),
        ),
        (DataType::Float32, _) => Arc::new(
            array
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|v| round_double(f64::from(v), digits) as f32),
        ),
        (DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64, _)
            if digits >= 0 =>
        {
            Arc::clone(array)
        }
        (DataType::Int8, _) => Arc::new(
            array
                .as_primitive::<Int8Type>()
                .unary::<_, Int8Type>(|v| round_whole(i64::from(v), digits) as i8),
        ),
        (DataType::Int16, _) => Arc::new(
            array
                .as_primitive::<Int16Type>()
                .unary::<_, Int16Type>(|v| round_whole(i64::from(v), digits) as i16),
        ),
        (DataType::Int32, _) => Arc::new(
            array
                .as_primitive::<Int32Type>()
                .unary::<_, Int32Type>(|v| round_whole(i64::from(v), digits) as i32),
        ),
        (DataType::Int64, _) => Arc::new(
            array
                .as_primitive::<Int64Type>()
                .unary::<_, Int64Type>(|v| round_whole(v, digits)),
        ),
        (DataType::Decimal128(_, from), DataType::Decimal128(precision, to)) => {
            let (from, to) = (from.unsigned_abs(), to.unsigned_abs());
            let shift = u8::try_from(digits.min(0).unsigned_abs().min(38)).unwrap_or(38);
            let values: Decimal128Array = array
                .as_primitive::<Decimal128Type>()
                .iter()
                .map(|v| {
                    if shift == 0 {
                        return rescale(v?, from, *precision, to);
                    }
                    // Left of the point: round at a scale below 0, then fill with zeros.
                    let value = rescale(v?, from.checked_add(shift)?, DECIMAL_DIGITS_MAX, 0)?;
                    value
                        .checked_mul(10_i128.checked_pow(u32::from(shift))?)
                        .filter(|v| text::fits(*v, *precision))
                })
                .collect();
            Arc::new(values.with_precision_and_scale(*precision, to.cast_signed())?)
        }
        (DataType::Null, _) => Arc::clone(array),
        (other, _) => return exec_err!("round of {other}"),
    })
}

fn abs(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Int8 => Arc::new(
            array
                .as_primitive::<Int8Type>()
                .unary::<_, Int8Type>(i8::wrapping_abs),
        ),
        DataType::Int16 => Arc::new(
            array
                .as_primitive::<Int16Type>()
                .unary::<_, Int16Type>(i16::wrapping_abs),
        ),
        DataType::Int32 => Arc::new(
            array
                .as_primitive::<Int32Type>()
                .unary::<_, Int32Type>(i32::wrapping_abs),
        ),
        DataType::Int64 => Arc::new(
            array
                .as_primitive::<Int64Type>()
                .unary::<_, Int64Type>(i64::wrapping_abs),
        ),
        DataType::Float32 => Arc::new(
            array
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(f32::abs),
        ),
        DataType::Float64 => Arc::new(
            array
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(f64::abs),
        ),
        DataType::Decimal128(precision, scale) => Arc::new(
            array
                .as_primitive::<Decimal128Type>()
                .unary::<_, Decimal128Type>(i128::wrapping_abs)
                .with_precision_and_scale(*precision, *scale)?,
        ),
        DataType::Null => Arc::clone(array),
        other => return exec_err!("abs of {other}"),
    })
}

/// `floor` or `ceil`.
fn whole(array: &ArrayRef, up: bool, result: &DataType) -> Result<ArrayRef> {
    let of_double = |v: f64| (if up { v.ceil() } else { v.floor() }) as i64;
    let values: Int64Array = match (array.data_type(), result) {
        (DataType::Int8, _) => array.as_primitive::<Int8Type>().unary(i64::from),
        (DataType::Int16, _) => array.as_primitive::<Int16Type>().unary(i64::from),
        (DataType::Int32, _) => array.as_primitive::<Int32Type>().unary(i64::from),
        (DataType::Int64, _) => array.as_primitive::<Int64Type>().unary(|v| v),
        (DataType::Float32, _) => array
            .as_primitive::<Float32Type>()
            .unary(|v| of_double(f64::from(v))),
        (DataType::Float64, _) => array.as_primitive::<Float64Type>().unary(of_double),
        (DataType::Decimal128(_, scale), DataType::Decimal128(precision, _)) => {
            let unit = 10_i128.pow(u32::from(scale.unsigned_abs()));
            let values = array
                .as_primitive::<Decimal128Type>()
                .unary::<_, Decimal128Type>(|v| {
                    let floor = v.div_euclid(unit);
                    if up && v.rem_euclid(unit) != 0 {
                        floor + 1
                    } else {
                        floor
                    }
                });
            return Ok(Arc::new(values.with_precision_and_scale(*precision, 0)?));
        }
        (DataType::Null, _) => Int64Array::new_null(array.len()),
        (other, _) => return exec_err!("floor or ceil of {other}"),
    };
    Ok(Arc::new(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_round_half_away_from_zero_in_decimal() {
        for (value, digits, result) in [
            (2.5, 0, 3.0),
            (-2.5, 0, -3.0),
            (1.005, 2, 1.01),
            (0.5, 0, 1.0),
            (0.4, 0, 0.0),
            (12.3456, 1, 12.3),
            (1250.0, -2, 1300.0),
            (49.0, -2, 0.0),
            (50.0, -2, 100.0),
            (9.99, 1, 10.0),
            (1e300, 2, 1e300),
            (1e-300, 2, 0.0),
        ] {
            assert_eq!(round_double(value, digits), result, "{value} {digits}");
        }
        assert!(round_double(f64::NAN, 1).is_nan());
    }

    #[test]
    fn whole_numbers_round_left_of_the_point() {
        assert_eq!(round_whole(1250, -2), 1300);
        assert_eq!(round_whole(-1250, -2), -1300);
        assert_eq!(round_whole(49, -2), 0);
        assert_eq!(round_whole(49, -100), 0);
    }
}
