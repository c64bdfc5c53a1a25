//! Date functions by Hive's rules. Arguments are already dates or timestamps; there is no time zone.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Date32Array, Int32Array, PrimitiveArray,
    StringBuilder,
};
use datafusion::arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;

use super::text::{DAY_US, date_of, days_of};
use super::udf::{Args, Fixed};

/// All of them.
pub(crate) fn udfs() -> Vec<ScalarUDF> {
    use DataType::{Date32, Int32, Utf8};
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
    let date: &[DataType] = &[Date32];
    let time: &[DataType] = std::slice::from_ref(&timestamp);
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
        Fixed::udf("hive hour", &[time], Int32, |a| {
            of_time(a, |micros| micros / 3_600_000_000)
        }),
        Fixed::udf("hive minute", &[time], Int32, |a| {
            of_time(a, |micros| micros / 60_000_000 % 60)
        }),
        Fixed::udf("hive second", &[time], Int32, |a| {
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
            date_format,
        ),
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

fn of_time(args: &Args, value: impl Fn(i64) -> i64) -> Result<ArrayRef> {
    each::<TimestampMicrosecondType>(args, |micros| value(micros.rem_euclid(DAY_US)))
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

/// One piece of a `date_format` pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// A letter of Java's, and how often it stands.
    Field(char, usize),
    Text(String),
}

/// Whether [`udfs`]' `date_format` knows every letter of a Java pattern.
pub(crate) fn knows_pattern(pattern: &str) -> bool {
    pieces(pattern).is_some()
}

/// Splits a Java date pattern. The letters are those that `SimpleDateFormat` (Hive up to 3) and `DateTimeFormatter`
/// (Hive 4) read alike.
fn pieces(pattern: &str) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let mut text = String::new();
                if chars.next_if_eq(&'\'').is_some() {
                    text.push('\'');
                } else {
                    loop {
                        match chars.next()? {
                            '\'' if chars.next_if_eq(&'\'').is_some() => text.push('\''),
                            '\'' => break,
                            other => text.push(other),
                        }
                    }
                }
                pieces.push(Piece::Text(text));
            }
            'a'..='z' | 'A'..='Z' => {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                let known = match c {
                    'y' => matches!(count, 2 | 4),
                    'M' | 'd' | 'H' | 'h' | 'm' | 's' => count <= 2,
                    _ => false,
                };
                if !known {
                    return None;
                }
                pieces.push(Piece::Field(c, count));
            }
            '{' | '}' | '[' | ']' | '#' => return None,
            other => pieces.push(Piece::Text(other.to_string())),
        }
    }
    Some(pieces)
}

fn date_format(args: &Args) -> Result<ArrayRef> {
    let Some(pieces) = args.strings(1).constant().and_then(pieces) else {
        return exec_err!("date_format needs a constant pattern of y, M, d, H, h, m and s");
    };
    let times = args.expanded(0)?;
    let mut out = StringBuilder::new();
    let mut buffer = String::new();
    for micros in times.as_primitive::<TimestampMicrosecondType>() {
        let Some(micros) = micros else {
            out.append_null();
            continue;
        };
        buffer.clear();
        let (year, month, day) = date_of(micros.div_euclid(DAY_US));
        let seconds = micros.rem_euclid(DAY_US) / 1_000_000;
        for piece in &pieces {
            let (letter, width) = match piece {
                Piece::Text(text) => {
                    buffer.push_str(text);
                    continue;
                }
                Piece::Field(letter, width) => (*letter, *width),
            };
            let hour = seconds / 3600;
            let value = match letter {
                'y' if width == 2 => year.rem_euclid(100),
                'y' => year,
                'M' => month,
                'd' => day,
                'H' => hour,
                'h' => (hour + 11) % 12 + 1,
                'm' => seconds / 60 % 60,
                _ => seconds % 60,
            };
            let _ = write!(buffer, "{value:0width$}");
        }
        out.append_value(&buffer);
    }
    Ok(Arc::new(out.finish()))
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
    fn patterns_are_javas_or_refused() {
        assert!(knows_pattern("yyyy-MM-dd HH:mm:ss"));
        assert!(knows_pattern("yyyyMM'T'''d"));
        for pattern in ["yyyy-MMM", "EEE", "u", "YYYY", "SSS", "yyyy'", "a"] {
            assert!(!knows_pattern(pattern), "{pattern}");
        }
    }
}
