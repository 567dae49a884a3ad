//! To DATE and DATETIME.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Date64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use longshore_expression::datetime::{
    DAYS, DateTimeParser, MICROS, MICROS_PER_DAY, TimeError, days_of, parse_date, shift,
};

use super::Zone;
use super::column::{Column, Fault, collect};
use super::pattern::texts;

/// Milliseconds of a day.
const MILLIS_PER_DAY: i64 = 86_400_000;

impl From<TimeError> for Fault {
    fn from(error: TimeError) -> Self {
        match error {
            TimeError::Parse => Self::Parse,
            TimeError::OutOfRange => Self::OutOfRange,
        }
    }
}

/// Casts to DATE; `None`: no value of this type can become one. An instant has its date in `zone`.
pub(super) fn to_date(array: &ArrayRef, zone: Zone) -> Option<Column> {
    let parsed = texts!(array, a => {
        Some(collect::<Date32Type>(a.len(), a.nulls(), |row| Ok(parse_date(a.value(row).as_bytes(), zone)?)))
    }, _ => None);
    if parsed.is_some() {
        return parsed;
    }
    match array.data_type() {
        ArrowType::Date32 => {
            let a = array.as_primitive::<Date32Type>();
            if a.values().iter().all(|days| DAYS.contains(days)) {
                return Some(Column::fits(Arc::clone(array)));
            }
            Some(collect::<Date32Type>(a.len(), a.nulls(), |row| in_range(i64::from(a.value(row)))))
        }
        ArrowType::Date64 => {
            let a = array.as_primitive::<Date64Type>();
            Some(collect::<Date32Type>(a.len(), a.nulls(), |row| {
                in_range(a.value(row).div_euclid(MILLIS_PER_DAY))
            }))
        }
        ArrowType::Timestamp(..) => {
            let Column { array: datetimes, misfits } = to_datetime(array, zone)?;
            let a = datetimes.as_primitive::<TimestampMicrosecondType>();
            // A slot that is NULL may hold any number.
            let days: PrimitiveArray<Date32Type> =
                a.unary(|micros| if MICROS.contains(&micros) { days_of(micros) } else { 0 });
            Some(Column { array: Arc::new(days), misfits })
        }
        _ => None,
    }
}

fn in_range(days: i64) -> Result<i32, Fault> {
    i32::try_from(days).ok().filter(|days| DAYS.contains(days)).ok_or(Fault::OutOfRange)
}

/// Casts to DATETIME; `None`: no value of this type can become one. An instant becomes local time of `zone`,
/// a timestamp without a zone stays as it is; nanoseconds are cut to the microsecond before.
pub(super) fn to_datetime(array: &ArrayRef, zone: Zone) -> Option<Column> {
    let parsed = texts!(array, a => {
        let mut parser = DateTimeParser::new(zone);
        Some(collect::<TimestampMicrosecondType>(a.len(), a.nulls(), |row| {
            Ok(parser.parse(a.value(row).as_bytes())?)
        }))
    }, _ => None);
    if parsed.is_some() {
        return parsed;
    }
    match array.data_type() {
        ArrowType::Date32 | ArrowType::Date64 => {
            let Column { array: dates, misfits } = to_date(array, zone)?;
            let a = dates.as_primitive::<Date32Type>();
            let micros: PrimitiveArray<TimestampMicrosecondType> =
                a.unary(|days| i64::from(days) * MICROS_PER_DAY);
            Some(Column { array: Arc::new(micros), misfits })
        }
        ArrowType::Timestamp(unit, stated_zone) => {
            // UTC's local time is the instant itself.
            let zone = stated_zone.as_ref().map(|_| zone).filter(|zone| !zone.is_utc());
            Some(from_timestamp(array, *unit, zone))
        }
        _ => None,
    }
}

fn from_timestamp(array: &ArrayRef, unit: TimeUnit, zone: Option<Zone>) -> Column {
    let local = |micros: Option<i64>| match zone {
        None => micros.filter(|micros| MICROS.contains(micros)).ok_or(Fault::OutOfRange),
        Some(zone) => Ok(shift(micros.ok_or(Fault::OutOfRange)?, zone)?),
    };
    let (len, nulls) = (array.len(), array.nulls());
    match unit {
        TimeUnit::Second => {
            let a = array.as_primitive::<TimestampSecondType>();
            collect::<TimestampMicrosecondType>(len, nulls, |row| local(a.value(row).checked_mul(1_000_000)))
        }
        TimeUnit::Millisecond => {
            let a = array.as_primitive::<TimestampMillisecondType>();
            collect::<TimestampMicrosecondType>(len, nulls, |row| local(a.value(row).checked_mul(1_000)))
        }
        TimeUnit::Microsecond => {
            let a = array.as_primitive::<TimestampMicrosecondType>();
            if zone.is_none() && a.values().iter().all(|micros| MICROS.contains(micros)) {
                return Column::fits(Arc::new(a.clone().with_timezone_opt(None::<Arc<str>>)));
            }
            collect::<TimestampMicrosecondType>(len, nulls, |row| local(Some(a.value(row))))
        }
        TimeUnit::Nanosecond => {
            let a = array.as_primitive::<TimestampNanosecondType>();
            collect::<TimestampMicrosecondType>(len, nulls, |row| local(Some(a.value(row).div_euclid(1_000))))
        }
    }
}
