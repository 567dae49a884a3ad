//! `Table`: a table of rows on a volume. How it is stored is in [`crate::table_storage`].

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::source::{Format, S3};
use crate::table_storage::{MaintenanceSpec, StorageSpec};
use crate::{PartitionTermSpec, TableTask, WorkerSpec};

/// Columns, keys and spread of a table. Once the table exists, a nullable column may be added at the end,
/// `storage.size` may grow, `storage.reclaimPolicy` and `maintenance` may change; any other change is refused
/// by a condition that names it, and the table stays as it was.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "longshore.dev",
    version = "v1alpha1",
    kind = "Table",
    plural = "tables",
    singular = "table",
    shortname = "lst",
    category = "longshore",
    namespaced,
    status = "TableStatus",
    derive = "PartialEq",
    cel,
    doc = "A Table holds rows on a volume: sorted, bucketed, readable by every engine that reads Delta Lake. LoadJobs bring the rows.",
    validation = Rule::new("size(self.metadata.name) <= 50 && !self.metadata.name.contains('.')").message("metadata.name must be a DNS label of at most 50 characters"),
    validation = Rule::new("!has(self.spec.partitionBy) || size(self.spec.partitionBy) < 2 || self.spec.partitionBy.all(term, !has(term.range) && !has(term.list))").message("range and list stand alone in partitionBy").field_path(".spec.partitionBy"),
    printcolumn(name = "Version", type_ = "integer", json_path = ".status.version", description = "Version of the table's log"),
    printcolumn(name = "Rows", type_ = "integer", json_path = ".status.rows", description = "Rows in the table"),
    printcolumn(name = "Bytes", type_ = "integer", json_path = ".status.bytes", description = "Bytes of its segments"),
    printcolumn(name = "Files", type_ = "integer", json_path = ".status.files", description = "Number of its segments"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether loads can start"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", priority = 1, description = "Why"),
    printcolumn(name = "Columns", type_ = "integer", json_path = ".status.columnCount", priority = 1, description = "Number of columns"),
    printcolumn(name = "Tablets", type_ = "integer", json_path = ".status.tablets", priority = 1, description = "Number of tablets"),
    printcolumn(name = "Claim", type_ = "string", json_path = ".status.claim", priority = 1, description = "The claim of its volume"),
    printcolumn(name = "Last Load", type_ = "string", json_path = ".status.lastLoad.label", priority = 1, description = "Label of the newest load"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.columns) && size(self.columns) > 0) != has(self.inferFrom)").message("state columns, or inferFrom for a table whose columns come from files").field_path(".columns"))]
pub struct TableSpec {
    /// Columns, in order. Names are unique regardless of case. Absent with `inferFrom`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub columns: Vec<ColumnSpec>,
    /// The columns come from files, once, when the table is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infer_from: Option<InferFrom>,
    /// Key of the table; default: a Duplicate key without columns, which keeps every row.
    #[serde(default)]
    pub key: KeySpec,
    /// Columns by which rows are sorted within a tablet, the most selective filter first; default: the key
    /// columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 255)))]
    pub order_by: Vec<String>,
    /// What decides a row's partition; default: the table has one. Partitions keep apart what is loaded,
    /// overwritten and read together, a day for example.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub partition_by: Vec<PartitionTermSpec>,
    /// How rows are spread over the tablets of a partition: `hash` or `random`.
    pub distribution: DistributionSpec,
    /// Where the table lies, and how its segments are stored.
    #[serde(default)]
    pub storage: StorageSpec,
    /// How the table is looked after: small segments are merged, files that no one needs are removed.
    #[serde(default)]
    pub maintenance: MaintenanceSpec,
    /// ServiceAccounts that LoadJobs of this table may name in their `spec.worker`, beside those that the
    /// operator's configuration allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 253)))]
    pub service_accounts: Vec<String>,
    /// What the pods get that make, check and maintain the table. Pods of loads follow their LoadJob.
    #[serde(default, skip_serializing_if = "is_default")]
    pub worker: WorkerSpec,
}

/// Files whose columns a table takes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferFrom {
    /// `s3://bucket/key`, with wildcards as in a LoadJob.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 1024)))]
    pub paths: Vec<String>,
    /// How to reach the store.
    #[serde(default)]
    pub s3: S3,
    /// The files' format; absent: by suffix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Names whose values stand in the keys as `name=value/`: columns too, after those of the files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 255)))]
    pub columns_from_path: Vec<String>,
    /// Columns whose type is stated, whatever the files say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub columns: Vec<InferredColumn>,
}

/// A column whose type is stated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferredColumn {
    /// Name, regardless of case.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Type, as in `columns`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 1024))]
    pub data_type: String,
}

/// A column.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnSpec {
    /// Name: 1 to 255 bytes, without blanks and `,;{}()=`; unique in the table regardless of case.
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = Rule::new("!self.matches('[ ,;{}()\\\\n\\\\t=]')").message("a column name holds no blank, tab, line break or any of , ; { } ( ) ="))]
    pub name: String,
    /// Type: BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, LARGEINT, FLOAT, DOUBLE, DECIMAL(p,s), DATE, DATETIME,
    /// CHAR(n), VARCHAR(n) (n in bytes), STRING, VARBINARY, JSON, ARRAY<T>, MAP<K,V> or STRUCT<name T, ...>.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 4096))]
    pub data_type: String,
    /// Whether NULL may stand in the column. In a column with `nullable: false`, a row with NULL is filtered.
    #[serde(default = "default_true")]
    pub nullable: bool,
    /// Value for rows of files that lack the column: a literal as text (quote numbers), `CURRENT_TIMESTAMP`
    /// for DATETIME, `uuid()` for text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub default: Option<String>,
}

/// Key of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeySpec {
    /// What happens to rows of equal key.
    #[serde(default, rename = "type")]
    pub key_type: KeyType,
    /// Key columns; by default rows are sorted by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 255)))]
    pub columns: Vec<String>,
}

/// What happens to rows of equal key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyType {
    /// Every row is kept.
    #[default]
    Duplicate,
}

/// How rows are spread over tablets; exactly one of the fields.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.hash) != has(self.random)").message("state exactly one of hash and random"))]
pub struct DistributionSpec {
    /// Rows of equal values in these columns lie in one tablet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<HashDistribution>,
    /// Rows are spread evenly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random: Option<RandomDistribution>,
}

/// Spread by the hash of columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HashDistribution {
    /// Columns whose values decide the tablet: integers, DECIMAL, DATE, DATETIME, text or VARBINARY.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 255)))]
    pub columns: Vec<String>,
    /// Number of buckets; plan for 1 to 10 GB of raw data a bucket.
    #[schemars(range(min = 1, max = 4096))]
    pub buckets: u32,
}

/// Even spread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RandomDistribution {
    /// Number of buckets; plan for 1 to 10 GB of raw data a bucket.
    #[schemars(range(min = 1, max = 4096))]
    pub buckets: u32,
}

/// What is known of a table.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: loads can start. `Reconciling`: something that the spec asks for is not there yet. `Stalled`:
    /// this object must be edited; the reason and message say how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
    /// Columns of the table (the first 200), with where they came from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub columns: Vec<ColumnStatus>,
    /// Number of columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column_count: Option<u32>,
    /// Version of the table's log: one more with each commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes of the segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Number of segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Number of tablets: partitions with rows × buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tablets: Option<u64>,
    /// The newest load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_load: Option<LastLoad>,
    /// Name of the claim that holds the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub claim: Option<String>,
    /// UID of that claim: another claim of the same name is another volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub claim_uid: Option<String>,
    /// Access modes of the claim.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 64)))]
    pub access_modes: Vec<String>,
    /// Folder of the table in its volume; absent: the volume's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub sub_path: Option<String>,
    /// Goes up when a node that held the volume is lost: pods of another epoch need not share its node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_epoch: Option<u32>,
    /// Digest of the columns, key, partitions and distribution that stand on the volume, as they were
    /// declared; absent: there is no table yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub definition: Option<String>,
    /// The Job that works on the table now, if any (loads have Jobs of their own).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<TableJob>,
    /// Number of the newest such Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u32>,
    /// Why what is declared is not done; a table that stands stays as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<TableProblem>,
    /// How many of the Jobs failed in a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
    /// When the next one begins after a failure (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub retry_time: Option<String>,
    /// When the figures were read from the volume (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub check_time: Option<String>,
    /// When maintenance last began (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub maintenance_time: Option<String>,
    /// When maintenance is tried again after a failure (RFC 3339); absent: by its interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub maintenance_retry_time: Option<String>,
    /// What maintenance last did, or why it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub maintenance_message: Option<String>,
}

/// Why a declaration is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TableProblem {
    /// Digest of the declaration.
    #[schemars(length(max = 128))]
    pub digest: String,
    /// CamelCase.
    #[schemars(length(max = 128))]
    pub reason: String,
    /// What it is, and what to do.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// Whether this object must be edited; else it is tried again.
    pub needs_edit: bool,
}

/// A Job that works on the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TableJob {
    /// Its number: with the Table's UID it makes the Job's name.
    pub number: u32,
    /// What it does.
    pub task: TableTask,
    /// Digest of its request.
    #[schemars(length(max = 128))]
    pub digest: String,
    /// When it was decided (RFC 3339).
    #[schemars(length(max = 64))]
    pub start_time: String,
}

/// A column of the table as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ColumnStatus {
    /// Name.
    #[schemars(length(max = 255))]
    pub name: String,
    /// Type in its canonical form.
    #[serde(rename = "type")]
    #[schemars(length(max = 4096))]
    pub data_type: String,
    /// Where the column came from.
    pub origin: ColumnOrigin,
}

/// Where a column came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ColumnOrigin {
    /// `spec.columns` declares it.
    #[default]
    Declared,
    /// The files of `spec.inferFrom` have it.
    Inferred,
    /// A load found it in its source.
    Drift,
}

/// The newest load of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastLoad {
    /// Its label.
    #[schemars(length(max = 128))]
    pub label: String,
    /// Rows that it brought.
    pub rows: u64,
    /// When it was committed (RFC 3339).
    #[schemars(length(max = 64))]
    pub time: String,
}

fn default_true() -> bool {
    true
}

fn is_default(worker: &WorkerSpec) -> bool {
    *worker == WorkerSpec::default()
}
