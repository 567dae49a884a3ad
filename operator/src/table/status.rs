//! Step 5: the status that follows from everything. Pure; written by `apply`.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use longshore_crds::{TableJob, TableStatus, TableTask, conditions, reasons};

use super::apply::ClaimApplied;
use super::claim::{self, ClaimState};
use super::dereference::Found;
use super::due::{self, Due};
use super::outcome;
use super::pods::{self, JobState};
use super::validate::{Obstacle, Validated};
use crate::events::EventType;

/// Nothing is left unseen for longer, whatever was missed.
const LONGEST: Duration = Duration::from_secs(3_600);
/// While something is awaited that tells of itself, it is looked at again after this time all the same.
const WHILE_WAITING: Duration = Duration::from_secs(30);

/// A line of the Table's story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whether someone should look.
    pub type_: EventType,
    /// CamelCase.
    pub reason: String,
    /// The verb of what was done.
    pub action: &'static str,
    /// A sentence.
    pub note: String,
}

/// What follows from a visit.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// The whole status but for the volume's epoch. It names the Job that is to be there.
    pub status: TableStatus,
    /// What happened.
    pub events: Vec<Told>,
    /// When to come again, if nothing happens before.
    pub requeue: Option<Duration>,
}

/// What the conditions say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    ready: bool,
    reconciling: bool,
    stalled: bool,
    reason: String,
    message: String,
}

/// What follows from what was found, what was found out and what became of the claim.
pub fn next(found: &Found, validated: &Validated, claim: &ClaimApplied) -> Next {
    let mut status = found.status();
    status.volume_epoch = None;
    let mut events = Vec::new();
    take_claim(&mut status, found, validated, claim, &mut events);
    let job = take_job(&mut status, found, &mut events);
    take_loads(&mut status, found);
    forget_old_problem(&mut status, &validated.digest);
    let usable = is_usable(validated, claim);
    let idle = status.job.is_none();
    let due = if usable && idle { due::due(found, &status, &validated.digest) } else { Due::Nothing };
    if let Due::Now(task) = due {
        begin(&mut status, found, validated, task);
    }
    let obstacle = obstacle_now(validated, &status);
    let verdict = verdict(found, validated, claim, obstacle.as_ref(), &status, &job);
    let before = found.status().conditions;
    set_conditions(&mut status, &verdict, found);
    tell_obstacle(&verdict, &before, &mut events);
    status.observed_generation = found.table.metadata.generation;
    let requeue = requeue(&verdict, &status, due, found.now);
    Next { status, events, requeue }
}

/// What was said of another declaration does not hold for this one, and neither does its pause.
fn forget_old_problem(status: &mut TableStatus, digest: &str) {
    if status.problem.as_ref().is_some_and(|problem| problem.digest != digest) {
        status.problem = None;
        status.failures = None;
        status.retry_time = None;
    }
}

/// A problem may have come or gone with the report that was just taken in.
fn obstacle_now(validated: &Validated, status: &TableStatus) -> Option<Obstacle> {
    let of_worker = status.problem.as_ref().filter(|it| it.needs_edit && it.digest == validated.digest);
    let of_worker = of_worker.map(|problem| Obstacle {
        reason: problem.reason.clone(),
        message: problem.message.clone(),
        is_for_edit: true,
        leaves_table: status.definition.is_some(),
    });
    match &validated.obstacle {
        Some(obstacle) if !validated.is_of_worker => Some(obstacle.clone()),
        _ => of_worker,
    }
}

/// The claim that holds, or will hold, the table.
fn take_claim(
    status: &mut TableStatus,
    found: &Found,
    validated: &Validated,
    applied: &ClaimApplied,
    events: &mut Vec<Told>,
) {
    let usable = matches!(validated.claim, ClaimState::Absent | ClaimState::Stands);
    // A table that stands keeps its claim, whatever the spec says by now.
    let elsewhere = status.definition.is_some() && !claim::fixed(&found.table, None).is_empty();
    let Some(claim) = applied.claim.as_ref().filter(|_| usable && !elsewhere) else { return };
    status.claim = Some(claim.name_any());
    status.claim_uid = claim.uid();
    status.sub_path.clone_from(&found.table.spec.storage.sub_path);
    let spec = claim.spec.as_ref();
    status.access_modes = spec.and_then(|spec| spec.access_modes.clone()).unwrap_or_default();
    if applied.is_new {
        let note = format!("made PersistentVolumeClaim {}", claim.name_any());
        let reason = "ClaimCreated".to_owned();
        events.push(Told { type_: EventType::Normal, reason, action: "CreateClaim", note });
    }
}

/// Takes in the end of the Job that the status names.
fn take_job(status: &mut TableStatus, found: &Found, events: &mut Vec<Told>) -> JobState {
    let Some(job) = status.job.clone() else { return JobState::Absent };
    let state = pods::state(found);
    let edited = status.observed_generation != found.table.metadata.generation;
    match &state {
        // Its pod has not begun, and what is asked for is another thing by now: another Job takes its place.
        JobState::Running { trouble: Some(_) } if edited => {
            status.job = None;
            return JobState::Absent;
        }
        JobState::Absent | JobState::Running { .. } => return state,
        JobState::Reported(report) => {
            let is_news = report.reason != "TableUnchanged" || status.problem.is_some();
            let is_repeat = status.problem.as_ref().is_some_and(|problem| problem.reason == report.reason);
            let told = outcome::reported(status, &job, report, found.now);
            if is_news && !is_repeat {
                events.push(told);
            }
        }
        JobState::Silent(reason, message) => {
            events.push(outcome::silent(status, &job, reason, message, found.now));
        }
    }
    status.job = None;
    state
}

/// Writes down the next Job; it is made once this is written.
fn begin(status: &mut TableStatus, found: &Found, validated: &Validated, task: TableTask) {
    let number = status.jobs.unwrap_or(0).saturating_add(1);
    let start_time = found.now.to_string();
    if task == TableTask::Maintain {
        status.maintenance_time = Some(start_time.clone());
        status.maintenance_retry_time = None;
    }
    status.jobs = Some(number);
    status.job = Some(TableJob { number, task, digest: validated.digest.clone(), start_time });
}

/// The newest load; its version is known before the figures are read again.
fn take_loads(status: &mut TableStatus, found: &Found) {
    let Some((version, load)) = &found.loads.newest else { return };
    // A load that the figures do not hold yet is not taken in: they would not fit together.
    if status.version >= Some(*version) {
        status.last_load = Some(load.clone());
    }
}

fn is_usable(validated: &Validated, claim: &ClaimApplied) -> bool {
    let stands = matches!(validated.claim, ClaimState::Absent | ClaimState::Stands);
    let is_obstructed = validated.obstacle.is_some() && !validated.is_of_worker;
    stands && claim.claim.is_some() && !is_obstructed
}

fn verdict(
    found: &Found,
    validated: &Validated,
    claim: &ClaimApplied,
    obstacle: Option<&Obstacle>,
    status: &TableStatus,
    job: &JobState,
) -> Verdict {
    let exists = status.definition.is_some();
    let verdict = |ready, reconciling, stalled, reason: &str, message: String| Verdict {
        ready,
        reconciling,
        stalled,
        reason: reason.to_owned(),
        message,
    };
    if let Some(it) = obstacle {
        let ready = exists && it.leaves_table;
        return verdict(ready, !it.is_for_edit, it.is_for_edit, &it.reason, it.message.clone());
    }
    if let Some(refusal) = &claim.refusal {
        let message = format!("the apiserver does not take the PersistentVolumeClaim: {refusal}");
        return verdict(exists, true, false, reasons::CLAIM_REFUSED, message);
    }
    if status.definition.as_deref() != Some(&validated.digest) {
        let (reason, message) = on_the_way(status, job, exists);
        return verdict(exists, true, false, &reason, message);
    }
    if let Some(refusal) = &claim.expansion_refusal {
        let message =
            format!("the volume does not grow: {refusal}; set spec.storage.size back, or mend what refuses");
        return verdict(true, false, true, reasons::EXPANSION_REFUSED, message);
    }
    if let Some((has, wants)) = growing(claim) {
        let message = format!("the volume grows from {has} to {wants} bytes");
        return verdict(true, true, false, reasons::EXPANDING, message);
    }
    verdict(true, false, false, reasons::TABLE_READY, note_of_ready(found, job))
}

/// What holds the declaration up.
fn on_the_way(status: &TableStatus, job: &JobState, exists: bool) -> (String, String) {
    if let JobState::Running { trouble: Some((reason, message)) } = job {
        return (reason.clone(), message.clone());
    }
    if let Some(problem) = &status.problem {
        let again = status.retry_time.as_ref().filter(|_| status.job.is_none());
        let again = again.map_or_else(|| "being tried again".to_owned(), |at| format!("tried again at {at}"));
        return (problem.reason.clone(), format!("{}; {again}", problem.message));
    }
    let (reason, message) = if exists {
        (reasons::ALTERING, "the table is being brought to what is declared")
    } else {
        (reasons::CREATING, "the table is being made on its volume")
    };
    (reason.to_owned(), message.to_owned())
}

/// Bytes that a claim has and asks for, if it waits for the difference.
fn growing(applied: &ClaimApplied) -> Option<(u64, u64)> {
    let claim = applied.claim.as_ref()?;
    let (has, wants) = (claim::capacity(claim)?, claim::requested(claim)?);
    (has < wants).then_some((has, wants))
}

/// What was said of the newest change stays until the next one.
fn note_of_ready(found: &Found, job: &JobState) -> String {
    if let JobState::Reported(report) = job
        && report.reason == "ColumnsAdded"
    {
        return report.message.clone();
    }
    let before = found.status().conditions;
    let before = before.iter().find(|it| it.type_ == conditions::READY && it.reason == reasons::TABLE_READY);
    before.map(|before| before.message.clone()).unwrap_or_default()
}

fn set_conditions(status: &mut TableStatus, verdict: &Verdict, found: &Found) {
    let values = [verdict.ready, verdict.reconciling, verdict.stalled];
    let (generation, now) = (found.table.metadata.generation, Time(found.now));
    for (type_, value) in conditions::OF_TABLE.into_iter().zip(values) {
        let (reason, message) = (&verdict.reason, &verdict.message);
        conditions::set(&mut status.conditions, type_, value, reason, message, generation, &now);
    }
}

/// An obstacle is told when it comes up or changes; what a worker reported is told already.
fn tell_obstacle(verdict: &Verdict, before: &[Condition], events: &mut Vec<Told>) {
    let told = before.iter().any(|it| it.reason == verdict.reason && it.message == verdict.message);
    let is_plain = [reasons::TABLE_READY, reasons::CREATING, reasons::ALTERING, reasons::EXPANDING];
    let is_reported = events.iter().any(|event| event.reason == verdict.reason);
    if told || is_reported || is_plain.contains(&verdict.reason.as_str()) {
        return;
    }
    events.push(Told {
        type_: EventType::Warning,
        reason: verdict.reason.clone(),
        action: "Reconcile",
        note: verdict.message.clone(),
    });
}

/// When to come again, if nothing happens before.
fn requeue(verdict: &Verdict, status: &TableStatus, due: Due, now: Timestamp) -> Option<Duration> {
    let until_due = match due {
        Due::At(at) => Some(Duration::try_from(at.duration_since(now)).unwrap_or_default()),
        _ => None,
    };
    let waits = status.job.is_some() || verdict.reconciling || verdict.reason == reasons::EXPANSION_REFUSED;
    let waiting = waits.then_some(WHILE_WAITING);
    let soonest = [until_due, waiting].into_iter().flatten().min();
    soonest.map(|pause| pause.clamp(Duration::from_millis(500), LONGEST))
}
