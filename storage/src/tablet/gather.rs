//! Rows of a run as record batches, in any order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Field, Schema as ArrowSchema, SchemaRef};

use super::TabletError;
use super::run::RunBuffer;

/// Gathers rows of a run buffer as record batches.
pub(crate) struct Gatherer {
    dictionaries: Vec<Option<ArrayRef>>,
    schema: SchemaRef,
    varies: bool,
}

impl Gatherer {
    /// Gathers columns of a table whose text columns in codes have `dictionaries`; `varies`: values beside
    /// the records differ in size.
    pub(crate) fn new(table: &ArrowSchema, dictionaries: Vec<Option<ArrayRef>>, varies: bool) -> Self {
        let fields = table.fields().iter().zip(&dictionaries).map(|(field, dictionary)| match dictionary {
            Some(values) => {
                let values = Box::new(values.data_type().clone());
                Field::new(field.name(), ArrowType::Dictionary(Box::new(ArrowType::Int32), values), true)
            }
            None => field.as_ref().clone().with_nullable(true),
        });
        let schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
        Self { dictionaries, schema, varies }
    }

    /// The rows in the order given.
    pub(crate) fn gather(&self, run: &RunBuffer, rows: &[u32]) -> Result<RecordBatch, TabletError> {
        let columns = run.columns().iter().zip(&self.dictionaries);
        let arrays =
            columns.map(|(column, dictionary)| column.gather(run.records(), rows, dictionary.as_ref()));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays.collect::<Result<_, _>>()?)?)
    }

    /// How many of the first of `rows` make a block of at most `most_rows` rows and about `most_bytes`.
    pub(crate) fn block_rows(
        &self,
        run: &RunBuffer,
        rows: &[u32],
        most_rows: usize,
        most_bytes: usize,
    ) -> usize {
        let fixed = run.records().width();
        let most = rows.len().min(most_rows).min((most_bytes / fixed.max(1)).max(1));
        if !self.varies {
            return most;
        }
        let mut bytes = 0;
        for (count, row) in rows[..most].iter().enumerate() {
            bytes += fixed
                + run
                    .columns()
                    .iter()
                    .map(|column| column.value_bytes(run.records(), *row as usize))
                    .sum::<usize>();
            if bytes > most_bytes {
                return count.max(1);
            }
        }
        most
    }
}
