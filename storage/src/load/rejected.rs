//! Rejected rows, `loads/<label>/<run>-<attempt>/rejected-<task>-<writer>.parquet`: one file a task, readable
//! with any Parquet reader after every process is gone.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::durable::{FileSystem, SyncSite, VolumeError, read_all};
use crate::parquet_io::CountedFile;

/// Bytes of rows that are held before they are encoded.
const ROW_GROUP_BYTES: usize = 8 << 20;

/// A row that was filtered, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// The file it comes from: `s3://bucket/key` or a path.
    pub file: String,
    /// Number of the row in that file, from 1.
    pub row: u64,
    /// Offset of the row in that file, in bytes; only text formats have one.
    pub byte_offset: Option<u64>,
    /// Column of the table that the row does not fit.
    pub column: String,
    /// Stable code, such as `OutOfRange`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// The value as text, cut at 1 KiB.
    pub raw_value: String,
    /// The row as JSON (or as it stands in a text file), cut at 64 KiB.
    pub raw_record: String,
    /// Label of the load.
    pub label: String,
}

/// Rejected rows cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RejectedError {
    /// The volume failed.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The file is no Parquet file of rejected rows.
    #[error("the rejected rows in {path} cannot be read: {error}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        error: ParquetError,
    },
}

impl RejectedError {
    /// Stable name of the class of error.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Volume(error) => error.category(),
            Self::Damaged { .. } => "DamagedRejectedRows",
        }
    }
}

/// Writes the rejected rows of one task. What was written counts only after [`RejectedWriter::finish`];
/// a file that was not finished has no footer and is left to vacuum.
pub struct RejectedWriter {
    path: PathBuf,
    files: Arc<dyn FileSystem>,
    writer: ArrowWriter<CountedFile>,
    rows: u64,
}

impl std::fmt::Debug for RejectedWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RejectedWriter")
            .field("path", &self.path)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl RejectedWriter {
    /// Makes the file, whose folder is there; it fails if the name is taken.
    pub fn create(files: &Arc<dyn FileSystem>, path: &Path) -> Result<Self, RejectedError> {
        let volume = |error| VolumeError::new("create", path, error);
        let file = CountedFile::create(files.as_ref(), path)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(None)
            .build();
        let writer =
            ArrowWriter::try_new(file, schema(), Some(properties)).map_err(|error| volume(into_io(error)))?;
        Ok(Self { path: path.to_path_buf(), files: Arc::clone(files), writer, rows: 0 })
    }

    /// Appends rows.
    pub fn write(&mut self, records: &[RejectedRecord]) -> Result<(), RejectedError> {
        let batch = to_batch(records).map_err(|error| self.failed(error.into()))?;
        self.writer.write(&batch).map_err(|error| self.failed(error))?;
        self.rows += records.len() as u64;
        if self.writer.in_progress_size() >= ROW_GROUP_BYTES {
            self.writer.flush().map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the file and makes it durable, contents and name. Gives the number of rows.
    pub fn finish(mut self) -> Result<u64, RejectedError> {
        self.writer.finish().map_err(|error| self.failed(error))?;
        let synced = self.writer.inner_mut().sync(SyncSite::RejectedContents);
        synced.map_err(|error| VolumeError::new("fsync", &self.path, error))?;
        if let Some(folder) = self.path.parent() {
            let synced = self.files.sync_dir(folder, SyncSite::RejectedName);
            synced.map_err(|error| VolumeError::new("fsync the folder of", &self.path, error))?;
        }
        Ok(self.rows)
    }

    /// What the volume said, if it did: the encoder wraps it beyond recognition.
    fn failed(&mut self, error: ParquetError) -> RejectedError {
        let said = self.writer.inner_mut().take_error();
        VolumeError::new("write", &self.path, said.unwrap_or_else(|| into_io(error))).into()
    }
}

/// Reads rejected rows, at most `limit`, in the order they were written.
pub fn read_rejected(
    files: &dyn FileSystem,
    path: &Path,
    limit: usize,
) -> Result<Vec<RejectedRecord>, RejectedError> {
    let damaged = |error| RejectedError::Damaged { path: path.to_path_buf(), error };
    let bytes = read_all(files, path).map_err(|error| VolumeError::new("read", path, error))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))
        .map_err(damaged)?
        .with_limit(limit)
        .build()
        .map_err(damaged)?;
    let mut records = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| damaged(error.into()))?;
        append(&batch, &mut records)
            .ok_or_else(|| damaged(ParquetError::General("it has other columns".to_owned())))?;
    }
    Ok(records)
}

fn into_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![
        text("file"),
        Field::new("row", DataType::UInt64, false),
        Field::new("byte_offset", DataType::UInt64, true),
        text("column"),
        text("code"),
        text("message"),
        text("raw_value"),
        text("raw_record"),
        text("label"),
    ]))
}

fn to_batch(records: &[RejectedRecord]) -> Result<RecordBatch, ArrowError> {
    let text = |value: fn(&RejectedRecord) -> &str| -> ArrayRef {
        let bytes = records.iter().map(|record| value(record).len()).sum();
        let mut builder = StringBuilder::with_capacity(records.len(), bytes);
        for record in records {
            builder.append_value(value(record));
        }
        Arc::new(builder.finish())
    };
    let columns: Vec<ArrayRef> = vec![
        text(|record| &record.file),
        Arc::new(records.iter().map(|record| Some(record.row)).collect::<UInt64Array>()),
        Arc::new(records.iter().map(|record| record.byte_offset).collect::<UInt64Array>()),
        text(|record| &record.column),
        text(|record| &record.code),
        text(|record| &record.message),
        text(|record| &record.raw_value),
        text(|record| &record.raw_record),
        text(|record| &record.label),
    ];
    RecordBatch::try_new(schema(), columns)
}

fn append(batch: &RecordBatch, records: &mut Vec<RejectedRecord>) -> Option<()> {
    let text = |name| -> Option<&StringArray> { batch.column_by_name(name)?.as_string_opt::<i32>() };
    let number =
        |name| -> Option<&UInt64Array> { batch.column_by_name(name)?.as_primitive_opt::<UInt64Type>() };
    let (file, row, byte_offset) = (text("file")?, number("row")?, number("byte_offset")?);
    let (column, code, message) = (text("column")?, text("code")?, text("message")?);
    let (raw_value, raw_record, label) = (text("raw_value")?, text("raw_record")?, text("label")?);
    records.extend((0..batch.num_rows()).map(|at| RejectedRecord {
        file: file.value(at).to_owned(),
        row: row.value(at),
        byte_offset: byte_offset.is_valid(at).then(|| byte_offset.value(at)),
        column: column.value(at).to_owned(),
        code: code.value(at).to_owned(),
        message: message.value(at).to_owned(),
        raw_value: raw_value.value(at).to_owned(),
        raw_record: raw_record.value(at).to_owned(),
        label: label.value(at).to_owned(),
    }));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::Posix;

    fn record(row: u64) -> RejectedRecord {
        RejectedRecord {
            file: "s3://bucket/a,b.parquet".to_owned(),
            row,
            byte_offset: row.is_multiple_of(2).then_some(row * 100),
            column: "UserID".to_owned(),
            code: "OutOfRange".to_owned(),
            message: "the value is outside the range of TINYINT".to_owned(),
            raw_value: "2000".to_owned(),
            raw_record: "{\"UserID\":2000}".to_owned(),
            label: "day-1".to_owned(),
        }
    }

    #[test]
    fn a40_rejected_rows_are_read_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejected-0003-00ff.parquet");
        let files: Arc<dyn FileSystem> = Arc::new(Posix);
        let mut writer = RejectedWriter::create(&files, &path).unwrap();
        let all: Vec<RejectedRecord> = (1..=5000).map(record).collect();
        for part in all.chunks(700) {
            writer.write(part).unwrap();
        }
        assert_eq!(writer.rows(), 5000);
        assert_eq!(writer.finish().unwrap(), 5000);
        assert_eq!(read_rejected(&Posix, &path, usize::MAX).unwrap(), all);
        assert_eq!(read_rejected(&Posix, &path, 3).unwrap(), all[..3]);
    }

    #[test]
    fn a_name_is_never_written_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejected.parquet");
        let files: Arc<dyn FileSystem> = Arc::new(Posix);
        RejectedWriter::create(&files, &path).unwrap().finish().unwrap();
        assert_eq!(read_rejected(&Posix, &path, 10).unwrap(), []);
        let error = RejectedWriter::create(&files, &path).unwrap_err();
        assert_eq!(error.category(), "VolumeError");
        assert!(error.to_string().contains("rejected.parquet"), "{error}");
    }

    #[test]
    fn a_file_that_was_not_finished_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejected.parquet");
        let files: Arc<dyn FileSystem> = Arc::new(Posix);
        let mut writer = RejectedWriter::create(&files, &path).unwrap();
        writer.write(&[record(1)]).unwrap();
        drop(writer);
        assert_eq!(read_rejected(&Posix, &path, 10).unwrap_err().category(), "DamagedRejectedRows");
    }
}
