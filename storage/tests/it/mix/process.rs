//! One process of the mix: does one thing after the other until it is killed.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use longshore_storage::compact::{CompactionOptions, Compactor};
use longshore_storage::durable::{FileSystem, Posix, writer_id};
use longshore_storage::history::{HistoryCounts, HistoryOutcome, HistoryRecord};
use longshore_storage::load::{Plan, PlannedTask, TaskReport};
use longshore_storage::log::CleanOptions;
use longshore_storage::table::{
    Claim, ClaimError, CommitError, CommitOutcome, LabelState, LoadCommit, Table,
};
use longshore_storage::tablet::{TabletWriter, TaskIdentity, WriterMetrics, WriterOptions};
use longshore_storage::vacuum::VacuumOptions;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::oracle::is_behind;
use super::rows::{EXTRA_COLUMNS, Label, batch, extra_column, has_partitions};

/// Run by the test of the mix, as a process of its own.
#[test]
#[ignore = "is started by the test of the mix"]
fn mixed_work() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let (root, acknowledged) = (variable("MIX_ROOT"), variable("MIX_ACKNOWLEDGED"));
    let mut random = StdRng::seed_from_u64(variable("MIX_SEED").parse().unwrap());
    let mut acknowledged = std::fs::File::create(acknowledged).unwrap();
    let mut table = Table::open(Arc::new(Posix), Path::new(&root)).unwrap();
    loop {
        match random.random_range(0..100) {
            0..60 => {
                let labels: Vec<Label> = Label::all().collect();
                let label = labels[random.random_range(0..labels.len())];
                if let Some(version) = load(&mut table, label) {
                    // One write: a process killed between two would leave half a line.
                    acknowledged.write_all(format!("{} {version}\n", label.0).as_bytes()).unwrap();
                }
            }
            60..75 => compact(&mut table),
            75..80 => {
                let column = extra_column(random.random_range(0..EXTRA_COLUMNS));
                unless_behind(table.add_columns(&[column]));
            }
            80..88 => {
                unless_behind(table.checkpoint());
            }
            88..92 => {
                unless_behind(table.fold_history());
            }
            92..96 => {
                unless_behind(table.clean_log(&CleanOptions { min_age: Duration::ZERO }));
            }
            // What was removed a moment ago may be read by the others still: their time is not over.
            _ => {
                let hour = Duration::from_secs(3600);
                let options = VacuumOptions { retention: Some(hour), min_age: hour, dry_run: false };
                unless_behind(table.vacuum(&options, &mut |_| {}));
            }
        }
    }
}

/// What an operation gave. The log is cleaned without the day that it must be given, so that an operation may
/// find what it reads, or its temporary file, gone: it has to say so then, and the table stays as it is.
fn unless_behind<T, E: std::fmt::Debug>(result: Result<T, E>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let text = format!("{error:?}");
            assert!(is_behind(&text), "{text}");
            None
        }
    }
}

/// Loads a label, unless that is done or another process is at it; the version, if it is this load's.
fn load(table: &mut Table, label: Label) -> Option<u64> {
    unless_behind(table.refresh())?;
    let run = match unless_behind(table.label(&label.name()))? {
        LabelState::Loaded { .. } => return None,
        LabelState::Closed { run } => run + 1,
        LabelState::Claimed { run, .. } => run,
        LabelState::Unknown => 1,
    };
    let claim = match table.claim(&label.name(), run) {
        Ok(claim) => claim,
        Err(ClaimError::AlreadyLoaded { .. } | ClaimError::RunPassed { .. }) => return None,
        Err(error) => return unless_behind(Err(error)),
    };
    let schema = Arc::clone(table.schema());
    let report = write(table, label, &claim)?;
    if label.fails_at_first() && run == 1 {
        fail(table, &claim);
        return None;
    }
    let mut record = HistoryRecord::new(&label.name(), run, claim.attempt(), HistoryOutcome::Loaded);
    let partitions = has_partitions(&schema);
    let rows = label.rows(partitions).len() as u64;
    record.counts = HistoryCounts { scan_rows: rows, sink_rows: rows, ..HistoryCounts::default() };
    let commit = LoadCommit {
        segments: report.segments,
        schema,
        record,
        deadline: None,
        mode: label.mode(partitions),
        new_columns: Vec::new(),
    };
    match table.commit_load(&claim, commit) {
        Ok(CommitOutcome::Committed { version }) => Some(version),
        Ok(CommitOutcome::AlreadyLoaded { .. }) | Err(CommitError::ClaimLost { .. }) => None,
        Err(error) => unless_behind(Err(error)),
    }
}

/// Writes the segments and the report of the one task; none: the run was over, and its files were taken away.
fn write(table: &Table, label: Label, claim: &Claim) -> Option<TaskReport> {
    let folder = table.load_folder(claim).unwrap();
    let plan = Plan {
        request_digest: String::new(),
        table_id: table.id().to_owned(),
        schema_version: table.version(),
        schema_digest: table.schema().digest(),
        now_micros: 0,
        manifests: Vec::new(),
        tasks: vec![PlannedTask::default()],
    };
    folder.put_plan(&plan).ok()?;
    let identity = TaskIdentity {
        label: label.name(),
        run: claim.run(),
        attempt: claim.attempt(),
        task: 0,
        writer: writer_id().to_owned(),
    };
    let files: Arc<dyn FileSystem> = Arc::new(Posix);
    let mut writer = TabletWriter::new(
        files,
        table.root().to_owned(),
        Arc::clone(table.schema()),
        identity,
        WriterOptions { budget_bytes: 4 << 20, threads: 1, ..WriterOptions::default() },
        Arc::new(WriterMetrics::default()),
    )
    .unwrap();
    writer.append(&batch(label, table.schema())).unwrap();
    let report = TaskReport {
        task: 0,
        files: Vec::new(),
        segments: writer.finish().unwrap(),
        rejected: None,
        rejected_rows: 0,
        first_errors: Vec::new(),
        skipped: Vec::new(),
    };
    folder.put_task_report(&report).ok()
}

/// Ends the run for good, as a worker does that met bad data.
fn fail(table: &mut Table, claim: &Claim) {
    let record = HistoryRecord::new(claim.label(), claim.run(), claim.attempt(), HistoryOutcome::Failed);
    let closed = unless_behind(table.close_run(claim.label(), claim.run(), Some(claim), record));
    if closed.is_none() {
        return;
    }
    let folder = table.load_folder(claim).unwrap();
    // Another process may have gone on with the label: then its files are not ours to remove.
    match table.remove_own(&folder) {
        Err(error) if error.category() == "RunStillOpen" => {}
        other => {
            unless_behind(other);
        }
    }
}

fn compact(table: &mut Table) {
    let options = CompactionOptions { budget_bytes: 8 << 20, ..CompactionOptions::default() };
    unless_behind(Compactor::run(table, &options, &AtomicBool::new(false)));
}
