//! A run is under way: its report, what ends it, and how it goes on.
//!
//! A dry run claims nothing, so none of this needs a closing claim: its Job is deleted, and that is all.

use std::time::Duration;

use longshore_crds::{ClosingOutcome, LoadReport, LoadState, Outcome, reasons};

use super::super::facts::{Child, Hold, JobEnd, JobFacts, PodFacts};
use super::visit::{SOON, Visit, WAITING, parse};
use super::{Action, admit, end};

/// Kills for memory after which another pod would only be killed as well.
const OUT_OF_MEMORY_LIMIT: usize = 2;

/// One step of a run.
pub(super) fn step(visit: &mut Visit<'_>) {
    let facts = visit.facts;
    let report = facts.report(&facts.load_pods);
    if let Some(report) = &report
        && follow(visit, report)
    {
        return;
    }
    if facts.job.spec.cancel {
        return close(visit, ClosingOutcome::Cancelled, reasons::USER_CANCELLED, end::CANCELLED_BY_USER);
    }
    if visit.state() == Some(LoadState::Loading) && visit.seconds_left() == 0 {
        return close(visit, ClosingOutcome::TimedOut, reasons::TIMEOUT, end::TIMED_OUT);
    }
    let is_open = visit.state() == Some(LoadState::Pending) || visit.execution.dry_run;
    if is_open && visit.generation() != visit.execution.generation {
        // No container has started, or it only looks: the spec is not locked, and was mended.
        return visit.next_run(0, reasons::SPEC_CHANGED, "the spec was changed: the next run starts");
    }
    match &facts.load {
        Child::Foreign => {
            visit.stays();
            let message = "a Job of the name that this run needs belongs to another owner; delete it";
            visit.stands(LoadState::Pending, reasons::NAME_TAKEN, message);
            visit.again = Some(WAITING * 6);
        }
        Child::Absent if visit.execution.job_uid.is_none() => make(visit),
        Child::Absent => deleted(visit),
        Child::Present(job) if is_another(visit, job) || job.deleting => deleted(visit),
        Child::Present(job) => {
            visit.execution.job_uid = Some(job.uid.clone());
            with_job(visit, job, report.as_ref());
        }
    }
}

/// What a report decides by itself; false: nothing.
pub(super) fn follow(visit: &mut Visit<'_>, report: &LoadReport) -> bool {
    match report.outcome {
        Outcome::Loaded | Outcome::AlreadyLoaded => end::loaded(visit, report),
        Outcome::DryRun if visit.execution.dry_run => end::dry_run(visit, report),
        Outcome::Failed if report.closed => end::failed(visit, report),
        Outcome::Failed if report.newest_run.is_some() => {
            let newest = report.newest_run.unwrap_or_default();
            let message =
                format!("run {newest} of this label stands in the table's log; the next one starts");
            visit.next_run(newest.saturating_add(1), reasons::RUN_PASSED, &message);
        }
        Outcome::Failed | Outcome::Unknown | Outcome::DryRun => return false,
    }
    true
}

/// Ends the run: closed first, unless no attempt of this load was ever made.
fn close(visit: &mut Visit<'_>, outcome: ClosingOutcome, reason: &str, message: &str) {
    match outcome {
        _ if !visit.execution.dry_run => visit.close(outcome, reason, message),
        ClosingOutcome::NextRun => visit.next_run(0, reason, message),
        _ => admit::give_up(visit, outcome, reason, message),
    }
}

/// The Job was seen before and another one has its name now.
fn is_another(visit: &Visit<'_>, job: &JobFacts) -> bool {
    visit.execution.job_uid.as_ref().is_some_and(|uid| *uid != job.uid)
}

/// The run stands in the status and was not made yet: a crash came between, or this is the visit for it.
fn make(visit: &mut Visit<'_>) {
    visit.act(Action::MakeRequest);
    visit.act(Action::MakeLoadJob);
    match visit.facts.table.hold.clone().filter(|_| visit.facts.table.volume.is_none()) {
        Some(hold) => visit.stands(LoadState::Pending, &hold.reason, &hold.message),
        None => visit.stays(),
    }
    if visit.facts.table.volume.is_none() {
        visit.actions.clear();
        visit.again = Some(WAITING);
    } else {
        visit.again = Some(SOON);
    }
}

/// Absence alone proves nothing: the run is closed and the log is read, then the next one starts.
fn deleted(visit: &mut Visit<'_>) {
    let message = "the Job of this run was deleted; what it left is read from the table's log";
    close(visit, ClosingOutcome::NextRun, reasons::JOB_DELETED, message);
}

fn with_job(visit: &mut Visit<'_>, job: &JobFacts, report: Option<&LoadReport>) {
    let facts = visit.facts;
    if let Some(pod) = facts.lost(&facts.load_pods) {
        return node_lost(visit, job, pod);
    }
    let kills = facts.load_pods.iter().filter(|pod| pod.exit.as_ref().is_some_and(|exit| exit.out_of_memory));
    let kills = kills.count();
    if kills >= OUT_OF_MEMORY_LIMIT {
        let hold = out_of_memory(job);
        return close(visit, ClosingOutcome::Failed, &hold.reason, &hold.message);
    }
    if let Some(ended) = &job.ended {
        let why = why(facts.load_pods.last(), report, ended, kills > 0, job);
        return close(visit, ClosingOutcome::Failed, &why.reason, &why.message);
    }
    let failed = last_failure(visit, report).or_else(|| (kills > 0).then(|| out_of_memory(job)));
    go_on(visit, job, failed);
}

/// What is said of a run whose Job ended without a report that decides.
fn why(
    pod: Option<&PodFacts>,
    report: Option<&LoadReport>,
    ended: &JobEnd,
    out_of_memory_once: bool,
    job: &JobFacts,
) -> Hold {
    if let Some(report) = report {
        return Hold::new(&report.reason, report.message.clone());
    }
    if out_of_memory_once {
        return out_of_memory(job);
    }
    let job_says = match ended {
        JobEnd::Complete => "its Job is complete".to_owned(),
        JobEnd::Failed { message } => message.clone(),
    };
    let exit = pod.and_then(|pod| pod.exit.as_ref());
    let pod_says = match exit {
        Some(exit) if exit.message.is_empty() => format!("the last pod ended with exit code {}", exit.code),
        Some(exit) => format!("the last pod ended with exit code {}: {}", exit.code, exit.message),
        None => "no pod has told how it ended".to_owned(),
    };
    Hold::new(reasons::WORKER_FAILED, format!("{pod_says}; {job_says}"))
}

fn out_of_memory(job: &JobFacts) -> Hold {
    let limit = job.memory_limit.as_deref().unwrap_or("its node's memory");
    let message = format!(
        "the worker was killed because it took more memory than its limit, {limit}; raise \
         spec.worker.resources.limits.memory"
    );
    Hold::new(reasons::OUT_OF_MEMORY, message)
}

/// The pod of a lost node cannot be ended: the next run starts beside it, and its claim shuts the pod out.
fn node_lost(visit: &mut Visit<'_>, job: &JobFacts, pod: &PodFacts) {
    let message = pod.lost_message();
    raise_epoch(visit, job.epoch);
    visit.next_run(0, reasons::NODE_LOST, &message);
}

/// Pods of a higher epoch need not share the node of those of a lower one.
pub(super) fn raise_epoch(visit: &mut Visit<'_>, lost: u32) {
    let to = lost.saturating_add(1).max(visit.execution.volume_epoch.unwrap_or(0));
    visit.execution.volume_epoch = Some(to);
    visit.act(Action::RaiseEpoch { to });
}

/// Why the newest pod ended, while the next one is on its way.
fn last_failure(visit: &Visit<'_>, report: Option<&LoadReport>) -> Option<Hold> {
    let newest = visit.facts.load_pods.last().filter(|pod| pod.ended)?;
    let report = report.filter(|_| newest.exit.is_some())?;
    let message = format!("{}; the next pod tries again", report.message);
    Some(Hold::new(&report.reason, message))
}

/// Nothing has ended: what the newest pod does.
fn go_on(visit: &mut Visit<'_>, job: &JobFacts, failed: Option<Hold>) {
    let facts = visit.facts;
    let pod = facts.load_pods.last().filter(|pod| !pod.ended);
    visit.again = Some(WAITING);
    match pod {
        Some(pod) if pod.started => loading(visit, pod, failed),
        Some(pod) => match &pod.hold {
            Some(hold) => held(visit, hold),
            None => starting(visit, job, failed),
        },
        None => match &job.refused {
            Some(message) => held(visit, &Hold::new(reasons::POD_REFUSED, message.clone())),
            None => starting(visit, job, failed),
        },
    }
}

fn loading(visit: &mut Visit<'_>, pod: &PodFacts, failed: Option<Hold>) {
    if let Some(figures) = &visit.facts.figures {
        visit.status.progress = Some(figures.progress());
        visit.status.scan_rows = Some(figures.rows_read);
        visit.status.scan_bytes = Some(figures.bytes_read);
        visit.status.filtered_rows = Some(figures.rows_filtered);
        visit.status.unselected_rows = visit.status.unselected_rows.or(Some(0));
        visit.status.sink_rows = Some(figures.rows_loaded);
        visit.status.file_number = Some(figures.files_total);
        visit.status.file_size = Some(figures.bytes_total);
    }
    let node = pod.node.as_deref().unwrap_or("unknown");
    let message = format!("pod {} loads on node {node}", pod.name);
    // A kill for memory is said until the load is over: the next one ends it.
    match failed.filter(|failed| failed.reason == reasons::OUT_OF_MEMORY) {
        Some(failed) => visit.stands(LoadState::Loading, &failed.reason, &failed.message),
        None => visit.stands(LoadState::Loading, reasons::LOADING, &message),
    }
    let active = visit.status.active_seconds.unwrap_or(0);
    // Short loads are followed closely, long ones at the pace of the status.
    let pace = if active < 10 { SOON } else { WAITING };
    visit.again = Some(pace.min(Duration::from_secs(visit.seconds_left().max(1))));
}

/// The pod is there or on its way, and nobody says that it is held.
fn starting(visit: &mut Visit<'_>, job: &JobFacts, failed: Option<Hold>) {
    match failed {
        Some(failed) => visit.stands(LoadState::Loading, &failed.reason, &failed.message),
        // What was held stays PENDING until its container has begun.
        None if visit.state() == Some(LoadState::Pending) || visit.follows_lost_node() => visit.stays(),
        None => {
            let message = format!("run {} starts as Job {}", visit.run(), job.name);
            visit.stands(LoadState::Loading, reasons::STARTING, &message);
        }
    }
    visit.again = Some(SOON);
}

/// The container cannot begin: the load waits, and its time stands still.
fn held(visit: &mut Visit<'_>, hold: &Hold) {
    let lost = visit.follows_lost_node().then(|| Hold::new(reasons::NODE_LOST, visit.message()));
    let said = lost.as_ref().unwrap_or(hold);
    visit.stands(LoadState::Pending, &said.reason, &said.message);
    if is_deadline_near(visit) {
        let message = "it waited so long that its deadline is near: a new run takes its place";
        visit.next_run(0, &hold.reason, message);
    }
}

/// Less than half of the time that is left lies before the deadline in the run's request.
fn is_deadline_near(visit: &Visit<'_>) -> bool {
    let Some(deadline) = visit.execution.deadline.as_deref().and_then(parse) else { return false };
    let before = deadline.duration_since(visit.facts.now).as_secs();
    before < i64::try_from(visit.seconds_left() / 2).unwrap_or(i64::MAX)
}
