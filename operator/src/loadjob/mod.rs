//! LoadJob: one load, once. Five steps: dereference → validate → build → apply → status; what happens next is
//! decided by a pure function of the facts ([`decide`]).
//!
//! The status is written before anything is done: a run stands in it before its Job is made, an outcome
//! before its Job is deleted. No outcome is inferred: FINISHED and CANCELLED follow from a worker's report, and
//! the worker takes it from the table's log.

mod apply;
mod build;
pub mod decide;
mod dereference;
mod facts;
mod status;
mod validate;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use longshore_crds::{LoadJob, LoadState, Table};
use tokio_util::sync::CancellationToken;

use crate::apply::patch_status_of;
use crate::context::Context;
use crate::error::{ApiError, Failure};
use crate::health::Gate;
use crate::names;
use crate::pod::PodError;
use crate::runner::{self, Scope};

pub use facts::Facts;

/// Field manager of a LoadJob's status.
const STATUS_MANAGER: &str = "longshore/loadjob-status";
/// Label of this controller's metrics.
const NAME: &str = "loadjob";

/// Why a visit did not get to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The apiserver.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The pod cannot be built; admission has said so.
    #[error(transparent)]
    Pod(#[from] PodError),
    /// The request cannot be written.
    #[error("the request cannot be written as JSON: {0}")]
    Request(serde_json::Error),
    /// The Table lost its volume between two looks.
    #[error("the volume of the Table is not known any more")]
    NoVolume,
}

impl Failure for Error {
    fn category(&self) -> &'static str {
        match self {
            Self::Api(error) => error.category(),
            Self::Pod(error) => error.category(),
            Self::Request(_) => "Internal",
            Self::NoVolume => longshore_crds::reasons::TABLE_NOT_READY,
        }
    }

    fn is_transient(&self) -> bool {
        match self {
            Self::Api(error) => error.is_transient(),
            Self::Pod(_) | Self::Request(_) => false,
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
    store: Store<DeserializeGuard<LoadJob>>,
    memory: Mutex<HashMap<String, Memory>>,
}

/// What need not survive a restart.
#[derive(Debug, Clone, Copy)]
struct Memory {
    written: Instant,
    /// The run whose children are gone for good.
    swept: Option<u32>,
}

impl Shared {
    fn new(context: Arc<Context>, store: Store<DeserializeGuard<LoadJob>>) -> Self {
        Self { context, store, memory: Mutex::default() }
    }

    /// Every LoadJob that the cache knows and can read.
    fn all_jobs(&self) -> Vec<LoadJob> {
        self.store.state().iter().filter_map(|job| job.0.as_ref().ok().cloned()).collect()
    }

    fn since_write(&self, uid: &str) -> Option<Duration> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(uid).map(|memory| memory.written.elapsed())
    }

    fn note_write(&self, uid: &str) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.insert(uid.to_owned(), Memory { written: Instant::now(), swept: None });
    }

    fn is_swept(&self, uid: &str, run: u32) -> bool {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(uid).is_some_and(|memory| memory.swept == Some(run))
    }

    /// The children of a load that is over are gone: nobody looks for them again.
    fn note_swept(&self, uid: &str, run: u32) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memory.entry(uid.to_owned()).or_insert(Memory { written: Instant::now(), swept: None });
        memory.swept = Some(run);
    }

    fn forget(&self, uid: &str) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

/// Runs the controller of one scope until stopped.
pub async fn run(scope: Scope, context: Arc<Context>, gate: Gate, stop: CancellationToken) {
    let client = context.client.clone();
    let jobs: Api<DeserializeGuard<LoadJob>> = scope.api(&client);
    let controller = Controller::new(jobs, watcher::Config::default().any_semantic());
    let store = controller.store();
    let workers = watcher::Config::default().labels(names::WORKER_SELECTOR).any_semantic();
    let of_table = store.clone();
    let controller = controller
        .owns(scope.api::<Job>(&client), workers.clone())
        .watches(scope.api::<PartialObjectMeta<Pod>>(&client), workers, |pod| load_job_of(&pod))
        .watches(scope.api::<DeserializeGuard<Table>>(&client), watcher::Config::default(), move |table| {
            waiting_for(&table, &of_table)
        });
    let shared = Arc::new(Shared::new(Arc::clone(&context), store));
    let reconcile = move |job: Arc<LoadJob>, _: Arc<Context>| {
        let shared = Arc::clone(&shared);
        async move { reconcile(&job, &shared).await }
    };
    runner::run(NAME, controller, scope, context, gate, stop, reconcile).await;
}

/// The LoadJob that a pod works for.
fn load_job_of(pod: &PartialObjectMeta<Pod>) -> Option<ObjectRef<DeserializeGuard<LoadJob>>> {
    let name = pod.labels().get(names::LOAD_JOB)?;
    Some(ObjectRef::new(name).within(&pod.namespace()?))
}

/// The LoadJobs that a change of their Table may set going.
fn waiting_for(
    table: &DeserializeGuard<Table>,
    store: &Store<DeserializeGuard<LoadJob>>,
) -> Vec<ObjectRef<DeserializeGuard<LoadJob>>> {
    let (namespace, name) = (table.namespace(), table.name_any());
    let jobs = store.state();
    let waiting = jobs.iter().filter(|job| {
        let waits = |job: &LoadJob| {
            let state = job.status.as_ref().and_then(|status| status.state);
            let closing = job.status.as_ref().and_then(|status| status.execution.as_ref());
            let closing = closing.is_some_and(|execution| execution.closing.is_some());
            job.spec.table == name && (closing || matches!(state, None | Some(LoadState::Pending)))
        };
        job.namespace() == namespace && job.0.as_ref().is_ok_and(waits)
    });
    waiting.map(|job| ObjectRef::from_obj(job.as_ref())).collect()
}

/// One visit.
async fn reconcile(job: &LoadJob, shared: &Shared) -> Result<Action, Error> {
    let context = &shared.context;
    let uid = job.uid().unwrap_or_default();
    if job.metadata.deletion_timestamp.is_some() {
        shared.forget(&uid);
        return Ok(Action::await_change());
    }
    let facts = dereference::read(job, shared).await?;
    let decision = decide::decide(&facts);
    write_status(&facts, &decision, shared).await?;
    for note in &decision.notes {
        context.events.publish(job, note.type_, &note.reason, "Load", &note.note).await;
    }
    apply::perform(&decision.actions, &facts, &decision.status, context).await?;
    let over = matches!(decision.status.state, Some(LoadState::Finished | LoadState::Cancelled));
    if over && decision.actions.is_empty() && decision.again.is_none() {
        shared.note_swept(&uid, decision.status.run.unwrap_or(1));
    }
    Ok(decision.again.map_or_else(Action::await_change, Action::requeue))
}

/// Writes the status if it is worth it; refused if the LoadJob is not the one that was read, so that a spec
/// that was edited meanwhile never starts under the old decision.
async fn write_status(facts: &Facts, decision: &decide::Decision, shared: &Shared) -> Result<(), Error> {
    let uid = facts.job_uid();
    let interval = shared.context.config.status_interval;
    let before = facts.job.status.as_ref();
    if !status::is_due(before, &decision.status, shared.since_write(&uid), interval) {
        return Ok(());
    }
    let namespace = facts.job.namespace().unwrap_or_default();
    let jobs = Api::<LoadJob>::namespaced(shared.context.client.clone(), &namespace);
    patch_status_of(&jobs, STATUS_MANAGER, &facts.job, &decision.status).await?;
    shared.note_write(&uid);
    Ok(())
}
