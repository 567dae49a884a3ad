//! Choices between values.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::compute::kernels::cmp::{eq, gt, lt};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{is_not_null, is_null, nullif, prep_null_mask_filter};
use arrow::error::ArrowError;
use datafusion_common::Result;

use super::call::Call;
use super::definition::{Definition, Kind, Returns};
use super::text::text;

const U: Kind = Kind::United;

pub(super) static DEFINITIONS: &[Definition] = &[
    Definition::new(
        "if",
        "if(condition, value, other)",
        "The value where the condition is true, else the other.",
        &[Kind::Boolean, U, U],
        Returns::Same(1),
        |call| {
            let condition = call.array(0)?;
            Ok(zip(&true_rows(condition.as_boolean()), &call.array(1)?, &call.array(2)?)?)
        },
    )
    .also(&["iff"]),
    text!("ifnull", &["nvl"], "ifnull(value, other)", "The value, or the other where it is NULL.", &[U, U], &[], @Same,
        first_value),
    Definition::new(
        "coalesce",
        "coalesce(value, …)",
        "The first value that is not NULL.",
        &[U],
        Returns::Same(0),
        first_value,
    )
    .rest(U),
    text!("nullif", &[], "nullif(value, other)", "NULL where both are equal, else the value.",
        &[Kind::Compared, Kind::Compared], &[], @Same, |call| {
        let (one, other) = (call.array(0)?, call.array(1)?);
        Ok(nullif(&one, &eq(&one, &other)?)?)
    }),
    text!("isnull", &[], "isnull(value)", "Whether a value is NULL.", &[Kind::Any], &[], Boolean, |call| {
        Ok(Arc::new(is_null(&call.array(0)?)?))
    }),
    text!(
        "isnotnull",
        &[],
        "isnotnull(value)",
        "Whether a value is not NULL.",
        &[Kind::Any],
        &[],
        Boolean,
        |call| { Ok(Arc::new(is_not_null(&call.array(0)?)?)) }
    ),
    Definition::new(
        "greatest",
        "greatest(value, …)",
        "The greatest value; NULL if one is.",
        &[U],
        Returns::Same(0),
        |call| extreme(call, |one, other| gt(one, other)),
    )
    .rest(U),
    Definition::new(
        "least",
        "least(value, …)",
        "The least value; NULL if one is.",
        &[U],
        Returns::Same(0),
        |call| extreme(call, |one, other| lt(one, other)),
    )
    .rest(U),
];

/// NULL counts as false.
fn true_rows(condition: &BooleanArray) -> BooleanArray {
    if arrow::array::Array::null_count(condition) == 0 {
        condition.clone()
    } else {
        prep_null_mask_filter(condition)
    }
}

fn first_value(call: &Call<'_>) -> Result<ArrayRef> {
    let mut last = call.array(call.len() - 1)?;
    for index in (0..call.len() - 1).rev() {
        let value = call.array(index)?;
        last = zip(&is_not_null(&value)?, &value, &last)?;
    }
    Ok(last)
}

fn extreme(
    call: &Call<'_>,
    before: fn(&ArrayRef, &ArrayRef) -> std::result::Result<BooleanArray, ArrowError>,
) -> Result<ArrayRef> {
    let mut best = call.array(0)?;
    for index in 1..call.len() {
        let value = call.array(index)?;
        let better = before(&best, &value)?;
        let chosen = zip(&true_rows(&better), &best, &value)?;
        // A comparison with NULL is NULL, and so is the result.
        best = nullif(&chosen, &is_null(&better)?)?;
    }
    Ok(best)
}
