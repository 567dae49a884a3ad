//! What follows from the facts: the next status, what is to be done, and what is told. Pure.
//!
//! The order binds: first the status is written, then the actions are done. So a run stands in the status
//! before its Job is made, and its outcome before its Job is deleted; whoever goes on after a crash knows.

mod admit;
mod close;
mod end;
mod run;
mod visit;

#[cfg(test)]
mod dry_run_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::time::Duration;

use longshore_crds::{LoadJobStatus, LoadState};

use super::facts::Facts;
use crate::events::EventType;
use visit::Visit;

/// What follows from the facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The status to write.
    pub status: LoadJobStatus,
    /// What to do once it is written, in this order.
    pub actions: Vec<Action>,
    /// What to tell once it is written.
    pub notes: Vec<Note>,
    /// When to look again; `None`: when something changes.
    pub again: Option<Duration>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make the request of the run in the status.
    MakeRequest,
    /// Make the Job that loads, of the run in the status.
    MakeLoadJob,
    /// Make the Job that closes the run in the status.
    MakeResolveJob,
    /// Stop the Job that loads.
    SuspendLoad,
    /// Delete the Job that loads (of the run before this visit), and its request.
    DeleteLoad,
    /// Delete the Job that closes (of the run before this visit).
    DeleteResolve,
    /// Let pods of the table start beside those of a lost node.
    RaiseEpoch {
        /// The new epoch, at least.
        to: u32,
    },
}

/// A line of the object's story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whether it asks for attention.
    pub type_: EventType,
    /// CamelCase, stable.
    pub reason: String,
    /// A sentence.
    pub note: String,
}

/// Decides.
pub fn decide(facts: &Facts) -> Decision {
    let mut visit = Visit::new(facts);
    if facts.job.metadata.deletion_timestamp.is_none() {
        step(&mut visit);
    }
    visit.decision()
}

fn step(visit: &mut Visit<'_>) {
    let execution = &visit.execution;
    match visit.state() {
        None => admit::welcome(visit),
        Some(LoadState::Committed) => end::finish(visit),
        Some(LoadState::Finished) if execution.dry_run && visit.is_wanted_again() => end::start_again(visit),
        Some(LoadState::Finished) => end::settle(visit),
        Some(LoadState::Cancelled) if !visit.is_wanted_again() => end::settle(visit),
        Some(LoadState::Cancelled) => end::start_again(visit),
        Some(_) if execution.closing.is_some() => close::step(visit),
        Some(_) if execution.request_digest.is_some() => run::step(visit),
        Some(_) => admit::step(visit),
    }
}
