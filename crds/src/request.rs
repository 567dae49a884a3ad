//! What the operator (or local mode) asks of a worker: one JSON document with a version (design §1).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use kube::ResourceExt;

use crate::source::Source;
use crate::{DryRun, LoadJob};

/// The newest version of [`LoadRequest`] that this build knows; a newer one is refused.
pub const LOAD_REQUEST_VERSION: u32 = 1;

/// Everything that decides which rows a load brings, plus the bounds it runs under.
///
/// The table's folder, the credentials' folder and the memory budget are not here: they belong to the
/// pod, and are flags of the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadRequest {
    /// Version of this document, [`LOAD_REQUEST_VERSION`].
    pub version: u32,
    /// Name of the Table, for messages.
    pub table: String,
    /// Label, unique per Table.
    pub label: String,
    /// Run number, from 1; only the operator (or a person, locally) raises it.
    pub run: u32,
    /// What becomes of the rows that the table has.
    #[serde(default)]
    pub mode: LoadMode,
    /// With mode Overwrite: the partitions to replace; empty: the whole table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<String>,
    /// All of them commit together.
    pub sources: Vec<Source>,
    /// Rows that cannot be cast are filtered (true) or become NULL (false).
    pub strict_mode: bool,
    /// Exact decimal in 0…1, as text.
    pub max_filter_ratio: String,
    /// For columns without a declared default that a file lacks.
    pub on_missing_column: OnMissingColumn,
    /// For columns of a file that the table does not have.
    #[serde(default, skip_serializing_if = "SchemaDrift::is_ignore")]
    pub schema_drift: SchemaDrift,
    /// What happens to a file that cannot be read.
    #[serde(default, skip_serializing_if = "OnFileError::is_abort")]
    pub on_file_error: OnFileError,
    /// Files that may be skipped; one more fails the load. Absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_skipped_files: Option<u32>,
    /// Check everything, claim and commit nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<DryRun>,
    /// Zero files, or zero rows, end in success.
    pub allow_empty: bool,
    /// IANA name or offset: the zone in which an instant becomes a DATETIME.
    pub timezone: String,
    /// Rejected rows to keep, in total: −1 all, 0 none.
    pub rejected_records_limit: i64,
    /// Bounds of the execution; they do not change which rows come out.
    pub execution: Execution,
}

/// Bounds of one execution: left out of [`LoadRequest::digest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Execution {
    /// Instant (RFC 3339) past which the worker refuses to commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// Threads that decode; 0: one a core.
    #[serde(default)]
    pub parallelism: u32,
    /// Source bytes after which a task is cut; absent: the worker's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_bytes: Option<u64>,
}

/// What to do about a column that a *file* lacks and that has no declared default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum OnMissingColumn {
    /// The load fails and names file and column.
    #[default]
    Fail,
    /// NULL; still fails where the column is NOT NULL.
    UseDefault,
}

/// What to do about a column that a file has and the table does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum SchemaDrift {
    /// It is left alone.
    #[default]
    Ignore,
    /// The load fails and names file and column.
    Fail,
    /// The table gets it, as a nullable column, in the same commit as the rows.
    AddColumns,
}

impl SchemaDrift {
    /// The default, which a request leaves out: so that its digest is the one from before the field was there.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_ignore(&self) -> bool {
        *self == Self::Ignore
    }
}

/// What happens to a file that cannot be read: damaged, of another format, without a column that it must have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum OnFileError {
    /// The load fails and names the file.
    #[default]
    Abort,
    /// None of its rows are loaded; it is counted and named as skipped.
    SkipFile,
}

impl OnFileError {
    /// The default, which a request leaves out.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_abort(&self) -> bool {
        *self == Self::Abort
    }
}

/// What becomes of the rows that the table has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum LoadMode {
    /// They stay.
    #[default]
    Append,
    /// Those of the table, or of the partitions that are named, are replaced.
    Overwrite,
    /// Those of the partitions that the new rows fall in are replaced.
    DynamicOverwrite,
}

/// Why a request cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Not JSON of this shape.
    #[error("cannot read the load request: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by a newer operator.
    #[error("the request has version {found}, this worker knows up to {known}; use a newer worker image")]
    NewerVersion {
        /// The version in the document.
        found: u64,
        /// The newest version that this build knows.
        known: u32,
    },
}

/// Looks at the version alone.
pub(crate) fn refuse_newer(text: &[u8], known: u32) -> Result<(), RequestError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let Versioned { version } = serde_json::from_slice(text)?;
    if version > u64::from(known) {
        return Err(RequestError::NewerVersion { found: version, known });
    }
    Ok(())
}

impl LoadJob {
    /// The label of the load: `spec.label`, by default the object's name.
    pub fn label(&self) -> String {
        self.spec.label.clone().unwrap_or_else(|| self.name_any())
    }
}

impl LoadRequest {
    /// What a LoadJob asks for, as run number `run` under `deadline` (RFC 3339).
    pub fn from_load_job(job: &LoadJob, run: u32, deadline: Option<String>) -> Self {
        let spec = &job.spec;
        Self {
            version: LOAD_REQUEST_VERSION,
            table: spec.table.clone(),
            label: job.label(),
            run,
            mode: spec.mode,
            partitions: spec.partitions.clone(),
            sources: spec.sources.clone(),
            strict_mode: spec.strict_mode,
            max_filter_ratio: spec.max_filter_ratio.clone(),
            on_missing_column: spec.on_missing_column,
            on_file_error: spec.on_file_error,
            max_skipped_files: (spec.on_file_error == OnFileError::SkipFile)
                .then_some(spec.max_skipped_files),
            dry_run: spec.dry_run.clone(),
            schema_drift: spec.schema_drift,
            allow_empty: spec.allow_empty,
            timezone: spec.timezone.clone(),
            rejected_records_limit: spec.rejected_records.limit,
            execution: Execution { deadline, parallelism: spec.parallelism, task_bytes: None },
        }
    }

    /// Reads a request; looks at `version` first, so that a newer document is refused by its version and
    /// not by a field that this build does not know.
    pub fn from_json(text: &[u8]) -> Result<Self, RequestError> {
        refuse_newer(text, LOAD_REQUEST_VERSION)?;
        Ok(serde_json::from_slice(text)?)
    }

    /// SHA-256 (hex) over all that decides which rows come out. Equal digests of one label and run mean
    /// that a finished task of one attempt may be adopted by another.
    pub fn digest(&self) -> Result<String, RequestError> {
        let mut rows_only = self.clone();
        rows_only.execution = Execution { deadline: None, parallelism: 0, task_bytes: None };
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(&rows_only)?)))
    }
}
