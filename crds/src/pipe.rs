//! `Pipe`: a prefix becomes a table, file by file, each exactly once.

use kube::{CustomResource, KubeSchema, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::loadjob::{default_ratio, default_timezone, default_true, is_default};
use crate::pipe_status::PipeStatus;
use crate::request::{OnMissingColumn, SchemaDrift};
use crate::source::Source;
use crate::worker_spec::WorkerSpec;
use crate::{RejectedRecords, table_storage};

/// Which files to load, into which table, how often to look, and how strictly.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "longshore.dev",
    version = "v1alpha1",
    kind = "Pipe",
    plural = "pipes",
    singular = "pipe",
    shortname = "lp",
    category = "longshore",
    namespaced,
    status = "PipeStatus",
    derive = "PartialEq",
    cel,
    doc = "A Pipe loads the files of its source into a Table as they appear, each of them once: a file is known by bucket, key and ETag, and what is loaded is remembered with the table, also when the Pipe is deleted and made again.",
    validation = Rule::new("size(self.metadata.name) <= 50 && !self.metadata.name.contains('.')").message("metadata.name must be a DNS label of at most 50 characters"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state", description = "RUNNING, SUSPENDED, FINISHED or ERROR"),
    printcolumn(name = "Loaded", type_ = "integer", json_path = ".status.loadedFiles", description = "Files whose rows are in the table"),
    printcolumn(name = "Loading", type_ = "integer", json_path = ".status.loadingFiles", description = "Files of the batch that runs"),
    printcolumn(name = "Waiting", type_ = "integer", json_path = ".status.unloadedFiles", description = "Files that are listed and wait for their batch"),
    printcolumn(name = "Errors", type_ = "integer", json_path = ".status.errorFiles", description = "Files that were given up"),
    printcolumn(name = "Lag", type_ = "integer", json_path = ".status.lagSeconds", description = "Seconds that the file waits which waits longest"),
    printcolumn(name = "Table", type_ = "string", json_path = ".spec.table", priority = 1, description = "The Table"),
    printcolumn(name = "Loaded Bytes", type_ = "integer", json_path = ".status.loadedBytes", priority = 1, description = "Bytes of the files whose rows are in the table"),
    printcolumn(name = "Last Loaded", type_ = "string", json_path = ".status.lastLoadedTime", priority = 1, description = "When a batch was committed last"),
    printcolumn(name = "Last Listed", type_ = "string", json_path = ".status.lastListTime", priority = 1, description = "When the source was listed last"),
    printcolumn(name = "Error", type_ = "string", json_path = ".status.lastError.message", priority = 1, description = "The last error"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.ledger) == has(oldSelf.ledger) && (!has(self.ledger) || self.ledger == oldSelf.ledger)").message("ledger is immutable; make a Pipe of another name").field_path(".ledger"))]
#[x_kube(validation = Rule::new("self.includeExisting || !has(self.startFrom)").message("startFrom says which existing files are taken; it needs includeExisting").field_path(".startFrom"))]
pub struct PipeSpec {
    /// Name of the Table that takes the rows, in the same namespace. Immutable.
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("table is immutable; make a Pipe of another name"))]
    pub table: String,
    /// Where the files appear, and how their rows become the table's.
    #[x_kube(validation = Rule::new("has(self.paths) && !has(self.manifest)").message("a Pipe names its files by paths; a manifest is for a LoadJob"))]
    pub source: Source,
    /// Look for new files for ever (true), or list once, load what is there and end FINISHED (false).
    #[serde(default = "default_true")]
    pub auto_ingest: bool,
    /// Seconds between two listings.
    #[serde(default = "default_poll_interval")]
    #[schemars(range(min = 1, max = 3600))]
    pub poll_interval_seconds: u32,
    /// Bytes of the files after which a batch is cut, for instance 1Gi. A larger file is a batch of its own.
    #[serde(default = "default_batch_size")]
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^[1-9][0-9]{0,14}$') || self.matches('^[1-9][0-9]{0,8}(Ki|Mi|k|M)$') || self.matches('^[1-9][0-9]{0,5}(Gi|G)$') || self.matches('^[1-9][0-9]{0,2}(Ti|T)$')").message("batchSize is a whole number of bytes below 1Pi and above 0, with Ki, Mi, Gi, Ti, k, M, G or T after it, for instance 1Gi"))]
    pub batch_size: String,
    /// Files of a batch, at most.
    #[serde(default = "default_batch_files")]
    #[schemars(range(min = 1, max = 1024))]
    pub batch_files: u32,
    /// What becomes of an object that is written again (the same key with another ETag) once it is loaded: its
    /// rows are loaded as well (Append), it is left alone (Ignore), or it ends in ERROR (Fail).
    #[serde(default)]
    pub on_object_change: OnObjectChange,
    /// The name under which the table remembers the files; default: metadata.name. A Pipe that takes over the
    /// ledger of one that was deleted goes on where that stood. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$') && !self.contains('..')").message("a ledger's name has 1 to 128 letters, digits, _ . or -, begins with a letter, digit or _, and holds no .."))]
    pub ledger: Option<String>,
    /// Files before it are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_from: Option<StartFrom>,
    /// Whether files that are there when the ledger is begun are loaded, or only later ones.
    #[serde(default = "default_true")]
    pub include_existing: bool,
    /// How often a file that cannot be loaded is tried.
    #[serde(default)]
    pub retry: PipeRetry,
    /// How strictly rows are judged.
    #[serde(default)]
    pub load: PipeLoad,
    /// What the pod of this pipe gets: resources, and where it runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub worker: WorkerSpec,
    /// List requests an hour that the pipe keeps to, on the average: listings of the whole source come round less
    /// often where they would take more.
    #[serde(default = "default_list_requests")]
    #[schemars(range(min = 12, max = 1_000_000))]
    pub max_list_requests_per_hour: u32,
    /// What becomes of an object once its rows are in the table.
    #[serde(default, skip_serializing_if = "is_default")]
    pub after_load: AfterLoad,
    /// Stops, and gives up the batch that runs, whose files are loaded later; false: goes on where it stood.
    #[serde(default)]
    pub suspend: bool,
}

/// What becomes of an object that is written again once it is loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnObjectChange {
    /// Its rows are loaded as well; those of the earlier object stay.
    #[default]
    Append,
    /// It is left alone, state IGNORED.
    Ignore,
    /// It ends in ERROR.
    Fail,
}

/// Which files are taken: those after the key and not older than the time; with both, those of which both
/// are true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.key) || has(self.time)").message("startFrom states a key, a time, or both"))]
pub struct StartFrom {
    /// Keys up to this one, in the order of their UTF-8 bytes, are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub key: Option<String>,
    /// Objects that were last modified before this instant (RFC 3339) are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 20, max = 40))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$')").message("time is an instant like 2024-01-31T00:00:00Z"))]
    pub time: Option<String>,
}

/// How often a file that cannot be loaded is tried. Errors of the store are waited for without end and do not
/// count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipeRetry {
    /// Attempts of a file that stands alone in its batch, before it ends in ERROR.
    #[serde(default = "default_attempts")]
    #[schemars(range(min = 1, max = 100))]
    pub max_attempts: u32,
    /// Seconds before the second attempt; each further wait is twice as long, up to an hour.
    #[serde(default = "default_backoff")]
    #[schemars(range(min = 1, max = 3600))]
    pub backoff_seconds: u32,
}

impl Default for PipeRetry {
    fn default() -> Self {
        Self { max_attempts: default_attempts(), backoff_seconds: default_backoff() }
    }
}

/// How strictly the rows of a Pipe are judged; the fields of a LoadJob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipeLoad {
    /// A row with a value that cannot be converted is filtered (true), or gets NULL there (false).
    #[serde(default = "default_true")]
    pub strict_mode: bool,
    /// Share of filtered rows of one file that is tolerated: a decimal number from 0 to 1, as text.
    #[serde(default = "default_ratio")]
    #[schemars(length(min = 1, max = 24))]
    #[x_kube(validation = Rule::new("self.matches('^(0([.][0-9]{1,18})?|1([.]0{1,18})?)$')").message("maxFilterRatio is a decimal number from 0 to 1 as text, for instance \"0.1\""))]
    pub max_filter_ratio: String,
    /// What happens when a file lacks a column that has no declared default: the file fails, or the column
    /// becomes NULL for its rows.
    #[serde(default)]
    pub on_missing_column: OnMissingColumn,
    /// What happens to a column that a file has and the table does not: it is left alone (Ignore), the file
    /// fails (Fail), or the table gets it in the same commit as the rows (AddColumns).
    #[serde(default)]
    pub schema_drift: SchemaDrift,
    /// Zone in which an instant (a timestamp in UTC) becomes a DATETIME: an IANA name or an offset like
    /// +08:00. Never taken from the host.
    #[serde(default = "default_timezone")]
    #[schemars(length(min = 1, max = 64))]
    pub timezone: String,
    /// Which filtered rows of a batch are kept for inspection.
    #[serde(default)]
    pub rejected_records: RejectedRecords,
}

impl Default for PipeLoad {
    fn default() -> Self {
        Self {
            strict_mode: true,
            max_filter_ratio: default_ratio(),
            on_missing_column: OnMissingColumn::default(),
            schema_drift: SchemaDrift::default(),
            timezone: default_timezone(),
            rejected_records: RejectedRecords::default(),
        }
    }
}

/// What becomes of an object once its rows are in the table. Never a part of being loaded: it comes later, and
/// is tried until it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.action == 'Move') == has(self.moveTo)").message("moveTo says where action Move puts an object; state both or none").field_path(".moveTo"))]
#[x_kube(validation = Rule::new("(self.action == 'Tag') == has(self.tag)").message("tag says what action Tag sets; state both or none").field_path(".tag"))]
pub struct AfterLoad {
    /// What is done.
    #[serde(default)]
    pub action: AfterLoadAction,
    /// Seconds after the commit before it is done.
    #[serde(default = "default_delay")]
    #[schemars(range(max = 31_536_000))]
    pub delay_seconds: u32,
    /// With action Move: `s3://bucket/prefix/` that the key goes below, outside the paths of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("self.startsWith('s3://') && self.endsWith('/')").message("moveTo is s3://bucket/prefix/, with / at its end"))]
    pub move_to: Option<String>,
    /// With action Tag: the tag that is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<ObjectTag>,
}

impl Default for AfterLoad {
    fn default() -> Self {
        Self { action: AfterLoadAction::None, delay_seconds: default_delay(), move_to: None, tag: None }
    }
}

/// What is done with an object once its rows are in the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AfterLoadAction {
    /// Nothing.
    #[default]
    None,
    /// It is deleted, if it is still the one that was loaded.
    Delete,
    /// It gets a tag.
    Tag,
    /// It is copied to another place and deleted.
    Move,
}

/// A tag of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectTag {
    /// Its key.
    #[schemars(length(min = 1, max = 128))]
    pub key: String,
    /// Its value.
    #[schemars(length(max = 256))]
    pub value: String,
}

impl Pipe {
    /// The name of the ledger: `spec.ledger`, by default the object's name.
    pub fn ledger(&self) -> String {
        self.spec.ledger.clone().unwrap_or_else(|| self.name_any())
    }
}

impl PipeSpec {
    /// Bytes after which a batch is cut; `None`: `batchSize` is not what its rule lets pass.
    pub fn batch_bytes(&self) -> Option<u64> {
        table_storage::whole_bytes(&self.batch_size).filter(|bytes| *bytes > 0)
    }
}

fn default_poll_interval() -> u32 {
    300
}

fn default_batch_size() -> String {
    "1Gi".to_owned()
}

fn default_batch_files() -> u32 {
    256
}

fn default_attempts() -> u32 {
    5
}

fn default_backoff() -> u32 {
    10
}

fn default_list_requests() -> u32 {
    3_600
}

fn default_delay() -> u32 {
    86_400
}
