//! Values for columns that a file does not feed.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, StringBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{DataType as ArrowType, Field};
use longshore_crds::OnMissingColumn;
use longshore_storage::schema::{Column, DefaultValue};
use longshore_storage::types::DataType;

use super::Zone;
use super::cast::{Context, cast};
use super::column::Fault;
use super::error::MappingError;

/// Characters of a UUID.
const UUID_LENGTH: u32 = 36;

/// Checks that a column's declared default, if any, fits its type by the rules of strict mode:
/// `CURRENT_TIMESTAMP` goes with DATETIME, `uuid()` with text of at least 36 bytes.
pub fn check_default(column: &Column) -> Result<(), MappingError> {
    match &column.default {
        None => Ok(()),
        Some(DefaultValue::Literal(text)) => literal(column, text, Zone::UTC).map(|_| ()),
        Some(DefaultValue::CurrentTimestamp) if column.data_type == DataType::DateTime => Ok(()),
        Some(DefaultValue::CurrentTimestamp) => Err(invalid(column, "CURRENT_TIMESTAMP is a DATETIME")),
        Some(DefaultValue::Uuid) => match column.data_type {
            DataType::String => Ok(()),
            DataType::Varchar(length) if length >= UUID_LENGTH => Ok(()),
            DataType::Char(UUID_LENGTH) => Ok(()),
            _ => Err(invalid(column, "uuid() is text of 36 bytes")),
        },
    }
}

/// A literal default as one row of the column's type.
pub(super) fn literal(column: &Column, text: &str, zone: Zone) -> Result<ArrayRef, MappingError> {
    let array: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let field = Field::new(&column.name, ArrowType::Utf8, false);
    let context = Context { zone, on_missing: OnMissingColumn::Fail };
    match cast(&array, &field, &column.data_type, &context) {
        Ok(cast) if cast.misfits.is_empty() => Ok(cast.array),
        Ok(cast) => Err(invalid(column, cast.misfits[0].fault.message())),
        Err(_) => Err(invalid(column, "this type takes no literal default")),
    }
}

/// `CURRENT_TIMESTAMP` as one row.
pub(super) fn current_timestamp(column: &Column, instant: i64, zone: Zone) -> Result<ArrayRef, MappingError> {
    match longshore_expression::datetime::shift(instant, zone) {
        Ok(local) => Ok(Arc::new(TimestampMicrosecondArray::from(vec![local]))),
        Err(error) => Err(invalid(column, Fault::from(error).message())),
    }
}

/// Another random UUID (version 4) for each row; the system is asked for randomness once.
pub(super) fn uuids(rows: usize) -> Result<ArrayRef, getrandom::Error> {
    let mut random = vec![0; rows * 16];
    getrandom::fill(&mut random)?;
    let mut builder = StringBuilder::with_capacity(rows, rows * UUID_LENGTH as usize);
    let mut text = uuid::Uuid::encode_buffer();
    for bytes in random.as_chunks::<16>().0 {
        let uuid = uuid::Builder::from_random_bytes(*bytes).into_uuid();
        builder.append_value(uuid.hyphenated().encode_lower(&mut text));
    }
    Ok(Arc::new(builder.finish()))
}

fn invalid(column: &Column, reason: &str) -> MappingError {
    MappingError::InvalidDefault {
        column: column.name.clone(),
        data_type: column.data_type.to_string(),
        reason: reason.to_owned(),
    }
}
