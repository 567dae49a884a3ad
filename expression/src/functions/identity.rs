//! Values that are new in each row.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array};
use datafusion_common::Result;

use super::call::Call;
use super::definition::{Definition, Returns};

pub(super) static DEFINITIONS: &[Definition] = &[
    Definition::new("uuid", "uuid()", "A random UUID, a new one in each row.", &[], Returns::Text, |call| {
        call.texts(|_, out| write!(out, "{}", uuid::Uuid::new_v4()).ok())
    })
    .volatile(),
    Definition::new(
        "uuid_numeric",
        "uuid_numeric()",
        "A random LARGEINT, a new one in each row.",
        &[],
        Returns::LargeInt,
        numbers,
    )
    .volatile(),
];

fn numbers(call: &Call<'_>) -> Result<ArrayRef> {
    // A LARGEINT has 38 digits, which 126 bits always fit in.
    let random = |_| (uuid::Uuid::new_v4().as_u128() >> 2).cast_signed();
    let array = Decimal128Array::from_iter_values((0..call.rows).map(random));
    Ok(Arc::new(array.with_precision_and_scale(38, 0)?))
}
