//! What the end of a Job means for the status. Pure.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use longshore_crds::{TableJob, TableOutcome, TableProblem, TableReport, TableStatus, TableTask, exit};

use super::due::plus;
use super::status::Told;
use crate::events::EventType;
use crate::runner::back_off;

/// A volume that cannot be used as it is may be mended beside us: it is asked again after this time.
const ASK_AGAIN: SignedDuration = SignedDuration::from_mins(10);
/// Maintenance that failed is tried again after this time.
const MAINTAIN_AGAIN: SignedDuration = SignedDuration::from_mins(15);
/// What a status takes of a message.
const MESSAGE_BYTES: usize = 1024;
/// The reason of a table that stands and is not the declared one.
const DEFINITION_DIFFERS: &str = "DefinitionDiffers";

/// Takes in a report.
pub fn reported(status: &mut TableStatus, job: &TableJob, report: &TableReport, now: Timestamp) -> Told {
    take_figures(status, report, now);
    let succeeded = report.outcome != TableOutcome::Failed;
    match (job.task, succeeded) {
        (TableTask::Declare, true) => declared(status, job, report),
        (TableTask::Maintain, true) => maintained(status, report),
        (TableTask::Declare, false) if is_refusal(report.exit_code) => refused(status, job, report, now),
        (TableTask::Declare, false) => set_back(status, job, &report.reason, &report.message, now),
        (TableTask::Maintain, false) => not_maintained(status, &report.reason, &report.message, now),
    }
}

/// Takes in an end without a report.
pub fn silent(status: &mut TableStatus, job: &TableJob, reason: &str, message: &str, now: Timestamp) -> Told {
    match job.task {
        TableTask::Declare => set_back(status, job, reason, message, now),
        TableTask::Maintain => not_maintained(status, reason, message, now),
    }
}

fn is_refusal(code: u8) -> bool {
    matches!(code, exit::REQUEST | exit::TABLE_REFUSED)
}

fn take_figures(status: &mut TableStatus, report: &TableReport, now: Timestamp) {
    let Some(figures) = &report.figures else { return };
    status.version = Some(figures.table_version);
    status.rows = Some(figures.rows);
    status.bytes = Some(figures.bytes);
    status.files = Some(figures.files);
    status.tablets = Some(figures.tablets);
    status.column_count = Some(figures.column_count);
    status.columns.clone_from(&report.columns);
    status.check_time = Some(now.to_string());
}

fn declared(status: &mut TableStatus, job: &TableJob, report: &TableReport) -> Told {
    status.definition = Some(job.digest.clone());
    status.problem = None;
    status.failures = None;
    status.retry_time = None;
    let note = match report.outcome {
        TableOutcome::Created => "the table is made on its volume".to_owned(),
        TableOutcome::Altered => report.message.clone(),
        _ => "the table on the volume is as declared".to_owned(),
    };
    Told { type_: EventType::Normal, reason: report.reason.clone(), action: "Declare", note }
}

fn maintained(status: &mut TableStatus, report: &TableReport) -> Told {
    status.maintenance_message = Some(report.message.clone());
    status.maintenance_retry_time = None;
    Told {
        type_: EventType::Normal,
        reason: report.reason.clone(),
        action: "Maintain",
        note: report.message.clone(),
    }
}

fn refused(status: &mut TableStatus, job: &TableJob, report: &TableReport, now: Timestamp) -> Told {
    let stays = if status.definition.is_some() { "; the table stays as it was" } else { "" };
    let message = format!("{}{stays}", report.message);
    status.failures = None;
    // Only an edit mends a declaration; a volume may be mended beside us.
    let is_declaration = report.exit_code == exit::REQUEST || report.reason == DEFINITION_DIFFERS;
    status.retry_time = (!is_declaration).then(|| plus(now, ASK_AGAIN).to_string());
    status.problem = Some(problem(job, &report.reason, &message, true));
    Told { type_: EventType::Warning, reason: report.reason.clone(), action: "Declare", note: message }
}

fn set_back(status: &mut TableStatus, job: &TableJob, reason: &str, message: &str, now: Timestamp) -> Told {
    let failures = status.failures.unwrap_or(0).saturating_add(1);
    let pause = SignedDuration::try_from(back_off(failures)).unwrap_or(ASK_AGAIN);
    status.failures = Some(failures);
    status.retry_time = Some(plus(now, pause).to_string());
    status.problem = Some(problem(job, reason, message, false));
    Told { type_: EventType::Warning, reason: reason.to_owned(), action: "Declare", note: message.to_owned() }
}

/// Within the bounds of the status' schema.
fn problem(job: &TableJob, reason: &str, message: &str, needs_edit: bool) -> TableProblem {
    TableProblem {
        digest: job.digest.clone(),
        reason: reason.to_owned(),
        message: message[..message.floor_char_boundary(MESSAGE_BYTES)].to_owned(),
        needs_edit,
    }
}

fn not_maintained(status: &mut TableStatus, reason: &str, message: &str, now: Timestamp) -> Told {
    let message = format!("maintenance failed: {reason}: {message}");
    status.maintenance_message = Some(message[..message.floor_char_boundary(MESSAGE_BYTES)].to_owned());
    status.maintenance_retry_time = Some(plus(now, MAINTAIN_AGAIN).to_string());
    Told { type_: EventType::Warning, reason: reason.to_owned(), action: "Maintain", note: message }
}
