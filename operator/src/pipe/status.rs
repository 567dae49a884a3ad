//! Fifth step: what the conditions say, what is told, and when a status is worth a write.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use longshore_crds::{PipeProgress, PipeState, PipeStatus, conditions, reasons};

use super::facts::Facts;
use crate::events::EventType;
use crate::holds::Hold;
use crate::seen::PodFacts;
use crate::writes;

/// Most bytes of a message in a status.
const MESSAGE_LIMIT: usize = 2048;
/// The reason of the event about a file that was given up.
const FILE_IN_ERROR: &str = "FileInError";

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

/// What the conditions say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Those that are True.
    holding: Vec<&'static str>,
    /// Nobody knows whether it is ready.
    unknown: bool,
    /// Those that stand stay as they are.
    keep: bool,
    reason: String,
    message: String,
}

impl Verdict {
    fn new(holding: &[&'static str], reason: &str, message: &str) -> Self {
        Self {
            holding: holding.to_vec(),
            unknown: false,
            keep: false,
            reason: reason.to_owned(),
            message: message[..message.floor_char_boundary(MESSAGE_LIMIT)].to_owned(),
        }
    }

    /// It lists and loads.
    pub fn ingesting() -> Self {
        Self::new(&[conditions::READY], reasons::INGESTING, "")
    }

    /// It lists and loads; the rest needs an edit.
    pub fn limping(hold: &Hold) -> Self {
        Self::new(&[conditions::READY, conditions::STALLED], &hold.reason, &hold.message)
    }

    /// Its worker is on the way.
    pub fn starting(message: &str) -> Self {
        Self::new(&[conditions::RECONCILING], reasons::STARTING, message)
    }

    /// Something is not there yet, or does not go on.
    pub fn waits(hold: &Hold) -> Self {
        Self::new(&[conditions::RECONCILING], &hold.reason, &hold.message)
    }

    /// Only an edit of this object mends it.
    pub fn stalled(hold: &Hold) -> Self {
        Self::new(&[conditions::STALLED], &hold.reason, &hold.message)
    }

    /// Its worker is being stopped.
    pub fn stopping() -> Self {
        let holding = [conditions::RECONCILING, conditions::SUSPENDED];
        Self::new(&holding, reasons::STOPPING, "the batch that runs is finished or given up")
    }

    /// It is stopped.
    pub fn suspended() -> Self {
        Self::new(&[conditions::SUSPENDED], reasons::SUSPENDED, "spec.suspend is true")
    }

    /// It has worked off what was there, as its status says.
    pub fn ended(status: &PipeStatus) -> Self {
        if status.state != Some(PipeState::Error) {
            return Self::new(&[conditions::READY], reasons::FINISHED, "");
        }
        let files = status.error_files.unwrap_or(0);
        let message = format!(
            "{files} files are in ERROR, see status.failedFiles; mend them, then put them back: `kubectl longshore pipe \
             retry` does, and runs this Pipe once more"
        );
        Self::new(&[conditions::STALLED], reasons::FILES_IN_ERROR, &message)
    }

    /// Its worker runs and does not answer.
    pub fn unreachable(silence: Duration) -> Self {
        let message = format!(
            "the worker has not answered at /progress for {} seconds; it may go on all the same: look at its log, and \
             at what keeps the operator from its pod",
            silence.as_secs() / 60 * 60
        );
        Self { unknown: true, ..Self::new(&[], reasons::PROGRESS_UNREACHABLE, &message) }
    }

    /// Nothing is known that was not known before: a worker that was at work for this generation is so still.
    pub fn as_before(status: &PipeStatus, generation: Option<i64>) -> Self {
        let ready = status.conditions.iter().find(|it| it.type_ == conditions::READY);
        let worked = ready.is_some_and(|it| {
            [reasons::INGESTING, reasons::PROGRESS_UNREACHABLE].contains(&it.reason.as_str())
                && it.observed_generation == generation
        });
        Self { keep: worked, ..Self::starting("the worker has started and does not answer yet") }
    }

    /// Whether only an edit of this object mends it.
    pub fn is_stalled(&self) -> bool {
        self.holding.contains(&conditions::STALLED)
    }

    /// Puts the conditions into a status.
    pub fn write(&self, status: &mut PipeStatus, facts: &Facts) {
        let (generation, now) = (facts.pipe.metadata.generation, Time(facts.now));
        status.observed_generation = generation;
        if let Some(source) = facts.progress.as_ref().and_then(|progress| progress.source.as_ref()) {
            let type_ = conditions::SOURCE_REACHABLE;
            let message = &source.message[..source.message.floor_char_boundary(MESSAGE_LIMIT)];
            let set = conditions::set;
            set(&mut status.conditions, type_, source.reachable, &source.reason, message, generation, &now);
        }
        if self.keep {
            return;
        }
        let before = ready(status).cloned();
        status.set_conditions(&self.holding, &self.reason, &self.message, generation, &now);
        if !self.unknown {
            return;
        }
        if let Some(ready) = status.conditions.iter_mut().find(|it| it.type_ == conditions::READY) {
            "Unknown".clone_into(&mut ready.status);
            let since = before.filter(|before| before.status == "Unknown");
            ready.last_transition_time = since.map_or(now, |before| before.last_transition_time);
        }
    }
}

fn ready(status: &PipeStatus) -> Option<&Condition> {
    status.conditions.iter().find(|it| it.type_ == conditions::READY)
}

/// What the worker of a pod told at its end, if it worked for this ledger.
pub fn report(pod: &PodFacts, ledger: &str) -> Option<PipeProgress> {
    let progress = PipeProgress::from_json(pod.exit.as_ref()?.message.as_bytes()).ok()?;
    (progress.ledger == ledger).then_some(progress)
}

/// What is news in a status.
pub fn notes(before: &PipeStatus, after: &PipeStatus) -> Vec<Note> {
    [of_conditions(before, after), of_files(before, after)].into_iter().flatten().collect()
}

fn of_conditions(before: &PipeStatus, after: &PipeStatus) -> Option<Note> {
    let condition = ready(after)?;
    let calm =
        [reasons::STARTING, reasons::INGESTING, reasons::STOPPING, reasons::SUSPENDED, reasons::FINISHED];
    let is_calm = calm.contains(&condition.reason.as_str());
    let is_told = ready(before).is_some_and(|before| {
        before.reason == condition.reason && (is_calm || before.message == condition.message)
    });
    let note = if condition.message.is_empty() && condition.reason == reasons::INGESTING {
        "the worker lists and loads".to_owned()
    } else if condition.message.is_empty() {
        format!("{} files loaded", after.loaded_files.unwrap_or(0))
    } else {
        condition.message.clone()
    };
    let type_ = if is_calm { EventType::Normal } else { EventType::Warning };
    (!is_told).then(|| Note { type_, reason: condition.reason.clone(), note })
}

/// The newest file that was given up since the status before.
fn of_files(before: &PipeStatus, after: &PipeStatus) -> Option<Note> {
    let newest = after.failed_files.iter().find(|file| !before.failed_files.contains(file))?;
    let note = format!("{}: {}: {}", newest.file, newest.error_type, newest.message);
    Some(Note { type_: EventType::Warning, reason: FILE_IN_ERROR.to_owned(), note })
}

/// [`writes::is_due`] of a Pipe's status.
pub fn is_due(
    before: Option<&PipeStatus>,
    after: &PipeStatus,
    last: Option<Duration>,
    interval: Duration,
) -> bool {
    writes::is_due(before, after, without_numbers, last, interval)
}

/// What is left if progress is not looked at.
fn without_numbers(status: &PipeStatus) -> PipeStatus {
    PipeStatus {
        observed_generation: status.observed_generation,
        conditions: status.conditions.clone(),
        state: status.state,
        finished_request: status.finished_request.clone(),
        run_again: status.run_again.clone(),
        restart_time: status.restart_time.clone(),
        ..PipeStatus::default()
    }
}
