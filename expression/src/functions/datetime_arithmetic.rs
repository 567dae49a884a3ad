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
            Definition {
                name: $add,
                aliases: &[],
                syntax: concat!($add, "(datetime, count)"),
                summary: concat!("So many ", $word, " later."),
                parameters: &[Kind::$kind, Kind::Integer],
                optional: &[],
                rest: None,
                returns: Returns::Same(0),
                volatile: false,
                body: |call| moved(call, Unit::$unit, 1),
            },
            Definition {
                name: $sub,
                aliases: &[],
                syntax: concat!($sub, "(datetime, count)"),
                summary: concat!("So many ", $word, " earlier."),
                parameters: &[Kind::$kind, Kind::Integer],
                optional: &[],
                rest: None,
                returns: Returns::Same(0),
                volatile: false,
                body: |call| moved(call, Unit::$unit, -1),
            },
            Definition {
                name: $diff,
                aliases: &[],
                syntax: concat!($diff, "(later, earlier)"),
                summary: concat!("Whole ", $word, " between two DATETIMEs."),
                parameters: &[Kind::DateTime, Kind::DateTime],
                optional: &[],
                rest: None,
                returns: Returns::Integer,
                volatile: false,
                body: |call| {
                    let (later, earlier) = (call.datetime(0)?, call.datetime(1)?);
                    call.integers(|row| Unit::$unit.between(earlier.get(row)?, later.get(row)?))
                },
            },
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
    Definition {
        name: "add_months",
        aliases: &[],
        syntax: "add_months(datetime, count)",
        summary: "So many months later.",
        parameters: &[Kind::Temporal, Kind::Integer],
        optional: &[],
        rest: None,
        returns: Returns::Same(0),
        volatile: false,
        body: |call| moved(call, Unit::Month, 1),
    },
    Definition {
        name: "date_trunc",
        aliases: &[],
        syntax: "date_trunc(unit, datetime)",
        summary: "The beginning of the unit in which a DATETIME lies.",
        parameters: &[Kind::Text, Kind::Temporal],
        optional: &[],
        rest: None,
        returns: Returns::Same(1),
        volatile: false,
        body: |call| {
            let units = call.text(0)?;
            let fixed = units.constant().and_then(Unit::parse);
            temporal(call, 1, |row, micros| {
                fixed.or_else(|| units.get(row).and_then(Unit::parse))?.truncate(micros)
            })
        },
    },
    Definition {
        name: "datediff",
        aliases: &[],
        syntax: "datediff(later, earlier)",
        summary: "Days between two dates; times of day do not count.",
        parameters: &[Kind::Date, Kind::Date],
        optional: &[],
        rest: None,
        returns: Returns::Integer,
        volatile: false,
        body: |call| {
            let (later, earlier) = (call.date(0)?, call.date(1)?);
            call.integers(|row| Some(i64::from(later.get(row)?) - i64::from(earlier.get(row)?)))
        },
    },
    Definition {
        name: "timestampdiff",
        aliases: &[],
        syntax: "timestampdiff(unit, earlier, later)",
        summary: "Whole units from one DATETIME to another.",
        parameters: &[Kind::Text, Kind::DateTime, Kind::DateTime],
        optional: &[],
        rest: None,
        returns: Returns::Integer,
        volatile: false,
        body: |call| {
            let (units, earlier, later) = (call.text(0)?, call.datetime(1)?, call.datetime(2)?);
            call.integers(|row| Unit::parse(units.get(row)?)?.between(earlier.get(row)?, later.get(row)?))
        },
    },
    Definition {
        name: "date_diff",
        aliases: &[],
        syntax: "date_diff(unit, later, earlier)",
        summary: "Whole units between two DATETIMEs.",
        parameters: &[Kind::Text, Kind::DateTime, Kind::DateTime],
        optional: &[],
        rest: None,
        returns: Returns::Integer,
        volatile: false,
        body: |call| {
            let (units, later, earlier) = (call.text(0)?, call.datetime(1)?, call.datetime(2)?);
            call.integers(|row| Unit::parse(units.get(row)?)?.between(earlier.get(row)?, later.get(row)?))
        },
    },
    Definition {
        name: "timestampadd",
        aliases: &[],
        syntax: "timestampadd(unit, count, datetime)",
        summary: "A DATETIME so many units later.",
        parameters: &[Kind::Text, Kind::Integer, Kind::DateTime],
        optional: &[],
        rest: None,
        returns: Returns::DateTime,
        volatile: false,
        body: |call| {
            let (units, counts, datetimes) = (call.text(0)?, call.integer(1)?, call.datetime(2)?);
            call.datetimes(|row| Unit::parse(units.get(row)?)?.add(datetimes.get(row)?, counts.get(row)?))
        },
    },
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
