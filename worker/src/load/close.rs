//! Closes a run from outside: cancel, timeout, resolve. Then the log says how the load ended.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use longshore_crds::{ClosingOutcome, LoadReport, Outcome, exit, reasons};
use longshore_storage::durable::{FileSystem, Posix};
use longshore_storage::history::{HistoryFailure, HistoryOutcome, HistoryRecord};
use longshore_storage::table::{CloseOutcome, LabelState, Table};

use super::LoadFailure;
use super::finish::{Ended, bare_report, instant};

/// Which run to close, and what the history says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseRequest {
    /// Label.
    pub label: String,
    /// Run.
    pub run: u32,
    /// Why it is closed.
    pub outcome: ClosingOutcome,
    /// CamelCase, stable.
    pub reason: String,
    /// A sentence for a person.
    pub message: String,
}

/// Closes the run unless its label is loaded, and reports what holds now. The same call again gives the same
/// answer. The report is `AlreadyLoaded` with the figures of the load, or `Failed` and `closed`; else nothing
/// is known and its exit code is not 0.
pub fn close(request: &CloseRequest, table_root: &Path) -> LoadReport {
    let start = SystemTime::now();
    match close_run(request, table_root, start) {
        Ok(Closed::Run { version }) => {
            let report = report(request, start, Outcome::Failed);
            LoadReport { closed: true, table_version: Some(version), ..report }
        }
        Ok(Closed::Loaded { version, record }) => {
            // Label and run are those of this request; the figures are the load's.
            Ended::already(*record, version).report_as(&request.label, request.run, start)
        }
        Ok(Closed::Passed { run }) => LoadReport {
            exit_code: exit::CLAIM_LOST,
            reason: reasons::RUN_PASSED.to_owned(),
            message: format!("run {run} of this label stands in the log, above run {}", request.run),
            newest_run: Some(run),
            ..report(request, start, Outcome::Failed)
        },
        Err(failure) => LoadReport {
            exit_code: failure.exit_code(),
            reason: failure.category().to_owned(),
            message: failure.to_string(),
            ..report(request, start, Outcome::Unknown)
        },
    }
}

/// What the log holds after the attempt to close.
enum Closed {
    /// The closing claim.
    Run { version: u64 },
    /// The rows.
    Loaded { version: u64, record: Box<HistoryRecord> },
    /// A higher run.
    Passed { run: u32 },
}

fn close_run(request: &CloseRequest, table_root: &Path, start: SystemTime) -> Result<Closed, LoadFailure> {
    let files: Arc<dyn FileSystem> = Arc::new(Posix);
    let mut table = Table::open(files, table_root)?;
    match table.close_run(&request.label, request.run, None, record(request, start))? {
        CloseOutcome::Closed { version } => Ok(Closed::Run { version }),
        CloseOutcome::AlreadyLoaded { version, record } => Ok(Closed::Loaded { version, record }),
        CloseOutcome::Superseded => match table.label(&request.label)? {
            LabelState::Loaded { version, record } => Ok(Closed::Loaded { version, record }),
            LabelState::Claimed { run, .. } | LabelState::Closed { run } => Ok(Closed::Passed { run }),
            LabelState::Unknown => Err(LoadFailure::Superseded),
        },
    }
}

fn record(request: &CloseRequest, start: SystemTime) -> HistoryRecord {
    let outcome = match request.outcome {
        ClosingOutcome::Cancelled => HistoryOutcome::Cancelled,
        ClosingOutcome::TimedOut => HistoryOutcome::TimedOut,
        ClosingOutcome::Failed | ClosingOutcome::NextRun => HistoryOutcome::Failed,
    };
    let mut record = HistoryRecord::new(&request.label, request.run, 0, outcome);
    record.times.start = Some(instant(start));
    record.times.finish = Some(instant(SystemTime::now()));
    record.error =
        Some(HistoryFailure { category: request.reason.clone(), message: request.message.clone() });
    record
}

fn report(request: &CloseRequest, start: SystemTime, outcome: Outcome) -> LoadReport {
    LoadReport {
        outcome,
        reason: request.reason.clone(),
        message: request.message.clone(),
        ..bare_report(&request.label, request.run, start)
    }
}
