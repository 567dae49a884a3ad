//! First step: reads what the LoadJob names and what it has made, from the apiserver itself. A cache may lag
//! behind, and absence must be true.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use longshore_crds::{LoadJob, LoadState, Table};

use super::Shared;
use super::facts::{self, Child, Facts};
use super::validate;
use crate::apply::{get, limited};
use crate::error::ApiError;
use crate::holds;
use crate::names::{self, Role, child_name};
use crate::progress;
use crate::table::table_facts;

/// Reads all that a visit needs.
///
/// # Errors
/// The apiserver.
pub async fn read(job: &LoadJob, shared: &Shared) -> Result<Facts, ApiError> {
    let reader = Reader::new(job, shared);
    let mut facts = reader.empty();
    if facts.state().is_none() {
        return Ok(facts);
    }
    reader.children(&mut facts).await?;
    if is_over(&facts) {
        return Ok(facts);
    }
    if needs_table(&facts) {
        let table = get::<Table>(&reader.api(), &job.spec.table).await?;
        facts.table = table_facts(table.as_ref(), &job.spec.table, "load");
    }
    facts.invalid =
        facts.table.volume.as_ref().and_then(|table| validate::job(job, table, &shared.context.config));
    facts.twin = shared.older_twin(job);
    reader.holds(&mut facts).await?;
    facts.figures = reader.figures(&facts).await;
    Ok(facts)
}

/// The load has ended, and nobody wants it again.
fn is_over(facts: &Facts) -> bool {
    let execution = facts.execution();
    match facts.state() {
        Some(LoadState::Finished) if !execution.dry_run => true,
        Some(LoadState::Finished | LoadState::Cancelled) => {
            execution.generation == facts.job.metadata.generation
        }
        _ => false,
    }
}

/// Whether a Job may have to be made: one that loads needs its Table no more.
fn needs_table(facts: &Facts) -> bool {
    facts.execution().closing.is_some() || facts.load == Child::Absent
}

struct Reader<'a> {
    job: &'a LoadJob,
    shared: &'a Shared,
    client: &'a Client,
    namespace: String,
}

impl<'a> Reader<'a> {
    fn new(job: &'a LoadJob, shared: &'a Shared) -> Self {
        let namespace = job.namespace().unwrap_or_default();
        Self { job, shared, client: &shared.context.client, namespace }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn empty(&self) -> Facts {
        let table = table_facts(None, &self.job.spec.table, "load");
        let grace_seconds = self.shared.context.config.grace_period_seconds;
        Facts::childless(self.job.clone(), table, Timestamp::now(), grace_seconds)
    }

    /// The Jobs of the current run, and their pods. Before a first run there is none.
    async fn children(&self, facts: &mut Facts) -> Result<(), ApiError> {
        let execution = facts.execution();
        if execution.generation.is_none() || self.shared.is_swept(&facts.job_uid(), facts.run()) {
            return Ok(());
        }
        let uid = facts.job_uid();
        let jobs = self.api::<Job>();
        let name = |role| child_name(&facts.job_name(), &uid, facts.run(), role);
        let (load, resolve) = (name(Role::Load), name(Role::Resolve));
        facts.load = facts::child(get(&jobs, &load).await?.as_ref(), &uid);
        let has_ended =
            matches!(facts.state(), Some(LoadState::Committed | LoadState::Finished | LoadState::Cancelled));
        if execution.closing.is_some() || has_ended {
            facts.resolve = facts::child(get(&jobs, &resolve).await?.as_ref(), &uid);
        }
        if is_over(facts) {
            return Ok(());
        }
        let pods = self.pods().await?;
        let of = |child: &Child| child.present().map(|job| job.uid.clone());
        let load: Vec<String> = of(&facts.load).into_iter().chain(execution.job_uid).collect();
        let load: Vec<&str> = load.iter().map(String::as_str).collect();
        facts.load_pods = facts::pods_of(&pods, &load);
        let resolve = of(&facts.resolve);
        facts.resolve_pods = facts::pods_of(&pods, &resolve.as_deref().into_iter().collect::<Vec<_>>());
        Ok(())
    }

    async fn pods(&self) -> Result<Vec<Pod>, ApiError> {
        let selector = format!("{}={}", names::LOAD_JOB, self.job.name_any());
        let params = ListParams::default().labels(&selector);
        let title = format!("the pods of LoadJob {}", self.job.name_any());
        Ok(limited("list", &title, self.api::<Pod>().list(&params)).await?.items)
    }

    /// Events say what the status of a pod or a Job does not: a Secret or a volume that is missing, a pod that
    /// is refused.
    async fn holds(&self, facts: &mut Facts) -> Result<(), ApiError> {
        for (pods, child) in
            [(&mut facts.load_pods, &mut facts.load), (&mut facts.resolve_pods, &mut facts.resolve)]
        {
            match pods.last_mut() {
                Some(pod) => holds::ask(self.client, &self.namespace, pod).await?,
                None => self.refusal(child).await?,
            }
        }
        Ok(())
    }

    async fn refusal(&self, child: &mut Child) -> Result<(), ApiError> {
        let Child::Present(job) = child else { return Ok(()) };
        if job.suspended || job.deleting || job.ended.is_some() {
            return Ok(());
        }
        job.refused = holds::of_job(self.client, &self.namespace, &job.uid).await?;
        Ok(())
    }

    /// What the worker that runs tells. That it tells nothing is no fault: it may be ending.
    async fn figures(&self, facts: &Facts) -> Option<progress::Figures> {
        let pod = facts.load_pods.last().filter(|pod| pod.started && !pod.ended && pod.gone_by.is_none())?;
        let address = pod.address.as_deref()?;
        match progress::ask(address, self.shared.context.config.worker_port).await {
            Ok(figures) => Some(figures),
            Err(error) => {
                tracing::debug!(pod = pod.name, %error, category = error.category(), "no progress");
                None
            }
        }
    }
}

impl Shared {
    /// A LoadJob of the same Table and label that was first.
    fn older_twin(&self, job: &LoadJob) -> Option<String> {
        let others = self.all_jobs();
        others
            .iter()
            .filter(|other| is_twin(other, job) && is_first(other, job))
            .map(|other| other.name_any())
            .min()
    }
}

fn is_twin(other: &LoadJob, job: &LoadJob) -> bool {
    // A dry run takes no label and is in nobody's way.
    other.namespace() == job.namespace()
        && other.uid() != job.uid()
        && job.spec.dry_run.is_none()
        && other.spec.dry_run.is_none()
        && other.metadata.deletion_timestamp.is_none()
        && other.spec.table == job.spec.table
        && other.label() == job.label()
}

/// Who has begun is first, then who is older: instants of creation have whole seconds.
fn is_first(other: &LoadJob, job: &LoadJob) -> bool {
    let rank = |job: &LoadJob| {
        let execution = job.status.as_ref().and_then(|status| status.execution.as_ref());
        let has_begun = execution.is_some_and(|execution| execution.generation.is_some());
        (!has_begun, job.creation_timestamp().map(|time| time.0), job.uid())
    };
    rank(other) < rank(job)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(uid: &str, created: &str, label: &str, generation: Option<i64>) -> LoadJob {
        serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1", "kind": "LoadJob",
            "metadata": {"name": uid, "namespace": "n", "uid": uid, "creationTimestamp": created},
            "spec": {"table": "t", "label": label, "sources": [{"paths": ["s3://b/k"]}]},
            "status": {"execution": {"generation": generation}},
        }))
        .unwrap()
    }

    #[test]
    fn of_two_with_one_label_the_first_is_who_began_then_who_is_older() {
        let (noon, later) = ("2026-01-01T12:00:00Z", "2026-01-01T12:00:01Z");
        let first = |one: &LoadJob, other: &LoadJob| is_twin(one, other) && is_first(one, other);
        let (a, b) = (job("a", noon, "l", None), job("b", later, "l", None));
        assert!(first(&a, &b) && !first(&b, &a));
        let began = job("z", noon, "l", Some(1));
        assert!(first(&began, &a) && !first(&a, &began));
        assert!(!first(&a, &job("c", later, "other", None)));
        assert!(!first(&a, &a));
    }
}
