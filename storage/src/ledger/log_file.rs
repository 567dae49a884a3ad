//! The log of an epoch: what was recorded, in the order in which it was; appended to by the one process that
//! holds the epoch.
//!
//! A log comes to be whole: its opening record, which holds what was not yet sorted by then, is written and made
//! durable under a temporary name before the log gets its own. So whatever can be seen of a log below that name
//! was once durable, but for the record that was being appended.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::codec::{Reader, put_text, put_u64};
use super::entry::FileEntry;
use super::error::LedgerError;
use super::frame::{Frames, frame, read};
use super::key::FileKey;
use super::meta::{LEDGER_VERSION, Meta, Progress};
use super::names::{LedgerFile, log_name};
use crate::durable::{FileSystem, SyncSite, WriteFile, discard, read_all, unique_name};

/// An entry that takes the place of whatever was known of its file.
pub(super) type Put = (FileKey, FileEntry);

/// The head of a record: of the first the file's, of others how far the ledger goes behind it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Head {
    Opening(Meta),
    Following(Progress),
}

/// A log that is being written.
pub(super) struct LogWriter {
    file: Box<dyn WriteFile>,
    pub(super) path: PathBuf,
    pub(super) meta: Meta,
    frames: u64,
    pub(super) bytes: u64,
    pub(super) failed: bool,
}

impl std::fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogWriter").field("path", &self.path).finish_non_exhaustive()
    }
}

impl LogWriter {
    /// Makes a log that begins with these entries; durable with its name.
    pub(super) fn create(
        files: &dyn FileSystem,
        folder: &Path,
        meta: Meta,
        opening: &[Put],
    ) -> Result<Self, LedgerError> {
        let name = log_name(meta.first, meta.last);
        let path = folder.join(&name);
        let temporary = folder.join(format!(".{name}.{}.tmp", unique_name()));
        let bytes = record(&path, 0, &Head::Opening(meta.clone()), opening)?;
        let mut file = files.create(&temporary).map_err(|e| LedgerError::volume("create", &temporary, e))?;
        let placed = write(file.as_mut(), &path, &bytes, SyncSite::LedgerContents)
            .and_then(|()| files.link(&temporary, &path).map_err(|e| taken_or_failed(&path, e)));
        discard(files, &temporary);
        placed?;
        files
            .sync_dir(folder, SyncSite::LedgerName)
            .map_err(|e| LedgerError::volume("fsync the folder", folder, e))?;
        Ok(Self { file, path, meta, frames: 1, bytes: bytes.len() as u64, failed: false })
    }

    /// Appends entries, durable on return. After an error nothing more is appended.
    pub(super) fn append(&mut self, puts: &[Put], progress: Progress) -> Result<(), LedgerError> {
        if self.failed {
            return Err(LedgerError::FailedBefore { path: self.path.clone() });
        }
        let bytes = record(&self.path, self.frames, &Head::Following(progress), puts)?;
        self.failed = true;
        write(self.file.as_mut(), &self.path, &bytes, SyncSite::LedgerAppend)?;
        self.failed = false;
        self.frames += 1;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// The name of a log is its writer's own: only a lost reply, or a restored copy of the volume, can take it.
fn taken_or_failed(path: &Path, error: std::io::Error) -> LedgerError {
    if error.kind() == std::io::ErrorKind::AlreadyExists {
        return LedgerError::NameTaken { path: path.to_owned() };
    }
    LedgerError::volume("link", path, error)
}

fn write(file: &mut dyn WriteFile, path: &Path, bytes: &[u8], site: SyncSite) -> Result<(), LedgerError> {
    file.write_all(bytes).and_then(|()| file.flush()).map_err(|e| LedgerError::volume("write", path, e))?;
    file.sync(site).map_err(|e| LedgerError::volume("fsync", path, e))
}

fn record(path: &Path, number: u64, head: &Head, puts: &[Put]) -> Result<Vec<u8>, LedgerError> {
    let head = serde_json::to_string(head).map_err(|e| LedgerError::damaged(path, e.to_string()))?;
    let mut payload = Vec::with_capacity(head.len() + puts.len() * 128);
    put_text(&mut payload, &head);
    put_u64(&mut payload, puts.len() as u64);
    for (key, entry) in puts {
        for part in [&key.bucket, &key.key, &key.etag] {
            put_text(&mut payload, part);
        }
        entry.encode(&mut payload);
    }
    frame(number, &payload).ok_or_else(|| LedgerError::damaged(path, "a record is longer than 4 GiB"))
}

/// What a log holds.
#[derive(Debug)]
pub(super) struct LogContents {
    pub(super) meta: Meta,
    /// Where the ledger stands behind its last record.
    pub(super) progress: Progress,
    /// In the order in which they were recorded: a later one takes the place of an earlier one.
    pub(super) puts: Vec<Put>,
}

/// Reads a log; what its writer was appending when it died is left out. `None`: the file is gone.
pub(super) fn read_log(
    files: &dyn FileSystem,
    folder: &Path,
    file: &LedgerFile,
) -> Result<Option<LogContents>, LedgerError> {
    let path = folder.join(&file.name);
    let bytes = match read_all(files, &path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LedgerError::volume("read", &path, error)),
    };
    let Frames { payloads, .. } = read(&bytes).map_err(|what| LedgerError::damaged(&path, what))?;
    let mut contents: Option<LogContents> = None;
    for payload in payloads {
        let (head, puts) = parse(payload)
            .ok_or_else(|| LedgerError::damaged(&path, "a record is whole and cannot be understood"))?;
        match (head, &mut contents) {
            (Head::Opening(meta), None) => {
                let progress = meta.progress;
                contents = Some(LogContents { meta, progress, puts });
            }
            (Head::Following(progress), Some(contents)) => {
                contents.progress = progress;
                contents.puts.extend(puts);
            }
            _ => return Err(LedgerError::damaged(&path, "its records are not in their order")),
        }
    }
    let contents =
        contents.ok_or_else(|| LedgerError::damaged(&path, "its opening record cannot be read"))?;
    check_meta(&path, file, &contents.meta)?;
    Ok(Some(contents))
}

/// Refuses a file that is not what its name says.
pub(super) fn check_meta(path: &Path, file: &LedgerFile, meta: &Meta) -> Result<(), LedgerError> {
    if meta.version > LEDGER_VERSION {
        let what = format!("it has version {}, known is {LEDGER_VERSION}", meta.version);
        return Err(LedgerError::damaged(path, what));
    }
    if (meta.first, meta.last) != (file.first, file.last) {
        return Err(LedgerError::damaged(path, "it does not hold what its name says"));
    }
    Ok(())
}

fn parse(payload: &[u8]) -> Option<(Head, Vec<Put>)> {
    let mut reader = Reader::new(payload);
    let head = serde_json::from_str(reader.text()?).ok()?;
    let count = reader.length()?;
    let mut puts = Vec::new();
    for _ in 0..count {
        let key = FileKey::new(reader.text()?, reader.text()?, reader.text()?);
        puts.push((key, FileEntry::decode(&mut reader)?));
    }
    reader.is_empty().then_some((head, puts))
}
