//! The ledger in the hands of the one worker that may write it: the holder of the newest epoch.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::batch::{self, BATCHES_FOLDER, BatchFile, BatchFileEntry};
use super::chain::{Chain, list};
use super::entry::{BatchId, FileEntry, FileEvent, FileState};
use super::error::LedgerError;
use super::history::committed;
use super::key::FileKey;
use super::log_file::{LogWriter, Put};
use super::merge::merge;
use super::meta::{LEDGER_VERSION, Meta, Progress};
use super::names::Place;
use super::reader::LedgerReader;
use super::{PIPES_FOLDER, folder};
use crate::durable::{FileSystem, SyncSite, discard, make_dirs_below};
use crate::log::CommitError;
use crate::table::{Batch, PipeEpoch, Table};

/// What is durable since the table was made.
const OWN_FOLDER: &str = "_longshore";
/// Entries that are recorded at once while the history is followed, at most.
const FOLLOWED_AT_ONCE: usize = 8_192;

/// When records are merged into sorted files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerOptions {
    /// Files that are held in memory before they are sorted.
    pub recent_files: usize,
    /// Bytes of a log before what it holds is sorted.
    pub log_bytes: u64,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self { recent_files: 1 << 15, log_bytes: 8 << 20 }
    }
}

/// A ledger and the epoch of its pipe. Errors end its use: whatever an append left is for the next epoch to read.
#[derive(Debug)]
pub struct Ledger {
    files: Arc<dyn FileSystem>,
    epoch: PipeEpoch,
    reader: LedgerReader,
    log: LogWriter,
    options: LedgerOptions,
}

impl Ledger {
    /// Takes the next epoch of a ledger, opens it, and completes it from the table's log: every batch that was
    /// committed is FINISHED in it, and no file is LOADING any more. A ledger that is not there is made, from the
    /// history if that tells of batches.
    ///
    /// # Errors
    /// `DamagedLedger`: a file is damaged or missing; the message names it. `PipeEpochLost`: another worker
    /// took over meanwhile.
    pub fn begin(table: &mut Table, ledger: &str, options: LedgerOptions) -> Result<Self, LedgerError> {
        let epoch = prepare(table, ledger)?;
        let files = Arc::clone(table.files());
        let folder = folder(table.root(), ledger);
        let chain = Chain::open(files.as_ref(), &folder)?;
        let newest = chain.newest().map(|meta| meta.last);
        if let Some(newest) = newest.filter(|newest| newest.epoch >= epoch.number()) {
            let (ledger, epoch) = (ledger.to_owned(), epoch.number());
            let lost = CommitError::PipeEpochLost { ledger, epoch, newest: newest.epoch };
            return Err(lost.into());
        }
        let listed = chain.listed.clone();
        let (reader, recent) = LedgerReader::of(&folder, chain);
        let own = Place { epoch: epoch.number(), number: 0 };
        // What was read may be visible and not yet durable: names are made so together with that of our own log,
        // and the log of the epoch before is not relied on: what it holds is written again.
        let (first, previous) = match (recent, newest) {
            (Some(recent), _) => recent,
            (None, Some(newest)) => (own, Some(newest)),
            (None, None) => (Place::default(), None),
        };
        let begun = Self::begin_log(table, epoch, reader, options, (first, previous))?;
        // Whatever is older and does not tell the ledger is what a worker left that was shut out or killed.
        let kept = |name: &str| begun.reader.sorted.iter().any(|(file, _)| file.name == name);
        for file in listed.iter().filter(|file| !kept(&file.name)) {
            discard(begun.files.as_ref(), &folder.join(&file.name));
        }
        begun.complete(table)
    }

    /// Makes the ledger again, under the next epoch, from the table's history alone: every batch that a commit
    /// names is FINISHED. What else was known (files in ERROR, files left alone) is found again by the next listing.
    pub fn rebuild(table: &mut Table, ledger: &str, options: LedgerOptions) -> Result<Self, LedgerError> {
        let epoch = prepare(table, ledger)?;
        let folder = folder(table.root(), ledger);
        let reader = LedgerReader::of(&folder, Chain::default()).0;
        let listed = list(table.files().as_ref(), &folder)?;
        let begun = Self::begin_log(table, epoch, reader, options, (Place::default(), None))?;
        // Nothing but the new log tells the ledger: it holds all places.
        for file in listed.iter().filter(|file| file.last < begun.log.meta.last) {
            discard(begun.files.as_ref(), &folder.join(&file.name));
        }
        begun.complete(table)
    }

    fn begin_log(
        table: &Table,
        epoch: PipeEpoch,
        mut reader: LedgerReader,
        options: LedgerOptions,
        (first, previous): (Place, Option<Place>),
    ) -> Result<Self, LedgerError> {
        let files = Arc::clone(table.files());
        let put = batch::batches(files.as_ref(), &reader.folder)?.into_iter().map(|batch| batch.number).max();
        reader.progress.batch =
            reader.progress.batch.max(put.unwrap_or(0)).max(table.last_batch(epoch.ledger())?);
        if reader.progress.begun_ms == 0 {
            // One that is made again was begun no later than its first batch was committed.
            let first = committed(table, epoch.ledger(), 0)?.next().transpose()?;
            let first = first.and_then(|batch| batch.committed_ms()).unwrap_or(u64::MAX);
            reader.progress.begun_ms = first.min(now_ms());
        }
        let last = Place { epoch: epoch.number(), number: 0 };
        let meta = meta(epoch.ledger(), first, last, previous, reader.progress);
        let recent: Vec<Put> = reader.recent.iter().map(|(k, e)| (k.clone(), e.clone())).collect();
        let log = LogWriter::create(files.as_ref(), &reader.folder, meta, &recent)?;
        Ok(Self { files, epoch, reader, log, options })
    }

    /// Follows the table's log to its newest version, then settles what no one will tell of any more.
    fn complete(mut self, table: &mut Table) -> Result<Self, LedgerError> {
        table.refresh()?;
        // What is read of this ledger is durable: no batch of it is above the commit of our own epoch.
        let next_version = table.version() + 1;
        let mut waiting = Vec::new();
        for batch in committed(table, self.epoch.ledger(), self.reader.progress.next_version)? {
            let batch = batch?;
            self.reader.progress.batch = self.reader.progress.batch.max(batch.id.number);
            waiting.extend(batch.files);
            if waiting.len() >= FOLLOWED_AT_ONCE {
                self.write(std::mem::take(&mut waiting), batch.version + 1)?;
                self.fold_if_due(table)?;
            }
        }
        self.write(waiting, next_version)?;
        let mut lost = Vec::new();
        if self.totals().of(FileState::Loading).files > 0 {
            self.reader.visit(&[FileState::Loading], |key, _| {
                lost.push((key.clone(), FileEvent::Lost));
                true
            })?;
        }
        self.record(lost)?;
        for batch in batch::batches(self.files.as_ref(), &self.reader.folder)? {
            if batch.epoch < self.epoch.number() {
                batch::remove(self.files.as_ref(), &self.reader.folder, batch);
            }
        }
        self.fold_if_due(table)?;
        Ok(self)
    }

    /// The epoch under which batches are committed.
    pub fn epoch(&self) -> &PipeEpoch {
        &self.epoch
    }

    pub(super) fn files(&self) -> &dyn FileSystem {
        self.files.as_ref()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.reader.folder
    }

    /// What is known, for look-ups.
    pub fn reader(&mut self) -> &mut LedgerReader {
        &mut self.reader
    }

    /// How many files stand where.
    pub fn totals(&self) -> &super::LedgerTotals {
        self.reader.totals()
    }

    /// Records what happened to files, durable on return, in one append. What changes nothing is left out: FINISHED
    /// is final. FINISHED itself is recorded by [`committed`](Self::committed) alone.
    pub fn record(&mut self, events: Vec<(FileKey, FileEvent)>) -> Result<(), LedgerError> {
        let told = |event: &FileEvent| !matches!(event, FileEvent::Finished { .. });
        let events: Vec<_> = events.into_iter().filter(|(_, event)| told(event)).collect();
        if events.is_empty() {
            return Ok(());
        }
        self.write(events, self.reader.progress.next_version)
    }

    /// Puts the file of a batch in place, durable: its number is higher than that of any batch that was ever put or
    /// committed. Then the batch may be recorded as started, and run.
    pub fn put_batch(
        &mut self,
        table: &Table,
        request_digest: &str,
        files: Vec<BatchFileEntry>,
    ) -> Result<Batch, LedgerError> {
        let put = batch::batches(self.files.as_ref(), &self.reader.folder)?.into_iter();
        let highest = put.map(|batch| batch.number).max().unwrap_or(0);
        let highest = highest.max(self.reader.progress.batch).max(table.last_batch(self.epoch.ledger())?);
        let number = highest.checked_add(1).ok_or_else(|| {
            LedgerError::damaged(&self.reader.folder, "there is no number left for a batch")
        })?;
        let id = BatchId { number, epoch: self.epoch.number() };
        batch::put(self.files.as_ref(), &self.reader.folder, &BatchFile::new(id, request_digest, files))?;
        self.reader.progress.batch = number;
        Ok(Batch::new(&self.epoch, number))
    }

    /// Records that a batch stands in a version, with the rows of each of its files; durable on return.
    pub fn committed(
        &mut self,
        batch: &Batch,
        version: u64,
        files: impl IntoIterator<Item = (FileKey, u64, u64)>,
        now_ms: u64,
    ) -> Result<(), LedgerError> {
        let id = BatchId { number: batch.number(), epoch: batch.epoch().number() };
        let finished = files
            .into_iter()
            .map(|(key, size, rows)| (key, FileEvent::Finished { batch: id, version, size, rows, now_ms }));
        // Under this epoch no one else commits batches: there is none between the last and this one.
        self.write(finished.collect(), version + 1)?;
        self.forget(batch);
        Ok(())
    }

    /// Removes the file of a batch whose end is recorded.
    pub fn forget(&self, batch: &Batch) {
        let id = BatchId { number: batch.number(), epoch: batch.epoch().number() };
        batch::remove(self.files.as_ref(), &self.reader.folder, id);
    }

    fn write(&mut self, events: Vec<(FileKey, FileEvent)>, next_version: u64) -> Result<(), LedgerError> {
        let mut progress = Progress { next_version, ..self.reader.progress };
        let mut changed: BTreeMap<FileKey, FileEntry> = BTreeMap::new();
        for (key, event) in events {
            let before = match changed.get(&key) {
                Some(entry) => Some(entry.clone()),
                None => self.reader.find(&key)?,
            };
            if let Some(after) = FileEntry::after(before.as_ref(), &event) {
                progress.totals.replace(before.as_ref(), &after);
                changed.insert(key, after);
            }
        }
        if changed.is_empty() && progress == self.reader.progress {
            return Ok(());
        }
        let puts: Vec<Put> = changed.into_iter().collect();
        self.log.append(&puts, progress)?;
        self.reader.recent.extend(puts);
        self.reader.progress = progress;
        Ok(())
    }

    /// Merges what was recorded into a sorted file, together with the last sorted files as long as those are
    /// small, if enough has come together. To be called between batches.
    pub fn fold_if_due(&mut self, table: &mut Table) -> Result<bool, LedgerError> {
        let is_due =
            self.reader.recent.len() >= self.options.recent_files || self.log.bytes >= self.options.log_bytes;
        if is_due {
            self.fold(table)?;
        }
        Ok(is_due)
    }

    /// Merges what was recorded now.
    ///
    /// # Errors
    /// `PipeEpochLost`: another worker took over, and nothing was changed. After any error but that of a volume
    /// that is full nothing more can be recorded.
    pub fn fold(&mut self, table: &mut Table) -> Result<(), LedgerError> {
        if self.log.failed {
            return Err(LedgerError::FailedBefore { path: self.log.path.clone() });
        }
        let along = self.take_along();
        let (first, previous) = match self.reader.sorted.get(along) {
            Some((_, file)) => (file.meta.first, file.meta.previous),
            None => (self.log.meta.first, self.log.meta.previous),
        };
        let last = self.log.meta.last;
        let ledger = self.epoch.ledger().to_owned();
        let sorted_meta = meta(&ledger, first, last, previous, self.reader.progress);
        let next = Place { epoch: last.epoch, number: last.number + 1 };
        let log_meta = meta(&ledger, next, next, Some(last), self.reader.progress);
        let folder = self.reader.folder.clone();
        let LedgerReader { sorted, recent, .. } = &mut self.reader;
        let (files, older) = (self.files.as_ref(), &mut sorted[along..]);
        // From there on nothing more is appended to the log: an error must not be built on.
        let merged = merge(files, &folder, older, recent, &sorted_meta, &mut self.log.failed)?;
        let log = LogWriter::create(self.files.as_ref(), &folder, log_meta, &[])?;
        // A newer epoch that stands by now may have read the folder before: then it builds on what was merged.
        if let Err(lost) = self.holds_epoch(table) {
            discard(self.files.as_ref(), &folder.join(&merged.0.name));
            discard(self.files.as_ref(), &log.path);
            return Err(lost);
        }
        let old = std::mem::replace(&mut self.log, log);
        self.reader.recent.clear();
        discard(self.files.as_ref(), &old.path);
        for (file, _) in self.reader.sorted.drain(along..) {
            discard(self.files.as_ref(), &folder.join(&file.name));
        }
        self.reader.sorted.push(merged);
        Ok(())
    }

    /// Whether the epoch of this ledger is still the newest: who waits for long asks now and then.
    ///
    /// # Errors
    /// `PipeEpochLost`: another worker took over, or a person put files back.
    pub fn holds_epoch(&self, table: &mut Table) -> Result<(), LedgerError> {
        table.refresh()?;
        let newest = table.newest_pipe_epoch(self.epoch.ledger())?;
        if newest == self.epoch.number() {
            return Ok(());
        }
        let (ledger, epoch) = (self.epoch.ledger().to_owned(), self.epoch.number());
        Err(CommitError::PipeEpochLost { ledger, epoch, newest }.into())
    }

    /// The number of the first sorted file that is merged along: each is kept about twice the one after it.
    fn take_along(&self) -> usize {
        let mut bytes = self.log.bytes;
        let mut first = self.reader.sorted.len();
        while let Some((_, file)) = first.checked_sub(1).and_then(|at| self.reader.sorted.get(at)) {
            if file.bytes > bytes {
                break;
            }
            bytes += file.bytes;
            first -= 1;
        }
        first
    }
}

/// Milliseconds since the epoch.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Makes the folders, then takes the next epoch.
fn prepare(table: &mut Table, ledger: &str) -> Result<PipeEpoch, LedgerError> {
    crate::log::claim::check_label(ledger)?;
    let own = table.root().join(OWN_FOLDER);
    let pipes = Path::new(PIPES_FOLDER).strip_prefix(OWN_FOLDER).unwrap_or(Path::new(PIPES_FOLDER));
    let below = pipes.join(ledger).join(BATCHES_FOLDER);
    make_dirs_below(table.files().as_ref(), &own, &below, SyncSite::LedgerFolderNames)?;
    Ok(table.next_pipe_epoch(ledger)?)
}

fn meta(ledger: &str, first: Place, last: Place, previous: Option<Place>, progress: Progress) -> Meta {
    Meta { version: LEDGER_VERSION, ledger: ledger.to_owned(), first, last, previous, progress }
}
