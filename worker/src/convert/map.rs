//! To MAP. A key that is NULL, or does not fit, leaves its map without a meaning: the whole map does not fit.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, MapArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::filter;
use arrow::datatypes::{DataType as ArrowType, Field, Fields};
use longshore_storage::types::DataType;

use super::cast::{CastError, Context, cast};
use super::column::{Column, Fault, Misfit, without};
use super::nested::{lift, one_a_row};

/// Casts to MAP; `None`: no value of this type can become one.
pub(super) fn to_map(
    array: &ArrayRef,
    key: &DataType,
    value: &DataType,
    context: &Context,
) -> Result<Option<Column>, CastError> {
    let ArrowType::Map(entry, _) = array.data_type() else { return Ok(None) };
    let ArrowType::Struct(parts) = entry.data_type() else { return Ok(None) };
    let [key_field, value_field] = parts.as_ref() else { return Ok(None) };
    let map = array.as_map();
    let offsets = map.value_offsets();
    let first = offsets.first().map_or(0, |&offset| offset as usize);
    let count = offsets.last().map_or(0, |&offset| offset as usize) - first;
    let offsets: Vec<i32> = offsets.iter().map(|offset| offset - offsets[0]).collect();

    let keys = cast(&map.keys().slice(first, count), key_field, key, context)
        .map_err(|error| error.inside("[key]"))?;
    let values = cast(&map.values().slice(first, count), value_field, value, context)
        .map_err(|error| error.inside("[value]"))?;
    let fields: Fields = [Field::new("key", key.arrow(), false), Field::new("value", value.arrow(), true)]
        .into_iter()
        .collect();

    let bad_keys = keys_that_do_not_fit(&keys);
    let without_meaning = lift(&bad_keys, &offsets, array.nulls());
    let mut misfits = lift(&values.misfits, &offsets, array.nulls());
    misfits.extend(&without_meaning);
    let misfits = one_a_row(misfits);
    let nulls = without(array.nulls(), array.len(), &without_meaning);
    let (entries, offsets) = if keys.array.null_count() == 0 {
        (StructArray::try_new(fields.clone(), vec![keys.array, values.array], None)?, offsets)
    } else {
        // Arrow takes no NULL key, not even under a NULL map: those maps lose their entries.
        let (kept, offsets) = keep_entries(&offsets, nulls.as_ref());
        let columns = vec![filter(&keys.array, &kept)?, filter(&values.array, &kept)?];
        (StructArray::try_new(fields.clone(), columns, None)?, offsets)
    };
    let field = Arc::new(Field::new("key_value", ArrowType::Struct(fields), false));
    let map = MapArray::try_new(field, OffsetBuffer::new(offsets.into()), entries, nulls, false)?;
    Ok(Some(Column { array: Arc::new(map), misfits }))
}

fn keys_that_do_not_fit(keys: &Column) -> Vec<Misfit> {
    let nulls = (0..keys.array.len())
        .filter(|&row| keys.array.is_null(row))
        .map(|row| Misfit { row, fault: Fault::OutOfRange });
    let mut misfits: Vec<Misfit> = keys.misfits.clone();
    if keys.array.null_count() > 0 {
        misfits.extend(nulls);
    }
    misfits.sort_by_key(|misfit| misfit.row);
    misfits.dedup_by_key(|misfit| misfit.row);
    misfits
}

/// Which entries belong to maps that are not NULL, and the offsets once the others are gone.
fn keep_entries(offsets: &[i32], nulls: Option<&NullBuffer>) -> (BooleanArray, Vec<i32>) {
    let mut kept = Vec::new();
    let mut rebased = vec![0];
    let mut end = 0;
    for (row, pair) in offsets.windows(2).enumerate() {
        let valid = nulls.is_none_or(|nulls| nulls.is_valid(row));
        kept.extend((pair[0]..pair[1]).map(|_| valid));
        end += if valid { pair[1] - pair[0] } else { 0 };
        rebased.push(end);
    }
    (BooleanArray::from(kept), rebased)
}
