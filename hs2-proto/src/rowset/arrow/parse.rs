//! Hive's texts back to numbers. `None` is a text that is not what it should be.

use super::civil::{self, DAY_SECONDS};
use arrow_schema::TimeUnit;

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
    let (day, time) = match text.iter().position(|b| matches!(b, b' ' | b'T')) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, &b"00:00:00"[..]),
    };
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
    let seconds = date(day)?.checked_mul(DAY_SECONDS)?;
    let seconds = seconds.checked_add(i64::try_from(hour * 3600 + minute * 60 + second).ok()?)?;
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let below = i64::try_from(nanos).ok()? / (1_000_000_000 / per_second);
    // The least nanosecond timestamps fit only together with their fraction.
    i64::try_from(i128::from(seconds) * i128::from(per_second) + i128::from(below)).ok()
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

    proptest! {
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
        }

        #[test]
        fn texts_of_the_right_letters_never_panic(text in "[-+0-9.: T]{0,40}", scale in 0u32..60) {
            let _ = (decimal(text.as_bytes(), scale), date(text.as_bytes()), timestamp(text.as_bytes(), TimeUnit::Second));
        }
    }
}
