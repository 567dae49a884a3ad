//! A record together with the commit that names it.

use std::path::Path;

use super::HistoryError;
use super::record::{HistoryRecord, RecordReference, parse_document};
use crate::log::actions::CommitInfo;

/// A load that ended, as a commit tells it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The version whose commit names the record.
    pub version: u64,
    /// What the commit did, for instance `WRITE` or `CLOSE RUN`.
    pub operation: String,
    /// Rows that the commit took out of the table beside those it brought (an overwrite).
    pub removed_rows: u64,
    /// The record.
    pub record: HistoryRecord,
}

/// What a commit says of the record that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Naming {
    pub(crate) version: u64,
    pub(crate) operation: String,
    pub(crate) label: String,
    pub(crate) run: u32,
    pub(crate) attempt: u32,
    /// Whether the commit brought the rows of the load.
    pub(crate) loads: bool,
    pub(crate) removed_rows: u64,
    pub(crate) reference: RecordReference,
}

impl Naming {
    /// `None`: the commit names no record.
    pub(crate) fn of(version: u64, info: CommitInfo) -> Option<Self> {
        let removed_rows = info.operation_metrics.get("numDeletedRows");
        let removed_rows = removed_rows.and_then(|rows| rows.as_str()?.parse().ok()).unwrap_or(0);
        let own = info.longshore?;
        Some(Self {
            version,
            operation: info.operation.unwrap_or_default(),
            label: own.label.unwrap_or_default(),
            run: own.run.unwrap_or_default(),
            attempt: own.attempt.unwrap_or_default(),
            loads: own.counts.is_some(),
            removed_rows,
            reference: own.record?,
        })
    }
}

/// A record, byte for byte, with what its commit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedRecord {
    pub(crate) naming: Naming,
    pub(crate) document: Vec<u8>,
}

impl NamedRecord {
    /// Understands the record.
    pub(crate) fn into_entry(self, root: &Path) -> Result<HistoryEntry, HistoryError> {
        let record = parse_document(&self.document, &root.join(&self.naming.reference.path))?;
        let Naming { version, operation, removed_rows, .. } = self.naming;
        Ok(HistoryEntry { version, operation, removed_rows, record })
    }
}
