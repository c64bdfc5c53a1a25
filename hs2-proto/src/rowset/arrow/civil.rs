//! Days since 1970-01-01 to and from year, month and day of the proleptic Gregorian calendar, which is what
//! Hive's dates mean since 3.1 and Arrow's always.

/// Seconds of a day.
pub(crate) const DAY_SECONDS: i64 = 86_400;

/// Year, month (1 to 12) and day (1 to 31) of a day since 1970-01-01.
///
/// Counts in years that begin in March, so that the leap day is the last of its year, and in eras of 400 years,
/// which all have 146,097 days. Exact for every day a 64-bit number of seconds can name.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Each value's range is in its comment.
pub(crate) const fn from_days(days: i64) -> (i64, u8, u8) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100); // 0..=365
    let month_from_march = (5 * day_of_year + 2) / 153; // 0..=11
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1; // 1..=31
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    }; // 1..=12
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month as u8, day as u8)
}

/// The day since 1970-01-01 of a date, or `None` when there is no such date.
pub(crate) fn to_days(year: i64, month: u8, day: u8) -> Option<i64> {
    if !(1..=12).contains(&month)
        || day == 0
        || day > days_in_month(year, month)
        || year.abs() > 1_000_000_000
    {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

const fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (19_782, (2024, 2, 29)),
            (-719_162, (1, 1, 1)),
            (-719_163, (0, 12, 31)),
            (2_932_896, (9999, 12, 31)),
            (2_932_897, (10_000, 1, 1)),
        ] {
            assert_eq!(from_days(days), date);
            assert_eq!(to_days(date.0, date.1, date.2), Some(days));
        }
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = from_days(-150_000);
        for days in -149_999..150_000 {
            day += 1;
            if day > days_in_month(year, month) {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
            assert_eq!(from_days(days), (year, month, day));
            assert_eq!(to_days(year, month, day), Some(days));
        }
    }

    #[test]
    fn dates_that_do_not_exist() {
        for (year, month, day) in [
            (2023, 2, 29),
            (1900, 2, 29),
            (2024, 13, 1),
            (2024, 0, 1),
            (2024, 4, 31),
            (2024, 1, 0),
        ] {
            assert_eq!(to_days(year, month, day), None);
        }
    }

    #[test]
    fn the_ends_of_a_second_count_do_not_overflow() {
        assert_eq!(from_days(i64::MAX / DAY_SECONDS).0, 292_277_026_596);
        from_days(i64::MIN);
        from_days(i64::MAX);
    }
}
