//! What reading a row group takes: its chunks, their types and their bounds, before anything is fetched.

use super::column::{ColumnDecoder, Slice};
use super::file::ReadOptions;
use super::layout::ChunkNeed;
use super::memory::PageMemory;
use super::pages::{Bookmark, ChunkFacts, Pages, Position};
use super::schema::FileColumn;
use super::windows::{ChunkBytes, Fault, Windows};
use crate::decode::error::{DecodeError, Place};
use crate::decode::fetch::Fetch;
use crate::source::ReadObject;
use arrow::datatypes::{DataType, Field, FieldRef};
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::schema::types::SchemaDescriptor;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// A row group that is to be read.
pub(super) struct GroupPlan {
    pub object: Arc<dyn ReadObject>,
    pub metadata: Arc<ParquetMetaData>,
    pub columns: Vec<ColumnPlan>,
    pub rows: u64,
    pub batch_rows: usize,
    pub budget: u64,
    /// For errors of the row group as a whole.
    pub place: Place,
}

/// A column that is to be read.
pub(super) struct ColumnPlan {
    /// The field of its arrays.
    pub field: FieldRef,
    pub descriptor: Arc<SchemaDescriptor>,
    pub leaves: Vec<LeafPlan>,
    pub place: Place,
}

/// A leaf of it, one chunk of the file.
pub(super) struct LeafPlan {
    pub range: Range<u64>,
    pub need: ChunkNeed,
    pub facts: ChunkFacts,
}

/// Plans the reading of `columns`, each with the wish for a dictionary. `place` names the row group.
pub(super) fn plan_group(
    object: Arc<dyn ReadObject>,
    metadata: Arc<ParquetMetaData>,
    columns: &[(&FileColumn, bool)],
    options: &ReadOptions,
    place: &Place,
) -> Result<GroupPlan, DecodeError> {
    let group = metadata.row_group(place.row_group);
    let mut planned = Vec::with_capacity(columns.len());
    for (column, dictionary) in columns {
        let place = Place { column: column.field.name().clone(), ..place.clone() };
        let mut leaves = Vec::with_capacity(column.leaves.len());
        for (number, leaf) in column.leaves.clone().enumerate() {
            let plan = plan_leaf(group.column(leaf), column.descriptor.column(number), &place)?;
            if plan.need.dictionary > options.budget_bytes as u64 {
                return Err(place.too_small(plan.need.dictionary, options.budget_bytes as u64));
            }
            leaves.push(plan);
        }
        let dictionary =
            *dictionary && column.is_plain_text() && is_all_dictionary(group.column(column.leaves.start));
        let field = if dictionary { dictionary_field(&column.field) } else { Arc::clone(&column.field) };
        planned.push(ColumnPlan { field, descriptor: Arc::clone(&column.descriptor), leaves, place });
    }
    let rows = group.num_rows() as u64;
    if columns.is_empty() {
        check_row_count(&metadata, place)?;
    }
    Ok(GroupPlan {
        object,
        columns: planned,
        rows,
        batch_rows: options.batch_rows.max(1),
        budget: options.budget_bytes as u64,
        place: place.clone(),
        metadata,
    })
}

fn plan_leaf(
    chunk: &ColumnChunkMetaData,
    column: parquet::schema::types::ColumnDescPtr,
    place: &Place,
) -> Result<LeafPlan, DecodeError> {
    if chunk.compression() == Compression::LZO {
        return Err(place.unsupported_encoding("the codec LZO"));
    }
    // The footer has been checked: neither is negative, and the sum lies in the file.
    let data = chunk.data_page_offset() as u64;
    let start = chunk.dictionary_page_offset().map_or(data, |offset| offset as u64);
    let range = start..start + chunk.compressed_size() as u64;
    let dictionary = if range.contains(&data) { data - start } else { 0 };
    let need = ChunkNeed {
        compressed: range.end - range.start,
        uncompressed: chunk.uncompressed_size() as u64,
        dictionary,
        pins_windows: chunk.compression() == Compression::UNCOMPRESSED,
    };
    let facts = ChunkFacts {
        column,
        compression: chunk.compression(),
        uncompressed: need.uncompressed,
        values: chunk.num_values() as u64,
    };
    Ok(LeafPlan { range, need, facts })
}

/// True only if it is certain that every data page of the chunk points into its dictionary.
fn is_all_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    let dictionary = [Encoding::PLAIN_DICTIONARY, Encoding::RLE_DICTIONARY];
    if let Some(pages) = chunk.page_encoding_stats_mask() {
        return dictionary.iter().any(|encoding| pages.is_only(*encoding));
    }
    // Without statistics of the pages only the old name is clear: PLAIN would then mean data pages that
    // fell back, as the dictionary page itself is called PLAIN_DICTIONARY.
    #[allow(deprecated)] // Files of old writers still have it.
    let levels = [Encoding::RLE, Encoding::BIT_PACKED];
    chunk.encodings().any(|encoding| encoding == Encoding::PLAIN_DICTIONARY)
        && chunk
            .encodings()
            .all(|encoding| encoding == Encoding::PLAIN_DICTIONARY || levels.contains(&encoding))
}

fn dictionary_field(field: &Field) -> FieldRef {
    let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(field.clone().with_data_type(data_type))
}

/// With no column to read, the count of rows is held against the values of one that is not nested.
fn check_row_count(metadata: &ParquetMetaData, place: &Place) -> Result<(), DecodeError> {
    let group = metadata.row_group(place.row_group);
    let flat = group.columns().iter().find(|chunk| chunk.column_descr().max_rep_level() == 0);
    match flat {
        Some(chunk) if chunk.num_values() != group.num_rows() => Err(place.corrupt(format!(
            "column {:?} has {} values, the row group claims {} rows",
            chunk.column_path().string(),
            chunk.num_values(),
            group.num_rows()
        ))),
        _ => Ok(()),
    }
}

impl ColumnPlan {
    /// Reading can begin at a page in the middle only if pages of all leaves begin with the same row:
    /// certain for a single leaf that is not nested.
    pub fn is_resumable(&self) -> bool {
        matches!(self.leaves.as_slice(), [leaf] if leaf.facts.column.max_rep_level() == 0)
    }

    /// Where each leaf begins.
    pub fn beginning(&self) -> Vec<Position> {
        self.leaves.iter().map(LeafPlan::beginning).collect()
    }

    /// Makes the decoder of this column. `positions` (one a leaf) is where it begins, `fetches` what has
    /// been started of it, `windows` how the rest is read.
    pub fn decoder(
        &self,
        group: &GroupPlan,
        positions: &[Position],
        fetches: &[Arc<Fetch>],
        windows: Windows,
        memory: &PageMemory,
        slice: Option<Slice>,
    ) -> Result<(ColumnDecoder, Vec<Bookmark>), DecodeError> {
        let fault = Fault::default();
        let mut bookmarks = Vec::with_capacity(self.leaves.len());
        let mut pages = Vec::with_capacity(self.leaves.len());
        for (leaf, position) in self.leaves.iter().zip(positions) {
            let segments = leaf.segments(position);
            let first: VecDeque<_> = fetches
                .iter()
                .filter(|fetch| segments.iter().any(|segment| overlaps(fetch.range(), segment)))
                .map(Arc::clone)
                .collect();
            let range = segments[0].start..leaf.range.end;
            let bytes = ChunkBytes::new(Arc::clone(&group.object), range, first, windows, fault.clone());
            let bookmark = Bookmark::new(position.clone());
            bookmarks.push(bookmark.clone());
            pages.push(Pages::new(
                bytes,
                segments,
                leaf.facts.clone(),
                self.place.clone(),
                fault.clone(),
                memory.share(),
                bookmark,
            ));
        }
        let batch_rows = slice.map_or(group.batch_rows, |slice| slice.take);
        let decoder = ColumnDecoder::new(group, self, pages, batch_rows, slice, fault)?;
        Ok((decoder, bookmarks))
    }
}

impl LeafPlan {
    /// The beginning of the chunk.
    pub fn beginning(&self) -> Position {
        let start = self.range.start;
        Position { dictionary: start..start, offset: start, row: 0, page: 0 }
    }

    /// What has to be read from a place on: the dictionary, if it lies before, and the pages.
    pub fn segments(&self, position: &Position) -> Vec<Range<u64>> {
        let mut segments = Vec::with_capacity(2);
        let mut start = position.offset;
        let dictionary = &position.dictionary;
        if !dictionary.is_empty() && dictionary.end == position.offset {
            start = dictionary.start;
        } else if !dictionary.is_empty() && dictionary.end < position.offset {
            segments.push(dictionary.clone());
        }
        segments.push(start..self.range.end);
        segments
    }
}

fn overlaps(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}
