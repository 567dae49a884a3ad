//! To BOOLEAN: a number is true unless it is zero.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType as ArrowType, Decimal128Type, Float16Type, Float32Type, Float64Type};

use super::column::{Column, Fault, Misfit, without};
use super::decimal::as_decimal128;
use super::parse::parse_boolean;
use super::pattern::{integers, texts};

/// Casts to BOOLEAN; `None`: no value of this type can become one.
pub(super) fn to_boolean(array: &ArrayRef) -> Option<Column> {
    let number = integers!(array, a => Some(collect(array, |row| Ok(a.value(row) != 0))), _ => None);
    if number.is_some() {
        return number;
    }
    let parsed = texts!(array, a => {
        Some(collect(array, |row| parse_boolean(a.value(row).as_bytes())))
    }, _ => None);
    if parsed.is_some() {
        return parsed;
    }
    match array.data_type() {
        ArrowType::Boolean => Some(Column::fits(Arc::clone(array))),
        ArrowType::Float16 => {
            let a = array.as_primitive::<Float16Type>();
            Some(collect(array, |row| truth(a.value(row).to_f64())))
        }
        ArrowType::Float32 => {
            let a = array.as_primitive::<Float32Type>();
            Some(collect(array, |row| truth(f64::from(a.value(row)))))
        }
        ArrowType::Float64 => {
            let a = array.as_primitive::<Float64Type>();
            Some(collect(array, |row| truth(a.value(row))))
        }
        ArrowType::Decimal32(..) | ArrowType::Decimal64(..) | ArrowType::Decimal128(..) => {
            let (wide, _) = as_decimal128(array)?;
            let a = wide.as_primitive::<Decimal128Type>();
            Some(collect(array, |row| Ok(a.value(row) != 0)))
        }
        _ => None,
    }
}

fn truth(value: f64) -> Result<bool, Fault> {
    if value.is_nan() { Err(Fault::OutOfRange) } else { Ok(value != 0.0) }
}

fn collect(array: &ArrayRef, mut value: impl FnMut(usize) -> Result<bool, Fault>) -> Column {
    let nulls = array.nulls();
    let mut misfits = Vec::new();
    let values = BooleanBuffer::collect_bool(array.len(), |row| {
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return false;
        }
        value(row).unwrap_or_else(|fault| {
            misfits.push(Misfit { row, fault });
            false
        })
    });
    let nulls = without(nulls, array.len(), &misfits);
    Column { array: Arc::new(BooleanArray::new(values, nulls)), misfits }
}
