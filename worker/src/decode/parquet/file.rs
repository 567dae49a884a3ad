//! A Parquet file whose footer has been read.

use super::footer::read_footer;
use super::plan::{GroupPlan, plan_group};
use super::row_group::RowGroupReader;
use super::schema::{FileColumn, file_columns};
use crate::decode::error::{DecodeError, Place};
use crate::source::ReadObject;
use arrow::datatypes::{Field, Schema, SchemaRef};
use parquet::file::metadata::ParquetMetaData;
use std::sync::Arc;

/// How a row group is to be read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Rows of a batch, at least 1; fewer in the last one of a row group, and in very wide files.
    pub batch_rows: usize,
    /// Bytes that this reader may hold of compressed windows, pages being decoded and dictionaries. The
    /// batches that it gives are not counted.
    pub budget_bytes: usize,
    /// Columns (indices into [`ParquetFile::schema`]) of text that are to be given as
    /// `Dictionary(Int32, Utf8)`. A column whose pages in this row group are not all dictionary encoded is
    /// given as `Utf8` all the same, as is one that is no text: ask [`RowGroupReader::schema`].
    pub dictionary_columns: Vec<usize>,
}

/// A Parquet file: its footer is read, checked and parsed, its pages are not. Cheap to clone.
#[derive(Clone)]
pub struct ParquetFile {
    object: Arc<dyn ReadObject>,
    metadata: Arc<ParquetMetaData>,
    columns: Arc<[FileColumn]>,
    schema: SchemaRef,
    /// First row of each row group, and the end of the last.
    first_rows: Arc<[u64]>,
}

impl ParquetFile {
    /// Reads the footer: one fetch of the last 64 KiB, and a second one if the footer is longer. Blocks.
    ///
    /// # Errors
    /// [`DecodeError::InvalidParquet`] if the object is empty, truncated, encrypted or no Parquet file;
    /// [`DecodeError::Source`] if it cannot be fetched. A column of a type that is not supported is no
    /// error here, only when it is read.
    pub fn open(object: Arc<dyn ReadObject>) -> Result<Self, DecodeError> {
        let metadata = read_footer(&*object)?;
        let columns: Arc<[FileColumn]> = file_columns(metadata.file_metadata().schema_descr()).into();
        let schema = Schema::new(columns.iter().map(|column| Arc::clone(&column.field)).collect::<Vec<_>>());
        let mut first_rows = vec![0u64];
        for group in metadata.row_groups() {
            let end = first_rows[first_rows.len() - 1].saturating_add(group.num_rows() as u64);
            first_rows.push(end);
        }
        Ok(Self {
            object,
            metadata: Arc::new(metadata),
            columns,
            schema: Arc::new(schema),
            first_rows: first_rows.into(),
        })
    }

    /// The name of the object.
    pub fn name(&self) -> &str {
        self.object.name()
    }

    /// The file's own columns as Arrow, text as `Utf8` (no dictionaries here), in the order of the file.
    /// What more a Parquet type says stands in the metadata of the field under
    /// [`EXTENSION_KEY`](super::EXTENSION_KEY). A column that cannot be decoded has the type `Null` and
    /// the reason under [`UNSUPPORTED_KEY`](super::UNSUPPORTED_KEY).
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Number of row groups; none in a file without rows.
    pub fn row_groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    /// Rows of a row group (counted from 0; 0 rows for one that is not there).
    pub fn rows(&self, group: usize) -> u64 {
        self.first_rows.get(group + 1).map_or(0, |end| end - self.first_row(group))
    }

    /// Rows of the whole file.
    pub fn total_rows(&self) -> u64 {
        self.first_row(self.row_groups())
    }

    /// The first row of a row group, counted from 0 in the file.
    pub fn first_row(&self, group: usize) -> u64 {
        self.first_rows.get(group).copied().unwrap_or_else(|| self.total_rows())
    }

    /// Bytes that the columns (indices into [`Self::schema`]) have in a row group, compressed.
    pub fn column_bytes(&self, group: usize, columns: &[usize]) -> u64 {
        let Some(chunks) = self.metadata.row_groups().get(group) else { return 0 };
        let leaves = columns.iter().filter_map(|column| self.columns.get(*column));
        leaves
            .flat_map(|column| column.leaves.clone())
            .map(|leaf| chunks.column(leaf).compressed_size() as u64)
            .sum()
    }

    /// Begins to decode a row group. `columns` are indices into [`Self::schema`] in any order; the batches
    /// hold them in that order. Starts the first fetches and does not block: to read ahead, make the
    /// reader of the next row group while this one is still being read.
    ///
    /// # Errors
    /// [`DecodeError::UnsupportedType`] or [`DecodeError::UnsupportedEncoding`] if a column asked for
    /// cannot be decoded, [`DecodeError::MemoryBudgetTooSmall`] if a dictionary alone is above the budget,
    /// [`DecodeError::InvalidParquet`] if there is no such row group or column.
    pub fn read(
        &self,
        group: usize,
        columns: &[usize],
        options: &ReadOptions,
    ) -> Result<RowGroupReader, DecodeError> {
        RowGroupReader::start(self.plan(group, columns, options)?)
    }

    fn plan(&self, group: usize, columns: &[usize], options: &ReadOptions) -> Result<GroupPlan, DecodeError> {
        let invalid = |reason: String| DecodeError::InvalidParquet { file: self.name().to_owned(), reason };
        if group >= self.row_groups() {
            return Err(invalid(format!("it has no row group {group}")));
        }
        let mut chosen = Vec::with_capacity(columns.len());
        for number in columns {
            let column =
                self.columns.get(*number).ok_or_else(|| invalid(format!("it has no column {number}")))?;
            if let Some(reason) = &column.unsupported {
                return Err(DecodeError::UnsupportedType {
                    file: self.name().to_owned(),
                    column: column.field.name().clone(),
                    reason: reason.clone(),
                });
            }
            chosen.push((column, options.dictionary_columns.contains(number)));
        }
        let place = Place { file: self.name().to_owned(), row_group: group, column: String::new() };
        plan_group(Arc::clone(&self.object), Arc::clone(&self.metadata), &chosen, options, &place)
    }
}

impl std::fmt::Debug for ParquetFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> =
            self.schema.fields().iter().map(|field: &Arc<Field>| field.name().as_str()).collect();
        formatter
            .debug_struct("ParquetFile")
            .field("name", &self.name())
            .field("rows", &self.total_rows())
            .field("columns", &names)
            .finish()
    }
}
