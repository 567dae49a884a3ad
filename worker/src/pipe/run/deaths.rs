//! Files whose batches were begun again and again while nobody lived to say how they ended.

use std::collections::BTreeMap;

use longshore_storage::ledger::{BatchId, FileEvent, FileFault, FileKey, FileState, Ledger, LedgerError};

use super::super::line::DEATHS;
use super::now_ms;

/// Category of a file in whose batches the worker died.
const WORKER_DIED: &str = "WorkerDied";

/// Records that they failed: they are halved, and one that stands alone is given up.
pub fn blame(ledger: &mut Ledger) -> Result<(), LedgerError> {
    let mut batches: BTreeMap<BatchId, Vec<FileKey>> = BTreeMap::new();
    ledger.reader().visit(&[FileState::Unloaded], |key, entry| {
        if entry.starts >= DEATHS {
            batches.entry(entry.batch).or_default().push(key.clone());
        }
        true
    })?;
    let now_ms = now_ms();
    ledger.record(batches.into_values().flat_map(|keys| events(keys, now_ms)).collect())
}

/// What is recorded of the files of one batch.
fn events(keys: Vec<FileKey>, now_ms: u64) -> Vec<(FileKey, FileEvent)> {
    let files = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    let with =
        if files == 1 { "this file".to_owned() } else { format!("{files} files, this one among them") };
    let message = format!(
        "the worker died {DEATHS} times while it loaded {with}; look at its last state for OOMKilled, and raise \
         worker.resources or split the file"
    );
    let fault = FileFault { category: WORKER_DIED.to_owned(), message };
    let mut events = Vec::new();
    for key in keys {
        tracing::warn!(file = %key.uri(), files, "the worker died with it");
        events.push((key.clone(), FileEvent::Failed { files, fault: fault.clone() }));
        if files == 1 {
            events.push((key, FileEvent::GivenUp { fault: fault.clone(), now_ms }));
        }
    }
    events
}
