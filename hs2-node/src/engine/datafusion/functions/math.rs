//! Mathematical functions by Hive's rules: what has no answer is NULL, `floor` and `ceil` are whole, `round` and `bround`
//! round in decimal digits.

use std::cmp::Ordering;
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
        Rounding::udf(Kind::Round(Half::Away)),
        Rounding::udf(Kind::Round(Half::Even)),
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

/// Where a half goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Half {
    /// Away from zero.
    Away,
    /// To the even digit.
    Even,
}

impl Half {
    /// Whether the last digit that stays becomes one more: `cut` is what goes, compared with a half of that digit's unit.
    fn adds(self, cut: Ordering, odd: bool) -> bool {
        match cut {
            Ordering::Less => false,
            Ordering::Equal => self == Self::Away || odd,
            Ordering::Greater => true,
        }
    }

    /// How often `unit` goes into `value`, rounded.
    pub(crate) fn divide(self, value: i128, unit: i128) -> i128 {
        let (quotient, rest) = (value / unit, (value % unit).abs());
        let adds = self.adds(rest.cmp(&(unit - rest)), quotient % 2 != 0);
        quotient + if adds { value.signum() } else { 0 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Round(Half),
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
            Kind::Round(Half::Away) => "hive round",
            Kind::Round(Half::Even) => "hive bround",
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
            Some(_) => plan_err!("the second argument must be a whole constant"),
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
            (Kind::Round(_), HiveType::Decimal(precision, scale)) => {
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
                Kind::Round(half) => round(array, digits, half, &result),
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

/// Rounds at a decimal digit, as Java's `BigDecimal` does on the number's shortest text.
pub(crate) fn round_double(value: f64, digits: i32, half: Half) -> f64 {
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
    let Ok(keep) = usize::try_from(exponent.saturating_add(1).saturating_add(digits)) else {
        return 0.0;
    };
    if keep >= decimal.len() {
        return value;
    }
    let cut = decimal.split_off(keep);
    // The shortest text ends with no zero: a half is a 5 alone.
    let cut = cut[0].cmp(&5).then(cut.len().cmp(&1));
    let odd = decimal.last().is_some_and(|digit| digit % 2 != 0);
    if half.adds(cut, odd) {
        let carry = decimal.iter_mut().rev().all(|digit| {
            *digit = (*digit + 1) % 10;
            *digit == 0
        });
        if carry {
            decimal.insert(0, 1);
        }
    }
    if decimal.is_empty() {
        return 0.0;
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

fn round_whole(value: i64, digits: i32, half: Half) -> i64 {
    let Some(unit) = digits
        .checked_neg()
        .and_then(|n| u32::try_from(n).ok())
        .and_then(|n| 10_i128.checked_pow(n))
    else {
        return if digits >= 0 { value } else { 0 };
    };
    (half.divide(value.into(), unit) * unit) as i64
}

fn round(array: &ArrayRef, digits: i32, half: Half, result: &DataType) -> Result<ArrayRef> {
    Ok(match (array.data_type(), result) {
        (DataType::Float64, _) => Arc::new(
            array
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|v| round_double(v, digits, half)),
        ),
        (DataType::Float32, _) => Arc::new(
            array
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|v| round_double(f64::from(v), digits, half) as f32),
        ),
        (DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64, _)
            if digits >= 0 =>
        {
            Arc::clone(array)
        }
        (DataType::Int8, _) => Arc::new(
            array
                .as_primitive::<Int8Type>()
                .unary::<_, Int8Type>(|v| round_whole(i64::from(v), digits, half) as i8),
        ),
        (DataType::Int16, _) => Arc::new(
            array
                .as_primitive::<Int16Type>()
                .unary::<_, Int16Type>(|v| round_whole(i64::from(v), digits, half) as i16),
        ),
        (DataType::Int32, _) => Arc::new(
            array
                .as_primitive::<Int32Type>()
                .unary::<_, Int32Type>(|v| round_whole(i64::from(v), digits, half) as i32),
        ),
        (DataType::Int64, _) => Arc::new(
            array
                .as_primitive::<Int64Type>()
                .unary::<_, Int64Type>(|v| round_whole(v, digits, half)),
        ),
        (DataType::Decimal128(_, from), DataType::Decimal128(precision, to)) => {
            // Left of the point: round at a scale below 0, then fill with zeros.
            let filled = digits.min(0).unsigned_abs();
            let cut = u32::from(from.unsigned_abs()) + filled;
            let scaled = |value: i128| {
                if filled == 0 && to >= from {
                    let more = u32::from(to.abs_diff(*from));
                    return value.checked_mul(10_i128.checked_pow(more)?);
                }
                // What has fewer digits than are cut is 0.
                match 10_i128.checked_pow(cut - u32::from(to.unsigned_abs())) {
                    Some(unit) => half
                        .divide(value, unit)
                        .checked_mul(10_i128.checked_pow(filled)?),
                    None => Some(0),
                }
            };
            let values: Decimal128Array = array
                .as_primitive::<Decimal128Type>()
                .iter()
                .map(|v| scaled(v?).filter(|v| text::fits(*v, *precision)))
                .collect();
            Arc::new(values.with_precision_and_scale(*precision, *to)?)
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
            let rounded = round_double(value, digits, Half::Away);
            assert_eq!(rounded, result, "{value} {digits}");
        }
        assert!(round_double(f64::NAN, 1, Half::Away).is_nan());
        assert!(round_double(-0.4, 0, Half::Away).is_sign_positive());
    }

    #[test]
    fn halves_round_to_the_even_digit() {
        for (value, digits, result) in [
            (2.5, 0, 2.0),
            (3.5, 0, 4.0),
            (-2.5, 0, -2.0),
            (2.4, 0, 2.0),
            (2.6, 0, 3.0),
            (0.5, 0, 0.0),
            (8.25, 1, 8.2),
            (8.35, 1, 8.4),
            (125.0, -1, 120.0),
            (135.0, -1, 140.0),
            (2.51, 0, 3.0),
            (f64::MAX, i32::MIN, 0.0),
            (f64::MIN, i32::MAX, f64::MIN),
        ] {
            let rounded = round_double(value, digits, Half::Even);
            assert_eq!(rounded, result, "{value} {digits}");
        }
        assert_eq!(Half::Even.divide(25, 10), 2);
        assert_eq!(Half::Even.divide(-35, 10), -4);
        assert_eq!(Half::Even.divide(26, 10), 3);
        let largest = 10_i128.pow(38);
        assert_eq!(Half::Away.divide(largest - 1, largest), 1);
    }

    #[test]
    fn whole_numbers_round_left_of_the_point() {
        assert_eq!(round_whole(1250, -2, Half::Away), 1300);
        assert_eq!(round_whole(-1250, -2, Half::Away), -1300);
        assert_eq!(round_whole(49, -2, Half::Away), 0);
        assert_eq!(round_whole(49, -100, Half::Away), 0);
    }
}
