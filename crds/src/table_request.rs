//! What the operator asks of a worker about a table itself, and what the worker answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{ColumnStatus, RequestError, StorageSpec, TableSpec, termination};

/// The newest version of [`TableRequest`] that this build knows; a newer one is refused.
pub const TABLE_REQUEST_VERSION: u32 = 1;
/// The newest version of [`TableReport`].
pub const TABLE_REPORT_VERSION: u32 = 1;

/// Everything that a worker must know to make, check, alter or maintain a table. The table's folder is a flag
/// of the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TableRequest {
    /// Version of this document, [`TABLE_REQUEST_VERSION`].
    pub version: u32,
    /// Name of the Table, for messages.
    pub table: String,
    /// What to do.
    pub task: TableTask,
    /// What the Table declares. Where it lies and when it is maintained is left out.
    pub definition: TableSpec,
    /// With [`TableTask::Maintain`]: hours that removed files stay.
    pub retention_hours: u32,
}

/// What a worker does with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TableTask {
    /// Makes the table, or takes it as it stands if it agrees with the definition, adding nullable columns
    /// that it lacks; anything else is refused and the table left as it was.
    Declare,
    /// Merges small segments, removes files that no one needs, writes a checkpoint if one pays.
    Maintain,
}

impl TableTask {
    /// As it stands in names of Jobs.
    pub fn role(self) -> &'static str {
        match self {
            Self::Declare => "table",
            Self::Maintain => "maintain",
        }
    }
}

impl TableRequest {
    /// What a Table's spec asks for.
    pub fn new(table: &str, spec: &TableSpec, task: TableTask) -> Self {
        Self {
            version: TABLE_REQUEST_VERSION,
            table: table.to_owned(),
            task,
            definition: declared(spec),
            retention_hours: spec.maintenance.retention_hours,
        }
    }

    /// Reads a request; looks at `version` first, so that a newer document is refused by its version and
    /// not by a field that this build does not know.
    pub fn from_json(text: &[u8]) -> Result<Self, RequestError> {
        crate::request::refuse_newer(text, TABLE_REQUEST_VERSION)?;
        Ok(serde_json::from_slice(text)?)
    }
}

impl TableSpec {
    /// SHA-256 (hex) over what a table is: columns, key, order, partitions, distribution and compression. Two
    /// specs of equal digest declare the same table.
    pub fn definition_digest(&self) -> Result<String, serde_json::Error> {
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(&declared(self))?)))
    }
}

/// The spec without where the table lies and when it is maintained.
fn declared(spec: &TableSpec) -> TableSpec {
    let mut spec = spec.clone();
    spec.storage = StorageSpec { compression: spec.storage.compression, ..StorageSpec::default() };
    spec.maintenance = crate::MaintenanceSpec::default();
    spec.service_accounts = Vec::new();
    spec.worker = crate::WorkerSpec::default();
    spec
}

/// What a worker did with a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableReport {
    /// Version of this document.
    pub version: u32,
    /// Name of the Table.
    pub table: String,
    /// What was to be done.
    pub task: TableTask,
    /// How it ended.
    pub outcome: TableOutcome,
    /// The worker's exit code ([`crate::exit`]).
    pub exit_code: u8,
    /// CamelCase, stable: condition reason, event reason and metric label at once.
    pub reason: String,
    /// One sentence for a person; empty where all is as declared.
    #[serde(default)]
    pub message: String,
    /// The table as it stands, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<TableFigures>,
    /// Its first columns, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnStatus>,
    /// What maintenance did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceReport>,
    /// Columns or text were cut to fit a termination message.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableOutcome {
    /// The table was made now.
    Created,
    /// It stood, as declared.
    Unchanged,
    /// It stood, and columns were added.
    Altered,
    /// It was maintained.
    Maintained,
    /// Not done; the table is as it was.
    Failed,
}

/// The table as it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableFigures {
    /// Version of the log.
    pub table_version: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// Number of segments.
    pub files: u64,
    /// Number of tablets.
    pub tablets: u64,
    /// Number of columns.
    pub column_count: u32,
}

/// What maintenance did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceReport {
    /// Segments that were merged.
    pub merged_files: u64,
    /// Segments that took their place.
    pub new_files: u64,
    /// Files that were removed.
    pub removed_files: u64,
    /// Bytes of them.
    pub removed_bytes: u64,
}

impl TableReport {
    /// The report as JSON in at most [`TERMINATION_MESSAGE_LIMIT`](crate::TERMINATION_MESSAGE_LIMIT) bytes: the last columns go first, then the
    /// end of the message, and `truncated` says so.
    pub fn termination_message(&self) -> Result<String, serde_json::Error> {
        termination::fit(
            self,
            crate::TERMINATION_MESSAGE_LIMIT,
            |report| report.truncated = true,
            |report, excess| {
                report.columns.pop().is_some() || termination::cut_text(&mut report.message, excess)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{ColumnOrigin, TERMINATION_MESSAGE_LIMIT, exit};

    fn spec() -> TableSpec {
        serde_json::from_value(json!({
            "columns": [{"name": "a", "type": "INT"}], "distribution": {"random": {"buckets": 1}},
            "storage": {"size": "1Gi"}, "maintenance": {"intervalHours": 1, "retentionHours": 2},
        }))
        .unwrap()
    }

    #[test]
    fn a_request_is_read_back_and_a_newer_one_is_refused_by_its_version() {
        let request = TableRequest::new("t", &spec(), TableTask::Maintain);
        assert_eq!(request.retention_hours, 2);
        let text = serde_json::to_vec(&request).unwrap();
        assert_eq!(TableRequest::from_json(&text).unwrap(), request);
        let error = TableRequest::from_json(br#"{"version": 2, "colour": 1}"#).unwrap_err();
        assert!(matches!(error, RequestError::NewerVersion { found: 2, .. }), "{error}");
    }

    #[test]
    fn the_digest_is_of_the_table_and_not_of_its_place() {
        let digest = spec().definition_digest().unwrap();
        let mut elsewhere = spec();
        elsewhere.storage.size = Some("2Gi".to_owned());
        elsewhere.maintenance.interval_hours = 5;
        assert_eq!(elsewhere.definition_digest().unwrap(), digest);
        elsewhere.columns[0].nullable = false;
        assert_ne!(elsewhere.definition_digest().unwrap(), digest);
    }

    #[test]
    fn a_report_that_is_too_long_loses_columns_from_the_tail_and_says_so() {
        let column = |index: usize| ColumnStatus {
            name: format!("column_{index}"),
            data_type: "VARCHAR(65533)".to_owned(),
            origin: ColumnOrigin::Declared,
        };
        let mut report = TableReport {
            version: TABLE_REPORT_VERSION,
            table: "t".to_owned(),
            task: TableTask::Declare,
            outcome: TableOutcome::Failed,
            exit_code: exit::TABLE_REFUSED,
            reason: "DefinitionDiffers".to_owned(),
            message: "why".to_owned(),
            figures: Some(TableFigures::default()),
            columns: (0..5).map(column).collect(),
            maintenance: None,
            truncated: false,
        };
        let text = report.termination_message().unwrap();
        assert_eq!(serde_json::from_str::<TableReport>(&text).unwrap(), report);
        report.columns = (0..200).map(column).collect();
        report.message = "\"é".repeat(100);
        let text = report.termination_message().unwrap();
        assert!(text.len() <= TERMINATION_MESSAGE_LIMIT);
        let read: TableReport = serde_json::from_str(&text).unwrap();
        assert!(read.truncated && report.columns.starts_with(&read.columns));
        assert_eq!(read.message, report.message);
        assert!(!read.columns.is_empty());
        report.message = "\"é".repeat(3_000);
        let text = report.termination_message().unwrap();
        assert!(text.len() <= TERMINATION_MESSAGE_LIMIT);
        let read: TableReport = serde_json::from_str(&text).unwrap();
        assert!(read.truncated && read.columns.is_empty() && report.message.starts_with(&read.message));
    }
}
