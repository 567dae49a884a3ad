//! `_delta_log` as a folder: listing it, its checkpoints, and the fsync that may never be tried twice.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::bloom_filter::Sbbf;
use serde::{Deserialize, Serialize};

use super::error::TableError;
use super::names::{ForeignKind, LAST_CHECKPOINT, LogName, checkpoint_name, commit_name};
use crate::durable::{FileSystem, SyncSite, read_all};

/// Name of the folder.
pub(crate) const LOG_FOLDER: &str = "_delta_log";

/// How long a name that must be there may stay out of sight (network file systems remember absent names).
pub(crate) const NAME_WAIT: Duration = Duration::from_secs(60);

/// Pause between two looks at a name that must turn up.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The folder of the log.
#[derive(Debug, Clone)]
pub(crate) struct LogFolder {
    files: Arc<dyn FileSystem>,
    path: PathBuf,
    /// An fsync of this folder failed in this process.
    sync_failed: Arc<AtomicBool>,
    /// The checkpoint that was looked at last.
    known_checkpoint: Arc<Mutex<Option<CheckpointFile>>>,
    /// The footer of the checkpoint that was read last: one lookup after another needs it.
    footer: Arc<Mutex<Option<(u64, Footer)>>>,
    name_wait: Duration,
}

/// The footer of a checkpoint.
#[derive(Debug, Clone)]
pub(super) struct Footer {
    pub(super) metadata: ArrowReaderMetadata,
    /// The index of its pages was read too, if it has one.
    pub(super) is_indexed: bool,
    /// The Bloom filters of the names that its row groups hold, as far as they were asked for; none: the group
    /// has no filter.
    pub(super) filters: Filters,
}

/// Bloom filters by the number of their row group.
pub(super) type Filters = Arc<Mutex<HashMap<usize, Option<Sbbf>>>>;

/// What one reading of the folder showed. No snapshot: beside a busy writer it may show n + 1 without n.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    /// The newest commit.
    pub(crate) newest_commit: Option<u64>,
    /// Versions of the checkpoints.
    pub(crate) checkpoints: BTreeSet<u64>,
    /// The newest checkpoint of a kind that is not read here.
    pub(crate) foreign_checkpoint: Option<(u64, ForeignKind)>,
    /// Bytes of the newest of `checkpoints`; 0: it is gone already, or not to be seen yet.
    newest_bytes: u64,
}

impl Listing {
    pub(crate) fn newest_checkpoint(&self) -> Option<CheckpointFile> {
        let version = *self.checkpoints.last()?;
        Some(CheckpointFile { version, bytes: self.newest_bytes })
    }

    /// Whether the name of a version may have been cleaned. What other engines do is not known: any checkpoint
    /// of theirs above it tells that it may.
    pub(crate) fn may_be_cleaned(&self, version: u64) -> bool {
        self.second_newest_checkpoint() > Some(version)
            || self.foreign_checkpoint.is_some_and(|(foreign, _)| foreign > version)
    }

    /// Names below it may be cleaned.
    pub(crate) fn second_newest_checkpoint(&self) -> Option<u64> {
        self.checkpoints.iter().rev().nth(1).copied()
    }
}

/// A checkpoint by its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CheckpointFile {
    pub(crate) version: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
}

/// The contents of `_last_checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastCheckpoint {
    pub(crate) version: u64,
    /// Actions in it.
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size_in_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) num_of_add_files: Option<u64>,
}

impl LogFolder {
    /// The log of the table in `root`.
    pub(crate) fn new(files: Arc<dyn FileSystem>, root: &Path) -> Self {
        let path = root.join(LOG_FOLDER);
        let sync_failed = Arc::new(AtomicBool::new(false));
        Self {
            files,
            path,
            sync_failed,
            known_checkpoint: Arc::default(),
            footer: Arc::default(),
            name_wait: NAME_WAIT,
        }
    }

    /// The same with another patience.
    #[cfg(test)]
    pub(crate) fn with_name_wait(self, name_wait: Duration) -> Self {
        Self { name_wait, ..self }
    }

    pub(crate) fn files(&self) -> &dyn FileSystem {
        self.files.as_ref()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn name_wait(&self) -> Duration {
        self.name_wait
    }

    pub(crate) fn commit_path(&self, version: u64) -> PathBuf {
        self.path.join(commit_name(version))
    }

    pub(crate) fn checkpoint_path(&self, version: u64) -> PathBuf {
        self.path.join(checkpoint_name(version))
    }

    /// Makes every name that is visible durable. After one failure it fails for ever: the kernel reports a
    /// lost write once, and a second success would prove nothing.
    pub(crate) fn sync(&self, site: SyncSite) -> Result<(), TableError> {
        if self.sync_failed.load(Ordering::Acquire) {
            return Err(TableError::SyncFailedBefore { path: self.path.clone() });
        }
        self.files.sync_dir(&self.path, site).map_err(|error| {
            self.sync_failed.store(true, Ordering::Release);
            TableError::volume("fsync the folder", &self.path, error)
        })
    }

    /// The refusal of a table whose log needs something that is not known here.
    pub(super) fn unsupported(&self, feature: &str) -> TableError {
        let root = self.path.parent().unwrap_or(&self.path);
        TableError::UnsupportedFeature { path: root.to_owned(), feature: feature.to_owned() }
    }

    /// Removes a file of the log; one that is gone already is no error.
    pub(super) fn remove(&self, path: &Path) -> Result<(), TableError> {
        match self.files.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(TableError::volume("remove", path, error))
            }
            _ => Ok(()),
        }
    }

    /// A fresh listing, completed by the hint (which a cached listing may not show yet). By names alone: what
    /// a commit costs grows with the names in the folder, so each must cost little.
    pub(crate) fn list(&self) -> Result<Listing, TableError> {
        let mut listing = Listing::default();
        let names = self.files.list_names(&self.path);
        for name in names.map_err(|e| TableError::volume("list", &self.path, e))? {
            match LogName::parse(&name) {
                LogName::Commit(version) => {
                    listing.newest_commit = listing.newest_commit.max(Some(version));
                }
                LogName::Checkpoint(version) => {
                    listing.checkpoints.insert(version);
                }
                LogName::ForeignCheckpoint(version, kind) => {
                    let newest = listing.foreign_checkpoint.filter(|(newest, _)| *newest >= version);
                    listing.foreign_checkpoint = newest.or(Some((version, kind)));
                }
                LogName::Other => {}
            }
        }
        let newest = listing.checkpoints.last().copied();
        if let Some(hint) = self.last_checkpoint()?
            && newest.is_none_or(|newest| newest < hint.version)
            && self.checkpoint_bytes(hint.version)?.is_some()
        {
            listing.checkpoints.insert(hint.version);
        }
        if let Some(newest) = listing.checkpoints.last() {
            listing.newest_bytes = self.checkpoint_bytes(*newest)?.unwrap_or_default();
        }
        Ok(listing)
    }

    /// The hint; one that cannot be understood is no hint.
    pub(crate) fn last_checkpoint(&self) -> Result<Option<LastCheckpoint>, TableError> {
        let path = self.path.join(LAST_CHECKPOINT);
        match read_all(self.files(), &path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            // It was replaced by a shorter one between its length and its bytes.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
                Ok(None)
            }
            Err(error) => Err(TableError::volume("read", &path, error)),
        }
    }

    /// The footer of a checkpoint, if it is the one that was read last; it never changes.
    pub(super) fn known_footer(&self, version: u64) -> Option<Footer> {
        let footer = self.footer.lock().unwrap_or_else(PoisonError::into_inner);
        footer.as_ref().filter(|(of, _)| *of == version).map(|(_, footer)| footer.clone())
    }

    /// Keeps the footer of a checkpoint.
    pub(super) fn keep_footer(&self, version: u64, footer: &Footer) {
        *self.footer.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, footer.clone()));
    }

    /// Bytes of a checkpoint, which never change once it is there.
    fn checkpoint_bytes(&self, version: u64) -> Result<Option<u64>, TableError> {
        let known = self.known_checkpoint.lock().unwrap_or_else(PoisonError::into_inner).to_owned();
        if let Some(known) = known.filter(|known| known.version == version) {
            return Ok(Some(known.bytes));
        }
        let path = self.checkpoint_path(version);
        match self.files.open(&path).and_then(|file| file.len()) {
            Ok(bytes) => {
                let known = Some(CheckpointFile { version, bytes });
                *self.known_checkpoint.lock().unwrap_or_else(PoisonError::into_inner) = known;
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TableError::volume("open", &path, error)),
        }
    }
}
