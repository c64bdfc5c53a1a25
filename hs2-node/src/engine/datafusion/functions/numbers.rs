//! Further functions of numbers and bits: `conv`, `hex`, `bin`, `hash`, `format_number` and their like.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, StringArray, StringBuilder,
};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, FieldRef, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type,
};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::udf::{Args, Fixed, apply};
use crate::engine::datafusion::error;
use crate::engine::datafusion::sql::types::HiveType;

/// All of them.
pub(crate) fn udfs() -> Vec<ScalarUDF> {
    use DataType::{Binary, Float64, Int32, Int64, Utf8};
    let double: &[DataType] = &[Float64];
    let whole: &[DataType] = &[Int64];
    vec![
        Fixed::udf("hive conv", &[&[Utf8, Int32, Int32]], Utf8, |a| {
            let (texts, from, to) = (a.strings(0), a.ints(1), a.ints(2));
            let values: StringArray = (0..a.rows)
                .map(|i| conv(texts.get(i)?, from.get(i)?, to.get(i)?))
                .collect();
            Ok(Arc::new(values))
        }),
        Fixed::udf("hive hex", &[whole, &[Utf8], &[Binary]], Utf8, |a| {
            let array = a.array(0).0;
            let values: StringArray = match array.data_type() {
                Int64 => array
                    .as_primitive::<Int64Type>()
                    .iter()
                    .map(|v| Some(format!("{:X}", v?)))
                    .collect(),
                Utf8 => array
                    .as_string::<i32>()
                    .iter()
                    .map(|v| Some(hex(v?.as_bytes())))
                    .collect(),
                _ => array
                    .as_binary::<i32>()
                    .iter()
                    .map(|v| Some(hex(v?)))
                    .collect(),
            };
            Ok(Arc::new(values))
        }),
        Fixed::udf("hive bin", &[whole], Utf8, |a| {
            let values: StringArray = a
                .array(0)
                .0
                .as_primitive::<Int64Type>()
                .iter()
                .map(|v| Some(format!("{:b}", v?)))
                .collect();
            Ok(Arc::new(values))
        }),
        Fixed::udf("hive sign", &[double], Float64, |a| {
            each(a, |x| {
                if x == 0.0 || x.is_nan() {
                    x
                } else {
                    x.signum()
                }
            })
        }),
        Fixed::udf("hive cbrt", &[double], Float64, |a| each(a, f64::cbrt)),
        Fixed::udf("hive degrees", &[double], Float64, |a| {
            each(a, f64::to_degrees)
        }),
        Fixed::udf("hive radians", &[double], Float64, |a| {
            each(a, f64::to_radians)
        }),
        Fixed::udf("hive factorial", &[&[Int32]], Int64, |a| {
            let numbers = a.ints(0);
            let values: Int64Array = (0..a.rows)
                .map(|i| {
                    let n = numbers.get(i).filter(|n| (0..=20).contains(n))?;
                    Some((1..=i64::from(n)).product())
                })
                .collect();
            Ok(Arc::new(values))
        }),
        Fixed::udf("hive format_number", &[&[Float64, Int32]], Utf8, |a| {
            let values = a.expanded(0)?;
            let digits = a.ints(1);
            let mut out = StringBuilder::new();
            for (i, value) in values.as_primitive::<Float64Type>().iter().enumerate() {
                let shown = match (value, digits.get(i)) {
                    (Some(value), Some(digits)) => format_number(value, digits)?,
                    _ => None,
                };
                out.append_option(shown);
            }
            Ok(Arc::new(out.finish()))
        }),
        ScalarUDF::new_from_impl(HiveHash {
            signature: Signature::variadic_any(Volatility::Immutable),
        }),
    ]
}

fn each(args: &Args, function: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    let values = args.array(0).0.as_primitive::<Float64Type>();
    Ok(Arc::new(values.unary::<_, Float64Type>(function)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect()
}

/// A number written in one base as text in another, as `UDFConv`: unsigned 64 bits, or signed where `to` is negative;
/// digits up to the first wrong one count, too large is the largest.
fn conv(text: &str, from: i32, to: i32) -> Option<String> {
    let base = |base: u32| (2..=36).contains(&base).then_some(base);
    let (from, to, signed) = (base(from.unsigned_abs())?, base(to.unsigned_abs())?, to < 0);
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if text.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for digit in digits.chars().map_while(|c| c.to_digit(from)) {
        value = value
            .checked_mul(from.into())
            .and_then(|value| value.checked_add(digit.into()))
            .unwrap_or(u64::MAX);
    }
    if negative {
        value = if signed && value > i64::MAX.cast_unsigned() {
            u64::MAX
        } else {
            value.wrapping_neg()
        };
    }
    let minus = signed && value.cast_signed() < 0;
    if minus {
        value = value.wrapping_neg();
    }
    let mut out = Vec::new();
    loop {
        let digit = u32::try_from(value % u64::from(to)).ok()?;
        out.push(char::from_digit(digit, to)?.to_ascii_uppercase());
        value /= u64::from(to);
        if value == 0 {
            break;
        }
    }
    if minus {
        out.push('-');
    }
    Some(out.into_iter().rev().collect())
}

/// `#,###.##` with so many digits behind the point.
fn format_number(value: f64, digits: i32) -> Result<Option<String>> {
    if digits < 0 {
        return exec_err!("format_number: the number of digits is not negative");
    }
    if !value.is_finite() {
        return Ok(Some(if value.is_nan() {
            "NaN".to_owned()
        } else if value > 0.0 {
            "∞".to_owned()
        } else {
            "-∞".to_owned()
        }));
    }
    let digits = usize::try_from(digits.min(400)).unwrap_or(0);
    // Java's DecimalFormat rounds a half to the even digit, as Rust's formatting does.
    let text = format!("{:.digits$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::new();
    if value < 0.0 {
        out.push('-');
    }
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(c);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    Ok(Some(out))
}

/// `hash(a, b, …)`: Java's hash codes, combined by 31.
#[derive(Debug, PartialEq, Eq, Hash)]
struct HiveHash {
    signature: Signature,
}

impl ScalarUDFImpl for HiveHash {
    fn name(&self) -> &str {
        "hive hash"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        use HiveType as T;
        for field in args.arg_fields {
            // `char` and `varchar` have codes of their own in Hive.
            let hive = match HiveType::of_field(field) {
                Some(
                    T::Void
                    | T::Boolean
                    | T::TinyInt
                    | T::SmallInt
                    | T::Int
                    | T::BigInt
                    | T::Float
                    | T::Double
                    | T::String
                    | T::Binary
                    | T::Date,
                ) => continue,
                Some(hive) => hive.to_string(),
                None => field.data_type().to_string(),
            };
            return Err(error::external(error::unsupported(
                None,
                format!("hash of {hive} is not supported"),
            )));
        }
        Ok(Arc::new(HiveType::Int.field(self.name())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        apply(args, |args| {
            let mut hashes = vec![0_i32; args.rows];
            for i in 0..args.len() {
                let array = args.expanded(i)?;
                for (row, hash) in hashes.iter_mut().enumerate() {
                    let of_value = if array.is_valid(row) {
                        hash_code(&array, row)
                    } else {
                        0
                    };
                    *hash = hash.wrapping_mul(31).wrapping_add(of_value);
                }
            }
            Ok(Arc::new(Int32Array::from(hashes)))
        })
    }
}

fn hash_code(array: &ArrayRef, row: usize) -> i32 {
    let bytes = |first: i32, bytes: &[u8]| {
        bytes.iter().fold(first, |hash, b| {
            hash.wrapping_mul(31)
                .wrapping_add(i32::from(b.cast_signed()))
        })
    };
    let long = |value: i64| (value ^ (value.cast_unsigned() >> 32).cast_signed()) as i32;
    match array.data_type() {
        DataType::Boolean => i32::from(array.as_boolean().value(row)),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row),
        DataType::Int64 => long(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => array
            .as_primitive::<Float32Type>()
            .value(row)
            .to_bits()
            .cast_signed(),
        DataType::Float64 => long(
            array
                .as_primitive::<Float64Type>()
                .value(row)
                .to_bits()
                .cast_signed(),
        ),
        DataType::Utf8 => bytes(0, array.as_string::<i32>().value(row).as_bytes()),
        // Hadoop's `BytesWritable` begins with 1.
        DataType::Binary => bytes(1, array.as_binary::<i32>().value(row)),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_converted_as_in_hive() {
        for (text, from, to, result) in [
            ("4", 10, 2, Some("100")),
            ("110", 2, 10, Some("6")),
            ("ff", 16, 10, Some("255")),
            ("-15", 10, 16, Some("FFFFFFFFFFFFFFF1")),
            ("-15", 10, -16, Some("-F")),
            ("big", 36, 16, Some("3A48")),
            ("9223372036854775807", 36, 16, Some("FFFFFFFFFFFFFFFF")),
            ("1z", 10, 10, Some("1")),
            ("", 10, 2, None),
            ("1", 1, 2, None),
        ] {
            assert_eq!(
                conv(text, from, to).as_deref(),
                result,
                "{text} {from} {to}"
            );
        }
    }

    #[test]
    fn numbers_have_commas() {
        let shown = |value, digits| format_number(value, digits).expect("formats");
        assert_eq!(shown(12_332.123_456, 4).as_deref(), Some("12,332.1235"));
        assert_eq!(shown(-1234.0, 0).as_deref(), Some("-1,234"));
        assert_eq!(shown(0.001, 2).as_deref(), Some("0.00"));
        assert_eq!(shown(-0.001, 2).as_deref(), Some("-0.00"));
        assert!(format_number(1.0, -1).is_err());
    }
}
