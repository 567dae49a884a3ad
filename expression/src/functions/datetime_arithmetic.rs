//! Arithmetic with dates: `date_add` and its kin by unit.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::Result;

use super::calendar::Unit;
use super::call::{Call, Values};
use super::definition::{Definition, Kind, Returns};
use crate::datetime::{MICROS_PER_DAY, days_of};

/// `<unit>s_add`, `<unit>s_sub` and `<unit>s_diff`; a DATE stays a DATE where the unit is whole days.
macro_rules! unit {
    ($unit:ident, $kind:ident, $add:literal, $sub:literal, $diff:literal, $word:literal) => {
        [
            Definition::new(
                $add,
                concat!($add, "(datetime, count)"),
                concat!("So many ", $word, " later."),
                &[Kind::$kind, Kind::Integer],
                Returns::Same(0),
                |call| moved(call, Unit::$unit, 1),
            ),
            Definition::new(
                $sub,
                concat!($sub, "(datetime, count)"),
                concat!("So many ", $word, " earlier."),
                &[Kind::$kind, Kind::Integer],
                Returns::Same(0),
                |call| moved(call, Unit::$unit, -1),
            ),
            Definition::new(
                $diff,
                concat!($diff, "(later, earlier)"),
                concat!("Whole ", $word, " between two DATETIMEs."),
                &[Kind::DateTime, Kind::DateTime],
                Returns::Integer,
                |call| {
                    let (later, earlier) = (call.datetime(0)?, call.datetime(1)?);
                    call.integers(|row| Unit::$unit.between(earlier.get(row)?, later.get(row)?))
                },
            ),
        ]
    };
}

pub(super) static BY_UNIT: &[&[Definition]] = &[
    &unit!(Year, Temporal, "years_add", "years_sub", "years_diff", "years"),
    &unit!(Quarter, Temporal, "quarters_add", "quarters_sub", "quarters_diff", "quarters"),
    &unit!(Month, Temporal, "months_add", "months_sub", "months_diff", "months"),
    &unit!(Week, Temporal, "weeks_add", "weeks_sub", "weeks_diff", "weeks"),
    &unit!(Day, Temporal, "days_add", "days_sub", "days_diff", "days"),
    &unit!(Hour, DateTime, "hours_add", "hours_sub", "hours_diff", "hours"),
    &unit!(Minute, DateTime, "minutes_add", "minutes_sub", "minutes_diff", "minutes"),
    &unit!(Second, DateTime, "seconds_add", "seconds_sub", "seconds_diff", "seconds"),
    &unit!(
        Millisecond,
        DateTime,
        "milliseconds_add",
        "milliseconds_sub",
        "milliseconds_diff",
        "milliseconds"
    ),
    &unit!(
        Microsecond,
        DateTime,
        "microseconds_add",
        "microseconds_sub",
        "microseconds_diff",
        "microseconds"
    ),
];

pub(super) static DEFINITIONS: &[Definition] = &[
    Definition::new(
        "add_months",
        "add_months(datetime, count)",
        "So many months later.",
        &[Kind::Temporal, Kind::Integer],
        Returns::Same(0),
        |call| moved(call, Unit::Month, 1),
    ),
    Definition::new(
        "date_trunc",
        "date_trunc(unit, datetime)",
        "The beginning of the unit in which a DATETIME lies.",
        &[Kind::Text, Kind::Temporal],
        Returns::Same(1),
        |call| {
            let units = call.text(0)?;
            let fixed = units.constant().and_then(Unit::parse);
            temporal(call, 1, |row, micros| {
                fixed.or_else(|| units.get(row).and_then(Unit::parse))?.truncate(micros)
            })
        },
    ),
    Definition::new(
        "time_slice",
        "time_slice(datetime, INTERVAL count unit[, FLOOR | CEIL])",
        "The beginning, or the end, of the slice of time in which a DATETIME lies; slices begin with the \
                  year 1.",
        &[Kind::Temporal, Kind::Integer, Kind::Text],
        Returns::Same(0),
        |call| {
            let (counts, units) = (call.integer(1)?, call.text(2)?);
            let ends = call.has(3).then(|| call.text(3)).transpose()?;
            temporal(call, 0, |row, micros| {
                let (begin, end) = Unit::parse(units.get(row)?)?.slice(micros, counts.get(row)?)?;
                match ends.as_ref().map_or(Some("floor"), |ends| ends.get(row))? {
                    word if word.eq_ignore_ascii_case("floor") => Some(begin),
                    word if word.eq_ignore_ascii_case("ceil") => Some(end),
                    _ => None,
                }
            })
        },
    )
    .also(&["date_slice"])
    .optional(&[Kind::Text]),
    Definition::new(
        "datediff",
        "datediff(later, earlier)",
        "Days between two dates; times of day do not count.",
        &[Kind::Date, Kind::Date],
        Returns::Integer,
        |call| {
            let (later, earlier) = (call.date(0)?, call.date(1)?);
            call.integers(|row| Some(i64::from(later.get(row)?) - i64::from(earlier.get(row)?)))
        },
    ),
    Definition::new(
        "timestampdiff",
        "timestampdiff(unit, earlier, later)",
        "Whole units from one DATETIME to another.",
        &[Kind::Text, Kind::DateTime, Kind::DateTime],
        Returns::Integer,
        |call| {
            let (units, earlier, later) = (call.text(0)?, call.datetime(1)?, call.datetime(2)?);
            call.integers(|row| Unit::parse(units.get(row)?)?.between(earlier.get(row)?, later.get(row)?))
        },
    ),
    Definition::new(
        "date_diff",
        "date_diff(unit, later, earlier)",
        "Whole units between two DATETIMEs.",
        &[Kind::Text, Kind::DateTime, Kind::DateTime],
        Returns::Integer,
        |call| {
            let (units, later, earlier) = (call.text(0)?, call.datetime(1)?, call.datetime(2)?);
            call.integers(|row| Unit::parse(units.get(row)?)?.between(earlier.get(row)?, later.get(row)?))
        },
    ),
    Definition::new(
        "timestampadd",
        "timestampadd(unit, count, datetime)",
        "A DATETIME so many units later.",
        &[Kind::Text, Kind::Integer, Kind::DateTime],
        Returns::DateTime,
        |call| {
            let (units, counts, datetimes) = (call.text(0)?, call.integer(1)?, call.datetime(2)?);
            call.datetimes(|row| Unit::parse(units.get(row)?)?.add(datetimes.get(row)?, counts.get(row)?))
        },
    ),
];

fn moved(call: &Call<'_>, unit: Unit, sign: i64) -> Result<ArrayRef> {
    let counts = call.integer(1)?;
    temporal(call, 0, |row, micros| unit.add(micros, counts.get(row)?.checked_mul(sign)?))
}

/// DATETIMEs from DATETIMEs, DATEs from DATEs.
fn temporal(call: &Call<'_>, index: usize, value: impl Fn(usize, i64) -> Option<i64>) -> Result<ArrayRef> {
    if call.data_type(index)? == &DataType::Date32 {
        let dates: Values<_> = call.date(index)?;
        return call.dates(|row| value(row, i64::from(dates.get(row)?) * MICROS_PER_DAY).map(days_of));
    }
    let datetimes = call.datetime(index)?;
    call.datetimes(|row| value(row, datetimes.get(row)?))
}
