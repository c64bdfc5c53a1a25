//! Java's date patterns: those letters that `SimpleDateFormat` (Hive up to 3) and `DateTimeFormatter` (Hive 4) read alike.

use std::fmt::Write;
use std::ops::RangeInclusive;

use super::text::{DAY_US, date_of, days_of};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The day of the week of a day since 1970-01-01: Sunday is 0.
pub(crate) fn weekday(days: i64) -> usize {
    usize::try_from((days + 4).rem_euclid(7)).unwrap_or_default()
}

/// The place of a day's name among those of a week, by its first two or three letters or all of them.
pub(crate) fn weekday_named(name: &str) -> Option<usize> {
    WEEKDAYS.iter().position(|day| {
        name.eq_ignore_ascii_case(day)
            || (matches!(name.len(), 2 | 3)
                && day
                    .get(..name.len())
                    .is_some_and(|d| d.eq_ignore_ascii_case(name)))
    })
}

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// A letter of Java's, and how often it stands.
    Field(char, usize),
    Text(String),
}

/// A pattern taken apart.
#[derive(Debug, Clone)]
pub(crate) struct TimePattern(Vec<Piece>);

impl TimePattern {
    /// Reads a pattern; `None` where it holds a letter that is not supported.
    pub(crate) fn new(pattern: &str) -> Option<Self> {
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
                        'y' => matches!(count, 1 | 2 | 4),
                        'M' | 'E' => count <= 4,
                        'd' | 'H' | 'h' | 'K' | 'k' | 'm' | 's' => count <= 2,
                        'D' | 'S' => count == 3,
                        'a' => count == 1,
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
        Some(Self(pieces))
    }

    /// A time as text.
    pub(crate) fn write(&self, micros: i64, out: &mut String) {
        let days = micros.div_euclid(DAY_US);
        let (year, month, day) = date_of(days);
        let of_day = micros.rem_euclid(DAY_US);
        let seconds = of_day / 1_000_000;
        let hour = seconds / 3600;
        for piece in &self.0 {
            let (letter, width) = match piece {
                Piece::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Piece::Field(letter, width) => (*letter, *width),
            };
            let name = match letter {
                'M' if width > 2 => Some(MONTHS[usize::try_from(month - 1).unwrap_or(0)]),
                'E' => Some(WEEKDAYS[weekday(days)]),
                'a' => Some(if hour < 12 { "AM" } else { "PM" }),
                _ => None,
            };
            if let Some(name) = name {
                out.push_str(if letter != 'a' && width < 4 {
                    &name[..3]
                } else {
                    name
                });
                continue;
            }
            let value = match letter {
                'y' if width == 2 => year.rem_euclid(100),
                'y' => year,
                'M' => month,
                'd' => day,
                'D' => days - days_of(year, 1, 1) + 1,
                'H' => hour,
                'k' => (hour + 23) % 24 + 1,
                'K' => hour % 12,
                'h' => (hour + 11) % 12 + 1,
                'm' => seconds / 60 % 60,
                'S' => of_day % 1_000_000 / 1000,
                _ => seconds % 60,
            };
            let _ = write!(out, "{value:0width$}");
        }
    }

    /// Reads a pattern to read times with; `None` also where Hive's versions read them differently: an hour of half a day
    /// without its half, or a half without its hour.
    pub(crate) fn to_read(pattern: &str) -> Option<Self> {
        let pattern = Self::new(pattern)?;
        let has = |letters: &[char]| {
            let mut pieces = pattern.0.iter();
            pieces.any(|piece| matches!(piece, Piece::Field(letter, _) if letters.contains(letter)))
        };
        let fine = match (has(&['h', 'K']), has(&['a'])) {
            (half_day, half) if half_day == half => true,
            // The hour of the day says all.
            _ => has(&['H', 'k']),
        };
        fine.then_some(pattern)
    }

    /// The time that `text` is, in microseconds. What is no date of the calendar, contradicts itself, or has more text
    /// behind it, is `None`: so Hive 4 answers, and earlier versions guess.
    pub(crate) fn parse(&self, text: &str) -> Option<i64> {
        let mut year = 1970;
        let (mut month, mut day, mut of_year, mut of_week) = (None, None, None, None);
        let (mut hour, mut half_hour, mut half) = (None, None, None);
        let (mut minute, mut second, mut millis) = (0, 0, 0);
        let mut rest = text;
        for piece in &self.0 {
            let (letter, width) = match piece {
                Piece::Text(text) => {
                    rest = rest.strip_prefix(text.as_str())?;
                    continue;
                }
                Piece::Field(letter, width) => (*letter, *width),
            };
            let names: Option<&[&str]> = match letter {
                'M' if width > 2 => Some(&MONTHS),
                'E' => Some(&WEEKDAYS),
                'a' => Some(&["AM", "PM"]),
                _ => None,
            };
            if let Some(names) = names {
                let short = |name: &str| {
                    if letter != 'a' && width < 4 {
                        name[..3].to_owned()
                    } else {
                        name.to_owned()
                    }
                };
                let at = names
                    .iter()
                    .position(|name| rest.starts_with(&short(name)))?;
                rest = &rest[short(names[at]).len()..];
                let at = i64::try_from(at).ok()?;
                match letter {
                    'M' => set(&mut month, at + 1)?,
                    'a' => set(&mut half, at)?,
                    _ => set(&mut of_week, at)?,
                }
                continue;
            }
            let (min, max) = match (letter, width) {
                ('y', 1) => (1, 4),
                ('D' | 'S', _) => (3, 3),
                (_, 1) => (1, 2),
                (_, width) => (width, width),
            };
            let digits = rest
                .bytes()
                .take(max)
                .take_while(u8::is_ascii_digit)
                .count();
            if digits < min {
                return None;
            }
            let value: i64 = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
            let within = |range: RangeInclusive<i64>| range.contains(&value).then_some(value);
            match letter {
                // Java's window for two digits moves with today; both readings agree on these.
                'y' if width == 2 => year = 2000 + value,
                'y' => year = value,
                'M' => set(&mut month, within(1..=12)?)?,
                'd' => set(&mut day, within(1..=31)?)?,
                'D' => set(&mut of_year, within(1..=366)?)?,
                'H' => set(&mut hour, within(0..=23)?)?,
                'k' => set(&mut hour, within(1..=24)? % 24)?,
                'K' => set(&mut half_hour, within(0..=11)?)?,
                'h' => set(&mut half_hour, within(1..=12)? % 12)?,
                'm' => minute = within(0..=59)?,
                'S' => millis = value,
                _ => second = within(0..=59)?,
            }
        }
        let days = match of_year {
            Some(of_year) => days_of(year, 1, 1) + of_year - 1,
            None => days_of(year, month.unwrap_or(1), day.unwrap_or(1)),
        };
        let hour = hour.unwrap_or(half.unwrap_or(0) * 12 + half_hour.unwrap_or(0));
        // What was read more than once must be the same each time. A day that the month has not is another date here.
        let agrees = |read: Option<i64>, is: i64| read.is_none_or(|read| read == is);
        let (year_is, month_is, day_is) = date_of(days);
        let valid = rest.is_empty()
            && year_is == year
            && agrees(month, month_is)
            && agrees(day, day_is)
            && agrees(of_week, i64::try_from(weekday(days)).ok()?)
            && agrees(half, hour / 12)
            && agrees(half_hour, hour % 12);
        let clock = ((hour * 60 + minute) * 60 + second) * 1000 + millis;
        valid.then_some(days * DAY_US + clock * 1000)
    }
}

/// A field of the text; one that stands twice must be the same.
fn set(field: &mut Option<i64>, value: i64) -> Option<()> {
    (*field.get_or_insert(value) == value).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_javas_or_refused() {
        for pattern in [
            "yyyy-MM-dd HH:mm:ss",
            "yyyyMM'T'''d",
            "EEE, d MMM yyyy",
            "hh:mm a",
            "HH:mm:ss.SSS",
        ] {
            assert!(TimePattern::new(pattern).is_some(), "{pattern}");
        }
        for pattern in ["u", "YYYY", "S", "yyyy'", "z", "X", "ww"] {
            assert!(TimePattern::new(pattern).is_none(), "{pattern}");
        }
    }

    #[test]
    fn times_are_written_and_read_back() {
        let micros = (days_of(2024, 2, 29) * 86_400 + 15 * 3600 + 4 * 60 + 5) * 1_000_000 + 678_000;
        for (pattern, text) in [
            ("yyyy-MM-dd HH:mm:ss.SSS", "2024-02-29 15:04:05.678"),
            (
                "EEE, d MMM yyyy hh:mm:ss.SSS a",
                "Thu, 29 Feb 2024 03:04:05.678 PM",
            ),
            (
                "EEEE MMMM dd yy kk.mm.ss.SSS",
                "Thursday February 29 24 15.04.05.678",
            ),
            ("yyyyMMddHHmmssSSS", "20240229150405678"),
            ("yyyy DDD HH:mm:ss.SSS", "2024 060 15:04:05.678"),
        ] {
            let read = TimePattern::new(pattern).expect(pattern);
            let mut out = String::new();
            read.write(micros, &mut out);
            assert_eq!(out, text, "{pattern}");
            assert_eq!(read.parse(text), Some(micros), "{pattern}");
        }
        let date = TimePattern::new("yyyy-MM-dd").expect("a pattern");
        for wrong in ["2024-02-30", "2024-02-29 ", "2024-2-9", "24-02-29", "", "é"] {
            assert_eq!(date.parse(wrong), None, "{wrong}");
        }
        for (pattern, fine, wrong) in [
            ("HH", &["00", "23"][..], &["24"][..]),
            ("kk", &["01", "24"], &["00", "25"]),
            ("KK a", &["00 AM", "11 PM"], &["12 AM"]),
            ("hh a", &["01 AM", "12 PM"], &["00 AM", "13 AM"]),
            ("HH a", &["00 AM", "13 PM"], &["13 AM", "01 PM"]),
            ("HH hh", &["13 01"], &["13 02"]),
            ("mm", &["59"], &["60"]),
            ("ss", &["59"], &["60"]),
            (
                "yyyy DDD",
                &["2024 366", "2023 001"],
                &["2023 366", "2024 000", "2024 367"],
            ),
            ("yyyy MM DDD", &["2024 02 060"], &["2024 03 060"]),
            ("yyyy-MM-dd EEE", &["2024-02-29 Thu"], &["2024-02-29 Fri"]),
            ("yyyy-MM", &["2024-12"], &["2024-00", "2024-13"]),
        ] {
            let read = TimePattern::to_read(pattern).expect(pattern);
            for text in fine {
                assert!(read.parse(text).is_some(), "{pattern} {text}");
            }
            for text in wrong {
                assert_eq!(read.parse(text), None, "{pattern} {text}");
            }
        }
        for pattern in ["hh:mm", "KK", "yyyy a"] {
            assert!(TimePattern::to_read(pattern).is_none(), "{pattern}");
            assert!(TimePattern::new(pattern).is_some(), "{pattern}");
        }
        assert_eq!(weekday_named("mo"), Some(1));
        assert_eq!(weekday_named("FRIDAY"), Some(5));
        assert_eq!(weekday_named("f"), None);
    }
}
