//! The batches of a row group.

use super::column::ColumnDecoder;
use super::layout::{ChunkNeed, Layout, choose_layout};
use super::memory::PageMemory;
use super::pages::{Bookmark, Position};
use super::plan::GroupPlan;
use super::slices::SliceReader;
use super::windows::Windows;
use crate::decode::error::DecodeError;
use crate::decode::fetch::{Fetch, MAX_GAP, fetch_ranges};
use arrow::array::ArrayRef;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::ops::Range;
use std::sync::Arc;

/// Decodes one row group, batch by batch; after an error, and after the last batch, it gives nothing more.
/// All batches together have exactly the rows that the footer promises, or there is an error.
pub struct RowGroupReader {
    plan: Arc<GroupPlan>,
    schema: SchemaRef,
    /// Rows given so far.
    row: u64,
    mode: Mode,
}

enum Mode {
    SideBySide(SideBySide),
    Slices(SliceReader),
    Ended,
}

/// All columns at once.
struct SideBySide {
    columns: Vec<ColumnDecoder>,
    /// Where each leaf of each column stands.
    bookmarks: Vec<Vec<Bookmark>>,
}

impl RowGroupReader {
    /// Chooses the layout and starts the first fetches.
    pub(super) fn start(plan: GroupPlan) -> Result<Self, DecodeError> {
        let plan = Arc::new(plan);
        let ranges: Vec<Range<u64>> = leaf_ranges(&plan);
        let needs: Vec<ChunkNeed> =
            plan.columns.iter().flat_map(|column| column.leaves.iter().map(|leaf| leaf.need)).collect();
        let fetches = fetch_ranges(ranges, MAX_GAP);
        let whole = fetches.iter().map(|range| range.end - range.start).sum();
        let mode = match choose_layout(&needs, whole, plan.budget) {
            Layout::Whole { pages } => {
                let fetches: Vec<_> =
                    fetches.into_iter().map(|range| Fetch::start(&*plan.object, range)).collect();
                let windows = Windows { size: 1, ahead: 0 };
                Mode::SideBySide(SideBySide::new(&plan, &fetches, windows, pages)?)
            }
            Layout::Windows { size, pages } => {
                Mode::SideBySide(SideBySide::new(&plan, &[], Windows { size, ahead: 1 }, pages)?)
            }
            Layout::Slices => Mode::Slices(SliceReader::new(&plan, beginnings(&plan))),
        };
        let fields: Vec<_> = plan.columns.iter().map(|column| Arc::clone(&column.field)).collect();
        Ok(Self { plan, schema: Arc::new(Schema::new(fields)), row: 0, mode })
    }

    /// The schema of the batches: the columns asked for in their order, text as a dictionary where that
    /// was asked for and holds for the whole row group.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, DecodeError> {
        let left = self.plan.rows - self.row;
        let take = left.min(self.plan.batch_rows as u64) as usize;
        let arrays = match &mut self.mode {
            Mode::Ended => return Ok(None),
            Mode::Slices(slices) => slices.next_arrays(&self.plan, self.row)?,
            Mode::SideBySide(columns) => {
                let before = columns.positions();
                match columns.next_arrays(&self.plan, self.row, take) {
                    Err(DecodeError::MemoryBudgetTooSmall { .. }) => self.next_arrays_in_slices(before)?,
                    arrays => arrays?,
                }
            }
        };
        let rows = arrays.first().map_or(take, |array| array.len());
        if rows == 0 {
            return Ok(None);
        }
        self.row += rows as u64;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map(Some)
            .map_err(|error| self.plan.place.corrupt(error.to_string()))
    }

    /// Pages are larger than guessed: goes on column by column, from this batch on.
    fn next_arrays_in_slices(&mut self, positions: Vec<Vec<Position>>) -> Result<Vec<ArrayRef>, DecodeError> {
        // What the columns side by side hold is released first.
        self.mode = Mode::Ended;
        let mut slices = SliceReader::new(&self.plan, positions);
        let arrays = slices.next_arrays(&self.plan, self.row)?;
        self.mode = Mode::Slices(slices);
        Ok(arrays)
    }
}

impl Iterator for RowGroupReader {
    type Item = Result<RecordBatch, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch().transpose();
        if !matches!(batch, Some(Ok(_))) {
            self.mode = Mode::Ended;
        }
        batch
    }
}

impl std::fmt::Debug for RowGroupReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RowGroupReader")
            .field("file", &self.plan.place.file)
            .field("row_group", &self.plan.place.row_group)
            .field("row", &self.row)
            .finish_non_exhaustive()
    }
}

fn leaf_ranges(plan: &GroupPlan) -> Vec<Range<u64>> {
    plan.columns.iter().flat_map(|column| column.leaves.iter().map(|leaf| leaf.range.clone())).collect()
}

fn beginnings(plan: &GroupPlan) -> Vec<Vec<Position>> {
    plan.columns.iter().map(|column| column.beginning()).collect()
}

impl SideBySide {
    fn new(
        plan: &GroupPlan,
        fetches: &[Arc<Fetch>],
        windows: Windows,
        pages: u64,
    ) -> Result<Self, DecodeError> {
        let memory = PageMemory::new(pages);
        let mut columns = Vec::with_capacity(plan.columns.len());
        let mut bookmarks = Vec::with_capacity(plan.columns.len());
        for column in &plan.columns {
            let (decoder, marks) =
                column.decoder(plan, &column.beginning(), fetches, windows, &memory, None)?;
            columns.push(decoder);
            bookmarks.push(marks);
        }
        Ok(Self { columns, bookmarks })
    }

    fn positions(&self) -> Vec<Vec<Position>> {
        self.bookmarks.iter().map(|marks| marks.iter().map(Bookmark::get).collect()).collect()
    }

    /// The next arrays of all columns, `take` rows of them from `row` on; empty arrays at the end.
    fn next_arrays(&mut self, plan: &GroupPlan, row: u64, take: usize) -> Result<Vec<ArrayRef>, DecodeError> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (decoder, column) in self.columns.iter_mut().zip(&plan.columns) {
            let array = decoder.next_array()?;
            let rows = array.as_ref().map_or(0, |array| array.len());
            if rows != take {
                let found = row + rows as u64;
                let more = if rows > take { "at least " } else { "" };
                return Err(column
                    .place
                    .corrupt(format!("it has {more}{found} rows, the row group claims {}", plan.rows)));
            }
            arrays.extend(array);
        }
        Ok(arrays)
    }
}
