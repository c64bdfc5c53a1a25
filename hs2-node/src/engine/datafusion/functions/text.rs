//! Values as text and text as values, by Hive's rules: numbers as Java prints and reads them, dates, timestamps.

use std::fmt::Write;

use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::compute::kernels::cast_utils::string_to_datetime;

use crate::engine::datafusion::sql::types::ZONE;

/// Microseconds in a day.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
pub(crate) fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day since 1970-01-01.
pub(crate) fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// How many days a month has.
pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// `yyyy-MM-dd`.
pub(crate) fn write_date(days: i32, out: &mut String) {
    let (year, month, day) = date_of(i64::from(days));
    let _ = write!(out, "{year:04}-{month:02}-{day:02}");
}

/// `yyyy-MM-dd HH:mm:ss[.f]`, zeros at the fraction's end cut.
pub(crate) fn write_timestamp(micros: i64, out: &mut String) {
    let days = micros.div_euclid(DAY_US);
    let rest = micros.rem_euclid(DAY_US);
    write_date(i32::try_from(days).unwrap_or_default(), out);
    let seconds = rest / 1_000_000;
    let _ = write!(
        out,
        " {:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    let fraction = rest % 1_000_000;
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        let _ = write!(out, ".{}", digits.trim_end_matches('0'));
    }
}

/// A date, or the date of a timestamp; `None` for what is neither.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let text = text.trim();
    let (date, rest) = split_date(text)?;
    if !rest.is_empty() {
        parse_time(rest.strip_prefix([' ', 'T'])?)?;
    }
    i32::try_from(date).ok()
}

/// A timestamp, or a date at midnight, in microseconds. Digits behind the microsecond are cut.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    let (days, rest) = split_date(text)?;
    let micros = if rest.is_empty() {
        0
    } else {
        parse_time(rest.strip_prefix([' ', 'T'])?)?
    };
    days.checked_mul(DAY_US)?.checked_add(micros)
}

/// As [`parse_timestamp`], with a zone behind the time, where nothing is UTC: `UTC`, `+01:00`, `Europe/Berlin`.
pub(crate) fn parse_instant(text: &str) -> Option<i64> {
    let text = text.trim();
    let clock = text
        .find(|c: char| !matches!(c, '0'..='9' | '-' | ':' | '.' | ' ' | 'T'))
        .unwrap_or(text.len());
    // A zone west of Greenwich begins with what also separates the parts of a date.
    let west = text
        .find(':')
        .and_then(|at| Some(at + text[at..].find('-')?));
    let (clock, zone) = text.split_at(west.map_or(clock, |west| west.min(clock)));
    let micros = parse_timestamp(clock)?;
    let zone = zone.trim();
    if matches!(zone, "" | "Z" | "UTC") {
        return Some(micros);
    }
    let zone: Tz = zone.parse().ok()?;
    let instant = |micros: i64| {
        let mut local = String::new();
        write_timestamp(micros, &mut local);
        Some(string_to_datetime(&zone, &local).ok()?.timestamp_micros())
    };
    // A time that comes twice, or never, counts by the offset that was in force before, as in Java.
    const BEFORE_US: i64 = 3 * 3_600_000_000;
    instant(micros).or_else(|| instant(micros - BEFORE_US)?.checked_add(BEFORE_US))
}

/// `yyyy-MM-dd HH:mm:ss.f UTC`: other than a timestamp's, the fraction has a digit in any case.
pub(crate) fn write_instant(micros: i64, out: &mut String) {
    write_timestamp(micros, out);
    if micros.rem_euclid(1_000_000) == 0 {
        out.push_str(".0");
    }
    out.push(' ');
    out.push_str(ZONE);
}

/// Splits `yyyy-M-d` off.
fn split_date(text: &str) -> Option<(i64, &str)> {
    let (year, rest) = digits(text, 4, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 1, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 1, 2)?;
    ((1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day))
        .then(|| (days_of(year, month, day), rest))
}

/// `H:m[:s[.f]]` in microseconds.
fn parse_time(text: &str) -> Option<i64> {
    let (hour, rest) = digits(text, 1, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 1, 2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => digits(rest, 1, 2)?,
        None => (0, rest),
    };
    let micros = match rest.strip_prefix('.') {
        Some(fraction) if fraction.len() <= 9 && fraction.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{fraction:0<6}")[..6].parse().ok()?
        }
        None if rest.is_empty() => 0,
        _ => return None,
    };
    (hour < 24 && minute < 60 && second < 60)
        .then_some(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

fn digits(text: &str, min: usize, max: usize) -> Option<(i64, &str)> {
    let count = text
        .bytes()
        .take(max)
        .take_while(u8::is_ascii_digit)
        .count();
    if count < min {
        None
    } else {
        Some((text[..count].parse().ok()?, &text[count..]))
    }
}

/// A whole number, as Hive's `LazyLong` reads it: spaces around it, a sign, and a fraction that is cut off.
pub(crate) fn parse_integer(text: &str) -> Option<i64> {
    let text = text.trim_matches(' ');
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty()
        || !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit())
    {
        return None;
    }
    whole.bytes().try_fold(0_i64, |value, b| {
        let value = value.checked_mul(10)?;
        let digit = i64::from(b - b'0');
        if negative {
            value.checked_sub(digit)
        } else {
            value.checked_add(digit)
        }
    })
}

/// A double as `Double.parseDouble` reads it, hexadecimal form apart.
pub(crate) fn parse_double(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        "NaN" => return Some(f64::NAN),
        "Infinity" => {
            return Some(if text.starts_with('-') {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            });
        }
        _ => {}
    }
    let number = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    if !number
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'))
    {
        return None;
    }
    number.parse().ok()
}

/// A double as `Double.toString` prints it: `1.0`, `1.0E10`, `NaN`.
pub(crate) fn write_double(value: f64, out: &mut String) {
    if value.is_finite() && value != 0.0 {
        java_digits(&format!("{value:e}"), out);
    } else {
        special(value, out);
    }
}

/// A float as `Float.toString` prints it.
pub(crate) fn write_float(value: f32, out: &mut String) {
    if value.is_finite() && value != 0.0 {
        java_digits(&format!("{value:e}"), out);
    } else {
        special(f64::from(value), out);
    }
}

fn special(value: f64, out: &mut String) {
    out.push_str(match value {
        v if v.is_nan() => "NaN",
        v if v == f64::INFINITY => "Infinity",
        v if v == f64::NEG_INFINITY => "-Infinity",
        v if v.is_sign_negative() => "-0.0",
        _ => "0.0",
    });
}

/// Java's form of Rust's shortest `d.ddde±x`: plain from 10^-3 to below 10^7, with an exponent beyond.
fn java_digits(scientific: &str, out: &mut String) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |rest| ("-", rest));
    out.push_str(sign);
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    match exponent {
        -3..=-1 => {
            let _ = write!(
                out,
                "0.{}{digits}",
                "0".repeat(exponent.unsigned_abs() as usize - 1)
            );
        }
        0..=6 => {
            let whole = exponent as usize + 1;
            if digits.len() <= whole {
                let _ = write!(out, "{digits}{}.0", "0".repeat(whole - digits.len()));
            } else {
                let _ = write!(out, "{}.{}", &digits[..whole], &digits[whole..]);
            }
        }
        _ => {
            let fraction = if digits.len() > 1 { &digits[1..] } else { "0" };
            let _ = write!(out, "{}.{fraction}E{exponent}", &digits[..1]);
        }
    }
}

/// A decimal's digits, zeros at the fraction's end cut as `HiveDecimal.toString` does.
pub(crate) fn write_decimal(value: i128, scale: u8, out: &mut String) {
    let digits = value.unsigned_abs().to_string();
    let scale = usize::from(scale);
    if value < 0 {
        out.push('-');
    }
    let digits = if digits.len() <= scale {
        format!("{digits:0>width$}", width = scale + 1)
    } else {
        digits
    };
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    out.push_str(whole);
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
}

/// A decimal of the given precision and scale, rounded half up; `None` where it is no number or does not fit.
pub(crate) fn parse_decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0
        || !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit())
    {
        return None;
    }
    // How many of the digits stand before the last one that is kept.
    let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let mut value: i128 = 0;
    let mut next = b'0';
    let mut digits = whole.bytes().chain(fraction.bytes());
    for at in 0..kept {
        match digits.next() {
            Some(digit) => {
                value = value
                    .checked_mul(10)?
                    .checked_add(i128::from(digit - b'0'))?
            }
            None if value == 0 => break,
            None => {
                let missing = u32::try_from(kept - at).ok()?;
                value = value.checked_mul(10_i128.checked_pow(missing)?)?;
                break;
            }
        }
    }
    if kept >= 0 {
        next = digits.next().unwrap_or(b'0');
    }
    if next >= b'5' {
        value = value.checked_add(1)?;
    }
    let value = if negative { -value } else { value };
    fits(value, precision).then_some(value)
}

/// Whether `value` has at most `precision` digits.
pub(crate) fn fits(value: i128, precision: u8) -> bool {
    value.unsigned_abs() < 10_u128.pow(u32::from(precision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        let hour = 3_600_000_000;
        for (text, micros) in [
            ("1970-01-01 01:00:00", Some(hour)),
            ("1970-01-01 01:00:00.5 UTC", Some(hour + 500_000)),
            ("1970-01-01 01:00:00Z", Some(hour)),
            ("1970-01-01", Some(0)),
            ("1970-01-01 UTC", Some(0)),
            ("1970-01-01 01:00:00 +01:00", Some(0)),
            ("1970-01-01 01:00:00-01:00", Some(2 * hour)),
            ("1970-01-01 01:00:00 Europe/Berlin", Some(0)),
            // Both 02:30 of that night, and none of the other.
            (
                "2023-10-29 02:30:00 Europe/Berlin",
                Some(1_698_539_400_000_000),
            ),
            (
                "2023-03-26 02:30:00 Europe/Berlin",
                Some(1_679_794_200_000_000),
            ),
            ("1970-01-01 01:00:00 Nowhere", None),
            ("Europe/Berlin", None),
        ] {
            assert_eq!(parse_instant(text), micros, "{text}");
        }
        let written = |micros| {
            let mut out = String::new();
            write_instant(micros, &mut out);
            out
        };
        assert_eq!(written(0), "1970-01-01 00:00:00.0 UTC");
        assert_eq!(written(500_000), "1970-01-01 00:00:00.5 UTC");
    }

    #[test]
    fn dates_and_days_are_inverse() {
        for days in (-719_162..3_000_000).step_by(97) {
            let (year, month, day) = date_of(days);
            assert_eq!(days_of(year, month, day), days);
        }
        assert_eq!(days_of(1970, 1, 1), 0);
        assert_eq!(days_of(2000, 3, 1), 11_017);
        assert_eq!(date_of(-1), (1969, 12, 31));
    }

    #[test]
    fn dates_and_timestamps_are_read_strictly() {
        let day = days_of(2024, 2, 29) as i32;
        assert_eq!(parse_date("2024-02-29"), Some(day));
        assert_eq!(parse_date(" 2024-2-29 "), Some(day));
        assert_eq!(parse_date("2024-02-29 23:59:59.5"), Some(day));
        for bad in [
            "2023-02-29",
            "2024-13-01",
            "24-01-01",
            "2024-01-01x",
            "",
            "2024-01",
            "2024-01-01 25:00:00",
        ] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
        let mut text = String::new();
        write_timestamp(
            parse_timestamp("2024-01-02 03:04:05.120000").expect("timestamp"),
            &mut text,
        );
        write_timestamp(parse_timestamp("1900-01-01").expect("timestamp"), &mut text);
        assert_eq!(text, "2024-01-02 03:04:05.121900-01-01 00:00:00");
    }

    #[test]
    fn doubles_print_as_in_java() {
        let show = |value: f64| {
            let mut out = String::new();
            write_double(value, &mut out);
            out
        };
        for (value, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (-0.001, "-0.001"),
            (0.000_99, "9.9E-4"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (1.25e10, "1.25E10"),
            (123.456, "123.456"),
            (100.0, "100.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (1e-300, "1.0E-300"),
        ] {
            assert_eq!(show(value), text);
        }
    }

    #[test]
    fn numbers_are_read_as_hive_reads_them() {
        for (text, value) in [
            ("12", Some(12)),
            (" -12 ", Some(-12)),
            ("+7", Some(7)),
            ("1.9", Some(1)),
            ("-1.9", Some(-1)),
            ("1.", Some(1)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1e3", None),
            ("abc", None),
            ("", None),
            ("-", None),
            (".5", None),
        ] {
            assert_eq!(parse_integer(text), value, "{text}");
        }
        for (text, value) in [
            ("1e3", Some(1000.0)),
            (" 1.5d ", Some(1.5)),
            ("Infinity", Some(f64::INFINITY)),
            ("inf", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(parse_double(text), value, "{text}");
        }
    }

    #[test]
    fn decimals_round_half_up_and_fit() {
        for (text, value) in [
            ("1.005", Some(101)),
            ("-1.005", Some(-101)),
            ("1.004", Some(100)),
            ("1e1", Some(1000)),
            ("12e-3", Some(1)),
            ("5e-3", Some(1)),
            ("4e-9", Some(0)),
            ("999.994", Some(99_999)),
            ("999.995", None),
            ("1000", None),
            ("0e99", Some(0)),
            ("1e99", None),
            ("x", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(parse_decimal(text, 5, 2), value, "{text}");
        }
        let mut out = String::new();
        for (value, scale) in [(150, 2), (-5, 3), (0, 2), (12_345, 0)] {
            write_decimal(value, scale, &mut out);
            out.push(' ');
        }
        assert_eq!(out, "1.5 -0.005 0 12345 ");
    }
}
