//! A round of listing: what is new goes into the ledger, page by page.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use longshore_storage::ledger::{FileEvent, FileKey, FileState, Ledger, LedgerError};
use tokio::task::block_in_place;

use super::rounds::Rounds;
use super::rules::{self, Rules, Verdict};
use crate::source::{ListedObject, PathPattern, SourceError, Store};

/// How long a listing goes on while files wait for their batch.
const LONGEST_SLICE: Duration = Duration::from_secs(10);

/// What a part of a round found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Objects that match.
    pub listed: u64,
    /// Files that were not known and are to be loaded.
    pub staged: u64,
    /// It stopped before its end, for files wait for their batch.
    pub yields: bool,
}

/// Why a round stopped before its end. What was recorded by then stays, and it goes on after it.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The store.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Goes on with the round that was begun. Always a set, never a high-water mark: an object that came late, with a
/// smaller name or an older time, is as new as any other.
pub async fn list(
    store: &Store,
    patterns: &[PathPattern],
    rules: &Rules,
    ledger: &mut Ledger,
    rounds: &mut Rounds,
    now_ms: u64,
) -> Result<Found, ListError> {
    let mut found = Found::default();
    let begin = Instant::now();
    while let Some((number, after)) = rounds.place() {
        let Some(pattern) = patterns.get(number) else { break };
        let mut failed = None;
        let mut on_page = |page: &[ListedObject]| {
            if let Err(error) = block_in_place(|| take(page, rules, ledger, now_ms, &mut found)) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
            if let Some(last) = page.last() {
                rounds.listed(&last.key);
            }
            let waiting = ledger.totals().of(FileState::Unloaded).files;
            found.yields = waiting > 0 && begin.elapsed() >= LONGEST_SLICE;
            if found.yields { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let listed = store.list_after(pattern, after.as_deref(), &mut on_page).await;
        if let Some(error) = failed {
            return Err(error.into());
        }
        listed?;
        if found.yields {
            break;
        }
        rounds.end_pattern();
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
        if !is_open(known) {
            continue;
        }
        let verdict = judge(object, rules, ledger)?;
        found.staged += u64::from(verdict == Verdict::Stage);
        events.extend(decide(object, known, verdict, now_ms));
    }
    ledger.record(events)
}

/// Whether a listing decides about a file: nobody knows it, or a rule left it alone.
fn is_open(known: Option<FileState>) -> bool {
    matches!(known, None | Some(FileState::Ignored))
}

/// What a listed object means for the ledger, of which it knows so much: pure.
pub(super) fn decide(
    object: &ListedObject,
    known: Option<FileState>,
    verdict: Verdict,
    now_ms: u64,
) -> Vec<(FileKey, FileEvent)> {
    if !is_open(known) {
        return Vec::new();
    }
    let key = FileKey::new(&object.bucket, &object.key, &object.etag);
    let (size, modified_ms) = (object.size, modified(object));
    let staged = FileEvent::Staged { size, modified_ms, now_ms };
    match (verdict, known) {
        (Verdict::Stage, _) => vec![(key, staged)],
        (Verdict::Ignore(_) | Verdict::Refuse(_), Some(_)) => Vec::new(),
        (Verdict::Ignore(rule), None) => {
            vec![(key, FileEvent::Ignored { size, modified_ms, now_ms, rule })]
        }
        (Verdict::Refuse(fault), None) => {
            vec![(key.clone(), staged), (key, FileEvent::GivenUp { fault, now_ms })]
        }
    }
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
