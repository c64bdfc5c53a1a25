//! Intervals as text and text as intervals, by the rules of `HiveIntervalYearMonth` and `HiveIntervalDayTime`.

use std::fmt::Write;

/// Microseconds in a second.
const SECOND_US: i128 = 1_000_000;
/// Microseconds in a day.
const DAY_US: i128 = 86_400 * SECOND_US;

/// `[+|-]years-months` as months; months are below 12.
pub(crate) fn parse_year_month(text: &str) -> Option<i32> {
    let (negative, text) = sign(text.trim());
    let (years, months) = text.split_once('-')?;
    let months = whole(months).filter(|months| *months < 12)?;
    let total = i128::from(whole(years)?) * 12 + i128::from(months);
    i32::try_from(if negative { -total } else { total }).ok()
}

/// `[+|-]days hours:minutes:seconds[.fraction]` as microseconds. Digits behind the microsecond are cut.
pub(crate) fn parse_day_time(text: &str) -> Option<i64> {
    let (negative, text) = sign(text.trim());
    let (days, time) = text.split_once(' ')?;
    let mut parts = time.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let below = |text: &str, limit: u64| whole(text).filter(|number| *number < limit);
    let minutes = i128::from(below(hours, 24)? * 60 + below(minutes, 60)?);
    let seconds = seconds_us(seconds).filter(|seconds| *seconds < 60 * SECOND_US)?;
    let total = i128::from(whole(days)?) * DAY_US + minutes * 60 * SECOND_US + seconds;
    i64::try_from(if negative { -total } else { total }).ok()
}

/// `[+|-]seconds[.fraction]` as microseconds. Digits behind the microsecond are cut.
pub(crate) fn parse_seconds(text: &str) -> Option<i64> {
    let (negative, text) = sign(text.trim());
    let total = seconds_us(text)?;
    i64::try_from(if negative { -total } else { total }).ok()
}

fn seconds_us(text: &str) -> Option<i128> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.len() > 9 {
        return None;
    }
    whole(fraction)?;
    let micros = whole(&format!("{fraction:0<6}")[..6])?;
    Some(i128::from(whole(seconds)?) * SECOND_US + i128::from(micros))
}

/// `Y-M`, with one sign before both.
pub(crate) fn write_year_month(months: i32, out: &mut String) {
    let sign = if months < 0 { "-" } else { "" };
    let months = months.unsigned_abs();
    let _ = write!(out, "{sign}{}-{}", months / 12, months % 12);
}

/// `D HH:mm:ss.nnnnnnnnn`, with one sign before all.
pub(crate) fn write_day_time(micros: i64, out: &mut String) {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let _ = write!(
        out,
        "{sign}{days} {:02}:{:02}:{:02}.{fraction:06}000",
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    );
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn whole(text: &str) -> Option<u64> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn year_month() {
        for (text, months, back) in [
            ("1-2", Some(14), "1-2"),
            ("-1-2", Some(-14), "-1-2"),
            ("+0-11", Some(11), "0-11"),
            ("-0-1", Some(-1), "-0-1"),
            ("178956970-7", Some(i32::MAX), "178956970-7"),
            ("178956970-8", None, ""),
            ("1-12", None, ""),
            ("1", None, ""),
            ("1-", None, ""),
            ("a-1", None, ""),
        ] {
            let parsed = parse_year_month(text);
            assert_eq!(parsed, months, "{text}");
            let mut written = String::new();
            parsed.inspect(|months| write_year_month(*months, &mut written));
            assert_eq!(written, back);
        }
    }

    #[test]
    fn day_time() {
        for (text, micros, back) in [
            ("1 2:3:4.5", Some(93_784_500_000), "1 02:03:04.500000000"),
            ("-0 00:00:01", Some(-1_000_000), "-0 00:00:01.000000000"),
            (
                "106751991 04:00:54.775807999",
                Some(i64::MAX),
                "106751991 04:00:54.775807000",
            ),
            ("106751991 04:00:54.775808", None, ""),
            ("1 24:00:00", None, ""),
            ("1 00:60:00", None, ""),
            ("1 00:00:00.", None, ""),
            ("1 00:00:00.1234567890", None, ""),
            ("1", None, ""),
            ("1 0:0", None, ""),
        ] {
            let parsed = parse_day_time(text);
            assert_eq!(parsed, micros, "{text}");
            let mut written = String::new();
            parsed.inspect(|micros| write_day_time(*micros, &mut written));
            assert_eq!(written, back);
        }
    }

    #[test]
    fn seconds() {
        for (text, micros) in [
            ("5", Some(5_000_000)),
            ("-0.5", Some(-500_000)),
            ("90.1234567", Some(90_123_456)),
            ("1.", None),
            (".5", None),
            ("1.0000000000", None),
            ("é", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse_seconds(text), micros, "{text}");
        }
    }
}
