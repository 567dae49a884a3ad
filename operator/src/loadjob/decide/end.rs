//! The ends of a load, and what is left to do after them.

use longshore_crds::{
    LoadError, LoadExecution, LoadReport, LoadState, Outcome, exit, loaded_reason, reasons,
};

use super::visit::{SOON, Visit, instant};

/// Message of a load that a person gave up.
pub(super) const CANCELLED_BY_USER: &str =
    "spec.cancel is true; nothing of it is visible; set it to false to load after all";
/// Message of a load whose time was over.
pub(super) const TIMED_OUT: &str = "the load did not end within timeoutSeconds; nothing of it is visible; raise timeoutSeconds, or load fewer \
     files at once";

/// The rows are in the table: COMMITTED, with all that the report says.
pub(super) fn loaded(visit: &mut Visit<'_>, report: &LoadReport) {
    visit.status.take_figures(report);
    visit.status.error = None;
    visit.status.progress = Some("LOAD:100%".to_owned());
    let (rows, version) = (report.counts.sink_rows, report.table_version.unwrap_or_default());
    let table = &visit.facts.job.spec.table;
    let message = match report.outcome {
        Outcome::AlreadyLoaded => format!(
            "label {} was loaded before: {rows} rows in version {version} of table {table}; nothing was loaded \
             again",
            report.label
        ),
        _ => format!(
            "{rows} rows of {} files, {} filtered{}, stand in version {version} of table {table}",
            report.counts.file_number,
            report.counts.filtered_rows,
            skipped(report)
        ),
    };
    visit.execution.open_run = None;
    visit.execution.closing = None;
    visit.stands(LoadState::Committed, reasons::COMMITTED, &message);
    visit.again = Some(SOON);
}

/// How many files were left out, and why the first was.
fn skipped(report: &LoadReport) -> String {
    match (report.counts.skipped_files, report.skipped_files.first()) {
        (0, _) => String::new(),
        (count, None) => format!(", {count} files skipped"),
        (count, Some(first)) => {
            format!(", {count} files skipped (the first: {}: {})", first.file, first.code)
        }
    }
}

/// Everything was checked, and nothing was touched: FINISHED, with what the load would end with.
pub(super) fn dry_run(visit: &mut Visit<'_>, report: &LoadReport) {
    visit.status.take_figures(report);
    visit.status.error =
        report.dry_run.as_ref().filter(|verdict| verdict.exit_code != exit::LOADED).map(|verdict| {
            LoadError { error_type: verdict.reason.clone(), message: verdict.message.clone() }
        });
    visit.status.progress = Some("LOAD:N/A".to_owned());
    visit.stands(LoadState::Finished, reasons::DRY_RUN, &report.message);
    visit.delete_children();
    visit.again = None;
}

/// From COMMITTED to FINISHED: the status has all that there is to say, whatever became of the pod.
pub(super) fn finish(visit: &mut Visit<'_>) {
    let status = &visit.status;
    let reason = loaded_reason(status.skipped_files.unwrap_or(0), status.filtered_rows.unwrap_or(0));
    let message = visit.message();
    visit.stands(LoadState::Finished, reason, &message);
    visit.delete_children();
    visit.again = None;
}

/// Not loaded, and the log makes sure of it.
pub(super) fn cancelled(visit: &mut Visit<'_>, reason: &str, message: &str) {
    visit.status.error = Some(LoadError { error_type: reason.to_owned(), message: message.to_owned() });
    visit.status.progress = Some("LOAD:N/A".to_owned());
    visit.status.load_finish_time = Some(instant(visit.facts.now));
    visit.execution.open_run = None;
    visit.execution.closing = None;
    if reason == reasons::USER_CANCELLED || visit.execution.generation.is_none() {
        // What it says now is what was given up; a later edit starts it again.
        visit.execution.generation = visit.generation();
    }
    visit.stands(LoadState::Cancelled, reason, message);
    visit.delete_children();
    visit.again = None;
}

/// The worker closed its run: what it says is the end.
pub(super) fn failed(visit: &mut Visit<'_>, report: &LoadReport) {
    visit.status.take_figures(report);
    cancelled(visit, &report.reason, &report.message);
}

/// The load is over: what is left of its children goes.
pub(super) fn settle(visit: &mut Visit<'_>) {
    visit.delete_children();
    if visit.status.observed_generation != visit.generation() {
        restate(visit);
    }
}

/// The same end, said of the newest spec.
fn restate(visit: &mut Visit<'_>) {
    let generation = visit.generation();
    for condition in &mut visit.status.conditions {
        condition.observed_generation = generation;
    }
}

/// A CANCELLED load, or one that was only looked at, was edited: the next run, with its time before it.
pub(super) fn start_again(visit: &mut Visit<'_>) {
    let status = visit.facts.status();
    visit.delete_children();
    visit.status = longshore_crds::LoadJobStatus {
        conditions: status.conditions,
        state: status.state,
        label: status.label,
        run: Some(status.run.unwrap_or(0).saturating_add(1)),
        create_time: status.create_time,
        ..longshore_crds::LoadJobStatus::default()
    };
    visit.execution = LoadExecution {
        generation: visit.generation(),
        // After a dry run an earlier run may still be open: its worker on a lost node can commit yet.
        open_run: visit.execution.open_run,
        volume_epoch: visit.execution.volume_epoch,
        ..LoadExecution::default()
    };
    visit.stands(LoadState::Pending, reasons::SPEC_CHANGED, "the spec was changed: the next run starts");
    visit.again = Some(SOON);
}
