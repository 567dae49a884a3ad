//! A run is being closed: its pods end, then a small pod takes the closing claim and reads the log. Only what
//! that pod reports is an outcome.

use longshore_crds::{Closing, ClosingOutcome, LoadReport, LoadState, Outcome, reasons};

use super::super::facts::{Child, Hold, JobFacts};
use super::visit::{SOON, Visit, WAITING, parse};
use super::{Action, end, run};

/// Seconds beyond the grace that pods of the loading Job are waited for.
const PATIENCE_SECONDS: i64 = 30;

/// One step of closing.
pub(super) fn step(visit: &mut Visit<'_>) {
    let facts = visit.facts;
    let Some(closing) = visit.execution.closing.clone() else { return };
    let reports = [facts.report(&facts.resolve_pods), facts.report(&facts.load_pods)];
    for report in reports.iter().flatten() {
        if follow(visit, &closing, report) {
            return;
        }
    }
    visit.again = Some(SOON);
    if facts.load.present().is_some_and(|job| !job.suspended && job.ended.is_none() && !job.deleting) {
        visit.act(Action::SuspendLoad);
    }
    if let Some(job) = facts.load.present()
        && let Some(pod) = facts.lost(&facts.load_pods)
    {
        let least = visit.execution.volume_epoch.unwrap_or(0);
        if least <= job.epoch {
            run::raise_epoch(visit, job.epoch);
        }
        tracing::debug!(pod = pod.name, "its node is lost; the closing pod runs beside it");
    } else if waits_for_pods(visit, &closing) {
        return;
    }
    with_resolve_job(visit);
}

/// What a report means for the run that is being closed; false: nothing.
fn follow(visit: &mut Visit<'_>, closing: &Closing, report: &LoadReport) -> bool {
    match report.outcome {
        Outcome::Loaded | Outcome::AlreadyLoaded => end::loaded(visit, report),
        Outcome::Failed if report.closed => closed(visit, closing, report),
        Outcome::Failed if report.newest_run.is_some() => passed(visit, report),
        Outcome::Failed | Outcome::Unknown | Outcome::DryRun => return false,
    }
    true
}

/// The closing claim stands.
fn closed(visit: &mut Visit<'_>, closing: &Closing, report: &LoadReport) {
    visit.execution.open_run = None;
    if closing.outcome == ClosingOutcome::NextRun && report.attempt == 0 {
        return visit.next_run(0, &closing.reason, &format!("{}; the next run starts", closing.message));
    }
    if report.attempt > 0 {
        // The worker itself failed for good meanwhile: that is the end, and it has the figures.
        return end::failed(visit, report);
    }
    let reason = closing.reason.clone();
    end::cancelled(visit, &reason, &closing.message);
}

/// A higher run stands in the log: it is that one which must be closed.
fn passed(visit: &mut Visit<'_>, report: &LoadReport) {
    let newest = report.newest_run.unwrap_or_default();
    let (closing, active_since) = (visit.execution.closing.clone(), visit.execution.active_since.clone());
    if newest <= visit.run() {
        // A worker found this very run closed: the closing pod says so itself.
        return with_resolve_job(visit);
    }
    let state = visit.state().unwrap_or(LoadState::Pending);
    visit.delete_children();
    visit.status.run = Some(newest);
    visit.execution.open_run = Some(newest);
    visit.execution.closing = closing;
    visit.execution.active_since = active_since;
    let message = format!("run {newest} of this label stands in the table's log and is closed as well");
    visit.stands(state, reasons::RESOLVING, &message);
    visit.again = Some(SOON);
}

/// Pods that end get their time to end; true: they have it still.
fn waits_for_pods(visit: &mut Visit<'_>, closing: &Closing) -> bool {
    let remaining = visit.facts.remaining(&visit.facts.load_pods).len();
    let since = parse(&closing.since).unwrap_or(visit.facts.now);
    let waited = visit.facts.now.duration_since(since).as_secs();
    if remaining == 0 || waited >= visit.facts.grace_seconds + PATIENCE_SECONDS {
        return false;
    }
    visit.stays();
    true
}

fn with_resolve_job(visit: &mut Visit<'_>) {
    let facts = visit.facts;
    let least = visit.execution.volume_epoch.unwrap_or(0);
    match &facts.resolve {
        Child::Foreign => {
            let message = "a Job of the name that closing this run needs belongs to another owner; delete it";
            unknown(visit, message);
        }
        Child::Absent => make(visit, least),
        Child::Present(job) if job.deleting => visit.stays(),
        Child::Present(job) if job.epoch < least => {
            // Its pod could only run beside the lost one.
            visit.act(Action::DeleteResolve);
            visit.stays();
        }
        Child::Present(job) => with_job(visit, job),
    }
}

fn make(visit: &mut Visit<'_>, least: u32) {
    let table = &visit.facts.table;
    match &table.volume {
        Some(volume) if volume.volume_epoch < least => {
            visit.act(Action::RaiseEpoch { to: least });
            visit.stays();
        }
        Some(_) => {
            visit.act(Action::MakeResolveJob);
            visit.stays();
        }
        None => {
            let cause = table.hold.as_ref().map_or("its volume is not known", |hold| hold.message.as_str());
            unknown(visit, cause);
        }
    }
}

fn with_job(visit: &mut Visit<'_>, job: &JobFacts) {
    let facts = visit.facts;
    if facts.lost(&facts.resolve_pods).is_some() {
        run::raise_epoch(visit, job.epoch);
        visit.act(Action::DeleteResolve);
        return unknown(visit, "the node of the pod that closes the run is lost");
    }
    if job.ended.is_some() {
        // Without a report that decides it has achieved nothing: another one takes its place.
        visit.act(Action::DeleteResolve);
        let cause = last_words(visit).unwrap_or_else(|| "it ended without a word".to_owned());
        return unknown(visit, &cause);
    }
    let newest = facts.resolve_pods.last();
    let hold = match newest {
        Some(pod) => pod.hold.clone(),
        None => job.refused.clone().map(|message| Hold::new(reasons::POD_REFUSED, message)),
    };
    match (hold, last_words(visit)) {
        (Some(hold), _) => unknown(visit, &format!("{}: {}", hold.reason, hold.message)),
        (None, Some(words)) => unknown(visit, &words),
        (None, None) => visit.stays(),
    }
}

/// What the newest closing pod that ended has said.
fn last_words(visit: &Visit<'_>) -> Option<String> {
    let exit = visit.facts.resolve_pods.iter().rev().find_map(|pod| pod.exit.as_ref())?;
    let said = visit.facts.report(&visit.facts.resolve_pods).map(|report| report.message);
    let said = said.unwrap_or_else(|| exit.message.clone());
    Some(format!("exit code {}: {said}", exit.code))
}

/// Nobody knows how the run ended until the closing pod has run.
fn unknown(visit: &mut Visit<'_>, cause: &str) {
    let state = visit.state().unwrap_or(LoadState::Pending);
    let message = format!("how the run ended is not known until a pod can close it: {cause}");
    visit.stands(state, reasons::OUTCOME_UNKNOWN, &message);
    visit.again = Some(WAITING);
}
