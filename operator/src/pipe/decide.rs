//! What follows from the facts: the next status, what is to be done, and what is told. Pure.
//!
//! The order binds: first the status is written, then the actions are done. So the outcome of a Job stands in the
//! status before the Job is deleted.

use std::time::Duration;

use longshore_crds::{PipeProgress, PipeState, PipeStatus, UNSUPPORTED_STORE, exit, reasons};

use super::facts::{Child, Facts, Kind, Wanted};
use super::status::{Note, Verdict, notes, report};
use super::turn;
use crate::holds::Hold;
use crate::seen::{JobEnd, PodFacts};

/// How often something that goes on by itself is looked at.
const SOON: Duration = Duration::from_secs(1);
/// How often something that waits for others is looked at.
const WAITING: Duration = Duration::from_secs(5);
/// A worker that runs and does not answer for so long is told.
const SILENCE: Duration = Duration::from_secs(60);
/// A Job that failed is made again after this time. Seconds.
const JOB_AGAIN: i64 = 10;

/// What follows from the facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The status to write.
    pub status: PipeStatus,
    /// What to do once it is written, in this order.
    pub actions: Vec<Action>,
    /// What to tell once it is written.
    pub notes: Vec<Note>,
    /// When to look again.
    pub again: Again,
}

/// When to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// When something changes.
    Never,
    /// After this time.
    After(Duration),
    /// As often as the status may be written, less often while nothing moves: a worker is asked.
    Poll,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Let pods of the table start beside those of a lost node.
    RaiseEpoch {
        /// The epoch that is given up.
        lost: u32,
    },
    /// Make the request that is wanted.
    MakeRequest,
    /// Make the Deployment that is wanted, or bring it to what is wanted.
    ApplyDeployment,
    /// Make the Job that is wanted.
    MakeJob,
    /// Let the pods of a Deployment stop.
    ScaleToZero(String),
    /// Delete a Deployment or a Job.
    Delete {
        /// What kind of object.
        kind: Kind,
        /// Its name.
        name: String,
        /// Its UID.
        uid: String,
    },
    /// Delete every request but this one.
    Sweep {
        /// Name of the ConfigMap that is in use.
        keep: Option<String>,
    },
}

/// Decides.
pub fn decide(facts: &Facts) -> Decision {
    let mut visit =
        Visit { facts, status: facts.status(), actions: Vec::new(), again: Again::After(WAITING) };
    let verdict = visit.step();
    let mut status = visit.status;
    verdict.write(&mut status, facts);
    let notes = notes(&facts.status(), &status);
    Decision { status, actions: visit.actions, notes, again: visit.again }
}

struct Visit<'a> {
    facts: &'a Facts,
    status: PipeStatus,
    actions: Vec<Action>,
    again: Again,
}

impl Visit<'_> {
    fn step(&mut self) -> Verdict {
        let facts = self.facts;
        if turn::has_ended(&facts.pipe, &facts.digest) {
            return self.rest();
        }
        self.status.state = Some(PipeState::Running);
        if turn::begins_again(&facts.pipe, &facts.digest) {
            return self.begin_again();
        }
        if let Some(lost) = newly_lost(facts) {
            self.actions.push(Action::RaiseEpoch { lost: lost.epoch });
            self.again = Again::After(SOON);
            return Verdict::waits(&Hold::new(reasons::NODE_LOST, lost.lost_message()));
        }
        if let Some(hold) = &facts.elder {
            self.delete_all();
            return Verdict::stalled(hold);
        }
        if facts.pipe.spec.suspend {
            return self.suspend();
        }
        if let Some(hold) = &facts.invalid {
            // What runs goes on with what it was asked before.
            return Verdict::stalled(hold);
        }
        match &facts.wanted {
            Some(wanted) if facts.has_table => self.run(wanted),
            _ => {
                self.delete_all();
                let unknown = Hold::new(reasons::TABLE_NOT_READY, "the Table has no volume yet");
                Verdict::waits(facts.table.hold.as_ref().unwrap_or(&unknown))
            }
        }
    }

    /// It has ended and is asked to run once more. Its place is written before anything else is done: whoever is at
    /// work by then goes first.
    fn begin_again(&mut self) -> Verdict {
        let place = turn::end_of_line(self.facts.last_in_line, self.facts.now);
        self.status.restart_time = Some(place.to_string());
        self.again = Again::After(SOON);
        Verdict::starting("it has ended before, and runs once more")
    }

    fn rest(&mut self) -> Verdict {
        self.delete_all();
        let is_clean = self.facts.children.is_empty();
        if is_clean {
            self.actions.push(Action::Sweep { keep: None });
        }
        self.again = if is_clean { Again::Never } else { Again::After(WAITING) };
        Verdict::ended(&self.status)
    }

    /// Stops whatever runs. It is suspended once no pod is left that could still commit.
    fn suspend(&mut self) -> Verdict {
        for child in &self.facts.children {
            match child.kind {
                Kind::Job => self.delete(child),
                Kind::Deployment if child.replicas > 0 => {
                    self.actions.push(Action::ScaleToZero(child.name.clone()));
                }
                Kind::Deployment => {}
            }
        }
        let stopped = self
            .facts
            .children
            .iter()
            .all(|child| child.kind == Kind::Deployment && child.replicas == 0 && child.settled);
        let remaining = self.facts.pods.iter().find(|pod| !pod.ended);
        match remaining {
            Some(pod) if pod.is_lost(self.facts.now) => {
                Verdict::waits(&Hold::new(reasons::NODE_LOST, pod.lost_message()))
            }
            None if stopped => {
                self.status.state = Some(PipeState::Suspended);
                // The batch that ran was given up: its files wait.
                let loading = self.status.loading_files.take().unwrap_or(0);
                if let Some(waiting) = &mut self.status.unloaded_files {
                    *waiting = waiting.saturating_add(loading);
                    self.status.loading_files = Some(0);
                }
                self.again = Again::Never;
                Verdict::suspended()
            }
            _ => {
                self.again = Again::After(SOON);
                Verdict::stopping()
            }
        }
    }

    fn run(&mut self, wanted: &Wanted) -> Verdict {
        let facts = self.facts;
        let child = facts.child();
        for other in &facts.children {
            if !child.is_some_and(|child| child == other) {
                self.delete(other);
            }
        }
        match child {
            None => self.begin(wanted),
            Some(child) if child.deleting => {
                self.again = Again::After(SOON);
                Verdict::starting("what ran before is being deleted")
            }
            Some(child) if child.kind == Kind::Deployment => {
                if child.digest != wanted.digest || child.replicas != 1 {
                    self.actions.extend([Action::MakeRequest, Action::ApplyDeployment]);
                    self.again = Again::After(SOON);
                    return Verdict::starting("the worker starts with the newest spec");
                }
                self.at_work(child, wanted)
            }
            Some(child) => match &child.ended {
                Some(end) => self.job_ended(child, end),
                None => self.at_work(child, wanted),
            },
        }
    }

    /// Makes what is wanted, once the pods of what ran before are gone, also those of a Pipe that is gone. Pods of
    /// an epoch that was given up are not waited for.
    fn begin(&mut self, wanted: &Wanted) -> Verdict {
        let facts = self.facts;
        let remains = |pod: &&PodFacts| !pod.ended && pod.epoch >= wanted.epoch;
        if let Some(pod) = facts.pods.iter().chain(&facts.leaving).find(remains) {
            self.again = Again::After(SOON);
            return Verdict::starting(&format!("pod {} of what ran before is stopping", pod.name));
        }
        if let Some(hold) = &facts.table.hold {
            return Verdict::waits(hold);
        }
        self.actions.push(Action::MakeRequest);
        self.actions.push(match wanted.kind {
            Kind::Deployment => Action::ApplyDeployment,
            Kind::Job => Action::MakeJob,
        });
        self.again = Again::After(SOON);
        let begins = "the worker is being started";
        match &facts.forgotten {
            Some(forgotten) => Verdict::starting(&format!("{begins}; {forgotten}")),
            None => Verdict::starting(begins),
        }
    }

    /// What the pods of a Deployment or Job that is as it should be tell.
    fn at_work(&mut self, child: &Child, wanted: &Wanted) -> Verdict {
        let own = self.facts.own_pods();
        let newest = own.iter().rev().find(|pod| !pod.ended && pod.gone_by.is_none());
        let lost = self.facts.pods.iter().find(|pod| pod.is_lost(self.facts.now));
        if let Some(lost) = lost.filter(|_| newest.is_none_or(|pod| !pod.started)) {
            // Until the next one has begun, that is what a person must know.
            return Verdict::waits(&Hold::new(reasons::NODE_LOST, lost.lost_message()));
        }
        let Some(pod) = newest else {
            return match &child.refusal {
                Some(message) => Verdict::waits(&Hold::new(reasons::POD_REFUSED, message)),
                None => Verdict::starting("the worker's pod is on its way"),
            };
        };
        if let Some(hold) = &pod.hold {
            if hold.reason == reasons::VOLUME_NOT_READY {
                // Somebody may have deleted the request.
                self.actions.push(Action::MakeRequest);
            }
            return Verdict::waits(hold);
        }
        if !pod.started {
            return Verdict::starting("the worker's pod is starting");
        }
        if !pod.running {
            // An outcome counts once the Job has ended too.
            let is_over = child.kind == Kind::Job && self.outcome().is_some();
            return if is_over {
                self.again = Again::After(SOON);
                Verdict::as_before(&self.status, self.facts.pipe.metadata.generation)
            } else {
                fault(pod)
            };
        }
        if child.settled {
            self.actions.push(Action::Sweep { keep: Some(wanted.request.clone()) });
        }
        self.again = Again::Poll;
        self.asked()
    }

    /// What a running worker answered, or that it does not.
    fn asked(&mut self) -> Verdict {
        let Some(progress) = &self.facts.progress else {
            self.again = Again::After(WAITING);
            return if self.facts.silence >= SILENCE {
                Verdict::unreachable(self.facts.silence)
            } else {
                Verdict::as_before(&self.status, self.facts.pipe.metadata.generation)
            };
        };
        self.status.take_figures(progress);
        // Only the end of the Job says that it is over.
        self.status.state = Some(PipeState::Running);
        let never_listed = self.status.last_full_list_time.is_none();
        match &progress.source {
            _ if progress.epoch == 0 => Verdict::starting("the worker opens the table and its ledger"),
            Some(source) if !source.reachable && never_listed => {
                Verdict::waits(&Hold::new(&source.reason, &source.message))
            }
            _ => unsupported(progress).map_or_else(Verdict::ingesting, |hold| Verdict::limping(&hold)),
        }
    }

    /// The end of a Job: the outcome that its worker told, or none, and then another Job follows.
    fn job_ended(&mut self, child: &Child, end: &JobEnd) -> Verdict {
        if let Some(progress) = self.outcome() {
            self.status.take_figures(&progress);
            self.status.finished_request = Some(self.facts.digest.clone());
            self.status.run_again = turn::run_again(&self.facts.pipe).map(str::to_owned);
            return self.rest();
        }
        let own = self.facts.own_pods();
        let verdict = own.last().filter(|pod| pod.exit.is_some()).map_or_else(
            || {
                let message = match end {
                    JobEnd::Complete => "it ended, and nobody knows how".to_owned(),
                    JobEnd::Failed { message } => message.clone(),
                };
                Verdict::waits(&Hold::new(reasons::WORKER_FAILED, message))
            },
            |pod| fault(pod),
        );
        let since = child.ended_at.map_or(JOB_AGAIN, |at| self.facts.now.duration_since(at).as_secs());
        if !verdict.is_stalled() && since >= JOB_AGAIN {
            self.delete(child);
            self.again = Again::After(SOON);
        }
        verdict
    }

    /// What the worker of a Job told when it had worked off everything.
    fn outcome(&self) -> Option<PipeProgress> {
        let own = self.facts.own_pods();
        let told = own.iter().rev().find_map(|pod| report(pod, &self.facts.pipe.ledger()))?;
        matches!(told.state, PipeState::Finished | PipeState::Error).then_some(told)
    }

    fn delete_all(&mut self) {
        for child in &self.facts.children {
            self.delete(child);
        }
    }

    fn delete(&mut self, child: &Child) {
        if !child.deleting {
            let (kind, name, uid) = (child.kind, child.name.clone(), child.uid.clone());
            self.actions.push(Action::Delete { kind, name, uid });
        }
    }
}

/// `afterLoad` asks for what the store cannot do safely.
fn unsupported(progress: &PipeProgress) -> Option<Hold> {
    let error = progress.after_load.as_ref()?.error.as_ref()?;
    let is_it = error.error_type == UNSUPPORTED_STORE;
    is_it.then(|| Hold::new(UNSUPPORTED_STORE, error.message.clone()))
}

/// A pod of the volume's epoch, or of a later one, whose node does not answer.
fn newly_lost(facts: &Facts) -> Option<&PodFacts> {
    let epoch = facts.table.volume.as_ref()?.volume_epoch;
    facts.pods.iter().find(|pod| pod.epoch >= epoch && pod.is_lost(facts.now))
}

/// What a pod whose container has ended tells.
fn fault(pod: &PodFacts) -> Verdict {
    let end = pod.exit.clone().unwrap_or_default();
    if end.out_of_memory {
        let message = "the worker was killed because it took more memory than its limit; raise \
                       spec.worker.resources.limits.memory";
        return Verdict::waits(&Hold::new(reasons::OUT_OF_MEMORY, message));
    }
    let error = PipeProgress::from_json(end.message.as_bytes()).ok();
    let hold = match error.and_then(|progress| progress.last_error) {
        Some(error) if end.code != i32::from(exit::TERMINATED) => Hold::new(&error.error_type, error.message),
        _ => {
            let said = if end.message.is_empty() || end.message.starts_with('{') {
                String::new()
            } else {
                format!(": {}", end.message)
            };
            let message = format!("the worker of pod {} ended with code {}{said}", pod.name, end.code);
            Hold::new(reasons::WORKER_FAILED, message)
        }
    };
    // What the request says cannot be done; everything else may be mended beside it.
    let is_for_edit = [exit::REQUEST, exit::SOURCE].iter().any(|code| end.code == i32::from(*code));
    if is_for_edit { Verdict::stalled(&hold) } else { Verdict::waits(&hold) }
}
