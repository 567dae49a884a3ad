//! Merging the small segments that many small batches leave, by the pipe's own worker, beside its batches.
//!
//! It runs on a thread of its own, under the `maintenance/compact` epoch like any other compaction: what another
//! compaction or an overwrite takes from under it is dropped. A batch that begins goes first: the work ends at the
//! next tablet, but for a worker that is never idle, where it would never come to an end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use longshore_storage::compact::{
    CompactionError, CompactionOptions, CompactionReport, Compactor, PlanOptions,
};
use longshore_storage::durable::Posix;
use longshore_storage::table::Table;

/// Share of the worker's time that it takes, at most.
const SHARE: f64 = 0.2;
/// Share of the worker's memory, and bytes at most.
const MEMORY_SHARE: u64 = 8;
const MAX_MEMORY: u64 = 64 << 20;
/// Bytes that one commit takes: what is lost when it is dropped.
const COMMIT_BYTES: u64 = 256 << 20;
/// Versions of the table after which it is worth a look, when the worker is idle and when it never is.
const IDLE_VERSIONS: u64 = 16;
const BUSY_VERSIONS: u64 = 64;

/// When to compact: pure. Instants are counted from the worker's begin.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Turns {
    spent: Duration,
    looked_at: Option<u64>,
}

impl Turns {
    /// Whether the share of time allows it, and enough was committed since the last look.
    fn is_due(&self, now: Duration, version: u64, is_idle: bool) -> bool {
        let enough = if is_idle { IDLE_VERSIONS } else { BUSY_VERSIONS };
        let is_new = self.looked_at.is_none_or(|looked_at| version >= looked_at.saturating_add(enough));
        is_new && self.spent <= now.mul_f64(SHARE)
    }
}

/// Bytes of the worker's memory that are kept for it.
pub fn memory(worker_bytes: u64) -> u64 {
    (worker_bytes / MEMORY_SHARE).min(MAX_MEMORY)
}

/// The compactions of a worker, one at a time. When it is dropped, the one that runs is ended and waited for.
#[derive(Debug)]
pub struct Compaction {
    root: PathBuf,
    memory: u64,
    began: Instant,
    turns: Turns,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    thread: JoinHandle<Duration>,
    cancel: Arc<AtomicBool>,
    gives_way: bool,
}

impl Compaction {
    /// Of a worker that begins now. `worker_bytes`: its memory.
    pub fn new(root: &Path, worker_bytes: u64) -> Self {
        Self {
            root: root.to_owned(),
            memory: memory(worker_bytes),
            began: Instant::now(),
            turns: Turns { spent: Duration::ZERO, looked_at: None },
            running: None,
        }
    }

    /// Begins one if it is its turn. `version`: the table's; `is_idle`: no batch waits.
    pub fn begin_if_due(&mut self, version: u64, is_idle: bool) {
        if self.running.as_ref().is_some_and(|running| running.thread.is_finished()) {
            self.end();
        }
        if self.running.is_some() || !self.turns.is_due(self.began.elapsed(), version, is_idle) {
            return;
        }
        let cancel = Arc::new(AtomicBool::new(false));
        let (root, memory, flag) = (self.root.clone(), self.memory, Arc::clone(&cancel));
        let work = move || {
            let began = Instant::now();
            tell(compact(&root, memory, &flag));
            began.elapsed()
        };
        match std::thread::Builder::new().name("compaction".to_owned()).spawn(work) {
            Ok(thread) => {
                self.turns.looked_at = Some(version);
                self.running = Some(Running { thread, cancel, gives_way: is_idle });
            }
            Err(error) => tracing::warn!(%error, "no thread for compaction"),
        }
    }

    /// A batch begins: it goes first.
    pub fn give_way(&mut self) {
        if let Some(running) = self.running.as_ref().filter(|running| running.gives_way) {
            running.cancel.store(true, Ordering::Relaxed);
        }
    }

    fn end(&mut self) {
        let Some(running) = self.running.take() else { return };
        if running.cancel.load(Ordering::Relaxed) {
            // What it did not come to is still to be done.
            self.turns.looked_at = None;
        }
        match running.thread.join() {
            Ok(spent) => self.turns.spent += spent,
            Err(_) => tracing::error!("the compaction ended in a panic"),
        }
    }
}

impl Drop for Compaction {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.cancel.store(true, Ordering::Relaxed);
        }
        self.end();
    }
}

fn compact(root: &Path, memory: u64, cancel: &AtomicBool) -> Result<CompactionReport, CompactionError> {
    let mut table = Table::open(Arc::new(Posix), root)?;
    let options = CompactionOptions {
        plan: PlanOptions { max_commit_bytes: COMMIT_BYTES, ..PlanOptions::between_batches() },
        budget_bytes: usize::try_from(memory).unwrap_or(usize::MAX),
        threads: 1,
    };
    Compactor::run(&mut table, &options, cancel)
}

fn tell(compacted: Result<CompactionReport, CompactionError>) {
    match compacted {
        Ok(report) if report.tablets > 0 => {
            let CompactionReport { tablets, inputs, outputs, rows, .. } = report;
            tracing::info!(tablets, inputs, outputs, rows, "small segments were merged");
        }
        Ok(report) => tracing::debug!(cancelled = report.cancelled, "no small segments were merged"),
        // The table is as it was; the next turn tries again.
        Err(error) => tracing::warn!(category = error.category(), "small segments were not merged: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_a_fifth_of_the_time_at_most() {
        let mut turns = Turns { spent: Duration::ZERO, looked_at: None };
        let seconds = Duration::from_secs;
        assert!(turns.is_due(seconds(0), 5, true));
        turns = Turns { spent: seconds(10), looked_at: Some(5) };
        assert!(!turns.is_due(seconds(49), 100, true));
        assert!(turns.is_due(seconds(50), 100, true));
        // Whatever comes: each begins only when all before it took a fifth at most.
        let (mut now, mut spent) = (Duration::ZERO, Duration::ZERO);
        for length in [1, 30, 2, 7, 1, 100, 3].map(seconds) {
            while !(Turns { spent, looked_at: None }).is_due(now, 1, true) {
                now += seconds(1);
            }
            assert!(spent <= now.mul_f64(SHARE));
            (now, spent) = (now + length, spent + length);
        }
    }

    #[test]
    fn it_looks_again_when_enough_was_committed_and_a_busy_worker_is_asked_seldom() {
        let turns = Turns { spent: Duration::ZERO, looked_at: Some(100) };
        let now = Duration::from_secs(1);
        for (version, is_idle, expected) in [
            (100, true, false),
            (115, true, false),
            (116, true, true),
            (116, false, false),
            (164, false, true),
        ] {
            assert_eq!(turns.is_due(now, version, is_idle), expected, "{version} {is_idle}");
        }
    }
}
