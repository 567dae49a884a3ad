//! Batches of a file's columns into batches of the table's, and the rows that do not fit.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, RecordBatchOptions, UInt32Array,
    new_null_array,
};
use arrow::compute::{FilterBuilder, take};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use longshore_storage::schema::{DefaultValue, PartitionIndices, Partitioner};

use super::Zone;
use super::cast::{CastError, Context, cast};
use super::column::{Column, Misfit};
use super::default::{current_timestamp, literal, uuids};
use super::derived::{Derived, DerivedError, Rows};
use super::dictionary::DictionaryMemory;
use super::error::ConvertError;
use super::mapping::{Feed, FileMapping};
use super::quality::{Reason, Rejects, describe};
use super::type_name::type_name;
use crate::rows::{Origin, RejectedKind, RejectedRow};

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
    /// Number of rows that do not fit; with those of `batch` and the unselected ones they add up to the rows
    /// that went in.
    pub filtered: u64,
    /// Number of rows that the condition leaves out.
    pub unselected: u64,
    /// All of them, by column and code.
    pub kinds: Vec<RejectedKind>,
    /// Some of them, at most as many as were asked for, in order of rows: the first, and where these are not
    /// of every kind, the first of each.
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
    /// Zeros, as many as the longest batch so far had rows.
    keys: Int32Array,
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
            keys: Int32Array::from(Vec::<i32>::new()),
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
        let batch = &self.with_constants(batch)?;
        let mut rejects = Rejects::new(batch.num_rows(), self.rules.strict);
        let columns = self.columns(batch, origin)?;
        for ((index, declared), column) in table.columns().iter().enumerate().zip(&columns) {
            let computed = matches!(self.mapping.feeds[index], Feed::Computed(_));
            rejects.add(index, column, declared.nullable, computed);
        }
        let mut arrays: Vec<ArrayRef> = columns.iter().map(|column| Arc::clone(&column.array)).collect();
        self.check_partitions(&arrays, &mut rejects)?;
        let unselected = self.select(batch, origin, &columns, &mut rejects)?;
        drop(columns);
        let (kept, reasons) = rejects.finish();
        let mut rows = batch.num_rows();
        if let Some(kept) = kept {
            let filter = FilterBuilder::new(&kept).optimize().build();
            for (index, array) in arrays.iter_mut().enumerate() {
                *array = filter.filter(array).map_err(|error| self.arrow_error(index, error))?;
            }
            rows = filter.count();
        }
        let rejected = self.describe(batch, &worth_describing(&reasons, keep), origin)?;
        let (kinds, filtered) = (self.kinds(&reasons), reasons.len() as u64);
        Ok(Converted { batch: self.assemble(arrays, rows)?, filtered, unselected, kinds, rejected })
    }

    /// The batch with the columns that are the same in each row of the file: a dictionary of one value each.
    fn with_constants(&mut self, batch: &RecordBatch) -> Result<RecordBatch, ConvertError> {
        if self.mapping.constants.is_empty() {
            return Ok(batch.clone());
        }
        let rows = batch.num_rows();
        if self.keys.len() < rows {
            self.keys = Int32Array::from(vec![0; rows]);
        }
        let mut fields: Vec<Arc<Field>> = batch.schema_ref().fields().iter().cloned().collect();
        let mut columns = batch.columns().to_vec();
        for (field, value) in &self.mapping.constants {
            let array: ArrayRef = if value.is_null(0) {
                new_null_array(field.data_type(), rows)
            } else {
                let keys = self.keys.slice(0, rows);
                let array = DictionaryArray::try_new(keys, Arc::clone(value));
                Arc::new(array.map_err(|error| self.arrow_error(0, error))?)
            };
            fields.push(Arc::new(field.as_ref().clone().with_data_type(array.data_type().clone())));
            columns.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(|error| self.arrow_error(0, error))
    }

    /// The columns of the table: first those that need no other, then those that are computed from them.
    fn columns(&mut self, batch: &RecordBatch, origin: &Origin) -> Result<Vec<Column>, ConvertError> {
        let mapping = Arc::clone(&self.mapping);
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; mapping.feeds.len()];
        let mut columns: Vec<Option<Column>> = vec![None; mapping.feeds.len()];
        for (index, feed) in mapping.feeds.iter().enumerate() {
            if !matches!(feed, Feed::Computed(_)) {
                let column = self.column(index, batch)?;
                arrays[index] = Some(Arc::clone(&column.array));
                columns[index] = Some(column);
            }
        }
        for (index, feed) in mapping.feeds.iter().enumerate() {
            if let Feed::Computed(derived) = feed {
                columns[index] = Some(self.computed(index, derived, &self.rows(batch, origin, &arrays))?);
            }
        }
        Ok(columns.into_iter().flatten().collect())
    }

    fn rows<'a>(
        &'a self,
        batch: &'a RecordBatch,
        origin: &'a Origin,
        table: &'a [Option<ArrayRef>],
    ) -> Rows<'a> {
        let context = Context { zone: self.rules.timezone, on_missing: self.mapping.on_missing };
        Rows { batch, places: &self.mapping.places, table, origin, context }
    }

    /// A computed column; what is the same in every row is cast once a batch, not once a row.
    fn computed(&self, index: usize, derived: &Derived, rows: &Rows<'_>) -> Result<Column, ConvertError> {
        let declared = &self.mapping.table.columns()[index];
        let values = match derived.constant() {
            Some(value) => Arc::clone(value),
            None => derived.values(rows).map_err(|error| self.derived_error(index, error))?,
        };
        let field = Field::new(&declared.name, values.data_type().clone(), true);
        let column = cast(&values, &field, &declared.data_type, &rows.context)
            .map_err(|error| self.derived_error(index, error.into()))?;
        if derived.constant().is_none() {
            return Ok(column);
        }
        let repeated = take(&column.array, &UInt32Array::from(vec![0; rows.batch.num_rows()]), None);
        let array = repeated.map_err(|error| self.arrow_error(index, error))?;
        let fault = column.misfits.first().map(|misfit| misfit.fault);
        let misfits =
            fault.into_iter().flat_map(|fault| (0..array.len()).map(move |row| Misfit { row, fault }));
        Ok(Column { misfits: misfits.collect(), array })
    }

    /// Leaves out the rows for which the condition is not true; gives their number.
    fn select(
        &self,
        batch: &RecordBatch,
        origin: &Origin,
        columns: &[Column],
        rejects: &mut Rejects,
    ) -> Result<u64, ConvertError> {
        let Some(condition) = &self.mapping.condition else { return Ok(0) };
        let arrays: Vec<Option<ArrayRef>> =
            columns.iter().map(|column| Some(Arc::clone(&column.array))).collect();
        let selected = condition
            .selected(&self.rows(batch, origin, &arrays))
            .map_err(|error| self.derived_error(0, error))?;
        let undecided = condition
            .table_columns()
            .filter(|index| !matches!(self.mapping.feeds[*index], Feed::Computed(_)))
            .flat_map(|index| &columns[index].misfits)
            .filter(|misfit| self.rules.strict || misfit.fault.filters_always())
            .map(|misfit| misfit.row)
            .collect();
        Ok(rejects.select(&selected, &undecided))
    }

    fn derived_error(&self, index: usize, error: DerivedError) -> ConvertError {
        match error {
            DerivedError::Expression(error) => {
                ConvertError::Expression { file: self.mapping.file.clone(), error: Box::new(error) }
            }
            DerivedError::Cast(CastError::Arrow(error)) => self.arrow_error(index, error),
            DerivedError::Cast(refused) => {
                let column = &self.mapping.table.columns()[index];
                refused
                    .at(&self.mapping.file, &column.name, || (String::new(), column.data_type.to_string()))
                    .into()
            }
        }
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
            // Those are made after all others.
            Feed::Computed(_) => return Ok(Column::fits(new_null_array(&ArrowType::Null, 0))),
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
                Feed::Computed(_) | Feed::Default(_) | Feed::Null => None,
            };
            let target = (column.name.as_str(), &column.data_type);
            describe(batch, reason, place, target, origin, self.rules.timezone)
                .map_err(|error| self.arrow_error(reason.column, error))
        };
        reasons.iter().map(describe_one).collect()
    }

    fn kinds(&self, reasons: &[Reason]) -> Vec<RejectedKind> {
        let mut kinds: Vec<(Reason, u64)> = Vec::new();
        for reason in reasons {
            match kinds.iter_mut().find(|(first, _)| first.is_like(reason)) {
                Some((_, rows)) => *rows += 1,
                None => kinds.push((*reason, 1)),
            }
        }
        let named = |(reason, rows): (Reason, u64)| RejectedKind {
            column: self.mapping.table.columns()[reason.column].name.clone(),
            code: reason.fault.code(),
            rows,
        };
        kinds.into_iter().map(named).collect()
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

/// Of the rows that do not fit, at most `keep`: the first of each kind, then the first.
fn worth_describing(reasons: &[Reason], keep: usize) -> Vec<Reason> {
    if reasons.len() <= keep {
        return reasons.to_vec();
    }
    let mut chosen: Vec<Reason> = Vec::new();
    for reason in reasons {
        if chosen.len() < keep && !chosen.iter().any(|first| first.is_like(reason)) {
            chosen.push(*reason);
        }
    }
    let is_first: HashSet<usize> = chosen.iter().map(|reason| reason.row).collect();
    let others = reasons.iter().filter(|reason| !is_first.contains(&reason.row));
    let room = keep - chosen.len();
    chosen.extend(others.take(room));
    chosen.sort_unstable_by_key(|reason| reason.row);
    chosen
}
