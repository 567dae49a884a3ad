//! The tasks of a plan, one after the other: adopted where an earlier attempt finished them, run otherwise.

use std::path::PathBuf;
use std::sync::Arc;

use longshore_crds::LoadRequest;
use longshore_storage::durable::FileSystem;
use longshore_storage::durable::writer_id;
use longshore_storage::load::{EarlierAttempt, LoadFolder, Plan, PlannedTask, TaskReport, adoptable};
use longshore_storage::schema::TableSchema;
use longshore_storage::table::Claim;
use longshore_storage::tablet::TaskIdentity;
use tokio_util::sync::CancellationToken;

use super::{LoadContext, LoadFailure};
use crate::convert::Rules;
use crate::pipeline::{self, BadFilePolicy, Job, MemoryShares, Rejects, SMALLEST_BUDGET};
use crate::progress::Progress;
use crate::source::Store;

/// What a job is made of.
pub struct JobParts {
    /// The request.
    pub request: LoadRequest,
    /// The process.
    pub context: LoadContext,
    /// The volume.
    pub files: Arc<dyn FileSystem>,
    /// The table's folder.
    pub root: PathBuf,
    /// The table's schema.
    pub schema: Arc<TableSchema>,
    /// Columns that the table has; those after them come with this load.
    pub declared_columns: usize,
    /// The rules of casting.
    pub rules: Rules,
    /// One store a source.
    pub stores: Vec<Store>,
    /// Stops the tasks.
    pub cancel: CancellationToken,
}

/// Reports of all tasks, in the plan's order; each is on the volume.
pub fn run_all(
    parts: &JobParts,
    claim: &Claim,
    folder: &LoadFolder,
    plan: &Plan,
    earlier: &[EarlierAttempt],
) -> Result<Vec<TaskReport>, LoadFailure> {
    let adopted = adopt(folder, plan, earlier)?;
    let kept = adopted.iter().flatten().map(|report| report.rejected_rows).sum();
    let skipped: usize = adopted.iter().flatten().map(|report| report.skipped.len()).sum();
    let job = job(parts, kept, u32::try_from(skipped).unwrap_or(u32::MAX));
    announce(&job, plan);
    let mut reports = Vec::with_capacity(plan.tasks.len());
    for ((number, task), adopted) in (0_u32..).zip(&plan.tasks).zip(adopted) {
        let report = match adopted {
            Some(report) => {
                count_adopted(&job, task, &report);
                folder.put_task_report(&report)?
            }
            None => run_one(&job, claim, folder, number, task)?,
        };
        reports.push(report);
    }
    Ok(reports)
}

fn run_one(
    job: &Job,
    claim: &Claim,
    folder: &LoadFolder,
    number: u32,
    task: &PlannedTask,
) -> Result<TaskReport, LoadFailure> {
    let identity = TaskIdentity {
        label: claim.label().to_owned(),
        run: claim.run(),
        attempt: claim.attempt(),
        task: number,
        writer: writer_id().to_owned(),
    };
    let rejected_path = folder.rejected_path(number, writer_id());
    let report = pipeline::run_task(job, &identity, &rejected_path, task)?;
    Ok(folder.put_task_report(&report)?)
}

/// For each task of the plan, the report of an earlier attempt of this run that finished it, if its
/// segments are still there.
fn adopt(
    folder: &LoadFolder,
    plan: &Plan,
    earlier: &[EarlierAttempt],
) -> Result<Vec<Option<TaskReport>>, LoadFailure> {
    let mut finished = adoptable(plan, earlier);
    let mut adopted = Vec::with_capacity(plan.tasks.len());
    for number in (0_u32..).take(plan.tasks.len()) {
        let report = match finished.remove(&number) {
            Some(found) if folder.segments_stand(&found.report.segments)? => {
                tracing::info!(task = number, attempt = found.attempt, "adopting a finished task");
                Some(found.report)
            }
            _ => None,
        };
        adopted.push(report);
    }
    Ok(adopted)
}

/// The job of these parts; `kept`, `skipped`: rejected rows and files that adopted tasks hold already.
pub fn job(parts: &JobParts, kept: u64, skipped: u32) -> Job {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = match parts.request.execution.parallelism {
        0 => cores,
        asked => asked as usize,
    };
    let metrics = &parts.context.metrics;
    if parts.context.memory_bytes < SMALLEST_BUDGET {
        let (given, taken) = (parts.context.memory_bytes, SMALLEST_BUDGET);
        tracing::warn!(given, taken, "the memory budget is below the smallest one, which is taken instead");
    }
    Job {
        rejects: Rejects::new(
            Arc::clone(&parts.files),
            &parts.root,
            &parts.request.label,
            parts.request.rejected_records_limit,
            kept,
        ),
        bad_files: BadFilePolicy::of(&parts.request, skipped),
        findings: None,
        request: parts.request.clone(),
        stores: parts.stores.clone(),
        files: Arc::clone(&parts.files),
        root: parts.root.clone(),
        schema: Arc::clone(&parts.schema),
        declared_columns: parts.declared_columns,
        rules: parts.rules,
        threads,
        memory: MemoryShares::of(parts.context.memory_bytes),
        progress: Arc::clone(&metrics.progress),
        writer_metrics: Arc::clone(&metrics.writer),
        clock: Arc::clone(&metrics.clock),
        cancel: parts.cancel.clone(),
    }
}

/// The bar's ends.
pub fn announce(job: &Job, plan: &Plan) {
    let files = plan.tasks.iter().flat_map(|task| &task.files);
    let (count, bytes) = files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.size));
    Progress::add(&job.progress.files_total, count);
    Progress::add(&job.progress.bytes_total, bytes);
}

fn count_adopted(job: &Job, task: &PlannedTask, report: &TaskReport) {
    let progress = &job.progress;
    Progress::add(&progress.files_done, (task.files.len() - report.skipped.len()) as u64);
    Progress::add(&progress.files_skipped, report.skipped.len() as u64);
    Progress::add(&progress.bytes_read, task.files.iter().map(|file| file.size).sum());
    for file in &report.files {
        Progress::add(&progress.rows_read, file.read);
        Progress::add(&progress.rows_loaded, file.loaded);
        Progress::add(&progress.rows_filtered, file.filtered);
        Progress::add(&progress.rows_written, file.loaded);
    }
}
