//! An expression over batches.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, RecordBatch, RecordBatchOptions, UInt32Array,
    new_null_array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use datafusion_common::Result as EngineResult;
use datafusion_physical_expr::PhysicalExpr;

use crate::error::{ExpressionError, Problem};
use crate::zone::Zone;

/// A checked expression with its constants folded. It may be shared by threads.
#[derive(Debug, Clone)]
pub struct Expression {
    pub(crate) place: String,
    pub(crate) physical: Arc<dyn PhysicalExpr>,
    pub(crate) data_type: DataType,
    pub(crate) columns: Vec<usize>,
    pub(crate) schema: SchemaRef,
    pub(crate) names_columns: bool,
    pub(crate) volatile: bool,
    pub(crate) constant: Option<ArrayRef>,
}

impl Expression {
    /// Path of the field in which it stands.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Type of its values.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Places, in the compiler's columns, of the columns it needs, ascending. Columns that are the same in
    /// every row are none of them.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Whether it names no column and gives the same value in every row.
    pub fn is_constant(&self) -> bool {
        !self.names_columns && !self.volatile
    }

    /// The value in every row, as one row, if all of it could be folded.
    pub fn constant(&self) -> Option<&ArrayRef> {
        self.constant.as_ref()
    }

    /// Its values over `rows` rows; `columns` are those of [`Self::columns`] in that order. A text may come
    /// as a dictionary, and over one such column alone each distinct text is worked on once.
    ///
    /// A row on which the engine fails is NULL, and so is none of its neighbours. The error is about the
    /// columns that were given.
    pub fn evaluate(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, ExpressionError> {
        self.values(columns, rows).map_err(|error| ExpressionError {
            place: self.place.clone(),
            line: 0,
            column: 0,
            problem: Problem::Engine(error.strip_backtrace()),
        })
    }

    /// The rows for which the condition is true; NULL is not.
    pub fn condition(&self, columns: &[ArrayRef], rows: usize) -> Result<BooleanArray, ExpressionError> {
        let values = self.evaluate(columns, rows)?;
        let values = values.as_boolean_opt().ok_or_else(|| ExpressionError {
            place: self.place.clone(),
            line: 0,
            column: 0,
            problem: Problem::Engine("the condition gives no BOOLEAN".to_owned()),
        })?;
        Ok(if values.null_count() == 0 {
            values.clone()
        } else {
            arrow::compute::prep_null_mask_filter(values)
        })
    }

    fn values(&self, columns: &[ArrayRef], rows: usize) -> EngineResult<ArrayRef> {
        if let Some(constant) = &self.constant {
            return Ok(take(constant, &UInt32Array::from(vec![0; rows]), None)?);
        }
        if let [only] = columns
            && !self.volatile
            && let Some(dictionary) = only.as_dictionary_opt::<Int32Type>()
            && dictionary.values().len() < rows
        {
            return self.over_dictionary(dictionary.keys(), dictionary.values());
        }
        let columns: Vec<ArrayRef> = columns
            .iter()
            .zip(self.schema.fields())
            .map(|(column, field)| crate::cast::cast_values(column, field.data_type(), Zone::UTC))
            .collect::<EngineResult<_>>()?;
        self.each(&columns, rows)
    }

    /// Each distinct value once, and NULL once.
    fn over_dictionary(&self, keys: &Int32Array, values: &ArrayRef) -> EngineResult<ArrayRef> {
        let wanted = self.schema.field(0).data_type();
        let values = crate::cast::cast_values(values, wanted, Zone::UTC)?;
        let null = new_null_array(wanted, 1);
        let distinct = concat(&[values.as_ref(), null.as_ref()])?;
        let of_distinct = self.each(&[distinct], values.len() + 1)?;
        let last = i32::try_from(values.len()).unwrap_or(i32::MAX);
        let places: Int32Array = keys.iter().map(|key| Some(key.unwrap_or(last))).collect();
        Ok(take(&of_distinct, &places, None)?)
    }

    /// The values; where the engine fails the rows are halved until the failing ones stand alone, and are
    /// NULL.
    fn each(&self, columns: &[ArrayRef], rows: usize) -> EngineResult<ArrayRef> {
        match self.once(columns, rows) {
            Ok(values) => Ok(values),
            Err(_) if rows == 1 => Ok(new_null_array(&self.data_type, 1)),
            Err(error) if rows == 0 => Err(error),
            Err(_) => {
                let half = rows / 2;
                let part = |from: usize, length: usize| {
                    let columns: Vec<ArrayRef> =
                        columns.iter().map(|column| column.slice(from, length)).collect();
                    self.each(&columns, length)
                };
                let (first, second) = (part(0, half)?, part(half, rows - half)?);
                Ok(concat(&[first.as_ref(), second.as_ref()])?)
            }
        }
    }

    fn once(&self, columns: &[ArrayRef], rows: usize) -> EngineResult<ArrayRef> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns.to_vec(), &options)?;
        let values = self.physical.evaluate(&batch)?.into_array(rows)?;
        if values.data_type() == &self.data_type {
            return Ok(values);
        }
        crate::cast::cast_values(&values, &self.data_type, Zone::UTC)
    }

    /// Evaluates no row: what the engine does not take of the types shows before the first batch.
    pub(crate) fn try_out(&self) -> EngineResult<()> {
        let columns: Vec<ArrayRef> =
            self.schema.fields().iter().map(|field| new_null_array(field.data_type(), 0)).collect();
        self.once(&columns, 0).map(|_| ())
    }
}
