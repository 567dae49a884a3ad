//! What was done with the objects of loaded files, durable: up to which version of the table all are settled, and
//! which of them are not.
//!
//! It is no part of being loaded, and nothing depends on it but work that may be done again: each change of an object
//! is asked for under the condition that it is the one that was loaded. So one file is put in place of another, and one
//! that is lost or damaged means that the history is gone through again.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::LedgerError;
use super::history::committed;
use super::key::FileKey;
use super::writer::Ledger;
use crate::durable::{FileSystem, PutSites, SyncSite, discard, put_new, read_all};
use crate::log::TableError;
use crate::table::Table;

/// Version of the document.
const SETTLED_VERSION: u32 = 1;
const PREFIX: &str = "after-load-";

/// What was done with the objects of loaded files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settled {
    /// Version of this document.
    pub version: u32,
    /// The files of every batch below this version of the table are settled, but those that are open.
    pub next_version: u64,
    /// Files that are settled or open.
    pub files: u64,
    /// Files with which was done what was to be done.
    pub done: u64,
    /// Files that were left alone: another object stood there, or none.
    pub left: u64,
    /// Files with which it failed: it is tried again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenFile>,
}

/// A loaded file whose object could not be changed yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenFile {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// ETag with which it was loaded.
    pub etag: String,
    /// Tries that failed.
    pub attempts: u32,
    /// When it is tried again, milliseconds since the epoch.
    pub due_ms: u64,
}

/// A batch that a commit names, with the files that were loaded by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedBatch {
    /// Version of the commit.
    pub version: u64,
    /// When it was committed, milliseconds since the epoch; 0: not known.
    pub committed_ms: u64,
    /// Its files.
    pub files: Vec<FileKey>,
}

impl Ledger {
    /// The batches that were committed from a version on, the oldest first. What the table said when it was read last
    /// counts.
    pub fn loaded_batches(
        &self,
        table: &Table,
        from_version: u64,
    ) -> Result<impl Iterator<Item = Result<LoadedBatch, TableError>> + use<>, LedgerError> {
        let batches = committed(table, self.epoch().ledger(), from_version)?;
        Ok(batches.map(|batch| {
            let batch = batch?;
            let committed_ms = batch.committed_ms().unwrap_or_default();
            let files = batch.files.into_iter().map(|(key, _)| key).collect();
            Ok(LoadedBatch { version: batch.version, committed_ms, files })
        }))
    }

    /// What was settled last. One that cannot be read, or knows versions that the table does not have, is none.
    pub fn settled(&self, table: &Table) -> Result<Settled, LedgerError> {
        let newest = places(self.files(), self.folder())?.into_iter().max();
        let Some(place) = newest else { return Ok(Settled::default()) };
        let path = self.folder().join(name(place));
        let bytes = read_all(self.files(), &path).map_err(|e| LedgerError::volume("read", &path, e))?;
        let settled: Settled = serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "it is damaged: what is settled is found again");
            Settled::default()
        });
        let is_known = settled.version <= SETTLED_VERSION && settled.next_version <= table.version() + 1;
        Ok(if is_known { settled } else { Settled::default() })
    }

    /// Puts what is settled in place, durable on return.
    pub fn put_settled(&self, settled: &Settled) -> Result<(), LedgerError> {
        let epoch = self.epoch().number();
        let before = places(self.files(), self.folder())?;
        let number = before.iter().filter(|place| place.0 == epoch).map(|place| place.1).max().unwrap_or(0);
        let number = number.checked_add(1).ok_or_else(|| {
            LedgerError::damaged(self.folder(), "there is no number left for what is settled")
        })?;
        let name = name((epoch, number));
        let settled = Settled { version: SETTLED_VERSION, ..settled.clone() };
        let bytes = serde_json::to_vec(&settled)
            .map_err(|error| LedgerError::damaged(&self.folder().join(&name), error.to_string()))?;
        let sites = PutSites { contents: SyncSite::LedgerContents, name: SyncSite::LedgerName };
        // The epoch stands in the name: only a lost reply can make it look taken.
        put_new(self.files(), self.folder(), &name, &bytes, sites)?;
        for older in before.into_iter().filter(|place| *place < (epoch, number)) {
            discard(self.files(), &self.folder().join(self::name(older)));
        }
        Ok(())
    }
}

/// Epoch and number, from 1: the greatest counts.
type Place = (u32, u32);

fn name((epoch, number): Place) -> String {
    format!("{PREFIX}{epoch:010}-{number:010}.json")
}

fn places(files: &dyn FileSystem, folder: &Path) -> Result<Vec<Place>, LedgerError> {
    let names = match files.list_names(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(LedgerError::volume("list", folder, error)),
    };
    let place = |name: &String| {
        let (epoch, number) = name.strip_prefix(PREFIX)?.strip_suffix(".json")?.split_once('-')?;
        Some((epoch.parse().ok()?, number.parse().ok()?))
    };
    Ok(names.iter().filter_map(place).collect())
}
