//! The run buffer: rows in the order they came, by column, each with the number of its tablet.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Field, Schema as ArrowSchema, SchemaRef};

use super::TabletError;
use super::column::ColumnBuffer;
use super::key::{KeyPlan, KeyRange};
use super::route::Router;
use super::sort;
use crate::schema::TableSchema;

/// Most rows of a run: they are numbered in 32 bits.
const MAX_ROWS: usize = 1 << 31;
/// Bytes a row costs beside its columns: its tablet and its number.
const ROW_BYTES: usize = 2 + 4;

/// Rows of one run.
#[derive(Debug)]
pub(crate) struct RunBuffer {
    columns: Vec<ColumnBuffer>,
    types: Vec<ArrowType>,
    schema: Arc<TableSchema>,
    tablets: Vec<u16>,
    rows_of_tablet: Vec<u32>,
    ranges: Vec<KeyRange>,
}

/// Rows of one tablet by their numbers in the run.
pub(crate) struct TabletRows<'a> {
    /// Bucket of the tablet.
    pub(crate) tablet: u16,
    /// Numbers of the rows.
    pub(crate) rows: &'a mut [u32],
}

impl RunBuffer {
    /// An empty buffer that may use `share` bytes, order included.
    pub(crate) fn new(schema: Arc<TableSchema>, share: usize) -> Self {
        let types: Vec<ArrowType> = schema.columns().iter().map(|c| c.data_type.arrow()).collect();
        let mut columns: Vec<ColumnBuffer> = types.iter().map(ColumnBuffer::new).collect();
        let row_bytes = ROW_BYTES + columns.iter().map(ColumnBuffer::row_bytes).sum::<usize>();
        let most = (share / row_bytes).min(MAX_ROWS);
        columns.iter_mut().for_each(|column| column.reserve(most));
        Self {
            columns,
            types,
            tablets: Vec::with_capacity(most),
            rows_of_tablet: vec![0; schema.buckets() as usize],
            ranges: vec![KeyRange::EMPTY; schema.sort_key().len()],
            schema,
        }
    }

    /// Rows held.
    pub(crate) fn rows(&self) -> usize {
        self.tablets.len()
    }

    /// Ranges of the key columns over the rows held.
    pub(crate) fn ranges(&self) -> &[KeyRange] {
        &self.ranges
    }

    /// The columns.
    pub(crate) fn columns(&self) -> &[ColumnBuffer] {
        &self.columns
    }

    /// Arrow types of the columns.
    pub(crate) fn types(&self) -> &[ArrowType] {
        &self.types
    }

    /// Tablets that have rows.
    pub(crate) fn touched_tablets(&self) -> usize {
        self.rows_of_tablet.iter().filter(|rows| **rows > 0).count()
    }

    /// Bytes in use, without what ordering will need.
    pub(crate) fn memory(&self) -> usize {
        self.rows() * ROW_BYTES + self.columns.iter().map(ColumnBuffer::memory).sum::<usize>()
    }

    /// Bytes that the buffer will need once `batch` is in it and `threads` threads order it.
    pub(crate) fn memory_with(&self, batch: &RecordBatch, threads: usize) -> usize {
        let added = batch.num_rows();
        let cost: usize =
            self.columns.iter().zip(batch.columns()).map(|(buffer, array)| buffer.cost(array)).sum();
        let largest = self.rows_of_tablet.iter().copied().max().unwrap_or(0) as usize + added;
        let ordered = (largest * threads).min(self.rows() + added);
        self.memory() + cost + added * ROW_BYTES + ordered * self.order_bytes()
    }

    /// Whether more rows can be numbered.
    pub(crate) fn can_take(&self, rows: usize) -> bool {
        self.rows() + rows <= MAX_ROWS
    }

    /// Bytes that ordering needs for a row.
    fn order_bytes(&self) -> usize {
        let sort_key = self.schema.sort_key();
        if sort_key.is_empty() {
            return 0;
        }
        match KeyPlan::shape(sort_key, &self.ranges, &self.columns, &self.types) {
            Some(bits) => sort::order_bytes_of_numbers(bits, self.rows()),
            None => {
                let rows = self.rows().max(1);
                let of_column = |&column: &usize| self.columns[column].memory() / rows + 10;
                sort::order_bytes_of_rows(sort_key.iter().map(of_column).sum())
            }
        }
    }

    /// Looks ahead at a batch. `false`: text columns that were codes will become texts with it.
    pub(crate) fn prepare(&mut self, batch: &RecordBatch) -> bool {
        let columns = self.columns.iter_mut().zip(batch.columns());
        columns.fold(true, |all, (buffer, array)| buffer.prepare(array) && all)
    }

    /// Routes and copies the rows of a batch that has the table's columns and was prepared.
    pub(crate) fn append(&mut self, batch: &RecordBatch, router: &mut Router) -> Result<(), TabletError> {
        let before = self.tablets.len();
        router.route(batch, &mut self.tablets)?;
        for tablet in &self.tablets[before..] {
            self.rows_of_tablet[*tablet as usize] += 1;
        }
        for (range, &column) in self.ranges.iter_mut().zip(self.schema.sort_key()) {
            *range = range.union(KeyRange::of(batch.column(column).as_ref()));
        }
        for (buffer, array) in self.columns.iter_mut().zip(batch.columns()) {
            buffer.append(array)?;
        }
        Ok(())
    }

    /// Row numbers grouped by tablet, ascending in each.
    pub(crate) fn group(&self) -> Vec<u32> {
        let mut next = Vec::with_capacity(self.rows_of_tablet.len());
        let mut start = 0u32;
        for rows in &self.rows_of_tablet {
            next.push(start);
            start += rows;
        }
        let mut grouped = vec![0; self.tablets.len()];
        for (row, tablet) in (0..).zip(&self.tablets) {
            let place = &mut next[*tablet as usize];
            grouped[*place as usize] = row;
            *place += 1;
        }
        grouped
    }

    /// Cuts grouped row numbers by tablet; the tablet with most rows comes last.
    pub(crate) fn split<'a>(&self, mut grouped: &'a mut [u32]) -> Vec<TabletRows<'a>> {
        let mut tablets = Vec::with_capacity(self.rows_of_tablet.len());
        for (tablet, rows) in (0..).zip(&self.rows_of_tablet) {
            let (own, rest) = grouped.split_at_mut(*rows as usize);
            grouped = rest;
            if !own.is_empty() {
                tablets.push(TabletRows { tablet, rows: own });
            }
        }
        tablets.sort_by_key(|tablet| tablet.rows.len());
        tablets
    }

    /// How to order the rows held now, whose keys keep to `ranges`.
    pub(crate) fn key_plan(&self, ranges: &[KeyRange]) -> KeyPlan {
        KeyPlan::new(self.schema.sort_key(), ranges, &self.columns, &self.types)
    }

    /// What is needed to gather rows from several threads.
    pub(crate) fn gatherer(&mut self) -> Gatherer {
        let columns = self.columns.iter_mut();
        let dictionaries: Vec<Option<ArrayRef>> =
            columns.map(|column| column.is_codes().then(|| column.dictionary_array())).collect();
        let fields =
            self.schema.arrow().fields().iter().zip(&dictionaries).map(
                |(field, dictionary)| match dictionary {
                    Some(values) => {
                        let values = Box::new(values.data_type().clone());
                        Field::new(
                            field.name(),
                            ArrowType::Dictionary(Box::new(ArrowType::Int32), values),
                            true,
                        )
                    }
                    None => field.as_ref().clone().with_nullable(true),
                },
            );
        let schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
        Gatherer { dictionaries, schema, varies: self.columns.iter().any(ColumnBuffer::varies) }
    }

    /// All dictionaries' arrays, also of columns that are no longer kept as codes.
    pub(crate) fn dictionary_arrays(&mut self) -> Vec<ArrayRef> {
        self.columns.iter_mut().map(ColumnBuffer::dictionary_array).collect()
    }

    /// Forgets the rows, keeps the room.
    pub(crate) fn clear(&mut self) {
        self.columns.iter_mut().for_each(ColumnBuffer::clear);
        self.tablets.clear();
        self.rows_of_tablet.fill(0);
        self.ranges.fill(KeyRange::EMPTY);
    }

    /// Forgets the rows and the room; dictionaries stay.
    pub(crate) fn release(&mut self) {
        self.clear();
        self.columns.iter_mut().for_each(ColumnBuffer::release);
        self.tablets = Vec::new();
    }
}

/// Gathers rows of a run buffer as record batches.
pub(crate) struct Gatherer {
    dictionaries: Vec<Option<ArrayRef>>,
    schema: SchemaRef,
    varies: bool,
}

impl Gatherer {
    /// The rows in the order given.
    pub(crate) fn gather(&self, run: &RunBuffer, rows: &[u32]) -> Result<RecordBatch, TabletError> {
        let columns = run.columns.iter().zip(&self.dictionaries);
        let arrays = columns.map(|(column, dictionary)| column.gather(rows, dictionary.as_ref()));
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
        let fixed: usize = run.columns.iter().map(ColumnBuffer::row_bytes).sum();
        let most = rows.len().min(most_rows).min((most_bytes / fixed.max(1)).max(1));
        if !self.varies {
            return most;
        }
        let mut bytes = 0;
        for (count, row) in rows[..most].iter().enumerate() {
            bytes +=
                fixed + run.columns.iter().map(|column| column.value_bytes(*row as usize)).sum::<usize>();
            if bytes > most_bytes {
                return count.max(1);
            }
        }
        most
    }
}
