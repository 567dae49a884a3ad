//! Wide row groups: a few columns at a time, one batch at a time.

use super::column::Slice;
use super::layout::SliceBudget;
use super::memory::PageMemory;
use super::pages::{Bookmark, Position};
use super::plan::{ColumnPlan, GroupPlan, LeafPlan};
use super::windows::Windows;
use crate::decode::error::DecodeError;
use crate::decode::fetch::{Fetch, fetch_ranges};
use arrow::array::ArrayRef;
use parquet::basic::Type;
use std::ops::Range;
use std::sync::Arc;

/// Parts of chunks are fetched together if at most so many bytes lie between them: every batch pays for
/// the gaps again.
const MAX_GAP: u64 = 32 * 1024;
/// A batch is at least so long, however wide its rows are.
const MIN_BATCH_ROWS: u64 = 64;

/// The decoder reads a selection of fewer rows by a mask, and then fails where the column ends within it.
const LEAST_SELECTED: u64 = 64;

/// Decodes batches column after column, beginning each column again at the page where the batch begins.
pub(super) struct SliceReader {
    budget: SliceBudget,
    batch_rows: u64,
    /// Where each leaf of each column stands.
    positions: Vec<Vec<Position>>,
}

/// Columns whose first fetches were started together.
struct ColumnSlice {
    columns: Range<usize>,
    fetches: Vec<Arc<Fetch>>,
}

impl SliceReader {
    /// Goes on from `positions`, one for each leaf of each column.
    pub fn new(plan: &GroupPlan, positions: Vec<Vec<Position>>) -> Self {
        let budget = SliceBudget::of(plan.budget);
        let row_bytes = plan.columns.iter().flat_map(|column| &column.leaves).fold(0u64, |sum, leaf| {
            sum.saturating_add(value_bytes(leaf).max(leaf.need.uncompressed / plan.rows.max(1)))
        });
        // A batch is as large as what decoding it takes.
        let fitting = (plan.budget / 2 / row_bytes.max(1)).max(MIN_BATCH_ROWS);
        Self { budget, batch_rows: fitting.min(plan.batch_rows as u64), positions }
    }

    /// The arrays of the next batch, which begins with `row`; none at the end.
    pub fn next_arrays(&mut self, plan: &GroupPlan, row: u64) -> Result<Vec<ArrayRef>, DecodeError> {
        let take = self.batch_rows.min(plan.rows - row);
        if take == 0 {
            return Ok(Vec::new());
        }
        let mut arrays = Vec::with_capacity(plan.columns.len());
        let mut next = self.start_slice(plan, 0, row, take);
        while let Some(slice) = next {
            next = self.start_slice(plan, slice.columns.end, row, take);
            for number in slice.columns.clone() {
                arrays.push(self.decode(plan, number, &slice.fetches, row, take)?);
            }
        }
        Ok(arrays)
    }

    /// Starts the fetches of as many columns from `first` on as the budget allows, at least one.
    fn start_slice(&self, plan: &GroupPlan, first: usize, row: u64, take: u64) -> Option<ColumnSlice> {
        let mut ranges = Vec::new();
        let mut bytes = 0;
        let mut end = first;
        for (number, column) in plan.columns.iter().enumerate().skip(first) {
            let wanted = self.first_ranges(plan, column, number, row, take);
            bytes += wanted.iter().map(|range| range.end - range.start).sum::<u64>();
            if bytes > self.budget.fetches && end > first {
                break;
            }
            ranges.extend(wanted);
            end += 1;
        }
        let start = |range| Fetch::start(&*plan.object, range);
        let fetches = fetch_within(&ranges, self.budget.fetches).into_iter().map(start).collect();
        (end > first).then_some(ColumnSlice { columns: first..end, fetches })
    }

    /// The part of a column's chunks in which the batch probably lies.
    fn first_ranges(
        &self,
        plan: &GroupPlan,
        column: &ColumnPlan,
        number: usize,
        row: u64,
        take: u64,
    ) -> Vec<Range<u64>> {
        let cap = self.budget.fetches / column.leaves.len().max(1) as u64;
        let mut ranges = Vec::new();
        for (leaf, position) in column.leaves.iter().zip(&self.positions[number]) {
            let mut left = self.first_bytes(plan, leaf, position, row + take).min(cap);
            for segment in leaf.segments(position) {
                let end = segment.end.min(segment.start + left);
                left -= end - segment.start;
                if end > segment.start {
                    ranges.push(segment.start..end);
                }
                if end < segment.end {
                    break;
                }
            }
        }
        ranges
    }

    /// Bytes from a place of a leaf on in which its rows up to `end` lie, probably.
    fn first_bytes(&self, plan: &GroupPlan, leaf: &LeafPlan, position: &Position, end: u64) -> u64 {
        let rows = u128::from(end - position.row.min(end));
        let share = u128::from(leaf.need.compressed) * rows / u128::from(plan.rows.max(1));
        // The last row lies somewhere in a page, which has to be there to its end.
        let page = match position.page {
            0 => self.budget.window,
            known => known + known / 2,
        };
        let dictionary = position.dictionary.end - position.dictionary.start;
        (share as u64).saturating_add(page).saturating_add(dictionary)
    }

    fn decode(
        &mut self,
        plan: &GroupPlan,
        number: usize,
        fetches: &[Arc<Fetch>],
        row: u64,
        take: u64,
    ) -> Result<ArrayRef, DecodeError> {
        let column = &plan.columns[number];
        let positions = &self.positions[number];
        let begun = positions.first().map_or(0, |position| position.row);
        // At the end one row more is asked for, at least: it must not be there.
        let more = if row + take == plan.rows { LEAST_SELECTED.saturating_sub(take).max(1) } else { 0 };
        let slice = Slice { skip: (row - begun) as usize, take: (take + more) as usize };
        let memory = PageMemory::new(self.budget.pages);
        let windows = Windows { size: self.budget.window, ahead: 0 };
        let (mut decoder, bookmarks) =
            column.decoder(plan, positions, fetches, windows, &memory, Some(slice))?;
        let array = decoder.next_array()?;
        let rows = array.as_ref().map_or(0, |array| array.len() as u64);
        match array {
            Some(array) if rows == take => {
                if column.is_resumable() {
                    self.positions[number] = bookmarks.iter().map(Bookmark::get).collect();
                }
                Ok(array)
            }
            _ => Err(column.place.corrupt(format!(
                "it has {}{} rows, the row group claims {}",
                if rows > take { "at least " } else { "" },
                row + rows,
                plan.rows
            ))),
        }
    }
}

/// Fetches over gaps only as far as the gaps do not exceed the budget.
fn fetch_within(ranges: &[Range<u64>], budget: u64) -> Vec<Range<u64>> {
    let joined = fetch_ranges(ranges.iter().cloned(), MAX_GAP);
    let total: u64 = joined.iter().map(|range| range.end - range.start).sum();
    if total <= budget { joined } else { ranges.to_vec() }
}

/// Bytes that a value takes in an array, at least.
fn value_bytes(leaf: &LeafPlan) -> u64 {
    match leaf.facts.column.physical_type() {
        Type::BOOLEAN => 1,
        Type::INT32 | Type::FLOAT => 4,
        Type::INT64 | Type::DOUBLE | Type::INT96 => 8,
        Type::BYTE_ARRAY => 16,
        Type::FIXED_LEN_BYTE_ARRAY => u64::try_from(leaf.facts.column.type_length()).unwrap_or(16),
    }
}
