//! Which Job is due, and when the next one is. Pure.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use longshore_crds::{TableStatus, TableTask};

use super::dereference::Found;

/// Figures are read again at most once in this time while loads go on.
const REFRESH_INTERVAL: SignedDuration = SignedDuration::from_secs(15);
/// The same while pipes commit one batch after the other.
const BATCHES_INTERVAL: SignedDuration = SignedDuration::from_mins(5);
/// Maintenance after failed loads runs at most once in this time.
const CLEANUP_INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// This, now.
    Now(TableTask),
    /// Something, then.
    At(Timestamp),
    /// Nothing until something changes.
    Nothing,
}

/// What is due for a table whose claim can be used and that no Job works on. `status` is the one that is about
/// to be written.
pub fn due(found: &Found, status: &TableStatus, digest: &str) -> Due {
    let times = [
        declaration(status, digest),
        refresh(found, status),
        maintenance(found, status).map(|at| (at, TableTask::Maintain)),
    ];
    match times.into_iter().flatten().min_by_key(|(at, _)| *at) {
        // What is over due is done in this order, not in that of its times.
        Some((at, _)) if at <= found.now => {
            let first = times.into_iter().flatten().find(|(at, _)| *at <= found.now);
            first.map_or(Due::Nothing, |(_, task)| Due::Now(task))
        }
        Some((at, _)) => Due::At(at),
        None => Due::Nothing,
    }
}

/// When the declaration is to be brought to the volume.
fn declaration(status: &TableStatus, digest: &str) -> Option<(Timestamp, TableTask)> {
    if status.definition.as_deref() == Some(digest) {
        return None;
    }
    let refused =
        status.problem.as_ref().is_some_and(|problem| problem.needs_edit && problem.digest == digest);
    let retry = time(status.retry_time.as_ref());
    let at = if refused { retry? } else { retry.unwrap_or(Timestamp::MIN) };
    Some((at, TableTask::Declare))
}

/// When the figures are to be read again: after loads, and now and then while pipes load.
fn refresh(found: &Found, status: &TableStatus) -> Option<(Timestamp, TableTask)> {
    let checked = time(status.check_time.as_ref())?;
    status.definition.as_ref()?;
    let loaded = found.loads.newest.as_ref().filter(|(version, _)| status.version < Some(*version));
    let loaded = loaded.map(|_| plus(checked, REFRESH_INTERVAL));
    let batch = found.loads.batch.filter(|batch| *batch > checked).map(|_| plus(checked, BATCHES_INTERVAL));
    let first = [loaded, batch].into_iter().flatten().min()?;
    Some((first, TableTask::Declare))
}

/// When the table is to be looked after.
fn maintenance(found: &Found, status: &TableStatus) -> Option<Timestamp> {
    let spec = &found.table.spec.maintenance;
    status.definition.as_ref()?;
    if spec.interval_hours == 0 {
        return None;
    }
    let last = time(status.maintenance_time.as_ref());
    let created = found.table.creation_timestamp().map_or(found.now, |created| created.0);
    let interval = SignedDuration::from_hours(i64::from(spec.interval_hours));
    let by_interval = plus(last.unwrap_or(created), interval);
    let after_failure = found.loads.failed.filter(|failed| last.is_none_or(|last| *failed >= last));
    let cleanup = after_failure.map(|failed| match last {
        Some(last) => failed.max(plus(last, CLEANUP_INTERVAL)),
        None => failed,
    });
    let retry = time(status.maintenance_retry_time.as_ref());
    [Some(by_interval), cleanup, retry].into_iter().flatten().min()
}

/// Reads an instant of the status.
pub fn time(text: Option<&String>) -> Option<Timestamp> {
    text?.parse().ok()
}

/// A later instant; far enough is as good as never.
pub fn plus(at: Timestamp, duration: SignedDuration) -> Timestamp {
    at.checked_add(duration).unwrap_or(Timestamp::MAX)
}
