//! To VARBINARY.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType as ArrowType;
use arrow::error::ArrowError;

use super::column::{Column, Fault, misfits_where};

/// Casts to VARBINARY of at most `length` bytes; `None`: no value of this type can become one.
pub(super) fn to_binary(array: &ArrayRef, length: Option<u32>) -> Result<Option<Column>, ArrowError> {
    let binary = match array.data_type() {
        ArrowType::Binary
        | ArrowType::LargeBinary
        | ArrowType::BinaryView
        | ArrowType::FixedSizeBinary(_)
        | ArrowType::Utf8
        | ArrowType::LargeUtf8
        | ArrowType::Utf8View => as_binary(array)?,
        _ => return Ok(None),
    };
    let misfits = match length {
        Some(length) => {
            let a = binary.as_binary::<i32>();
            misfits_where(a, Fault::TooLong, |row| a.value(row).len() > length as usize)
        }
        None => Vec::new(),
    };
    Ok(Some(Column { array: binary, misfits }))
}

/// The bytes of text or binary of any layout, laid out as Binary.
pub(super) fn as_binary(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        ArrowType::LargeUtf8 => {
            arrow::compute::cast(&arrow::compute::cast(array, &ArrowType::LargeBinary)?, &ArrowType::Binary)
        }
        ArrowType::Utf8View => {
            arrow::compute::cast(&arrow::compute::cast(array, &ArrowType::BinaryView)?, &ArrowType::Binary)
        }
        _ => arrow::compute::cast(array, &ArrowType::Binary),
    }
}
