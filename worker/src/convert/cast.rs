//! The one place that says which type can become which.

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::datatypes::{
    DataType as ArrowType, Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow::error::ArrowError;
use longshore_crds::OnMissingColumn;
use longshore_storage::types::{DataType, LARGEINT_PRECISION};

use super::Zone;
use super::column::Column;
use super::type_name::{is_opaque, is_variant, type_name};
use super::{binary, boolean, decimal, dictionary, float, integer, json, map, nested, text, time};

/// What a cast needs beside the two types.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    /// Zone in which an instant becomes a DATETIME.
    pub(super) zone: Zone,
    /// For parts of a STRUCT that the file lacks.
    pub(super) on_missing: OnMissingColumn,
}

/// Why no value of a type can become one of another; paths lead to the part of a nested type.
#[derive(Debug)]
pub(super) enum CastError {
    Unsupported { path: String, from: String, to: String },
    MissingPart { path: String },
    AmbiguousPart { path: String, first: String, second: String },
    Arrow(ArrowError),
}

impl From<ArrowError> for CastError {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

impl CastError {
    /// The refusal of a pair of types.
    pub(super) fn unsupported(field: &Field, to: &DataType) -> Self {
        Self::Unsupported { path: String::new(), from: type_name(field), to: to.to_string() }
    }

    /// The same error, seen from the type that holds `part`.
    pub(super) fn inside(mut self, part: &str) -> Self {
        match &mut self {
            Self::Unsupported { path, .. }
            | Self::MissingPart { path }
            | Self::AmbiguousPart { path, .. } => {
                path.insert_str(0, part);
            }
            Self::Arrow(_) => {}
        }
        self
    }
}

/// Casts `array`, a column of the file with this `field`, to `to`. An error is about the types (or a limit
/// of Arrow's), never about a row.
pub(super) fn cast(
    array: &ArrayRef,
    field: &Field,
    to: &DataType,
    context: &Context,
) -> Result<Column, CastError> {
    match array.data_type() {
        ArrowType::Null => return Ok(Column::fits(new_null_array(&to.arrow(), array.len()))),
        ArrowType::Dictionary(..) => return dictionary::cast_flat(array, field, to, context),
        _ if is_variant(field) || is_opaque(field) && !matches!(to, DataType::Varbinary(_)) => {
            return Err(CastError::unsupported(field, to));
        }
        _ => {}
    }
    let column = match to {
        DataType::Boolean => boolean::to_boolean(array),
        DataType::TinyInt => integer::to_integer::<Int8Type>(array),
        DataType::SmallInt => integer::to_integer::<Int16Type>(array),
        DataType::Int => integer::to_integer::<Int32Type>(array),
        DataType::BigInt => integer::to_integer::<Int64Type>(array),
        DataType::LargeInt => decimal::to_decimal(array, LARGEINT_PRECISION, 0)?,
        DataType::Decimal { precision, scale } => decimal::to_decimal(array, *precision, *scale)?,
        DataType::Float => float::to_float::<Float32Type>(array)?,
        DataType::Double => float::to_float::<Float64Type>(array)?,
        DataType::Date => time::to_date(array, context.zone),
        DataType::DateTime => time::to_datetime(array, context.zone),
        DataType::Char(length) | DataType::Varchar(length) => {
            text::to_text(array, field, Some(*length), context.zone)?
        }
        DataType::String => text::to_text(array, field, None, context.zone)?,
        DataType::Varbinary(length) => binary::to_binary(array, *length)?,
        DataType::Json => json::to_json(array, field, context.zone)?,
        DataType::Array(element) => nested::to_list(array, element, context)?,
        DataType::Map(key, value) => map::to_map(array, key, value, context)?,
        DataType::Struct(parts) => nested::to_struct(array, parts, context)?,
    };
    column.ok_or_else(|| CastError::unsupported(field, to))
}
