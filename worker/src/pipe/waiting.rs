//! What waits follows the spec as it is: files that an edited one does not take any more are left alone.

use longshore_storage::ledger::{FileEntry, FileEvent, FileFault, FileKey, FileState, Ledger, LedgerError};

use super::rules::{NOT_IN_SOURCE, Rules, Verdict};
use crate::source::{ListedObject, PathPattern};

/// Files of one record.
const AT_ONCE: usize = 65_536;

/// Leaves alone what waits and is matched by no path any more, or excluded by `startFrom` or `includeExisting`; the
/// number of these files. A listing puts them back once they are taken again.
pub fn leave_alone(
    ledger: &mut Ledger,
    patterns: &[PathPattern],
    rules: &Rules,
    now_ms: u64,
) -> Result<u64, LedgerError> {
    let mut files = 0;
    loop {
        let mut events = Vec::new();
        ledger.reader().visit(&[FileState::Unloaded], |key, entry| {
            if let Some(rule) = against(key, entry, patterns, rules) {
                let (size, modified_ms) = (entry.size, entry.modified_ms);
                events.push((key.clone(), FileEvent::Ignored { size, modified_ms, now_ms, rule }));
            }
            events.len() < AT_ONCE
        })?;
        if events.is_empty() {
            return Ok(files);
        }
        files += events.len() as u64;
        ledger.record(events)?;
    }
}

/// What speaks against a file that waits. That its object was written again was judged when it was listed.
fn against(key: &FileKey, entry: &FileEntry, patterns: &[PathPattern], rules: &Rules) -> Option<FileFault> {
    let is_matched = |pattern: &PathPattern| *key.bucket == *pattern.bucket() && pattern.matches(&key.key);
    // Local files are listed by paths that are no keys.
    if !key.bucket.is_empty() && !patterns.iter().any(is_matched) {
        let message = "no path of the source matches it any more".to_owned();
        return Some(FileFault { category: NOT_IN_SOURCE.to_owned(), message });
    }
    let object = ListedObject {
        bucket: key.bucket.to_string(),
        key: key.key.to_string(),
        size: entry.size,
        etag: key.etag.to_string(),
        modified_ms: i64::try_from(entry.modified_ms).unwrap_or(i64::MAX),
    };
    match rules.judge(&object, []) {
        Verdict::Ignore(rule) => Some(rule),
        Verdict::Stage | Verdict::Refuse(_) => None,
    }
}
