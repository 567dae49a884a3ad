//! The table of these tests, its rows, and one load of it as a worker does it: claim, plan, segments, report,
//! commit. Rows follow from the number of their load, so that each can be checked where it is found.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use longshore_storage::compact::{CompactionOptions, Compactor};
use longshore_storage::durable::FileSystem;
use longshore_storage::history::{HistoryCounts, HistoryOutcome, HistoryRecord};
use longshore_storage::load::{FileReport, Plan, PlannedFile, PlannedTask, Segment, TaskReport};
use longshore_storage::scan::scan;
use longshore_storage::schema::{Column, Compression, Distribution, PartitionBy, TableDefinition};
use longshore_storage::table::{Claim, CleanOptions, LoadCommit, LoadMode, Table};
use longshore_storage::tablet::{TabletWriter, TaskIdentity, WriterMetrics, WriterOptions};
use longshore_storage::types::DataType;
use longshore_storage::vacuum::VacuumOptions;
use longshore_storage::verify::{Severity, VerifyOptions};

/// Tablets: every load makes a file in each.
const BUCKETS: u32 = 2;
/// Memory of one writer, bytes.
const BUDGET: usize = 8 << 20;

/// Number of load, number of row, and a text that follows from both.
pub fn definition() -> TableDefinition {
    let column =
        |name: &str, data_type| Column { name: name.to_owned(), data_type, nullable: false, default: None };
    TableDefinition {
        columns: vec![
            column("load", DataType::Int),
            column("row", DataType::BigInt),
            column("text", DataType::String),
        ],
        key: vec!["row".to_owned()],
        order_by: Vec::new(),
        partition_by: PartitionBy::None,
        distribution: Distribution::Hash { columns: vec!["row".to_owned()], buckets: BUCKETS },
        compression: Compression::Zstd,
    }
}

/// The label of a load.
pub fn label(load: u32) -> String {
    format!("load-{load}")
}

/// Text of a row: 16 to 79 characters that do not compress well.
fn text(load: u32, row: i64) -> String {
    let mut state = (u64::from(load) << 32 | row.cast_unsigned()) ^ 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    };
    let length = 16 + (next() % 64) as usize;
    let mut text = String::with_capacity(length + 16);
    while text.len() < length {
        text.push_str(&format!("{:016x}", next()));
    }
    text.truncate(length);
    text
}

fn batch(table: &Table, load: u32, rows: u32) -> Result<RecordBatch> {
    let numbers = || (0..i64::from(rows)).rev();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(numbers().map(|_| load.cast_signed()))),
        Arc::new(Int64Array::from_iter_values(numbers())),
        Arc::new(StringArray::from_iter_values(numbers().map(|row| text(load, row)))),
    ];
    for column in columns.len()..table.schema().columns().len() {
        let values = numbers().map(|row| added(column, row));
        columns.push(Arc::new(Int32Array::from_iter_values(values)));
    }
    Ok(RecordBatch::try_new(Arc::clone(table.schema().arrow()), columns)?)
}

/// The value of a row in an added column.
fn added(column: usize, row: i64) -> i32 {
    (row as i32).wrapping_mul(31).wrapping_add(column as i32)
}

/// The column that is added as number `number`, from 0.
pub fn added_column(number: usize) -> Column {
    Column { name: format!("added_{number}"), data_type: DataType::Int, nullable: true, default: None }
}

/// Columns that were added to the table.
pub fn added_columns(table: &Table) -> usize {
    table.schema().columns().len() - definition().columns.len()
}

/// A plan of one task with one file. `planner` tells the plans of two planners apart.
pub fn plan(table: &Table, load: u32, rows: u32, planner: i64) -> Plan {
    let file = PlannedFile {
        source: 0,
        bucket: "bucket".to_owned(),
        key: format!("{}-{rows}", label(load)),
        size: u64::from(rows),
        etag: "etag".to_owned(),
        modified_ms: 0,
    };
    Plan {
        request_digest: "digest".to_owned(),
        table_id: table.id().to_owned(),
        schema_version: table.version(),
        schema_digest: String::new(),
        now_micros: planner,
        manifests: Vec::new(),
        tasks: vec![PlannedTask { files: vec![file] }],
    }
}

/// Writes the segments of a load, durable, and says so in the report of its one task.
pub fn write_task(table: &Table, claim: &Claim, load: u32, rows: u32) -> Result<TaskReport> {
    let identity = TaskIdentity {
        label: claim.label().to_owned(),
        run: claim.run(),
        attempt: claim.attempt(),
        task: 0,
        // As a process that is started again has another id: a file whose making is in doubt is left alone.
        writer: format!("{:016x}", getrandom::u64()?),
    };
    let options = WriterOptions { budget_bytes: BUDGET, threads: 1, ..WriterOptions::default() };
    let mut writer = TabletWriter::new(
        Arc::clone(table.files()),
        table.root().to_owned(),
        Arc::clone(table.schema()),
        identity,
        options,
        Arc::new(WriterMetrics::default()),
    )?;
    if let Err(error) = writer.append(&batch(table, load, rows)?) {
        writer.abandon();
        return Err(error.into());
    }
    let segments = writer.finish()?;
    let rows = u64::from(rows);
    let file = FileReport { read: rows, loaded: rows, bytes: rows, ..FileReport::default() };
    Ok(TaskReport {
        task: 0,
        files: vec![file],
        segments,
        rejected: None,
        rejected_rows: 0,
        first_errors: Vec::new(),
        skipped: Vec::new(),
    })
}

/// The commit of a load from the report of its task.
pub fn load_commit(table: &Table, claim: &Claim, report: &TaskReport, mode: LoadMode) -> LoadCommit {
    let rows = report.files.iter().map(|file| file.loaded).sum();
    let mut record = HistoryRecord::new(claim.label(), claim.run(), claim.attempt(), HistoryOutcome::Loaded);
    record.counts = HistoryCounts { scan_rows: rows, sink_rows: rows, ..HistoryCounts::default() };
    LoadCommit {
        segments: report.segments.clone(),
        schema: Arc::clone(table.schema()),
        record,
        deadline: None,
        mode,
        new_columns: Vec::new(),
    }
}

/// Merges the small segments of each tablet; answers the version.
pub fn compact(table: &mut Table) -> Result<u64> {
    let options = CompactionOptions { budget_bytes: BUDGET, ..CompactionOptions::default() };
    Compactor::run(table, &options, &AtomicBool::new(false))?;
    Ok(table.version())
}

/// Folds the history and removes from the log what is not needed, however young; answers the version.
pub fn clean_log(table: &mut Table) -> Result<u64> {
    table.clean_log(&CleanOptions { min_age: Duration::ZERO })?;
    Ok(table.version())
}

/// Removes what no one can need any more: what a version removed at once, temporary files of this age.
pub fn vacuum(table: &mut Table, min_age: Duration) -> Result<u64> {
    let options = VacuumOptions { retention: Some(Duration::ZERO), min_age, dry_run: false };
    Ok(table.vacuum(&options, &mut |_| ())?.version)
}

/// Compares all that is on the volume with the log; the first error that is found is one.
pub fn verify(table: &mut Table) -> Result<()> {
    let mut wrong = None;
    let outcome = table.verify(&VerifyOptions { full: true }, &mut |finding| {
        if finding.severity == Severity::Error && wrong.is_none() {
            wrong = Some(finding.clone());
        }
    })?;
    ensure!(outcome.is_sound(), "verify found {} errors, the first: {wrong:?}", outcome.errors);
    Ok(())
}

/// Reads every row of the table's version from its Parquet files; answers the rows by load. A row that is
/// there twice, has another text than it was written with, or is in no one's load, is an error.
pub fn read_rows(table: &Table) -> Result<BTreeMap<u32, u32>> {
    let segments = table.segments()?;
    rows_of(table.files(), table.root(), table, &segments)
}

/// As [`read_rows`], of these segments only.
pub fn rows_of(
    files: &Arc<dyn FileSystem>,
    root: &Path,
    table: &Table,
    segments: &[Segment],
) -> Result<BTreeMap<u32, u32>> {
    let mut seen: BTreeMap<u32, Vec<bool>> = BTreeMap::new();
    for batch in scan(Arc::clone(files), root, Arc::clone(table.schema()), segments, None, None)? {
        mark_rows(&batch?, &mut seen)?;
    }
    let mut rows = BTreeMap::new();
    for (load, numbers) in seen {
        if let Some(missing) = numbers.iter().position(|seen| !seen) {
            bail!("row {missing} of load {load} is missing, and row {} is there", numbers.len() - 1);
        }
        rows.insert(load, u32::try_from(numbers.len())?);
    }
    let promised: u64 = segments.iter().map(|segment| segment.rows).sum();
    let read: u64 = rows.values().map(|rows| u64::from(*rows)).sum();
    ensure!(promised == read, "the log promises {promised} rows, the files have {read}");
    Ok(rows)
}

fn mark_rows(batch: &RecordBatch, seen: &mut BTreeMap<u32, Vec<bool>>) -> Result<()> {
    let loads = batch.column(0).as_primitive_opt::<Int32Type>().context("column load")?;
    let rows = batch.column(1).as_primitive_opt::<Int64Type>().context("column row")?;
    let texts = batch.column(2).as_string_opt::<i32>().context("column text")?;
    let mut added_values = Vec::new();
    for column in 3..batch.num_columns() {
        added_values.push((column, batch.column(column).as_primitive_opt::<Int32Type>().context("column")?));
    }
    for index in 0..batch.num_rows() {
        let (load, row) = (loads.value(index).cast_unsigned(), rows.value(index));
        ensure!(texts.value(index) == text(load, row), "row {row} of load {load} has another text");
        for (column, values) in &added_values {
            // A file that is older than the column has no value for it.
            let holds = values.is_null(index) || values.value(index) == added(*column, row);
            ensure!(holds, "row {row} of load {load} has another value in added column {column}");
        }
        let numbers = seen.entry(load).or_default();
        let number = usize::try_from(row)?;
        if numbers.len() <= number {
            numbers.resize(number + 1, false);
        }
        ensure!(!numbers[number], "row {row} of load {load} is there twice");
        numbers[number] = true;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use longshore_storage::durable::Posix;

    use super::*;

    #[test]
    fn rows_are_found_again_and_a_file_that_is_named_twice_is_not_overlooked() {
        let folder = tempfile::tempdir().unwrap();
        let files: Arc<dyn FileSystem> = Arc::new(Posix);
        let root = folder.path().join("table");
        let mut table = Table::create(Arc::clone(&files), &root, &definition()).unwrap();
        let claim = table.claim(&label(3), 1).unwrap();
        let report = write_task(&table, &claim, 3, 500).unwrap();
        let commit = load_commit(&table, &claim, &report, LoadMode::Append);
        table.commit_load(&claim, commit).unwrap();
        assert_eq!(read_rows(&table).unwrap(), BTreeMap::from([(3, 500)]));

        let mut twice = report.segments;
        twice.push(twice[0].clone());
        let error = rows_of(&files, &root, &table, &twice).unwrap_err();
        assert!(error.to_string().contains("twice"), "{error}");
    }
}
