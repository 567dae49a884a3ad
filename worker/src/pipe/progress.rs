//! Where a pipe stands, for those who watch: `/progress`, `/metrics`, the command line.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use longshore_crds::{BatchProgress, LoadError, PipeProgress, PipeRequest, RequestError, SourceState};
use longshore_storage::ledger::{FileState, LedgerTotals};

use crate::progress::Progress;

/// A document that the loop writes and others read.
#[derive(Debug, Clone)]
pub struct SharedProgress {
    document: Arc<Mutex<PipeProgress>>,
    /// Counters of the batch that runs.
    load: Arc<Progress>,
}

impl SharedProgress {
    /// Of a pipe that has not begun. `load`: the counters of the pipeline, which grow from batch to batch.
    ///
    /// # Errors
    /// The request has no digest: it cannot be written as JSON.
    pub fn of(request: &PipeRequest, load: Arc<Progress>) -> Result<Self, RequestError> {
        let document = PipeProgress::new(&request.ledger, &request.digest()?);
        Ok(Self { document: Arc::new(Mutex::new(document)), load })
    }

    /// Digest of the request that the pipe follows.
    pub fn request_digest(&self) -> String {
        self.lock().request_digest.clone()
    }

    /// The document as of now.
    pub fn snapshot(&self) -> PipeProgress {
        let mut document = self.lock().clone();
        if let Some(batch) = &mut document.batch {
            let load = &self.load;
            batch.phase = load.phase().name().to_owned();
            batch.bytes_read = Progress::get(&load.bytes_read).saturating_sub(batch.bytes_read);
            batch.rows_read = Progress::get(&load.rows_read).saturating_sub(batch.rows_read);
            batch.rows_loaded = Progress::get(&load.rows_loaded).saturating_sub(batch.rows_loaded);
            batch.rows_filtered = Progress::get(&load.rows_filtered).saturating_sub(batch.rows_filtered);
        }
        document
    }

    /// Changes the document.
    pub fn change(&self, change: impl FnOnce(&mut PipeProgress)) {
        change(&mut self.lock());
    }

    /// Takes the counts of the ledger, and the age of the file that waits longest.
    pub fn take_totals(&self, totals: &LedgerTotals, oldest_ms: Option<u64>, now_ms: u64) {
        self.change(|document| {
            let of = |state| totals.of(state);
            document.loaded_files = of(FileState::Finished).files;
            document.loaded_bytes = of(FileState::Finished).bytes;
            document.loading_files = of(FileState::Loading).files;
            document.unloaded_files = of(FileState::Unloaded).files;
            document.unloaded_bytes = of(FileState::Unloaded).bytes;
            document.error_files = of(FileState::Error).files;
            document.ignored_files = of(FileState::Ignored).files;
            document.lag_seconds = oldest_ms.map_or(0, |oldest| now_ms.saturating_sub(oldest) / 1_000);
        });
    }

    /// A batch begins: what the counters say by now belongs to those before it.
    pub fn begin_batch(&self, number: u32, files: u64, bytes: u64) {
        let load = &self.load;
        self.change(|document| {
            document.batch = Some(BatchProgress {
                number,
                phase: String::new(),
                files,
                bytes,
                bytes_read: Progress::get(&load.bytes_read),
                rows_read: Progress::get(&load.rows_read),
                rows_loaded: Progress::get(&load.rows_loaded),
                rows_filtered: Progress::get(&load.rows_filtered),
            });
        });
    }

    /// The batch that ran is over, and took so long.
    pub fn end_batch(&self, took: Duration) {
        self.change(|document| {
            document.batch = None;
            document.batches += 1;
            document.batch_millis += u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        });
    }

    /// The store answered, or not; `next_try_ms`: when it is asked again.
    pub fn source(&self, failure: Option<(&str, String)>, next_try_ms: Option<u64>) {
        self.change(|document| {
            let state = match failure {
                None => SourceState {
                    reachable: true,
                    reason: "Reachable".to_owned(),
                    message: String::new(),
                    next_try: None,
                },
                Some((reason, message)) => {
                    document.last_error =
                        Some(LoadError { error_type: reason.to_owned(), message: message.clone() });
                    SourceState {
                        reachable: false,
                        reason: reason.to_owned(),
                        message,
                        next_try: next_try_ms.map(instant),
                    }
                }
            };
            document.source = Some(state);
        });
    }

    fn lock(&self) -> MutexGuard<'_, PipeProgress> {
        self.document.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 3339, UTC, of milliseconds since the epoch.
pub fn instant(ms: u64) -> String {
    let instant = i64::try_from(ms).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
    instant.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}
