//! What becomes of objects once their rows are in the table: never a part of being loaded.
//!
//! The batches of the table's log are gone through in their order, each once its delay is over, some files a turn.
//! How far that came is durable ([`Settled`]); a turn that was not recorded is done again, which changes nothing: every
//! change is asked for under the condition that the object is the one that was loaded.

mod action;
mod probe;

use std::time::Duration;

use futures::StreamExt as _;
use longshore_crds::{AfterLoadProgress, LoadError, PipeRequest, UNSUPPORTED_STORE};
use longshore_storage::ledger::{FileKey, FileState, Ledger, LedgerError, OpenFile, Settled};
use longshore_storage::table::Table;
use tokio::task::block_in_place;

use self::action::Action;
pub use self::action::InvalidAfterLoad;
use super::schedule::Backoff;
use crate::source::{Change, PathPattern, SourceError, Store};

/// Files of a turn after which it takes no further batch.
const FILES_OF_A_TURN: usize = 512;
/// Requests at once.
const AT_ONCE: usize = 16;
/// Files with which it failed, at most: no further batch is taken up while there are so many.
const MAX_OPEN: usize = 1_000;
/// Between two turns while batches wait to be loaded.
const BETWEEN_TURNS: Duration = Duration::from_secs(2);
/// First and longest wait before a file is tried again, milliseconds.
const FIRST_WAIT_MS: u64 = 5_000;
const LONGEST_WAIT_MS: u64 = 3_600_000;

/// What is done with loaded files, and how far that came.
#[derive(Debug)]
pub struct AfterLoad {
    action: Action,
    delay_ms: u64,
    patterns: Vec<PathPattern>,
    settled: Settled,
    /// `None`: the store was not asked yet whether it deletes under a condition.
    is_supported: Option<bool>,
    backoff: Backoff,
    /// When there is something to do, milliseconds since the epoch; `None`: not before another batch is committed.
    due_ms: Option<u64>,
    /// When the last turn ended.
    turned_ms: u64,
    error: Option<LoadError>,
}

/// What a turn does.
#[derive(Debug, Default)]
struct Turn {
    /// Files of batches whose delay is over.
    files: Vec<FileKey>,
    /// The first version that is not gone through after it.
    next_version: u64,
    /// Files with which it failed before, by their places among those that are open.
    again: Vec<usize>,
    /// When there is more to do; `None`: not before another batch is committed.
    next_due_ms: Option<u64>,
}

impl AfterLoad {
    /// What a request asks for; `None`: nothing.
    ///
    /// # Errors
    /// A place to move to from which the pipe would load again.
    pub fn of(request: &PipeRequest, patterns: &[PathPattern]) -> Result<Option<Self>, InvalidAfterLoad> {
        let Some(action) = Action::of(&request.after_load, patterns)? else { return Ok(None) };
        Ok(Some(Self {
            is_supported: (!action.deletes()).then_some(true),
            action,
            delay_ms: u64::from(request.after_load.delay_seconds) * 1_000,
            patterns: patterns.to_vec(),
            settled: Settled::default(),
            backoff: Backoff::default(),
            due_ms: Some(0),
            turned_ms: 0,
            error: None,
        }))
    }

    /// Reads how far a worker before came.
    pub fn begin(&mut self, table: &Table, ledger: &Ledger) -> Result<(), LedgerError> {
        self.settled = ledger.settled(table)?;
        Ok(())
    }

    /// Whether a turn is due; `is_busy`: batches wait to be loaded, and come first.
    pub fn is_due(&self, now_ms: u64, is_busy: bool) -> bool {
        let pause = u64::try_from(BETWEEN_TURNS.as_millis()).unwrap_or(u64::MAX);
        self.due_ms.is_some_and(|due| now_ms >= due)
            && (!is_busy || now_ms >= self.turned_ms.saturating_add(pause))
    }

    /// When the next turn is due, milliseconds since the epoch; `None`: not before another batch is committed.
    pub fn due_ms(&self) -> Option<u64> {
        self.due_ms
    }

    /// A batch was committed.
    pub fn loaded(&mut self) {
        self.due_ms = self.due_ms.or(Some(0));
    }

    /// Where it stands, with so many loaded files.
    pub fn progress(&self, loaded_files: u64) -> AfterLoadProgress {
        let settled = &self.settled;
        AfterLoadProgress {
            action: self.action.name(),
            pending_files: loaded_files.saturating_sub(settled.files),
            done_files: settled.done,
            left_files: settled.left,
            failed_files: settled.open.len() as u64,
            error: self.error.clone(),
        }
    }

    /// Does some of what is due; false: there was nothing, or the store does not answer.
    pub async fn turn(
        &mut self,
        store: &Store,
        table: &Table,
        ledger: &Ledger,
        now_ms: u64,
    ) -> Result<bool, LedgerError> {
        self.turned_ms = now_ms;
        match self.is_supported(store).await {
            Ok(true) => {}
            Ok(false) => {
                self.due_ms = Some(u64::MAX);
                return Ok(false);
            }
            Err(error) => {
                self.failed(&error, now_ms);
                return Ok(false);
            }
        }
        let turn = block_in_place(|| self.plan(table, ledger, now_ms))?;
        if turn.files.is_empty() && turn.again.is_empty() {
            self.due_ms = turn.next_due_ms;
            // Batches without files need not be durable.
            self.settled.next_version = turn.next_version;
            return Ok(false);
        }
        let again = turn.again.iter().filter_map(|place| self.settled.open.get(*place)).map(key_of);
        let keys: Vec<FileKey> = again.chain(turn.files.iter().cloned()).collect();
        match self.apply(store, keys).await {
            Ok(outcomes) => {
                block_in_place(|| self.record(ledger, &turn, outcomes, now_ms))?;
                Ok(true)
            }
            Err(error) => {
                self.failed(&error, now_ms);
                Ok(false)
            }
        }
    }

    /// The store does not answer: all waits.
    pub fn failed(&mut self, error: &SourceError, now_ms: u64) {
        if matches!(error, SourceError::Cancelled) {
            return;
        }
        let wait = self.backoff.failed(getrandom::u64().unwrap_or(u64::MAX / 2));
        tracing::warn!(category = error.category(), ?wait, "objects that are loaded stay for now: {error}");
        self.due_ms = Some(now_ms.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)));
        self.error = Some(told(error));
    }

    async fn is_supported(&mut self, store: &Store) -> Result<bool, SourceError> {
        if let Some(known) = self.is_supported {
            return Ok(known);
        }
        let honours = probe::honours_if_match(store, &self.patterns).await?;
        self.is_supported = Some(honours);
        if !honours {
            let message = format!(
                "the store does not honour If-Match where it deletes an object, so afterLoad.action {:?} could delete \
                 one that was written again after it was loaded: nothing is deleted, and files are loaded as before; \
                 set the action to Tag or None, or use a store with conditional deletes",
                self.action.name()
            );
            tracing::error!("{message}");
            self.error = Some(LoadError { error_type: UNSUPPORTED_STORE.to_owned(), message });
        }
        Ok(honours)
    }

    /// What the next turn does.
    fn plan(&self, table: &Table, ledger: &Ledger, now_ms: u64) -> Result<Turn, LedgerError> {
        let settled = &self.settled;
        let is_due = |open: &&(usize, &OpenFile)| open.1.due_ms <= now_ms;
        let open: Vec<(usize, &OpenFile)> = settled.open.iter().enumerate().collect();
        let again = open.iter().filter(is_due).map(|(place, _)| *place).take(FILES_OF_A_TURN).collect();
        let later = settled.open.iter().map(|open| open.due_ms).filter(|due| *due > now_ms).min();
        let mut turn =
            Turn { next_version: settled.next_version, again, next_due_ms: later, ..Turn::default() };
        let loaded = ledger.totals().of(FileState::Finished).files;
        if loaded <= settled.files || settled.open.len() >= MAX_OPEN {
            return Ok(turn);
        }
        for batch in ledger.loaded_batches(table, settled.next_version)? {
            let batch = batch?;
            let due_ms = batch.committed_ms.saturating_add(self.delay_ms);
            if due_ms > now_ms {
                turn.next_due_ms = Some(turn.next_due_ms.map_or(due_ms, |other| other.min(due_ms)));
                break;
            }
            if !turn.files.is_empty() && turn.files.len() + batch.files.len() > FILES_OF_A_TURN {
                break;
            }
            turn.next_version = batch.version + 1;
            turn.files.extend(batch.files);
        }
        Ok(turn)
    }

    /// The outcomes in the order of the files. An error of the store itself ends it; what was done by then is done
    /// again.
    async fn apply(
        &self,
        store: &Store,
        keys: Vec<FileKey>,
    ) -> Result<Vec<(FileKey, Result<Change, SourceError>)>, SourceError> {
        let changes = futures::stream::iter(keys).map(|key| {
            let action = &self.action;
            async move {
                let change = action.apply(store, &key).await;
                (key, change)
            }
        });
        let mut changes = std::pin::pin!(changes.buffered(AT_ONCE));
        let mut outcomes = Vec::new();
        while let Some((key, change)) = changes.next().await {
            match change {
                Err(error) if error.is_transient() || matches!(error, SourceError::Cancelled) => {
                    return Err(error);
                }
                change => outcomes.push((key, change)),
            }
        }
        Ok(outcomes)
    }

    fn record(
        &mut self,
        ledger: &Ledger,
        turn: &Turn,
        outcomes: Vec<(FileKey, Result<Change, SourceError>)>,
        now_ms: u64,
    ) -> Result<(), LedgerError> {
        self.backoff.answered();
        self.error = None;
        let mut settled = self.settled.clone();
        let before: Vec<u32> =
            turn.again.iter().filter_map(|p| settled.open.get(*p)).map(|open| open.attempts).collect();
        for place in turn.again.iter().rev() {
            settled.open.remove(*place);
        }
        for (place, (key, outcome)) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(Change::Done) => settled.done += 1,
                Ok(Change::Gone | Change::Other) => settled.left += 1,
                Err(error) => {
                    tracing::warn!(file = %key.uri(), category = error.category(), "it stays for now: {error}");
                    self.error = Some(told(&error));
                    settled.open.push(open_file(&key, before.get(place).copied().unwrap_or(0) + 1, now_ms));
                }
            }
        }
        settled.files += turn.files.len() as u64;
        settled.next_version = turn.next_version;
        ledger.put_settled(&settled)?;
        self.settled = settled;
        self.due_ms = Some(now_ms);
        Ok(())
    }
}

fn told(error: &SourceError) -> LoadError {
    LoadError { error_type: error.category().to_owned(), message: error.to_string() }
}

fn key_of(open: &OpenFile) -> FileKey {
    FileKey::new(&open.bucket, &open.key, &open.etag)
}

fn open_file(key: &FileKey, attempts: u32, now_ms: u64) -> OpenFile {
    let wait = FIRST_WAIT_MS.saturating_mul(1 << (attempts - 1).min(20)).min(LONGEST_WAIT_MS);
    OpenFile {
        bucket: key.bucket.to_string(),
        key: key.key.to_string(),
        etag: key.etag.to_string(),
        attempts,
        due_ms: now_ms.saturating_add(wait),
    }
}
