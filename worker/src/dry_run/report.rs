//! What a dry run found, as a document (JSON, in `_longshore/dry-runs/`) for programs and people.

use longshore_crds::{DryRunVerdict, LoadCounts};
use serde::{Deserialize, Serialize};

/// The newest version of [`DryRunReport`].
pub const DRY_RUN_REPORT_VERSION: u32 = 1;

/// Files that a report lists one by one.
pub const LISTED_FILES: usize = 10_000;
/// Different schemas that a report lists.
pub const LISTED_SCHEMAS: usize = 100;

/// What a dry run found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DryRunReport {
    /// Version of this document.
    pub version: u32,
    /// Name of the Table.
    pub table: String,
    /// Label that the load would have.
    pub label: String,
    /// When the dry run began (RFC 3339).
    pub time: String,
    /// How the load would end.
    pub verdict: DryRunVerdict,
    /// The counts that the load would end with.
    pub counts: LoadCounts,
    /// The first files of the plan, in its order.
    pub files: Vec<CheckedFile>,
    /// Files that are not listed here.
    #[serde(default)]
    pub more_files: u64,
    /// The schemas that the files have, and what becomes of their columns; each once.
    pub schemas: Vec<CheckedSchema>,
    /// Columns that the Table's manifest would add, before the load, to the table that stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared_columns: Vec<NamedType>,
    /// Columns that the table would get by the load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_columns: Vec<NamedType>,
    /// The first rows as they would be stored.
    pub rows: FirstRows,
    /// What does not fit, by kind, the most frequent first.
    pub errors: Vec<ErrorKind>,
}

/// Rows as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FirstRows {
    /// Names of the table's columns, in its order; empty without rows.
    pub columns: Vec<String>,
    /// Values by row, one a column; absent: NULL.
    pub values: Vec<Vec<Option<String>>>,
}

/// A file of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedFile {
    /// `s3://bucket/key`.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// ETag as listed.
    pub etag: String,
    /// Its format, where it could be opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Place of its schema in `schemas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<usize>,
    /// Rows read.
    pub read: u64,
    /// Rows that would be loaded.
    pub loaded: u64,
    /// Rows that do not fit.
    pub filtered: u64,
    /// Rows that `where` leaves out.
    pub unselected: u64,
    /// Why it cannot be read: with `onFileError: SkipFile` the load would leave it out, else fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FileProblem>,
}

/// What is wrong with a file as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileProblem {
    /// CamelCase, stable.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// A schema that some files have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedSchema {
    /// The first file that has it.
    pub file: String,
    /// Number of files that have it.
    pub files: u64,
    /// One a column of the table, in its order.
    pub columns: Vec<CheckedColumn>,
    /// Columns of the file that feed nothing, and that no expression names; none where the source states its
    /// `columns`.
    pub extra: Vec<NamedType>,
}

/// A column with its type as a person writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedType {
    /// Name.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub data_type: String,
}

/// What fills a column of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedColumn {
    /// Column of the table.
    #[serde(flatten)]
    pub column: NamedType,
    /// What fills it.
    pub from: Fill,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fill {
    /// A column of the file, or of its path.
    File(NamedType),
    /// An expression of `set`.
    Computed,
    /// The declared default.
    Default(String),
    /// NULL: the file lacks it.
    Null,
}

/// Rows that do not fit for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorKind {
    /// Stable code, for instance `OutOfRange`.
    pub code: String,
    /// Column of the table; empty: the record as a whole.
    pub column: String,
    /// Rows; those of all kinds add up to `counts.filteredRows`.
    pub rows: u64,
    /// Some of them.
    pub examples: Vec<ErrorExample>,
}

/// One row that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorExample {
    /// `s3://bucket/key`.
    pub file: String,
    /// Row in the file, from 1.
    pub row: u64,
    /// Offset of the record, for text formats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_offset: Option<u64>,
    /// What is wrong.
    pub message: String,
    /// The value as text.
    pub raw_value: String,
}
