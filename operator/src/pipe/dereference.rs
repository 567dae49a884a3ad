//! First step: reads what the Pipe names and what it has made, from the apiserver itself; of the other Pipes of
//! its Table, what the cache knows.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use longshore_crds::{Pipe, PipeProgress, Table};

use super::facts::{self, Child, Facts, Kind};
use super::{Shared, build, overlap, validate};
use crate::apply::{Object, controller, get, limited};
use crate::error::ApiError;
use crate::names::{self, Role};
use crate::seen::{PodFacts, in_order, pod_facts};
use crate::table::table_facts;
use crate::{holds, progress};

/// Reads all that a visit needs.
///
/// # Errors
/// The apiserver.
pub async fn read(pipe: &Pipe, shared: &Shared) -> Result<Facts, ApiError> {
    let reader = Reader { pipe, shared, namespace: pipe.namespace().unwrap_or_default() };
    let table = get::<Table>(&reader.api(), &pipe.spec.table).await?;
    let offer = table_facts(table.as_ref(), &pipe.spec.table, "pipe");
    let checked =
        offer.volume.as_ref().map(|volume| validate::pipe(pipe, volume, &shared.context.config)).transpose();
    let (wanted, invalid) = match checked {
        Ok(wanted) => (wanted, None),
        Err(hold) => (None, Some(hold)),
    };
    let neighbours = shared.neighbours(pipe);
    let mut facts = Facts {
        pipe: pipe.clone(),
        digest: build::request_digest(pipe),
        has_table: table.is_some_and(|table| table.metadata.deletion_timestamp.is_none()),
        table: offer,
        invalid,
        elder: overlap::elder(pipe, &neighbours),
        last_in_line: overlap::last_in_line(pipe, &neighbours),
        forgotten: overlap::forgotten(pipe, &neighbours),
        wanted,
        children: reader.children().await?,
        pods: reader.pods().await?,
        leaving: Vec::new(),
        progress: None,
        silence: std::time::Duration::ZERO,
        now: Timestamp::now(),
    };
    facts.leaving = reader.leaving(&facts, &neighbours).await?;
    reader.holds(&mut facts).await?;
    reader.progress(&mut facts).await;
    Ok(facts)
}

struct Reader<'a> {
    pipe: &'a Pipe,
    shared: &'a Shared,
    namespace: String,
}

impl Reader<'_> {
    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.shared.context.client.clone(), &self.namespace)
    }

    async fn list<K>(&self, what: &str) -> Result<Vec<K>, ApiError>
    where
        K: Object + kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        self.list_by(&format!("{}={}", names::PIPE, self.pipe.name_any()), what).await
    }

    async fn list_by<K>(&self, selector: &str, what: &str) -> Result<Vec<K>, ApiError>
    where
        K: Object + kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        let params = ListParams::default().labels(selector);
        let title = format!("the {what} of Pipe {}", self.pipe.name_any());
        Ok(limited("list", &title, self.api::<K>().list(&params)).await?.items)
    }

    /// Deployments and Jobs that this Pipe controls; not those of an earlier one of its name.
    async fn children(&self) -> Result<Vec<Child>, ApiError> {
        let uid = self.pipe.uid();
        let deployments = self.list::<Deployment>("Deployments").await?;
        let jobs = self.list::<Job>("Jobs").await?;
        let deployments =
            deployments.iter().filter(|it| controller(*it).map(|owner| &owner.uid) == uid.as_ref());
        let jobs = jobs.iter().filter(|it| controller(*it).map(|owner| &owner.uid) == uid.as_ref());
        Ok(deployments.map(facts::of_deployment).chain(jobs.map(facts::of_job)).collect())
    }

    async fn pods(&self) -> Result<Vec<PodFacts>, ApiError> {
        Ok(in_order(self.list::<Pod>("pods").await?.iter()).into_iter().map(pod_facts).collect())
    }

    /// Pods of other Pipes that may load the same files, for one that is about to begin. Of a Pipe that is gone
    /// nobody knows what its pod loads until it ends.
    async fn leaving(&self, facts: &Facts, neighbours: &[Pipe]) -> Result<Vec<PodFacts>, ApiError> {
        if facts.wanted.is_none() || facts.child().is_some() || facts.elder.is_some() {
            return Ok(Vec::new());
        }
        let table = &self.pipe.spec.table;
        let selector = format!("{}={table},{}={}", names::TABLE, names::ROLE, Role::Pipe.name());
        let pods = self.list_by::<Pod>(&selector, "pods beside those").await?;
        let is_in_the_way = |pod: &&Pod| {
            let name = pod.labels().get(names::PIPE).map(String::as_str).unwrap_or_default();
            let is_it = |other: &&Pipe| other.name_any() == name;
            name != self.pipe.name_any()
                && neighbours.iter().find(is_it).is_none_or(|other| overlap::conflicts(self.pipe, other))
        };
        let pods = in_order(pods.iter().filter(is_in_the_way)).into_iter().map(pod_facts);
        Ok(pods.filter(|pod| !pod.is_lost(facts.now)).collect())
    }

    /// Events say what the status of a pod or a Job does not: a Secret or a volume that is missing, a pod that
    /// is refused.
    async fn holds(&self, facts: &mut Facts) -> Result<(), ApiError> {
        let client = &self.shared.context.client;
        let Some(wanted) = facts.wanted.clone() else { return Ok(()) };
        let newest = facts.pods.iter_mut().rev().find(|pod| wanted.owns(pod));
        if let Some(pod) = newest {
            return holds::ask(client, &self.namespace, pod).await;
        }
        let is_it = |child: &&mut Child| child.kind == Kind::Job && child.name == wanted.name;
        if let Some(job) = facts.children.iter_mut().find(is_it)
            && job.ended.is_none()
        {
            job.refusal = holds::of_job(client, &self.namespace, &job.uid).await?;
        }
        Ok(())
    }

    /// What the worker that runs tells.
    async fn progress(&self, facts: &mut Facts) {
        let own = facts.own_pods();
        let Some(pod) = own.last().filter(|pod| pod.running && pod.gone_by.is_none()) else { return };
        let answer = match &pod.address {
            Some(address) => progress::ask_pipe(address, self.shared.context.config.worker_port).await,
            None => return,
        };
        let answer: Option<PipeProgress> = match answer {
            Ok(progress) if progress.ledger == self.pipe.ledger() => Some(progress),
            Ok(progress) => {
                tracing::debug!(pod = pod.name, ledger = progress.ledger, "it works for another ledger");
                None
            }
            Err(error) => {
                tracing::debug!(pod = pod.name, %error, category = error.category(), "no progress");
                None
            }
        };
        let silence = self.shared.silence(&self.pipe.uid().unwrap_or_default(), &pod.uid, answer.is_some());
        facts.silence = silence;
        facts.progress = answer;
    }
}
