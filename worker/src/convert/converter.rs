//! Batches of a file's columns into batches of the table's, and the rows that do not fit.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::{FilterBuilder, take};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use longshore_storage::schema::{DefaultValue, PartitionIndices, Partitioner};

use super::Zone;
use super::cast::{CastError, Context, cast};
use super::column::Column;
use super::default::{current_timestamp, literal, uuids};
use super::dictionary::DictionaryMemory;
use super::error::ConvertError;
use super::mapping::{Feed, FileMapping};
use super::quality::{Reason, Rejects, describe};
use super::type_name::type_name;
use crate::rows::{Origin, RejectedRow};

/// What a request says about values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A value that cannot be cast filters its row (true) or becomes NULL (false).
    pub strict: bool,
    /// Zone in which an instant becomes a DATETIME.
    pub timezone: Zone,
    /// The one instant of CURRENT_TIMESTAMP of a load, microseconds since the epoch, UTC.
    pub now_micros: i64,
}

/// A converted batch.
#[derive(Debug)]
pub struct Converted {
    /// The rows that fit, the table's columns in order, types of the table's Arrow schema; but a text column
    /// may come as `Dictionary(Int32, Utf8)`, then without NULL among its values.
    pub batch: RecordBatch,
    /// Number of rows that do not fit; with those of `batch` they add up to the rows that went in.
    pub filtered: u64,
    /// The first of them, at most as many as were asked for, in order of rows.
    pub rejected: Vec<RejectedRow>,
}

/// Converts the batches of one file. It remembers the last dictionary of each column.
#[derive(Debug)]
pub struct Converter {
    mapping: Arc<FileMapping>,
    rules: Rules,
    dictionaries: Vec<DictionaryMemory>,
    /// For columns that are the same in every row: as many rows as the longest batch so far.
    constants: Vec<Option<ArrayRef>>,
    schema: SchemaRef,
    /// Of a table whose partitions are declared.
    partitioner: Option<Partitioner>,
    /// Of the last batch.
    partitions: PartitionIndices,
}

impl Converter {
    /// A converter for the file of `mapping`.
    pub fn new(mapping: impl Into<Arc<FileMapping>>, rules: Rules) -> Self {
        let mapping = mapping.into();
        let columns = mapping.feeds.len();
        Self {
            schema: Arc::clone(mapping.table.arrow()),
            partitioner: Partitioner::new(&mapping.table).filter(Partitioner::can_reject),
            partitions: PartitionIndices::default(),
            dictionaries: std::iter::repeat_with(DictionaryMemory::default).take(columns).collect(),
            constants: vec![None; columns],
            mapping,
            rules,
        }
    }

    /// Converts a batch that holds the projected columns in the projection's order. `origin`: where
    /// its rows stand in the file; `keep`: how many rejected rows to describe at most. Columns in which
    /// nothing changes are passed on without a copy.
    pub fn convert(
        &mut self,
        batch: &RecordBatch,
        origin: &Origin,
        keep: usize,
    ) -> Result<Converted, ConvertError> {
        let expected = self.mapping.projection().len();
        if batch.num_columns() != expected {
            let file = self.mapping.file.clone();
            return Err(ConvertError::Projection { file, found: batch.num_columns(), expected });
        }
        let table = Arc::clone(&self.mapping.table);
        let mut rejects = Rejects::new(batch.num_rows(), self.rules.strict);
        let mut arrays = Vec::with_capacity(table.columns().len());
        for (index, declared) in table.columns().iter().enumerate() {
            let column = self.column(index, batch)?;
            rejects.add(index, &column, declared.nullable);
            arrays.push(column.array);
        }
        self.check_partitions(&arrays, &mut rejects)?;
        let (kept, reasons) = rejects.finish();
        let mut rows = batch.num_rows();
        if let Some(kept) = kept {
            let filter = FilterBuilder::new(&kept).optimize().build();
            for (index, array) in arrays.iter_mut().enumerate() {
                *array = filter.filter(array).map_err(|error| self.arrow_error(index, error))?;
            }
            rows -= reasons.len();
        }
        let rejected = self.describe(batch, &reasons[..keep.min(reasons.len())], origin)?;
        Ok(Converted { batch: self.assemble(arrays, rows)?, filtered: reasons.len() as u64, rejected })
    }

    /// Where partitions are declared, a row must belong to one.
    fn check_partitions(&mut self, arrays: &[ArrayRef], rejects: &mut Rejects) -> Result<(), ConvertError> {
        let Some(partitioner) = &mut self.partitioner else { return Ok(()) };
        let column = partitioner.columns().next().unwrap_or_default();
        let assigned = partitioner.assign_columns(arrays, &mut self.partitions);
        assigned.map_err(|error| self.arrow_error(column, error))?;
        rejects.add_partitions(column, &self.partitions);
        Ok(())
    }

    fn column(&mut self, index: usize, batch: &RecordBatch) -> Result<Column, ConvertError> {
        let (place, field) = match &self.mapping.feeds[index] {
            Feed::File(place, field) => (*place, field),
            Feed::Default(default) => {
                let default = default.clone();
                return self.default(index, &default, batch.num_rows()).map(Column::fits);
            }
            Feed::Null => {
                let to = self.mapping.table.arrow().field(index).data_type().clone();
                return self.constant(index, batch.num_rows(), |rows| Ok(new_null_array(&to, rows)));
            }
        };
        let array = batch.column(place);
        let to = &self.mapping.table.columns()[index].data_type;
        let context = Context { zone: self.rules.timezone, on_missing: self.mapping.on_missing };
        let cast = match array.data_type() {
            ArrowType::Dictionary(..) => self.dictionaries[index].cast(array, field, to, &context),
            _ => cast(array, field, to, &context),
        };
        cast.map_err(|error| match error {
            CastError::Arrow(error) => self.arrow_error(index, error),
            refused => {
                let column = &self.mapping.table.columns()[index];
                let types = || (type_name(field), column.data_type.to_string());
                refused.at(&self.mapping.file, &column.name, types).into()
            }
        })
    }

    fn default(
        &mut self,
        index: usize,
        default: &DefaultValue,
        rows: usize,
    ) -> Result<ArrayRef, ConvertError> {
        let table = Arc::clone(&self.mapping.table);
        let column = &table.columns()[index];
        let Rules { timezone, now_micros, .. } = self.rules;
        let one_row = match default {
            DefaultValue::Uuid => {
                return uuids(rows)
                    .map_err(|error| ConvertError::Random { column: column.name.clone(), error });
            }
            DefaultValue::Literal(text) => literal(column, text, timezone),
            DefaultValue::CurrentTimestamp => current_timestamp(column, now_micros, timezone),
        }?;
        let column = self.constant(index, rows, |rows| {
            // Row 0 of the one row, again and again.
            take(&one_row, &UInt32Array::from(vec![0; rows]), None)
        })?;
        Ok(column.array)
    }

    fn constant(
        &mut self,
        index: usize,
        rows: usize,
        make: impl FnOnce(usize) -> Result<ArrayRef, arrow::error::ArrowError>,
    ) -> Result<Column, ConvertError> {
        let array = match self.constants[index].take() {
            Some(array) if array.len() >= rows => array,
            _ => make(rows).map_err(|error| self.arrow_error(index, error))?,
        };
        let column = Column::fits(array.slice(0, rows));
        self.constants[index] = Some(array);
        Ok(column)
    }

    fn describe(
        &self,
        batch: &RecordBatch,
        reasons: &[Reason],
        origin: &Origin,
    ) -> Result<Vec<RejectedRow>, ConvertError> {
        let describe_one = |&reason: &Reason| {
            let column = &self.mapping.table.columns()[reason.column];
            let place = match &self.mapping.feeds[reason.column] {
                Feed::File(place, _) => Some(*place),
                Feed::Default(_) | Feed::Null => None,
            };
            let target = (column.name.as_str(), &column.data_type);
            describe(batch, reason, place, target, origin, self.rules.timezone)
                .map_err(|error| self.arrow_error(reason.column, error))
        };
        reasons.iter().map(describe_one).collect()
    }

    /// The table's own schema where all types are the table's, else one with the dictionaries named; it is
    /// made again only when they change.
    fn assemble(&mut self, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ConvertError> {
        let same = |schema: &SchemaRef| {
            schema.fields().iter().zip(&arrays).all(|(field, array)| field.data_type() == array.data_type())
        };
        if !same(&self.schema) {
            let fields = self.mapping.table.arrow().fields().iter().zip(&arrays);
            let fields: Vec<Field> = fields
                .map(|(field, array)| field.as_ref().clone().with_data_type(array.data_type().clone()))
                .collect();
            self.schema = Arc::new(Schema::new(fields));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| self.arrow_error(0, error))
    }

    fn arrow_error(&self, index: usize, error: arrow::error::ArrowError) -> ConvertError {
        let columns = self.mapping.table.columns();
        let column = columns.get(index).map(|column| column.name.clone()).unwrap_or_default();
        ConvertError::Arrow { file: self.mapping.file.clone(), column, error }
    }
}
