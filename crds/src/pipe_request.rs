//! What the operator (or local mode) asks of the worker of a pipe: one JSON document with a version.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::request::{RequestError, refuse_newer};
use crate::source::Source;
use crate::{
    AfterLoad, Execution, LOAD_REQUEST_VERSION, LoadMode, LoadRequest, OnFileError, OnObjectChange, Pipe,
    PipeLoad, PipeRetry, StartFrom,
};

/// The newest version of [`PipeRequest`] that this build knows; a newer one is refused.
pub const PIPE_REQUEST_VERSION: u32 = 1;

/// Everything that a pipe's worker must know of the Pipe, but whether it is suspended.
///
/// The table's folder, the credentials' folder and the memory budget belong to the pod, and are flags of the
/// worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipeRequest {
    /// Version of this document, [`PIPE_REQUEST_VERSION`].
    pub version: u32,
    /// Name of the Table, for messages.
    pub table: String,
    /// Name of the Pipe, for messages.
    pub pipe: String,
    /// Name of the ledger, unique per Table.
    pub ledger: String,
    /// Where the files appear.
    pub source: Source,
    /// Look for new files for ever, or list once.
    pub auto_ingest: bool,
    /// Seconds between two listings, 1 to 3600.
    pub poll_interval_seconds: u32,
    /// Bytes of the files after which a batch is cut, from 1.
    pub batch_bytes: u64,
    /// Files of a batch, 1 to 1024.
    pub batch_files: u32,
    /// What becomes of an object that is written again.
    pub on_object_change: OnObjectChange,
    /// Files before it are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_from: Option<StartFrom>,
    /// Whether files are loaded that are there when the ledger is begun.
    pub include_existing: bool,
    /// How often a file that cannot be loaded is tried.
    pub retry: PipeRetry,
    /// How strictly rows are judged.
    pub load: PipeLoad,
    /// List requests an hour, on the average.
    pub max_list_requests_per_hour: u32,
    /// What becomes of an object once its rows are in the table.
    pub after_load: AfterLoad,
}

/// A Pipe that cannot become a request.
#[derive(Debug, thiserror::Error)]
#[error("spec.batchSize is {0:?}; state a whole number of bytes above 0, for instance 1Gi")]
pub struct InvalidBatchSize(
    /// What stands there.
    pub String,
);

impl PipeRequest {
    /// What a Pipe asks for.
    ///
    /// # Errors
    /// `batchSize` is none: only where the rules of the CRD were not asked.
    pub fn from_pipe(pipe: &Pipe) -> Result<Self, InvalidBatchSize> {
        let spec = &pipe.spec;
        let batch_bytes = spec.batch_bytes().ok_or_else(|| InvalidBatchSize(spec.batch_size.clone()))?;
        Ok(Self {
            version: PIPE_REQUEST_VERSION,
            table: spec.table.clone(),
            pipe: pipe.metadata.name.clone().unwrap_or_default(),
            ledger: pipe.ledger(),
            source: spec.source.clone(),
            auto_ingest: spec.auto_ingest,
            poll_interval_seconds: spec.poll_interval_seconds,
            batch_bytes,
            batch_files: spec.batch_files,
            on_object_change: spec.on_object_change,
            start_from: spec.start_from.clone(),
            include_existing: spec.include_existing,
            retry: spec.retry.clone(),
            load: spec.load.clone(),
            max_list_requests_per_hour: spec.max_list_requests_per_hour,
            after_load: spec.after_load.clone(),
        })
    }

    /// Reads a request; looks at `version` first.
    pub fn from_json(text: &[u8]) -> Result<Self, RequestError> {
        refuse_newer(text, PIPE_REQUEST_VERSION)?;
        Ok(serde_json::from_slice(text)?)
    }

    /// SHA-256 (hex) over the document: the name of its ConfigMap follows from it, and `/progress` says with it
    /// which spec the next batch follows.
    pub fn digest(&self) -> Result<String, RequestError> {
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(self)?)))
    }

    /// What one batch asks of the load pipeline: the files are the batch's, the rules the pipe's. A file that
    /// cannot be read is left out of the batch, and its next attempts are its own; a batch without rows is loaded.
    pub fn batch_request(&self, label: &str, epoch: u32, parallelism: u32) -> LoadRequest {
        let load = &self.load;
        LoadRequest {
            version: LOAD_REQUEST_VERSION,
            table: self.table.clone(),
            label: label.to_owned(),
            run: epoch,
            mode: LoadMode::Append,
            partitions: Vec::new(),
            sources: vec![self.source.clone()],
            strict_mode: load.strict_mode,
            max_filter_ratio: load.max_filter_ratio.clone(),
            on_missing_column: load.on_missing_column,
            schema_drift: load.schema_drift,
            on_file_error: OnFileError::SkipFile,
            max_skipped_files: Some(u32::MAX),
            dry_run: None,
            allow_empty: true,
            timezone: load.timezone.clone(),
            rejected_records_limit: load.rejected_records.limit,
            execution: Execution { deadline: None, parallelism, task_bytes: None },
        }
    }
}
