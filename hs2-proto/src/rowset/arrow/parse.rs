//! Hive's texts back to numbers. `None` is a text that is not what it should be.

use super::civil::{self, DAY_SECONDS};
use arrow_schema::TimeUnit;
use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

/// `[-]digits[.digits]` as a number of `10^-scale`. Digits behind the scale must be zeros: some servers cut
/// zeros off, none sends more than it said.
pub(super) fn decimal(text: &[u8], scale: u32) -> Option<i128> {
    let (negative, digits) = sign(text);
    let (whole, fraction) = match digits.iter().position(|b| *b == b'.') {
        Some(point) => (digits.get(..point)?, digits.get(point + 1..)?),
        None => (digits, &[][..]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (kept, cut) = fraction
        .split_at_checked(usize::try_from(scale).ok()?)
        .unwrap_or((fraction, &[]));
    if cut.iter().any(|b| *b != b'0') {
        return None;
    }
    let zeros = scale.checked_sub(u32::try_from(kept.len()).ok()?)?;
    let mut number = 0i128;
    for digit in whole.iter().chain(kept) {
        number = number
            .checked_mul(10)?
            .checked_add(i128::from(digit_value(*digit)?))?;
    }
    let number = number.checked_mul(10i128.checked_pow(zeros)?)?;
    Some(if negative { -number } else { number })
}

/// `[-]y…-MM-dd` as days since 1970.
pub(super) fn date(text: &[u8]) -> Option<i64> {
    let (negative, text) = sign(text);
    let (year, month, day) = match text {
        [year @ .., b'-', m1, m2, b'-', d1, d2] if year.len() >= 4 => {
            (year, [*m1, *m2], [*d1, *d2])
        }
        _ => return None,
    };
    let year = i64::try_from(number(year)?).ok()?;
    let small = |digits: [u8; 2]| number(&digits).and_then(|n| u8::try_from(n).ok());
    civil::to_days(
        if negative { -year } else { year },
        small(month)?,
        small(day)?,
    )
}

/// `yyyy-MM-dd[ HH:mm:ss[.f…]]` as a number of `unit` since 1970. Digits below the unit are dropped, downwards.
pub(super) fn timestamp(text: &[u8], unit: TimeUnit) -> Option<i64> {
    let (seconds, nanos) = date_time(text)?;
    number_of(unit, seconds, nanos)
}

/// Seconds since 1970, and nanoseconds.
fn date_time(text: &[u8]) -> Option<(i64, u32)> {
    let (day, time) = match text.iter().position(|b| matches!(b, b' ' | b'T')) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, &b"00:00:00"[..]),
    };
    let (of_day, nanos) = clock(time)?;
    let seconds = date(day)?.checked_mul(DAY_SECONDS)?;
    Some((seconds.checked_add(of_day)?, nanos))
}

/// `HH:mm:ss[.f…]` as seconds and nanoseconds.
fn clock(time: &[u8]) -> Option<(i64, u32)> {
    let (clock, fraction) = match time {
        [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] => {
            ([[*h1, *h2], [*m1, *m2], [*s1, *s2]], rest)
        }
        _ => return None,
    };
    let [hour, minute, second] = clock.map(|digits| number(&digits));
    let (hour, minute, second) = (hour?, minute?, second?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            number(digits)? * 10u64.pow(9 - u32::try_from(digits.len()).ok()?)
        }
        _ => return None,
    };
    let seconds = i64::try_from(hour * 3600 + minute * 60 + second).ok()?;
    Some((seconds, u32::try_from(nanos).ok()?))
}

fn number_of(unit: TimeUnit, seconds: i64, nanos: u32) -> Option<i64> {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let below = i64::from(nanos) / (1_000_000_000 / per_second);
    // The least nanosecond timestamps fit only together with their fraction.
    i64::try_from(i128::from(seconds) * i128::from(per_second) + i128::from(below)).ok()
}

/// `yyyy-MM-dd HH:mm:ss[.f…] zone` as a number of `unit` since 1970 in UTC. A local time that a zone has twice is
/// the earlier one, one that it skips is None. `last` is the zone of the value before: most columns have one.
pub(super) fn zoned_timestamp(
    text: &[u8],
    unit: TimeUnit,
    last: &mut Option<(Vec<u8>, Zone)>,
) -> Option<i64> {
    let at = text.iter().rposition(|b| *b == b' ')?;
    let (local, name) = (text.get(..at)?, text.get(at + 1..)?);
    let zone = match last {
        Some((known, zone)) if known == name => *zone,
        _ => {
            let zone = Zone::of(std::str::from_utf8(name).ok()?)?;
            *last = Some((name.to_vec(), zone));
            zone
        }
    };
    let (seconds, nanos) = date_time(local)?;
    number_of(unit, seconds.checked_sub(zone.offset(seconds)?)?, nanos)
}

/// A zone of `java.time`: an id of the zone database, or an offset.
#[derive(Debug, Clone, Copy)]
pub(super) enum Zone {
    Offset(i64),
    Named(Tz),
}

impl Zone {
    fn of(name: &str) -> Option<Self> {
        let offset = ["UTC", "GMT", "UT"]
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix))
            .unwrap_or(name);
        match (offset.split_at_checked(1), offset) {
            (_, "" | "Z") => Some(Self::Offset(0)),
            (Some((sign @ ("+" | "-"), digits)), _) => {
                let mut parts = digits.splitn(3, ':').map(|part| number(part.as_bytes()));
                let hours = parts.next()??;
                let minutes = parts.next().unwrap_or(Some(0))?;
                let seconds = parts.next().unwrap_or(Some(0))?;
                if hours > 18 || minutes > 59 || seconds > 59 {
                    return None;
                }
                let offset = i64::try_from(hours * 3600 + minutes * 60 + seconds).ok()?;
                Some(Self::Offset(if sign == "-" { -offset } else { offset }))
            }
            _ => name.parse().ok().map(Self::Named),
        }
    }

    /// Seconds that the zone is ahead of UTC at a local time.
    fn offset(self, local_seconds: i64) -> Option<i64> {
        match self {
            Self::Offset(offset) => Some(offset),
            Self::Named(zone) => {
                let local = DateTime::from_timestamp(local_seconds, 0)?.naive_utc();
                let offset = zone.offset_from_local_datetime(&local).earliest()?;
                Some(i64::from(offset.fix().local_minus_utc()))
            }
        }
    }
}

/// `[-]years-months` as months.
pub(super) fn year_month(text: &[u8]) -> Option<i32> {
    let (negative, text) = sign(text);
    let at = text.iter().position(|b| *b == b'-')?;
    let (years, months) = (number(text.get(..at)?)?, number(text.get(at + 1..)?)?);
    let months = i64::try_from(years)
        .ok()?
        .checked_mul(12)?
        .checked_add(i64::try_from(months).ok().filter(|months| *months < 12)?)?;
    i32::try_from(if negative { -months } else { months }).ok()
}

/// `[-]days HH:mm:ss[.f…]` as a number of `unit`. Digits below the unit are dropped, towards zero.
pub(super) fn day_time(text: &[u8], unit: TimeUnit) -> Option<i64> {
    let (negative, text) = sign(text);
    let at = text.iter().position(|b| *b == b' ')?;
    let (of_day, nanos) = clock(text.get(at + 1..)?)?;
    let days = i64::try_from(number(text.get(..at)?)?).ok()?;
    let seconds = days.checked_mul(DAY_SECONDS)?.checked_add(of_day)?;
    let scale = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    let amount = (i128::from(seconds) * 1_000_000_000 + i128::from(nanos)) / scale;
    i64::try_from(if negative { -amount } else { amount }).ok()
}

const fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

fn digit_value(digit: u8) -> Option<u8> {
    digit.is_ascii_digit().then(|| digit - b'0')
}

/// Up to 18 digits, and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        Some(number * 10 + u64::from(digit_value(*digit)?))
    })
}

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals() {
        for (given, scale, expected) in [
            ("1.50", 2, Some(150)),
            ("1.5", 2, Some(150)),
            ("1.500", 2, Some(150)),
            ("1.505", 2, None),
            ("-0.07", 2, Some(-7)),
            (".5", 1, Some(5)),
            ("5.", 0, Some(5)),
            ("7", 0, Some(7)),
            ("", 0, None),
            (".", 0, None),
            ("-", 0, None),
            ("1e5", 0, None),
            ("1.2.3", 2, None),
            ("99999999999999999999999999999999999999999", 0, None),
        ] {
            assert_eq!(decimal(given.as_bytes(), scale), expected, "{given}");
        }
    }

    #[test]
    fn dates_and_timestamps() {
        assert_eq!(date(b"1970-01-02"), Some(1));
        assert_eq!(date(b"-0001-12-31"), Some(-719_529));
        for bad in [
            "",
            "1970",
            "1970-1-1",
            "70-01-01",
            "1970-02-30",
            "1970-01-0x",
            "1970/01/01",
        ] {
            assert_eq!(date(bad.as_bytes()), None, "{bad}");
        }
        let micros = |text: &str| timestamp(text.as_bytes(), TimeUnit::Microsecond);
        assert_eq!(micros("1970-01-01 00:00:01.5"), Some(1_500_000));
        assert_eq!(micros("1970-01-01T00:00:01"), Some(1_000_000));
        assert_eq!(micros("1970-01-02"), Some(86_400_000_000));
        assert_eq!(
            micros("1969-12-31 23:59:59.999999999"),
            Some(-1),
            "cut downwards"
        );
        for bad in [
            "",
            "1970-01-01 24:00:00",
            "1970-01-01 00:60:00",
            "1970-01-01 00:00",
            "1970-01-01 00:00:00.",
            "1970-01-01 00:00:00.1234567890",
            "1970-01-01 00:00:00 UTC",
        ] {
            assert_eq!(micros(bad), None, "{bad}");
        }
        assert_eq!(
            timestamp(b"9999-12-31 00:00:00", TimeUnit::Nanosecond),
            None,
            "beyond 2262"
        );
        assert_eq!(
            timestamp(b"9999-12-31 00:00:00", TimeUnit::Microsecond),
            Some(253_402_214_400_000_000)
        );
        assert_eq!(
            timestamp(b"1677-09-21 00:12:43.145224192", TimeUnit::Nanosecond),
            Some(i64::MIN)
        );
    }

    #[test]
    fn intervals() {
        for (given, expected) in [
            ("1-2", Some(14)),
            ("-1-2", Some(-14)),
            ("-178956970-8", Some(i32::MIN)),
            ("178956970-8", None),
            ("0-12", None),
            ("1", None),
            ("-", None),
            ("1-", None),
        ] {
            assert_eq!(year_month(given.as_bytes()), expected, "{given}");
        }
        let micros = |text: &str| day_time(text.as_bytes(), TimeUnit::Microsecond);
        assert_eq!(micros("1 00:00:00.000000000"), Some(86_400_000_000));
        assert_eq!(micros("-0 00:00:01.500000900"), Some(-1_500_000));
        assert_eq!(micros("0 00:00:01"), Some(1_000_000));
        assert_eq!(micros("-106751991 04:00:54.775808000"), Some(i64::MIN));
        for bad in [
            "",
            "1",
            "1 0:0:0",
            "1 24:00:00",
            "x 00:00:00",
            "106751992 00:00:00",
        ] {
            assert_eq!(micros(bad), None, "{bad}");
        }
    }

    #[test]
    fn local_times_of_every_kind_of_zone() {
        let mut last = None;
        let mut seconds =
            |text: &str| zoned_timestamp(text.as_bytes(), TimeUnit::Second, &mut last);
        for (zone, hours) in [
            ("UTC", 0),
            ("Z", 0),
            ("+02:00", 2),
            ("-08:00", -8),
            ("GMT+3", 3),
            ("Europe/Prague", 1),
            ("US/Pacific", -8),
            ("Etc/GMT+5", -5),
        ] {
            let text = format!("1970-01-02 00:00:00.5 {zone}");
            assert_eq!(seconds(&text), Some(86_400 - hours * 3_600), "{zone}");
        }
        // Summer time, the hour that comes twice, and the one that never comes.
        assert_eq!(
            seconds("2024-07-01 02:00:00 Europe/Prague"),
            Some(1_719_792_000)
        );
        assert_eq!(
            seconds("2024-10-27 02:30:00 Europe/Prague"),
            Some(1_729_989_000)
        );
        assert_eq!(seconds("2024-03-31 02:30:00 Europe/Prague"), None);
        for bad in [
            "",
            "1970-01-01",
            "1970-01-01 00:00:00",
            "1970-01-01 00:00:00 Nowhere/At",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
        for bad in ["+", "+99:00", "-1:60", "UTC+", "GMTx"] {
            assert_eq!(
                seconds(&format!("1970-01-01 00:00:00 {bad}")),
                None,
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn intervals_are_read_as_they_are_written(months in any::<i32>(), nanos in any::<i64>()) {
            let mut out = Vec::new();
            text::push_year_month(&mut out, months);
            prop_assert_eq!(year_month(&out), Some(months));
            out.clear();
            text::push_day_time(&mut out, nanos.into());
            prop_assert_eq!(day_time(&out, TimeUnit::Nanosecond), Some(nanos));
        }

        #[test]
        fn what_is_written_is_read(value in any::<i64>(), unscaled in any::<i128>(), shift in 0u32..100, scale in 0i8..38) {
            let mut out = Vec::new();
            text::push_timestamp(&mut out, value, TimeUnit::Nanosecond, 0);
            prop_assert_eq!(timestamp(&out, TimeUnit::Nanosecond), Some(value));
            out.clear();
            text::push_decimal(&mut out, unscaled >> shift, scale);
            // Only the least number of all is not read: nothing that fits 38 digits.
            prop_assert_eq!(decimal(&out, u32::from(scale.unsigned_abs())), Some(unscaled >> shift).filter(|n| *n != i128::MIN));
        }

        #[test]
        fn arbitrary_texts_never_panic(text in prop::collection::vec(any::<u8>(), 0..40), scale in 0u32..60) {
            let _ = (decimal(&text, scale), date(&text), timestamp(&text, TimeUnit::Nanosecond));
            let _ = (year_month(&text), day_time(&text, TimeUnit::Second), zoned_timestamp(&text, TimeUnit::Nanosecond, &mut None));
        }

        #[test]
        fn texts_of_the_right_letters_never_panic(text in "[-+0-9.: TZ]{0,40}", scale in 0u32..60) {
            let text = text.as_bytes();
            let _ = (decimal(text, scale), date(text), timestamp(text, TimeUnit::Second));
            let _ = (year_month(text), day_time(text, TimeUnit::Nanosecond), zoned_timestamp(text, TimeUnit::Second, &mut None));
        }
    }
}
