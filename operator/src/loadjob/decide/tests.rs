//! One visit at a time: what is said and done in each situation.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use longshore_crds::{
    ClosingOutcome, LOAD_REPORT_VERSION, LoadCounts, LoadJob, LoadReport, LoadState, LoadTimes, Outcome,
    conditions, exit,
};

use super::super::facts::{Child, Facts, Hold, JobEnd, JobFacts, PodFacts, TableFacts};
use super::{Action, Decision, decide};
use crate::events::EventType;
use crate::pod::TableRef;
use crate::progress::Figures;
use crate::seen::Exit;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A LoadJob that nobody has visited, and all that it needs.
pub(super) fn facts() -> Facts {
    let job: LoadJob = serde_json::from_value(serde_json::json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "LoadJob",
        "metadata": {"name": "j", "namespace": "n", "uid": "u", "generation": 1},
        "spec": {"table": "t", "label": "l", "sources": [{"paths": ["s3://b/k"]}], "timeoutSeconds": 100},
    }))
    .unwrap();
    let volume = TableRef {
        name: "t".to_owned(),
        uid: "t".to_owned(),
        claim: "table-t".to_owned(),
        sub_path: None,
        volume_epoch: 2,
        one_node: true,
        service_accounts: Vec::new(),
    };
    Facts::childless(job, TableFacts { volume: Some(volume), hold: None }, now(), 30)
}

/// Writes the status down and decides again some seconds later.
pub(super) fn then(facts: &mut Facts, decision: Decision, seconds: i64) -> Decision {
    facts.job.status = Some(decision.status);
    facts.now = facts.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
    decide(facts)
}

pub(super) fn load_job() -> JobFacts {
    JobFacts {
        name: "j-load".to_owned(),
        uid: "job".to_owned(),
        epoch: 2,
        memory_limit: Some("2Gi".to_owned()),
        ..JobFacts::default()
    }
}

pub(super) fn running() -> PodFacts {
    PodFacts {
        name: "pod".to_owned(),
        uid: "pod".to_owned(),
        node: Some("node-1".to_owned()),
        started: true,
        ..PodFacts::default()
    }
}

pub(super) fn ended(code: i32, message: &str) -> PodFacts {
    let exit = Exit { code, out_of_memory: false, message: message.to_owned() };
    PodFacts { ended: true, exit: Some(exit), ..running() }
}

pub(super) fn report(outcome: Outcome, edit: impl FnOnce(&mut LoadReport)) -> String {
    let mut report = LoadReport {
        version: LOAD_REPORT_VERSION,
        label: "l".to_owned(),
        run: 1,
        attempt: 1,
        outcome,
        exit_code: exit::LOADED,
        reason: "Loaded".to_owned(),
        message: String::new(),
        counts: LoadCounts { scan_rows: 10, sink_rows: 10, file_number: 1, ..LoadCounts::default() },
        closed: false,
        newest_run: None,
        table_version: Some(3),
        rejected_record_path: None,
        first_errors: Vec::new(),
        skipped_files: Vec::new(),
        dry_run: None,
        times: LoadTimes::default(),
        report_path: None,
        truncated: false,
    };
    edit(&mut report);
    report.termination_message().unwrap()
}

/// A LoadJob whose Job was just made.
fn started() -> Facts {
    let mut facts = facts();
    let first = decide(&facts);
    let second = then(&mut facts, first, 1);
    facts.job.status = Some(second.status);
    facts.load = Child::Present(load_job());
    facts
}

/// A LoadJob whose pod runs.
pub(super) fn loading() -> Facts {
    let mut facts = started();
    facts.load_pods = vec![running()];
    let decision = decide(&facts);
    facts.job.status = Some(decision.status);
    facts
}

/// State, and the conditions that hold with their reason.
fn said(decision: &Decision) -> (LoadState, String) {
    let holding = decision.status.conditions.iter().filter(|condition| condition.status == "True");
    let holding: Vec<_> = holding.map(|c| format!("{}={}", c.type_, c.reason)).collect();
    (decision.status.state.unwrap(), holding.join(" "))
}

pub(super) fn message(decision: &Decision) -> String {
    let holding = decision.status.conditions.iter().find(|condition| condition.status == "True");
    holding.unwrap().message.clone()
}

#[track_caller]
pub(super) fn assert_said(decision: &Decision, state: LoadState, conditions: &str) {
    assert_eq!(said(decision), (state, conditions.to_owned()), "{:#?}", decision.status);
}

#[test]
fn the_first_visit_sets_every_condition_and_the_second_starts_the_run() {
    let mut facts = facts();
    let first = decide(&facts);
    assert_said(&first, LoadState::Pending, "Reconciling=Pending");
    assert_eq!(first.status.conditions.len(), conditions::OF_LOAD_JOB.len());
    assert!(first.status.conditions.iter().all(|condition| condition.observed_generation == Some(1)));
    assert_eq!((first.status.observed_generation, &first.actions), (Some(1), &vec![]));
    let second = then(&mut facts, first, 1);
    assert_said(&second, LoadState::Loading, "Reconciling=Starting");
    // The run and its digest stand in the status before its Job is made.
    assert_eq!(second.actions, [Action::MakeRequest, Action::MakeLoadJob]);
    let execution = second.status.execution.as_ref().unwrap();
    assert_eq!((second.status.run, execution.open_run), (Some(1), Some(1)));
    assert_eq!(execution.request_digest.as_ref().unwrap().len(), 64);
    assert_eq!(execution.deadline.as_deref(), Some("2026-01-01T00:01:41Z"));
    assert_eq!(second.notes[0].type_, EventType::Normal);
    // Killed between the status and the Job: the next visit makes it.
    let third = then(&mut facts, second, 1);
    assert_eq!(third.actions, [Action::MakeRequest, Action::MakeLoadJob]);
}

#[test]
fn what_is_not_there_yet_is_waited_for_and_never_stalled() {
    let mut facts = facts();
    facts.table.hold = Some(Hold::new("TableNotFound", "there is no Table t"));
    let first = decide(&facts);
    let second = then(&mut facts, first, 1);
    assert_said(&second, LoadState::Pending, "Reconciling=TableNotFound");
    assert!(second.actions.is_empty() && second.status.execution.as_ref().unwrap().open_run.is_none());
}

#[test]
fn the_younger_of_two_with_one_label_is_stalled() {
    let mut facts = facts();
    facts.twin = Some("older".to_owned());
    let first = decide(&facts);
    let second = then(&mut facts, first, 1);
    assert_said(&second, LoadState::Pending, "Stalled=LabelInUse");
    assert!(message(&second).contains("LoadJob older"), "{}", message(&second));
    facts.twin = None;
    let third = then(&mut facts, second, 1);
    assert_said(&third, LoadState::Loading, "Reconciling=Starting");
}

#[test]
fn what_an_edit_must_mend_is_stalled() {
    let mut facts = facts();
    facts.invalid = Some(Hold::new("ServiceAccountNotAllowed", "no"));
    let first = decide(&facts);
    let second = then(&mut facts, first, 1);
    assert_said(&second, LoadState::Pending, "Stalled=ServiceAccountNotAllowed");
    assert_eq!(second.notes[0].type_, EventType::Warning);
}

#[test]
fn a_load_goes_from_loading_over_committed_to_finished() {
    let mut facts = loading();
    facts.figures = Some(Figures {
        bytes_total: 100,
        bytes_read: 39,
        rows_read: 4,
        rows_loaded: 4,
        ..Figures::default()
    });
    let decision = decide(&facts);
    assert_said(&decision, LoadState::Loading, "Reconciling=Loading");
    assert_eq!(decision.status.progress.as_deref(), Some("LOAD:39%"));
    assert_eq!((decision.status.scan_rows, decision.status.sink_rows), (Some(4), Some(4)));
    facts.figures = None;
    facts.load_pods = vec![ended(0, &report(Outcome::Loaded, |_| {}))];
    let committed = then(&mut facts, decision, 1);
    assert_said(&committed, LoadState::Committed, "Reconciling=Committed");
    assert!(committed.actions.is_empty());
    let finished = then(&mut facts, committed, 1);
    assert_said(&finished, LoadState::Finished, "Complete=Loaded Finished=Loaded");
    assert_eq!(finished.status.progress.as_deref(), Some("LOAD:100%"));
    assert_eq!((finished.status.table_version, finished.status.sink_rows), (Some(3), Some(10)));
    assert_eq!(finished.actions, [Action::DeleteLoad]);
    assert_eq!(finished.status.execution.as_ref().unwrap().open_run, None);
    // Once more: the same children are deleted, and the status is the same.
    let again = then(&mut facts, finished.clone(), 100);
    assert_eq!((again.status, again.actions), (finished.status, vec![Action::DeleteLoad]));
}

#[test]
fn filtered_rows_are_said() {
    let mut facts = loading();
    let message = report(Outcome::Loaded, |report| report.counts.filtered_rows = 2);
    facts.load_pods = vec![ended(0, &message)];
    let committed = decide(&facts);
    let finished = then(&mut facts, committed, 1);
    assert_said(
        &finished,
        LoadState::Finished,
        "Complete=LoadedWithFilteredRows Finished=LoadedWithFilteredRows",
    );
}

#[test]
fn a_label_that_is_loaded_ends_with_the_first_figures() {
    let mut facts = loading();
    facts.load_pods = vec![ended(0, &report(Outcome::AlreadyLoaded, |_| {}))];
    let committed = decide(&facts);
    let finished = then(&mut facts, committed, 1);
    assert_said(&finished, LoadState::Finished, "Complete=Loaded Finished=Loaded");
    assert!(message(&finished).contains("was loaded before"), "{}", message(&finished));
}

#[test]
fn a_failure_for_good_ends_only_with_the_closing_claim() {
    let failed = |closed| {
        report(Outcome::Failed, |report| {
            report.reason = "DataQuality".to_owned();
            report.message = "2 of 10 rows do not fit".to_owned();
            report.closed = closed;
        })
    };
    let mut facts = loading();
    facts.load_pods = vec![ended(65, &failed(true))];
    let decision = decide(&facts);
    assert_said(
        &decision,
        LoadState::Cancelled,
        "Failed=DataQuality Finished=DataQuality Stalled=DataQuality",
    );
    let error = decision.status.error.as_ref().unwrap();
    assert_eq!(
        (error.error_type.as_str(), error.message.as_str()),
        ("DataQuality", "2 of 10 rows do not fit")
    );
    assert_eq!(decision.status.sink_rows, Some(10));
    // Without it the run is closed first.
    facts.load_pods = vec![ended(65, &failed(false))];
    facts.load = Child::Present(JobFacts { ended: failed_job(), ..load_job() });
    let decision = decide(&facts);
    assert_said(&decision, LoadState::Loading, "Reconciling=Resolving");
    let closing = decision.status.execution.as_ref().unwrap().closing.as_ref().unwrap();
    assert_eq!((closing.outcome, closing.reason.as_str()), (ClosingOutcome::Failed, "DataQuality"));
}

pub(super) fn failed_job() -> Option<JobEnd> {
    Some(JobEnd::Failed { message: "Job has reached the specified backoff limit".to_owned() })
}

#[test]
fn a_report_of_another_run_or_label_says_nothing() {
    for edit in [
        (|report: &mut LoadReport| report.run = 2) as fn(&mut LoadReport),
        |report| report.label = "other".to_owned(),
        |report| report.version = LOAD_REPORT_VERSION + 1,
    ] {
        let mut facts = loading();
        facts.load_pods = vec![ended(0, &report(Outcome::Loaded, edit))];
        assert_eq!(decide(&facts).status.state, Some(LoadState::Loading));
    }
}

#[test]
fn a_passed_run_goes_on_with_the_next_number() {
    let mut facts = loading();
    let message = report(Outcome::Failed, |report| {
        report.reason = "RunPassed".to_owned();
        report.newest_run = Some(4);
    });
    facts.load_pods = vec![ended(67, &message)];
    let passed = decide(&facts);
    assert_said(&passed, LoadState::Pending, "Reconciling=RunPassed");
    assert_eq!((passed.status.run, &passed.actions), (Some(5), &vec![Action::DeleteLoad]));
    facts.load = Child::Absent;
    facts.load_pods = Vec::new();
    let started = then(&mut facts, passed, 1);
    assert_said(&started, LoadState::Loading, "Reconciling=Starting");
    assert_eq!(started.status.execution.as_ref().unwrap().open_run, Some(5));
}

/// Cancels a load whose pod runs.
fn cancelling() -> (Facts, Decision) {
    let mut facts = loading();
    facts.job.spec.cancel = true;
    facts.job.metadata.generation = Some(2);
    let decision = decide(&facts);
    (facts, decision)
}

#[test]
fn cancel_stops_the_pods_then_closes_the_run_then_says_so() {
    let (mut facts, decision) = cancelling();
    assert_said(&decision, LoadState::Loading, "Reconciling=Cancelling");
    assert_eq!(decision.actions, [Action::SuspendLoad]);
    facts.load = Child::Present(JobFacts { suspended: true, ..load_job() });
    // The pod has its grace and half a minute more.
    let waiting = then(&mut facts, decision, 59);
    assert_eq!((waiting.status.state, waiting.actions.as_slice()), (Some(LoadState::Loading), [].as_slice()));
    facts.load_pods = Vec::new();
    let closing = then(&mut facts, waiting, 1);
    assert_eq!(closing.actions, [Action::MakeResolveJob]);
    facts.resolve = Child::Present(JobFacts {
        name: "j-resolve".to_owned(),
        uid: "r".to_owned(),
        epoch: 2,
        ..JobFacts::default()
    });
    let waiting = then(&mut facts, closing, 1);
    assert_said(&waiting, LoadState::Loading, "Reconciling=Cancelling");
    let closed = report(Outcome::Failed, |report| {
        report.attempt = 0;
        report.closed = true;
        report.reason = "UserCancelled".to_owned();
    });
    facts.resolve_pods = vec![ended(0, &closed)];
    let cancelled = then(&mut facts, waiting, 1);
    assert_said(
        &cancelled,
        LoadState::Cancelled,
        "Failed=UserCancelled Finished=UserCancelled Stalled=UserCancelled",
    );
    assert_eq!(cancelled.actions, [Action::DeleteLoad, Action::DeleteResolve]);
    // It stays so, until cancel is taken back: then the next run starts.
    let still = then(&mut facts, cancelled.clone(), 1);
    assert_eq!(still.status, cancelled.status);
    facts.job.spec.cancel = false;
    facts.job.metadata.generation = Some(3);
    let again = then(&mut facts, still, 1);
    assert_said(&again, LoadState::Pending, "Reconciling=SpecChanged");
    assert_eq!((again.status.run, again.status.active_seconds), (Some(2), None));
}

#[test]
fn pods_that_do_not_end_are_not_waited_for_without_end() {
    let (mut facts, decision) = cancelling();
    facts.load = Child::Present(JobFacts { suspended: true, ..load_job() });
    let closing = then(&mut facts, decision, 60);
    assert_eq!(closing.actions, [Action::MakeResolveJob]);
}

#[test]
fn a_load_that_was_committed_is_finished_whoever_cancels_it() {
    let (mut facts, decision) = cancelling();
    facts.load_pods = vec![ended(0, &report(Outcome::Loaded, |_| {}))];
    let committed = then(&mut facts, decision, 1);
    assert_said(&committed, LoadState::Committed, "Reconciling=Committed");
    let finished = then(&mut facts, committed, 1);
    assert_eq!(finished.status.state, Some(LoadState::Finished));
}

#[test]
fn without_a_run_a_cancel_is_the_end_at_once() {
    let mut facts = facts();
    facts.job.spec.cancel = true;
    let first = decide(&facts);
    let cancelled = then(&mut facts, first, 1);
    assert_eq!((cancelled.status.state, cancelled.actions.len()), (Some(LoadState::Cancelled), 0));
}

#[test]
fn while_the_closing_pod_cannot_run_the_outcome_is_unknown() {
    let (mut facts, decision) = cancelling();
    facts.load = Child::Present(JobFacts { suspended: true, ..load_job() });
    facts.load_pods = Vec::new();
    facts.table = TableFacts { volume: None, hold: Some(Hold::new("TableNotFound", "there is no Table t")) };
    let unknown = then(&mut facts, decision, 1);
    assert_said(&unknown, LoadState::Loading, "Reconciling=OutcomeUnknown");
    assert!(message(&unknown).contains("there is no Table t"), "{}", message(&unknown));
    let volume = self::facts().table;
    facts.table = volume;
    facts.resolve = Child::Present(JobFacts { uid: "r".to_owned(), epoch: 2, ..JobFacts::default() });
    facts.resolve_pods = vec![PodFacts {
        started: false,
        hold: Some(Hold::new("ImagePullFailed", "no such image")),
        ..running()
    }];
    let unknown = then(&mut facts, unknown, 1);
    assert!(message(&unknown).contains("ImagePullFailed: no such image"), "{}", message(&unknown));
    // A closing Job that fails is made again.
    facts.resolve = Child::Present(JobFacts {
        ended: failed_job(),
        uid: "r".to_owned(),
        epoch: 2,
        ..JobFacts::default()
    });
    facts.resolve_pods = vec![ended(70, "the volume is full")];
    let unknown = then(&mut facts, unknown, 1);
    assert_eq!(unknown.actions, [Action::DeleteResolve]);
    assert_said(&unknown, LoadState::Loading, "Reconciling=OutcomeUnknown");
}

#[test]
fn time_counts_while_it_works_and_closes_the_run_when_it_is_over() {
    let mut facts = loading();
    let before = decide(&facts);
    let later = then(&mut facts, before, 40);
    assert_eq!(later.status.active_seconds, Some(40));
    let over = then(&mut facts, later, 60);
    assert_said(&over, LoadState::Loading, "Reconciling=TimingOut");
    let closing = over.status.execution.as_ref().unwrap().closing.as_ref().unwrap();
    assert_eq!((closing.outcome, closing.reason.as_str()), (ClosingOutcome::TimedOut, "Timeout"));
    assert_eq!(over.actions, [Action::SuspendLoad]);
}

#[test]
fn a_held_pod_is_pending_and_its_time_stands_still() {
    let mut facts = started();
    facts.load_pods = vec![PodFacts {
        started: false,
        hold: Some(Hold::new("SecretMissing", "secret \"aws\" not found")),
        ..running()
    }];
    let held = decide(&facts);
    assert_said(&held, LoadState::Pending, "Reconciling=SecretMissing");
    assert_eq!(held.notes[0].type_, EventType::Warning);
    let active = held.status.active_seconds;
    let later = then(&mut facts, held, 20);
    assert_eq!(later.status.active_seconds, active);
    facts.load_pods = vec![running()];
    let loading = then(&mut facts, later, 1);
    assert_said(&loading, LoadState::Loading, "Reconciling=Loading");
    assert_eq!(loading.status.run, Some(1));
}

#[test]
fn a_held_load_takes_a_mended_spec_and_a_fresh_deadline() {
    let mut facts = started();
    facts.load_pods =
        vec![PodFacts { started: false, hold: Some(Hold::new("SecretMissing", "no")), ..running() }];
    let held = decide(&facts);
    let mut edited = facts.clone();
    edited.job.metadata.generation = Some(2);
    let next = then(&mut edited, held.clone(), 1);
    assert_said(&next, LoadState::Pending, "Reconciling=SpecChanged");
    assert_eq!((next.status.run, next.actions), (Some(2), vec![Action::DeleteLoad]));
    // Its worker would have less than half of its time left.
    let next = then(&mut facts, held, 60);
    assert_eq!((next.status.run, next.actions), (Some(2), vec![Action::DeleteLoad]));
}

#[test]
fn a_kill_for_memory_is_said_and_the_second_one_ends_the_run() {
    let killed = || {
        let exit = Exit { code: 137, out_of_memory: true, message: String::new() };
        PodFacts { exit: Some(exit), ended: true, ..running() }
    };
    let mut facts = loading();
    facts.load_pods = vec![killed(), running()];
    let first = decide(&facts);
    assert_said(&first, LoadState::Loading, "Reconciling=OutOfMemory");
    assert!(
        message(&first).contains("2Gi; raise spec.worker.resources.limits.memory"),
        "{}",
        message(&first)
    );
    facts.load_pods = vec![killed(), killed()];
    let second = then(&mut facts, first, 1);
    assert_said(&second, LoadState::Loading, "Reconciling=Resolving");
    let closing = second.status.execution.as_ref().unwrap().closing.as_ref().unwrap();
    assert_eq!((closing.outcome, closing.reason.as_str()), (ClosingOutcome::Failed, "OutOfMemory"));
}

#[test]
fn a_job_that_was_deleted_is_not_made_again() {
    let mut facts = loading();
    facts.load = Child::Absent;
    facts.load_pods = Vec::new();
    let decision = decide(&facts);
    let closing = decision.status.execution.as_ref().unwrap().closing.as_ref().unwrap();
    assert_eq!((closing.outcome, closing.reason.as_str()), (ClosingOutcome::NextRun, "JobDeleted"));
    let resolving = then(&mut facts, decision, 1);
    assert_eq!(resolving.actions, [Action::MakeResolveJob]);
    facts.resolve = Child::Present(JobFacts { uid: "r".to_owned(), epoch: 2, ..JobFacts::default() });
    let closed = report(Outcome::Failed, |report| {
        report.attempt = 0;
        report.closed = true;
    });
    facts.resolve_pods = vec![ended(0, &closed)];
    let next = then(&mut facts, resolving, 1);
    assert_said(&next, LoadState::Pending, "Reconciling=JobDeleted");
    assert_eq!((next.status.run, next.status.execution.as_ref().unwrap().open_run), (Some(2), None));
}

#[test]
fn a_job_without_a_word_is_resolved_and_the_log_decides() {
    let mut facts = loading();
    facts.load = Child::Present(JobFacts { ended: failed_job(), ..load_job() });
    facts.load_pods = vec![ended(137, "")];
    let resolving = decide(&facts);
    assert_said(&resolving, LoadState::Loading, "Reconciling=Resolving");
    let closing = resolving.status.execution.as_ref().unwrap().closing.clone().unwrap();
    assert_eq!(closing.reason, "WorkerFailed");
    assert!(
        closing.message.contains("exit code 137") && closing.message.contains("backoff limit"),
        "{closing:?}"
    );
    facts.resolve = Child::Present(JobFacts { uid: "r".to_owned(), epoch: 2, ..JobFacts::default() });
    facts.resolve_pods = vec![ended(0, &report(Outcome::AlreadyLoaded, |_| {}))];
    let committed = then(&mut facts, resolving, 1);
    assert_said(&committed, LoadState::Committed, "Reconciling=Committed");
    let finished = then(&mut facts, committed, 1);
    assert_said(&finished, LoadState::Finished, "Complete=Loaded Finished=Loaded");
}

#[test]
fn a_lost_node_raises_the_epoch_and_the_next_run_follows() {
    let mut facts = loading();
    let gone_by = |seconds: i64| facts.now.saturating_sub(SignedDuration::from_secs(seconds)).unwrap();
    let (recent, long_ago) = (gone_by(59), gone_by(60));
    facts.load_pods = vec![PodFacts { gone_by: Some(recent), ..running() }];
    assert_eq!(decide(&facts).status.run, Some(1));
    facts.load_pods = vec![PodFacts { gone_by: Some(long_ago), ..running() }];
    let lost = decide(&facts);
    assert_said(&lost, LoadState::Pending, "Reconciling=NodeLost");
    let text = message(&lost);
    assert!(text.contains("node-1") && text.contains("node.kubernetes.io/out-of-service"), "{text}");
    assert_eq!(lost.actions, [Action::RaiseEpoch { to: 3 }, Action::DeleteLoad]);
    facts.load = Child::Absent;
    facts.load_pods = Vec::new();
    // Until the Table says the new epoch, no pod starts beside the lost one.
    let waits = then(&mut facts, lost, 1);
    assert_said(&waits, LoadState::Pending, "Reconciling=NodeLost");
    assert_eq!(waits.actions, [Action::RaiseEpoch { to: 3 }]);
    facts.table.volume.as_mut().unwrap().volume_epoch = 3;
    let started = then(&mut facts, waits, 1);
    assert_said(&started, LoadState::Loading, "Reconciling=NodeLost");
    assert_eq!(started.status.run, Some(2));
    // Which node it is, and how its volume is freed, is said until the next pod has begun.
    facts.load = Child::Present(JobFacts { epoch: 3, ..load_job() });
    facts.load_pods = vec![PodFacts {
        started: false,
        hold: Some(Hold::new("Unschedulable", "0/2 nodes are available")),
        ..running()
    }];
    let held = then(&mut facts, started, 1);
    assert_said(&held, LoadState::Pending, "Reconciling=NodeLost");
    assert!(message(&held).contains("node.kubernetes.io/out-of-service"), "{}", message(&held));
    facts.load_pods = vec![running()];
    let loading = then(&mut facts, held, 1);
    assert_said(&loading, LoadState::Loading, "Reconciling=Loading");
}

#[test]
fn an_end_is_said_again_of_a_newer_spec_only_where_it_may_be_edited() {
    let mut facts = loading();
    facts.load_pods = vec![ended(0, &report(Outcome::Loaded, |_| {}))];
    let committed = decide(&facts);
    let finished = then(&mut facts, committed, 1);
    facts.load = Child::Absent;
    facts.job.metadata.generation = Some(2);
    let again = then(&mut facts, finished, 1);
    assert_eq!((again.status.state, again.status.observed_generation), (Some(LoadState::Finished), Some(2)));
    assert!(again.status.conditions.iter().all(|condition| condition.observed_generation == Some(2)));
    assert!(again.actions.is_empty() && again.notes.is_empty());
}

#[test]
fn a_cancelled_load_whose_spec_was_changed_starts_again() {
    let mut facts = loading();
    let failed = report(Outcome::Failed, |report| {
        report.reason = "NoSuchBucket".to_owned();
        report.closed = true;
    });
    facts.load_pods = vec![ended(66, &failed)];
    let cancelled = decide(&facts);
    facts.load = Child::Absent;
    facts.load_pods = Vec::new();
    facts.job.metadata.generation = Some(2);
    let again = then(&mut facts, cancelled, 1);
    assert_said(&again, LoadState::Pending, "Reconciling=SpecChanged");
    assert_eq!((again.status.run, again.status.error.as_ref()), (Some(2), None));
    let started = then(&mut facts, again, 1);
    assert_eq!((started.status.state, started.status.run), (Some(LoadState::Loading), Some(2)));
    assert_eq!(facts.job.name_any(), "j");
}

#[test]
fn the_story_is_told_in_a_few_lines() {
    let mut facts = facts();
    let mut lines = Vec::new();
    let mut decision = decide(&facts);
    for step in 0..6 {
        lines.extend(decision.notes.iter().map(|note| note.reason.clone()));
        match step {
            1 => facts.load = Child::Present(load_job()),
            2 => facts.load_pods = vec![running()],
            3 => facts.load_pods = vec![ended(0, &report(Outcome::Loaded, |_| {}))],
            _ => {}
        }
        decision = then(&mut facts, decision, 1);
    }
    assert_eq!(lines, ["Starting", "Loading", "Loaded"]);
}

#[test]
fn the_time_of_a_condition_is_kept_while_it_holds() {
    let mut facts = loading();
    let first = decide(&facts);
    let second = then(&mut facts, first.clone(), 30);
    let since = |decision: &Decision| {
        decision.status.conditions.iter().map(|c| c.last_transition_time.clone()).collect::<Vec<_>>()
    };
    assert_eq!(since(&first), since(&second));
}
