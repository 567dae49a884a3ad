//! What the worker of a pipe answers at `/progress`: where it stands, never the source of an outcome.

use serde::{Deserialize, Serialize};

use crate::request::{RequestError, refuse_newer};
use crate::termination::{cut_text, fit};
use crate::{AfterLoadAction, FailedFile, LoadError, PipeState};

/// The newest version of [`PipeProgress`] that this build knows.
pub const PIPE_PROGRESS_VERSION: u32 = 1;
/// Bytes of the document at most: who polls reads no more.
pub const PIPE_PROGRESS_LIMIT: usize = 65_536;

/// Where a pipe stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipeProgress {
    /// Version of this document, [`PIPE_PROGRESS_VERSION`].
    pub version: u32,
    /// Name of the ledger.
    pub ledger: String,
    /// Digest of the request that the next batch follows.
    pub request_digest: String,
    /// The epoch under which the worker commits; 0: it has not taken one yet.
    pub epoch: u32,
    /// Where the pipe stands.
    pub state: PipeState,
    /// Files whose rows are in the table.
    pub loaded_files: u64,
    /// Their bytes.
    pub loaded_bytes: u64,
    /// Files of the batch that runs.
    pub loading_files: u64,
    /// Files that are listed and wait for their batch.
    pub unloaded_files: u64,
    /// Their bytes.
    pub unloaded_bytes: u64,
    /// Files that were given up.
    pub error_files: u64,
    /// Files that are left alone by a rule of the spec.
    pub ignored_files: u64,
    /// Seconds that the file waits which waits longest; 0: none waits.
    pub lag_seconds: u64,
    /// List requests since the worker started.
    pub list_requests: u64,
    /// Batches of this worker that ended, however they did.
    #[serde(default)]
    pub batches: u64,
    /// Milliseconds that they took together.
    #[serde(default)]
    pub batch_millis: u64,
    /// When a batch was committed last (RFC 3339); absent: this worker committed none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_loaded_time: Option<String>,
    /// When the source was listed last (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_list_time: Option<String>,
    /// When the whole source was listed last (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_full_list_time: Option<String>,
    /// Whether the last request to the store was answered; absent: none was made yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceState>,
    /// The last error of a batch, a file or the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LoadError>,
    /// The batch that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchProgress>,
    /// Files in ERROR, the newest first, at most [`MAX_FAILED_FILES`](crate::MAX_FAILED_FILES).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_files: Vec<FailedFile>,
    /// What becomes of objects that are loaded; absent: `afterLoad.action` is None.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_load: Option<AfterLoadProgress>,
    /// Lists or texts were cut to fit [`PIPE_PROGRESS_LIMIT`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// What becomes of objects that are loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AfterLoadProgress {
    /// What is done with them.
    pub action: AfterLoadAction,
    /// Loaded files with which nothing was done yet: most of them wait for the delay.
    pub pending_files: u64,
    /// Files with which it was done.
    pub done_files: u64,
    /// Files that were left alone: the object was another one by then, or gone.
    pub left_files: u64,
    /// Files with which it failed, and is tried again.
    pub failed_files: u64,
    /// [`UNSUPPORTED_STORE`]: nothing is done, for the store deletes without a condition. Else the category of the
    /// last failure; absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<LoadError>,
}

/// The store does not honour `If-Match` where objects are deleted: Stalled, until another action or store is named.
pub const UNSUPPORTED_STORE: &str = "UnsupportedStore";

/// How the store answers; the condition `SourceReachable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceState {
    /// Whether the last request was answered.
    pub reachable: bool,
    /// CamelCase, stable.
    pub reason: String,
    /// Bucket, operation and what the store said.
    pub message: String,
    /// When it is asked again (RFC 3339); absent: it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<String>,
}

/// The batch that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchProgress {
    /// Its number.
    pub number: u32,
    /// What is done: the phases of a load.
    pub phase: String,
    /// Files.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Rows read.
    pub rows_read: u64,
    /// Rows that fit.
    pub rows_loaded: u64,
    /// Rows that did not fit.
    pub rows_filtered: u64,
}

impl PipeProgress {
    /// Where a pipe stands that has not begun.
    pub fn new(ledger: &str, request_digest: &str) -> Self {
        Self {
            version: PIPE_PROGRESS_VERSION,
            ledger: ledger.to_owned(),
            request_digest: request_digest.to_owned(),
            epoch: 0,
            state: PipeState::Running,
            loaded_files: 0,
            loaded_bytes: 0,
            loading_files: 0,
            unloaded_files: 0,
            unloaded_bytes: 0,
            error_files: 0,
            ignored_files: 0,
            lag_seconds: 0,
            list_requests: 0,
            batches: 0,
            batch_millis: 0,
            last_loaded_time: None,
            last_list_time: None,
            last_full_list_time: None,
            source: None,
            after_load: None,
            last_error: None,
            batch: None,
            failed_files: Vec::new(),
            truncated: false,
        }
    }

    /// Reads the document; looks at `version` first.
    pub fn from_json(text: &[u8]) -> Result<Self, RequestError> {
        refuse_newer(text, PIPE_PROGRESS_VERSION)?;
        Ok(serde_json::from_slice(text)?)
    }

    /// The document in at most [`PIPE_PROGRESS_LIMIT`] bytes. What is too long is cut from its tail: the failed
    /// files, then the messages; `truncated` says so.
    pub fn document(&self) -> Result<String, serde_json::Error> {
        self.message(PIPE_PROGRESS_LIMIT)
    }

    /// The same in at most `limit` bytes: a pod's termination message.
    pub fn message(&self, limit: usize) -> Result<String, serde_json::Error> {
        fit(
            self,
            limit,
            |progress| progress.truncated = true,
            |progress, excess| {
                progress.failed_files.pop().is_some()
                    || progress.last_error.as_mut().is_some_and(|error| cut_text(&mut error.message, excess))
                    || progress.source.as_mut().is_some_and(|source| cut_text(&mut source.message, excess))
                    || progress.after_load.as_mut().is_some_and(|after_load| {
                        after_load.error.as_mut().is_some_and(|error| cut_text(&mut error.message, excess))
                    })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_fits_what_a_poll_reads() {
        let mut progress = PipeProgress::new("l", "d");
        let short = progress.document().unwrap();
        assert_eq!(PipeProgress::from_json(short.as_bytes()).unwrap(), progress);
        let error_type = "ParquetDamaged".to_owned();
        progress.last_error =
            Some(LoadError { error_type: error_type.clone(), message: "\"".repeat(40_000) });
        progress.failed_files = (0..20)
            .map(|n| FailedFile {
                file: format!("s3://b/{n}"),
                etag: String::new(),
                error_type: error_type.clone(),
                message: "\u{1}".repeat(1_024),
                time: String::new(),
            })
            .collect();
        let long = progress.document().unwrap();
        assert!(long.len() <= PIPE_PROGRESS_LIMIT);
        let read = PipeProgress::from_json(long.as_bytes()).unwrap();
        assert!(read.truncated && progress.failed_files.starts_with(&read.failed_files));
    }

    #[test]
    fn a_newer_document_is_refused_by_its_version() {
        let refusal = PipeProgress::from_json(br#"{"version": 2, "state": "NEW"}"#).unwrap_err();
        assert!(matches!(refusal, RequestError::NewerVersion { found: 2, known: 1 }), "{refusal}");
    }
}
