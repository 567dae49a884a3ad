//! What a worker answers: a [`LoadReport`], as its termination message and, whole, on the volume.

use serde::{Deserialize, Serialize};

/// The newest version of [`LoadReport`].
pub const LOAD_REPORT_VERSION: u32 = 1;

/// Bytes that a termination message may hold: the kubelet keeps 4,096.
pub const TERMINATION_MESSAGE_LIMIT: usize = 4_000;

/// The outcome of a load with its counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadReport {
    /// Version of this document.
    pub version: u32,
    /// Label.
    pub label: String,
    /// Run.
    pub run: u32,
    /// Attempt within the run; 0: nothing was claimed.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// The worker's exit code ([`crate::exit`]).
    pub exit_code: u8,
    /// CamelCase, stable: condition reason, event reason and metric label at once.
    pub reason: String,
    /// One sentence for a person; empty when loaded.
    #[serde(default)]
    pub message: String,
    /// The figures.
    pub counts: LoadCounts,
    /// Version of the table that holds the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_version: Option<u64>,
    /// Where the rejected rows lie, relative to the table's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_record_path: Option<String>,
    /// The first errors (≤ 10), without values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_errors: Vec<RowError>,
    /// Instants (RFC 3339) of start, commit and end.
    pub times: LoadTimes,
    /// Lists were cut to fit a termination message.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// How a load ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// This attempt committed the rows.
    Loaded,
    /// An earlier attempt or run did; nothing was written; the counts are that one's.
    AlreadyLoaded,
    /// Not loaded; nothing is visible.
    Failed,
    /// A commit was begun and its end could not be learned.
    Unknown,
}

/// Counts of a load, as `information_schema.loads` names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadCounts {
    /// Rows read.
    pub scan_rows: u64,
    /// Bytes of the files read, as listed.
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
}

/// A row that did not fit, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowError {
    /// `s3://bucket/key`.
    pub file: String,
    /// Row in the file, from 1.
    pub row: u64,
    /// Column of the table.
    pub column: String,
    /// Stable code, for instance `OutOfRange`.
    pub code: String,
}

/// Instants of a load, RFC 3339, UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadTimes {
    /// The worker began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The commit stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The worker ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
}
