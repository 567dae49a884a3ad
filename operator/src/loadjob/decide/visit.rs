//! One visit while it is being decided: the status as it will be, and what is to be done.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use longshore_crds::{Closing, ClosingOutcome, LoadExecution, LoadJobStatus, LoadState, conditions, reasons};

use super::super::facts::{Facts, Hold};
use super::{Action, Decision, Note};
use crate::events::EventType;

/// How often something that goes on by itself is looked at.
pub(super) const SOON: Duration = Duration::from_secs(1);
/// How often something that waits for others is looked at.
pub(super) const WAITING: Duration = Duration::from_secs(5);
/// Most bytes of a message in a status.
const MESSAGE_LIMIT: usize = 2048;

/// A visit that is being decided.
pub(super) struct Visit<'a> {
    pub(super) facts: &'a Facts,
    pub(super) status: LoadJobStatus,
    pub(super) execution: LoadExecution,
    pub(super) actions: Vec<Action>,
    pub(super) again: Option<Duration>,
}

impl<'a> Visit<'a> {
    pub(super) fn new(facts: &'a Facts) -> Self {
        let mut visit = Self {
            facts,
            status: facts.status(),
            execution: facts.execution(),
            actions: Vec::new(),
            again: None,
        };
        visit.count_active_time();
        visit
    }

    pub(super) fn state(&self) -> Option<LoadState> {
        self.status.state
    }

    pub(super) fn generation(&self) -> Option<i64> {
        self.facts.job.metadata.generation
    }

    pub(super) fn run(&self) -> u32 {
        self.status.run.unwrap_or(1)
    }

    /// Whether the spec was changed since the load ended.
    pub(super) fn is_wanted_again(&self) -> bool {
        !self.facts.job.spec.cancel && self.generation() != self.execution.generation
    }

    /// Adds the whole seconds since the last visit while the load is at work.
    fn count_active_time(&mut self) {
        let Some(since) = self.execution.active_since.as_deref().and_then(parse) else { return };
        let seconds = self.facts.now.duration_since(since).as_secs().max(0);
        let counted = since.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(since);
        let active = self.status.active_seconds.unwrap_or(0);
        self.status.active_seconds = Some(active.saturating_add(seconds.unsigned_abs()));
        self.execution.active_since = Some(counted.to_string());
    }

    /// Seconds that are left of `timeoutSeconds`.
    pub(super) fn seconds_left(&self) -> u64 {
        let timeout = u64::from(self.facts.job.spec.timeout_seconds);
        timeout.saturating_sub(self.status.active_seconds.unwrap_or(0))
    }

    /// Enters (or stays in) a state that is no end, with what is said of it.
    pub(super) fn stands(&mut self, state: LoadState, reason: &str, message: &str) {
        self.enter(state, false, reason, message);
    }

    /// Not started, and only an edit of this object mends it.
    pub(super) fn stalls(&mut self, hold: &Hold) {
        self.enter(LoadState::Pending, true, &hold.reason, &hold.message);
    }

    /// Enters a state: every condition is set.
    pub(super) fn enter(&mut self, state: LoadState, stalled: bool, reason: &str, message: &str) {
        let now = Time(self.facts.now);
        let holding = LoadJobStatus::holding(state, stalled);
        let message = cut(message);
        self.status.state = Some(state);
        self.status.set_conditions(holding, reason, message, self.generation(), &now);
        let works = matches!(state, LoadState::Loading | LoadState::Committed);
        let since = self.execution.active_since.take();
        self.execution.active_since = works.then(|| since.unwrap_or_else(|| instant(self.facts.now)));
    }

    /// Keeps state and reason, for a visit that finds nothing new.
    pub(super) fn stays(&mut self) {
        let state = self.state().unwrap_or(LoadState::Pending);
        let (reason, message) = spoken(&self.status).unwrap_or((reasons::PENDING.to_owned(), String::new()));
        self.stands(state, &reason, &message);
    }

    /// What is said of it now.
    pub(super) fn message(&self) -> String {
        spoken(&self.status).map(|(_, message)| message).unwrap_or_default()
    }

    /// Whether the run follows one whose node was lost, and has not begun yet: until it has, that is what a
    /// person must know.
    pub(super) fn follows_lost_node(&self) -> bool {
        spoken(&self.status).is_some_and(|(reason, _)| reason == reasons::NODE_LOST)
    }

    /// Begins to close the run: nothing may be said of its outcome until that is done.
    pub(super) fn close(&mut self, outcome: ClosingOutcome, reason: &str, message: &str) {
        self.execution.closing = Some(Closing {
            outcome,
            reason: reason.to_owned(),
            message: cut(message).to_owned(),
            since: instant(self.facts.now),
        });
        let spoken = match outcome {
            ClosingOutcome::Cancelled => reasons::CANCELLING,
            ClosingOutcome::TimedOut => reasons::TIMING_OUT,
            ClosingOutcome::Failed | ClosingOutcome::NextRun => reasons::RESOLVING,
        };
        let state = self.state().unwrap_or(LoadState::Pending);
        self.stands(state, spoken, message);
        if self.facts.load.present().is_some_and(|job| !job.suspended && job.ended.is_none()) {
            self.act(Action::SuspendLoad);
        }
        self.again = Some(SOON);
    }

    /// Gives the run up for the next one. What its pods may still do, the next run's claim shuts out.
    pub(super) fn next_run(&mut self, run: u32, reason: &str, message: &str) {
        self.delete_children();
        self.status.run = Some(run.max(self.run().saturating_add(1)));
        self.execution = LoadExecution {
            generation: self.execution.generation,
            open_run: self.execution.open_run,
            volume_epoch: self.execution.volume_epoch,
            ..LoadExecution::default()
        };
        self.stands(LoadState::Pending, reason, message);
        self.again = Some(SOON);
    }

    pub(super) fn delete_children(&mut self) {
        if self.facts.load.present().is_some_and(|job| !job.deleting) {
            self.act(Action::DeleteLoad);
        }
        if self.facts.resolve.present().is_some_and(|job| !job.deleting) {
            self.act(Action::DeleteResolve);
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// The decision: what changed in what is said is told as well.
    pub(super) fn decision(mut self) -> Decision {
        self.status.observed_generation = self.generation();
        self.status.execution = Some(self.execution);
        let notes = note(self.facts, &self.status).into_iter().collect();
        Decision { status: self.status, actions: self.actions, notes, again: self.again }
    }
}

/// Reason and message of the conditions that hold.
fn spoken(status: &LoadJobStatus) -> Option<(String, String)> {
    let holding = status.conditions.iter().find(|condition| condition.status == "True")?;
    Some((holding.reason.clone(), holding.message.clone()))
}

/// A line of the story, if the status says something else than before.
fn note(facts: &Facts, status: &LoadJobStatus) -> Option<Note> {
    let before = facts.status();
    let (reason, message) = spoken(status)?;
    let same = spoken(&before).is_some_and(|(before, _)| before == reason) && before.run == status.run;
    // What follows at once is no line of its own.
    if same || [reasons::PENDING, reasons::COMMITTED].contains(&reason.as_str()) {
        return None;
    }
    let stalled = conditions::is_true(&status.conditions, conditions::STALLED);
    let normal = [
        reasons::STARTING,
        reasons::LOADING,
        reasons::LOADED,
        reasons::DRY_RUN,
        reasons::CANCELLING,
        reasons::USER_CANCELLED,
        reasons::RESOLVING,
        reasons::RUN_PASSED,
        reasons::TABLE_NOT_FOUND,
        reasons::TABLE_NOT_READY,
        reasons::SPEC_CHANGED,
    ];
    let would_fail = reason == reasons::DRY_RUN && status.error.is_some();
    let calm =
        normal.contains(&reason.as_str()) && (!stalled || reason == reasons::USER_CANCELLED) && !would_fail;
    let type_ = if calm { EventType::Normal } else { EventType::Warning };
    Some(Note { type_, reason, note: message })
}

/// RFC 3339, as statuses carry instants: to the millisecond.
pub(super) fn instant(time: Timestamp) -> String {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time).to_string()
}

/// An instant of a status.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_LIMIT)]
}
