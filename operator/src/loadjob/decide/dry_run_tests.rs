//! Dry runs, and what is said of files that were skipped.

use longshore_crds::{DryRunVerdict, LoadReport, LoadState, Outcome, SkippedFile, exit};

use super::super::facts::{Child, Facts, JobFacts};
use super::tests::{assert_said, ended, facts, failed_job, load_job, message, report, running, then};
use super::{Action, decide};
use crate::events::EventType;

/// A dry run whose pod runs.
fn looking() -> Facts {
    let mut facts = facts();
    facts.job.spec.dry_run = Some(longshore_crds::DryRun::default());
    let first = decide(&facts);
    let second = then(&mut facts, first, 1);
    assert_eq!(second.status.execution.as_ref().unwrap().open_run, None, "a dry run opens none");
    facts.job.status = Some(second.status);
    facts.load = Child::Present(load_job());
    facts.load_pods = vec![running()];
    facts.job.status = Some(decide(&facts).status);
    facts
}

fn verdict(exit_code: u8, reason: &str) -> impl FnOnce(&mut LoadReport) {
    move |report| {
        report.reason = "DryRun".to_owned();
        report.message = format!("dry run: the load would end with {reason}");
        report.table_version = None;
        let (reason, message) = (reason.to_owned(), "why".to_owned());
        report.dry_run = Some(DryRunVerdict { exit_code, reason, message });
    }
}

#[test]
fn a_dry_run_ends_finished_and_removing_the_field_loads() {
    let mut facts = looking();
    facts.load_pods = vec![ended(0, &report(Outcome::DryRun, verdict(exit::LOADED, "Loaded")))];
    let finished = decide(&facts);
    assert_said(&finished, LoadState::Finished, "Complete=DryRun Finished=DryRun");
    assert_eq!(finished.actions, [Action::DeleteLoad]);
    assert_eq!((finished.status.sink_rows, finished.status.table_version), (Some(10), None));
    assert_eq!((finished.status.error.as_ref(), finished.notes[0].type_), (None, EventType::Normal));
    facts.load = Child::Absent;
    facts.load_pods = Vec::new();
    let same = then(&mut facts, finished, 5);
    assert_said(&same, LoadState::Finished, "Complete=DryRun Finished=DryRun");
    facts.job.spec.dry_run = None;
    facts.job.metadata.generation = Some(2);
    let again = then(&mut facts, same, 5);
    assert_said(&again, LoadState::Pending, "Reconciling=SpecChanged");
    assert_eq!((again.status.run, again.status.sink_rows), (Some(2), None));
    let loading = then(&mut facts, again, 1);
    assert_said(&loading, LoadState::Loading, "Reconciling=Starting");
    let execution = loading.status.execution.as_ref().unwrap();
    assert_eq!((execution.open_run, execution.dry_run), (Some(2), false));
}

#[test]
fn what_a_load_would_fail_with_stands_in_the_status_of_its_dry_run() {
    let mut facts = looking();
    facts.load_pods = vec![ended(0, &report(Outcome::DryRun, verdict(exit::QUALITY, "DataQuality")))];
    let finished = decide(&facts);
    assert_said(&finished, LoadState::Finished, "Complete=DryRun Finished=DryRun");
    assert_eq!(finished.status.error.as_ref().unwrap().error_type, "DataQuality");
    assert_eq!(finished.notes[0].type_, EventType::Warning);
}

#[test]
fn a_dry_run_that_ends_otherwise_needs_no_closing_claim() {
    let mut cancelled = looking();
    cancelled.job.spec.cancel = true;
    cancelled.job.metadata.generation = Some(2);
    let decision = decide(&cancelled);
    let expected = "Failed=UserCancelled Finished=UserCancelled Stalled=UserCancelled";
    assert_said(&decision, LoadState::Cancelled, expected);
    assert_eq!(decision.actions, [Action::DeleteLoad]);

    let mut late = looking();
    late.job.status.as_mut().unwrap().active_seconds = Some(100);
    assert_said(&decide(&late), LoadState::Cancelled, "Failed=Timeout Finished=Timeout Stalled=Timeout");

    let mut failed = looking();
    let refused = report(Outcome::Failed, |report| report.reason = "TableNotFound".to_owned());
    failed.load_pods = vec![ended(68, &refused)];
    failed.load = Child::Present(JobFacts { ended: failed_job(), ..load_job() });
    let expected = "Failed=TableNotFound Finished=TableNotFound Stalled=TableNotFound";
    assert_said(&decide(&failed), LoadState::Cancelled, expected);

    let mut edited = looking();
    edited.job.metadata.generation = Some(2);
    let decision = decide(&edited);
    assert_said(&decision, LoadState::Pending, "Reconciling=SpecChanged");
    assert_eq!((decision.status.run, &decision.actions), (Some(2), &vec![Action::DeleteLoad]));

    let mut deleted = looking();
    deleted.load = Child::Absent;
    assert_said(&decide(&deleted), LoadState::Pending, "Reconciling=JobDeleted");
}

#[test]
fn a_dry_run_after_an_open_run_is_given_up_only_once_that_is_closed() {
    let mut facts = looking();
    facts.job.status.as_mut().unwrap().execution.as_mut().unwrap().open_run = Some(1);
    facts.job.spec.cancel = true;
    facts.job.metadata.generation = Some(2);
    assert_said(&decide(&facts), LoadState::Loading, "Reconciling=Cancelling");
}

#[test]
fn skipped_files_are_said() {
    let mut facts = super::tests::loading();
    let loaded = report(Outcome::Loaded, |report| {
        report.counts.skipped_files = 2;
        report.counts.filtered_rows = 1;
        report.skipped_files = vec![SkippedFile {
            file: "s3://b/bad.csv".to_owned(),
            code: "InvalidParquet".to_owned(),
            message: "why".to_owned(),
        }];
    });
    facts.load_pods = vec![ended(0, &loaded)];
    let committed = decide(&facts);
    let finished = then(&mut facts, committed, 1);
    let expected = "Complete=LoadedWithSkippedFiles Finished=LoadedWithSkippedFiles";
    assert_said(&finished, LoadState::Finished, expected);
    assert!(
        message(&finished).contains("2 files skipped (the first: s3://b/bad.csv: InvalidParquet)"),
        "{}",
        message(&finished)
    );
    assert_eq!((finished.status.skipped_files, finished.notes[0].type_), (Some(2), EventType::Warning));
}
