//! One file of folded records: its columns, how it is written and read back.
//!
//! Rows stand in order of versions. Each keeps its record byte for byte, so that the digest which the commit
//! gave can be checked for as long as the file lives; the other columns are for whoever reads it with another
//! engine, and for looking a label up. Labels and paths have bloom filters.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, BinaryArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::kernels::cmp::eq;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowFilter,
};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;

use super::HistoryError;
use super::entry::{NamedRecord, Naming};
use super::record::{RecordReference, digest, parse_document};
use crate::durable::{FileSystem, SyncSite, VolumeError};
use crate::parquet_io::{CountedFile, Ranged, unwrap_io};

/// Rows of a row group: the unit of a look-up.
const GROUP_ROWS: usize = 8_192;
/// Rows that are turned into columns at once.
const BATCH_ROWS: usize = 1_024;
/// Bytes of records that are turned into columns at once: those of loads of many files are large.
const BATCH_BYTES: usize = 4 << 20;
/// Bytes in memory at which a row group is ended, and that a batch is read in.
const GROUP_BYTES: usize = 16 << 20;

const VERSION: &str = "version";
const LABEL: &str = "label";
const PATH: &str = "path";

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let long = |name| Field::new(name, DataType::Int64, true);
    let mut fields = vec![long(VERSION), text("operation"), text(LABEL), long("run"), long("attempt")];
    fields.extend([Field::new("loads", DataType::Boolean, true), long("removed_rows"), text("outcome")]);
    fields.extend(["request_digest", "start_time", "commit_time", "finish_time"].map(text));
    fields.extend(["scan_rows", "scan_bytes", "filtered_rows", "unselected_rows"].map(long));
    fields.extend(["sink_rows", "file_number", "file_size"].map(long));
    fields.extend(["error_category", "error_message", PATH, "sha256"].map(text));
    fields.push(Field::new("record", DataType::Binary, true));
    Arc::new(Schema::new(fields))
});

fn batch(records: &[NamedRecord], path: &Path) -> Result<RecordBatch, HistoryError> {
    let parsed = records
        .iter()
        .map(|record| parse_document(&record.document, Path::new(&record.naming.reference.path)))
        .collect::<Result<Vec<_>, _>>()?;
    let text = |of: &dyn Fn(usize) -> Option<String>| -> ArrayRef {
        Arc::new((0..records.len()).map(of).collect::<StringArray>())
    };
    let long = |of: &dyn Fn(usize) -> u64| -> ArrayRef {
        Arc::new((0..records.len()).map(|row| Some(of(row).cast_signed())).collect::<Int64Array>())
    };
    let naming = |row: usize| &records[row].naming;
    let columns: Vec<ArrayRef> = vec![
        long(&|row| naming(row).version),
        text(&|row| Some(naming(row).operation.clone())),
        text(&|row| Some(naming(row).label.clone())),
        long(&|row| naming(row).run.into()),
        long(&|row| naming(row).attempt.into()),
        Arc::new(records.iter().map(|record| Some(record.naming.loads)).collect::<BooleanArray>()),
        long(&|row| naming(row).removed_rows),
        text(&|row| Some(format!("{:?}", parsed[row].outcome))),
        text(&|row| Some(parsed[row].request_digest.clone())),
        text(&|row| parsed[row].times.start.clone()),
        text(&|row| parsed[row].times.commit.clone()),
        text(&|row| parsed[row].times.finish.clone()),
        long(&|row| parsed[row].counts.scan_rows),
        long(&|row| parsed[row].counts.scan_bytes),
        long(&|row| parsed[row].counts.filtered_rows),
        long(&|row| parsed[row].counts.unselected_rows),
        long(&|row| parsed[row].counts.sink_rows),
        long(&|row| parsed[row].counts.file_number),
        long(&|row| parsed[row].counts.file_size),
        text(&|row| parsed[row].error.as_ref().map(|error| error.category.clone())),
        text(&|row| parsed[row].error.as_ref().map(|error| error.message.clone())),
        text(&|row| Some(naming(row).reference.path.clone())),
        text(&|row| Some(naming(row).reference.sha256.clone())),
        Arc::new(records.iter().map(|record| Some(record.document.as_slice())).collect::<BinaryArray>()),
    ];
    RecordBatch::try_new(Arc::clone(&SCHEMA), columns).map_err(|error| failed(path, error.into()))
}

/// A file of folded records that is being written.
pub(crate) struct FoldedWriter {
    writer: ArrowWriter<CountedFile>,
    path: PathBuf,
    waiting: Vec<NamedRecord>,
    waiting_bytes: usize,
    written: Contents,
}

/// What stands in a file: how many records, and a digest over them in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Records.
    pub(crate) records: u64,
    chain: String,
}

impl Contents {
    fn none() -> Self {
        Self { records: 0, chain: String::new() }
    }

    fn add(&mut self, naming: &Naming) {
        self.records += 1;
        let Naming { version, operation, label, run, attempt, loads, removed_rows, reference } = naming;
        let RecordReference { path, sha256 } = reference;
        let text = format!(
            "{} {version} {operation} {label} {run} {attempt} {loads} {removed_rows} {path} {sha256}",
            self.chain
        );
        self.chain = digest(text.as_bytes());
    }
}

impl FoldedWriter {
    /// Begins a new file.
    pub(crate) fn create(files: &dyn FileSystem, path: &Path) -> Result<Self, HistoryError> {
        let file = CountedFile::create(files, path)?;
        let column = |name: &str| ColumnPath::from(name);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("longshore".to_owned())
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_column_dictionary_enabled(column("record"), false)
            .set_column_dictionary_enabled(column(PATH), false)
            .set_column_dictionary_enabled(column("sha256"), false)
            .set_column_bloom_filter_enabled(column(LABEL), true)
            .set_column_bloom_filter_enabled(column(PATH), true)
            .set_bloom_filter_max_ndv(GROUP_ROWS as u64)
            .set_coerce_types(true)
            .build();
        let writer = ArrowWriter::try_new(file, Arc::clone(&SCHEMA), Some(properties))
            .map_err(|error| failed(path, error))?;
        let path = path.to_owned();
        Ok(Self { writer, path, waiting: Vec::new(), waiting_bytes: 0, written: Contents::none() })
    }

    /// Appends a record; versions go up.
    pub(crate) fn push(&mut self, record: NamedRecord) -> Result<(), HistoryError> {
        self.written.add(&record.naming);
        self.waiting_bytes += record.document.len();
        self.waiting.push(record);
        if self.waiting.len() == BATCH_ROWS || self.waiting_bytes >= BATCH_BYTES {
            self.write_out()?;
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<(), HistoryError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        if waiting.is_empty() {
            return Ok(());
        }
        let batch = batch(&waiting, &self.path)?;
        let mut written = self.writer.write(&batch);
        if written.is_ok() && self.writer.memory_size() >= GROUP_BYTES {
            written = self.writer.flush();
        }
        written.map_err(|error| self.failed(error))
    }

    /// What the volume said, if it did.
    fn failed(&mut self, error: ParquetError) -> HistoryError {
        match self.writer.inner_mut().take_error() {
            Some(error) => VolumeError::new("write", &self.path, error).into(),
            None => failed(&self.path, error),
        }
    }

    /// Completes the file and makes its contents durable; its name is not.
    pub(crate) fn finish(mut self) -> Result<Contents, HistoryError> {
        self.write_out()?;
        if let Err(error) = self.writer.finish() {
            return Err(self.failed(error));
        }
        let file = self.writer.inner_mut();
        file.sync(SyncSite::FoldedContents).map_err(|e| VolumeError::new("fsync", &self.path, e))?;
        Ok(self.written)
    }
}

/// A file of folded records that is open: it can be read even after its name is gone.
#[derive(Clone)]
pub(crate) struct FoldedReader {
    input: Ranged,
    path: PathBuf,
}

impl FoldedReader {
    pub(crate) fn open(files: &dyn FileSystem, path: &Path) -> Result<Self, VolumeError> {
        Ok(Self { input: Ranged::open(files, path)?, path: path.to_owned() })
    }

    /// The records of `from..=to` in order of their versions, each compared with its digest.
    pub(crate) fn records(&self, from: u64, to: u64) -> Result<FoldedRecords, HistoryError> {
        let builder = self.builder()?;
        let column = self.column(&builder, VERSION)?;
        let groups = groups_where(&builder, |group| {
            let Some(Statistics::Int64(bounds)) = group.column(column).statistics() else { return true };
            bounds.min_opt().is_none_or(|min| min.cast_unsigned() <= to)
                && bounds.max_opt().is_none_or(|max| max.cast_unsigned() >= from)
        });
        let batches = self.build(builder.with_row_groups(groups))?;
        Ok(FoldedRecords { batches, path: self.path.clone(), from, to, ready: Vec::new() })
    }

    /// The records of a label.
    pub(crate) fn records_of(&self, label: &str) -> Result<FoldedRecords, HistoryError> {
        self.records_with(LABEL, label)
    }

    /// The record that lay at a path.
    pub(crate) fn record_at(&self, path: &str) -> Result<Option<NamedRecord>, HistoryError> {
        self.records_with(PATH, path)?.next().transpose()
    }

    /// The records whose column has a value: the bloom filters tell which row groups to read.
    fn records_with(&self, column: &'static str, value: &str) -> Result<FoldedRecords, HistoryError> {
        let builder = self.builder()?;
        let index = self.column(&builder, column)?;
        let mut groups = Vec::new();
        for group in 0..builder.metadata().num_row_groups() {
            let filter = builder
                .get_row_group_column_bloom_filter(group, index)
                .map_err(|error| failed(&self.path, error))?;
            if filter.is_none_or(|filter| filter.check(value)) {
                groups.push(group);
            }
        }
        let mask = ProjectionMask::leaves(builder.parquet_schema(), [index]);
        let value = value.to_owned();
        let equal = ArrowPredicateFn::new(mask, move |batch: RecordBatch| {
            eq(batch.column(0), &StringArray::new_scalar(&value))
        });
        let builder = builder.with_row_groups(groups).with_row_filter(RowFilter::new(vec![Box::new(equal)]));
        let batches = self.build(builder)?;
        Ok(FoldedRecords { batches, path: self.path.clone(), from: 0, to: u64::MAX, ready: Vec::new() })
    }

    /// What stands in the file, each record compared with its digest.
    pub(crate) fn contents(&self) -> Result<Contents, HistoryError> {
        let mut contents = Contents::none();
        for record in self.records(0, u64::MAX)? {
            contents.add(&record?.naming);
        }
        Ok(contents)
    }

    fn builder(&self) -> Result<ParquetRecordBatchReaderBuilder<Ranged>, HistoryError> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        ParquetRecordBatchReaderBuilder::try_new_with_options(self.input.clone(), options)
            .map_err(|error| failed(&self.path, error))
    }

    fn build(
        &self,
        builder: ParquetRecordBatchReaderBuilder<Ranged>,
    ) -> Result<ParquetRecordBatchReader, HistoryError> {
        let largest = builder.metadata().row_groups().iter().map(bytes_of_a_row).max().unwrap_or(1);
        let rows = (GROUP_BYTES / largest.max(1)).clamp(1, BATCH_ROWS);
        builder.with_batch_size(rows).build().map_err(|error| failed(&self.path, error))
    }

    fn column(
        &self,
        builder: &ParquetRecordBatchReaderBuilder<Ranged>,
        name: &str,
    ) -> Result<usize, HistoryError> {
        let columns = builder.parquet_schema().columns();
        let at = columns.iter().position(|column| column.path().string() == name);
        at.ok_or_else(|| damaged(&self.path, format!("it has no column {name}")))
    }
}

fn bytes_of_a_row(group: &RowGroupMetaData) -> usize {
    let bytes = group.total_byte_size() / group.num_rows().max(1);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn groups_where(
    builder: &ParquetRecordBatchReaderBuilder<Ranged>,
    wanted: impl Fn(&RowGroupMetaData) -> bool,
) -> Vec<usize> {
    let groups = builder.metadata().row_groups().iter().enumerate();
    groups.filter(|(_, group)| wanted(group)).map(|(at, _)| at).collect()
}

/// Folded records in order of their versions; ends after its first error.
pub(crate) struct FoldedRecords {
    batches: ParquetRecordBatchReader,
    path: PathBuf,
    from: u64,
    to: u64,
    /// Records of the batch that was read, the next one last.
    ready: Vec<NamedRecord>,
}

impl Iterator for FoldedRecords {
    type Item = Result<NamedRecord, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.ready.pop() {
                return Some(Ok(record));
            }
            let batch = match self.batches.next()? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(failed_arrow(&self.path, error))),
            };
            match read_batch(&batch, &self.path) {
                Ok(mut records) => {
                    records.retain(|record| (self.from..=self.to).contains(&record.naming.version));
                    records.reverse();
                    self.ready = records;
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn read_batch(batch: &RecordBatch, path: &Path) -> Result<Vec<NamedRecord>, HistoryError> {
    let column = |name: &str| {
        batch.column_by_name(name).ok_or_else(|| damaged(path, format!("it has no column {name}")))
    };
    let wrong = |name: &str| damaged(path, format!("its column {name} has another type"));
    let text = |name: &str| column(name)?.as_string_opt::<i32>().ok_or_else(|| wrong(name));
    let long = |name: &str| column(name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong(name));
    let (versions, runs, attempts) = (long(VERSION)?, long("run")?, long("attempt")?);
    let (operations, labels) = (text("operation")?, text(LABEL)?);
    let (paths, digests) = (text(PATH)?, text("sha256")?);
    let loads = column("loads")?.as_boolean_opt().ok_or_else(|| wrong("loads"))?;
    let removed_rows = long("removed_rows")?;
    let documents = column("record")?.as_binary_opt::<i32>().ok_or_else(|| wrong("record"))?;
    let number = |column: &Int64Array, row: usize| u32::try_from(column.value(row)).unwrap_or(u32::MAX);
    (0..batch.num_rows())
        .map(|row| {
            let document = documents.value(row).to_vec();
            let (record, sha256) = (paths.value(row).to_owned(), digests.value(row).to_owned());
            if digest(&document) != sha256 {
                return Err(damaged(path, format!("the record {record} in it has another digest")));
            }
            let naming = Naming {
                version: versions.value(row).cast_unsigned(),
                operation: operations.value(row).to_owned(),
                label: labels.value(row).to_owned(),
                run: number(runs, row),
                attempt: number(attempts, row),
                loads: loads.value(row),
                removed_rows: removed_rows.value(row).cast_unsigned(),
                reference: RecordReference { path: record, sha256 },
            };
            Ok(NamedRecord { naming, document })
        })
        .collect()
}

fn damaged(path: &Path, what: String) -> HistoryError {
    HistoryError::Damaged { path: path.to_owned(), what }
}

fn failed(path: &Path, error: ParquetError) -> HistoryError {
    match unwrap_io(error) {
        Ok(error) => VolumeError::new("read or write", path, error).into(),
        Err(what) => damaged(path, what),
    }
}

fn failed_arrow(path: &Path, error: ArrowError) -> HistoryError {
    match error {
        ArrowError::ExternalError(inner) => match inner.downcast::<ParquetError>() {
            Ok(error) => failed(path, *error),
            Err(other) => damaged(path, other.to_string()),
        },
        other => damaged(path, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::Posix;
    use crate::history::record::{HistoryOutcome, HistoryRecord};

    fn record(version: u64, label: &str, padding: usize) -> NamedRecord {
        let mut record = HistoryRecord::new(label, 1, 1, HistoryOutcome::Loaded);
        record.rejected.push("x".repeat(padding));
        let document = serde_json::to_vec(&record).unwrap();
        let reference =
            RecordReference { path: format!("_longshore/history/{version}.json"), sha256: digest(&document) };
        let naming = Naming {
            version,
            operation: "WRITE".to_owned(),
            label: label.to_owned(),
            run: 1,
            attempt: 1,
            loads: true,
            removed_rows: version,
            reference,
        };
        NamedRecord { naming, document }
    }

    fn write(path: &Path, records: &[NamedRecord]) -> Contents {
        let mut writer = FoldedWriter::create(&Posix, path).unwrap();
        for record in records {
            writer.push(record.clone()).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn records_come_back_by_version_by_label_and_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folded");
        let records: Vec<_> = (0..20_000).map(|n| record(2 * n, &format!("l{}", n % 10_000), 0)).collect();
        let written = write(&path, &records);
        let reader = FoldedReader::open(&Posix, &path).unwrap();
        assert_eq!(reader.contents().unwrap(), written);
        assert_eq!(written.records, 20_000);

        let some: Vec<_> = reader.records(101, 110).unwrap().map(Result::unwrap).collect();
        assert_eq!(some, records[51..=55]);
        let some: Vec<_> = reader.records_of("l9999").unwrap().map(Result::unwrap).collect();
        assert_eq!(some, [records[9_999].clone(), records[19_999].clone()]);
        assert!(reader.records_of("never").unwrap().next().is_none());
        let path = &records[7].naming.reference.path;
        assert_eq!(reader.record_at(path).unwrap().unwrap(), records[7]);
        assert!(reader.record_at("never").unwrap().is_none());
    }

    #[test]
    fn large_records_make_small_row_groups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folded");
        let records: Vec<_> = (0..40).map(|n| record(n, "l", 1 << 20)).collect();
        let written = write(&path, &records);
        let reader = FoldedReader::open(&Posix, &path).unwrap();
        assert_eq!(reader.contents().unwrap(), written);
    }

    #[test]
    fn an_empty_range_is_a_file_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folded");
        let written = write(&path, &[]);
        assert_eq!(FoldedReader::open(&Posix, &path).unwrap().contents().unwrap(), written);
    }

    #[test]
    fn a_byte_that_changed_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folded");
        write(&path, &(0..50).map(|n| record(n, "l", 10)).collect::<Vec<_>>());
        let good = std::fs::read(&path).unwrap();
        let footer = good.len()
            - 8
            - u32::from_le_bytes(good[good.len() - 8..good.len() - 4].try_into().unwrap()) as usize;
        let mut found = 0;
        for at in (4..footer).step_by(97) {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            std::fs::write(&path, bad).unwrap();
            let read = FoldedReader::open(&Posix, &path).unwrap().contents();
            found += usize::from(read.is_err_and(|error| error.category() == "DamagedHistory"));
        }
        assert!(found > 0);
    }
}
