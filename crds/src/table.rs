//! `Table`: a table of rows on a volume.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::PartitionTermSpec;

/// Columns, keys and spread of a table. Once the table exists, its spec is fixed.
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
    validation = Rule::new("!has(oldSelf.status) || !has(oldSelf.status.version) || self.spec == oldSelf.spec").message("the table exists, so its spec is fixed; make a Table of another name").field_path(".spec"),
    validation = Rule::new("!has(self.spec.partitionBy) || size(self.spec.partitionBy) < 2 || self.spec.partitionBy.all(term, !has(term.range) && !has(term.list))").message("range and list stand alone in partitionBy").field_path(".spec.partitionBy"),
    printcolumn(name = "Version", type_ = "integer", json_path = ".status.version", description = "Version of the table's log"),
    printcolumn(name = "Rows", type_ = "integer", json_path = ".status.rows", description = "Rows in the table"),
    printcolumn(name = "Bytes", type_ = "integer", json_path = ".status.bytes", description = "Bytes of its segments"),
    printcolumn(name = "Files", type_ = "integer", json_path = ".status.files", description = "Number of its segments"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether loads can start"),
    printcolumn(name = "Columns", type_ = "integer", json_path = ".status.columnCount", priority = 1, description = "Number of columns"),
    printcolumn(name = "Tablets", type_ = "integer", json_path = ".status.tablets", priority = 1, description = "Number of tablets"),
    printcolumn(name = "Last Load", type_ = "string", json_path = ".status.lastLoad.label", priority = 1, description = "Label of the newest load"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct TableSpec {
    /// Columns, in order. Names are unique regardless of case.
    #[schemars(length(min = 1, max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub columns: Vec<ColumnSpec>,
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
    /// How segments are stored.
    #[serde(default)]
    pub storage: StorageSpec,
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

/// How segments are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageSpec {
    /// Codec of the segments; used for the columns where it pays.
    #[serde(default)]
    pub compression: CompressionSpec,
}

/// Codec of the segments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CompressionSpec {
    /// zstd, level 1.
    #[default]
    Zstd,
    /// LZ4.
    Lz4,
    /// Snappy.
    Snappy,
    /// No compression.
    None,
}

/// What is known of a table.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: loads can start. `Stalled`: this object must be edited; the reason and message say how.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ColumnOrigin {
    /// `spec.columns` declares it.
    Declared,
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
