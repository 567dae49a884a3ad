//! A round of listing: what is new goes into the ledger, page by page.

use longshore_storage::ledger::{FileEvent, FileKey, FileState, Ledger, LedgerError};
use tokio::task::block_in_place;

use super::rules::{self, Rules, Verdict};
use crate::source::{ListedObject, PathPattern, SourceError, Store};

/// What a round found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Objects that match.
    pub listed: u64,
    /// Files that were not known and are to be loaded.
    pub staged: u64,
}

/// Why a round ended early. What was recorded by then stays.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The store.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Lists the whole source once. Always a set, never a high-water mark: an object that came late, with a smaller
/// name or an older time, is as new as any other.
pub async fn list(
    store: &Store,
    patterns: &[PathPattern],
    rules: &Rules,
    ledger: &mut Ledger,
    now_ms: u64,
) -> Result<Found, ListError> {
    let mut found = Found::default();
    for pattern in patterns {
        let mut failed = None;
        let listed = store
            .list(pattern, &mut |page| {
                // The listing cannot be stopped from here: what comes after a failure is left for the next round.
                if failed.is_none() {
                    failed = block_in_place(|| take(page, rules, ledger, now_ms, &mut found)).err();
                }
            })
            .await;
        if let Some(error) = failed {
            return Err(error.into());
        }
        listed?;
    }
    Ok(found)
}

/// Records what is new in a page; durable on return.
fn take(
    page: &[ListedObject],
    rules: &Rules,
    ledger: &mut Ledger,
    now_ms: u64,
    found: &mut Found,
) -> Result<(), LedgerError> {
    let mut events = Vec::new();
    for object in page {
        found.listed += 1;
        let key = FileKey::new(&object.bucket, &object.key, &object.etag);
        let known = ledger.reader().state(&key)?;
        let verdict = match known {
            None | Some(FileState::Ignored) => judge(object, rules, ledger)?,
            Some(_) => continue,
        };
        let staged = FileEvent::Staged { size: object.size, modified_ms: modified(object), now_ms };
        match (verdict, known) {
            (Verdict::Stage, _) => {
                found.staged += 1;
                events.push((key, staged));
            }
            (Verdict::Ignore(_) | Verdict::Refuse(_), Some(_)) => {}
            (Verdict::Ignore(rule), None) => {
                let (size, modified_ms) = (object.size, modified(object));
                events.push((key, FileEvent::Ignored { size, modified_ms, now_ms, rule }));
            }
            (Verdict::Refuse(fault), None) => {
                events.push((key.clone(), staged));
                events.push((key, FileEvent::GivenUp { fault, now_ms }));
            }
        }
    }
    ledger.record(events)
}

fn judge(object: &ListedObject, rules: &Rules, ledger: &mut Ledger) -> Result<Verdict, LedgerError> {
    if !rules.asks_for_versions() {
        return Ok(rules.judge(object, []));
    }
    let versions = ledger.reader().versions(&object.bucket, &object.key)?;
    let others = versions.iter().filter(|(key, _)| *key.etag != object.etag);
    Ok(rules.judge(object, others.map(|(_, entry)| entry)))
}

fn modified(object: &ListedObject) -> u64 {
    u64::try_from(object.modified_ms).unwrap_or(0)
}

/// What is said of a file that was not there, or another one, when its batch came to it: the next listing that
/// finds it puts it back.
pub fn is_gone(code: &str) -> bool {
    matches!(code, "ObjectNotFound" | "ObjectChanged") || code == rules::GONE
}
