//! To FLOAT and DOUBLE.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{DataType as ArrowType, Decimal128Type, Float16Type, Float32Type, Float64Type};
use arrow::error::ArrowError;

use super::column::{Column, Fault, collect};
use super::decimal::{as_decimal128, write_decimal};
use super::parse::{parse_f32, parse_f64};
use super::pattern::texts;

/// The floating-point types of a table.
pub(super) trait Float: ArrowPrimitiveType {
    fn from_i64(value: i64) -> Self::Native;
    fn from_u64(value: u64) -> Self::Native;
    fn from_f64(value: f64) -> Result<Self::Native, Fault>;
    fn parse(text: &str) -> Result<Self::Native, Fault>;
}

impl Float for Float32Type {
    fn from_i64(value: i64) -> f32 {
        value as f32
    }

    fn from_u64(value: u64) -> f32 {
        value as f32
    }

    fn from_f64(value: f64) -> Result<f32, Fault> {
        let narrow = value as f32;
        // What was finite must stay finite; NaN and infinities are values of both types.
        if narrow.is_infinite() && value.is_finite() { Err(Fault::OutOfRange) } else { Ok(narrow) }
    }

    fn parse(text: &str) -> Result<f32, Fault> {
        parse_f32(text)
    }
}

impl Float for Float64Type {
    fn from_i64(value: i64) -> f64 {
        value as f64
    }

    fn from_u64(value: u64) -> f64 {
        value as f64
    }

    fn from_f64(value: f64) -> Result<f64, Fault> {
        Ok(value)
    }

    fn parse(text: &str) -> Result<f64, Fault> {
        parse_f64(text)
    }
}

/// Casts to a floating-point type; `None`: no value of this type can become one.
pub(super) fn to_float<T: Float>(array: &ArrayRef) -> Result<Option<Column>, ArrowError> {
    if *array.data_type() == T::DATA_TYPE {
        return Ok(Some(Column::fits(Arc::clone(array))));
    }
    if *array.data_type() == ArrowType::UInt64 {
        let a = array.as_primitive::<arrow::datatypes::UInt64Type>();
        return Ok(Some(collect::<T>(a.len(), a.nulls(), |row| Ok(T::from_u64(a.value(row))))));
    }
    if array.data_type().is_integer() {
        let wide = arrow::compute::cast(array, &ArrowType::Int64)?;
        let a = wide.as_primitive::<arrow::datatypes::Int64Type>();
        return Ok(Some(collect::<T>(a.len(), a.nulls(), |row| Ok(T::from_i64(a.value(row))))));
    }
    let parsed = texts!(array, a => {
        Some(collect::<T>(a.len(), a.nulls(), |row| T::parse(a.value(row))))
    }, _ => None);
    if parsed.is_some() {
        return Ok(parsed);
    }
    Ok(match array.data_type() {
        ArrowType::Boolean => {
            let a = array.as_boolean();
            Some(collect::<T>(a.len(), a.nulls(), |row| Ok(T::from_i64(i64::from(a.value(row))))))
        }
        ArrowType::Float16 => {
            let a = array.as_primitive::<Float16Type>();
            Some(collect::<T>(a.len(), a.nulls(), |row| T::from_f64(a.value(row).to_f64())))
        }
        ArrowType::Float32 => {
            let a = array.as_primitive::<Float32Type>();
            Some(collect::<T>(a.len(), a.nulls(), |row| T::from_f64(f64::from(a.value(row)))))
        }
        ArrowType::Float64 => {
            let a = array.as_primitive::<Float64Type>();
            Some(collect::<T>(a.len(), a.nulls(), |row| T::from_f64(a.value(row))))
        }
        ArrowType::Decimal32(..) | ArrowType::Decimal64(..) | ArrowType::Decimal128(..) => {
            from_decimal::<T>(array)
        }
        _ => None,
    })
}

/// By way of the decimal text: the nearest floating-point number, rounded once.
fn from_decimal<T: Float>(array: &ArrayRef) -> Option<Column> {
    let (array, scale) = as_decimal128(array)?;
    let a = array.as_primitive::<Decimal128Type>();
    let mut text = String::new();
    Some(collect::<T>(a.len(), a.nulls(), |row| {
        text.clear();
        write_decimal(&mut text, &a.value(row).to_string(), scale);
        T::parse(&text)
    }))
}
