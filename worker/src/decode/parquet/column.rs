//! One column of one row group, decoded by itself.

use super::pages::Pages;
use super::plan::{ColumnPlan, GroupPlan};
use super::windows::Fault;
use crate::decode::error::{DecodeError, Place, shielded};
use arrow::array::ArrayRef;
use arrow::datatypes::Fields;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups, RowSelection, RowSelector};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::column::page::{PageIterator, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use std::sync::{Arc, Mutex, PoisonError};

/// Rows that are passed over, then rows that are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    pub skip: usize,
    pub take: usize,
}

/// A column on its way from pages to arrays.
pub(super) struct ColumnDecoder {
    reader: ParquetRecordBatchReader,
    place: Place,
    fault: Fault,
}

impl ColumnDecoder {
    /// Decodes a column of the row group `group`, whose leaves have these pages, in arrays of
    /// `batch_rows`; only the rows of `slice` if there is one.
    pub fn new(
        group: &GroupPlan,
        column: &ColumnPlan,
        pages: Vec<Pages>,
        batch_rows: usize,
        slice: Option<Slice>,
        fault: Fault,
    ) -> Result<Self, DecodeError> {
        let place = column.place.clone();
        let hint = Fields::from(vec![Arc::clone(&column.field)]);
        let selection = slice.map(|slice| {
            RowSelection::from(vec![RowSelector::skip(slice.skip), RowSelector::select(slice.take)])
        });
        let chunks = ColumnOfGroup {
            rows: usize::try_from(group.rows).unwrap_or(usize::MAX),
            row_group: place.row_group,
            metadata: Arc::clone(&group.metadata),
            pages: Mutex::new(pages.into_iter().map(Some).collect()),
        };
        let made = shielded(|| {
            let levels =
                parquet_to_arrow_field_levels(&column.descriptor, ProjectionMask::all(), Some(&hint))?;
            ParquetRecordBatchReader::try_new_with_row_groups(&levels, &chunks, batch_rows, selection)
        })
        .map_err(|reason| place.corrupt(reason))?;
        let reader = made.map_err(|error| refused(&place, &fault, &error.to_string()))?;
        Ok(Self { reader, place, fault })
    }

    /// The next array, at most as long as a batch; `None` at the end.
    pub fn next_array(&mut self) -> Result<Option<ArrayRef>, DecodeError> {
        let batch = shielded(|| self.reader.next())
            .map_err(|reason| self.fault.take().unwrap_or_else(|| self.place.corrupt(reason)))?;
        match batch.transpose() {
            Ok(batch) => Ok(batch.map(|batch| Arc::clone(batch.column(0)))),
            Err(error) => Err(refused(&self.place, &self.fault, &error.to_string())),
        }
    }
}

/// The error of which the decoder knows only the text.
fn refused(place: &Place, fault: &Fault, text: &str) -> DecodeError {
    if let Some(error) = fault.take() {
        return error;
    }
    let text = text.trim_start_matches("Parquet argument error: ").trim_start_matches("Parquet error: ");
    match text.strip_prefix("NYI: ") {
        Some(encoding) => place.unsupported_encoding(encoding),
        None => place.corrupt(text),
    }
}

/// What the decoder asks of a row group, for one column.
struct ColumnOfGroup {
    rows: usize,
    row_group: usize,
    metadata: Arc<ParquetMetaData>,
    pages: Mutex<Vec<Option<Pages>>>,
}

impl RowGroups for ColumnOfGroup {
    fn num_rows(&self) -> usize {
        self.rows
    }

    fn column_chunks(&self, leaf: usize) -> ParquetResult<Box<dyn PageIterator>> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let pages = pages.get_mut(leaf).and_then(Option::take);
        let pages = pages.ok_or_else(|| ParquetError::General(format!("no leaf {leaf}")))?;
        Ok(Box::new(OneChunk(Some(pages))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.metadata.row_group(self.row_group)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The one chunk of a leaf.
struct OneChunk(Option<Pages>);

impl Iterator for OneChunk {
    type Item = ParquetResult<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(|pages| Ok(Box::new(pages) as Box<dyn PageReader>))
    }
}

impl PageIterator for OneChunk {}
