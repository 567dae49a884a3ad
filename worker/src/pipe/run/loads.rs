//! The next batch: which files it takes, how it runs, and what follows from how it ended.

use longshore_crds::LoadError;
use longshore_storage::ledger::{FileEvent, FileFault, FileKey, FileState, LedgerError};
use tokio::task::block_in_place;
use tokio::time::Instant;

use super::super::batch::{Batches, Ended, record_failed};
use super::super::blame::{Blame, blame};
use super::super::line::{BatchLimits, Line, Next, Waiting};
use super::super::progress::instant;
use super::{MENDING_WAIT, Pipe, PipeFailure, now_ms, random};
use crate::load::{LoadFailure, check_batch};
use crate::source::Store;

/// New files that are held in memory before their batch.
const WINDOW: usize = 65_536;

impl Pipe<'_> {
    /// The next batch. What waits in the ledger beyond what is held in memory is read when that is used up.
    pub(super) fn next(&mut self) -> Result<Next, PipeFailure> {
        let limits = BatchLimits { bytes: self.request.batch_bytes, files: self.request.batch_files };
        let next = self.line.next(limits, now_ms());
        let waiting = self.ledger.totals().of(FileState::Unloaded).files;
        if matches!(next, Next::Batch(_)) || waiting <= self.line.len() as u64 {
            return Ok(next);
        }
        block_in_place(|| self.fill_line())?;
        Ok(self.line.next(limits, now_ms()))
    }

    fn fill_line(&mut self) -> Result<(), LedgerError> {
        let mut line = Line::default();
        let (retry, mut fresh) = (&self.request.retry, 0);
        self.ledger.reader().visit(&[FileState::Unloaded], |key, entry| {
            let is_fresh = entry.failed_with == 0;
            fresh += usize::from(is_fresh);
            if !is_fresh || fresh <= WINDOW {
                line.add(Waiting { key: key.clone(), entry: entry.clone() }, retry);
            }
            true
        })?;
        self.line = line;
        Ok(())
    }

    /// Loads a batch, whatever becomes of it.
    pub(super) async fn load(&mut self, files: Vec<Waiting>) -> Result<(), PipeFailure> {
        let Some(store) = self.connected().await else {
            // They wait in the ledger.
            self.line.clear();
            return Ok(());
        };
        let check = self.request.batch_request("check", self.ledger.epoch().number(), 0);
        if let Err(failure) = check_batch(&check, &self.table) {
            self.line.clear();
            self.wait_for_mending(&failure).await;
            block_in_place(|| self.table.refresh())?;
            return Ok(());
        }
        let ended = block_in_place(|| self.run_batch(&store, &files))?;
        // What failed is in the ledger with its new figures.
        match ended {
            Ended::Recorded { version, faults } => self.after_success(version.is_some(), &faults),
            Ended::Failed(failure) => self.after_failure(&files, *failure).await?,
        }
        block_in_place(|| self.ledger.fold_if_due(&mut self.table))?;
        Ok(())
    }

    /// A batch ended as the ledger says: it was committed unless all its files were left out.
    fn after_success(&mut self, is_committed: bool, faults: &[(FileKey, FileFault)]) {
        self.backoff.answered();
        if is_committed {
            if let Some(after_load) = &mut self.after_load {
                after_load.loaded();
            }
            self.context.progress.change(|document| document.last_loaded_time = Some(instant(now_ms())));
        }
        for (key, fault) in faults {
            self.tell_fault(key, fault);
        }
    }

    fn run_batch(&mut self, store: &Store, files: &[Waiting]) -> Result<Ended, LedgerError> {
        let batches = Batches {
            request: self.request,
            digest: &self.digest,
            store,
            context: &self.load,
            parallelism: self.context.parallelism,
        };
        let bytes = files.iter().map(|file| file.entry.size).sum();
        let batch = batches.begin(&self.table, &mut self.ledger, files, now_ms())?;
        tracing::info!(number = batch.number(), files = files.len(), bytes, "a batch begins");
        let progress = &self.context.progress;
        progress.begin_batch(batch.number(), files.len() as u64, bytes);
        let began = Instant::now();
        progress.change(|document| document.loading_files = files.len() as u64);
        let ended = batches.run(&mut self.table, &mut self.ledger, &batch, files)?;
        progress.end_batch(began.elapsed());
        let is_unknown = matches!(&ended, Ended::Failed(failure) if blame(failure) == Blame::Unknown);
        if matches!(ended, Ended::Failed(_)) && !is_unknown {
            self.ledger.forget(&batch);
        }
        Ok(ended)
    }

    /// A batch failed as a whole: what its files had to do with it decides how it goes on.
    async fn after_failure(&mut self, files: &[Waiting], failure: LoadFailure) -> Result<(), PipeFailure> {
        tracing::warn!(category = failure.category(), files = files.len(), "a batch failed: {failure}");
        self.tell_error(failure.category(), failure.to_string());
        match blame(&failure) {
            Blame::Unknown | Blame::EpochLost => return Err(PipeFailure::Batch(Box::new(failure))),
            Blame::Files => {
                let (retry, ledger) = (&self.request.retry, &mut self.ledger);
                let alone = block_in_place(|| record_failed(retry, ledger, files, &failure, now_ms()))?;
                if let Some((key, fault)) = alone {
                    self.tell_fault(&key, &fault);
                }
                return Ok(());
            }
            Blame::Store | Blame::Volume | Blame::Table | Blame::Stopped => {}
        }
        let abandoned = files.iter().map(|file| (file.key.clone(), FileEvent::Abandoned)).collect();
        block_in_place(|| self.ledger.record(abandoned))?;
        match blame(&failure) {
            Blame::Store => self.wait_for_store(failure.category(), failure.to_string()).await,
            Blame::Table => self.wait_for_mending(&failure).await,
            Blame::Volume => self.wait_backing_off().await,
            _ => {}
        }
        Ok(())
    }

    fn tell_fault(&self, key: &FileKey, fault: &FileFault) {
        tracing::warn!(file = %key.uri(), category = %fault.category, "not loaded: {}", fault.message);
        self.tell_error(&fault.category, format!("{}: {}", key.uri(), fault.message));
    }

    fn tell_error(&self, category: &str, message: String) {
        let error = LoadError { error_type: category.to_owned(), message };
        self.context.progress.change(|document| document.last_error = Some(error));
    }

    async fn wait_backing_off(&mut self) {
        let wait = self.backoff.failed(random());
        self.wait_until(Instant::now() + wait).await;
    }

    /// Only a person can mend it; the table may have changed by the next look.
    async fn wait_for_mending(&mut self, failure: &LoadFailure) {
        tracing::error!(category = failure.category(), "no batch can be loaded: {failure}");
        self.tell_error(failure.category(), failure.to_string());
        self.tell_figures();
        self.wait_until(Instant::now() + MENDING_WAIT).await;
    }
}
