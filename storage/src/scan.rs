//! Reads the segments of a snapshot: files whose partition or statistics rule a match out, then row groups
//! whose statistics do, are never read; the rows that are left are filtered exactly.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{Schema as ArrowSchema, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::durable::{FileSystem, ReadFile};
use crate::load::Segment;
use crate::log::stats::SegmentStats;
use crate::schema::TableSchema;
use crate::schema::partition::PartitionBounds;

mod predicate;

pub use predicate::{CompareOp, Predicate};

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// An error of reading a table's rows.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A file of the snapshot cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    VolumeError {
        /// The file.
        path: PathBuf,
        /// What the volume said.
        source: std::io::Error,
    },
    /// A file of the snapshot is not the Parquet file it should be.
    #[error("the segment {path} is damaged: {source}")]
    DamagedSegment {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: ParquetError,
    },
    /// The predicate does not fit the table.
    #[error("cannot filter: {0}")]
    InvalidPredicate(ArrowError),
    /// A column number that the table does not have.
    #[error("the table has {columns} columns, and column {column} was asked for")]
    NoSuchColumn {
        /// Number asked for, from 0.
        column: usize,
        /// Columns of the table.
        columns: usize,
    },
}

impl ScanError {
    /// Stable name of the kind of error.
    pub fn category(&self) -> &'static str {
        match self {
            Self::VolumeError { .. } => "VolumeError",
            Self::DamagedSegment { .. } => "DamagedSegment",
            Self::InvalidPredicate(_) => "InvalidPredicate",
            Self::NoSuchColumn { .. } => "NoSuchColumn",
        }
    }
}

/// Reads the rows of `segments`, segment by segment in the order given, in batches of at most 8,192 rows.
///
/// `root` is the table's folder; `projection` are the numbers of the columns to give, in that order (none:
/// all); rows for which `predicate` is not true are left out. A column that a file lacks is NULL. Segments
/// are opened when their turn comes.
///
/// # Errors
/// `NoSuchColumn`, `InvalidPredicate`; the iterator ends after its first error.
pub fn scan(
    files: Arc<dyn FileSystem>,
    root: &Path,
    schema: Arc<TableSchema>,
    segments: &[Segment],
    projection: Option<&[usize]>,
    predicate: Option<&Predicate>,
) -> Result<Scan, ScanError> {
    let columns = schema.columns().len();
    let projection = projection.map_or_else(|| (0..columns).collect(), <[usize]>::to_vec);
    let predicate = predicate.cloned();
    let mut needed = projection.clone();
    if let Some(predicate) = &predicate {
        predicate.columns(&mut needed);
    }
    if let Some(&column) = needed.iter().find(|column| **column >= columns) {
        return Err(ScanError::NoSuchColumn { column, columns });
    }
    let predicate = predicate
        .map(|predicate| predicate.typed(&schema))
        .transpose()
        .map_err(ScanError::InvalidPredicate)?;
    needed.sort_unstable();
    needed.dedup();
    let of_partitions = PartitionBounds::new(&schema);
    let kept = segments.iter().filter(|segment| match &predicate {
        Some(predicate) => {
            let stats = SegmentStats::parse(&segment.stats);
            predicate.may_hold(&|column| of_partitions.of(segment, column))
                && stats.is_none_or(|stats| predicate.may_match(&schema, &stats))
        }
        None => true,
    });
    let paths = kept.rev().map(|segment| root.join(&segment.path)).collect();
    let output = Arc::new(project(&schema, &projection));
    Ok(Scan { files, schema, paths, projection, needed, predicate, output, open: None })
}

fn project(schema: &TableSchema, projection: &[usize]) -> ArrowSchema {
    // A file may lack a column, whatever the table says of NULL.
    let fields = projection.iter().map(|&column| schema.arrow().field(column).clone().with_nullable(true));
    ArrowSchema::new(fields.collect::<Vec<_>>())
}

/// The rows of a scan.
pub struct Scan {
    files: Arc<dyn FileSystem>,
    schema: Arc<TableSchema>,
    /// Files still to be read, the next one last.
    paths: Vec<PathBuf>,
    projection: Vec<usize>,
    /// Columns that are read, ascending.
    needed: Vec<usize>,
    predicate: Option<Predicate>,
    output: SchemaRef,
    open: Option<(PathBuf, ParquetRecordBatchReader)>,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("files_left", &self.paths.len()).finish_non_exhaustive()
    }
}

impl Scan {
    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.output
    }

    /// Files that statistics did not rule out and that were not opened yet.
    pub fn files_left(&self) -> usize {
        self.paths.len()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ScanError> {
        loop {
            if let Some((path, mut reader)) = self.open.take()
                && let Some(batch) = reader.next()
            {
                let rows = batch.and_then(|batch| self.select(&batch));
                let rows = rows.map_err(|error| damaged(&path, ParquetError::from(error)))?;
                self.open = Some((path, reader));
                if rows.num_rows() > 0 {
                    return Ok(Some(rows));
                }
                continue;
            }
            let Some(path) = self.paths.pop() else { return Ok(None) };
            let reader = self.reader(&path)?;
            self.open = Some((path, reader));
        }
    }

    fn reader(&self, path: &Path) -> Result<ParquetRecordBatchReader, ScanError> {
        let of_volume = |source| ScanError::VolumeError { path: path.to_path_buf(), source };
        let input = Positioned::open(self.files.as_ref(), path).map_err(of_volume)?;
        let options = ArrowReaderOptions::new();
        let metadata = ArrowReaderMetadata::load(&input, options).map_err(|source| damaged(path, source))?;
        let groups = self.predicate.as_ref().map(|predicate| {
            (0..metadata.metadata().num_row_groups())
                .filter(|group| predicate.may_match_group(&self.schema, &metadata, *group))
                .collect::<Vec<_>>()
        });
        let roots = metadata.schema().fields().iter().enumerate().filter(|(_, field)| {
            let is = |column: &usize| self.schema.columns()[*column].name.eq_ignore_ascii_case(field.name());
            self.needed.iter().any(is)
        });
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots.map(|(root, _)| root));
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata)
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS);
        if let Some(groups) = groups {
            builder = builder.with_row_groups(groups);
        }
        builder.build().map_err(|source| damaged(path, source))
    }

    /// The rows of a file's batch that the predicate leaves, in the columns asked for.
    fn select(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let column = |index: usize| table_column(&self.schema, index, batch);
        let arrays = self.projection.iter().map(|&index| column(index)).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.output), arrays, &options)?;
        match &self.predicate {
            Some(predicate) => filter_record_batch(&rows, &predicate.evaluate(&column)?),
            None => Ok(rows),
        }
    }
}

impl Iterator for Scan {
    type Item = Result<RecordBatch, ScanError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_batch().transpose();
        if matches!(next, Some(Err(_))) {
            self.open = None;
            self.paths.clear();
        }
        next
    }
}

/// A column of the table out of a file's batch, by its name; NULL if the file lacks it.
pub(crate) fn table_column(
    schema: &TableSchema,
    index: usize,
    batch: &RecordBatch,
) -> Result<ArrayRef, ArrowError> {
    let column = &schema.columns()[index];
    let due = schema.arrow().field(index).data_type();
    let fields = batch.schema_ref().fields();
    match fields.iter().position(|field| field.name().eq_ignore_ascii_case(&column.name)) {
        Some(at) if batch.column(at).data_type() == due => Ok(Arc::clone(batch.column(at))),
        Some(at) => cast(batch.column(at), due),
        None => Ok(new_null_array(due, batch.num_rows())),
    }
}

fn damaged(path: &Path, source: ParquetError) -> ScanError {
    ScanError::DamagedSegment { path: path.to_path_buf(), source }
}

/// Bytes that are read at once for a page's header.
const HEADER_BYTES: usize = 1 << 10;

/// A file as the Parquet reader wants it.
pub(crate) struct Positioned {
    file: Arc<dyn ReadFile>,
    length: u64,
}

impl Positioned {
    /// Opens a file.
    pub(crate) fn open(files: &dyn FileSystem, path: &Path) -> io::Result<Self> {
        let file = files.open(path)?;
        let length = file.len()?;
        Ok(Self { file: Arc::from(file), length })
    }
}

impl Length for Positioned {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Positioned {
    type T = BufReader<Following>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let following = Following { file: Arc::clone(&self.file), at: start, end: self.length };
        Ok(BufReader::with_capacity(HEADER_BYTES, following))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// What follows an offset of a file.
pub(crate) struct Following {
    file: Arc<dyn ReadFile>,
    at: u64,
    end: u64,
}

impl Read for Following {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        self.file.read_exact_at(&mut buffer[..length], self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}
