//! One batch: put, started, loaded, committed, recorded.

use longshore_crds::{PipeRequest, PipeRetry};
use longshore_storage::history::{HistoryFailure, HistoryFile};
use longshore_storage::ledger::{
    BatchFileEntry, BatchId, FileEvent, FileFault, FileKey, Ledger, LedgerError,
};
use longshore_storage::load::PlannedFile;
use longshore_storage::table::{Batch, Table};

use super::line::Waiting;
use super::listing::is_gone;
use super::rules::GONE;
use super::run::now_ms;
use crate::load::{BatchEnd, BatchParts, LoadContext, LoadFailure, run_batch};
use crate::source::Store;

/// What all batches share.
pub struct Batches<'a> {
    /// The pipe.
    pub request: &'a PipeRequest,
    /// Digest of the request.
    pub digest: &'a str,
    /// Where the files lie.
    pub store: &'a Store,
    /// The process.
    pub context: &'a LoadContext,
    /// Threads of the pipeline; 0: as many as there are cores.
    pub parallelism: u32,
}

/// How a batch ended.
#[derive(Debug)]
pub enum Ended {
    /// Its files stand where the ledger says.
    Recorded {
        /// The version with its rows; `None`: nothing was committed.
        version: Option<u64>,
        /// The files that were not loaded, with what is wrong with each.
        faults: Vec<(FileKey, FileFault)>,
    },
    /// It failed as a whole; the ledger does not say how yet.
    Failed(Box<LoadFailure>),
}

impl Batches<'_> {
    /// Puts the batch in place, durable with its start, before anything is read.
    pub fn begin(
        &self,
        table: &Table,
        ledger: &mut Ledger,
        files: &[Waiting],
        now_ms: u64,
    ) -> Result<Batch, LedgerError> {
        let entries = files.iter().map(|file| BatchFileEntry {
            bucket: file.key.bucket.to_string(),
            key: file.key.key.to_string(),
            etag: file.key.etag.to_string(),
            size: file.entry.size,
            modified_ms: file.entry.modified_ms,
        });
        let batch = ledger.put_batch(table, self.digest, entries.collect())?;
        let id = BatchId { number: batch.number(), epoch: batch.epoch().number() };
        let started = |file: &Waiting| (file.key.clone(), FileEvent::Started { batch: id, now_ms });
        ledger.record(files.iter().map(started).collect())?;
        Ok(batch)
    }

    /// Loads a batch that was begun, and records how it ended; a failure of the whole is for the caller to judge.
    pub fn run(
        &self,
        table: &mut Table,
        ledger: &mut Ledger,
        batch: &Batch,
        files: &[Waiting],
    ) -> Result<Ended, LedgerError> {
        let request = self.request.batch_request(batch.label(), batch.epoch().number(), self.parallelism);
        let planned: Vec<PlannedFile> = files.iter().map(planned).collect();
        let parts = BatchParts {
            request: &request,
            batch,
            files: &planned,
            store: self.store,
            context: self.context,
        };
        let ended = run_batch(table, parts);
        let now_ms = now_ms();
        match ended {
            Ok(BatchEnd::Committed { version, files: counted }) => {
                let loaded = files.iter().zip(&counted).filter(|(_, counted)| counted.skipped.is_none());
                let loaded: Vec<_> =
                    loaded.map(|(file, counted)| (file.key.clone(), counted.size, counted.loaded)).collect();
                ledger.committed(batch, version, loaded, now_ms)?;
                let faults = self.record_skipped(ledger, files, &counted, now_ms)?;
                Ok(Ended::Recorded { version: Some(version), faults })
            }
            Ok(BatchEnd::AllSkipped { files: counted }) => {
                let faults = self.record_skipped(ledger, files, &counted, now_ms)?;
                ledger.forget(batch);
                Ok(Ended::Recorded { version: None, faults })
            }
            Ok(BatchEnd::OverRatio { files: over }) => {
                let faults = self.record_over_ratio(ledger, files, over, now_ms)?;
                ledger.forget(batch);
                Ok(Ended::Recorded { version: None, faults })
            }
            Err(failure) => Ok(Ended::Failed(Box::new(failure))),
        }
    }

    fn record_skipped(
        &self,
        ledger: &mut Ledger,
        files: &[Waiting],
        counted: &[HistoryFile],
        now_ms: u64,
    ) -> Result<Vec<(FileKey, FileFault)>, LedgerError> {
        let mut faults = Vec::new();
        let mut events = Vec::new();
        for (file, counted) in files.iter().zip(counted) {
            let Some(HistoryFailure { category, message }) = counted.skipped.clone() else { continue };
            let fault = FileFault { category, message };
            if is_gone(&fault.category) {
                let rule = FileFault { category: GONE.to_owned(), message: fault.message.clone() };
                let (size, modified_ms) = (file.entry.size, file.entry.modified_ms);
                events.push((file.key.clone(), FileEvent::Abandoned));
                events.push((file.key.clone(), FileEvent::Ignored { size, modified_ms, now_ms, rule }));
                continue;
            }
            events.extend(failed_alone(&self.request.retry, file, &fault, now_ms));
            faults.push((file.key.clone(), fault));
        }
        ledger.record(events)?;
        Ok(faults)
    }

    fn record_over_ratio(
        &self,
        ledger: &mut Ledger,
        files: &[Waiting],
        over: Vec<(usize, String)>,
        now_ms: u64,
    ) -> Result<Vec<(FileKey, FileFault)>, LedgerError> {
        let mut faults = Vec::new();
        let mut events = Vec::new();
        let mut over = over.into_iter().peekable();
        for (place, file) in files.iter().enumerate() {
            match over.next_if(|(bad, _)| *bad == place) {
                Some((_, message)) => {
                    let fault = FileFault { category: "DataQuality".to_owned(), message };
                    events.extend(failed_alone(&self.request.retry, file, &fault, now_ms));
                    faults.push((file.key.clone(), fault));
                }
                None => events.push((file.key.clone(), FileEvent::Abandoned)),
            }
        }
        ledger.record(events)?;
        Ok(faults)
    }
}

/// Records that a batch failed as a whole by its files: it is halved, or the one file of it was tried once more.
pub fn record_failed(
    retry: &PipeRetry,
    ledger: &mut Ledger,
    files: &[Waiting],
    failure: &LoadFailure,
    now_ms: u64,
) -> Result<Option<(FileKey, FileFault)>, LedgerError> {
    let fault = FileFault { category: failure.category().to_owned(), message: failure.to_string() };
    if let [file] = files {
        ledger.record(failed_alone(retry, file, &fault, now_ms))?;
        return Ok(Some((file.key.clone(), fault)));
    }
    let count = u32::try_from(files.len()).unwrap_or(u32::MAX);
    let failed = FileEvent::Failed { files: count, fault };
    ledger.record(files.iter().map(|file| (file.key.clone(), failed.clone())).collect())?;
    Ok(None)
}

/// A file is known to be at fault: its next attempts are its own, and after the last one it is given up.
fn failed_alone(
    retry: &PipeRetry,
    file: &Waiting,
    fault: &FileFault,
    now_ms: u64,
) -> Vec<(FileKey, FileEvent)> {
    let mut events = vec![(file.key.clone(), FileEvent::Failed { files: 1, fault: fault.clone() })];
    if file.entry.attempts + 1 >= retry.max_attempts {
        events.push((file.key.clone(), FileEvent::GivenUp { fault: fault.clone(), now_ms }));
    }
    events
}

fn planned(file: &Waiting) -> PlannedFile {
    PlannedFile {
        source: 0,
        bucket: file.key.bucket.to_string(),
        key: file.key.key.to_string(),
        size: file.entry.size,
        etag: file.key.etag.to_string(),
        modified_ms: i64::try_from(file.entry.modified_ms).unwrap_or(i64::MAX),
    }
}
