//! Small files and batches of them: the ledger never looks into a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_storage::history::{HistoryFile, HistoryOutcome, HistoryRecord};
use longshore_storage::ledger::{
    BatchFileEntry, BatchId, FileEntry, FileEvent, FileFault, FileKey, FileState, Ledger, LedgerError,
    LedgerOptions, LedgerReader,
};
use longshore_storage::load::Segment;
use longshore_storage::table::{Batch, CommitError, LoadCommit, LoadMode, Table};

/// The ledger of most tests.
pub const LEDGER: &str = "l";
/// Merges all the time.
pub const SMALL: LedgerOptions = LedgerOptions { recent_files: 6, log_bytes: 1 << 20 };

/// What is known of every file.
pub type Known = BTreeMap<FileKey, FileEntry>;

pub fn key(number: usize) -> FileKey {
    // Keys with commas, quotes, newlines and more than ASCII; two objects under some keys; two buckets.
    let odd = [",", "\"", "\n", "ü", "", "%2C", "😀"][number % 7];
    let etag =
        format!("{:032x}", (number as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835));
    let etag = if number.is_multiple_of(5) { format!("\"{etag}-2\"") } else { etag };
    FileKey::new(["b", "bucket"][number / 3 % 2], &format!("in/{:04}{odd}.csv", number / 2 * 7 % 1000), &etag)
}

pub fn size(number: usize) -> u64 {
    number as u64 * 1000 + 1
}

pub fn staged(number: usize) -> (FileKey, FileEvent) {
    (
        key(number),
        FileEvent::Staged { size: size(number), modified_ms: 1_700_000_000_000, now_ms: 1_700_000_100_000 },
    )
}

pub fn fault() -> FileFault {
    FileFault { category: "DamagedFile".to_owned(), message: "no footer".to_owned() }
}

pub fn begin(table: &mut Table) -> Ledger {
    Ledger::begin(table, LEDGER, SMALL).unwrap()
}

/// Everything that a ledger knows.
pub fn known(reader: &mut LedgerReader) -> Result<Known, LedgerError> {
    let mut known = Known::new();
    reader.visit(&FileState::ALL, |key, entry| {
        assert!(known.insert(key.clone(), entry.clone()).is_none(), "{key:?} was told twice");
        true
    })?;
    Ok(known)
}

pub fn finished(known: &Known) -> BTreeSet<FileKey> {
    let finished = known.iter().filter(|(_, entry)| entry.state == FileState::Finished);
    finished.map(|(key, _)| key.clone()).collect()
}

/// Puts a batch in place and records its start.
pub fn start(ledger: &mut Ledger, table: &Table, numbers: &[usize]) -> Result<Batch, LedgerError> {
    let entry = |number: &usize| {
        let FileKey { bucket, key, etag } = key(*number);
        BatchFileEntry {
            bucket: bucket.into(),
            key: key.into(),
            etag: etag.into(),
            size: size(*number),
            modified_ms: 1_700_000_000_000,
        }
    };
    let batch = ledger.put_batch(table, "digest", numbers.iter().map(entry).collect())?;
    let id = BatchId { number: batch.number(), epoch: batch.epoch().number() };
    let started =
        |number: &usize| (key(*number), FileEvent::Started { batch: id, now_ms: 1_700_000_200_000 });
    ledger.record(numbers.iter().map(started).collect())?;
    Ok(batch)
}

/// Rows of a file.
pub fn rows(number: usize) -> u64 {
    number as u64 + 1
}

/// Commits a batch to the table, and says nothing to the ledger.
pub fn commit(
    table: &mut Table,
    batch: &Batch,
    segments: Vec<Segment>,
    numbers: &[usize],
) -> Result<u64, CommitError> {
    let mut record = HistoryRecord::new(batch.label(), batch.epoch().number(), 0, HistoryOutcome::Loaded);
    record.times.commit = Some("2023-11-14T22:16:40Z".to_owned());
    let file = |number: &usize| {
        let FileKey { bucket, key, etag } = key(*number);
        HistoryFile {
            bucket: bucket.into(),
            key: key.into(),
            etag: etag.into(),
            size: size(*number),
            read: rows(*number),
            loaded: rows(*number),
            ..HistoryFile::default()
        }
    };
    record.files = numbers.iter().map(file).collect();
    let schema = Arc::clone(table.schema());
    let (mode, new_columns) = (LoadMode::Append, Vec::new());
    table.commit_batch(batch, LoadCommit { segments, schema, record, deadline: None, mode, new_columns })
}

/// What a commit of the batch makes of a file.
pub fn finished_by(batch: &Batch, version: u64, number: usize) -> FileEvent {
    FileEvent::Finished {
        batch: BatchId { number: batch.number(), epoch: batch.epoch().number() },
        version,
        size: size(number),
        rows: rows(number),
        now_ms: 1_700_000_200_000,
    }
}

/// Tells the ledger of a commit.
pub fn tell(ledger: &mut Ledger, batch: &Batch, version: u64, numbers: &[usize]) -> Result<(), LedgerError> {
    let files = numbers.iter().map(|number| (key(*number), size(*number), rows(*number)));
    ledger.committed(batch, version, files, 1_700_000_200_000)
}

/// A batch from its file to its entry in the ledger.
pub fn load(ledger: &mut Ledger, table: &mut Table, numbers: &[usize]) -> u64 {
    let batch = start(ledger, table, numbers).unwrap();
    let segment = crate::log::support::segment(&format!("{}-{}", batch.number(), batch.epoch().number()), 1);
    let version = commit(table, &batch, vec![segment], numbers).unwrap();
    tell(ledger, &batch, version, numbers).unwrap();
    version
}

pub fn folder(root: &Path) -> PathBuf {
    root.join("_longshore/pipes").join(LEDGER)
}

/// The ledger's files, by name.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder(root)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// The log that is being written.
pub fn log(root: &Path) -> PathBuf {
    let is_log = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("log-");
    files(root).into_iter().rfind(is_log).unwrap()
}
