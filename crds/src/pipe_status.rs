//! What is known of a Pipe.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::termination::cut_to;
use crate::{LoadError, PipeProgress, conditions};

/// Annotation of a Pipe with `autoIngest: false`: a value that is another than before runs one that has ended once
/// more. That it goes does nothing.
pub const RUN_AGAIN: &str = "longshore.dev/run-again";

/// Files that a status names, at most: the newest of those in ERROR.
pub const MAX_FAILED_FILES: usize = 20;

/// Bytes of texts that a status takes, as its schema bounds them.
const TYPE_BYTES: usize = 128;
const FILE_ERROR_BYTES: usize = 1_024;
const ERROR_BYTES: usize = 4_096;

/// What is known of a pipe; the columns of StarRocks' `information_schema.pipes`.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipeStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: the pipe lists and loads, or has done so. `SourceReachable`: the last request to the store was
    /// answered. `Suspended`: stopped by `suspend`. `Reconciling`: not there yet. `Stalled`: this object must be
    /// edited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
    /// RUNNING, SUSPENDED, FINISHED or ERROR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<PipeState>,
    /// Files whose rows are in the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded_files: Option<u64>,
    /// Their bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded_bytes: Option<u64>,
    /// Files of the batch that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loading_files: Option<u64>,
    /// Files that are listed and wait for their batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unloaded_files: Option<u64>,
    /// Files that were given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_files: Option<u64>,
    /// Files that are left alone by a rule of the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored_files: Option<u64>,
    /// Seconds that the file waits which waits longest; 0: none waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<u64>,
    /// List requests since the worker started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_requests: Option<u64>,
    /// When a batch was committed last (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_loaded_time: Option<String>,
    /// When the source was listed last (RFC 3339), from the beginning or only what is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_list_time: Option<String>,
    /// When the whole source was listed last (RFC 3339): every file that was there by then is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_full_list_time: Option<String>,
    /// The last error of a batch, a file or the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LoadError>,
    /// Files in ERROR, the newest first (at most 20).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub failed_files: Vec<FailedFile>,
    /// `autoIngest: false`: digest of the request that was worked off. It is not worked off again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub finished_request: Option<String>,
    /// `autoIngest: false`: the value of the annotation `longshore.dev/run-again` that was worked off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub run_again: Option<String>,
    /// When it began once more after it had ended (RFC 3339). Of Pipes in each other's way it counts as made then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub restart_time: Option<String>,
}

/// Where a pipe stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PipeState {
    /// It lists and loads, or waits for what it needs.
    Running,
    /// `suspend` stopped it.
    Suspended,
    /// `autoIngest: false`: every file that was listed is loaded or left alone.
    Finished,
    /// `autoIngest: false`: it ended with files in ERROR.
    Error,
}

impl PipeState {
    /// As `kubectl get` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Suspended => "SUSPENDED",
            Self::Finished => "FINISHED",
            Self::Error => "ERROR",
        }
    }
}

/// A file that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedFile {
    /// `s3://bucket/key`.
    #[schemars(length(max = 2048))]
    pub file: String,
    /// ETag as listed.
    #[schemars(length(max = 256))]
    pub etag: String,
    /// Stable name of the class of error.
    #[serde(rename = "type")]
    #[schemars(length(max = 128))]
    pub error_type: String,
    /// What is wrong with it, and what to do.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// When it was given up (RFC 3339).
    #[schemars(length(max = 64))]
    pub time: String,
}

impl PipeStatus {
    /// Takes over the figures of a worker; which conditions follow from them is another matter.
    pub fn take_figures(&mut self, progress: &PipeProgress) {
        self.state = Some(progress.state);
        self.loaded_files = Some(progress.loaded_files);
        self.loaded_bytes = Some(progress.loaded_bytes);
        self.loading_files = Some(progress.loading_files);
        self.unloaded_files = Some(progress.unloaded_files);
        self.error_files = Some(progress.error_files);
        self.ignored_files = Some(progress.ignored_files);
        self.lag_seconds = Some(progress.lag_seconds);
        self.list_requests = Some(progress.list_requests);
        // A worker that has just started does not know of those before it.
        let newer = |new: &Option<String>, old: &mut Option<String>| {
            if new.is_some() {
                old.clone_from(new);
            }
        };
        newer(&progress.last_loaded_time, &mut self.last_loaded_time);
        newer(&progress.last_list_time, &mut self.last_list_time);
        newer(&progress.last_full_list_time, &mut self.last_full_list_time);
        self.last_error.clone_from(&progress.last_error);
        if let Some(error) = &mut self.last_error {
            cut_to(&mut error.error_type, TYPE_BYTES);
            cut_to(&mut error.message, ERROR_BYTES);
        }
        self.failed_files.clone_from(&progress.failed_files);
        self.failed_files.truncate(MAX_FAILED_FILES);
        for file in &mut self.failed_files {
            cut_to(&mut file.error_type, TYPE_BYTES);
            cut_to(&mut file.message, FILE_ERROR_BYTES);
        }
    }

    /// Sets every condition of a Pipe but `SourceReachable`, which only a worker can tell of: those of `holding`
    /// are True, the others False.
    pub fn set_conditions(
        &mut self,
        holding: &[&str],
        reason: &str,
        message: &str,
        generation: Option<i64>,
        now: &Time,
    ) {
        for type_ in conditions::OF_PIPE {
            if type_ != conditions::SOURCE_REACHABLE {
                let holds = holding.contains(&type_);
                conditions::set(&mut self.conditions, type_, holds, reason, message, generation, now);
            }
        }
    }
}
