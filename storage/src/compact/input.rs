//! The segments that are merged: what reading one costs, and its rows, block by block.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType as ArrowType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::{ColumnChunkMetaData, SortingColumn};

use super::CompactionError;
use crate::durable::FileSystem;
use crate::load::Segment;
use crate::scan::{Positioned, table_column};
use crate::schema::TableSchema;
use crate::tablet::{Blocks, KeyRange};

/// Bytes of a page, of its compressed form and of a dictionary that our encoders make at most.
const PAGE_BYTES: usize = 3 << 20;
/// Rows of a block, at most.
const MAX_BLOCK_ROWS: usize = 1 << 15;

/// A segment that is to be merged, by what its footer says.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    pub(crate) rows: u64,
    /// Bytes of a row in memory, estimated.
    pub(crate) row_bytes: usize,
    /// Bytes that an open reader holds beside the rows that it gave.
    pub(crate) reader_bytes: usize,
    /// Ranges of the table's key columns.
    pub(crate) ranges: Vec<KeyRange>,
    /// Whether its rows are in the order of the table's sort key.
    pub(crate) is_sorted: bool,
}

impl Input {
    /// Reads a segment's footer.
    pub(crate) fn open(
        files: &dyn FileSystem,
        root: &Path,
        schema: &TableSchema,
        segment: &Segment,
    ) -> Result<Self, CompactionError> {
        let path = root.join(&segment.path);
        let (_, metadata) = load(files, &path)?;
        let groups = metadata.metadata().row_groups();
        let rows = metadata.metadata().file_metadata().num_rows().cast_unsigned();
        if segment.rows != 0 && rows != segment.rows {
            let what = format!("it has {rows} rows, and the log says {}", segment.rows);
            return Err(CompactionError::DamagedSegment { path, what });
        }
        let missing =
            schema.columns().iter().enumerate().filter(|(at, _)| field(&metadata, schema, *at).is_none());
        let (mut row_bytes, mut reader_bytes) = (0, metadata.metadata().memory_size());
        for (at, _) in missing {
            row_bytes += schema.arrow().field(at).data_type().primitive_width().unwrap_or(4);
        }
        for leaf in 0..metadata.parquet_schema().num_columns() {
            let chunks = || groups.iter().map(|group| group.column(leaf));
            reader_bytes += chunks().map(chunk_reader_bytes).max().unwrap_or(0);
            let bytes: u64 = chunks().map(chunk_bytes).sum();
            row_bytes += usize::try_from(bytes.div_ceil(rows.max(1))).unwrap_or(usize::MAX);
        }
        let ranges = schema.sort_key().iter().map(|column| range(&metadata, schema, *column)).collect();
        let is_sorted = groups.iter().all(|group| is_sorted(group.sorting_columns(), &metadata, schema));
        Ok(Self { path, rows, row_bytes, reader_bytes, ranges, is_sorted })
    }

    /// Rows of a block of about so many bytes.
    pub(crate) fn block_rows(&self, bytes: usize) -> usize {
        (bytes / self.row_bytes.max(1)).clamp(1, MAX_BLOCK_ROWS)
    }

    /// The rows in blocks of about so many bytes, in the table's columns.
    pub(crate) fn blocks(
        &self,
        files: &dyn FileSystem,
        schema: &Arc<TableSchema>,
        block_bytes: usize,
    ) -> Result<InputBlocks, CompactionError> {
        let (file, metadata) = load(files, &self.path)?;
        let wanted = (0..schema.columns().len()).filter_map(|column| field(&metadata, schema, column));
        let mask = ProjectionMask::roots(metadata.parquet_schema(), wanted);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_projection(mask)
            .with_batch_size(self.block_rows(block_bytes))
            .build()
            .map_err(|error| CompactionError::damaged(&self.path, error))?;
        Ok(InputBlocks { input: self.clone(), schema: Arc::clone(schema), reader })
    }
}

fn load(files: &dyn FileSystem, path: &Path) -> Result<(Positioned, ArrowReaderMetadata), CompactionError> {
    let file = Positioned::open(files, path)
        .map_err(|source| CompactionError::VolumeError { path: path.to_owned(), source })?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
        .map_err(|error| CompactionError::damaged(path, error))?;
    Ok((file, metadata))
}

/// Where a column of the table stands among the roots of a file.
fn field(metadata: &ArrowReaderMetadata, schema: &TableSchema, column: usize) -> Option<usize> {
    let name = &schema.columns()[column].name;
    metadata.schema().fields().iter().position(|field| field.name().eq_ignore_ascii_case(name))
}

/// Bytes that reading a chunk holds: a dictionary, a page, and that page compressed.
fn chunk_reader_bytes(chunk: &ColumnChunkMetaData) -> usize {
    let whole =
        chunk.uncompressed_size().max(0).unsigned_abs() + chunk.compressed_size().max(0).unsigned_abs();
    usize::try_from(whole).unwrap_or(usize::MAX).min(PAGE_BYTES)
}

/// Bytes of a chunk's values in memory.
fn chunk_bytes(chunk: &ColumnChunkMetaData) -> u64 {
    let values = chunk.num_values().max(0).unsigned_abs();
    let decimal = chunk
        .column_descr()
        .logical_type_ref()
        .is_some_and(|logical| matches!(logical, parquet::basic::LogicalType::Decimal { .. }));
    match chunk.column_type() {
        _ if decimal => 16 * values,
        PhysicalType::BOOLEAN => values.div_ceil(4),
        PhysicalType::INT32 | PhysicalType::FLOAT => 4 * values,
        PhysicalType::INT64 | PhysicalType::DOUBLE => 8 * values,
        PhysicalType::INT96 | PhysicalType::FIXED_LEN_BYTE_ARRAY => 16 * values,
        PhysicalType::BYTE_ARRAY => {
            let known = chunk.unencoded_byte_array_data_bytes().and_then(|bytes| u64::try_from(bytes).ok());
            let text = known.unwrap_or_else(|| 2 * chunk.uncompressed_size().max(0).unsigned_abs());
            text + 4 * values
        }
    }
}

/// The range of a key column; the widest there is where the footer does not say.
fn range(metadata: &ArrowReaderMetadata, schema: &TableSchema, column: usize) -> KeyRange {
    let unknown = KeyRange { bounds: Some((i128::MIN, i128::MAX)), nulls: true };
    let Some(root) = field(metadata, schema, column) else { return KeyRange { bounds: None, nulls: true } };
    let of_file = metadata.schema().field(root);
    if of_file.data_type() != schema.arrow().field(column).data_type() || !is_number(of_file.data_type()) {
        return unknown;
    }
    let groups = metadata.metadata().row_groups();
    let converter =
        StatisticsConverter::try_new(of_file.name(), metadata.schema(), metadata.parquet_schema());
    let Ok(converter) = converter else { return unknown };
    let bounds =
        converter.row_group_mins(groups).and_then(|min| Ok((min, converter.row_group_maxes(groups)?)));
    let (Ok((min, max)), Ok(nulls)) = (bounds, converter.row_group_null_counts(groups)) else {
        return unknown;
    };
    let mut all = KeyRange::EMPTY;
    for (group, metadata) in groups.iter().enumerate() {
        if nulls.is_null(group) {
            return unknown;
        }
        let only_nulls = nulls.value(group) == metadata.num_rows().unsigned_abs();
        if (min.is_null(group) || max.is_null(group)) && !only_nulls {
            return unknown;
        }
        let of = KeyRange::of(&min.slice(group, 1)).union(KeyRange::of(&max.slice(group, 1)));
        let nulls = nulls.value(group) > 0;
        all = all.union(KeyRange { bounds: of.bounds.filter(|_| !only_nulls), nulls });
    }
    all
}

/// Whether statistics of the type are numbers without loss.
fn is_number(data_type: &ArrowType) -> bool {
    data_type.is_integer()
        || matches!(data_type, ArrowType::Boolean | ArrowType::Date32 | ArrowType::Timestamp(..))
        || matches!(data_type, ArrowType::Decimal128(..))
}

/// Whether a row group says that it is ordered by the table's sort key.
fn is_sorted(
    sorting: Option<&Vec<SortingColumn>>,
    metadata: &ArrowReaderMetadata,
    schema: &TableSchema,
) -> bool {
    let sorting = sorting.map(Vec::as_slice).unwrap_or_default();
    let descriptor = metadata.parquet_schema();
    let mut columns = sorting.iter();
    schema.sort_key().iter().all(|column| {
        let Some(root) = field(metadata, schema, *column) else {
            // It was added later: NULL in every row, which leaves the order as it is.
            return true;
        };
        columns.next().is_some_and(|sorted| {
            let leaf =
                usize::try_from(sorted.column_idx).ok().filter(|leaf| *leaf < descriptor.num_columns());
            let is_it = leaf.is_some_and(|leaf| descriptor.get_column_root_idx(leaf) == root);
            is_it && !sorted.descending && sorted.nulls_first
        })
    })
}

/// The rows of a segment.
pub(crate) struct InputBlocks {
    input: Input,
    schema: Arc<TableSchema>,
    reader: ParquetRecordBatchReader,
}

impl InputBlocks {
    /// A value outside of what the footer says would be put in the wrong place.
    fn check_ranges(&self, columns: &[ArrayRef]) -> Result<(), CompactionError> {
        for (&column, range) in self.schema.sort_key().iter().zip(&self.input.ranges) {
            let of = KeyRange::of(columns[column].as_ref());
            if range.union(of) != *range {
                let name = &self.schema.columns()[column].name;
                let what = format!("column {name} has values outside of its statistics");
                return Err(CompactionError::DamagedSegment { path: self.input.path.clone(), what });
            }
        }
        Ok(())
    }
}

impl Blocks<CompactionError> for InputBlocks {
    fn next(&mut self) -> Result<Option<Vec<ArrayRef>>, CompactionError> {
        let damaged =
            |error: arrow::error::ArrowError| CompactionError::damaged(&self.input.path, error.into());
        let Some(batch) = self.reader.next().transpose().map_err(damaged)? else { return Ok(None) };
        let columns = 0..self.schema.columns().len();
        let columns = columns.map(|column| table_column(&self.schema, column, &batch));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(damaged)?;
        self.check_ranges(&columns)?;
        Ok(Some(columns))
    }
}
