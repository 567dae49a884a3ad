//! Tables with real rows, loaded in many small loads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use longshore_storage::compact::{
    CompactionError, CompactionOptions, CompactionReport, Compactor, PlanOptions,
};
use longshore_storage::durable::{FileSystem, Posix, writer_id};
use longshore_storage::history::{HistoryOutcome, HistoryRecord};
use longshore_storage::load::Segment;
use longshore_storage::scan::scan;
use longshore_storage::schema::{TableDefinition, TableSchema};
use longshore_storage::table::{CommitOutcome, LoadCommit, LoadMode, Table};
use longshore_storage::tablet::{TabletWriter, TaskIdentity, WriterMetrics, WriterOptions};
use longshore_storage::types::DataType;

use crate::tablet::{batch, files_below, hash, table};

/// A table in a temporary folder, in memory where the system has such a folder.
pub struct Place {
    _folder: tempfile::TempDir,
    pub root: PathBuf,
}

impl Place {
    pub fn with_table(definition: &TableDefinition) -> (Self, Table) {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::tempdir_in(parent).unwrap();
        let root = folder.path().join("table");
        let table = Table::create(Arc::new(Posix), &root, definition).unwrap();
        (Self { _folder: folder, root }, table)
    }

    pub fn open(&self) -> Table {
        Table::open(Arc::new(Posix), &self.root).unwrap()
    }

    pub fn open_through(&self, files: Arc<dyn FileSystem>) -> Table {
        Table::open(files, &self.root).unwrap()
    }

    /// Segments on the volume, named by a version or not.
    pub fn segment_files(&self) -> Vec<String> {
        files_below(&self.root).into_iter().filter(|path| path.starts_with("b-")).collect()
    }

    /// Spills that are left.
    pub fn spills(&self) -> Vec<String> {
        files_below(&self.root).into_iter().filter(|path| path.contains("/tmp/")).collect()
    }
}

/// A key with many equal values, two buckets, text, and the number of each row.
pub fn narrow() -> Arc<TableSchema> {
    let columns =
        [("k", DataType::Int), ("h", DataType::Int), ("t", DataType::String), ("row", DataType::BigInt)];
    table(&columns, &["k"], hash(&["h"], 2))
}

/// Rows of [`narrow`]: `count` rows numbered from `first` on.
pub fn narrow_rows(schema: &TableSchema, first: i64, count: i64) -> RecordBatch {
    let rows = first..first + count;
    let key = |row: i64| (row % 13 != 5).then_some((row * 7919 % 101) as i32);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.clone().map(key).collect::<Int32Array>()),
        Arc::new(rows.clone().map(|row| Some((row % 17) as i32)).collect::<Int32Array>()),
        Arc::new(
            rows.clone()
                .map(|row| (row % 11 != 3).then(|| format!("text {}", row % 50)))
                .collect::<StringArray>(),
        ),
        Arc::new(Int64Array::from_iter_values(rows)),
    ];
    batch(schema, columns)
}

/// Loads batches under a label as one task.
pub fn load(table: &mut Table, label: &str, options: WriterOptions, batches: &[RecordBatch]) -> Vec<Segment> {
    load_with(table, label, options, batches, LoadMode::Append)
}

/// The same in another mode.
pub fn load_with(
    table: &mut Table,
    label: &str,
    options: WriterOptions,
    batches: &[RecordBatch],
    mode: LoadMode,
) -> Vec<Segment> {
    let claim = table.claim(label, 1).unwrap();
    let schema = Arc::clone(table.schema());
    let (run, attempt) = (claim.run(), claim.attempt());
    let identity =
        TaskIdentity { label: label.to_owned(), run, attempt, task: 0, writer: writer_id().to_owned() };
    let metrics = Arc::new(WriterMetrics::default());
    let (files, root) = (Arc::clone(table.files()), table.root().to_owned());
    let mut writer = TabletWriter::new(files, root, Arc::clone(&schema), identity, options, metrics).unwrap();
    batches.iter().for_each(|batch| writer.append(batch).unwrap());
    let segments = writer.finish().unwrap();
    let mut record = HistoryRecord::new(label, run, attempt, HistoryOutcome::Loaded);
    record.counts.sink_rows = segments.iter().map(|segment| segment.rows).sum();
    record.counts.scan_rows = record.counts.sink_rows;
    let load = LoadCommit {
        segments: segments.clone(),
        schema,
        record,
        deadline: None,
        mode,
        new_columns: Vec::new(),
    };
    assert!(matches!(table.commit_load(&claim, load).unwrap(), CommitOutcome::Committed { .. }));
    segments
}

/// `loads` loads of `rows` rows each of [`narrow`].
pub fn narrow_table(loads: i64, rows: i64) -> (Place, Table) {
    let schema = narrow();
    let (place, mut table) = Place::with_table(schema.definition());
    for number in 0..loads {
        let rows = narrow_rows(&schema, number * rows, rows);
        load(&mut table, &format!("l{number}"), WriterOptions::default(), &[rows]);
    }
    (place, table)
}

/// Whatever gains, in narrow memory.
pub fn options() -> CompactionOptions {
    CompactionOptions { plan: PlanOptions::default(), budget_bytes: 64 << 20, threads: 2 }
}

pub fn compact(table: &mut Table) -> Result<CompactionReport, CompactionError> {
    Compactor::run(table, &options(), &AtomicBool::new(false))
}

/// All rows as text, in the order of the segments.
pub fn rows_in_order(table: &Table, segments: &[Segment]) -> Vec<String> {
    let (files, schema) = (Arc::clone(table.files()), Arc::clone(table.schema()));
    let scan = scan(files, table.root(), schema, segments, None, None).unwrap();
    let format = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in scan {
        let batch = batch.unwrap();
        let columns = batch.columns().iter();
        let columns: Vec<_> = columns.map(|c| ArrayFormatter::try_new(c, &format).unwrap()).collect();
        rows.extend((0..batch.num_rows()).map(|row| {
            columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|")
        }));
    }
    rows
}

/// All rows of the table's newest version, by tablet, in no order.
pub fn rows(place: &Place) -> BTreeMap<u32, Vec<String>> {
    let table = place.open();
    let mut by_bucket = BTreeMap::<u32, Vec<String>>::new();
    for segment in table.segments().unwrap() {
        by_bucket.entry(segment.bucket).or_default().extend(rows_in_order(&table, &[segment]));
    }
    by_bucket.values_mut().for_each(|rows| rows.sort());
    by_bucket
}

/// Segments of the newest version, by bucket.
pub fn counts(place: &Place) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for segment in place.open().segments().unwrap() {
        *counts.entry(segment.bucket).or_default() += 1;
    }
    counts
}
