//! What a task wrote and counted, `loads/<label>/<run>-<attempt>/task-0003.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The result of one finished task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskReport {
    /// Number of the task.
    pub task: u32,
    /// Counts of each file, in the plan's order.
    pub files: Vec<FileReport>,
    /// Segments written, durable when this report is.
    pub segments: Vec<Segment>,
    /// File of rejected rows, relative to the table's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// Rows in it.
    #[serde(default)]
    pub rejected_rows: u64,
    /// The first rows that did not fit (≤ 10), without their values.
    #[serde(default)]
    pub first_errors: Vec<FirstError>,
    /// Files of the task none of whose rows are in the segments, in the plan's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedFile>,
}

/// A file that was left out as a whole, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SkippedFile {
    /// Place of the file in its task.
    pub file: u32,
    /// CamelCase, stable.
    pub code: String,
    /// What is wrong with it.
    pub message: String,
}

/// A row that did not fit, without its value: it goes into statuses, which hold no data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FirstError {
    /// The file's full name.
    pub file: String,
    /// Row in the file, from 1; 0: the file as a whole, which was skipped.
    pub row: u64,
    /// Column of the table; empty: the record, or the file, as a whole.
    pub column: String,
    /// Stable code, for instance `OutOfRange`.
    pub code: String,
}

/// Row accounting of one file: read = loaded + filtered + unselected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileReport {
    /// Rows the decoder gave.
    pub read: u64,
    /// Rows written.
    pub loaded: u64,
    /// Rows that did not fit.
    pub filtered: u64,
    /// Rows that `where` left out.
    pub unselected: u64,
    /// Bytes of the object, as the store's responses said (must equal the listed size).
    pub bytes: u64,
}

/// One Parquet file of a tablet; becomes an `add` of the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// Path relative to the table's folder, plain ASCII, `/` between.
    pub path: String,
    /// Name of the partition (empty: the table has none).
    #[serde(default)]
    pub partition: String,
    /// Values of the partition by column, as text; absent: NULL. See
    /// [`Partition::values`](crate::schema::Partition::values).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Bucket of the tablet.
    pub bucket: u32,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Milliseconds since the epoch.
    pub modified_ms: i64,
    /// Delta's statistics as JSON text (`numRecords`, `minValues`, `maxValues`, `nullCount`, `tightBounds`).
    pub stats: String,
}

impl Segment {
    /// Bucket of a file that another engine wrote: it is in no tablet, and no bucket may be pruned for it.
    pub const NO_BUCKET: u32 = u32::MAX;
}
