//! Date functions by Hive's rules. Arguments are already dates or timestamps; there is no time zone.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Date32Array, Float64Array, Int32Array,
    Int64Builder, PrimitiveArray, StringBuilder,
};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::cast::cast_array;
use super::math::{Half, round_double};
use super::text::{DAY_US, date_of, days_in_month, days_of, parse_timestamp, write_date};
use super::time_pattern::{TimePattern, weekday, weekday_named};
use super::udf::{Args, Fixed, Strings, apply};
use crate::engine::datafusion::error;
use crate::engine::datafusion::sql::types::HiveType;

/// All of them.
pub(crate) fn udfs() -> Vec<ScalarUDF> {
    use DataType::{Date32, Int32, Int64, Utf8};
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
    let date: &[DataType] = &[Date32];
    let time: &[DataType] = std::slice::from_ref(&timestamp);
    // What is none of these is taken as the first.
    let times: &[&[DataType]] = &[time, &[Utf8], date];
    vec![
        Fixed::udf("hive year", &[date], Int32, |a| {
            of_date(a, |days| date_of(days).0)
        }),
        Fixed::udf("hive month", &[date], Int32, |a| {
            of_date(a, |days| date_of(days).1)
        }),
        Fixed::udf("hive day", &[date], Int32, |a| {
            of_date(a, |days| date_of(days).2)
        }),
        Fixed::udf("hive quarter", &[date], Int32, |a| {
            of_date(a, |days| (date_of(days).1 + 2) / 3)
        }),
        // Sunday is 1; 1970-01-01 was a Thursday.
        Fixed::udf("hive dayofweek", &[date], Int32, |a| {
            of_date(a, |days| (days + 4).rem_euclid(7) + 1)
        }),
        Fixed::udf("hive weekofyear", &[date], Int32, |a| of_date(a, week)),
        Fixed::udf("hive hour", times, Int32, |a| {
            of_time(a, |micros| micros / 3_600_000_000)
        }),
        Fixed::udf("hive minute", times, Int32, |a| {
            of_time(a, |micros| micros / 60_000_000 % 60)
        }),
        Fixed::udf("hive second", times, Int32, |a| {
            of_time(a, |micros| micros / 1_000_000 % 60)
        }),
        Fixed::udf("hive date_add", &[&[Date32, Int32]], Date32, |a| {
            shift(a, 1)
        }),
        Fixed::udf("hive date_sub", &[&[Date32, Int32]], Date32, |a| {
            shift(a, -1)
        }),
        Fixed::udf("hive datediff", &[&[Date32, Date32]], Int32, |a| {
            let (left, right) = (a.expanded(0)?, a.expanded(1)?);
            let days: Int32Array = left
                .as_primitive::<Date32Type>()
                .iter()
                .zip(right.as_primitive::<Date32Type>())
                .map(|(l, r)| l?.checked_sub(r?))
                .collect();
            Ok(Arc::new(days))
        }),
        Fixed::udf(
            "hive date_format",
            &[&[timestamp.clone(), Utf8]],
            Utf8,
            |a| format::<TimestampMicrosecondType>(a, Some),
        ),
        Fixed::udf("hive from_unixtime", &[&[Int64, Utf8]], Utf8, |a| {
            format::<Int64Type>(a, |seconds| seconds.checked_mul(1_000_000))
        }),
        Fixed::udf("hive unix_timestamp", times, Int64, |a| {
            let array = a.array(0).0;
            let seconds: PrimitiveArray<Int64Type> = if array.data_type() == &Utf8 {
                let pattern = TimePattern::new("yyyy-MM-dd HH:mm:ss");
                array
                    .as_string::<i32>()
                    .iter()
                    .map(|text| Some(pattern.as_ref()?.parse(text?)?.div_euclid(1_000_000)))
                    .collect()
            } else {
                cast_array(array, &HiveType::Timestamp)?
                    .as_primitive::<TimestampMicrosecondType>()
                    .iter()
                    .map(|micros| Some(micros?.div_euclid(1_000_000)))
                    .collect()
            };
            Ok(Arc::new(seconds))
        }),
        Fixed::udf(
            "hive parse_unix_timestamp",
            &[&[Utf8, Utf8]],
            Int64,
            parse_seconds,
        ),
        Fixed::udf("hive add_months", &[&[Date32, Int32]], Utf8, |a| {
            let months = a.ints(1);
            date_text(a, |row, day| add_months(day, i64::from(months.get(row)?)))
        }),
        Fixed::udf("hive last_day", &[date], Utf8, |a| {
            date_text(a, |_, day| Some(last_of_month(day)))
        }),
        Fixed::udf("hive next_day", &[&[Date32, Utf8]], Utf8, |a| {
            let names = a.strings(1);
            date_text(a, |row, day| next_day(day, names.get(row)?.trim()))
        }),
        Fixed::udf("hive trunc", &[&[Date32, Utf8]], Utf8, |a| {
            let units = a.strings(1);
            date_text(a, |row, day| trunc(day, units.get(row)?))
        }),
        Fixed::udf(
            "hive months_between",
            &[
                &[timestamp.clone(), timestamp.clone()],
                &[timestamp.clone(), timestamp.clone(), DataType::Boolean],
            ],
            DataType::Float64,
            |a| {
                let (left, right) = (a.expanded(0)?, a.expanded(1)?);
                let rounded = if a.len() == 3 {
                    Some(a.expanded(2)?)
                } else {
                    None
                };
                let months: Float64Array = left
                    .as_primitive::<TimestampMicrosecondType>()
                    .iter()
                    .zip(right.as_primitive::<TimestampMicrosecondType>())
                    .enumerate()
                    .map(|(row, (l, r))| {
                        let rounded = rounded.as_ref().is_none_or(|r| r.as_boolean().value(row));
                        Some(months_between(l?, r?, rounded))
                    })
                    .collect();
                Ok(Arc::new(months))
            },
        ),
        Plus::udf(true),
        Plus::udf(false),
    ]
}

fn each<T: ArrowPrimitiveType>(args: &Args, value: impl Fn(i64) -> i64) -> Result<ArrayRef>
where
    T::Native: Into<i64>,
{
    let array = args.array(0).0.as_primitive::<T>();
    let values: PrimitiveArray<datafusion::arrow::datatypes::Int32Type> = array
        .iter()
        .map(|v| i32::try_from(value(v?.into())).ok())
        .collect();
    Ok(Arc::new(values))
}

fn of_date(args: &Args, value: impl Fn(i64) -> i64) -> Result<ArrayRef> {
    each::<Date32Type>(args, value)
}

/// A part of a time; text may be a time without its day.
fn of_time(args: &Args, value: impl Fn(i64) -> i64) -> Result<ArrayRef> {
    let array = args.array(0).0;
    if array.data_type() == &DataType::Utf8 {
        let values: Int32Array = array
            .as_string::<i32>()
            .iter()
            .map(|text| {
                let text = text?;
                let micros = parse_timestamp(text)
                    .or_else(|| parse_timestamp(&format!("1970-01-01 {text}")))?;
                i32::try_from(value(micros.rem_euclid(DAY_US))).ok()
            })
            .collect();
        return Ok(Arc::new(values));
    }
    let array = cast_array(array, &HiveType::Timestamp)?;
    let values: Int32Array = array
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .map(|micros| i32::try_from(value(micros?.rem_euclid(DAY_US))).ok())
        .collect();
    Ok(Arc::new(values))
}

/// ISO 8601's week: it belongs to the year that its Thursday is in.
fn week(days: i64) -> i64 {
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    (thursday - days_of(date_of(thursday).0, 1, 1)) / 7 + 1
}

fn shift(args: &Args, sign: i32) -> Result<ArrayRef> {
    let (dates, days) = (args.expanded(0)?, args.ints(1));
    let dates = dates.as_primitive::<Date32Type>();
    let shifted: Date32Array = (0..args.rows)
        .map(|i| {
            if dates.is_null(i) {
                None
            } else {
                dates.value(i).checked_add(days.get(i)?.checked_mul(sign)?)
            }
        })
        .collect();
    Ok(Arc::new(shifted))
}

/// The pattern that stands in argument `i`: read once where it is a constant.
struct PatternOf<'a> {
    patterns: Strings<'a>,
    parse: fn(&str) -> Option<TimePattern>,
    last: Option<(&'a str, TimePattern)>,
}

impl<'a> PatternOf<'a> {
    fn new(args: &'a Args, i: usize, parse: fn(&str) -> Option<TimePattern>) -> Self {
        Self {
            patterns: args.strings(i),
            parse,
            last: None,
        }
    }

    fn get(&mut self, row: usize) -> Result<Option<&TimePattern>> {
        let Some(text) = self.patterns.get(row) else {
            return Ok(None);
        };
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            let Some(pattern) = (self.parse)(text) else {
                return exec_err!("the date pattern '{text}' is not supported");
            };
            self.last = Some((text, pattern));
        }
        Ok(self.last.as_ref().map(|(_, pattern)| pattern))
    }
}

/// Times as text, by a pattern; a time is what `micros` makes of a row's value.
fn format<T: ArrowPrimitiveType>(
    args: &Args,
    micros: impl Fn(T::Native) -> Option<i64>,
) -> Result<ArrayRef> {
    let times = args.expanded(0)?;
    let times = times.as_primitive::<T>();
    let mut patterns = PatternOf::new(args, 1, TimePattern::new);
    let mut out = StringBuilder::new();
    let mut buffer = String::new();
    for row in 0..args.rows {
        let micros = times
            .is_valid(row)
            .then(|| micros(times.value(row)))
            .flatten();
        let (Some(micros), Some(pattern)) = (micros, patterns.get(row)?) else {
            out.append_null();
            continue;
        };
        buffer.clear();
        pattern.write(micros, &mut buffer);
        out.append_value(&buffer);
    }
    Ok(Arc::new(out.finish()))
}

/// Text as seconds since 1970, by a pattern.
fn parse_seconds(args: &Args) -> Result<ArrayRef> {
    let texts = args.strings(0);
    let mut patterns = PatternOf::new(args, 1, TimePattern::to_read);
    let mut out = Int64Builder::with_capacity(args.rows);
    for row in 0..args.rows {
        let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)?) else {
            out.append_null();
            continue;
        };
        out.append_option(
            pattern
                .parse(text)
                .map(|micros| micros.div_euclid(1_000_000)),
        );
    }
    Ok(Arc::new(out.finish()))
}

/// A day so many months later; the last day of a month stays within the month.
pub(crate) fn plus_months(days: i64, months: i64) -> Option<i64> {
    let (year, month, day) = date_of(days);
    let month = (year * 12 + month - 1).checked_add(months)?;
    // A year that fits 32 bits has days that fit 64.
    let year = i64::from(i32::try_from(month.div_euclid(12)).ok()?);
    let month = month.rem_euclid(12) + 1;
    Some(days_of(year, month, day.min(days_in_month(year, month))))
}

fn last_of_month(days: i64) -> i64 {
    let (year, month, _) = date_of(days);
    days_of(year, month, days_in_month(year, month))
}

/// `add_months`: the last day of a month stays the last day.
fn add_months(days: i64, months: i64) -> Option<i64> {
    let moved = plus_months(days, months)?;
    Some(if last_of_month(days) == days {
        last_of_month(moved)
    } else {
        moved
    })
}

fn months_between(left: i64, right: i64, rounded: bool) -> f64 {
    let part = |micros: i64| {
        let days = micros.div_euclid(DAY_US);
        let (year, month, day) = date_of(days);
        let seconds = micros.rem_euclid(DAY_US) / 1_000_000;
        (year * 12 + month, day, last_of_month(days) == days, seconds)
    };
    let (left, right) = (part(left), part(right));
    let months = (left.0 - right.0) as f64;
    if left.1 == right.1 || (left.2 && right.2) {
        return months;
    }
    let seconds = (left.1 - right.1) * 86_400 + left.3 - right.3;
    let exact = months + seconds as f64 / (31.0 * 86_400.0);
    if rounded {
        round_double(exact, 8, Half::Away)
    } else {
        exact
    }
}

/// The first day of the month, quarter or year.
fn trunc(days: i64, unit: &str) -> Option<i64> {
    let (year, month, _) = date_of(days);
    match unit.to_ascii_uppercase().as_str() {
        "MONTH" | "MON" | "MM" => Some(days_of(year, month, 1)),
        "QUARTER" | "Q" => Some(days_of(year, (month - 1) / 3 * 3 + 1, 1)),
        "YEAR" | "YYYY" | "YY" => Some(days_of(year, 1, 1)),
        _ => None,
    }
}

/// The first day of that name behind a day.
fn next_day(days: i64, name: &str) -> Option<i64> {
    let ahead = (i64::try_from(weekday_named(name)?).ok()? - i64::try_from(weekday(days)).ok()?
        + 6)
    .rem_euclid(7);
    Some(days + ahead + 1)
}

/// A date as text for each row.
fn date_text(args: &Args, of: impl Fn(usize, i64) -> Option<i64>) -> Result<ArrayRef> {
    let dates = args.expanded(0)?;
    let dates = dates.as_primitive::<Date32Type>();
    let mut out = StringBuilder::new();
    let mut buffer = String::new();
    for row in 0..args.rows {
        let day = dates
            .is_valid(row)
            .then(|| of(row, i64::from(dates.value(row))))
            .flatten()
            .and_then(|day| i32::try_from(day).ok());
        buffer.clear();
        out.append_option(day.map(|day| {
            write_date(day, &mut buffer);
            buffer.as_str()
        }));
    }
    Ok(Arc::new(out.finish()))
}

/// `date or timestamp + interval`: so many months or so many microseconds.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Plus {
    months: bool,
    signature: Signature,
}

/// The name under which `+ INTERVAL` of years and months is planned.
pub(crate) const PLUS_MONTHS: &str = "hive plus months";
/// The name under which `+ INTERVAL` of days to seconds is planned.
pub(crate) const PLUS_MICROS: &str = "hive plus micros";

impl Plus {
    fn udf(months: bool) -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            months,
            signature: Signature::any(2, Volatility::Immutable),
        })
    }
}

impl ScalarUDFImpl for Plus {
    fn name(&self) -> &str {
        if self.months {
            PLUS_MONTHS
        } else {
            PLUS_MICROS
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        match arguments {
            [DataType::Date32, DataType::Int64] if self.months => Ok(DataType::Date32),
            [
                DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, None),
                DataType::Int64,
            ] => Ok(timestamp),
            [DataType::Null, DataType::Int64] => Ok(timestamp),
            [other, _] => Err(error::external(error::unsupported(
                None,
                format!(
                    "an INTERVAL beside {} is not supported: CAST it to date or timestamp",
                    HiveType::of_arrow(other)
                        .map_or_else(|| other.to_string(), |hive| hive.to_string())
                ),
            ))),
            _ => exec_err!("INTERVAL needs a date"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let months = self.months;
        apply(args, |args| {
            let (values, counts) = (args.expanded(0)?, args.expanded(1)?);
            let counts = counts.as_primitive::<Int64Type>();
            let count = |row: usize| counts.is_valid(row).then(|| counts.value(row));
            if months && values.data_type() == &DataType::Date32 {
                let values = values.as_primitive::<Date32Type>();
                let moved: Date32Array = (0..args.rows)
                    .map(|row| {
                        let day = values.is_valid(row).then(|| values.value(row))?;
                        i32::try_from(plus_months(i64::from(day), count(row)?)?).ok()
                    })
                    .collect();
                return Ok(Arc::new(moved));
            }
            let values = cast_array(&values, &HiveType::Timestamp)?;
            let values = values.as_primitive::<TimestampMicrosecondType>();
            let moved: PrimitiveArray<TimestampMicrosecondType> = (0..args.rows)
                .map(|row| {
                    let micros = values.is_valid(row).then(|| values.value(row))?;
                    if !months {
                        return micros.checked_add(count(row)?);
                    }
                    let day = plus_months(micros.div_euclid(DAY_US), count(row)?)?;
                    day.checked_mul(DAY_US)?
                        .checked_add(micros.rem_euclid(DAY_US))
                })
                .collect();
            Ok(Arc::new(moved))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_iso() {
        for (year, month, day, expected) in [
            (2024, 1, 1, 1),
            (2023, 1, 1, 52),
            (2020, 12, 31, 53),
            (2021, 1, 3, 53),
            (2021, 1, 4, 1),
            (1969, 12, 29, 1),
        ] {
            assert_eq!(
                week(days_of(year, month, day)),
                expected,
                "{year}-{month}-{day}"
            );
        }
    }

    #[test]
    fn months_have_their_own_lengths() {
        let day = days_of;
        assert_eq!(plus_months(day(2024, 1, 31), 1), Some(day(2024, 2, 29)));
        assert_eq!(plus_months(day(2024, 2, 29), 1), Some(day(2024, 3, 29)));
        assert_eq!(add_months(day(2024, 2, 29), 1), Some(day(2024, 3, 31)));
        assert_eq!(plus_months(day(2024, 1, 15), -13), Some(day(2022, 12, 15)));
        assert_eq!(plus_months(0, i64::MAX), None);
        assert_eq!(plus_months(0, i64::MIN), None);
        assert_eq!(next_day(day(2015, 1, 14), "TU"), Some(day(2015, 1, 20)));
        assert_eq!(next_day(day(2015, 1, 14), "wed"), Some(day(2015, 1, 21)));
        assert_eq!(trunc(day(2015, 3, 17), "Q"), Some(day(2015, 1, 1)));
        assert_eq!(trunc(day(2015, 3, 17), "x"), None);
        let at = |y, m, d, s: i64| day(y, m, d) * DAY_US + s * 1_000_000;
        assert_eq!(
            months_between(at(1997, 2, 28, 37_800), at(1996, 10, 30, 0), true),
            3.949_596_77
        );
        assert_eq!(
            months_between(at(2024, 2, 29, 5), at(2024, 1, 31, 0), true),
            1.0
        );
    }
}
