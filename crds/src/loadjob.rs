//! `LoadJob`: one load, once, all or nothing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::request::{LoadMode, OnFileError, OnMissingColumn, SchemaDrift};
use crate::source::Source;
use crate::worker_spec::WorkerSpec;

/// What to load, into which table, and how strictly.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "longshore.dev",
    version = "v1alpha1",
    kind = "LoadJob",
    plural = "loadjobs",
    singular = "loadjob",
    shortname = "lj",
    category = "longshore",
    namespaced,
    status = "LoadJobStatus",
    derive = "PartialEq",
    cel,
    doc = "A LoadJob brings the rows of its sources into a Table, once and all or nothing: its label is loaded at most one time, whatever is restarted or applied again.",
    validation = Rule::new("size(self.metadata.name) <= 50 && !self.metadata.name.contains('.')").message("metadata.name must be a DNS label of at most 50 characters"),
    validation = Rule::new(LOCKED_RULE).message(LOCKED_MESSAGE).field_path(".spec"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state", description = "PENDING, QUEUEING, LOADING, COMMITTED, FINISHED or CANCELLED"),
    printcolumn(name = "Progress", type_ = "string", json_path = ".status.progress", description = "Share of the bytes that is read"),
    printcolumn(name = "Scan Rows", type_ = "integer", json_path = ".status.scanRows", description = "Rows read"),
    printcolumn(name = "Filtered", type_ = "integer", json_path = ".status.filteredRows", description = "Rows that did not fit"),
    printcolumn(name = "Unselected", type_ = "integer", json_path = ".status.unselectedRows", description = "Rows that were left out on purpose"),
    printcolumn(name = "Sink Rows", type_ = "integer", json_path = ".status.sinkRows", description = "Rows written"),
    printcolumn(name = "Table", type_ = "string", json_path = ".spec.table", priority = 1, description = "The Table"),
    printcolumn(name = "Label", type_ = "string", json_path = ".status.label", priority = 1, description = "The label under which the load is remembered"),
    printcolumn(name = "Scan Bytes", type_ = "integer", json_path = ".status.scanBytes", priority = 1, description = "Bytes of the files read"),
    printcolumn(name = "Files", type_ = "integer", json_path = ".status.fileNumber", priority = 1, description = "Number of files"),
    printcolumn(name = "Version", type_ = "integer", json_path = ".status.tableVersion", priority = 1, description = "Version of the table that holds the rows"),
    printcolumn(name = "Started", type_ = "string", json_path = ".status.loadStartTime", priority = 1, description = "When the load began"),
    printcolumn(name = "Ended", type_ = "string", json_path = ".status.loadFinishTime", priority = 1, description = "When the load ended"),
    printcolumn(name = "Error", type_ = "string", json_path = ".status.error.message", priority = 1, description = "Why the load did not finish"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.label) == has(oldSelf.label) && (!has(self.label) || self.label == oldSelf.label)").message("label is immutable; make a LoadJob of another name").field_path(".label"))]
#[x_kube(validation = Rule::new("!has(self.partitions) || size(self.partitions) == 0 || self.mode == 'Overwrite'").message("partitions are named with mode Overwrite only; DynamicOverwrite takes those that the new rows fall in").field_path(".partitions"))]
pub struct LoadJobSpec {
    /// Name of the Table that takes the rows, in the same namespace. Immutable.
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("table is immutable; make a LoadJob of another name"))]
    pub table: String,
    /// The name under which the table remembers this load; a label is loaded at most once a Table. Default:
    /// metadata.name. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$') && !self.contains('..')").message("a label has 1 to 128 letters, digits, _ . or -, begins with a letter, digit or _, and holds no .."))]
    pub label: Option<String>,
    /// What becomes of the rows that the table has: they stay (Append); they are replaced, those of the whole
    /// table or of `partitions` (Overwrite); those of the partitions that the new rows fall in are replaced
    /// (DynamicOverwrite). The exchange is one commit: readers see the old rows or the new ones.
    #[serde(default)]
    pub mode: LoadMode,
    /// With mode Overwrite: names of the partitions to replace; empty: the whole table. A partition that the
    /// table does not have, and rows for another partition, are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 256)))]
    pub partitions: Vec<String>,
    /// Where the rows come from; all sources commit together or not at all.
    #[schemars(length(min = 1, max = 32))]
    pub sources: Vec<Source>,
    /// A row with a value that cannot be converted is filtered (true), or gets NULL there (false).
    #[serde(default = "default_true")]
    pub strict_mode: bool,
    /// Share of filtered rows that is tolerated: a decimal number from 0 to 1, as text. Compared exactly;
    /// equality passes.
    #[serde(default = "default_ratio")]
    #[schemars(length(min = 1, max = 24))]
    #[x_kube(validation = Rule::new("self.matches('^(0([.][0-9]{1,18})?|1([.]0{1,18})?)$')").message("maxFilterRatio is a decimal number from 0 to 1 as text, for instance \"0.1\""))]
    pub max_filter_ratio: String,
    /// What happens when a file lacks a column that has no declared default: the load fails, or the column
    /// becomes NULL for the rows of that file.
    #[serde(default)]
    pub on_missing_column: OnMissingColumn,
    /// What happens to a column that a file has and the table does not: it is left alone (Ignore), the load
    /// fails and names it (Fail), or the table gets it in the same commit as the rows (AddColumns): nullable,
    /// with the narrowest type that holds the values of all files. Sources with `columns` state what they
    /// take, and do not drift.
    #[serde(default)]
    pub schema_drift: SchemaDrift,
    /// What happens when a file cannot be read (it is damaged, of another format, or lacks a column that it must
    /// have): the load fails (Abort), or the file is left out as a whole and named (SkipFile).
    #[serde(default)]
    pub on_file_error: OnFileError,
    /// With onFileError SkipFile: files that may be left out; one more fails the load.
    #[serde(default = "default_max_skipped_files")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_skipped_files: u32,
    /// Whether a load of no files or no rows ends in success.
    #[serde(default)]
    pub allow_empty: bool,
    /// Zone in which an instant (a timestamp in UTC) becomes a DATETIME: an IANA name or an offset like
    /// +08:00. Never taken from the host.
    #[serde(default = "default_timezone")]
    #[schemars(length(min = 1, max = 64))]
    pub timezone: String,
    /// Seconds after which the load is given up, counted over planning, loading and committing.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 259_200))]
    pub timeout_seconds: u32,
    /// Number of threads that decode; 0: one a core.
    #[serde(default)]
    #[schemars(range(max = 256))]
    pub parallelism: u32,
    /// Which filtered rows are kept for inspection.
    #[serde(default)]
    pub rejected_records: RejectedRecords,
    /// Lists, reads and checks everything, and loads nothing: no claim, no commit, the spec stays open. The load
    /// ends FINISHED with reason DryRun; remove the field to load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<DryRun>,
    /// Gives the load up: what is not committed yet never will be, and the load ends CANCELLED. A load that
    /// is committed ends FINISHED all the same. While it is true, nothing starts.
    #[serde(default)]
    pub cancel: bool,
    /// A higher number starts a CANCELLED load again.
    #[serde(default)]
    pub retry: u32,
    /// What the pods of this load get: resources, and where they run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub worker: WorkerSpec,
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Which filtered rows are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RejectedRecords {
    /// Number of rows to keep, over all files: -1 all, 0 none.
    #[serde(default = "default_rejected_limit")]
    #[schemars(range(min = -1))]
    pub limit: i64,
}

/// What a dry run reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    /// Rows that do not fit to describe, at most.
    #[serde(default = "default_dry_run_errors")]
    #[schemars(range(max = 10_000))]
    pub errors: u32,
    /// Rows to show as they would be stored, at most.
    #[serde(default = "default_dry_run_rows")]
    #[schemars(range(max = 1_000))]
    pub rows: u32,
}

impl Default for DryRun {
    fn default() -> Self {
        Self { errors: default_dry_run_errors(), rows: default_dry_run_rows() }
    }
}

impl Default for RejectedRecords {
    fn default() -> Self {
        Self { limit: default_rejected_limit() }
    }
}

/// What is known of a load; the columns of StarRocks' `information_schema.loads`.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadJobStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Complete`: loaded. `Failed`: not loaded. `Finished`: either. `Reconciling`: not there yet.
    /// `Stalled`: this object must be edited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
    /// PENDING → QUEUEING → LOADING → COMMITTED → FINISHED, or CANCELLED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<LoadState>,
    /// Share of the bytes that is read, for instance `LOAD:39%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub progress: Option<String>,
    /// The label under which the table remembers this load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub label: Option<String>,
    /// Number of the run, from 1; a changed spec or a higher `retry` on a CANCELLED load starts the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u32>,
    /// Rows read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_rows: Option<u64>,
    /// Bytes of the files read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_bytes: Option<u64>,
    /// Rows that did not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filtered_rows: Option<u64>,
    /// Rows that were left out on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unselected_rows: Option<u64>,
    /// Rows written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink_rows: Option<u64>,
    /// Files that were left out because they cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped_files: Option<u64>,
    /// Number of files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_number: Option<u64>,
    /// Bytes of the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_size: Option<u64>,
    /// When the load was taken in (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub create_time: Option<String>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub load_start_time: Option<String>,
    /// When its rows were committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub load_commit_time: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub load_finish_time: Option<String>,
    /// Seconds that it has worked so far, over all runs since a person started it; this is what
    /// `timeoutSeconds` bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_seconds: Option<u64>,
    /// Why it did not finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<LoadError>,
    /// Where the rejected rows lie, relative to the table's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub rejected_record_path: Option<String>,
    /// The first rows that did not fit (at most 10), without their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub first_errors: Vec<crate::RowError>,
    /// Version of the table that holds the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_version: Option<u64>,
    /// What the operator keeps for itself, so that it goes on where it stood when it is restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<LoadExecution>,
}

/// What the operator keeps for itself about the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadExecution {
    /// `metadata.generation` of the spec that the run, or the end, speaks of. A CANCELLED load whose spec was
    /// changed since starts again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Digest of the run's request; it stands before the run's Job is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub request_digest: Option<String>,
    /// Instant (RFC 3339) past which the run's worker does not commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub deadline: Option<String>,
    /// A run that was started and is neither loaded nor closed: until it is, nobody may say how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_run: Option<u32>,
    /// UID of the run's Job, once it was seen. A Job that is gone is not made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub job_uid: Option<String>,
    /// Instant (RFC 3339) up to which `activeSeconds` counts; absent: it does not count now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub active_since: Option<String>,
    /// The least volume epoch under which pods may start: a node was lost before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_epoch: Option<u32>,
    /// The run is being closed: no attempt of it may load any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
    /// The run is, or was, a dry one: nothing of it can load, so there is nothing to close, and its end is none
    /// of the load's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dry_run: bool,
}

/// Why a run is closed, and what follows once it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Closing {
    /// What follows.
    pub outcome: ClosingOutcome,
    /// CamelCase: the reason of the conditions afterwards.
    #[schemars(length(max = 128))]
    pub reason: String,
    /// A sentence for a person.
    #[schemars(length(max = 2048))]
    pub message: String,
    /// Since when (RFC 3339).
    #[schemars(length(max = 64))]
    pub since: String,
}

/// What follows once a run is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClosingOutcome {
    /// A person gave the load up.
    Cancelled,
    /// Its time was over.
    TimedOut,
    /// It failed for good.
    Failed,
    /// The next run starts.
    NextRun,
}

/// Where a load stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LoadState {
    /// Taken in; something that it needs is not there yet.
    Pending,
    /// Waits for its turn.
    Queueing,
    /// Listing, reading and writing.
    Loading,
    /// The rows are in the table's log; the report is on its way.
    Committed,
    /// Loaded.
    Finished,
    /// Not loaded, nothing is visible.
    Cancelled,
}

impl LoadState {
    /// As `kubectl get` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Queueing => "QUEUEING",
            Self::Loading => "LOADING",
            Self::Committed => "COMMITTED",
            Self::Finished => "FINISHED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// Why a load did not finish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadError {
    /// Stable name of the class of error, as in the conditions' reason.
    #[serde(rename = "type")]
    #[schemars(length(max = 128))]
    pub error_type: String,
    /// What happened, where, and what to do.
    #[schemars(length(max = 4096))]
    pub message: String,
}

/// What decides the rows and the pod is locked while a load runs and once it is loaded; `parallelism` and
/// `cancel` are not.
const LOCKED_RULE: &str = "!has(oldSelf.status) || !has(oldSelf.status.state) \
     || !(oldSelf.status.state in ['LOADING', 'COMMITTED', 'FINISHED']) \
     || has(oldSelf.spec.dryRun) \
     || (self.spec.sources == oldSelf.spec.sources \
     && self.spec.mode == oldSelf.spec.mode \
     && has(self.spec.partitions) == has(oldSelf.spec.partitions) \
     && (!has(self.spec.partitions) || self.spec.partitions == oldSelf.spec.partitions) \
     && self.spec.strictMode == oldSelf.spec.strictMode \
     && self.spec.maxFilterRatio == oldSelf.spec.maxFilterRatio \
     && self.spec.onMissingColumn == oldSelf.spec.onMissingColumn \
     && self.spec.schemaDrift == oldSelf.spec.schemaDrift \
     && self.spec.onFileError == oldSelf.spec.onFileError \
     && self.spec.maxSkippedFiles == oldSelf.spec.maxSkippedFiles \
     && has(self.spec.dryRun) == has(oldSelf.spec.dryRun) \
     && self.spec.allowEmpty == oldSelf.spec.allowEmpty \
     && self.spec.timezone == oldSelf.spec.timezone \
     && self.spec.timeoutSeconds == oldSelf.spec.timeoutSeconds \
     && self.spec.rejectedRecords == oldSelf.spec.rejectedRecords \
     && self.spec.retry == oldSelf.spec.retry \
     && has(self.spec.worker) == has(oldSelf.spec.worker) \
     && (!has(self.spec.worker) || self.spec.worker == oldSelf.spec.worker))";
const LOCKED_MESSAGE: &str =
    "the load is running or done, so its spec is locked; make a LoadJob of another name to load again";

pub(crate) fn default_true() -> bool {
    true
}

pub(crate) fn default_ratio() -> String {
    "0".to_owned()
}

pub(crate) fn default_timezone() -> String {
    "UTC".to_owned()
}

fn default_timeout() -> u32 {
    14_400
}

fn default_max_skipped_files() -> u32 {
    100
}

fn default_dry_run_errors() -> u32 {
    100
}

fn default_dry_run_rows() -> u32 {
    10
}

fn default_rejected_limit() -> i64 {
    1_000
}
