//! `CAST` and every implicit conversion, by Hive's rules (`UDFToInteger`, `UDFToString` and their like): what cannot be
//! converted is NULL, whole numbers wrap as in Java, fractions are cut.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, PrimitiveArray,
    StringBuilder, new_null_array,
};
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, FieldRef, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalUnit, IntervalYearMonthType,
    TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::math::Half;
use super::udf::apply;
use super::{intervals, text};
use crate::engine::datafusion::error;
use crate::engine::datafusion::sql::cursor::Cursor;
use crate::engine::datafusion::sql::lexer;
use crate::engine::datafusion::sql::types::{
    HiveType, INTERVAL_DAY_TIME, INTERVAL_YEAR_MONTH, ZONE,
};
use crate::engine::datafusion::sql::variables::SourceText;

/// The name under which casts are planned. No statement can write it: it is on no list of functions.
pub(crate) const CAST: &str = "hive cast";

/// What a cast converts to when Hive's rule depends on what it converts from: numbers stay, text is a double.
pub(crate) const NUMBER: &str = "number";
/// [`NUMBER`] for `sum`: whole numbers are `bigint`, floats are `double`.
pub(crate) const SUMMED: &str = "summed";
/// [`NUMBER`] for `avg`: all but decimals are `double`.
pub(crate) const AVERAGED: &str = "averaged";
/// How an argument is converted where a function asks for a type and nobody wrote `CAST`.
pub(crate) const IMPLICIT: &str = "implicit";
/// [`IMPLICIT`], where Hive's rule for text is another one than the cast's.
pub(crate) const IMPLICIT_NO_TEXT: &str = "implicit, no text";

/// `hive cast(value, 'type' [, 'mode'])`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct HiveCast {
    signature: Signature,
}

impl HiveCast {
    /// The function.
    pub(crate) fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            signature: Signature::variadic_any(Volatility::Immutable),
        })
    }
}

impl ScalarUDFImpl for HiveCast {
    fn name(&self) -> &str {
        CAST
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("a cast's type comes from its second argument")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let Some(Some(ScalarValue::Utf8(Some(name)))) = args.scalar_arguments.get(1) else {
            return plan_err!("a cast needs a type");
        };
        let source = source_type(&args.arg_fields[0]);
        let target = match name.as_str() {
            NUMBER | SUMMED | AVERAGED => number(source.as_ref(), name)?,
            name => parse_type(name)?,
        };
        if let Some(Some(ScalarValue::Utf8(Some(mode)))) = args.scalar_arguments.get(2) {
            check_implicit(source.as_ref(), &target, mode)?;
        }
        check(source.as_ref(), args.arg_fields[0].data_type(), &target)?;
        Ok(Arc::new(target.field(CAST)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(target) = HiveType::of_field(&args.return_field) else {
            return plan_err!("a cast to no type of Hive");
        };
        let ScalarFunctionArgs {
            mut args,
            arg_fields,
            number_rows,
            return_field,
            config_options,
        } = args;
        args.truncate(1);
        let args = ScalarFunctionArgs {
            args,
            arg_fields,
            number_rows,
            return_field,
            config_options,
        };
        apply(args, |args| cast_array(args.array(0).0, &target))
    }
}

/// Reads a type's text, intervals included, which no column has.
pub(crate) fn parse_type(name: &str) -> Result<HiveType> {
    match name {
        INTERVAL_YEAR_MONTH => return Ok(HiveType::IntervalYearMonth),
        INTERVAL_DAY_TIME => return Ok(HiveType::IntervalDayTime),
        _ => {}
    }
    let source = SourceText::plain(name);
    let parsed = lexer::tokenize(&source).and_then(|tokens| {
        let mut cursor = Cursor::new(tokens, source.end());
        let hive_type = if cursor.eat("VOID") {
            HiveType::Void
        } else {
            cursor.hive_type()?
        };
        cursor.expect_end()?;
        Ok(hive_type)
    });
    parsed.map_err(error::external)
}

/// The Hive type of a cast's operand; DataFusion's unsigned numbers count as those that hold them.
fn source_type(field: &FieldRef) -> Option<HiveType> {
    match field.data_type() {
        DataType::UInt8 => Some(HiveType::SmallInt),
        DataType::UInt16 => Some(HiveType::Int),
        DataType::UInt32 => Some(HiveType::BigInt),
        DataType::UInt64 => Some(HiveType::Decimal(20, 0)),
        _ => HiveType::of_field(field),
    }
}

/// The type in which a value is a number.
fn number(source: Option<&HiveType>, purpose: &str) -> Result<HiveType> {
    use HiveType as T;
    match source {
        Some(T::TinyInt | T::SmallInt | T::Int) if purpose == SUMMED => Ok(T::BigInt),
        Some(T::Float) if purpose == SUMMED => Ok(T::Double),
        Some(T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::Float) if purpose == AVERAGED => {
            Ok(T::Double)
        }
        Some(T::String | T::Varchar(_) | T::Char(_) | T::Void) => Ok(T::Double),
        Some(
            number @ (T::TinyInt
            | T::SmallInt
            | T::Int
            | T::BigInt
            | T::Float
            | T::Double
            | T::Decimal(..)),
        ) => Ok(number.clone()),
        Some(other) => refuse(&format!("a value of type {other} as a number"), ""),
        None => refuse("a value of this type as a number", ""),
    }
}

/// Refuses what Hive converts only when asked to.
fn check_implicit(source: Option<&HiveType>, target: &HiveType, mode: &str) -> Result<()> {
    use HiveType as T;
    match (source, target) {
        (Some(T::Binary), T::String) => refuse("binary where a string is expected", "CAST it"),
        (Some(T::Boolean), T::String) => refuse("boolean where a string is expected", "CAST it"),
        (Some(T::String | T::Varchar(_) | T::Char(_)), _) if mode == IMPLICIT_NO_TEXT => {
            refuse(&format!("a string where a {target} is expected"), "CAST it")
        }
        (Some(T::Double | T::Float | T::Decimal(..)), T::Int | T::BigInt) => refuse(
            "a number with a fraction where a whole number is expected",
            "CAST it",
        ),
        _ => Ok(()),
    }
}

/// Refuses casts that Hive has not, or whose meaning differs between Hive's versions.
///
/// # Errors
/// The cast, by name.
pub(crate) fn check(source: Option<&HiveType>, arrow: &DataType, target: &HiveType) -> Result<()> {
    use HiveType as T;
    let Some(source) = source else {
        return refuse(&format!("CAST from {arrow} to {target}"), "");
    };
    match (source, target) {
        (T::Void, _) => Ok(()),
        (a, b) if a == b => Ok(()),
        (T::String | T::Varchar(_) | T::Char(_), T::Boolean) => refuse(
            "CAST from string to boolean",
            "Hive's versions read it differently: compare the string instead",
        ),
        (
            T::Timestamp | T::TimestampLocalTz,
            T::TinyInt
            | T::SmallInt
            | T::Int
            | T::BigInt
            | T::Float
            | T::Double
            | T::Decimal(..)
            | T::Boolean,
        )
        | (
            T::TinyInt
            | T::SmallInt
            | T::Int
            | T::BigInt
            | T::Float
            | T::Double
            | T::Decimal(..)
            | T::Boolean,
            T::Timestamp | T::TimestampLocalTz,
        ) => refuse(
            &format!("CAST from {source} to {target}"),
            "it depends on the server's time zone",
        ),
        (a, b) if a.is_primitive() && b.is_primitive() => match (a, b) {
            (
                T::Date,
                T::String | T::Varchar(_) | T::Char(_) | T::Timestamp | T::TimestampLocalTz,
            )
            | (
                T::String | T::Varchar(_) | T::Char(_) | T::Timestamp | T::TimestampLocalTz,
                T::Date,
            )
            | (T::IntervalYearMonth | T::IntervalDayTime, T::String | T::Varchar(_) | T::Char(_))
            | (T::String | T::Varchar(_) | T::Char(_), T::IntervalYearMonth | T::IntervalDayTime)
            | (T::Binary, T::String | T::Varchar(_) | T::Char(_))
            | (T::String | T::Varchar(_) | T::Char(_), T::Binary) => Ok(()),
            (T::Date | T::Binary | T::IntervalYearMonth | T::IntervalDayTime, _)
            | (_, T::Date | T::Binary | T::IntervalYearMonth | T::IntervalDayTime) => {
                refuse(&format!("CAST from {a} to {b}"), "")
            }
            _ => Ok(()),
        },
        (a, b) if a.arrow() == b.arrow() => Ok(()),
        (a, b) => refuse(&format!("CAST from {a} to {b}"), ""),
    }
}

fn refuse<T>(what: &str, why: &str) -> Result<T> {
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(" ({why})")
    };
    Err(error::external(error::unsupported(
        None,
        format!("{what} is not supported{why}"),
    )))
}

/// Converts every value of `array`; what cannot be converted is NULL.
///
/// # Errors
/// A pair of types that has no conversion.
pub(crate) fn cast_array(array: &ArrayRef, target: &HiveType) -> Result<ArrayRef> {
    let array = plain(array)?;
    if array.data_type() == &DataType::Null {
        return Ok(new_null_array(&target.arrow(), array.len()));
    }
    Ok(match target {
        HiveType::Void => new_null_array(&DataType::Null, array.len()),
        HiveType::Boolean => Arc::new(to_boolean(&array)?),
        HiveType::TinyInt => to_integer::<Int8Type>(&array, |v| v as i8)?,
        HiveType::SmallInt => to_integer::<Int16Type>(&array, |v| v as i16)?,
        HiveType::Int => to_integer::<Int32Type>(&array, |v| v as i32)?,
        HiveType::BigInt => to_integer::<Int64Type>(&array, |v| v)?,
        HiveType::Float => to_float::<Float32Type>(&array, |v| v as f32, |v| v as f32)?,
        HiveType::Double => to_float::<Float64Type>(&array, |v| v, |v| v as f64)?,
        HiveType::Decimal(precision, scale) => Arc::new(to_decimal(&array, *precision, *scale)?),
        HiveType::String => to_string(&array, None)?,
        HiveType::Varchar(length) => to_string(&array, Some((*length, false)))?,
        HiveType::Char(length) => to_string(&array, Some((*length, true)))?,
        HiveType::Binary => compute::cast(&array, &DataType::Binary)?,
        HiveType::Date => to_date(&array)?,
        HiveType::Timestamp => Arc::new(to_timestamp(&array)?),
        HiveType::TimestampLocalTz => Arc::new(to_instant(&array)?.with_timezone(ZONE)),
        HiveType::IntervalYearMonth => {
            to_interval::<IntervalYearMonthType>(&array, intervals::parse_year_month)?
        }
        HiveType::IntervalDayTime => {
            to_interval::<DurationMicrosecondType>(&array, intervals::parse_day_time)?
        }
        HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) => {
            if array.data_type() == &target.arrow() {
                array
            } else {
                compute::cast(&array, &target.arrow())?
            }
        }
    })
}

/// One layout for each kind of value: strings and bytes without views, times in microseconds, signed integers.
fn plain(array: &ArrayRef) -> Result<ArrayRef> {
    let to = match array.data_type() {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Timestamp(_, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| ZONE.into()))
        }
        DataType::Duration(_) => DataType::Duration(TimeUnit::Microsecond),
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        _ => return Ok(Arc::clone(array)),
    };
    if *array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    Ok(compute::cast(array, &to)?)
}

fn no_cast<T>(array: &ArrayRef, to: &str) -> Result<T> {
    exec_err!("no cast from {} to {to}", array.data_type())
}

fn to_boolean(array: &ArrayRef) -> Result<BooleanArray> {
    fn non_zero<T: ArrowPrimitiveType>(array: &ArrayRef, zero: T::Native) -> BooleanArray {
        array
            .as_primitive::<T>()
            .iter()
            .map(|v| v.map(|v| v != zero))
            .collect()
    }
    Ok(match array.data_type() {
        DataType::Boolean => array.as_boolean().clone(),
        DataType::Int8 => non_zero::<Int8Type>(array, 0),
        DataType::Int16 => non_zero::<Int16Type>(array, 0),
        DataType::Int32 => non_zero::<Int32Type>(array, 0),
        DataType::Int64 => non_zero::<Int64Type>(array, 0),
        DataType::Float32 => non_zero::<Float32Type>(array, 0.0),
        DataType::Float64 => non_zero::<Float64Type>(array, 0.0),
        DataType::Decimal128(..) => non_zero::<Decimal128Type>(array, 0),
        _ => return no_cast(array, "boolean"),
    })
}

/// Whole numbers wrap, doubles saturate at `int` or `bigint` first (Java's narrowing), decimals and strings that do not
/// fit are NULL.
fn to_integer<T>(array: &ArrayRef, narrow: fn(i64) -> T::Native) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    let exact = |value: i64| Some(narrow(value)).filter(|narrowed| (*narrowed).into() == value);
    let wide = size_of::<T::Native>() == 8;
    let from_double = |v: f64| {
        if wide {
            narrow(v as i64)
        } else {
            narrow(i64::from(v as i32))
        }
    };
    let result: PrimitiveArray<T> = match array.data_type() {
        DataType::Boolean => array
            .as_boolean()
            .iter()
            .map(|v| v.map(|v| narrow(i64::from(v))))
            .collect(),
        DataType::Int8 => array
            .as_primitive::<Int8Type>()
            .unary(|v| narrow(i64::from(v))),
        DataType::Int16 => array
            .as_primitive::<Int16Type>()
            .unary(|v| narrow(i64::from(v))),
        DataType::Int32 => array
            .as_primitive::<Int32Type>()
            .unary(|v| narrow(i64::from(v))),
        DataType::Int64 => array.as_primitive::<Int64Type>().unary(narrow),
        DataType::Float32 => array
            .as_primitive::<Float32Type>()
            .unary(|v| from_double(f64::from(v))),
        DataType::Float64 => array.as_primitive::<Float64Type>().unary(from_double),
        DataType::Decimal128(_, scale) => {
            let unit = 10_i128.pow(u32::from(scale.unsigned_abs()));
            array
                .as_primitive::<Decimal128Type>()
                .iter()
                .map(|v| exact(i64::try_from(v? / unit).ok()?))
                .collect()
        }
        DataType::Utf8 => array
            .as_string::<i32>()
            .iter()
            .map(|v| exact(text::parse_integer(v?)?))
            .collect(),
        _ => return no_cast(array, "a whole number"),
    };
    Ok(Arc::new(result))
}

fn to_float<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    of_double: fn(f64) -> T::Native,
    of_integer: fn(i64) -> T::Native,
) -> Result<ArrayRef> {
    let result: PrimitiveArray<T> = match array.data_type() {
        DataType::Boolean => array
            .as_boolean()
            .iter()
            .map(|v| v.map(|v| of_integer(i64::from(v))))
            .collect(),
        DataType::Int8 => array
            .as_primitive::<Int8Type>()
            .unary(|v| of_integer(i64::from(v))),
        DataType::Int16 => array
            .as_primitive::<Int16Type>()
            .unary(|v| of_integer(i64::from(v))),
        DataType::Int32 => array
            .as_primitive::<Int32Type>()
            .unary(|v| of_integer(i64::from(v))),
        DataType::Int64 => array.as_primitive::<Int64Type>().unary(of_integer),
        DataType::Float32 => array
            .as_primitive::<Float32Type>()
            .unary(|v| of_double(f64::from(v))),
        DataType::Float64 => array.as_primitive::<Float64Type>().unary(of_double),
        DataType::Decimal128(_, scale) => {
            let scale = scale.unsigned_abs();
            array.as_primitive::<Decimal128Type>().unary(|v| {
                let mut digits = String::new();
                text::write_decimal(v, scale, &mut digits);
                of_double(digits.parse().unwrap_or(f64::NAN))
            })
        }
        DataType::Utf8 => array
            .as_string::<i32>()
            .iter()
            .map(|v| text::parse_double(v?).map(of_double))
            .collect(),
        _ => return no_cast(array, "a floating-point number"),
    };
    Ok(Arc::new(result))
}

fn to_decimal(array: &ArrayRef, precision: u8, scale: u8) -> Result<Decimal128Array> {
    fn scaled<T>(array: &ArrayRef, precision: u8, scale: u8) -> Decimal128Array
    where
        T: ArrowPrimitiveType,
        T::Native: Into<i128>,
    {
        let unit = 10_i128.pow(u32::from(scale));
        let fit = |v: i128| v.checked_mul(unit).filter(|v| text::fits(*v, precision));
        array
            .as_primitive::<T>()
            .iter()
            .map(|v| fit(v?.into()))
            .collect()
    }
    let mut digits = String::new();
    let mut of_text = |write: &dyn Fn(&mut String)| {
        digits.clear();
        write(&mut digits);
        text::parse_decimal(&digits, precision, scale)
    };
    let values: Decimal128Array = match array.data_type() {
        DataType::Boolean => {
            let unit = 10_i128.pow(u32::from(scale));
            let fit =
                |v: bool| Some(if v { unit } else { 0 }).filter(|v| text::fits(*v, precision));
            array.as_boolean().iter().map(|v| fit(v?)).collect()
        }
        DataType::Int8 => scaled::<Int8Type>(array, precision, scale),
        DataType::Int16 => scaled::<Int16Type>(array, precision, scale),
        DataType::Int32 => scaled::<Int32Type>(array, precision, scale),
        DataType::Int64 => scaled::<Int64Type>(array, precision, scale),
        DataType::Float32 => array
            .as_primitive::<Float32Type>()
            .iter()
            .map(|v| of_text(&|out| text::write_float(v.unwrap_or(f32::NAN), out)))
            .collect(),
        DataType::Float64 => array
            .as_primitive::<Float64Type>()
            .iter()
            .map(|v| of_text(&|out| text::write_double(v.unwrap_or(f64::NAN), out)))
            .collect(),
        DataType::Decimal128(_, from) => {
            let from = from.unsigned_abs();
            array
                .as_primitive::<Decimal128Type>()
                .iter()
                .map(|v| rescale(v?, from, precision, scale))
                .collect()
        }
        DataType::Utf8 => array
            .as_string::<i32>()
            .iter()
            .map(|v| text::parse_decimal(v?, precision, scale))
            .collect(),
        _ => return no_cast(array, "decimal"),
    };
    Ok(values.with_precision_and_scale(precision, scale.cast_signed())?)
}

/// A decimal at another scale, rounded half up; `None` where it does not fit.
fn rescale(value: i128, from: u8, precision: u8, to: u8) -> Option<i128> {
    let result = if to >= from {
        value.checked_mul(10_i128.checked_pow(u32::from(to - from))?)?
    } else {
        let unit = 10_i128.pow(u32::from(from - to));
        Half::Away.divide(value, unit)
    };
    text::fits(result, precision).then_some(result)
}

/// As text; with a length, cut to so many characters, and for `char` without the spaces at its end.
fn to_string(array: &ArrayRef, length: Option<(u32, bool)>) -> Result<ArrayRef> {
    if array.data_type() == &DataType::Utf8 && length.is_none() {
        return Ok(Arc::clone(array));
    }
    let mut out = StringBuilder::with_capacity(array.len(), array.len() * 12);
    let mut buffer = String::new();
    let mut push = |write: Option<&dyn Fn(&mut String)>| {
        let Some(write) = write else {
            out.append_null();
            return;
        };
        buffer.clear();
        write(&mut buffer);
        let mut value = buffer.as_str();
        if let Some((length, fixed)) = length {
            value = match value.char_indices().nth(length as usize) {
                Some((end, _)) => &value[..end],
                None => value,
            };
            if fixed {
                value = value.trim_end_matches(' ');
            }
        }
        out.append_value(value);
    };
    macro_rules! each {
        ($values:expr, |$v:ident, $buffer:ident| $write:expr) => {
            for value in $values {
                match value {
                    Some($v) => push(Some(&|$buffer: &mut String| $write)),
                    None => push(None),
                }
            }
        };
    }
    match array.data_type() {
        DataType::Boolean => each!(array.as_boolean(), |v, b| b.push_str(if v {
            "TRUE"
        } else {
            "FALSE"
        })),
        DataType::Int8 => each!(array.as_primitive::<Int8Type>(), |v, b| integer(
            i64::from(v),
            b
        )),
        DataType::Int16 => each!(array.as_primitive::<Int16Type>(), |v, b| integer(
            i64::from(v),
            b
        )),
        DataType::Int32 => each!(array.as_primitive::<Int32Type>(), |v, b| integer(
            i64::from(v),
            b
        )),
        DataType::Int64 => each!(array.as_primitive::<Int64Type>(), |v, b| integer(v, b)),
        DataType::Float32 => each!(array.as_primitive::<Float32Type>(), |v, b| {
            text::write_float(v, b)
        }),
        DataType::Float64 => each!(array.as_primitive::<Float64Type>(), |v, b| {
            text::write_double(v, b)
        }),
        DataType::Decimal128(_, scale) => {
            let scale = scale.unsigned_abs();
            each!(array.as_primitive::<Decimal128Type>(), |v, b| {
                text::write_decimal(v, scale, b)
            });
        }
        DataType::Utf8 => each!(array.as_string::<i32>(), |v, b| b.push_str(v)),
        DataType::Binary => {
            each!(array.as_binary::<i32>(), |v, b| b
                .push_str(&String::from_utf8_lossy(v)));
        }
        DataType::Date32 => each!(array.as_primitive::<Date32Type>(), |v, b| text::write_date(
            v, b
        )),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            each!(array.as_primitive::<TimestampMicrosecondType>(), |v, b| {
                text::write_timestamp(v, b)
            });
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            each!(array.as_primitive::<TimestampMicrosecondType>(), |v, b| {
                text::write_instant(v, b)
            });
        }
        DataType::Interval(IntervalUnit::YearMonth) => {
            each!(array.as_primitive::<IntervalYearMonthType>(), |v, b| {
                intervals::write_year_month(v, b)
            });
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            each!(array.as_primitive::<DurationMicrosecondType>(), |v, b| {
                intervals::write_day_time(v, b)
            });
        }
        _ => return no_cast(array, "string"),
    }
    Ok(Arc::new(out.finish()))
}

fn integer(value: i64, out: &mut String) {
    let _ = write!(out, "{value}");
}

fn to_date(array: &ArrayRef) -> Result<ArrayRef> {
    let result: PrimitiveArray<Date32Type> = match array.data_type() {
        DataType::Date32 => return Ok(Arc::clone(array)),
        DataType::Utf8 => array
            .as_string::<i32>()
            .iter()
            .map(|v| text::parse_date(v?))
            .collect(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => array
            .as_primitive::<TimestampMicrosecondType>()
            .iter()
            .map(|v| i32::try_from(v?.div_euclid(text::DAY_US)).ok())
            .collect(),
        _ => return no_cast(array, "date"),
    };
    Ok(Arc::new(result))
}

/// The clock of the session's zone, which is UTC, tells the same for timestamps and instants.
fn to_timestamp(array: &ArrayRef) -> Result<PrimitiveArray<TimestampMicrosecondType>> {
    Ok(match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => array
            .as_primitive::<TimestampMicrosecondType>()
            .clone()
            .with_timezone_opt(None::<Arc<str>>),
        DataType::Utf8 => array
            .as_string::<i32>()
            .iter()
            .map(|v| text::parse_timestamp(v?))
            .collect(),
        DataType::Date32 => array
            .as_primitive::<Date32Type>()
            .iter()
            .map(|v| i64::from(v?).checked_mul(text::DAY_US))
            .collect(),
        _ => return no_cast(array, "timestamp"),
    })
}

/// As [`to_timestamp`], but text may name a zone of its own behind the time.
fn to_instant(array: &ArrayRef) -> Result<PrimitiveArray<TimestampMicrosecondType>> {
    match array.data_type() {
        DataType::Utf8 => Ok(array
            .as_string::<i32>()
            .iter()
            .map(|v| text::parse_instant(v?))
            .collect()),
        _ => to_timestamp(array),
    }
}

fn to_interval<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    parse: fn(&str) -> Option<T::Native>,
) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Utf8 => Ok(Arc::new(
            array
                .as_string::<i32>()
                .iter()
                .map(|v| parse(v?))
                .collect::<PrimitiveArray<T>>(),
        )),
        of if *of == T::DATA_TYPE => Ok(Arc::clone(array)),
        _ => no_cast(array, "an interval"),
    }
}
