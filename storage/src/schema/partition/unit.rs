//! Units of time: which one an instant lies in, where it begins and ends, and how it is written.

use serde::{Deserialize, Serialize};

/// Microseconds of an hour.
const HOUR_MICROS: i64 = 3_600_000_000;
/// Microseconds of a day.
pub(super) const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// A unit that a DATE or DATETIME is cut to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DateUnit {
    /// Hours; of DATETIME only.
    Hour,
    /// Days.
    Day,
    /// Weeks from Monday on.
    Week,
    /// Months.
    Month,
    /// Quarters of a year.
    Quarter,
    /// Years.
    Year,
}

impl DateUnit {
    /// Name as it is declared.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Number of the unit that holds a day (days since 1970-01-01).
    #[inline]
    pub(super) fn of_days(self, days: i64) -> i64 {
        match self {
            Self::Hour => days * 24,
            Self::Day => days,
            // The day 0 was a Thursday.
            Self::Week => (days + 3).div_euclid(7),
            Self::Month => {
                let (year, month, _) = civil(days);
                year * 12 + i64::from(month) - 1
            }
            Self::Quarter => {
                let (year, month, _) = civil(days);
                year * 4 + (i64::from(month) - 1) / 3
            }
            Self::Year => civil(days).0,
        }
    }

    /// Number of the unit that holds an instant (microseconds since 1970-01-01).
    #[inline]
    pub(super) fn of_micros(self, micros: i64) -> i64 {
        match self {
            Self::Hour => micros.div_euclid(HOUR_MICROS),
            other => other.of_days(micros.div_euclid(DAY_MICROS)),
        }
    }

    /// Where a unit begins: the day, and the hour in it.
    pub(super) fn start(self, number: i64) -> (i64, i64) {
        match self {
            Self::Hour => (number.div_euclid(24), number.rem_euclid(24)),
            Self::Day => (number, 0),
            Self::Week => (number * 7 - 3, 0),
            Self::Month => (first_day(number.div_euclid(12), number.rem_euclid(12)), 0),
            Self::Quarter => (first_day(number.div_euclid(4), 3 * number.rem_euclid(4)), 0),
            Self::Year => (first_day(number, 0), 0),
        }
    }
}

/// Year, month and day of the month of a day since 1970-01-01, in the Gregorian calendar for all times.
#[inline]
pub(super) fn civil(days: i64) -> (i64, u32, u32) {
    // Years that begin with March end with the leap day; 400 of them have a fixed number of days.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097) as u32;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + i64::from(year_of_era) + i64::from(month <= 2);
    (year, month, day)
}

/// The first day of a month that is counted from 0.
fn first_day(year: i64, month: i64) -> i64 {
    let year = if month < 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 10) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, Days, NaiveDate};
    use proptest::prelude::*;

    use super::*;

    const UNITS: [DateUnit; 6] =
        [DateUnit::Hour, DateUnit::Day, DateUnit::Week, DateUnit::Month, DateUnit::Quarter, DateUnit::Year];

    #[test]
    fn the_calendar_is_chronos() {
        let first = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        for day in (-800_000..3_000_000).step_by(13) {
            let date = if day < 0 { first - Days::new((-day) as u64) } else { first + Days::new(day as u64) };
            assert_eq!(civil(day), (i64::from(date.year()), date.month(), date.day()));
            assert_eq!(
                first_day(i64::from(date.year()), i64::from(date.month0())),
                day - i64::from(date.day0())
            );
            let monday = DateUnit::Week.start(DateUnit::Week.of_days(day)).0;
            assert_eq!(monday, day - i64::from(date.weekday().num_days_from_monday()));
        }
    }

    proptest! {
        #[test]
        fn every_instant_lies_in_its_unit(micros in -62_000_000_000_000_000i64..253_402_300_800_000_000) {
            for unit in UNITS {
                let number = unit.of_micros(micros);
                let at = |number| {
                    let (day, hour) = unit.start(number);
                    day * DAY_MICROS + hour * HOUR_MICROS
                };
                prop_assert!(at(number) <= micros && micros < at(number + 1), "{unit:?}");
            }
        }
    }
}
