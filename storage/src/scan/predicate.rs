//! What a scan is asked for: exactly true of rows, and perhaps true of files and row groups.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Scalar};
use arrow::compute::kernels::cmp;
use arrow::compute::{and, cast, is_not_null, is_null, not};
use arrow::datatypes::{DataType as ArrowType, Float32Type, Float64Type};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;

use crate::log::stats::{Bounds, SegmentStats};
use crate::schema::TableSchema;

/// A condition on the rows of a table, with SQL's rules: a comparison with NULL is not true, and 0.0 equals
/// -0.0; NaN is above all other numbers.
#[derive(Debug, Clone)]
pub enum Predicate {
    /// The column compared with a value.
    Compare {
        /// Number of the column, from 0.
        column: usize,
        /// Comparison; the column stands on the left.
        op: CompareOp,
        /// An array of one value, of the column's Arrow type or one that casts to it.
        value: ArrayRef,
    },
    /// The column is NULL.
    IsNull(usize),
    /// The column is not NULL.
    IsNotNull(usize),
    /// All hold.
    And(Vec<Predicate>),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Predicate {
    /// Appends the numbers of the columns it reads.
    pub(super) fn columns(&self, numbers: &mut Vec<usize>) {
        match self {
            Self::Compare { column, .. } | Self::IsNull(column) | Self::IsNotNull(column) => {
                numbers.push(*column);
            }
            Self::And(all) => all.iter().for_each(|one| one.columns(numbers)),
        }
    }

    /// The same with values of the columns' types.
    pub(super) fn typed(self, schema: &TableSchema) -> Result<Self, ArrowError> {
        Ok(match self {
            Self::Compare { column, op, value } => {
                if value.len() != 1 {
                    let message = format!("a comparison with {} values", value.len());
                    return Err(ArrowError::InvalidArgumentError(message));
                }
                let typed = cast(&value, schema.arrow().field(column).data_type())?;
                if typed.null_count() > value.null_count() {
                    let name = &schema.columns()[column].name;
                    return Err(ArrowError::InvalidArgumentError(format!(
                        "the value does not fit column {name}"
                    )));
                }
                Self::Compare { column, op, value: typed }
            }
            Self::And(all) => {
                Self::And(all.into_iter().map(|one| one.typed(schema)).collect::<Result<_, _>>()?)
            }
            other => other,
        })
    }

    /// Whether it is true of each row.
    pub(super) fn evaluate(
        &self,
        column_of: &impl Fn(usize) -> Result<ArrayRef, ArrowError>,
    ) -> Result<BooleanArray, ArrowError> {
        match self {
            Self::Compare { column, op, value } => compare(&column_of(*column)?, *op, value),
            Self::IsNull(column) => is_null(&column_of(*column)?),
            Self::IsNotNull(column) => is_not_null(&column_of(*column)?),
            Self::And(all) => {
                let mut result: Option<BooleanArray> = None;
                for one in all {
                    let next = one.evaluate(column_of)?;
                    result = Some(match result {
                        Some(before) => and(&before, &next)?,
                        None => next,
                    });
                }
                // Nothing asked: true of all rows, of which any column knows the number.
                match result {
                    Some(result) => Ok(result),
                    None => Ok(BooleanArray::from(vec![true; column_of(0)?.len()])),
                }
            }
        }
    }

    /// Whether it can be true of a row of a file with these statistics.
    pub(super) fn may_match(&self, schema: &TableSchema, stats: &SegmentStats) -> bool {
        self.may_hold(&|column| stats.bounds(&schema.columns()[column]))
    }

    /// Whether it can be true of a row of a row group.
    pub(super) fn may_match_group(
        &self,
        schema: &TableSchema,
        metadata: &ArrowReaderMetadata,
        group: usize,
    ) -> bool {
        self.may_hold(&|column| {
            let unknown = Bounds { min: None, max: None, nulls: None, rows: None };
            group_bounds(schema, metadata, group, column).unwrap_or(unknown)
        })
    }

    /// Whether it can be true of a row whose columns keep to bounds.
    pub(super) fn may_hold(&self, bounds_of: &impl Fn(usize) -> Bounds) -> bool {
        match self {
            Self::Compare { column, op, value } => may_compare(&bounds_of(*column), *op, value),
            Self::IsNull(column) => bounds_of(*column).nulls != Some(0),
            Self::IsNotNull(column) => {
                let bounds = bounds_of(*column);
                bounds.nulls.is_none() || bounds.nulls != bounds.rows
            }
            Self::And(all) => all.iter().all(|one| one.may_hold(bounds_of)),
        }
    }
}

/// Bounds of a column in a row group, where the footer has them and they can be trusted: it says nothing of
/// NaN, so floats have none.
fn group_bounds(
    schema: &TableSchema,
    metadata: &ArrowReaderMetadata,
    group: usize,
    column: usize,
) -> Option<Bounds> {
    let due = schema.arrow().field(column).data_type();
    let name = &schema.columns()[column].name;
    if schema.columns()[column].data_type.is_nested() || due.is_floating() {
        return None;
    }
    let field = metadata.schema().fields().iter().find(|field| field.name().eq_ignore_ascii_case(name))?;
    let converter =
        StatisticsConverter::try_new(field.name(), metadata.schema(), metadata.parquet_schema()).ok()?;
    let group = [metadata.metadata().row_group(group)];
    let known = |array: ArrayRef| cast(&array, due).ok().filter(|array| array.is_valid(0));
    let nulls = converter.row_group_null_counts(group).ok()?;
    Some(Bounds {
        min: converter.row_group_mins(group).ok().and_then(known),
        max: converter.row_group_maxes(group).ok().and_then(known),
        nulls: nulls.is_valid(0).then(|| nulls.value(0)),
        rows: u64::try_from(group[0].num_rows()).ok(),
    })
}

/// Whether a value between the bounds can compare so. What is unknown can.
fn may_compare(bounds: &Bounds, op: CompareOp, value: &ArrayRef) -> bool {
    if bounds.rows.is_some() && bounds.nulls == bounds.rows {
        return false;
    }
    let holds = |bound: &Option<ArrayRef>, op| match bound {
        Some(bound) => compare(bound, op, value).map_or(true, |result| result.is_valid(0) && result.value(0)),
        None => value.is_valid(0),
    };
    match op {
        CompareOp::Equal => {
            holds(&bounds.min, CompareOp::LessOrEqual) && holds(&bounds.max, CompareOp::GreaterOrEqual)
        }
        CompareOp::Less | CompareOp::LessOrEqual => holds(&bounds.min, op),
        CompareOp::Greater | CompareOp::GreaterOrEqual => holds(&bounds.max, op),
        // Bounds may be wider than the values.
        CompareOp::NotEqual => value.is_valid(0),
    }
}

fn compare(column: &ArrayRef, op: CompareOp, value: &ArrayRef) -> Result<BooleanArray, ArrowError> {
    // The kernels put -0.0 before 0.0; SQL has them equal.
    if let Some((negative, positive)) = zeros(value) {
        let below = |bound: &ArrayRef, op| kernel(column, op, bound);
        return match op {
            CompareOp::Equal => {
                and(&below(&negative, CompareOp::GreaterOrEqual)?, &below(&positive, CompareOp::LessOrEqual)?)
            }
            CompareOp::NotEqual => not(&compare(column, CompareOp::Equal, value)?),
            CompareOp::Less | CompareOp::GreaterOrEqual => below(&negative, op),
            CompareOp::LessOrEqual | CompareOp::Greater => below(&positive, op),
        };
    }
    kernel(column, op, value)
}

fn kernel(column: &ArrayRef, op: CompareOp, value: &ArrayRef) -> Result<BooleanArray, ArrowError> {
    let value = Scalar::new(value);
    match op {
        CompareOp::Equal => cmp::eq(column, &value),
        CompareOp::NotEqual => cmp::neq(column, &value),
        CompareOp::Less => cmp::lt(column, &value),
        CompareOp::LessOrEqual => cmp::lt_eq(column, &value),
        CompareOp::Greater => cmp::gt(column, &value),
        CompareOp::GreaterOrEqual => cmp::gt_eq(column, &value),
    }
}

/// -0.0 and 0.0 of the value's type if it is one of them.
fn zeros(value: &ArrayRef) -> Option<(ArrayRef, ArrayRef)> {
    let is_zero = value.is_valid(0)
        && match value.data_type() {
            ArrowType::Float32 => value.as_primitive::<Float32Type>().value(0) == 0.0,
            ArrowType::Float64 => value.as_primitive::<Float64Type>().value(0) == 0.0,
            _ => false,
        };
    is_zero.then(|| -> (ArrayRef, ArrayRef) {
        if *value.data_type() == ArrowType::Float32 {
            (Arc::new(Float32Array::from(vec![-0.0])), Arc::new(Float32Array::from(vec![0.0])))
        } else {
            (Arc::new(Float64Array::from(vec![-0.0])), Arc::new(Float64Array::from(vec![0.0])))
        }
    })
}
