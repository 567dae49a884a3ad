//! Units of time and arithmetic with them.

use crate::datetime::{
    DAYS, MICROS, MICROS_PER_DAY, MICROS_PER_SECOND, civil_from_days, days_from_civil, days_of,
};

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 12 months.
    Year,
    /// 3 months.
    Quarter,
    /// A month of the calendar.
    Month,
    /// 7 days, from Monday.
    Week,
    /// A day.
    Day,
    /// 60 minutes.
    Hour,
    /// 60 seconds.
    Minute,
    /// A second.
    Second,
    /// A thousandth of a second.
    Millisecond,
    /// A millionth of a second.
    Microsecond,
}

/// What a unit is made of.
enum Measure {
    Months(i64),
    Micros(i64),
}

impl Unit {
    /// By its name, singular or plural, regardless of case.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.trim().to_ascii_lowercase();
        Some(match lower.strip_suffix('s').unwrap_or(&lower) {
            "year" => Self::Year,
            "quarter" => Self::Quarter,
            "month" => Self::Month,
            "week" => Self::Week,
            "day" => Self::Day,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            "millisecond" => Self::Millisecond,
            "microsecond" => Self::Microsecond,
            _ => return None,
        })
    }

    fn measure(self) -> Measure {
        match self {
            Self::Year => Measure::Months(12),
            Self::Quarter => Measure::Months(3),
            Self::Month => Measure::Months(1),
            Self::Week => Measure::Micros(7 * MICROS_PER_DAY),
            Self::Day => Measure::Micros(MICROS_PER_DAY),
            Self::Hour => Measure::Micros(3600 * MICROS_PER_SECOND),
            Self::Minute => Measure::Micros(60 * MICROS_PER_SECOND),
            Self::Second => Measure::Micros(MICROS_PER_SECOND),
            Self::Millisecond => Measure::Micros(1000),
            Self::Microsecond => Measure::Micros(1),
        }
    }

    /// `count` units after `micros`; in a month that is too short, its last day.
    pub fn add(self, micros: i64, count: i64) -> Option<i64> {
        let moved = match self.measure() {
            Measure::Micros(unit) => micros.checked_add(unit.checked_mul(count)?)?,
            Measure::Months(unit) => {
                let days = add_months(days_of(micros), unit.checked_mul(count)?)?;
                i64::from(days) * MICROS_PER_DAY + micros.rem_euclid(MICROS_PER_DAY)
            }
        };
        Some(moved).filter(|micros| MICROS.contains(micros))
    }

    /// Whole units from `from` to `to`; negative if `to` is earlier.
    pub fn between(self, from: i64, to: i64) -> Option<i64> {
        match self.measure() {
            Measure::Micros(unit) => Some(to.checked_sub(from)? / unit),
            Measure::Months(unit) => {
                let ((y1, m1, _), (y2, m2, _)) = (civil(from), civil(to));
                let mut months = i64::from(y2) * 12 + i64::from(m2) - i64::from(y1) * 12 - i64::from(m1);
                let rest = |micros: i64| (i64::from(civil(micros).2), micros.rem_euclid(MICROS_PER_DAY));
                if months > 0 && rest(to) < rest(from) {
                    months -= 1;
                } else if months < 0 && rest(to) > rest(from) {
                    months += 1;
                }
                Some(months / unit)
            }
        }
    }

    /// Beginning and end of the slice in which `micros` lies; slices of `count` units begin with the year 1.
    pub fn slice(self, micros: i64, count: i64) -> Option<(i64, i64)> {
        let size = |unit: i64| unit.checked_mul(count).filter(|size| *size > 0);
        match self.measure() {
            Measure::Micros(unit) => {
                let origin = i64::from(days_from_civil(1, 1, 1)?) * MICROS_PER_DAY;
                let size = size(unit)?;
                let begin = micros - micros.checked_sub(origin)?.rem_euclid(size);
                Some((begin, begin.checked_add(size)?))
            }
            Measure::Months(unit) => {
                let (year, month, _) = civil(micros);
                let (size, months) = (size(unit)?, (i64::from(year) - 1) * 12 + i64::from(month) - 1);
                let first = |months: i64| {
                    let year = u32::try_from(months.div_euclid(12) + 1).ok()?;
                    let month = u32::try_from(months.rem_euclid(12)).ok()? + 1;
                    days_from_civil(year, month, 1).map(|days| i64::from(days) * MICROS_PER_DAY)
                };
                let begin = months - months.rem_euclid(size);
                Some((first(begin)?, first(begin.checked_add(size)?)?))
            }
        }
    }

    /// The beginning of the unit in which `micros` lies.
    pub fn truncate(self, micros: i64) -> Option<i64> {
        let (year, month, _) = civil(micros);
        let first = |month| days_from_civil(year, month, 1).map(|days| i64::from(days) * MICROS_PER_DAY);
        match self {
            Self::Year => first(1),
            Self::Quarter => first((month - 1) / 3 * 3 + 1),
            Self::Month => first(month),
            Self::Week => Some(i64::from(days_of(micros) - weekday(days_of(micros))) * MICROS_PER_DAY),
            _ => match self.measure() {
                Measure::Micros(unit) => Some(micros - micros.rem_euclid(unit)),
                Measure::Months(_) => None,
            },
        }
    }
}

/// Year, month and day of a DATETIME.
pub fn civil(micros: i64) -> (u32, u32, u32) {
    civil_from_days(days_of(micros.clamp(*MICROS.start(), *MICROS.end())))
}

/// 0 is Monday.
pub fn weekday(days: i32) -> i32 {
    // The epoch was a Thursday.
    (days + 3).rem_euclid(7)
}

/// From 1.
pub fn day_of_year(days: i32) -> i32 {
    let (year, _, _) = civil_from_days(days);
    days_from_civil(year, 1, 1).map_or(0, |first| days - first + 1)
}

/// Days of a month.
pub fn month_length(year: u32, month: u32) -> u32 {
    (28..=31).rev().find(|&day| days_from_civil(year, month, day).is_some()).unwrap_or(28)
}

fn add_months(days: i32, months: i64) -> Option<i32> {
    let (year, month, day) = civil_from_days(days);
    let total = (i64::from(year) * 12 + i64::from(month) - 1).checked_add(months)?;
    let year = u32::try_from(total.div_euclid(12)).ok()?;
    let month = u32::try_from(total.rem_euclid(12)).ok()? + 1;
    if year > 9999 {
        return None;
    }
    days_from_civil(year, month, day.min(month_length(year, month)))
}

/// Year and number of the week of a date in MySQL's modes 0 to 7: bit 0: weeks begin on Monday; bit 1: weeks
/// count from 1, and the first days of January may belong to the last week of the year before; bit 2: the
/// other rule for which week is the first.
pub fn week(days: i32, mode: i64) -> (u32, i32) {
    let monday_first = mode & 1 != 0;
    let year_weeks = mode & 2 != 0;
    // With Monday first, the first week has four days in the year; with Sunday, it begins with a Sunday.
    let four_days = monday_first != (mode & 4 != 0);
    let (year, _, _) = civil_from_days(days);
    let begin = |year: u32| first_week(year, monday_first, four_days);
    let Some(this) = begin(year) else { return (year, 0) };
    if days < this {
        if !year_weeks {
            return (year, 0);
        }
        let before = year.checked_sub(1).and_then(begin).unwrap_or(this - 364);
        return (year.saturating_sub(1), (days - before) / 7 + 1);
    }
    let number = (days - this) / 7 + 1;
    match begin(year + 1) {
        Some(next) if year_weeks && days >= next => (year + 1, 1),
        _ => (year, number),
    }
}

/// The day on which the first week of a year begins.
fn first_week(year: u32, monday_first: bool, four_days: bool) -> Option<i32> {
    let january = days_from_civil(year, 1, 1)?;
    let place = if monday_first { weekday(january) } else { (weekday(january) + 1) % 7 };
    let this_week = january - place;
    let whole = place == 0 || (four_days && place <= 3);
    Some(if whole { this_week } else { this_week + 7 })
        .filter(|day| DAYS.contains(day) || *day < *DAYS.start())
}
