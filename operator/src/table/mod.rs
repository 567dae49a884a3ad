//! `Table`: its claim, the Jobs that make, check and maintain it, its status.
//!
//! A table's state is what workers report; the operator keeps a number of its Jobs in the status before it
//! makes one, so that an absent Job is never taken for one that is still to come. Every task of these Jobs can
//! be repeated.

mod apply;
mod build;
mod claim;
mod dereference;
mod due;
mod loads;
mod offer;
mod outcome;
mod pods;
mod status;
#[cfg(test)]
mod tests;
mod validate;
mod volume;

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::Controller;
use kube::runtime::controller::Action;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Resource, ResourceExt};
use longshore_crds::{LoadJob, Pipe, Table};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::error::{ApiError, Failure};
use crate::health::Gate;
use crate::names;
use crate::runner::{self, Scope};

pub use build::BuildError;
pub use offer::{TableFacts, table_facts};
pub use volume::{raise_epoch, table_ref};

use loads::Loads;

/// Label of the metrics.
const NAME: &str = "table";

/// Why a visit of a Table ended early.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A call to the apiserver.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A Job or request that cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl Failure for TableError {
    fn category(&self) -> &'static str {
        match self {
            Self::Api(error) => error.category(),
            Self::Build(error) => error.category(),
        }
    }

    fn is_transient(&self) -> bool {
        match self {
            Self::Api(error) => error.is_transient(),
            Self::Build(_) => false,
        }
    }

    fn is_conflict(&self) -> bool {
        matches!(self, Self::Api(error) if error.is_conflict())
    }
}

/// Runs the controller in one scope until stopped.
pub async fn run(context: Arc<Context>, scope: Scope, gate: Gate, stop: CancellationToken) {
    let loads = Loads::default();
    let controller = controller(&context, &scope, &loads);
    runner::run(NAME, controller, scope, context, gate, stop, move |table, context| {
        reconcile(table, context, loads.clone())
    })
    .await;
}

/// What makes a Table be visited: itself, its Jobs and their pods, claims that it uses, loads that ended,
/// batches of pipes.
fn controller(context: &Context, scope: &Scope, loads: &Loads) -> Controller<DeserializeGuard<Table>> {
    let client = &context.client;
    let ours = watcher::Config::default().labels(names::WORKER_SELECTOR);
    let controller =
        Controller::new(scope.api::<DeserializeGuard<Table>>(client), watcher::Config::default());
    let tables = controller.store();
    let (loads, batches) = (loads.clone(), loads.clone());
    controller
        .owns(scope.api::<Job>(client), ours.clone())
        .watches(scope.api::<PartialObjectMeta<Pod>>(client), ours, |pod| table_of_pod(&pod))
        .watches(
            scope.api::<PartialObjectMeta<PersistentVolumeClaim>>(client),
            watcher::Config::default(),
            move |claim| tables_of_claim(&claim, &tables),
        )
        .watches(scope.api::<DeserializeGuard<LoadJob>>(client), watcher::Config::default(), move |job| {
            let job = job.0.ok()?;
            let table = ObjectRef::new(&job.spec.table).within(&job.namespace()?);
            loads.see(&job).then_some(table)
        })
        .watches(scope.api::<DeserializeGuard<Pipe>>(client), watcher::Config::default(), move |pipe| {
            let pipe = pipe.0.ok()?;
            let table = ObjectRef::new(&pipe.spec.table).within(&pipe.namespace()?);
            batches.see_pipe(&pipe).then_some(table)
        })
}

/// The Table whose Job made a pod; pods of loads are none of ours.
fn table_of_pod(pod: &PartialObjectMeta<Pod>) -> Option<ObjectRef<DeserializeGuard<Table>>> {
    let ours = [names::Role::Table.name(), names::Role::Maintain.name()];
    let role = pod.labels().get(names::ROLE)?;
    ours.contains(&role.as_str()).then_some(())?;
    Some(ObjectRef::new(pod.labels().get(names::TABLE)?).within(&pod.namespace()?))
}

/// The Tables that use a claim: by its label, by their spec, by their status.
fn tables_of_claim(
    claim: &PartialObjectMeta<PersistentVolumeClaim>,
    tables: &Store<DeserializeGuard<Table>>,
) -> Vec<ObjectRef<DeserializeGuard<Table>>> {
    let (name, namespace) = (claim.name_any(), claim.namespace());
    let uses = |table: &Table| {
        let in_status = table.status.as_ref().and_then(|status| status.claim.as_ref());
        table.namespace() == namespace
            && (claim::wanted_name(table) == name || in_status.is_some_and(|claim| *claim == name))
    };
    let tables = tables.state();
    let tables = tables.iter().filter(|table| table.0.as_ref().is_ok_and(uses));
    tables.map(|table| ObjectRef::from_obj(table.as_ref())).collect()
}

/// One visit: what is there, what is asked for, what follows, done, told.
async fn reconcile(table: Arc<Table>, context: Arc<Context>, loads: Loads) -> Result<Action, TableError> {
    let Some(found) = dereference::dereference(&table, &context, &loads).await? else {
        return Ok(Action::await_change());
    };
    if let Some(epoch) = pods::lost_epoch(&found, context.config.grace_period_seconds) {
        // Written before anything follows from it: pods of the next Job must not be bound to the lost node.
        raise_epoch(&context, &found.table, epoch).await?;
        return Ok(Action::requeue(std::time::Duration::from_millis(100)));
    }
    let validated = validate::validate(&found, &context.config);
    let claim = build::claim(&found, &validated);
    let claim = apply::claim(&context, &found, claim).await?;
    let next = status::next(&found, &validated, &claim);
    let written = apply::status(&context, &found, &next.status).await?;
    apply::jobs(&context, &found, &written).await?;
    apply::events(&context, &written, &next.events).await;
    Ok(next.requeue.map_or_else(Action::await_change, Action::requeue))
}

/// The reference by which a Table controls what it makes.
fn owner(table: &Table) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference {
    table.controller_owner_ref(&()).unwrap_or_default()
}
