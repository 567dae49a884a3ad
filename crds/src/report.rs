//! What a worker answers: a [`LoadReport`], as its termination message and, whole, on the volume.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::termination;

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
    /// The log holds the closing claim of this run (durably): no attempt of it can load any more. Only this
    /// lets anybody say that the load is CANCELLED.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// With the reason `RunPassed`: the run of this label that the log holds, higher or closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_run: Option<u32>,
    /// Version of the table that holds the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_version: Option<u64>,
    /// Where the rejected rows lie, relative to the table's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_record_path: Option<String>,
    /// The first errors (≤ 10), without values: rows that did not fit, and files that were skipped (row 0).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_errors: Vec<RowError>,
    /// The first files that were skipped (≤ 10); their number is `counts.skippedFiles`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped_files: Vec<SkippedFile>,
    /// Of a dry run: how the load would end. `None`: this was no dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<DryRunVerdict>,
    /// Instants (RFC 3339) of start, commit and end.
    pub times: LoadTimes,
    /// Where the whole report lies, relative to the table's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_path: Option<String>,
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
    /// Everything was checked and nothing was touched: no claim, no commit, no segment. What the load would
    /// end with is the report's `dryRun`.
    DryRun,
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
    /// Files of the plan that were skipped as a whole, and those that an optional entry of a manifest names in
    /// vain.
    #[serde(default)]
    pub skipped_files: u64,
}

/// A file none of whose rows were loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SkippedFile {
    /// `s3://bucket/key`.
    pub file: String,
    /// CamelCase, stable: the category of the error.
    pub code: String,
    /// What is wrong with it.
    pub message: String,
}

/// How a load would end, as a dry run found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DryRunVerdict {
    /// The exit code that the load would end with ([`crate::exit`]); 0: it would load.
    pub exit_code: u8,
    /// The reason that it would end with.
    pub reason: String,
    /// One sentence for a person.
    pub message: String,
}

/// A row that did not fit, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RowError {
    /// `s3://bucket/key`.
    #[schemars(length(max = 2048))]
    pub file: String,
    /// Row in the file, from 1; 0: the file as a whole, which was skipped.
    pub row: u64,
    /// Column of the table; empty: the record, or the file, as a whole.
    #[schemars(length(max = 255))]
    pub column: String,
    /// Stable code, for instance `OutOfRange`.
    #[schemars(length(max = 128))]
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

impl LoadReport {
    /// The report as JSON in at most [`TERMINATION_MESSAGE_LIMIT`] bytes. What is too long is cut from its
    /// tail, first the skipped files, then the list of errors, then the message, and `truncated` says so; the full report lies on
    /// the volume.
    pub fn termination_message(&self) -> Result<String, serde_json::Error> {
        termination::fit(
            self,
            crate::TERMINATION_MESSAGE_LIMIT,
            |report| report.truncated = true,
            |report, excess| {
                report.skipped_files.pop().is_some()
                    || report.first_errors.pop().is_some()
                    || report
                        .dry_run
                        .as_mut()
                        .is_some_and(|dry| termination::cut_text(&mut dry.message, excess))
                    || termination::cut_text(&mut report.message, excess)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(message: String, first_errors: Vec<RowError>) -> LoadReport {
        LoadReport {
            version: LOAD_REPORT_VERSION,
            label: "label".to_owned(),
            run: 1,
            attempt: 1,
            outcome: Outcome::Failed,
            exit_code: crate::exit::QUALITY,
            reason: "DataQuality".to_owned(),
            message,
            counts: LoadCounts::default(),
            closed: false,
            newest_run: None,
            table_version: None,
            rejected_record_path: None,
            first_errors,
            skipped_files: Vec::new(),
            dry_run: None,
            times: LoadTimes::default(),
            report_path: None,
            truncated: false,
        }
    }

    #[test]
    fn a_short_report_is_kept_whole() {
        let report = report("no".to_owned(), Vec::new());
        let text = report.termination_message().unwrap();
        assert_eq!(serde_json::from_str::<LoadReport>(&text).unwrap(), report);
        assert!(!text.contains("truncated"));
    }

    proptest! {
        #[test]
        fn any_report_fits_and_says_when_it_was_cut(
            message in "[\\PC\"\\\\]{0,6000}",
            files in proptest::collection::vec("[a-zß\"]{0,900}", 0..10),
        ) {
            let errors = files.into_iter().enumerate().map(|(index, file)| RowError {
                file,
                row: index as u64,
                column: "c".to_owned(),
                code: "OutOfRange".to_owned(),
            });
            let mut report = report(message.clone(), errors.collect());
            let skipped = |error: &RowError| SkippedFile {
                file: error.file.clone(),
                code: error.code.clone(),
                message: message.chars().take(300).collect(),
            };
            report.skipped_files = report.first_errors.iter().map(skipped).collect();
            let text = report.termination_message().unwrap();
            prop_assert!(text.len() <= TERMINATION_MESSAGE_LIMIT);
            let read: LoadReport = serde_json::from_str(&text).unwrap();
            let whole = serde_json::to_string(&report).unwrap().len() <= TERMINATION_MESSAGE_LIMIT;
            prop_assert_eq!(read.truncated, !whole);
            prop_assert!(report.first_errors.starts_with(&read.first_errors));
            prop_assert!(report.skipped_files.starts_with(&read.skipped_files));
            prop_assert!(report.message.starts_with(&read.message));
        }
    }
}
