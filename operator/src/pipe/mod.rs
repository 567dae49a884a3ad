//! Pipe: the files of a prefix, each once, for as long as the object is there. Five steps: dereference → validate
//! → build → apply → status; what happens next is decided by a pure function of the facts ([`decide`]).
//!
//! A Pipe that lists for ever is a Deployment of one worker, one that lists once a Job. What is loaded is in the
//! table's log and its ledger and nowhere else: whatever the operator makes, deletes or makes again, and
//! however many workers run, no file loads twice.

mod apply;
mod build;
pub mod decide;
mod dereference;
#[cfg(test)]
mod edit_tests;
mod facts;
mod overlap;
#[cfg(test)]
mod properties;
mod status;
#[cfg(test)]
mod tests;
mod turn;
mod validate;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use longshore_crds::{Pipe, Table, conditions, reasons};
use tokio_util::sync::CancellationToken;

use crate::apply::patch_status_of;
use crate::context::Context;
use crate::error::{ApiError, Failure};
use crate::health::Gate;
use crate::names;
use crate::runner::{self, Scope};

pub use build::BuildError;
pub use facts::Facts;

/// Field manager of a Pipe's status.
const STATUS_MANAGER: &str = "longshore/pipe-status";
/// Label of this controller's metrics.
const NAME: &str = "pipe";
/// A pipe whose figures do not move is asked at least so often.
const LONGEST_POLL: Duration = Duration::from_secs(30);

/// Why a visit did not get to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The apiserver.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// What is to run cannot be built; the conditions have said so.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The Table lost its volume between two looks.
    #[error("the volume of the Table is not known any more")]
    NoVolume,
}

impl Failure for Error {
    fn category(&self) -> &'static str {
        match self {
            Self::Api(error) => error.category(),
            Self::Build(error) => error.category(),
            Self::NoVolume => reasons::TABLE_NOT_READY,
        }
    }

    fn is_transient(&self) -> bool {
        match self {
            Self::Api(error) => error.is_transient(),
            Self::Build(_) => false,
            Self::NoVolume => true,
        }
    }

    fn is_conflict(&self) -> bool {
        matches!(self, Self::Api(error) if error.is_conflict())
    }
}

/// What the visits of one scope share.
pub(crate) struct Shared {
    context: Arc<Context>,
    store: Store<DeserializeGuard<Pipe>>,
    memory: Mutex<HashMap<String, Memory>>,
}

/// What need not survive a restart.
#[derive(Debug, Clone, Default)]
struct Memory {
    written: Option<Instant>,
    /// The pod that was asked last, and when it answered last, or was asked first.
    answered: Option<(String, Instant)>,
    /// The request beside which there is no other.
    swept: Option<Option<String>>,
    /// Visits in a row that found nothing new.
    quiet: u32,
}

impl Shared {
    fn new(context: Arc<Context>, store: Store<DeserializeGuard<Pipe>>) -> Self {
        Self { context, store, memory: Mutex::default() }
    }

    fn with_memory<T>(&self, uid: &str, work: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        work(memory.entry(uid.to_owned()).or_default())
    }

    /// The other Pipes of a Pipe's Table that the cache knows and can read.
    fn neighbours(&self, pipe: &Pipe) -> Vec<Pipe> {
        let others = self.store.state();
        let others = others.iter().filter_map(|other| other.0.as_ref().ok());
        others.filter(|other| overlap::is_neighbour(other, pipe)).cloned().collect()
    }

    /// For how long a pod has not answered; `answers`: it has, just now.
    fn silence(&self, uid: &str, pod: &str, answers: bool) -> Duration {
        self.with_memory(uid, |memory| {
            let same = memory.answered.as_ref().is_some_and(|(before, _)| before == pod);
            if answers || !same {
                memory.answered = Some((pod.to_owned(), Instant::now()));
            }
            memory.answered.as_ref().map_or(Duration::ZERO, |(_, at)| at.elapsed())
        })
    }

    fn is_swept(&self, uid: &str, keep: Option<&str>) -> bool {
        self.with_memory(uid, |memory| memory.swept.as_ref().is_some_and(|swept| swept.as_deref() == keep))
    }

    fn note_swept(&self, uid: &str, keep: Option<&str>) {
        self.with_memory(uid, |memory| memory.swept = Some(keep.map(str::to_owned)));
    }

    fn forget(&self, uid: &str) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// When a worker is asked again: soon while its figures move.
    fn poll(&self, uid: &str, moved: bool) -> Duration {
        let quiet = self.with_memory(uid, |memory| {
            memory.quiet = if moved { 0 } else { memory.quiet.saturating_add(1) };
            memory.quiet
        });
        let interval = self.context.config.status_interval;
        interval.saturating_mul(1 << quiet.saturating_sub(1).min(4)).min(LONGEST_POLL.max(interval))
    }
}

/// Runs the controller of one scope until stopped.
pub async fn run(scope: Scope, context: Arc<Context>, gate: Gate, stop: CancellationToken) {
    let client = context.client.clone();
    let pipes: Api<DeserializeGuard<Pipe>> = scope.api(&client);
    let controller = Controller::new(pipes, watcher::Config::default().any_semantic());
    let store = controller.store();
    let workers = watcher::Config::default().labels(names::WORKER_SELECTOR).any_semantic();
    let (of_table, of_pipe) = (store.clone(), store.clone());
    let controller = controller
        .owns(scope.api::<Deployment>(&client), workers.clone())
        .owns(scope.api::<Job>(&client), workers.clone())
        .watches(scope.api::<PartialObjectMeta<Pod>>(&client), workers, |pod| pipe_of(&pod))
        .watches(scope.api::<DeserializeGuard<Table>>(&client), watcher::Config::default(), move |table| {
            let (namespace, name) = (table.namespace(), table.name_any());
            chosen(&of_table, |pipe| pipe.namespace() == namespace && pipe.spec.table == name)
        })
        .watches(
            scope.api::<PartialObjectMeta<Pipe>>(&client),
            watcher::Config::default().any_semantic(),
            move |elder| chosen(&of_pipe, |pipe| gives_way_in(pipe, elder.namespace().as_deref())),
        );
    let shared = Arc::new(Shared::new(Arc::clone(&context), store));
    let reconcile = move |pipe: Arc<Pipe>, _: Arc<Context>| {
        let shared = Arc::clone(&shared);
        async move { Box::pin(reconcile(&pipe, &shared)).await }
    };
    runner::run(NAME, controller, scope, context, gate, stop, reconcile).await;
}

/// The Pipe that a pod works for.
fn pipe_of(pod: &PartialObjectMeta<Pod>) -> Option<ObjectRef<DeserializeGuard<Pipe>>> {
    let name = pod.labels().get(names::PIPE)?;
    Some(ObjectRef::new(name).within(&pod.namespace()?))
}

fn chosen(
    store: &Store<DeserializeGuard<Pipe>>,
    choose: impl Fn(&Pipe) -> bool,
) -> Vec<ObjectRef<DeserializeGuard<Pipe>>> {
    let pipes = store.state();
    let pipes = pipes.iter().filter(|pipe| pipe.0.as_ref().is_ok_and(&choose));
    pipes.map(|pipe| ObjectRef::from_obj(pipe.as_ref())).collect()
}

/// Whether a Pipe of this namespace waits for one that came first: any change of another may set it going.
fn gives_way_in(pipe: &Pipe, namespace: Option<&str>) -> bool {
    let in_the_way = [reasons::LEDGER_IN_USE, reasons::SOURCE_OVERLAPS];
    let conditions = pipe.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let stalled = conditions.iter().find(|it| it.type_ == conditions::STALLED && it.status == "True");
    pipe.namespace().as_deref() == namespace
        && stalled.is_some_and(|it| in_the_way.contains(&it.reason.as_str()))
}

/// One visit.
async fn reconcile(pipe: &Pipe, shared: &Shared) -> Result<Action, Error> {
    let context = &shared.context;
    let uid = pipe.uid().unwrap_or_default();
    if pipe.metadata.deletion_timestamp.is_some() {
        shared.forget(&uid);
        return Ok(Action::await_change());
    }
    let facts = dereference::read(pipe, shared).await?;
    let decision = decide::decide(&facts);
    let moved = pipe.status.as_ref() != Some(&decision.status);
    write_status(&facts, &decision, shared).await?;
    for note in &decision.notes {
        context.events.publish(pipe, note.type_, &note.reason, "Load", &note.note).await;
    }
    apply::perform(&decision.actions, &facts, shared).await?;
    Ok(match decision.again {
        decide::Again::Never => Action::await_change(),
        decide::Again::After(pause) => Action::requeue(pause),
        decide::Again::Poll => Action::requeue(shared.poll(&uid, moved)),
    })
}

/// Writes the status if it is worth it; refused if the Pipe is not the one that was read.
async fn write_status(facts: &Facts, decision: &decide::Decision, shared: &Shared) -> Result<(), Error> {
    let uid = facts.pipe.uid().unwrap_or_default();
    let interval = shared.context.config.status_interval;
    let before = facts.pipe.status.as_ref();
    let last = shared.with_memory(&uid, |memory| memory.written.map(|written| written.elapsed()));
    if !status::is_due(before, &decision.status, last, interval) {
        return Ok(());
    }
    let namespace = facts.pipe.namespace().unwrap_or_default();
    let pipes = Api::<Pipe>::namespaced(shared.context.client.clone(), &namespace);
    patch_status_of(&pipes, STATUS_MANAGER, &facts.pipe, &decision.status).await?;
    shared.with_memory(&uid, |memory| memory.written = Some(Instant::now()));
    Ok(())
}
