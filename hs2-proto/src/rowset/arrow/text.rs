//! Values as HiveServer2 writes them in text, appended to a byte buffer without a `String` in between.

use super::civil::{self, DAY_SECONDS};
use arrow_buffer::i256;
use arrow_schema::TimeUnit;
use std::fmt::Write as _;

/// Two digits for each number below 100.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n as usize] = [b'0' + n / 10, b'0' + n % 10];
        n += 1;
    }
    pairs
};

fn pair(n: u64) -> [u8; 2] {
    PAIRS[(n % 100) as usize]
}

/// Digits of a number, no sign, at least `width` of them. 39 are enough for any.
fn push_digits(out: &mut Vec<u8>, mut n: u128, width: usize) {
    let mut digits = [b'0'; 40];
    let mut at = digits.len();
    while n > u128::from(u64::MAX) {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&pair((n % 100) as u64));
        n /= 100;
    }
    let mut n = n as u64;
    while n >= 100 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&pair(n));
        n /= 100;
    }
    at -= 2;
    digits[at..at + 2].copy_from_slice(&pair(n));
    let significant = digits.len() - at - usize::from(digits[at] == b'0');
    out.extend_from_slice(&digits[digits.len() - significant.max(width).min(digits.len())..]);
}

pub(crate) fn push_u64(out: &mut Vec<u8>, n: u64) {
    push_digits(out, u128::from(n), 1);
}

pub(crate) fn push_i64(out: &mut Vec<u8>, n: i64) {
    if n < 0 {
        out.push(b'-');
    }
    push_digits(out, u128::from(n.unsigned_abs()), 1);
}

/// `unscaled * 10^-scale` in plain digits; the scale's zeros stay, there is never an exponent.
pub(crate) fn push_decimal(out: &mut Vec<u8>, unscaled: i128, scale: i8) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let start = out.len();
    push_digits(
        out,
        unscaled.unsigned_abs(),
        1 + usize::from(scale.max(0).unsigned_abs()).min(39),
    );
    place_point(out, start, scale);
}

/// As [`push_decimal`], for 256 bits: the number is cut into groups of 38 digits.
pub(crate) fn push_decimal256(out: &mut Vec<u8>, unscaled: i256, scale: i8) {
    if let Some(small) = unscaled.to_i128() {
        return push_decimal(out, small, scale);
    }
    let group = i256::from_i128(10i128.pow(38));
    // The groups of a negative number are negative: the least number has no absolute value of its own.
    let magnitude = |part: i256| part.to_i128().unwrap_or_default().unsigned_abs();
    let above = unscaled / group;
    let (high, middle, low) = (
        magnitude(above / group),
        magnitude(above % group),
        magnitude(unscaled % group),
    );
    if unscaled < i256::ZERO {
        out.push(b'-');
    }
    let start = out.len();
    if high > 0 {
        push_digits(out, high, 1);
        push_digits(out, middle, 38);
    } else {
        push_digits(out, middle, 1);
    }
    push_digits(out, low, 38);
    place_point(out, start, scale);
}

/// Puts the decimal point into the digits from `start` on, or the zeros of a negative scale behind them.
fn place_point(out: &mut Vec<u8>, start: usize, scale: i8) {
    let places = usize::from(scale.unsigned_abs());
    let digits = out.len() - start;
    if scale > 0 {
        if digits <= places {
            out.splice(start..start, std::iter::repeat_n(b'0', places + 1 - digits));
        }
        let point = out.len() - places;
        out.insert(point, b'.');
    } else if scale < 0 && out[start..] != *b"0" {
        out.resize(out.len() + places, b'0');
    }
}

/// `yyyy-MM-dd`; years beyond four digits take as many as they need.
pub(crate) fn push_date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil::from_days(days);
    let (m, d) = (pair(month.into()), pair(day.into()));
    if let Ok(year @ 0..=9999) = u64::try_from(year) {
        let (c, y) = (pair(year / 100), pair(year));
        out.extend_from_slice(&[c[0], c[1], y[0], y[1], b'-', m[0], m[1], b'-', d[0], d[1]]);
    } else {
        if year < 0 {
            out.push(b'-');
        }
        push_digits(out, year.unsigned_abs().into(), 4);
        out.extend_from_slice(&[b'-', m[0], m[1], b'-', d[0], d[1]]);
    }
}

/// `HH:mm:ss[.fffffffff]` of a second of a day; zeros at the end of the fraction are cut, and a zero fraction whole.
pub(crate) fn push_time(out: &mut Vec<u8>, second_of_day: i64, nanos: u32) {
    let second = second_of_day.unsigned_abs();
    let (h, m, s) = (
        pair(second / 3600),
        pair(second / 60 % 60),
        pair(second % 60),
    );
    out.extend_from_slice(&[h[0], h[1], b':', m[0], m[1], b':', s[0], s[1]]);
    if nanos > 0 {
        out.push(b'.');
        push_digits(out, nanos.into(), 9);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

/// `yyyy-MM-dd HH:mm:ss[.fffffffff]` of a count of `unit` since 1970.
pub(crate) fn push_timestamp(out: &mut Vec<u8>, value: i64, unit: TimeUnit, offset_seconds: i32) {
    let (seconds, nanos) = split_seconds(value, unit);
    let seconds = seconds.saturating_add(offset_seconds.into());
    push_date(out, seconds.div_euclid(DAY_SECONDS));
    out.push(b' ');
    push_time(out, seconds.rem_euclid(DAY_SECONDS), nanos);
}

/// Whole seconds, rounded down, and the nanoseconds above them.
pub(crate) const fn split_seconds(value: i64, unit: TimeUnit) -> (i64, u32) {
    let per_second = match unit {
        TimeUnit::Second => return (value, 0),
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    (
        value.div_euclid(per_second),
        (value.rem_euclid(per_second) * (1_000_000_000 / per_second)) as u32,
    )
}

/// `Y-M`, with one sign before both.
pub(crate) fn push_year_month(out: &mut Vec<u8>, months: i32) {
    if months < 0 {
        out.push(b'-');
    }
    push_u64(out, u64::from(months.unsigned_abs() / 12));
    out.push(b'-');
    push_u64(out, u64::from(months.unsigned_abs() % 12));
}

/// `D HH:mm:ss.nnnnnnnnn`, always nine digits of fraction, with one sign before all.
pub(crate) fn push_day_time(out: &mut Vec<u8>, nanos: i128) {
    if nanos < 0 {
        out.push(b'-');
    }
    let (seconds, fraction) = (
        nanos.unsigned_abs() / 1_000_000_000,
        nanos.unsigned_abs() % 1_000_000_000,
    );
    push_digits(out, seconds / 86_400, 1);
    out.push(b' ');
    push_time(out, (seconds % 86_400) as i64, 0);
    out.push(b'.');
    push_digits(out, fraction, 9);
}

/// A double as Java prints it: `1.0`, `0.1`, `1.0E10`, `NaN`, `Infinity`.
pub(crate) fn push_double(out: &mut Vec<u8>, value: f64) {
    push_java_float(out, value.abs(), value.is_sign_negative(), |text| {
        write!(text, "{:E}", value.abs())
    });
}

/// As [`push_double`], with the digits of a 32-bit float.
pub(crate) fn push_float(out: &mut Vec<u8>, value: f32) {
    push_java_float(out, value.abs().into(), value.is_sign_negative(), |text| {
        write!(text, "{:E}", value.abs())
    });
}

fn push_java_float(
    out: &mut Vec<u8>,
    magnitude: f64,
    negative: bool,
    scientific: impl Fn(&mut ByteText<'_>) -> std::fmt::Result,
) {
    if magnitude.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if negative {
        out.push(b'-');
    }
    if magnitude.is_infinite() {
        return out.extend_from_slice(b"Infinity");
    }
    // Rust's shortest digits, `d.dddE±x`, are the material for both of Java's forms.
    let start = out.len();
    let _ = scientific(&mut ByteText(out));
    let text = out.split_off(start);
    let (digits, exponent) = match text.iter().position(|b| *b == b'E') {
        Some(at) => (
            &text[..at],
            std::str::from_utf8(&text[at + 1..])
                .ok()
                .and_then(|e| e.parse().ok())
                .unwrap_or(0),
        ),
        None => (&text[..], 0i32),
    };
    let mut digits: Vec<u8> = digits.iter().copied().filter(u8::is_ascii_digit).collect();
    if magnitude != 0.0 && !(1e-3..1e7).contains(&magnitude) {
        out.push(digits[0]);
        out.push(b'.');
        out.extend_from_slice(if digits.len() > 1 { &digits[1..] } else { b"0" });
        out.push(b'E');
        return push_i64(out, exponent.into());
    }
    let whole = if exponent >= 0 {
        let whole = exponent.unsigned_abs() as usize + 1;
        digits.resize(digits.len().max(whole + 1), b'0');
        whole
    } else {
        digits.splice(
            0..0,
            std::iter::repeat_n(b'0', exponent.unsigned_abs() as usize),
        );
        1
    };
    out.extend_from_slice(&digits[..whole]);
    out.push(b'.');
    out.extend_from_slice(&digits[whole..]);
}

/// Formats into bytes.
struct ByteText<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for ByteText<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The double nearest to the decimal text of a float, which is what Hive sends for FLOAT: 0.1f becomes 0.1 and
/// not 0.10000000149011612.
pub(crate) fn float_to_double(value: f32) -> f64 {
    const POWERS: [f64; 9] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
    let exact = f64::from(value);
    let magnitude = exact.abs();
    if magnitude.trunc() == magnitude && magnitude < 1e7 {
        return exact;
    }
    // The shortest decimal that reads back as this float has the fewest places k for which the nearest multiple
    // of 10^-k does. Up to 8 places nothing is rounded on the way: the product has at most 24 + 19 bits, the
    // division of two exact numbers rounds once, and no such multiple lies so near the middle of two floats that
    // its double would be that middle. At a power of two the float's neighbours are not evenly spaced, so that
    // the nearest multiple need not be the shortest: those go the long way.
    if (1e-3..1e7).contains(&magnitude) && value.to_bits() & 0x007f_ffff != 0 {
        for power in POWERS {
            let candidate = (magnitude * power).round() / power;
            if candidate as f32 == magnitude as f32 {
                return candidate.copysign(exact);
            }
        }
    }
    let mut buffer = Vec::with_capacity(64);
    let _ = write!(ByteText(&mut buffer), "{value:e}");
    std::str::from_utf8(&buffer)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(exact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_keep_their_scale_and_never_have_an_exponent() {
        for (unscaled, scale, expected) in [
            (150, 2, "1.50"),
            (-5, 2, "-0.05"),
            (0, 2, "0.00"),
            (0, 0, "0"),
            (7, 0, "7"),
            (12, -3, "12000"),
            (0, -3, "0"),
            (1, 38, "0.00000000000000000000000000000000000001"),
            (i128::MIN, 0, "-170141183460469231731687303715884105728"),
            (i128::MAX, 38, "1.70141183460469231731687303715884105727"),
            (1, 45, "0.000000000000000000000000000000000000000000001"),
        ] {
            assert_eq!(text(|out| push_decimal(out, unscaled, scale)), expected);
        }
    }

    #[test]
    fn decimals_of_256_bits() {
        let max = "57896044618658097711785492504343953926634992332820282019728792003956564819967";
        assert_eq!(text(|out| push_decimal256(out, i256::MAX, 0)), max);
        assert_eq!(
            text(|out| push_decimal256(out, i256::MIN, 0)),
            "-57896044618658097711785492504343953926634992332820282019728792003956564819968"
        );
        assert_eq!(
            text(|out| push_decimal256(out, i256::MAX, 76)),
            format!("{}.{}", &max[..1], &max[1..])
        );
        let ten_to_39 = i256::from_i128(10).wrapping_mul(i256::from_i128(10i128.pow(38)));
        assert_eq!(
            text(|out| push_decimal256(out, ten_to_39, 1)),
            format!("1{}.0", "0".repeat(38))
        );
        assert_eq!(
            text(|out| push_decimal256(out, i256::from_i128(150), 2)),
            "1.50"
        );
    }

    #[test]
    fn dates_and_timestamps() {
        assert_eq!(text(|out| push_date(out, 19_782)), "2024-02-29");
        assert_eq!(text(|out| push_date(out, -719_529)), "-0001-12-31");
        assert_eq!(text(|out| push_date(out, 2_932_897)), "10000-01-01");
        for (value, unit, expected) in [
            (0, TimeUnit::Second, "1970-01-01 00:00:00"),
            (-1, TimeUnit::Nanosecond, "1969-12-31 23:59:59.999999999"),
            (1_500, TimeUnit::Millisecond, "1970-01-01 00:00:01.5"),
            (-1_500_000, TimeUnit::Microsecond, "1969-12-31 23:59:58.5"),
            (100, TimeUnit::Nanosecond, "1970-01-01 00:00:00.0000001"),
        ] {
            assert_eq!(text(|out| push_timestamp(out, value, unit, 0)), expected);
        }
        assert_eq!(
            text(|out| push_timestamp(out, 0, TimeUnit::Second, 19_800)),
            "1970-01-01 05:30:00"
        );
        assert!(
            text(|out| push_timestamp(out, i64::MIN, TimeUnit::Second, -1))
                .starts_with("-292277022657-01-27")
        );
    }

    #[test]
    fn intervals() {
        assert_eq!(text(|out| push_year_month(out, 14)), "1-2");
        assert_eq!(text(|out| push_year_month(out, -14)), "-1-2");
        assert_eq!(text(|out| push_year_month(out, i32::MIN)), "-178956970-8");
        assert_eq!(
            text(|out| push_day_time(out, 86_400_000_000_000)),
            "1 00:00:00.000000000"
        );
        assert_eq!(
            text(|out| push_day_time(out, -1_500_000_000)),
            "-0 00:00:01.500000000"
        );
        assert!(text(|out| push_day_time(out, i128::MIN)).starts_with("-19692"));
    }

    #[test]
    fn doubles_as_java_prints_them() {
        for (value, expected) in [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (0.000_123, "1.23E-4"),
            (-1234.5, "-1234.5"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1.25e300, "1.25E300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(text(|out| push_double(out, value)), expected);
        }
        assert_eq!(text(|out| push_float(out, 0.1)), "0.1");
    }

    #[test]
    fn a_float_becomes_the_double_of_its_text() {
        for value in [
            0.1f32,
            1.1,
            -3.3,
            16_777_217.0,
            1e-20,
            f32::MAX,
            f32::MIN_POSITIVE,
            0.25,
            1.5e-3,
            8.0e6,
        ] {
            assert_eq!(
                float_to_double(value),
                value.to_string().parse::<f64>().unwrap(),
                "{value}"
            );
        }
        assert!(float_to_double(f32::NAN).is_nan());
        assert_eq!(float_to_double(f32::NEG_INFINITY), f64::NEG_INFINITY);
        assert!(float_to_double(-0.0).is_sign_negative());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn float_text_agrees_with_the_standard_library(bits in any::<u32>(), exponent in 100u32..155) {
            for value in [f32::from_bits(bits), f32::from_bits(bits & 0x807f_ffff | exponent << 23)] {
                if value.is_finite() {
                    prop_assert_eq!(float_to_double(value), value.to_string().parse::<f64>().unwrap(), "{}", value);
                }
            }
        }

        #[test]
        fn decimal_text_agrees_with_the_standard_library(n in any::<i128>(), shift in 0u32..127, scale in 0i8..40) {
            let n = n >> shift;
            let digits = n.unsigned_abs().to_string();
            let places = usize::from(scale.unsigned_abs());
            let padded = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            let point = if places > 0 { "." } else { "" };
            let sign = if n < 0 { "-" } else { "" };
            prop_assert_eq!(text(|out| push_decimal(out, n, scale)), format!("{sign}{whole}{point}{fraction}"));
        }
    }
}
