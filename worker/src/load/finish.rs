//! The end of a load: rows committed or the run closed, the report written.

use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use longshore_crds::{LOAD_REPORT_VERSION, LoadCounts, LoadReport, LoadRequest, LoadTimes, Outcome, exit};
use longshore_storage::history::{
    HistoryCounts, HistoryFailure, HistoryOutcome, HistoryRecord, HistoryRowError, HistoryTimes,
};
use longshore_storage::load::{LoadFolder, Plan, Segment, TaskReport};
use longshore_storage::schema::{Column, MAX_NEW_PARTITIONS, TableSchema};
use longshore_storage::table::{
    Claim, CloseOutcome, CommitOutcome, LabelState, LoadCommit, LoadMode, OverwriteScope, Table,
};
use longshore_storage::tablet::TabletError;

use super::LoadFailure;
use super::totals::Details;

/// How a load ended, with what its report needs.
#[derive(Debug)]
pub struct Ended {
    outcome: Outcome,
    failure: Option<LoadFailure>,
    attempt: u32,
    details: Details,
    version: Option<u64>,
    times: HistoryTimes,
    /// The log holds the closing claim of the run.
    closed: bool,
}

impl Ended {
    /// Nothing is visible.
    pub fn failed(failure: LoadFailure) -> Self {
        let unknown = failure.exit_code() == exit::OUTCOME_UNKNOWN;
        Self {
            outcome: if unknown { Outcome::Unknown } else { Outcome::Failed },
            attempt: 0,
            details: failure.details().cloned().unwrap_or_default(),
            failure: Some(failure),
            version: None,
            times: HistoryTimes::default(),
            closed: false,
        }
    }

    /// The label was loaded before; the figures are that load's.
    pub fn already(record: HistoryRecord, version: u64) -> Self {
        Self {
            outcome: Outcome::AlreadyLoaded,
            failure: None,
            attempt: record.attempt,
            times: record.times.clone(),
            details: Details::of(record),
            version: Some(version),
            closed: false,
        }
    }

    /// Notes which attempt it was.
    pub fn with_claim(mut self, claim: Option<&Claim>) -> Self {
        if let (0, Some(claim)) = (self.attempt, claim) {
            self.attempt = claim.attempt();
        }
        self
    }

    /// The report.
    pub fn report(self, request: &LoadRequest, start: SystemTime) -> LoadReport {
        self.report_as(&request.label, request.run, start)
    }

    /// The report of who was asked for this label and run.
    pub fn report_as(self, label: &str, run: u32, start: SystemTime) -> LoadReport {
        let (reason, message, exit_code) = match &self.failure {
            Some(failure) => (failure.category(), failure.to_string(), failure.exit_code()),
            None => (self.details.loaded_reason(), String::new(), exit::LOADED),
        };
        let bare = bare_report(label, run, start);
        LoadReport {
            attempt: self.attempt,
            outcome: self.outcome,
            exit_code,
            reason: reason.to_owned(),
            message,
            closed: self.closed,
            newest_run: self.failure.as_ref().and_then(LoadFailure::newest_run),
            counts: self.details.counts,
            table_version: self.version,
            rejected_record_path: self.details.rejected_folder(),
            first_errors: self.details.row_errors(),
            skipped_files: self.details.skipped,
            times: LoadTimes {
                start: self.times.start.or(bare.times.start),
                commit: self.times.commit,
                finish: self.times.finish.or(bare.times.finish),
            },
            ..bare
        }
    }
}

/// A report that says nothing yet but whose it is and that it ends now.
pub fn bare_report(label: &str, run: u32, start: SystemTime) -> LoadReport {
    LoadReport {
        version: LOAD_REPORT_VERSION,
        label: label.to_owned(),
        run,
        attempt: 0,
        outcome: Outcome::Unknown,
        exit_code: exit::LOADED,
        reason: String::new(),
        message: String::new(),
        closed: false,
        newest_run: None,
        counts: LoadCounts::default(),
        table_version: None,
        rejected_record_path: None,
        first_errors: Vec::new(),
        skipped_files: Vec::new(),
        dry_run: None,
        times: LoadTimes {
            start: Some(instant(start)),
            commit: None,
            finish: Some(instant(SystemTime::now())),
        },
        report_path: None,
        truncated: false,
    }
}

/// Leaves the whole report on the volume: what the pod says at its end is cut to a few kilobytes.
pub fn keep_report(folder: &LoadFolder, mut report: LoadReport) -> LoadReport {
    report.report_path = Some(folder.report_path());
    let kept = serde_json::to_vec_pretty(&report)
        .map_err(|error| error.to_string())
        .and_then(|bytes| folder.write_report(&bytes).map_err(|error| error.to_string()));
    if let Err(error) = kept {
        tracing::warn!(%error, "the report cannot be kept on the volume");
        report.report_path = None;
    }
    report
}

/// What the request says of the rows that are there.
fn mode_of(request: &LoadRequest) -> LoadMode {
    match request.mode {
        longshore_crds::LoadMode::Append => LoadMode::Append,
        longshore_crds::LoadMode::DynamicOverwrite => LoadMode::Overwrite(OverwriteScope::Dynamic),
        longshore_crds::LoadMode::Overwrite if request.partitions.is_empty() => {
            LoadMode::Overwrite(OverwriteScope::Table)
        }
        longshore_crds::LoadMode::Overwrite => {
            LoadMode::Overwrite(OverwriteScope::Partitions(request.partitions.clone()))
        }
    }
}

/// What is committed, and under which plan.
pub struct Rows<'a> {
    /// The folder of the claim.
    pub folder: &'a LoadFolder,
    /// The schema that the segments were written by.
    pub schema: &'a Arc<TableSchema>,
    /// Columns that the table gets with the rows.
    pub new_columns: Vec<Column>,
    /// The plan.
    pub plan: &'a Plan,
    /// One report a task.
    pub reports: Vec<TaskReport>,
    /// The totals, checked.
    pub details: Details,
    /// When this attempt began.
    pub start: SystemTime,
}

/// Commits all tasks in one step.
pub fn commit(
    table: &mut Table,
    request: &LoadRequest,
    rows: Rows<'_>,
    deadline: Option<SystemTime>,
) -> Result<Ended, LoadFailure> {
    let Rows { folder, schema, new_columns, plan, reports, details, start } = rows;
    let claim = folder.claim();
    let mut record = record(request, claim.attempt(), HistoryOutcome::Loaded, &details, start);
    record.request_digest.clone_from(&plan.request_digest);
    record.times.commit = Some(instant(SystemTime::now()));
    let times = HistoryTimes { finish: None, ..record.times.clone() };
    let segments: Vec<Segment> = reports.into_iter().flat_map(|report| report.segments).collect();
    // Each task counted its own.
    if let Some(partition) = table.partition_beyond_limit(&segments)? {
        return Err(TabletError::TooManyPartitions { limit: MAX_NEW_PARTITIONS, partition }.into());
    }
    let load = LoadCommit {
        segments,
        schema: Arc::clone(schema),
        record,
        deadline,
        mode: mode_of(request),
        new_columns,
    };
    let version = match table.commit_load(claim, load)? {
        CommitOutcome::Committed { version } => version,
        CommitOutcome::AlreadyLoaded { version, record } => return Ok(Ended::already(*record, version)),
    };
    remove_own_files(table, Some(folder));
    // A checkpoint only makes the next opening cheaper: the load is committed whatever becomes of it.
    if let Err(error) = table.checkpoint_if_due() {
        tracing::warn!(%error, "the checkpoint was not written; the next load tries again");
    }
    Ok(Ended {
        outcome: Outcome::Loaded,
        failure: None,
        attempt: claim.attempt(),
        details,
        version: Some(version),
        times,
        closed: false,
    })
}

/// What an attempt holds.
#[derive(Clone, Copy)]
pub struct Claimed<'a> {
    /// The claim, if it got one.
    pub claim: Option<&'a Claim>,
    /// The folder of the claim, if it got that far.
    pub folder: Option<&'a LoadFolder>,
}

/// Closes the run of a load that failed for good, before anybody says so (design §4.2).
pub fn close_if_final(
    table: &mut Table,
    request: &LoadRequest,
    claimed: Claimed<'_>,
    start: SystemTime,
    ended: Ended,
) -> Ended {
    let Claimed { claim: Some(claim), folder } = claimed else { return ended };
    let Some(failure) = &ended.failure else { return ended };
    if failure.exit_code() == exit::TRANSIENT {
        return overtaken(table, claim).unwrap_or(ended);
    }
    if !failure.is_final() {
        return ended;
    }
    let outcome = match failure {
        LoadFailure::Deadline => HistoryOutcome::TimedOut,
        _ => HistoryOutcome::Failed,
    };
    let mut record = record(request, ended.attempt, outcome, &ended.details, start);
    record.error =
        Some(HistoryFailure { category: failure.category().to_owned(), message: failure.to_string() });
    match table.close_run(&request.label, request.run, Some(claim), record) {
        Ok(CloseOutcome::Closed { .. }) => {
            remove_own_files(table, folder);
            Ended { closed: true, ..ended }
        }
        Ok(CloseOutcome::AlreadyLoaded { version, record }) => Ended::already(*record, version),
        Ok(CloseOutcome::Superseded) => ended_superseded(ended),
        // No row was being committed: it failed, and the run is open still.
        Err(error) => Ended { details: ended.details, ..Ended::failed(error.into()) },
    }
}

/// What the log says of an attempt that failed for a reason that may lie in another one's work: whoever
/// finishes a load removes the plans and reports of those it shut out.
fn overtaken(table: &mut Table, claim: &Claim) -> Option<Ended> {
    if let Err(error) = table.refresh() {
        tracing::warn!(%error, "the log cannot be read again");
        return None;
    }
    let own = (claim.run(), claim.attempt());
    match table.label(claim.label()) {
        Ok(LabelState::Loaded { version, record }) => Some(Ended::already(*record, version)),
        Ok(LabelState::Claimed { run, attempt }) if (run, attempt) > own => {
            Some(Ended::failed(LoadFailure::Superseded).with_claim(Some(claim)))
        }
        Ok(LabelState::Closed { run }) if run >= claim.run() => {
            Some(Ended::failed(LoadFailure::Superseded).with_claim(Some(claim)))
        }
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(%error, "the state of the label cannot be read again");
            None
        }
    }
}

/// Another attempt goes on: this one has nothing to say about the outcome.
fn ended_superseded(ended: Ended) -> Ended {
    Ended { failure: Some(LoadFailure::Superseded), ..ended }
}

/// Plans and reports of a load that is over go at once, a failed one's segments as well; what cannot be
/// removed is left to vacuum.
fn remove_own_files(table: &mut Table, folder: Option<&LoadFolder>) {
    let Some(folder) = folder else { return };
    if let Err(error) = table.remove_own(folder) {
        tracing::warn!(%error, "files of the load stay behind; they are not visible");
    }
}

/// The record of a load, as it stands at its end.
pub fn record(
    request: &LoadRequest,
    attempt: u32,
    outcome: HistoryOutcome,
    details: &Details,
    start: SystemTime,
) -> HistoryRecord {
    let mut record = HistoryRecord::new(&request.label, request.run, attempt, outcome);
    let counts = details.counts;
    record.request_digest = request.digest().unwrap_or_default();
    record.times.start = Some(instant(start));
    record.times.finish = Some(instant(SystemTime::now()));
    record.counts = HistoryCounts {
        scan_rows: counts.scan_rows,
        scan_bytes: counts.scan_bytes,
        filtered_rows: counts.filtered_rows,
        unselected_rows: counts.unselected_rows,
        sink_rows: counts.sink_rows,
        file_number: counts.file_number,
        file_size: counts.file_size,
        skipped_files: counts.skipped_files,
    };
    record.files.clone_from(&details.files);
    record.rejected.clone_from(&details.rejected);
    record.first_errors = details
        .first_errors
        .iter()
        .map(|error| HistoryRowError {
            file: error.file.clone(),
            row: error.row,
            column: error.column.clone(),
            code: error.code.clone(),
        })
        .collect();
    record
}

/// RFC 3339, UTC, to the millisecond.
pub fn instant(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
}
