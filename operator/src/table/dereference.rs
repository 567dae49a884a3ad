//! Step 1: what is there. Everything is read from the apiserver, not from a cache: what follows depends on what
//! this operator, or the one before it, wrote last.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use longshore_crds::{Table, TableStatus, reasons};

use super::claim::wanted_name;
use super::loads::{Loads, LoadsOfTable};
use super::pods;
use crate::apply::{controller, get, limited};
use crate::context::Context;
use crate::error::ApiError;
use crate::holds::{self, Hold};
use crate::names;

/// What is there.
#[derive(Debug, Clone)]
pub struct Found {
    /// The Table as it is now.
    pub table: Table,
    /// The claim that it asks for, by name.
    pub claim: Option<PersistentVolumeClaim>,
    /// Jobs that it controls.
    pub jobs: Vec<Job>,
    /// Pods of the Job that its status names.
    pub pods: Vec<Pod>,
    /// What keeps that Job from its work, where only events say so.
    pub hold: Option<Hold>,
    /// What LoadJobs tell.
    pub loads: LoadsOfTable,
    /// This instant, to the second.
    pub now: Timestamp,
}

impl Found {
    /// The status as it was read.
    pub fn status(&self) -> TableStatus {
        self.table.status.clone().unwrap_or_default()
    }

    /// Name of the Table's namespace.
    pub fn namespace(&self) -> String {
        self.table.namespace().unwrap_or_default()
    }

    /// The Job that the status names, if it is there.
    pub fn job(&self) -> Option<&Job> {
        let name = job_name(&self.table)?;
        self.jobs.iter().find(|job| job.name_any() == name)
    }
}

/// Name of the Job that the status names.
pub fn job_name(table: &Table) -> Option<String> {
    let job = table.status.as_ref()?.job.as_ref()?;
    let role = super::build::role(job.task);
    Some(names::child_name(&table.name_any(), &table.uid().unwrap_or_default(), job.number, role))
}

/// Reads what a visit needs; `None`: the Table is gone, or about to go.
pub async fn dereference(table: &Table, context: &Context, loads: &Loads) -> Result<Option<Found>, ApiError> {
    let (name, namespace) = (table.name_any(), table.namespace().unwrap_or_default());
    let client = &context.client;
    let tables: Api<Table> = Api::namespaced(client.clone(), &namespace);
    let Some(table) = get(&tables, &name).await? else { return Ok(None) };
    if table.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &namespace);
    let claim = get(&claims, &wanted_name(&table)).await?;
    let jobs = jobs(context, &table, &namespace).await?;
    let pods = match job_name(&table) {
        Some(job) if jobs.iter().any(|found| found.name_any() == job) => {
            pods_of(context, &namespace, &job).await?
        }
        _ => Vec::new(),
    };
    let loads = loads.of(&namespace, &name);
    let mut found = Found { table, claim, jobs, pods, hold: None, loads, now: now() };
    found.hold = hold(&found, client).await?;
    Ok(Some(found))
}

/// Events are asked for only while a pod is awaited that does not begin, and the pod itself does not say why.
async fn hold(found: &Found, client: &Client) -> Result<Option<Hold>, ApiError> {
    let namespace = found.namespace();
    let pods::Waiting { pod, job } = pods::waiting(found);
    if let Some(uid) = pod {
        return holds::of_pod(client, &namespace, &uid).await;
    }
    let Some(uid) = job else { return Ok(None) };
    let refusal = holds::of_job(client, &namespace, &uid).await?;
    Ok(refusal.map(|message| Hold::new(reasons::POD_REFUSED, message)))
}

async fn jobs(context: &Context, table: &Table, namespace: &str) -> Result<Vec<Job>, ApiError> {
    let api: Api<Job> = Api::namespaced(context.client.clone(), namespace);
    let roles = [names::Role::Table.name(), names::Role::Maintain.name()].join(",");
    let selector = format!("{}={},{} in ({roles})", names::TABLE, table.name_any(), names::ROLE);
    let list = limited("list", "Jobs", api.list(&ListParams::default().labels(&selector))).await?;
    let ours = |job: &Job| controller(job).is_some_and(|owner| Some(&owner.uid) == table.uid().as_ref());
    Ok(list.items.into_iter().filter(ours).collect())
}

async fn pods_of(context: &Context, namespace: &str, job: &str) -> Result<Vec<Pod>, ApiError> {
    let api: Api<Pod> = Api::namespaced(context.client.clone(), namespace);
    let selector = format!("batch.kubernetes.io/job-name={job}");
    Ok(limited("list", "Pods", api.list(&ListParams::default().labels(&selector))).await?.items)
}

fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
