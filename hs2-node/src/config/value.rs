//! Values of settings. Each function takes a text and says `None` when it has no meaning.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub(super) fn text(value: &str, to: &mut String) -> Option<()> {
    value.clone_into(to);
    Some(())
}

/// A folder; empty is none.
#[allow(clippy::unnecessary_wraps)] // One shape for all of them.
pub(super) fn path(value: &str, to: &mut Option<PathBuf>) -> Option<()> {
    *to = (!value.is_empty()).then(|| PathBuf::from(value));
    Some(())
}

pub(super) fn port(value: &str, to: &mut u16) -> Option<()> {
    *to = value.parse().ok()?;
    Some(())
}

pub(super) fn count<T: FromStr + PartialOrd + From<u8>>(value: &str, to: &mut T) -> Option<()> {
    *to = value.parse().ok().filter(|n| *n >= T::from(1))?;
    Some(())
}

pub(super) fn bytes(value: &str, to: &mut usize) -> Option<()> {
    *to = value
        .parse()
        .ok()
        .filter(|n| (1024..=i32::MAX as usize).contains(n))?;
    Some(())
}

/// One of some words in any case, kept in capitals.
pub(super) fn word(value: &str, words: &[&str], to: &mut String) -> Option<()> {
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(value))?;
    (*found).clone_into(to);
    Some(())
}

/// A number of bytes, with or without a unit as Hive writes them: `512mb`, `20gb`.
pub(super) fn size(value: &str, to: &mut u64) -> Option<()> {
    let split = value
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(value.len());
    let (number, unit) = value.split_at(split);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        _ => return None,
    };
    let number: u64 = number.trim().parse().ok()?;
    *to = number.checked_mul(1 << shift)?;
    Some(())
}

pub(super) fn boolean(value: &str, to: &mut bool) -> Option<()> {
    *to = match value.to_ascii_lowercase().as_str() {
        "true" => true,
        "false" => false,
        _ => return None,
    };
    Some(())
}

/// A number where 0 is "as many as come".
pub(super) fn limit(value: &str, to: &mut usize) -> Option<()> {
    // Negative means the same, as in Hive.
    let number: i64 = value.parse().ok()?;
    *to = usize::try_from(number.max(0)).ok()?;
    Some(())
}

/// A number and a unit as Hive writes them; without a unit it is in `unit`. Negative means 0, as in Hive.
pub(super) fn duration(value: &str, unit: &str, to: &mut Duration) -> Option<()> {
    let split = value
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(value.len());
    let (number, given) = value.split_at(split);
    let number: i64 = number.trim().parse().ok()?;
    let given = given.trim().to_ascii_lowercase();
    let nanos_each: u64 = match if given.is_empty() { unit } else { &given } {
        "d" | "day" | "days" => 86_400_000_000_000,
        "h" | "hour" | "hours" => 3_600_000_000_000,
        "m" | "min" | "minute" | "minutes" => 60_000_000_000,
        "s" | "sec" | "second" | "seconds" => 1_000_000_000,
        "ms" | "msec" | "millisecond" | "milliseconds" => 1_000_000,
        "us" | "usec" | "microsecond" | "microseconds" => 1000,
        "ns" | "nsec" | "nanosecond" | "nanoseconds" => 1,
        _ => return None,
    };
    let number = u64::try_from(number.max(0)).ok()?;
    // 584 years fit; what is longer is as good as never.
    *to = Duration::from_nanos(number.saturating_mul(nanos_each));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, unit: &str) -> Option<Duration> {
        let mut to = Duration::ZERO;
        duration(text, unit, &mut to).map(|()| to)
    }

    #[test]
    fn times_with_and_without_units() {
        for (text, unit, ms) in [
            ("5s", "ms", 5000),
            ("120000ms", "s", 120_000),
            ("120000", "ms", 120_000),
            ("20", "s", 20_000),
            ("2 min", "s", 120_000),
            ("7d", "ms", 604_800_000),
            ("-1", "s", 0),
            ("1HOUR", "s", 3_600_000),
        ] {
            assert_eq!(read(text, unit), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "s", "5 parsecs", "1.5s", "5s5", "99999999999999999999s"] {
            assert_eq!(read(text, "ms"), None, "{text}");
        }
        assert!(read("9223372036854775807d", "ms").is_some());
    }

    #[test]
    fn numbers_words_and_folders() {
        let (mut n, mut b, mut p) = (0u32, false, None);
        assert_eq!((count("12", &mut n), n), (Some(()), 12));
        assert_eq!(
            (count("0", &mut n), count("-3", &mut n), count("x", &mut n)),
            (None, None, None)
        );
        assert_eq!(
            (boolean("TRUE", &mut b), b, boolean("1", &mut b)),
            (Some(()), true, None)
        );
        let mut bytes = 0;
        for (text, expected) in [("0", 0), ("5 MB", 5 << 20), ("20gb", 20 << 30), ("7", 7)] {
            assert_eq!((size(text, &mut bytes), bytes), (Some(()), expected));
        }
        for text in ["-1", "gb", "1.5gb", "99999999999tb"] {
            assert_eq!(size(text, &mut bytes), None, "{text}");
        }
        assert_eq!((path("/x", &mut p), p.is_some()), (Some(()), true));
        assert_eq!((path("", &mut p), p), (Some(()), None));
        let mut l = 7;
        assert_eq!((limit("0", &mut l), l), (Some(()), 0));
        assert_eq!((limit("3", &mut l), l), (Some(()), 3));
        assert_eq!(
            (limit("-1", &mut l), l, limit("x", &mut l)),
            (Some(()), 0, None)
        );
    }
}
