//! No run is under way: what is needed for one, and its start.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use longshore_crds::{ClosingOutcome, LoadRequest, LoadState, reasons};

use super::super::facts::Hold;
use super::visit::{SOON, Visit, WAITING, instant};
use super::{Action, end};
use crate::names::{Role, child_name};

/// The first visit: every condition stands, and the load is taken in.
pub(super) fn welcome(visit: &mut Visit<'_>) {
    visit.status.label = Some(visit.facts.job.label());
    visit.status.create_time = Some(instant(visit.facts.now));
    visit.status.run.get_or_insert(1);
    visit.stands(LoadState::Pending, reasons::PENDING, "");
    visit.again = Some(SOON);
}

/// Starts the run once nothing stands in its way.
pub(super) fn step(visit: &mut Visit<'_>) {
    let facts = visit.facts;
    if facts.job.spec.cancel {
        return give_up(visit, ClosingOutcome::Cancelled, reasons::USER_CANCELLED, end::CANCELLED_BY_USER);
    }
    if visit.seconds_left() == 0 {
        return give_up(visit, ClosingOutcome::TimedOut, reasons::TIMEOUT, end::TIMED_OUT);
    }
    if let Some(hold) = &facts.invalid {
        visit.stalls(hold);
        visit.again = None;
        return;
    }
    if let Some(twin) = &facts.twin {
        let message = format!(
            "label `{}` of table `{}` belongs to LoadJob {twin}, which was first; choose another label, or \
             delete that one",
            facts.job.label(),
            facts.job.spec.table
        );
        visit.stalls(&Hold::new(reasons::LABEL_IN_USE, message));
        visit.again = Some(WAITING * 6);
        return;
    }
    if let Some(hold) = table_hold(visit) {
        visit.stands(LoadState::Pending, &hold.reason, &hold.message);
        visit.again = Some(WAITING * 2);
        return;
    }
    start(visit);
}

/// Ends a load that has no run under way: at once if no run was ever started, else once that is closed.
pub(super) fn give_up(visit: &mut Visit<'_>, outcome: ClosingOutcome, reason: &str, message: &str) {
    if visit.execution.open_run.is_some() {
        visit.close(outcome, reason, message);
    } else {
        end::cancelled(visit, reason, message);
    }
}

/// What the Table lacks for a pod to start; a lost node's epoch is raised on the way.
fn table_hold(visit: &mut Visit<'_>) -> Option<Hold> {
    let table = &visit.facts.table;
    if let Some(hold) = &table.hold {
        return Some(hold.clone());
    }
    let Some(volume) = &table.volume else {
        return Some(Hold::new(reasons::TABLE_NOT_READY, "its volume is not known yet"));
    };
    let least = visit.execution.volume_epoch.unwrap_or(0);
    if volume.volume_epoch < least {
        visit.act(Action::RaiseEpoch { to: least });
        return Some(Hold::new(reasons::NODE_LOST, visit.message()));
    }
    None
}

/// Writes the run down; its request and its Job follow.
fn start(visit: &mut Visit<'_>) {
    let facts = visit.facts;
    if facts.job.spec.dry_run.is_some() && visit.execution.open_run.is_some() {
        // A worker of that run on a lost node can commit yet, and a dry run ends without a look at the log.
        let message = "an earlier run is closed before the dry run begins";
        return visit.close(ClosingOutcome::NextRun, reasons::SPEC_CHANGED, message);
    }
    let run = visit.run();
    let request = request(visit, run);
    let Ok(digest) = request.digest() else {
        // JSON of our own types; if it ever cannot be written, nothing may start.
        visit.stalls(&Hold::new(reasons::INVALID_SPEC, "the request cannot be written as JSON"));
        return;
    };
    visit.status.run = Some(run);
    visit.status.label = Some(facts.job.label());
    visit.status.error = None;
    visit.status.progress = Some("LOAD:0%".to_owned());
    visit.status.load_start_time.get_or_insert_with(|| instant(facts.now));
    visit.execution.generation = visit.generation();
    visit.execution.request_digest = Some(digest);
    visit.execution.deadline = request.execution.deadline;
    visit.execution.dry_run = facts.job.spec.dry_run.is_some();
    if !visit.execution.dry_run {
        visit.execution.open_run = Some(run);
    }
    visit.execution.job_uid = None;
    let name = child_name(&facts.job_name(), &facts.job_uid(), run, Role::Load);
    if visit.follows_lost_node() {
        let message = visit.message();
        visit.stands(LoadState::Loading, reasons::NODE_LOST, &message);
    } else {
        visit.stands(LoadState::Loading, reasons::STARTING, &format!("run {run} starts as Job {name}"));
    }
    visit.act(Action::MakeRequest);
    visit.act(Action::MakeLoadJob);
    visit.again = Some(SOON);
}

/// The request of a run, with the instant past which its worker does not commit.
fn request(visit: &Visit<'_>, run: u32) -> LoadRequest {
    let left = i64::try_from(visit.seconds_left()).unwrap_or(i64::MAX);
    let deadline = visit.facts.now.saturating_add(SignedDuration::from_secs(left));
    let deadline: Timestamp = deadline.unwrap_or(Timestamp::MAX);
    LoadRequest::from_load_job(&visit.facts.job, run, Some(instant(deadline)))
}
