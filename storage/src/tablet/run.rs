//! The run buffer: rows in the order they came, each with the number of its tablet. A full run is moved to
//! parts that fit the cache, by tablet and leading bits of the key, and ordered part by part.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType as ArrowType;

use super::TabletError;
use super::column::{Column, Slot};
use super::gather::Gatherer;
use super::key::{KeyPlan, KeyRange, NumberPlan};
use super::part::{PART_BYTES, Parting};
use super::records::Records;
use super::route::Router;
use super::sort;
use super::tablets::{Tablet, TabletNumbers};
use crate::schema::TableSchema;

/// Most rows that are routed and copied at a time, and their bytes: they stay in the cache meanwhile.
const APPEND_ROWS: usize = 8192;
const APPEND_BYTES: usize = 256 << 10;
/// Most rows of a run: they are numbered in 32 bits.
const MAX_ROWS: usize = 1 << 31;
/// A run is not moved to parts if one of them would hold more than this share of its rows.
const HEAVY: usize = 16;
/// Bytes a row costs beside its columns: its tablet and its number.
const ROW_BYTES: usize = 2 + 4;

/// Rows of one run.
#[derive(Debug)]
pub(crate) struct RunBuffer {
    columns: Vec<Column>,
    records: Records,
    /// Room to move the records to.
    spare: Records,
    types: Vec<ArrowType>,
    /// Bytes that rows, text and order may take together.
    share: usize,
    schema: Arc<TableSchema>,
    numbers: TabletNumbers,
    /// By row the number of its tablet.
    tablets: Vec<u16>,
    rows_of_tablet: Vec<u32>,
    ranges: Vec<KeyRange>,
}

/// Rows of one tablet by their numbers in the run.
pub(crate) struct TabletRows<'a> {
    pub(crate) tablet: Tablet,
    /// Number of rows.
    pub(crate) count: usize,
    pub(crate) rows: Rows<'a>,
}

/// Where the rows of a tablet are.
pub(crate) enum Rows<'a> {
    /// Anywhere: their numbers, ascending until they are ordered.
    Numbers(&'a mut [u32]),
    /// In ranges of the run whose keys follow each other; only in a range they are to be ordered.
    Ranges(Vec<Range<u32>>),
}

impl RunBuffer {
    /// An empty buffer that may use `share` bytes, order included.
    pub(crate) fn new(schema: Arc<TableSchema>, share: usize) -> Self {
        let types: Vec<ArrowType> = schema.columns().iter().map(|c| c.data_type.arrow()).collect();
        let numbers = TabletNumbers::new(schema.buckets(), !schema.partition_columns().is_empty());
        let mut run = Self {
            columns: types.iter().map(Column::new).collect(),
            records: Records::new(1),
            spare: Records::new(1),
            types,
            share,
            tablets: Vec::new(),
            rows_of_tablet: vec![0; numbers.len()],
            numbers,
            ranges: vec![KeyRange::EMPTY; schema.sort_key().len()],
            schema,
        };
        run.lay_out();
        run
    }

    /// Gives each column its place in the records, which are none.
    fn lay_out(&mut self) {
        let mut width = self.columns.len().div_ceil(8);
        for (number, column) in self.columns.iter_mut().enumerate() {
            column.place(Slot::new(width, number));
            width += column.kind().width();
        }
        let most = (self.share / (width + ROW_BYTES)).min(MAX_ROWS);
        self.records = Records::new(width);
        self.records.reserve(most);
        self.spare = Records::new(width);
        self.tablets.reserve_exact(most.saturating_sub(self.tablets.len()));
    }

    /// Rows that are best appended at a time.
    pub(crate) fn piece_rows(&self) -> usize {
        (APPEND_BYTES / self.records.width()).clamp(64, APPEND_ROWS)
    }

    /// The records.
    pub(crate) fn records(&self) -> &Records {
        &self.records
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
    pub(crate) fn columns(&self) -> &[Column] {
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

    fn row_bytes(&self) -> usize {
        self.records.width() + ROW_BYTES
    }

    /// Bytes in use, without what ordering will need.
    pub(crate) fn memory(&self) -> usize {
        let columns: usize = self.columns.iter().map(Column::memory).sum();
        self.rows() * self.row_bytes() + columns + self.numbers.memory()
    }

    /// Bytes that the buffer will need once `batch` is in it and `threads` threads order it.
    pub(crate) fn memory_with(&self, batch: &RecordBatch, threads: usize) -> usize {
        let added = batch.num_rows();
        let cost: usize =
            self.columns.iter().zip(batch.columns()).map(|(column, array)| column.cost(array)).sum();
        let rows = self.rows() + added;
        let room = self.memory() + cost + added * self.row_bytes();
        let order_bytes = self.order_bytes();
        if self.moves_records() {
            // Either the copies, with the order of a few large parts beside them, or the order of all.
            let moved = self.records.width() + threads * order_bytes / HEAVY;
            return room + rows * moved.max(order_bytes);
        }
        let largest = self.rows_of_tablet.iter().copied().max().unwrap_or(0) as usize + added;
        room + (largest * threads).min(rows) * order_bytes
    }

    /// Whether the records are moved near to where their order puts them, before they are ordered: then the
    /// order and the gathers stay in the cache. Never beside nested values, which do not move with them.
    fn moves_records(&self) -> bool {
        let sort_key = self.schema.sort_key();
        self.records.can_scatter()
            && !self.columns.iter().any(Column::is_nested)
            && KeyPlan::shape(sort_key, &self.ranges, &self.columns, &self.types).is_some_and(|bits| bits > 0)
    }

    /// Whether more rows, and their tablets, can be numbered.
    pub(crate) fn can_take(&self, rows: usize) -> bool {
        self.rows() + rows <= MAX_ROWS && self.numbers.can_take(rows)
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
                let of_column = |&column: &usize| self.columns[column].memory() / rows + 18;
                sort::order_bytes_of_rows(sort_key.iter().map(of_column).sum())
            }
        }
    }

    /// Looks ahead at a batch. `false`: text columns that are codes cannot stay so with it.
    pub(crate) fn prepare(&mut self, batch: &RecordBatch) -> bool {
        let columns = self.columns.iter_mut().zip(batch.columns());
        columns.fold(true, |all, (column, array)| column.prepare(array) && all)
    }

    /// From now on keeps those text columns as texts that cannot hold `batch` as codes; rewrites the rows
    /// that are here, which should be few.
    pub(crate) fn give_up_codes(&mut self, batch: &RecordBatch) -> Result<(), TabletError> {
        let rows: Vec<u32> = (0..).take(self.rows()).collect();
        let gather = |column: &Column| column.gather(&self.records, &rows, None);
        let held: Vec<ArrayRef> = self.columns.iter().map(gather).collect::<Result<_, _>>()?;
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            if !column.prepare(array) {
                column.give_up_codes();
            }
            column.clear();
        }
        self.lay_out();
        self.records.grow(rows.len());
        for (column, array) in self.columns.iter_mut().zip(&held) {
            // What stays codes comes as text here: its values are all in the dictionary.
            let array = if column.is_codes() { encode(array)? } else { Arc::clone(array) };
            column.prepare(&array);
            column.append(&array, &mut self.records, 0)?;
        }
        Ok(())
    }

    /// Routes and copies the rows of a batch that has the table's columns and was prepared; `partitions` are
    /// those of the rows, if the table has any.
    pub(crate) fn append(
        &mut self,
        batch: &RecordBatch,
        partitions: Option<&[u32]>,
        router: &mut Router,
    ) -> Result<(), TabletError> {
        let before = self.tablets.len();
        router.route(batch, partitions, &mut self.numbers, &mut self.tablets)?;
        self.rows_of_tablet.resize(self.numbers.len(), 0);
        for tablet in &self.tablets[before..] {
            self.rows_of_tablet[*tablet as usize] += 1;
        }
        for (range, &column) in self.ranges.iter_mut().zip(self.schema.sort_key()) {
            *range = range.union(KeyRange::of(batch.column(column).as_ref()));
        }
        self.records.grow(batch.num_rows());
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            column.append(array, &mut self.records, before)?;
        }
        Ok(())
    }

    /// Moves the records, in their order of arrival, into ranges by tablet and leading bits of the key, and
    /// tells the ranges, the tablet with most rows last. `None`, with all as it was, if records are too wide
    /// or most keys lead alike.
    pub(crate) fn part(&mut self, plan: &NumberPlan) -> Option<Vec<TabletRows<'static>>> {
        if !self.moves_records() {
            return None;
        }
        let parting = Parting::new(self.rows_of_tablet.len(), plan.bits);
        let mut rows_of_bin = vec![0u32; parting.bins()];
        let (mut rows, mut numbers) = (Vec::new(), Vec::new());
        for (block, tablets) in (0u32..).step_by(APPEND_ROWS).zip(self.tablets.chunks_mut(APPEND_ROWS)) {
            rows.clear();
            rows.extend((block..).take(tablets.len()));
            plan.of_rows(&self.columns, &self.records, &rows, &mut numbers);
            for (tablet, number) in tablets.iter_mut().zip(&numbers) {
                *tablet = parting.bin(*tablet, *number);
                rows_of_bin[usize::from(*tablet)] += 1;
            }
        }
        let most = PART_BYTES / self.records.width();
        let parts = parting.join(&rows_of_bin, most);
        let heavy = parts.iter().map(|part| part.rows as usize).max().unwrap_or(0);
        if heavy > most.max(self.rows() / HEAVY) {
            self.tablets.iter_mut().for_each(|bin| *bin = parting.tablet(*bin));
            self.spare = Records::new(self.records.width());
            return None;
        }
        if self.spare.capacity() < self.rows() * self.records.width() {
            // Once, for the largest run there can be: what is freed is not always given back at once.
            let most = self.share / (2 * self.records.width() + ROW_BYTES);
            self.spare = Records::new(self.records.width());
            self.spare = self.records.zeros(most.max(self.rows()));
        }
        let (mut next, mut part_of_bin) = (Vec::new(), Vec::new());
        let mut tablets: Vec<TabletRows<'static>> = Vec::new();
        let mut start = 0u32;
        for part in parts {
            part_of_bin.resize(part_of_bin.len() + part.bins, next.len() as u32);
            next.push(start);
            let range = start..start + part.rows;
            start = range.end;
            let tablet = self.numbers.tablets()[usize::from(part.tablet)];
            let same = tablets.last_mut().filter(|last| last.tablet == tablet);
            match same {
                Some(TabletRows { count, rows: Rows::Ranges(ranges), .. }) => {
                    *count += range.len();
                    ranges.push(range);
                }
                _ if range.is_empty() => {}
                _ => tablets.push(TabletRows { tablet, count: range.len(), rows: Rows::Ranges(vec![range]) }),
            }
        }
        let bins = &self.tablets;
        self.records.scatter(&mut self.spare, |row| {
            let place = &mut next[part_of_bin[usize::from(bins[row])] as usize];
            *place += 1;
            (*place - 1) as usize
        });
        std::mem::swap(&mut self.records, &mut self.spare);
        tablets.sort_by_key(|tablet| tablet.count);
        Some(tablets)
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
        for (tablet, rows) in self.numbers.tablets().iter().zip(&self.rows_of_tablet) {
            let (own, rest) = grouped.split_at_mut(*rows as usize);
            grouped = rest;
            if !own.is_empty() {
                tablets.push(TabletRows { tablet: *tablet, count: own.len(), rows: Rows::Numbers(own) });
            }
        }
        tablets.sort_by_key(|tablet| tablet.count);
        tablets
    }

    /// How to order the rows held now, whose keys keep to `ranges`.
    pub(crate) fn key_plan(&self, ranges: &[KeyRange]) -> KeyPlan {
        KeyPlan::new(self.schema.sort_key(), ranges, &self.columns, &self.types)
    }

    /// What is needed to gather rows from several threads.
    pub(crate) fn gatherer(&mut self) -> Gatherer {
        let columns = self.columns.iter_mut();
        let dictionaries =
            columns.map(|column| column.is_codes().then(|| column.dictionary_array())).collect();
        Gatherer::new(self.schema.arrow(), dictionaries, self.columns.iter().any(Column::varies))
    }

    /// All dictionaries' arrays, also of columns that are no longer kept as codes.
    pub(crate) fn dictionary_arrays(&mut self) -> Vec<ArrayRef> {
        self.columns.iter_mut().map(Column::dictionary_array).collect()
    }

    /// Forgets the rows, keeps the room.
    pub(crate) fn clear(&mut self) {
        self.columns.iter_mut().for_each(Column::clear);
        if self.spare.capacity() > self.records.capacity() {
            // The rows were moved: the next ones go where there is room for most again.
            std::mem::swap(&mut self.records, &mut self.spare);
        }
        self.records.clear();
        self.tablets.clear();
        self.numbers.clear();
        self.rows_of_tablet.clear();
        self.rows_of_tablet.resize(self.numbers.len(), 0);
        self.ranges.fill(KeyRange::EMPTY);
    }

    /// Forgets the rows and the room; dictionaries stay.
    pub(crate) fn release(&mut self) {
        self.clear();
        self.records = Records::new(self.records.width());
        self.spare = Records::new(self.records.width());
        self.tablets = Vec::new();
    }
}

/// Text as a dictionary array.
fn encode(array: &ArrayRef) -> Result<ArrayRef, TabletError> {
    let values = Box::new(array.data_type().clone());
    Ok(cast(array, &ArrowType::Dictionary(Box::new(ArrowType::Int32), values))?)
}
