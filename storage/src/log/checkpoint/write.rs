//! Writing a checkpoint, a batch at a time: it is a stream, not a table in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::columns::{self, ADD, METADATA, PROTOCOL, REMOVE, SCHEMA, TXN, TXN_ID, TXN_NUMBER};
use crate::durable::SyncSite;
use crate::log::actions::{Add, Metadata, Protocol, Remove, Txn};
use crate::log::error::TableError;
use crate::log::folder::LogFolder;
use crate::parquet_io::{CountedFile, Ranged, unwrap_io};

/// Rows of a row group; with statistics of half a kilobyte a file this is what is in memory at a time.
const GROUP_ROWS: usize = 16_384;

/// Share of the names that are not there for which a row group's Bloom filter says that they may be.
const FALSE_POSITIVES: f64 = 0.01;

/// Rows encoded at once, and rows of a page: a look-up reads one page, by the index of their bounds.
const BATCH_ROWS: usize = 1_024;

/// A checkpoint that is being written to a temporary file.
pub(crate) struct CheckpointWriter {
    writer: ArrowWriter<CountedFile>,
    path: PathBuf,
    txns: Vec<Txn>,
    adds: Vec<Add>,
    removes: Vec<Remove>,
    rows: u64,
    files: u64,
}

/// What was written.
pub(crate) struct Written {
    /// Actions.
    pub(crate) rows: u64,
    /// Files among them.
    pub(crate) files: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
}

impl CheckpointWriter {
    /// Begins with protocol and schema.
    pub(crate) fn create(
        log: &LogFolder,
        path: &Path,
        protocol: &Protocol,
        metadata: &Metadata,
    ) -> Result<Self, TableError> {
        let file = CountedFile::create(log.files(), path)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_coerce_types(true)
            .set_data_page_row_count_limit(BATCH_ROWS)
            .set_write_batch_size(BATCH_ROWS)
            // Bounds of pages for the one column that is looked up by, and whole; no dictionary to be read
            // before its pages.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_column_statistics_enabled(path_of(TXN_ID), EnabledStatistics::Page)
            .set_column_index_truncate_length(None)
            // Most look-ups are of labels that are new.
            .set_column_bloom_filter_max_ndv(path_of(TXN_ID), GROUP_ROWS as u64)
            .set_column_bloom_filter_fpp(path_of(TXN_ID), FALSE_POSITIVES)
            .set_column_dictionary_enabled(path_of(TXN_ID), false)
            .set_column_dictionary_enabled(path_of(TXN_NUMBER), false)
            .build();
        let writer =
            ArrowWriter::try_new(file, Arc::clone(&SCHEMA), Some(properties)).map_err(|e| failed(path, e))?;
        let mut checkpoint = Self {
            writer,
            path: path.to_owned(),
            txns: Vec::new(),
            adds: Vec::new(),
            removes: Vec::new(),
            rows: 0,
            files: 0,
        };
        checkpoint.batch(PROTOCOL, columns::protocols(std::slice::from_ref(protocol)))?;
        checkpoint.batch(METADATA, columns::metadata(std::slice::from_ref(metadata)))?;
        checkpoint.end_kind()?;
        Ok(checkpoint)
    }

    pub(crate) fn txn(&mut self, txn: Txn) -> Result<(), TableError> {
        self.txns.push(txn);
        if self.txns.len() == BATCH_ROWS { self.flush_txns() } else { Ok(()) }
    }

    pub(crate) fn add(&mut self, add: Add) -> Result<(), TableError> {
        self.adds.push(add);
        self.files += 1;
        if self.adds.len() == BATCH_ROWS { self.flush_adds() } else { Ok(()) }
    }

    pub(crate) fn remove(&mut self, remove: Remove) -> Result<(), TableError> {
        self.removes.push(remove);
        if self.removes.len() == BATCH_ROWS { self.flush_removes() } else { Ok(()) }
    }

    /// Ends the actions of a kind: the next one begins a row group.
    pub(crate) fn end_kind(&mut self) -> Result<(), TableError> {
        self.flush_txns()?;
        self.flush_removes()?;
        self.flush_adds()?;
        self.writer.flush().map_err(|e| self.failed(e))
    }

    /// Completes the file and makes its contents durable.
    pub(crate) fn finish(mut self) -> Result<Written, TableError> {
        self.end_kind()?;
        self.writer.finish().map_err(|e| self.failed(e))?;
        let file = self.writer.inner_mut();
        file.sync(SyncSite::CheckpointContents).map_err(|e| TableError::volume("fsync", &self.path, e))?;
        Ok(Written { rows: self.rows, files: self.files, bytes: file.bytes() })
    }

    fn flush_txns(&mut self) -> Result<(), TableError> {
        let txns = std::mem::take(&mut self.txns);
        if txns.is_empty() { Ok(()) } else { self.batch(TXN, columns::txns(&txns)) }
    }

    fn flush_adds(&mut self) -> Result<(), TableError> {
        let adds = std::mem::take(&mut self.adds);
        if adds.is_empty() { Ok(()) } else { self.batch(ADD, columns::adds(&adds)) }
    }

    fn flush_removes(&mut self) -> Result<(), TableError> {
        let removes = std::mem::take(&mut self.removes);
        if removes.is_empty() { Ok(()) } else { self.batch(REMOVE, columns::removes(&removes)) }
    }

    fn batch(
        &mut self,
        kind: &str,
        columns: (arrow::datatypes::Fields, Vec<arrow::array::ArrayRef>),
    ) -> Result<(), TableError> {
        let batch = columns::batch(kind, columns).map_err(|e| failed(&self.path, e.into()))?;
        self.rows += batch.num_rows() as u64;
        self.writer.write(&batch).map_err(|e| self.failed(e))
    }

    /// What the volume said, if it did: the encoder wraps it beyond recognition.
    fn failed(&mut self, error: ParquetError) -> TableError {
        match self.writer.inner_mut().take_error() {
            Some(error) => TableError::volume("write", &self.path, error),
            None => failed(&self.path, error),
        }
    }
}

fn path_of(leaf: &str) -> ColumnPath {
    ColumnPath::new(leaf.split('.').map(str::to_owned).collect())
}

/// Opens a checkpoint anew and counts its actions, as its footer says.
pub(crate) fn count_rows(log: &LogFolder, path: &Path) -> Result<u64, TableError> {
    let file = Ranged::open(log.files(), path)?;
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(|e| failed(path, e))?;
    Ok(metadata.row_groups().iter().map(|group| group.num_rows().cast_unsigned()).sum())
}

fn failed(path: &Path, error: ParquetError) -> TableError {
    match unwrap_io(error) {
        Ok(error) => TableError::volume("write", path, error),
        Err(what) => TableError::damaged(path, what),
    }
}
