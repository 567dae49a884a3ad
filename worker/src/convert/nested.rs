//! To ARRAY and STRUCT: part by part, by name where parts have names. What does not fit in a part is counted
//! against the row that holds it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, new_null_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType as ArrowType, Field, FieldRef, Fields};
use arrow::error::ArrowError;
use longshore_crds::OnMissingColumn;
use longshore_storage::types::{DataType, StructField};

use super::cast::{CastError, Context, cast};
use super::column::{Column, Misfit};

/// Lists of any layout: row `i` holds `values[offsets[i]..offsets[i + 1]]`.
pub(super) struct Lists {
    pub(super) field: FieldRef,
    pub(super) offsets: OffsetBuffer<i32>,
    pub(super) values: ArrayRef,
}

/// Offsets from zero, and only the values that rows name; `None` for what is not a list.
pub(super) fn lists(array: &ArrayRef) -> Result<Option<Lists>, ArrowError> {
    Ok(match array.data_type() {
        ArrowType::List(field) => {
            let list = array.as_list::<i32>();
            Some(from_zero(field, list.value_offsets(), list.values())?)
        }
        ArrowType::LargeList(field) => {
            let list = array.as_list::<i64>();
            Some(from_zero(field, list.value_offsets(), list.values())?)
        }
        ArrowType::FixedSizeList(field, size) => {
            let size = usize::try_from(*size).unwrap_or(0);
            Some(Lists {
                field: Arc::clone(field),
                offsets: OffsetBuffer::from_lengths(std::iter::repeat_n(size, array.len())),
                values: Arc::clone(array.as_fixed_size_list().values()),
            })
        }
        _ => None,
    })
}

fn from_zero<O: Copy + Into<i64>>(
    field: &FieldRef,
    offsets: &[O],
    values: &ArrayRef,
) -> Result<Lists, ArrowError> {
    let first: i64 = offsets.first().map_or(0, |&offset| offset.into());
    let last: i64 = offsets.last().map_or(0, |&offset| offset.into());
    let place = |offset: i64| usize::try_from(offset).map_err(|_| ArrowError::OffsetOverflowError(0));
    let rebased: Option<Vec<i32>> =
        offsets.iter().map(|&offset| i32::try_from(offset.into() - first).ok()).collect();
    let count = place(last - first)?;
    let rebased = rebased.ok_or(ArrowError::OffsetOverflowError(count))?;
    Ok(Lists {
        field: Arc::clone(field),
        offsets: OffsetBuffer::new(rebased.into()),
        values: values.slice(place(first)?, count),
    })
}

/// Casts to ARRAY; `None`: no value of this type can become one.
pub(super) fn to_list(
    array: &ArrayRef,
    element: &DataType,
    context: &Context,
) -> Result<Option<Column>, CastError> {
    let Some(lists) = lists(array)? else { return Ok(None) };
    let values = cast(&lists.values, &lists.field, element, context).map_err(|error| error.inside("[]"))?;
    let misfits = lift(&values.misfits, &lists.offsets, array.nulls());
    let field = Arc::new(Field::new("element", element.arrow(), true));
    let list = ListArray::try_new(field, lists.offsets, values.array, array.nulls().cloned())?;
    Ok(Some(Column { array: Arc::new(list), misfits }))
}

/// Casts to STRUCT, parts matched by name regardless of case; `None`: no value of this type can become one.
pub(super) fn to_struct(
    array: &ArrayRef,
    parts: &[StructField],
    context: &Context,
) -> Result<Option<Column>, CastError> {
    let ArrowType::Struct(fields) = array.data_type() else { return Ok(None) };
    let columns = array.as_struct().columns();
    let mut arrays = Vec::with_capacity(parts.len());
    let mut misfits = Vec::new();
    for part in parts {
        let path = format!(".{}", part.name);
        let Some(index) = find(fields, part)? else {
            if context.on_missing == OnMissingColumn::Fail {
                return Err(CastError::MissingPart { path });
            }
            arrays.push(new_null_array(&part.data_type.arrow(), array.len()));
            continue;
        };
        let column = cast(&columns[index], &fields[index], &part.data_type, context)
            .map_err(|error| error.inside(&path))?;
        arrays.push(column.array);
        misfits.extend(column.misfits);
    }
    misfits.retain(|misfit: &Misfit| array.is_valid(misfit.row));
    let fields: Fields =
        parts.iter().map(|part| Field::new(&part.name, part.data_type.arrow(), true)).collect();
    let cast = StructArray::try_new_with_length(fields, arrays, array.nulls().cloned(), array.len())?;
    Ok(Some(Column { array: Arc::new(cast), misfits: one_a_row(misfits) }))
}

fn find(fields: &Fields, part: &StructField) -> Result<Option<usize>, CastError> {
    let mut matches =
        fields.iter().enumerate().filter(|(_, field)| field.name().eq_ignore_ascii_case(&part.name));
    match (matches.next(), matches.next()) {
        (Some((_, first)), Some((_, second))) => Err(CastError::AmbiguousPart {
            path: format!(".{}", part.name),
            first: first.name().clone(),
            second: second.name().clone(),
        }),
        (first, _) => Ok(first.map(|(index, _)| index)),
    }
}

/// The rows that hold the misfits of values; what stands under a NULL row counts for nobody.
pub(super) fn lift(misfits: &[Misfit], offsets: &[i32], nulls: Option<&NullBuffer>) -> Vec<Misfit> {
    let rows = misfits.iter().map(|misfit| {
        let row = offsets.partition_point(|&offset| offset as usize <= misfit.row).saturating_sub(1);
        Misfit { row, fault: misfit.fault }
    });
    one_a_row(rows.filter(|misfit| nulls.is_none_or(|nulls| nulls.is_valid(misfit.row))).collect())
}

/// In order of rows, one misfit each: one that filters the row in any mode goes before one that may not.
pub(super) fn one_a_row(mut misfits: Vec<Misfit>) -> Vec<Misfit> {
    misfits.sort_by_key(|misfit| (misfit.row, !misfit.fault.filters_always()));
    misfits.dedup_by_key(|misfit| misfit.row);
    misfits
}
