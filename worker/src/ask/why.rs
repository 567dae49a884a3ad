//! What became of a file, in a sentence.

use longshore_storage::ledger::{FileEntry, FileKey, FileState, LedgerError, LedgerReader};

use crate::pipe::instant;

/// What the ledger knows of a file.
pub(super) fn told(
    reader: &mut LedgerReader,
    key: &FileKey,
    entry: &FileEntry,
) -> Result<String, LedgerError> {
    let fault = entry.fault.as_ref();
    let fault = fault.map(|fault| format!("{}: {}", fault.category, fault.message)).unwrap_or_default();
    let etag = &key.etag;
    Ok(match entry.state {
        FileState::Finished => format!(
            "loaded: {} rows, version {}, {} (ETag {etag})",
            entry.rows,
            entry.version,
            instant(entry.finished_ms)
        ),
        FileState::Loading => format!(
            "loading: in batch {}, which began {} (ETag {etag})",
            entry.batch.number,
            instant(entry.started_ms)
        ),
        FileState::Unloaded if entry.failed_with == 0 => {
            let (place, all) = place(reader, key, entry)?;
            let since = instant(entry.staged_ms);
            format!("waiting: place {place} of {all} in the line, listed {since} (ETag {etag})")
        }
        FileState::Unloaded => {
            format!("waiting for its attempt {} (ETag {etag}); {fault}", entry.attempts + 1)
        }
        FileState::Error => format!(
            "quarantined: given up {} after {} attempts (ETag {etag}); {fault}",
            instant(entry.finished_ms),
            entry.attempts.max(1)
        ),
        FileState::Ignored => format!("ignored: left alone by a rule (ETag {etag}); {fault}"),
    })
}

/// The place, from 1, of a file in the line, and the files in it: those of batches that failed come first, then the
/// others in the order in which they were listed.
fn place(reader: &mut LedgerReader, key: &FileKey, entry: &FileEntry) -> Result<(u64, u64), LedgerError> {
    let mut before = 0;
    reader.visit(&[FileState::Unloaded], |other, waiting| {
        let is_before = waiting.failed_with > 0 || (waiting.staged_ms, other) < (entry.staged_ms, key);
        before += u64::from(is_before);
        true
    })?;
    Ok((before + 1, reader.totals().of(FileState::Unloaded).files))
}
