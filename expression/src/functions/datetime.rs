//! Dates and times: their parts, their text, instants.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::Result;

use super::calendar::{Unit, civil, day_of_year, month_length, week, weekday};
use super::call::Call;
use super::definition::{Definition, Kind, Returns};
use super::time_format::{MONTHS, WEEKDAYS, plain_form, read, write};
use crate::cast::datetime_from_text;
use crate::datetime::{MICROS_PER_DAY, MICROS_PER_SECOND, days_from_civil, days_of, write_datetime};
use crate::zone::Zone;

/// Days from the year 0 to the epoch, as `to_days` counts.
const DAYS_BEFORE_EPOCH: i64 = 719_528;
/// The last second that StarRocks' unix times have: 9999-12-31 23:59:59 UTC.
const LAST_UNIX_SECOND: i64 = 253_402_300_799;

/// A whole number that follows from one DATETIME.
macro_rules! part {
    ($name:literal, $aliases:expr, $summary:literal, $value:expr) => {
        Definition::new(
            $name,
            concat!($name, "(datetime)"),
            $summary,
            &[Kind::DateTime],
            Returns::Integer,
            |call| {
                let value: fn(i64) -> i64 = $value;
                let datetimes = call.datetime(0)?;
                call.integers(|row| datetimes.get(row).map(value))
            },
        )
        .also($aliases)
    };
}

fn of_day(micros: i64, unit: i64, count: i64) -> i64 {
    micros.rem_euclid(MICROS_PER_DAY) / MICROS_PER_SECOND / unit % count
}

pub(super) static DEFINITIONS: &[Definition] = &[
    part!("year", &[], "The year.", |micros| i64::from(civil(micros).0)),
    part!("quarter", &[], "The quarter, 1 to 4.", |micros| i64::from((civil(micros).1 - 1) / 3 + 1)),
    part!("month", &[], "The month, 1 to 12.", |micros| i64::from(civil(micros).1)),
    part!("day", &["dayofmonth"], "The day of the month.", |micros| i64::from(civil(micros).2)),
    part!("dayofyear", &[], "The day of the year, from 1.", |micros| i64::from(day_of_year(days_of(micros)))),
    part!("dayofweek", &[], "The day of the week; 1 is Sunday.", |micros| {
        i64::from((weekday(days_of(micros)) + 1) % 7 + 1)
    }),
    part!("dayofweek_iso", &[], "The day of the week; 1 is Monday.", |micros| {
        i64::from(weekday(days_of(micros)) + 1)
    }),
    part!("weekday", &[], "The day of the week; 0 is Monday.", |micros| i64::from(weekday(days_of(micros)))),
    part!("weekofyear", &["week_iso"], "The ISO week, 1 to 53.", |micros| i64::from(
        week(days_of(micros), 3).1
    )),
    part!("hour", &[], "The hour, 0 to 23.", |micros| of_day(micros, 3600, 24)),
    part!("minute", &[], "The minute.", |micros| of_day(micros, 60, 60)),
    part!("second", &[], "The second.", |micros| of_day(micros, 1, 60)),
    part!("microsecond", &[], "The microseconds of the second.", |micros| micros
        .rem_euclid(MICROS_PER_SECOND)),
    part!("to_days", &[], "Days since the year 0.", |micros| i64::from(days_of(micros)) + DAYS_BEFORE_EPOCH),
    Definition::new("week", "week(datetime[, mode])", "The number of the week in one of MySQL's modes 0 to 7, by default 0.", &[Kind::DateTime], Returns::Integer, |call| week_number(call, |_, number| i64::from(number))).optional(&[Kind::Integer]),
    Definition::new("yearweek", "yearweek(datetime[, mode])", "Year and week as one number, such as 202401.", &[Kind::DateTime], Returns::Integer, |call| week_number(call, |year, number| i64::from(year) * 100 + i64::from(number))).optional(&[Kind::Integer]),
    Definition::new("dayname", "dayname(datetime)", "The English name of the day.", &[Kind::DateTime], Returns::Text, |call| {
            let datetimes = call.datetime(0)?;
            call.slices(|row| datetimes.get(row).map(|micros| WEEKDAYS[weekday(days_of(micros)) as usize]))
        }),
    Definition::new("monthname", "monthname(datetime)", "The English name of the month.", &[Kind::DateTime], Returns::Text, |call| {
            let datetimes = call.datetime(0)?;
            call.slices(|row| datetimes.get(row).map(|micros| MONTHS[civil(micros).1 as usize - 1]))
        }),
    Definition::new("last_day", "last_day(datetime[, 'month' | 'quarter' | 'year'])", "The last date of the month, the quarter or the year.", &[Kind::DateTime], Returns::Date, last_day).optional(&[Kind::Text]),
    Definition::new("to_date", "to_date(datetime)", "The date of a DATETIME or a text.", &[Kind::Date], Returns::Date, |call| call.array(0)).also(&["date"]),
    Definition::new("to_timestamp", "to_timestamp(text)", "A text or a DATE as DATETIME.", &[Kind::DateTime], Returns::DateTime, |call| call.array(0)).also(&["timestamp"]),
    Definition::new("from_days", "from_days(days)", "The date so many days after the year 0 began.", &[Kind::Integer], Returns::Date, |call| {
            let days = call.integer(0)?;
            call.dates(|row| i32::try_from(days.get(row)?.checked_sub(DAYS_BEFORE_EPOCH)?).ok())
        }),
    Definition::new("makedate", "makedate(year, day_of_year)", "The date of a day of a year.", &[Kind::Integer, Kind::Integer], Returns::Date, |call| {
            let (years, days) = (call.integer(0)?, call.integer(1)?);
            call.dates(|row| {
                let year = u32::try_from(years.get(row)?).ok()?;
                let day = i32::try_from(days.get(row)?).ok().filter(|day| *day > 0)?;
                let date = days_from_civil(year, 1, 1)?.checked_add(day - 1)?;
                (date < days_from_civil(year, 12, 31)? + 1).then_some(date)
            })
        }),
    Definition::new("date_format", "date_format(datetime, format)", "A DATETIME in a format such as `%Y-%m-%d %H:%i:%s`.", &[Kind::DateTime, Kind::Text], Returns::Text, |call| {
            let (datetimes, formats) = (call.datetime(0)?, call.text(1)?);
            call.texts(|row, out| write(out, datetimes.get(row)?, plain_form(formats.get(row)?)))
        }),
    Definition::new("str_to_date", "str_to_date(text, format)", "A text in a format such as `%d/%m/%Y %H:%i:%s` as DATETIME.", &[Kind::Text, Kind::Text], Returns::DateTime, |call| {
            let (texts, formats) = (call.text(0)?, call.text(1)?);
            call.datetimes(|row| read(texts.get(row)?, plain_form(formats.get(row)?)))
        }),
    Definition::new("str2date", "str2date(text, format)", "A text in a format such as `%d/%m/%Y` as DATE.", &[Kind::Text, Kind::Text], Returns::Date, |call| {
            let (texts, formats) = (call.text(0)?, call.text(1)?);
            call.dates(|row| read(texts.get(row)?, plain_form(formats.get(row)?)).map(days_of))
        }),
    Definition::new("from_unixtime", "from_unixtime(seconds[, format])", "Seconds since 1970 as text in the load's zone, by default `%Y-%m-%d %H:%i:%s`.", &[Kind::Integer], Returns::Text, |call| from_unix(call, MICROS_PER_SECOND)).optional(&[Kind::Text]),
    Definition::new("from_unixtime_ms", "from_unixtime_ms(milliseconds[, format])", "Milliseconds since 1970 as text in the load's zone, by default `%Y-%m-%d %H:%i:%s`.", &[Kind::Integer], Returns::Text, |call| from_unix(call, 1000)).optional(&[Kind::Text]),
    Definition::new("to_datetime", "to_datetime(number[, scale])", "Seconds (scale 0), milliseconds (3) or microseconds (6) since 1970 as DATETIME of the load's zone.", &[Kind::Integer], Returns::DateTime, to_datetime).optional(&[Kind::Integer]),
    Definition::new("unix_timestamp", "unix_timestamp([datetime[, format]])", "Seconds from 1970 to a local time of the load's zone, by default now; 0 before 1970.", &[], Returns::Integer, unix_timestamp).optional(&[Kind::Any, Kind::Text]),
    Definition::new("convert_tz", "convert_tz(datetime, from_zone, to_zone)", "The local time of one zone as that of another.", &[Kind::DateTime, Kind::Text, Kind::Text], Returns::DateTime, |call| {
            let (datetimes, from, to) = (call.datetime(0)?, call.text(1)?, call.text(2)?);
            let zone = |name: &str| Zone::parse(name).ok();
            let fixed = (from.constant().and_then(zone), to.constant().and_then(zone));
            call.datetimes(|row| {
                let (from, to) = (from.get(row)?, to.get(row)?);
                let instant = fixed.0.or_else(|| zone(from))?.instant_micros(datetimes.get(row)?)?;
                fixed.1.or_else(|| zone(to))?.local_micros(instant)
            })
        }),
    Definition::new("now", "now([digits])", "The instant of the load, the same in every row, in the load's zone; whole seconds unless digits are asked for.", &[], Returns::DateTime, now).also(&["current_timestamp", "localtime", "localtimestamp", "sysdate"]).optional(&[Kind::Integer]),
    Definition::new("utc_timestamp", "utc_timestamp()", "The instant of the load in UTC.", &[], Returns::DateTime, |call| {
            let now = call.session.now_micros;
            call.datetimes(|_| Some(now - now.rem_euclid(MICROS_PER_SECOND)))
        }),
    Definition::new("curdate", "curdate()", "The date of the load in the load's zone.", &[], Returns::Date, |call| {
            let today = call.session.zone.local_micros(call.session.now_micros).map(days_of);
            call.dates(|_| today)
        }).also(&["current_date"]),
];

fn week_number(call: &Call<'_>, value: fn(u32, i32) -> i64) -> Result<ArrayRef> {
    let datetimes = call.datetime(0)?;
    let modes = call.has(1).then(|| call.integer(1)).transpose()?;
    call.integers(|row| {
        let mode = match &modes {
            Some(modes) => modes.get(row)?,
            None => 0,
        };
        let (year, number) = week(days_of(datetimes.get(row)?), mode);
        Some(value(year, number))
    })
}

fn last_day(call: &Call<'_>) -> Result<ArrayRef> {
    let datetimes = call.datetime(0)?;
    let units = call.has(1).then(|| call.text(1)).transpose()?;
    call.dates(|row| {
        let (year, month, _) = civil(datetimes.get(row)?);
        let unit = match &units {
            Some(units) => Unit::parse(units.get(row)?)?,
            None => Unit::Month,
        };
        let month = match unit {
            Unit::Month => month,
            Unit::Quarter => (month - 1) / 3 * 3 + 3,
            Unit::Year => 12,
            _ => return None,
        };
        days_from_civil(year, month, month_length(year, month))
    })
}

fn from_unix(call: &Call<'_>, unit: i64) -> Result<ArrayRef> {
    let numbers = call.integer(0)?;
    let formats = call.has(1).then(|| call.text(1)).transpose()?;
    let zone = call.session.zone;
    call.texts(|row, out| {
        let micros = numbers.get(row)?.checked_mul(unit)?;
        if !(0..=LAST_UNIX_SECOND * MICROS_PER_SECOND).contains(&micros) {
            return None;
        }
        let local = zone.local_micros(micros - micros.rem_euclid(MICROS_PER_SECOND))?;
        match &formats {
            Some(formats) => write(out, local, plain_form(formats.get(row)?)),
            None => {
                write_datetime(out, local);
                Some(())
            }
        }
    })
}

fn to_datetime(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = call.integer(0)?;
    let scales = call.has(1).then(|| call.integer(1)).transpose()?;
    let zone = call.session.zone;
    call.datetimes(|row| {
        let scale = match &scales {
            Some(scales) => scales.get(row)?,
            None => 0,
        };
        let unit = match scale {
            0 => MICROS_PER_SECOND,
            3 => 1000,
            6 => 1,
            _ => return None,
        };
        zone.local_micros(numbers.get(row)?.checked_mul(unit)?)
    })
}

fn unix_timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    let zone = call.session.zone;
    let seconds = |local: i64| {
        let seconds = zone.instant_micros(local)?.div_euclid(MICROS_PER_SECOND);
        Some(if (0..=LAST_UNIX_SECOND).contains(&seconds) { seconds } else { 0 })
    };
    if !call.has(0) {
        let now = call.session.now_micros.div_euclid(MICROS_PER_SECOND);
        return call.integers(|_| Some(now));
    }
    if call.has(1) {
        let texts = crate::cast::cast_values(&call.array(0)?, &DataType::Utf8, zone)?;
        let texts = arrow::array::AsArray::as_string::<i32>(&texts).clone();
        let formats = call.text(1)?;
        return call.integers(|row| {
            let text = arrow::array::Array::is_valid(&texts, row).then(|| texts.value(row))?;
            seconds(read(text, plain_form(formats.get(row)?))?)
        });
    }
    if let DataType::Utf8 = call.data_type(0)? {
        let texts = call.text(0)?;
        return call.integers(|row| seconds(datetime_from_text(texts.get(row)?, zone)?));
    }
    let datetimes = crate::cast::cast_values(&call.array(0)?, &crate::types::DATETIME, zone)?;
    let datetimes =
        arrow::array::AsArray::as_primitive::<arrow::datatypes::TimestampMicrosecondType>(&datetimes);
    call.integers(|row| {
        arrow::array::Array::is_valid(datetimes, row).then(|| datetimes.value(row)).and_then(seconds)
    })
}

fn now(call: &Call<'_>) -> Result<ArrayRef> {
    let digits = if call.has(0) { call.integer(0)?.get(0) } else { Some(0) };
    let unit = digits.and_then(|digits| u32::try_from(digits).ok()).filter(|digits| *digits <= 6);
    let local = call.session.zone.local_micros(call.session.now_micros);
    let now = unit.zip(local).map(|(digits, local)| local - local.rem_euclid(10i64.pow(6 - digits)));
    call.datetimes(|_| now)
}
