//! To CHAR(n), VARCHAR(n) and STRING. Lengths count bytes; CHAR is not padded.
//!
//! Numbers become text in one canonical form: integers and DECIMALs with all their digits, floating point
//! with the fewest digits that give the same number back, BOOLEAN as `true` and `false`, DATE as
//! `YYYY-MM-DD`, DATETIME as `YYYY-MM-DD HH:MM:SS` with six more digits if there is a fraction, TIME as
//! `HH:MM:SS.ffffff`, a UUID in its form with hyphens.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal128Type, Decimal256Type, Field, Float16Type, Float32Type,
    Float64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use longshore_expression::datetime::{MICROS_PER_DAY, write_date, write_datetime, write_time};

use super::Zone;
use super::binary::as_binary;
use super::column::{Column, Fault, Misfit};
use super::decimal::{as_decimal128, write_decimal};
use super::pattern::integers;
use super::time::{to_date, to_datetime};
use super::type_name::is_uuid;

/// Casts to text of at most `length` bytes; `None`: no value of this type can become text.
pub(super) fn to_text(
    array: &ArrayRef,
    field: &Field,
    length: Option<u32>,
    zone: Zone,
) -> Result<Option<Column>, ArrowError> {
    Ok(any_length(array, field, zone)?.map(|column| match length {
        Some(length) => check_length(column, length as usize),
        None => column,
    }))
}

fn any_length(array: &ArrayRef, field: &Field, zone: Zone) -> Result<Option<Column>, ArrowError> {
    Ok(match array.data_type() {
        ArrowType::Utf8 => Some(Column::fits(Arc::clone(array))),
        ArrowType::LargeUtf8 | ArrowType::Utf8View => {
            Some(Column::fits(arrow::compute::cast(array, &ArrowType::Utf8)?))
        }
        ArrowType::FixedSizeBinary(_) if is_uuid(field) => {
            let a = array.as_fixed_size_binary();
            Some(format(array, |row, out| {
                let bytes = <[u8; 16]>::try_from(a.value(row)).map_err(|_| Fault::Parse)?;
                write!(out, "{}", uuid::Uuid::from_bytes(bytes).hyphenated()).map_err(|_| Fault::Parse)
            }))
        }
        ArrowType::Binary
        | ArrowType::LargeBinary
        | ArrowType::BinaryView
        | ArrowType::FixedSizeBinary(_) => Some(from_binary(&as_binary(array)?)),
        _ => from_scalar(array, zone),
    })
}

/// Bytes that are text are taken whole; only if they are not, row by row.
fn from_binary(array: &ArrayRef) -> Column {
    let binary = array.as_binary::<i32>();
    if let Ok(text) = StringArray::try_from_binary(binary.clone()) {
        return Column::fits(Arc::new(text));
    }
    format(array, |row, out| {
        out.push_str(std::str::from_utf8(binary.value(row)).map_err(|_| Fault::InvalidUtf8)?);
        Ok(())
    })
}

fn from_scalar(array: &ArrayRef, zone: Zone) -> Option<Column> {
    let integer = integers!(array, a => {
        Some(format(array, |row, out| put(write!(out, "{}", a.value(row)))))
    }, _ => None);
    if integer.is_some() {
        return integer;
    }
    match array.data_type() {
        ArrowType::Boolean => {
            let a = array.as_boolean();
            Some(format(array, |row, out| put(write!(out, "{}", a.value(row)))))
        }
        ArrowType::Float16 => {
            let a = array.as_primitive::<Float16Type>();
            Some(format(array, |row, out| put(write_f32(out, a.value(row).to_f32()))))
        }
        ArrowType::Float32 => {
            let a = array.as_primitive::<Float32Type>();
            Some(format(array, |row, out| put(write_f32(out, a.value(row)))))
        }
        ArrowType::Float64 => {
            let a = array.as_primitive::<Float64Type>();
            Some(format(array, |row, out| put(write_f64(out, a.value(row)))))
        }
        ArrowType::Decimal256(_, scale) => {
            let a = array.as_primitive::<Decimal256Type>();
            Some(format(array, |row, out| {
                write_decimal(out, &a.value(row).to_string(), *scale);
                Ok(())
            }))
        }
        ArrowType::Decimal32(..) | ArrowType::Decimal64(..) | ArrowType::Decimal128(..) => {
            let (wide, scale) = as_decimal128(array)?;
            let a = wide.as_primitive::<Decimal128Type>();
            Some(format(array, |row, out| {
                write_decimal(out, &a.value(row).to_string(), scale);
                Ok(())
            }))
        }
        ArrowType::Date32 | ArrowType::Date64 => {
            let Column { array: dates, misfits } = to_date(array, zone)?;
            let a = dates.as_primitive::<Date32Type>();
            Some(merge(
                format(&dates, |row, out| {
                    write_date(out, a.value(row));
                    Ok(())
                }),
                misfits,
            ))
        }
        ArrowType::Timestamp(..) => {
            let Column { array: datetimes, misfits } = to_datetime(array, zone)?;
            let a = datetimes.as_primitive::<TimestampMicrosecondType>();
            Some(merge(
                format(&datetimes, |row, out| {
                    write_datetime(out, a.value(row));
                    Ok(())
                }),
                misfits,
            ))
        }
        ArrowType::Time32(_) | ArrowType::Time64(_) => {
            let micros = time_micros(array)?;
            Some(format(array, |row, out| match micros(row) {
                micros if (0..MICROS_PER_DAY).contains(&micros) => {
                    write_time(out, micros);
                    Ok(())
                }
                _ => Err(Fault::OutOfRange),
            }))
        }
        _ => None,
    }
}

/// Microseconds since midnight of each row of a TIME column.
pub(super) fn time_micros(array: &ArrayRef) -> Option<Box<dyn Fn(usize) -> i64 + '_>> {
    Some(match array.data_type() {
        ArrowType::Time32(TimeUnit::Second) => {
            let a = array.as_primitive::<Time32SecondType>();
            Box::new(|row| i64::from(a.value(row)) * 1_000_000)
        }
        ArrowType::Time32(TimeUnit::Millisecond) => {
            let a = array.as_primitive::<Time32MillisecondType>();
            Box::new(|row| i64::from(a.value(row)) * 1_000)
        }
        ArrowType::Time64(TimeUnit::Microsecond) => {
            let a = array.as_primitive::<Time64MicrosecondType>();
            Box::new(|row| a.value(row))
        }
        ArrowType::Time64(TimeUnit::Nanosecond) => {
            let a = array.as_primitive::<Time64NanosecondType>();
            Box::new(|row| a.value(row).div_euclid(1_000))
        }
        _ => return None,
    })
}

/// The fewest digits that give the same number back; an exponent where the point would be far away.
pub(super) fn write_f64(out: &mut String, value: f64) -> std::fmt::Result {
    if value == 0.0 || !value.is_finite() || (1e-5..1e16).contains(&value.abs()) {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    }
}

/// [`write_f64`] for 32 bits: `0.1` is not `0.10000000149011612`.
pub(super) fn write_f32(out: &mut String, value: f32) -> std::fmt::Result {
    if value == 0.0 || !value.is_finite() || (1e-5..1e16).contains(&value.abs()) {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    }
}

fn put(result: std::fmt::Result) -> Result<(), Fault> {
    result.map_err(|_| Fault::OutOfRange)
}

/// Text for every row that is not NULL.
pub(super) fn format(
    array: &ArrayRef,
    mut write: impl FnMut(usize, &mut String) -> Result<(), Fault>,
) -> Column {
    let mut builder = StringBuilder::with_capacity(array.len(), 0);
    let mut misfits = Vec::new();
    let mut text = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        text.clear();
        match write(row, &mut text) {
            Ok(()) => builder.append_value(&text),
            Err(fault) => {
                misfits.push(Misfit { row, fault });
                builder.append_null();
            }
        }
    }
    Column { array: Arc::new(builder.finish()), misfits }
}

/// A second step's column with the misfits of the first, whose rows are NULL to the second.
fn merge(mut column: Column, first: Vec<Misfit>) -> Column {
    column.misfits.extend(first);
    column.misfits.sort_unstable_by_key(|misfit| misfit.row);
    column
}

fn check_length(column: Column, length: usize) -> Column {
    let text = column.array.as_string::<i32>();
    let offsets = text.value_offsets();
    if offsets.windows(2).any(|pair| (pair[1] - pair[0]) as usize > length) {
        let too_long = (0..text.len())
            .filter(|&row| text.is_valid(row) && text.value_length(row) as usize > length)
            .map(|row| Misfit { row, fault: Fault::TooLong })
            .collect();
        return merge(column, too_long);
    }
    column
}
