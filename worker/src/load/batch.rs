//! A batch of a pipe: like a load, but its files are given, and the epoch of the pipe is its claim.

use std::sync::Arc;
use std::time::SystemTime;

use longshore_crds::LoadRequest;
use longshore_storage::durable::writer_id;
use longshore_storage::history::{HistoryFile, HistoryOutcome};
use longshore_storage::load::{PlannedFile, PlannedTask, TaskReport};
use longshore_storage::schema::{Column, MAX_NEW_PARTITIONS, TableSchema};
use longshore_storage::table::{Batch, LoadCommit, LoadMode, Table};
use longshore_storage::tablet::{TabletError, TaskIdentity};

use super::totals::Details;
use super::{FilterRatio, LoadContext, LoadFailure, admit, drift, finish, tasks};
use crate::pipeline::{self, Job};
use crate::source::Store;

/// What a batch is made of.
#[derive(Clone, Copy)]
pub struct BatchParts<'a> {
    /// The rules, as a load has them.
    pub request: &'a LoadRequest,
    /// Its number and epoch.
    pub batch: &'a Batch,
    /// Its files.
    pub files: &'a [PlannedFile],
    /// Where they lie.
    pub store: &'a Store,
    /// The process.
    pub context: &'a LoadContext,
}

/// How a batch ended, if nothing but its files can be at fault.
#[derive(Debug)]
pub enum BatchEnd {
    /// Its rows are in the table, but for the files that are skipped: one entry a file, in order.
    Committed {
        /// Version of the table.
        version: u64,
        /// What was counted of each file.
        files: Vec<HistoryFile>,
    },
    /// No file of it could be read: nothing was committed.
    AllSkipped {
        /// Why, one entry a file, in order.
        files: Vec<HistoryFile>,
    },
    /// More rows of some files do not fit than the ratio allows: nothing was committed.
    OverRatio {
        /// The places of these files, and why.
        files: Vec<(usize, String)>,
    },
}

/// Checks what can be checked before a batch is begun: the request by itself and against the table.
///
/// # Errors
/// What only an edit of the Pipe or the Table mends.
pub fn check_batch(request: &LoadRequest, table: &Table) -> Result<(), LoadFailure> {
    admit::admit(request, table.schema()).map(drop)
}

/// Loads the files of a batch and commits them; blocks. Until it is committed, nothing of it is visible.
///
/// # Errors
/// Where the batch as a whole failed. After `OutcomeUnknown` the process must end.
pub fn run_batch(table: &mut Table, parts: BatchParts<'_>) -> Result<BatchEnd, LoadFailure> {
    let start = SystemTime::now();
    let BatchParts { request, batch, files, store, context } = parts;
    table.refresh_to_commit()?;
    let declared = Arc::clone(table.schema());
    let admitted = admit::admit(request, &declared)?;
    let stores = vec![store.clone()];
    let new_columns = drift::new_columns(request, &declared, &stores, files, &context.cancel)?;
    let schema = drift::widened(&declared, &new_columns)?;
    let job = tasks::job(
        &tasks::JobParts {
            request: request.clone(),
            context: context.clone(),
            files: Arc::clone(table.files()),
            root: table.root().to_owned(),
            schema: Arc::clone(&schema),
            declared_columns: declared.columns().len(),
            rules: admitted.rules(admitted.now_micros),
            stores,
            cancel: context.cancel.clone(),
        },
        0,
        0,
    );
    let task = PlannedTask { files: files.to_vec() };
    let report = pipeline::run_task(&job, &identity(batch), &rejected_path(batch), &task)?;
    let over = over_ratio(&report, admitted.ratio, request);
    if !over.is_empty() {
        pipeline::discard(&job, &report);
        return Ok(BatchEnd::OverRatio { files: over });
    }
    commit(table, parts, Loaded { job: &job, task: &task, report, schema, new_columns, start })
}

/// Where the rejected rows of a batch lie, relative to the table's folder.
fn rejected_path(batch: &Batch) -> String {
    let folder = batch.path();
    let folder = folder.split_once("/batches/").map_or(folder.as_str(), |(ledger, _)| ledger);
    format!("{folder}/rejected-{}-{}.parquet", batch.number(), batch.epoch().number())
}

fn identity(batch: &Batch) -> TaskIdentity {
    TaskIdentity {
        label: batch.segment_label(),
        run: batch.epoch().number(),
        attempt: batch.number(),
        task: 0,
        writer: writer_id().to_owned(),
    }
}

/// Files of which more rows do not fit than the ratio allows. It is judged file by file: the good ones of a batch
/// do not make up for a bad one, and what is loaded does not hang on how batches were cut.
fn over_ratio(report: &TaskReport, ratio: FilterRatio, request: &LoadRequest) -> Vec<(usize, String)> {
    let judged =
        report.files.iter().enumerate().filter(|(_, file)| ratio.is_exceeded(file.filtered, file.loaded));
    let told = judged.map(|(place, file)| {
        let message = format!(
            "{} of {} rows do not fit, more than maxFilterRatio {} allows",
            file.filtered,
            file.filtered + file.loaded,
            request.max_filter_ratio
        );
        (place, message)
    });
    told.collect()
}

struct Loaded<'a> {
    job: &'a Job,
    task: &'a PlannedTask,
    report: TaskReport,
    schema: Arc<TableSchema>,
    new_columns: Vec<Column>,
    start: SystemTime,
}

fn commit(table: &mut Table, parts: BatchParts<'_>, loaded: Loaded<'_>) -> Result<BatchEnd, LoadFailure> {
    let Loaded { job, task, report, schema, new_columns, start } = loaded;
    let mut details = Details::default();
    details.add_task(task, &report)?;
    if report.skipped.len() == task.files.len() {
        return Ok(BatchEnd::AllSkipped { files: details.files });
    }
    if let Some(partition) = table.partition_beyond_limit(&report.segments)? {
        pipeline::discard(job, &report);
        return Err(TabletError::TooManyPartitions { limit: MAX_NEW_PARTITIONS, partition }.into());
    }
    let mut record =
        finish::record(parts.request, parts.batch.number(), HistoryOutcome::Loaded, &details, start);
    record.times.commit = Some(finish::instant(SystemTime::now()));
    let load = LoadCommit {
        segments: report.segments,
        schema,
        record,
        deadline: None,
        mode: LoadMode::Append,
        new_columns,
    };
    let version = table.commit_batch(parts.batch, load)?;
    // A checkpoint only makes the next opening cheaper.
    if let Err(error) = table.checkpoint_if_due() {
        tracing::warn!(%error, "the checkpoint was not written; the next batch tries again");
    }
    Ok(BatchEnd::Committed { version, files: details.files })
}
