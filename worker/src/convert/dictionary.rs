//! Dictionary-encoded columns: each value of the dictionary is cast once, however many rows name it, and a
//! value that no row names is never counted.

use std::sync::Arc;

use arrow::array::{
    AnyDictionaryArray, Array, ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType as ArrowType, Field, Int32Type};
use longshore_storage::types::DataType;

use super::cast::{CastError, Context, cast};
use super::column::{Column, Fault, Misfit};

/// Casts a dictionary-encoded column to a plain one.
pub(super) fn cast_flat(
    array: &ArrayRef,
    field: &Field,
    to: &DataType,
    context: &Context,
) -> Result<Column, CastError> {
    let Some(dictionary) = array.as_any_dictionary_opt() else {
        return Err(CastError::unsupported(field, to));
    };
    let values = cast_values(dictionary, field, to, context)?;
    spread(dictionary, &values)
}

/// The last dictionary of a column and its values as the table has them: the batches of a row group share
/// one dictionary.
#[derive(Debug, Default)]
pub(super) struct DictionaryMemory {
    last: Option<(arrow::array::ArrayData, Column)>,
}

impl DictionaryMemory {
    /// Casts a dictionary-encoded column; text stays `Dictionary(Int32, Utf8)`, without NULL among its values.
    pub(super) fn cast(
        &mut self,
        array: &ArrayRef,
        field: &Field,
        to: &DataType,
        context: &Context,
    ) -> Result<Column, CastError> {
        let Some(dictionary) = array.as_any_dictionary_opt() else {
            return Err(CastError::unsupported(field, to));
        };
        let data = dictionary.values().to_data();
        let values = match self.last.take() {
            Some((last, values)) if last.ptr_eq(&data) => values,
            _ => cast_values(dictionary, field, to, context)?,
        };
        let column = if to.arrow() == ArrowType::Utf8 {
            keep_text(array, dictionary, &values)
        } else {
            spread(dictionary, &values)
        };
        self.last = Some((data, values));
        column
    }
}

fn cast_values(
    dictionary: &dyn AnyDictionaryArray,
    field: &Field,
    to: &DataType,
    context: &Context,
) -> Result<Column, CastError> {
    let values = dictionary.values();
    let field = field.clone().with_data_type(values.data_type().clone());
    cast(values, &field, to, context)
}

/// One value for each row.
fn spread(dictionary: &dyn AnyDictionaryArray, values: &Column) -> Result<Column, CastError> {
    if values.array.is_empty() {
        return Ok(Column::fits(new_null_array(values.array.data_type(), dictionary.len())));
    }
    let array = take(&values.array, dictionary.keys(), None)?;
    Ok(Column { array, misfits: misfits_of_rows(dictionary, values) })
}

fn misfits_of_rows(dictionary: &dyn AnyDictionaryArray, values: &Column) -> Vec<Misfit> {
    if values.misfits.is_empty() {
        return Vec::new();
    }
    let mut faults: Vec<Option<Fault>> = vec![None; values.array.len()];
    for misfit in &values.misfits {
        faults[misfit.row] = Some(misfit.fault);
    }
    let keys = dictionary.keys();
    dictionary
        .normalized_keys()
        .into_iter()
        .enumerate()
        .filter(|&(row, _)| keys.is_valid(row))
        .filter_map(|(row, key)| faults[key].map(|fault| Misfit { row, fault }))
        .collect()
}

/// Text keeps its dictionary; a key whose value is NULL becomes a NULL key, so that NULL stands in one place
/// only.
fn keep_text(
    array: &ArrayRef,
    dictionary: &dyn AnyDictionaryArray,
    values: &Column,
) -> Result<Column, CastError> {
    let misfits = misfits_of_rows(dictionary, values);
    let text = values.array.as_string::<i32>();
    let no_nulls = text.null_count() == 0;
    if no_nulls && dictionary.values().data_type() == values.array.data_type() && is_int32_keyed(array) {
        return Ok(Column { array: Arc::clone(array), misfits });
    }
    let keys = arrow::compute::cast(dictionary.keys(), &ArrowType::Int32)?;
    let keys = keys.as_primitive::<Int32Type>();
    let keys: Int32Array = if no_nulls {
        keys.clone()
    } else {
        keys.iter()
            .map(|key| key.filter(|&key| usize::try_from(key).is_ok_and(|key| text.is_valid(key))))
            .collect()
    };
    let text = StringArray::try_new(text.offsets().clone(), text.values().clone(), None)?;
    Ok(Column { array: Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(text))?), misfits })
}

fn is_int32_keyed(array: &ArrayRef) -> bool {
    matches!(array.data_type(), ArrowType::Dictionary(key, _) if **key == ArrowType::Int32)
}
