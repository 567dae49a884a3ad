//! Pipes: S3 over HTTP, files on disk, the loop that a pod runs.

mod after_load;
mod arrival;
mod ask;
mod compaction;
mod crash;
mod edits;
mod faults;
mod policies;
mod rounds;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use longshore_crds::{Pipe, PipeProgress, PipeRequest};
use longshore_storage::durable::Posix;
use longshore_storage::history::{HistoryFilter, HistoryRecord};
use longshore_storage::ledger::{FileEntry, FileState, LedgerReader};
use longshore_worker::metrics::Metrics;
use longshore_worker::pipe::{self, PipeContext, PipeEnd, SharedProgress};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::world::{RUNTIME, World, batch, column, definition, parquet_bytes};

/// No wait of these tests takes longer, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn world() -> World {
    World::with_table(&definition(vec![column("n", "BIGINT")]))
}

fn file(numbers: impl IntoIterator<Item = i64>) -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
    parquet_bytes(&batch(vec![("n", numbers)]))
}

/// A Pipe named `p` over `pattern` that lists once; `edit` changes its manifest's spec.
fn request(world: &World, pattern: &str, edit: impl FnOnce(&mut Value)) -> PipeRequest {
    let mut spec = json!({
        "table": "table",
        "source": world.source(pattern),
        "autoIngest": false,
        "pollIntervalSeconds": 1,
        "retry": {"maxAttempts": 1},
    });
    edit(&mut spec);
    let manifest = json!({
        "apiVersion": "longshore.dev/v1alpha1",
        "kind": "Pipe",
        "metadata": {"name": "p"},
        "spec": spec,
    });
    let pipe: Pipe = serde_json::from_value(manifest).unwrap();
    PipeRequest::from_pipe(&pipe).unwrap()
}

/// A pipe that runs in this process.
struct Running {
    task: JoinHandle<PipeEnd>,
    cancel: CancellationToken,
    progress: SharedProgress,
}

fn start(world: &World, request: &PipeRequest) -> Running {
    let cancel = CancellationToken::new();
    let metrics = Metrics::default();
    let progress = SharedProgress::of(request, Arc::clone(&metrics.progress)).unwrap();
    let context = PipeContext {
        table_root: world.root(),
        secrets_dir: Some(world.secrets()),
        memory_bytes: 256 << 20,
        parallelism: 2,
        metrics,
        progress: progress.clone(),
        cancel: cancel.clone(),
    };
    let request = request.clone();
    let task = std::thread::spawn(move || RUNTIME.block_on(pipe::run(request, context)));
    Running { task, cancel, progress }
}

impl Running {
    /// Waits until the progress is as wanted.
    fn until(&self, what: &str, is: impl Fn(&PipeProgress) -> bool) -> PipeProgress {
        let begin = Instant::now();
        loop {
            let progress = self.progress.snapshot();
            if is(&progress) {
                return progress;
            }
            assert!(!self.task.is_finished(), "the pipe ended before {what}: {progress:?}");
            assert!(begin.elapsed() < PATIENCE, "not {what} in time: {progress:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it ends by itself.
    fn end(self) -> (PipeEnd, PipeProgress) {
        let begin = Instant::now();
        while !self.task.is_finished() {
            assert!(begin.elapsed() < PATIENCE, "the pipe does not end: {:?}", self.progress.snapshot());
            std::thread::sleep(Duration::from_millis(10));
        }
        (self.task.join().unwrap(), self.progress.snapshot())
    }

    fn stop(self) -> PipeEnd {
        self.cancel.cancel();
        self.end().0
    }
}

/// Runs a pipe that lists once to its end.
fn run(world: &World, request: &PipeRequest) -> (PipeEnd, PipeProgress) {
    start(world, request).end()
}

/// The numbers in the table, sorted.
fn numbers(world: &World) -> Vec<i64> {
    let rows = world.rows();
    let mut numbers = rows.column(0).as_primitive::<Int64Type>().values().to_vec();
    numbers.sort_unstable();
    numbers
}

/// The batches that the history tells of, in order.
fn batches(world: &World) -> Vec<HistoryRecord> {
    let filter = HistoryFilter { label_prefix: Some("pipe/p/".to_owned()), ..HistoryFilter::default() };
    let table = world.table();
    table.history(&filter).unwrap().map(|entry| entry.unwrap().record).collect()
}

/// What the ledger `p` knows of each file, in the order of keys.
fn ledger(world: &World) -> Vec<(String, FileEntry)> {
    let mut reader = LedgerReader::open(&Posix, &world.root(), "p").unwrap();
    let mut files = Vec::new();
    reader
        .visit(&FileState::ALL, |key, entry| {
            files.push((key.key.to_string(), entry.clone()));
            true
        })
        .unwrap();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files
}

fn states(world: &World) -> Vec<(String, FileState)> {
    ledger(world).into_iter().map(|(key, entry)| (key, entry.state)).collect()
}
