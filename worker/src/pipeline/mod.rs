//! One task from frozen files to durable segments.
//!
//! ```text
//! openers ──▶ work list ──▶ decoders: fetch → decode → convert ──▶ byte queue ──▶ tablet writer
//! (footers,   (row groups,  (one a thread, the next part fetched ahead)           (route → sort → encode)
//! text cut)   blocks)
//! ```
//!
//! Every stage blocks on the next one's bound, so that memory is the budget whatever the input. The first
//! failure closes the list and the queue: all threads end, and the task leaves nothing behind.

mod bad_files;
mod check;
mod decoder;
mod files;
mod memory;
mod queue;
mod rejects;
mod work;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use arrow::array::RecordBatch;
use longshore_crds::{LoadRequest, OnMissingColumn};
use longshore_storage::durable::FileSystem;
use longshore_storage::load::{FileReport, PlannedTask, RejectedError, Segment, SkippedFile, TaskReport};
use longshore_storage::schema::TableSchema;
use longshore_storage::table::Table;
use longshore_storage::tablet::{
    KnownPartitions, TabletError, TabletWriter, TaskIdentity, WriterMetrics, WriterOptions,
};
use tokio_util::sync::CancellationToken;

use crate::convert::Rules;
use crate::dry_run::Findings;
use crate::load::LoadFailure;
use crate::metrics::StageClock;
use crate::progress::Progress;
use crate::rows::RejectedRow;
use crate::source::Store;

pub use bad_files::BadFilePolicy;
pub use check::{TaskChecked, check_task};
pub use memory::{MemoryShares, SMALLEST_BUDGET};
pub use rejects::{FIRST_ERRORS, Rejects};

use files::TaskFiles;
use queue::ByteQueue;
use work::WorkList;

/// Files opened at once, ahead of the decoders: a footer costs a round trip and no CPU. Text is cut by as many.
const OPENERS: usize = 4;
/// Bytes after which a segment is closed and the next begun.
const TARGET_SEGMENT_BYTES: u64 = 256 << 20;
/// A run is written as segments at once if they would be at least this large on average.
const MIN_SEGMENT_BYTES: u64 = 32 << 20;

/// What all tasks of a load share.
pub struct Job {
    /// The request.
    pub request: LoadRequest,
    /// One store a source.
    pub stores: Vec<Store>,
    /// The volume.
    pub files: Arc<dyn FileSystem>,
    /// The table's folder.
    pub root: PathBuf,
    /// The schema of the segments: the table's, with the columns that the load brings.
    pub schema: Arc<TableSchema>,
    /// Columns that the table has; those after them come with this load.
    pub declared_columns: usize,
    /// How values are cast.
    pub rules: Rules,
    /// Threads that sort and encode; as many decode, where the memory allows.
    pub threads: usize,
    /// The budget, shared out.
    pub memory: MemoryShares,
    /// Rejected rows of the whole load.
    pub rejects: Rejects,
    /// What becomes of files that cannot be read.
    pub bad_files: BadFilePolicy,
    /// Where a dry run gathers what it finds; then nothing is written.
    pub findings: Option<Arc<Findings>>,
    /// Counters for those who watch.
    pub progress: Arc<Progress>,
    /// Counters of the tablet writer.
    pub writer_metrics: Arc<WriterMetrics>,
    /// Seconds by stage.
    pub clock: Arc<StageClock>,
    /// Stops everything.
    pub cancel: CancellationToken,
}

impl Job {
    fn on_missing(&self) -> OnMissingColumn {
        self.request.on_missing_column
    }
}

/// Runs one task to its report; blocking. The segments it names are durable, the report itself is not yet
/// written. On failure nothing of this task is left but what `tmp/` holds.
///
/// A file that turns out to be bad when rows of it are on their way spoils what is being written: the task is
/// done again without it. Each further round has found a new one, and the limit on them bounds the rounds.
pub fn run_task(
    job: &Job,
    identity: &TaskIdentity,
    rejected_path: &str,
    task: &PlannedTask,
) -> Result<TaskReport, LoadFailure> {
    let mut bad = BTreeMap::new();
    loop {
        let (found, report) = run_round(job, identity, rejected_path, task, &bad)?;
        bad.extend(found);
        match report {
            Some(report) => return Ok(report),
            None => tracing::info!(
                task = identity.task,
                bad = bad.len(),
                "the task is done again without bad files"
            ),
        }
    }
}

/// One round of a task without the files of `bad`: the bad files that it found, and its report; `None`: rows
/// of theirs are among those written.
fn run_round(
    job: &Job,
    identity: &TaskIdentity,
    rejected_path: &str,
    task: &PlannedTask,
    bad: &BTreeMap<usize, LoadFailure>,
) -> Result<(BTreeMap<usize, LoadFailure>, Option<TaskReport>), LoadFailure> {
    let mut writer = writer(job, identity)?;
    job.rejects.begin_task(rejected_path.to_owned());
    let files = TaskFiles::new(job, identity.task, task, bad.keys().copied());
    let streamed = stream_rows(job, &files, &mut |batch| {
        // What would be thrown away needs no sorting.
        if files.bad.is_spoiled() { Ok(()) } else { Ok(writer.append(batch)?) }
    });
    let streamed = streamed.and_then(|()| files.reports());
    let spoiled = files.bad.is_spoiled();
    let written = match streamed {
        Ok(reports) if !spoiled => {
            writer.finish().map(|segments| (reports, segments)).map_err(LoadFailure::from)
        }
        Ok(_) => {
            writer.abandon();
            job.rejects.abandon_task();
            files.take_back();
            return Ok((files.bad.into_found(), None));
        }
        Err(failure) => {
            writer.abandon();
            Err(failure)
        }
    };
    let found = files.bad.into_found();
    let all: BTreeMap<usize, &LoadFailure> =
        bad.iter().chain(&found).map(|(file, failure)| (*file, failure)).collect();
    let ended = written.and_then(|(reports, segments)| {
        end_task(job, identity.task, task, Written { reports, segments, bad: &all })
    });
    if ended.is_err() {
        job.rejects.abandon_task();
    }
    ended.map(|report| (found, Some(report)))
}

fn writer(job: &Job, identity: &TaskIdentity) -> Result<TabletWriter, TabletError> {
    let writer = TabletWriter::new(
        Arc::clone(&job.files),
        job.root.clone(),
        Arc::clone(&job.schema),
        identity.clone(),
        writer_options(job),
        Arc::clone(&job.writer_metrics),
    )?;
    Ok(writer.with_known_partitions(known_partitions(job)))
}

/// The files of a task that are left out, in its order; each is one of the rejected records.
fn skip(
    job: &Job,
    task: &PlannedTask,
    bad: &BTreeMap<usize, &LoadFailure>,
) -> Result<Vec<SkippedFile>, RejectedError> {
    let mut skipped = Vec::with_capacity(bad.len());
    for ((number, place), file) in (0_u32..).zip(0..).zip(&task.files) {
        let Some(failure) = bad.get(&place) else { continue };
        let row = RejectedRow::of_file(failure.category(), failure.to_string());
        let (code, message) = (row.code.to_owned(), row.message.clone());
        job.rejects.keep(&file.uri(), vec![row])?;
        skipped.push(SkippedFile { file: number, code, message });
    }
    Ok(skipped)
}

/// The partitions that the table has, should a task bring thousands of them.
fn known_partitions(job: &Job) -> KnownPartitions {
    let (files, root) = (Arc::clone(&job.files), job.root.clone());
    Arc::new(move || Table::open(Arc::clone(&files), &root)?.partition_names())
}

/// What a round wrote.
struct Written<'a> {
    reports: Vec<FileReport>,
    segments: Vec<Segment>,
    bad: &'a BTreeMap<usize, &'a LoadFailure>,
}

/// Compares rows in and out, and makes the rejected rows durable.
fn end_task(
    job: &Job,
    number: u32,
    task: &PlannedTask,
    written: Written<'_>,
) -> Result<TaskReport, LoadFailure> {
    let Written { reports: files, segments, bad } = written;
    let written: u64 = segments.iter().map(|segment| segment.rows).sum();
    let loaded: u64 = files.iter().map(|file| file.loaded).sum();
    let rejected = if written == loaded {
        let skipped = skip(job, task, bad);
        skipped.and_then(|skipped| Ok((skipped, job.rejects.end_task()?))).map_err(LoadFailure::from)
    } else {
        Err(LoadFailure::LostRows { task: number, loaded, written })
    };
    match rejected {
        Ok((skipped, (rejected, rejected_rows, first_errors))) => {
            Progress::add(&job.progress.rows_written, written);
            Progress::add(&job.progress.files_skipped, skipped.len() as u64);
            Ok(TaskReport { task: number, files, segments, rejected, rejected_rows, first_errors, skipped })
        }
        Err(failure) => {
            remove_segments(job, &segments);
            Err(failure)
        }
    }
}

/// Removes what a task wrote that is not wanted any more.
pub fn discard(job: &Job, report: &TaskReport) {
    remove_segments(job, &report.segments);
    if let Some(path) = &report.rejected
        && let Err(error) = job.files.remove(&job.root.join(path))
    {
        tracing::warn!(%path, %error, "rejected rows of a batch that is not committed stay behind");
    }
}

fn remove_segments(job: &Job, segments: &[Segment]) {
    for segment in segments {
        let path = job.root.join(&segment.path);
        if let Err(error) = job.files.remove(&path) {
            tracing::warn!(path = %path.display(), %error, "a segment of the failed task stays behind");
        }
    }
}

fn writer_options(job: &Job) -> WriterOptions {
    WriterOptions {
        budget_bytes: job.memory.writer,
        threads: job.threads,
        target_segment_bytes: TARGET_SEGMENT_BYTES,
        min_segment_bytes: MIN_SEGMENT_BYTES,
    }
}

/// Takes the converted rows.
type Append<'a> = dyn FnMut(&RecordBatch) -> Result<(), LoadFailure> + 'a;

/// Runs the stages until every row is appended or the first failure.
fn stream_rows(job: &Job, files: &TaskFiles<'_>, append: &mut Append<'_>) -> Result<(), LoadFailure> {
    let decoders = job.memory.decoders(job.threads);
    let work = WorkList::new(files.len(), decoders.threads * 2, decoders.ahead_bytes);
    let queue = ByteQueue::new(job.memory.queue, decoders.threads);
    let failure = FirstFailure::default();
    let stop = |error| {
        failure.set(error);
        work.close();
        queue.close();
    };
    thread::scope(|scope| {
        for _ in 0..OPENERS.min(files.len()) {
            scope.spawn(|| guarded(|| files::open_all(files, decoders, &work)).unwrap_or_else(&stop));
        }
        for _ in 0..decoders.threads {
            scope.spawn(|| {
                guarded(|| decoder::decode_all(job, decoders, files, &work, &queue)).unwrap_or_else(&stop);
                queue.leave();
            });
        }
        guarded(|| append_all(job, &queue, append)).unwrap_or_else(&stop);
    });
    if let Some(error) = failure.take() {
        return Err(error);
    }
    if job.cancel.is_cancelled() { Err(LoadFailure::Cancelled) } else { Ok(()) }
}

/// Runs a stage; a panic in it (a fault of ours or of a library) becomes a failure of this load, and not a
/// thread that the others wait for.
fn guarded(stage: impl FnOnce() -> Result<(), LoadFailure>) -> Result<(), LoadFailure> {
    catch_unwind(AssertUnwindSafe(stage)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(LoadFailure::Internal { message: text.to_owned() })
    })
}

/// The last stage: batches into the tablet writer.
fn append_all(job: &Job, queue: &ByteQueue<RecordBatch>, append: &mut Append<'_>) -> Result<(), LoadFailure> {
    while let Some(batch) = queue.pop() {
        if job.cancel.is_cancelled() {
            return Err(LoadFailure::Cancelled);
        }
        let start = Instant::now();
        append(&batch)?;
        job.clock.append.add(start.elapsed());
    }
    Ok(())
}

/// Keeps the first failure of several threads: the later ones follow from it.
#[derive(Default)]
struct FirstFailure(Mutex<Option<LoadFailure>>);

impl FirstFailure {
    fn set(&self, failure: LoadFailure) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    }

    fn take(&self) -> Option<LoadFailure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
