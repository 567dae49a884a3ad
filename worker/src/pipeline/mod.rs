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

mod decoder;
mod files;
mod memory;
mod queue;
mod rejects;
mod work;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use arrow::array::RecordBatch;
use longshore_crds::{LoadRequest, OnMissingColumn};
use longshore_storage::durable::FileSystem;
use longshore_storage::load::{FileReport, PlannedTask, Segment, TaskReport};
use longshore_storage::schema::TableSchema;
use longshore_storage::table::Table;
use longshore_storage::tablet::{KnownPartitions, TabletWriter, TaskIdentity, WriterMetrics, WriterOptions};
use tokio_util::sync::CancellationToken;

use crate::convert::Rules;
use crate::load::LoadFailure;
use crate::metrics::StageClock;
use crate::progress::Progress;
use crate::source::Store;

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
pub fn run_task(
    job: &Job,
    identity: TaskIdentity,
    rejected_path: String,
    task: &PlannedTask,
) -> Result<TaskReport, LoadFailure> {
    let number = identity.task;
    let mut writer = TabletWriter::new(
        Arc::clone(&job.files),
        job.root.clone(),
        Arc::clone(&job.schema),
        identity,
        writer_options(job),
        Arc::clone(&job.writer_metrics),
    )?
    .with_known_partitions(known_partitions(job));
    job.rejects.begin_task(rejected_path);
    let files = TaskFiles::new(job, task);
    let streamed = stream_rows(job, &files, &mut writer).and_then(|()| files.reports());
    let written = match streamed {
        Ok(reports) => writer.finish().map(|segments| (reports, segments)).map_err(LoadFailure::from),
        Err(failure) => {
            writer.abandon();
            Err(failure)
        }
    };
    let ended = written.and_then(|(reports, segments)| end_task(job, number, reports, segments));
    if ended.is_err() {
        job.rejects.abandon_task();
    }
    ended
}

/// The partitions that the table has, should a task bring thousands of them.
fn known_partitions(job: &Job) -> KnownPartitions {
    let (files, root) = (Arc::clone(&job.files), job.root.clone());
    Arc::new(move || Table::open(Arc::clone(&files), &root)?.partition_names())
}

/// Compares rows in and out, and makes the rejected rows durable.
fn end_task(
    job: &Job,
    number: u32,
    files: Vec<FileReport>,
    segments: Vec<Segment>,
) -> Result<TaskReport, LoadFailure> {
    let written: u64 = segments.iter().map(|segment| segment.rows).sum();
    let loaded: u64 = files.iter().map(|file| file.loaded).sum();
    let rejected = if written == loaded {
        job.rejects.end_task().map_err(LoadFailure::from)
    } else {
        Err(LoadFailure::LostRows { task: number, loaded, written })
    };
    match rejected {
        Ok((rejected, rejected_rows, first_errors)) => {
            Progress::add(&job.progress.rows_written, written);
            Ok(TaskReport { task: number, files, segments, rejected, rejected_rows, first_errors })
        }
        Err(failure) => {
            remove_segments(job, &segments);
            Err(failure)
        }
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

/// Runs the stages until every row is in the writer or the first failure.
fn stream_rows(job: &Job, files: &TaskFiles<'_>, writer: &mut TabletWriter) -> Result<(), LoadFailure> {
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
        guarded(|| append_all(job, &queue, writer)).unwrap_or_else(&stop);
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
fn append_all(
    job: &Job,
    queue: &ByteQueue<RecordBatch>,
    writer: &mut TabletWriter,
) -> Result<(), LoadFailure> {
    while let Some(batch) = queue.pop() {
        if job.cancel.is_cancelled() {
            return Err(LoadFailure::Cancelled);
        }
        let start = Instant::now();
        writer.append(&batch)?;
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
