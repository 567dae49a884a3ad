//! Fourth step: does what was decided, in order. Whatever was done before is found done.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use longshore_crds::{LoadJob, LoadJobStatus, Table};
use serde_json::json;

use super::decide::Action;
use super::facts::{Child, Facts};
use super::{Error, build};
use crate::apply::{controller, create_once, delete, get, limited};
use crate::context::Context;
use crate::pod::TableRef;
use crate::table::raise_epoch;

/// Field manager of `spec.suspend` of Jobs.
const JOB_MANAGER: &str = "longshore/loadjob";

/// Does the actions for a status that was written.
///
/// # Errors
/// The first one that failed; the next visit decides anew.
pub async fn perform(
    actions: &[Action],
    facts: &Facts,
    status: &LoadJobStatus,
    context: &Context,
) -> Result<(), Error> {
    let performer = Performer { facts, status, context };
    for action in actions {
        performer.perform(action).await?;
    }
    Ok(())
}

struct Performer<'a> {
    facts: &'a Facts,
    status: &'a LoadJobStatus,
    context: &'a Context,
}

impl Performer<'_> {
    async fn perform(&self, action: &Action) -> Result<(), Error> {
        match action {
            Action::MakeRequest => self.make_request().await,
            Action::MakeLoadJob => self.make_load_job().await,
            Action::MakeResolveJob => self.make_resolve_job().await,
            Action::SuspendLoad => self.suspend_load().await,
            Action::DeleteLoad => self.delete_load().await,
            Action::DeleteResolve => self.delete_job(&self.facts.resolve).await,
            Action::RaiseEpoch { to } => self.raise_epoch(*to).await,
        }
    }

    fn job(&self) -> &LoadJob {
        &self.facts.job
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.context.client.clone(), &self.job().namespace().unwrap_or_default())
    }

    fn run(&self) -> u32 {
        self.status.run.unwrap_or(1)
    }

    fn volume(&self) -> Result<&TableRef, Error> {
        self.facts.table.volume.as_ref().ok_or(Error::NoVolume)
    }

    async fn make_request(&self) -> Result<(), Error> {
        let deadline = self.status.execution.as_ref().and_then(|execution| execution.deadline.clone());
        let request = build::request(self.job(), self.run(), deadline).map_err(Error::Request)?;
        create_once(&self.api::<ConfigMap>(), &request).await?;
        Ok(())
    }

    async fn make_load_job(&self) -> Result<(), Error> {
        let job = build::load_job(self.job(), self.volume()?, self.run(), &self.context.config)?;
        create_once(&self.api::<Job>(), &job).await?;
        Ok(())
    }

    async fn make_resolve_job(&self) -> Result<(), Error> {
        let closing = self.status.execution.as_ref().and_then(|execution| execution.closing.as_ref());
        let Some(closing) = closing else { return Ok(()) };
        let job = build::resolve_job(self.job(), self.volume()?, self.run(), closing, &self.context.config)?;
        create_once(&self.api::<Job>(), &job).await?;
        Ok(())
    }

    /// Stops the pods of the Job that was read, and of no other.
    async fn suspend_load(&self) -> Result<(), Error> {
        let Some(load) = self.facts.load.present() else { return Ok(()) };
        let body = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"uid": load.uid}, "spec": {"suspend": true},
        });
        let params = PatchParams { field_manager: Some(JOB_MANAGER.to_owned()), ..PatchParams::default() };
        let title = format!("Job {}", load.name);
        limited("suspend", &title, self.api::<Job>().patch(&load.name, &params, &Patch::Merge(&body)))
            .await?;
        Ok(())
    }

    /// The request goes before the Job: while the Job is there, the next visit deletes both.
    async fn delete_load(&self) -> Result<(), Error> {
        let Some(load) = self.facts.load.present() else { return Ok(()) };
        let requests = self.api::<ConfigMap>();
        if let Some(request) = get(&requests, &load.name).await?
            && controller(&request).is_some_and(|owner| Some(&owner.uid) == self.job().metadata.uid.as_ref())
        {
            delete(&requests, &load.name, &request.uid().unwrap_or_default()).await?;
        }
        self.delete_job(&self.facts.load).await
    }

    async fn delete_job(&self, child: &Child) -> Result<(), Error> {
        let Some(job) = child.present() else { return Ok(()) };
        delete(&self.api::<Job>(), &job.name, &job.uid).await?;
        Ok(())
    }

    async fn raise_epoch(&self, to: u32) -> Result<(), Error> {
        let tables = self.api::<Table>();
        let name = &self.job().spec.table;
        let Some(table) = get(&tables, name).await? else { return Ok(()) };
        raise_epoch(self.context, &table, to.saturating_sub(1)).await?;
        Ok(())
    }
}
