//! A function for each Arrow array that appends one of its values as text, chosen once for a whole column.

use super::hive_type::HiveType;
use super::text;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalYearMonthType,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, PrimitiveArray};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};

/// Appends the text of the value in a row. Its row must be in the array, and not NULL.
pub(crate) type ValueWriter<'a> = Box<dyn Fn(&mut Vec<u8>, usize) + 'a>;

const DAY_NANOS: i128 = 86_400_000_000_000;

/// The writer of a type whose values are text by themselves or become it without quotes, or `None` for others.
pub(crate) fn scalar_writer<'a>(
    array: &'a dyn Array,
    hive_type: Option<&HiveType>,
) -> Option<ValueWriter<'a>> {
    Some(match array.data_type() {
        DataType::Boolean => {
            let array = array.as_boolean();
            Box::new(move |out, row| {
                out.extend_from_slice(if array.value(row) { b"true" } else { b"false" })
            })
        }
        DataType::Int8 => of::<Int8Type>(array, |out, v| text::push_i64(out, v.into())),
        DataType::Int16 => of::<Int16Type>(array, |out, v| text::push_i64(out, v.into())),
        DataType::Int32 => of::<Int32Type>(array, |out, v| text::push_i64(out, v.into())),
        DataType::Int64 => of::<Int64Type>(array, text::push_i64),
        DataType::UInt8 => of::<UInt8Type>(array, |out, v| text::push_u64(out, v.into())),
        DataType::UInt16 => of::<UInt16Type>(array, |out, v| text::push_u64(out, v.into())),
        DataType::UInt32 => of::<UInt32Type>(array, |out, v| text::push_u64(out, v.into())),
        DataType::UInt64 => of::<UInt64Type>(array, text::push_u64),
        DataType::Float16 => of::<Float16Type>(array, |out, v| text::push_float(out, v.to_f32())),
        DataType::Float32 => of::<Float32Type>(array, text::push_float),
        DataType::Float64 => of::<Float64Type>(array, text::push_double),
        DataType::Decimal32(_, scale) => decimal::<Decimal32Type>(array, *scale),
        DataType::Decimal64(_, scale) => decimal::<Decimal64Type>(array, *scale),
        DataType::Decimal128(_, scale) => decimal::<Decimal128Type>(array, *scale),
        DataType::Decimal256(_, scale) => {
            let scale = *scale;
            of::<Decimal256Type>(array, move |out, v| text::push_decimal256(out, v, scale))
        }
        DataType::Date32 => of::<Date32Type>(array, |out, days| text::push_date(out, days.into())),
        DataType::Date64 => of::<Date64Type>(array, |out, ms| {
            text::push_date(out, ms.div_euclid(86_400_000))
        }),
        DataType::Timestamp(unit, zone) => {
            let zone = Zone::of(zone.as_deref(), hive_type);
            match unit {
                TimeUnit::Second => timestamp::<TimestampSecondType>(array, *unit, zone),
                TimeUnit::Millisecond => timestamp::<TimestampMillisecondType>(array, *unit, zone),
                TimeUnit::Microsecond => timestamp::<TimestampMicrosecondType>(array, *unit, zone),
                TimeUnit::Nanosecond => timestamp::<TimestampNanosecondType>(array, *unit, zone),
            }
        }
        DataType::Time32(TimeUnit::Second) => time::<Time32SecondType>(array, TimeUnit::Second),
        DataType::Time32(_) => time::<Time32MillisecondType>(array, TimeUnit::Millisecond),
        DataType::Time64(TimeUnit::Microsecond) => {
            time::<Time64MicrosecondType>(array, TimeUnit::Microsecond)
        }
        DataType::Time64(_) => time::<Time64NanosecondType>(array, TimeUnit::Nanosecond),
        DataType::Duration(TimeUnit::Second) => {
            duration::<DurationSecondType>(array, 1_000_000_000)
        }
        DataType::Duration(TimeUnit::Millisecond) => {
            duration::<DurationMillisecondType>(array, 1_000_000)
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            duration::<DurationMicrosecondType>(array, 1_000)
        }
        DataType::Duration(TimeUnit::Nanosecond) => duration::<DurationNanosecondType>(array, 1),
        DataType::Interval(unit) => interval(array, *unit, hive_type),
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            Box::new(move |out, row| out.extend_from_slice(array.value(row).as_bytes()))
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            Box::new(move |out, row| out.extend_from_slice(array.value(row).as_bytes()))
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            Box::new(move |out, row| out.extend_from_slice(array.value(row).as_bytes()))
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            Box::new(move |out, row| out.extend_from_slice(array.value(row)))
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            Box::new(move |out, row| out.extend_from_slice(array.value(row)))
        }
        DataType::BinaryView => {
            let array = array.as_binary_view();
            Box::new(move |out, row| out.extend_from_slice(array.value(row)))
        }
        DataType::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary();
            Box::new(move |out, row| out.extend_from_slice(array.value(row)))
        }
        _ => return None,
    })
}

fn of<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    push: impl Fn(&mut Vec<u8>, T::Native) + 'a,
) -> ValueWriter<'a> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Box::new(move |out, row| push(out, array.value(row)))
}

fn decimal<'a, T: ArrowPrimitiveType<Native: Into<i128>>>(
    array: &'a dyn Array,
    scale: i8,
) -> ValueWriter<'a> {
    of::<T>(array, move |out, v| {
        text::push_decimal(out, v.into(), scale)
    })
}

fn timestamp<'a, T: ArrowPrimitiveType<Native = i64>>(
    array: &'a dyn Array,
    unit: TimeUnit,
    zone: Zone,
) -> ValueWriter<'a> {
    of::<T>(array, move |out, v| {
        text::push_timestamp(out, v, unit, zone.offset_seconds);
        if let Some(name) = &zone.name {
            // Other than a timestamp's, the fraction of an instant has a digit in any case.
            if text::split_seconds(v, unit).1 == 0 {
                out.extend_from_slice(b".0");
            }
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
        }
    })
}

fn time<'a, T: ArrowPrimitiveType<Native: Into<i64>>>(
    array: &'a dyn Array,
    unit: TimeUnit,
) -> ValueWriter<'a> {
    of::<T>(array, move |out, v| {
        let (seconds, nanos) = text::split_seconds(v.into(), unit);
        text::push_time(out, seconds.rem_euclid(super::civil::DAY_SECONDS), nanos);
    })
}

fn duration<'a, T: ArrowPrimitiveType<Native = i64>>(
    array: &'a dyn Array,
    unit_nanos: i128,
) -> ValueWriter<'a> {
    of::<T>(array, move |out, v| {
        text::push_day_time(out, i128::from(v) * unit_nanos)
    })
}

fn interval<'a>(
    array: &'a dyn Array,
    unit: IntervalUnit,
    hive_type: Option<&HiveType>,
) -> ValueWriter<'a> {
    match unit {
        IntervalUnit::YearMonth => of::<IntervalYearMonthType>(array, text::push_year_month),
        IntervalUnit::DayTime => of::<IntervalDayTimeType>(array, |out, v| {
            text::push_day_time(
                out,
                i128::from(v.days) * DAY_NANOS + i128::from(v.milliseconds) * 1_000_000,
            );
        }),
        IntervalUnit::MonthDayNano => {
            let year_month_only = hive_type.is_some_and(|t| t.name == "interval_year_month");
            of::<IntervalMonthDayNanoType>(array, move |out, v| {
                let nanos = i128::from(v.days) * DAY_NANOS + i128::from(v.nanoseconds);
                let months_shown = v.months != 0 || (year_month_only && nanos == 0);
                if months_shown {
                    text::push_year_month(out, v.months);
                }
                if months_shown && nanos != 0 {
                    out.push(b' ');
                }
                if !months_shown || nanos != 0 {
                    text::push_day_time(out, nanos);
                }
            })
        }
    }
}

/// The zone that timestamps are shown in. Arrow keeps instants; without a zone database only fixed offsets can
/// be shown in their own time, every other zone in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Zone {
    offset_seconds: i32,
    /// Written behind the time, when the type is `timestamp with local time zone`.
    name: Option<String>,
}

impl Zone {
    fn of(zone: Option<&str>, hive_type: Option<&HiveType>) -> Self {
        if !hive_type.is_some_and(HiveType::is_timestamp_ltz) {
            return Self {
                offset_seconds: 0,
                name: None,
            };
        }
        match zone.and_then(|zone| Some((zone, fixed_offset(zone)?))) {
            Some((zone, offset_seconds)) => Self {
                offset_seconds,
                name: Some(zone.to_owned()),
            },
            None => Self {
                offset_seconds: 0,
                name: Some("UTC".to_owned()),
            },
        }
    }
}

/// Seconds east of UTC of `+hh:mm`, `+hhmm` or `+hh`.
fn fixed_offset(zone: &str) -> Option<i32> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = zone.chars().skip(1).filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i32 = digits.parse().ok()?;
    let (hours, minutes) = if digits.len() == 2 {
        (number, 0)
    } else {
        (number / 100, number % 100)
    };
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// The key of each row of a dictionary's key array.
pub(crate) fn key_reader<'a>(keys: &'a dyn Array) -> Box<dyn Fn(usize) -> usize + 'a> {
    fn keys_of<T: ArrowPrimitiveType<Native: TryInto<usize>>>(
        array: &dyn Array,
    ) -> Box<dyn Fn(usize) -> usize + '_> {
        let array: &PrimitiveArray<T> = array.as_primitive();
        Box::new(|row| array.value(row).try_into().unwrap_or(usize::MAX))
    }
    match keys.data_type() {
        DataType::Int8 => keys_of::<Int8Type>(keys),
        DataType::Int16 => keys_of::<Int16Type>(keys),
        DataType::Int32 => keys_of::<Int32Type>(keys),
        DataType::UInt8 => keys_of::<UInt8Type>(keys),
        DataType::UInt16 => keys_of::<UInt16Type>(keys),
        DataType::UInt32 => keys_of::<UInt32Type>(keys),
        DataType::UInt64 => keys_of::<UInt64Type>(keys),
        _ => keys_of::<Int64Type>(keys),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets() {
        assert_eq!(fixed_offset("+05:30"), Some(19_800));
        assert_eq!(fixed_offset("-0800"), Some(-28_800));
        assert_eq!(fixed_offset("+08"), Some(28_800));
        for zone in ["UTC", "Europe/Berlin", "", "+", "+99:00", "+1", "+ab:cd"] {
            assert_eq!(fixed_offset(zone), None, "{zone}");
        }
    }
}
