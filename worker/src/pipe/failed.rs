//! The files in ERROR that are shown: the newest.

use std::collections::BTreeSet;

use longshore_crds::{FailedFile, MAX_FAILED_FILES, cut_to};
use longshore_storage::ledger::{FileState, Ledger, LedgerError};
use tokio::time::Instant;

use super::progress::{SharedProgress, instant};

/// Bytes of a message, and of the name of a file.
const MESSAGE_LIMIT: usize = 1_000;
const FILE_LIMIT: usize = 1_500;
/// They are read from the ledger for one part of the time in so many.
const SHARE: u32 = 20;

/// What was shown last.
#[derive(Debug)]
pub struct Failed {
    errors: u64,
    next: Instant,
}

impl Failed {
    /// Nothing was shown yet.
    pub fn new() -> Self {
        Self { errors: 0, next: Instant::now() }
    }

    /// Shows the newest files in ERROR, if their number is another one than before.
    pub fn show(&mut self, ledger: &mut Ledger, progress: &SharedProgress) -> Result<(), LedgerError> {
        let errors = ledger.totals().of(FileState::Error).files;
        let begin = Instant::now();
        if errors == self.errors || begin < self.next {
            return Ok(());
        }
        let newest = newest(ledger)?;
        progress.change(|document| document.failed_files = newest);
        (self.errors, self.next) = (errors, Instant::now() + begin.elapsed() * SHARE);
        Ok(())
    }
}

fn newest(ledger: &mut Ledger) -> Result<Vec<FailedFile>, LedgerError> {
    let mut newest = BTreeSet::new();
    ledger.reader().visit(&[FileState::Error], |key, entry| {
        newest.insert((entry.finished_ms, key.clone()));
        if newest.len() > MAX_FAILED_FILES {
            newest.pop_first();
        }
        true
    })?;
    let mut files = Vec::with_capacity(newest.len());
    for (finished_ms, key) in newest.into_iter().rev() {
        let fault = ledger.reader().find(&key)?.and_then(|entry| entry.fault);
        let Some(fault) = fault else { continue };
        let (mut file, mut message) = (key.uri(), fault.message);
        cut_to(&mut file, FILE_LIMIT);
        cut_to(&mut message, MESSAGE_LIMIT);
        files.push(FailedFile {
            file,
            etag: key.etag.to_string(),
            error_type: fault.category,
            message,
            time: instant(finished_ms),
        });
    }
    Ok(files)
}
