//! Values that follow from others of the row: computed columns, and the condition that selects rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Field};
use longshore_crds::OnMissingColumn;
use longshore_expression::{Expression, ExpressionError};
use longshore_storage::types::DataType;

use super::Zone;
use super::cast::{CastError, Context, cast};
use crate::rows::Origin;

/// Where an expression takes one of its columns from.
#[derive(Debug, Clone)]
pub enum Input {
    /// A column of the table, after its cast.
    Table(usize),
    /// A column of the file as this type, a value that does not fit as NULL; its index among the columns that
    /// the mapping was made of.
    File(usize, DataType),
    /// The number of the row in the file.
    RowNumber,
}

/// An expression with its columns.
#[derive(Debug, Clone)]
pub struct Derived {
    expression: Expression,
    inputs: Vec<Input>,
}

/// What expressions add to a mapping.
#[derive(Debug, Clone, Default)]
pub struct Expressions {
    /// By column of the table: those that are computed.
    pub computed: Vec<(usize, Derived)>,
    /// The rows that are taken.
    pub condition: Option<Derived>,
}

/// Why an expression has no values for a batch.
pub(super) enum DerivedError {
    Expression(ExpressionError),
    Cast(CastError),
}

impl From<ExpressionError> for DerivedError {
    fn from(error: ExpressionError) -> Self {
        Self::Expression(error)
    }
}

impl From<CastError> for DerivedError {
    fn from(error: CastError) -> Self {
        Self::Cast(error)
    }
}

/// The rows that an expression looks at.
pub(super) struct Rows<'a> {
    pub(super) batch: &'a RecordBatch,
    /// Places in the batch of the columns that the mapping was made of.
    pub(super) places: &'a [usize],
    /// Columns of the table that are there already.
    pub(super) table: &'a [Option<ArrayRef>],
    pub(super) origin: &'a Origin,
    pub(super) context: Context,
}

impl Derived {
    /// An expression over `inputs`, which stand for [`Expression::columns`] in that order.
    pub fn new(expression: Expression, inputs: Vec<Input>) -> Self {
        Self { expression, inputs }
    }

    /// The columns of the file that it needs.
    pub(super) fn file_columns(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().filter_map(|input| match input {
            Input::File(index, _) => Some(*index),
            _ => None,
        })
    }

    /// The columns of the table that it needs.
    pub(super) fn table_columns(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().filter_map(|input| match input {
            Input::Table(index) => Some(*index),
            _ => None,
        })
    }

    /// The value in every row, as one row.
    pub(super) fn constant(&self) -> Option<&ArrayRef> {
        self.expression.constant()
    }

    pub(super) fn values(&self, rows: &Rows<'_>) -> Result<ArrayRef, DerivedError> {
        Ok(self.expression.evaluate(&self.columns(rows)?, rows.batch.num_rows())?)
    }

    /// The rows that are taken.
    pub(super) fn selected(&self, rows: &Rows<'_>) -> Result<BooleanArray, DerivedError> {
        Ok(self.expression.condition(&self.columns(rows)?, rows.batch.num_rows())?)
    }

    fn columns(&self, rows: &Rows<'_>) -> Result<Vec<ArrayRef>, DerivedError> {
        self.inputs.iter().map(|input| column(input, rows)).collect()
    }
}

fn column(input: &Input, rows: &Rows<'_>) -> Result<ArrayRef, DerivedError> {
    match input {
        Input::Table(index) => match rows.table.get(*index) {
            Some(Some(array)) => Ok(Arc::clone(array)),
            _ => Err(CastError::MissingPart { path: String::new() }.into()),
        },
        Input::File(index, to) => {
            let place = rows.places.partition_point(|other| other < index);
            let array = rows.batch.column(place);
            // Text goes in as it comes: a dictionary is worked on once a text.
            let is_text = |array: &ArrayRef| match array.data_type() {
                ArrowType::Utf8 => true,
                ArrowType::Dictionary(..) => {
                    array.as_any_dictionary_opt().is_some_and(|a| a.values().data_type() == &ArrowType::Utf8)
                }
                _ => false,
            };
            if to.arrow() == ArrowType::Utf8 && is_text(array) {
                return Ok(Arc::clone(array));
            }
            let field: &Field = rows.batch.schema_ref().field(place);
            Ok(cast(array, field, to, &rows.context)?.array)
        }
        Input::RowNumber => {
            let number = |row| i64::try_from(rows.origin.number(row)).unwrap_or(i64::MAX);
            Ok(Arc::new((0..rows.batch.num_rows()).map(number).collect::<Int64Array>()))
        }
    }
}

/// Values as a type of the table's, NULL where one does not fit; `None`: none ever does.
pub fn as_type(values: &ArrayRef, to: &DataType, zone: Zone) -> Option<ArrayRef> {
    let field = Field::new("value", values.data_type().clone(), true);
    let context = Context { zone, on_missing: OnMissingColumn::UseDefault };
    cast(values, &field, to, &context).ok().map(|column| column.array)
}
