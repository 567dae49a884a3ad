//! The record of one load that ended, as it lies in a file of its own until it is folded.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::durable::{FileSystem, PutSites, SyncSite, VolumeError, put_new, read_all, unique_name};
use crate::load::label_hash;
use crate::table::{batch_of_label, ledger_label};

use super::{HISTORY_FOLDER, HistoryError};

/// The newest version of a record's document.
const RECORD_VERSION: u32 = 1;

/// What became of a load, with its files and counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryRecord {
    /// Version of this document.
    pub version: u32,
    /// Label.
    pub label: String,
    /// Run.
    pub run: u32,
    /// Attempt; 0: ended without a claim.
    pub attempt: u32,
    /// How it ended.
    pub outcome: HistoryOutcome,
    /// Version of the table when the record was written: the commit that names it is above. Set by the
    /// commit.
    pub read_version: u64,
    /// Digest of the request (hex); empty: not known to whoever closed the run.
    #[serde(default)]
    pub request_digest: String,
    /// Instants.
    #[serde(default)]
    pub times: HistoryTimes,
    /// Totals.
    #[serde(default)]
    pub counts: HistoryCounts,
    /// Every file of the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<HistoryFile>,
    /// Why it ended without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<HistoryFailure>,
    /// The first errors in rows, without values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_errors: Vec<HistoryRowError>,
    /// Files of rejected rows, relative to the table's folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<String>,
}

impl HistoryRecord {
    /// A record with nothing counted yet.
    pub fn new(label: &str, run: u32, attempt: u32, outcome: HistoryOutcome) -> Self {
        Self {
            version: RECORD_VERSION,
            label: label.to_owned(),
            run,
            attempt,
            outcome,
            read_version: 0,
            request_digest: String::new(),
            times: HistoryTimes::default(),
            counts: HistoryCounts::default(),
            files: Vec::new(),
            error: None,
            first_errors: Vec::new(),
            rejected: Vec::new(),
        }
    }
}

/// How a load ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HistoryOutcome {
    /// The rows are in the table.
    Loaded,
    /// It failed for good.
    Failed,
    /// A person cancelled it.
    Cancelled,
    /// Its time was over.
    TimedOut,
}

/// Instants, RFC 3339, UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryTimes {
    /// The worker began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The commit was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The load ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
}

/// Totals of a load, as `information_schema.loads` names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryCounts {
    /// Rows read.
    pub scan_rows: u64,
    /// Bytes read.
    pub scan_bytes: u64,
    /// Rows that did not fit.
    pub filtered_rows: u64,
    /// Rows that `where` left out.
    pub unselected_rows: u64,
    /// Rows written.
    pub sink_rows: u64,
    /// Files of the plan.
    pub file_number: u64,
    /// Bytes of the plan.
    pub file_size: u64,
    /// Files that were skipped as a whole.
    #[serde(skip_serializing_if = "is_zero")]
    pub skipped_files: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One file of a load with its counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryFile {
    /// Index of the source in the request.
    pub source: u32,
    /// Bucket; empty for a local file.
    pub bucket: String,
    /// Key, or the path of a local file.
    pub key: String,
    /// ETag as listed.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// Rows the decoder gave.
    pub read: u64,
    /// Rows written.
    pub loaded: u64,
    /// Rows that did not fit.
    pub filtered: u64,
    /// Rows that `where` left out.
    pub unselected: u64,
    /// Why none of its rows were loaded: it was skipped as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<HistoryFailure>,
}

/// Why a load ended without success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryFailure {
    /// CamelCase, stable.
    pub category: String,
    /// One sentence for a person.
    pub message: String,
}

/// A row that did not fit, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryRowError {
    /// The file, as a person would name it.
    pub file: String,
    /// Row in the file, from 1; 0: the file as a whole, which was skipped.
    pub row: u64,
    /// Column of the table.
    pub column: String,
    /// Stable code.
    pub code: String,
}

/// How a commit names a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordReference {
    /// Relative to the table's folder.
    pub path: String,
    /// SHA-256 of the file, hex.
    pub sha256: String,
}

/// Writes a record, durable with its name; gives what the commit must say.
pub(crate) fn write_record(
    files: &dyn FileSystem,
    root: &Path,
    record: &HistoryRecord,
) -> Result<RecordReference, HistoryError> {
    let folder = root.join(HISTORY_FOLDER);
    // Whoever looks whether the record may go knows a batch by its ledger and epoch.
    let owner = match batch_of_label(&record.label) {
        Some((ledger, ..)) => label_hash(&ledger_label(ledger)),
        None => label_hash(&record.label),
    };
    let name = format!("{owner}-{}-{}-{}.json", record.run, record.attempt, unique_name());
    let path = folder.join(&name);
    let bytes = serde_json::to_vec(record)
        .map_err(|e| HistoryError::Damaged { path: path.clone(), what: e.to_string() })?;
    let sites = PutSites { contents: SyncSite::RecordContents, name: SyncSite::RecordName };
    // Only a lost reply can make our own name look taken.
    if !put_new(files, &folder, &name, &bytes, sites)?
        && read_all(files, &path).map_err(|e| VolumeError::new("read", &path, e))? != bytes
    {
        let what = "a name that only this process uses is taken".to_owned();
        return Err(HistoryError::Damaged { path, what });
    }
    Ok(RecordReference { path: format!("{HISTORY_FOLDER}/{name}"), sha256: digest(&bytes) })
}

/// Reads the bytes of the record that a commit names, and compares their digest.
pub(crate) fn read_document(
    files: &dyn FileSystem,
    root: &Path,
    reference: &RecordReference,
) -> Result<Vec<u8>, HistoryError> {
    let path = root.join(&reference.path);
    let bytes = match read_all(files, &path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(HistoryError::Missing { path }),
        Err(error) => return Err(VolumeError::new("read", &path, error).into()),
    };
    if digest(&bytes) != reference.sha256 {
        return Err(HistoryError::Damaged { path, what: "its digest is not the one in the log".to_owned() });
    }
    Ok(bytes)
}

/// Understands the bytes of a record; `path` is where they come from.
pub(crate) fn parse_document(bytes: &[u8], path: &Path) -> Result<HistoryRecord, HistoryError> {
    serde_json::from_slice(bytes)
        .map_err(|e| HistoryError::Damaged { path: path.to_owned(), what: e.to_string() })
}

/// SHA-256, hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::Posix;

    fn read_back(root: &Path, reference: &RecordReference) -> Result<HistoryRecord, HistoryError> {
        parse_document(&read_document(&Posix, root, reference)?, &root.join(&reference.path))
    }

    #[test]
    fn a_record_reads_back_and_a_changed_one_is_refused() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join(HISTORY_FOLDER)).unwrap();
        let record = HistoryRecord::new("l", 1, 2, HistoryOutcome::Loaded);
        let reference = write_record(&Posix, root.path(), &record).unwrap();
        assert_eq!(read_back(root.path(), &reference).unwrap(), record);

        let path = root.path().join(&reference.path);
        let text = std::fs::read_to_string(&path).unwrap().replace("\"attempt\":2", "\"attempt\":3");
        std::fs::write(&path, text).unwrap();
        let changed = read_back(root.path(), &reference).unwrap_err();
        assert_eq!(changed.category(), "DamagedHistory");

        std::fs::remove_file(&path).unwrap();
        let missing = read_back(root.path(), &reference).unwrap_err();
        assert!(matches!(missing, HistoryError::Missing { .. }));
    }
}
