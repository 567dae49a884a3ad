//! What the table's log and history tell of a ledger: the batches that were committed, with their files.

use crate::history::{HistoryEntry, HistoryFilter, HistoryOutcome};
use crate::log::TableError;
use crate::table::{Table, batch_of_label, ledger_label};

use super::entry::{BatchId, FileEvent};
use super::key::FileKey;

/// A batch that a commit names.
pub(super) struct CommittedBatch {
    pub(super) version: u64,
    pub(super) id: BatchId,
    pub(super) files: Vec<(FileKey, FileEvent)>,
}

impl CommittedBatch {
    /// When it was committed, milliseconds since the epoch; `None`: it has no file.
    pub(super) fn committed_ms(&self) -> Option<u64> {
        self.files.iter().find_map(|(_, event)| match event {
            FileEvent::Finished { now_ms, .. } => Some(*now_ms).filter(|ms| *ms > 0),
            _ => None,
        })
    }
}

/// The batches of a ledger that were committed from a version on, in the order of their versions.
pub(super) fn committed(
    table: &Table,
    ledger: &str,
    from_version: u64,
) -> Result<impl Iterator<Item = Result<CommittedBatch, TableError>> + use<>, TableError> {
    let label_prefix = Some(format!("{}/", ledger_label(ledger)));
    let filter = HistoryFilter { label_prefix, from_version, ..HistoryFilter::default() };
    let entries = table.history(&filter)?;
    Ok(entries.filter_map(|entry| entry.map(batch_of).transpose()))
}

fn batch_of(entry: HistoryEntry) -> Option<CommittedBatch> {
    let HistoryEntry { version, record, .. } = entry;
    let (_, number, epoch) = batch_of_label(&record.label)?;
    if record.outcome != HistoryOutcome::Loaded {
        return None;
    }
    let id = BatchId { number, epoch };
    let now_ms = record.times.commit.as_deref().and_then(milliseconds).unwrap_or_default();
    let files = record.files.into_iter().filter(|file| file.skipped.is_none());
    let files = files.map(|file| {
        let key = FileKey::new(&file.bucket, &file.key, &file.etag);
        let event = FileEvent::Finished { batch: id, version, size: file.size, rows: file.loaded, now_ms };
        (key, event)
    });
    Some(CommittedBatch { version, id, files: files.collect() })
}

fn milliseconds(instant: &str) -> Option<u64> {
    u64::try_from(chrono::DateTime::parse_from_rfc3339(instant).ok()?.timestamp_millis()).ok()
}
