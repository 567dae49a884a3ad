//! Batch files: which files a batch is made of, put in place before anything is read.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::entry::BatchId;
use super::error::LedgerError;
use crate::durable::{FileSystem, PutSites, SyncSite, discard, put_new, read_all};
use crate::table::batch_name;

/// Folder of the batch files, below the ledger's.
pub(super) const BATCHES_FOLDER: &str = "batches";
/// The newest version of the document.
const BATCH_VERSION: u32 = 1;

/// The files of a batch, as its file tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchFile {
    /// Version of this document.
    pub version: u32,
    /// Its number.
    pub number: u32,
    /// The epoch under which it may be committed.
    pub epoch: u32,
    /// Digest of the pipe's request that it follows (hex).
    pub request_digest: String,
    /// Its files.
    pub files: Vec<BatchFileEntry>,
}

impl BatchFile {
    pub(super) fn new(batch: BatchId, request_digest: &str, files: Vec<BatchFileEntry>) -> Self {
        Self {
            version: BATCH_VERSION,
            number: batch.number,
            epoch: batch.epoch,
            request_digest: request_digest.to_owned(),
            files,
        }
    }
}

/// A file of a batch, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchFileEntry {
    /// Bucket; empty for a local file.
    pub bucket: String,
    /// Key, or the path of a local file.
    pub key: String,
    /// ETag.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// Last modified, milliseconds since the epoch.
    pub modified_ms: u64,
}

/// The batches whose files are in place.
pub(super) fn batches(files: &dyn FileSystem, folder: &Path) -> Result<Vec<BatchId>, LedgerError> {
    let path = folder.join(BATCHES_FOLDER);
    let names = match files.list_names(&path) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(LedgerError::volume("list", &path, error)),
    };
    Ok(names.iter().filter_map(|name| parse_name(name)).collect())
}

fn parse_name(name: &str) -> Option<BatchId> {
    let (number, epoch) = name.strip_suffix(".json")?.split_once('-')?;
    let id = BatchId { number: number.parse().ok()?, epoch: epoch.parse().ok()? };
    (batch_name(id.number, id.epoch) == name).then_some(id)
}

/// Puts a batch file in place, durable.
pub(super) fn put(files: &dyn FileSystem, folder: &Path, batch: &BatchFile) -> Result<(), LedgerError> {
    let folder = folder.join(BATCHES_FOLDER);
    let name = batch_name(batch.number, batch.epoch);
    let path = folder.join(&name);
    let bytes = serde_json::to_vec(batch).map_err(|e| LedgerError::damaged(&path, e.to_string()))?;
    let sites = PutSites { contents: SyncSite::BatchContents, name: SyncSite::BatchName };
    // The epoch stands in the name: only a lost reply can make it look taken.
    if !put_new(files, &folder, &name, &bytes, sites)?
        && read_all(files, &path).map_err(|e| LedgerError::volume("read", &path, e))? != bytes
    {
        return Err(LedgerError::NameTaken { path });
    }
    Ok(())
}

/// Removes the file of a batch of which nothing more can come.
pub(super) fn remove(files: &dyn FileSystem, folder: &Path, batch: BatchId) {
    discard(files, &folder.join(BATCHES_FOLDER).join(batch_name(batch.number, batch.epoch)));
}
