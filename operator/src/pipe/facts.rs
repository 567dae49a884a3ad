//! What one visit knows of a Pipe: plain data, taken from the objects of the cluster. Nothing here decides.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use longshore_crds::{Pipe, PipeProgress, PipeStatus};

use crate::holds::Hold;
use crate::names;
use crate::seen::{JobEnd, PodFacts, job_end};
use crate::table::TableFacts;

/// All that one visit knows.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The object as it was read.
    pub pipe: Pipe,
    /// Digest of its request, empty if it has none.
    pub digest: String,
    /// Its Table.
    pub table: TableFacts,
    /// Whether the Table is there and stays.
    pub has_table: bool,
    /// What an edit of the object must mend.
    pub invalid: Option<Hold>,
    /// Another Pipe that came first and is in the way.
    pub elder: Option<Hold>,
    /// Since when the last of the other Pipes that have not ended holds its place.
    pub last_in_line: Option<Timestamp>,
    /// A sentence about files that the ledger of a Pipe that has ended knows, and this one's does not.
    pub forgotten: Option<String>,
    /// What is to run; `None`: the Table has no volume, or the object is invalid.
    pub wanted: Option<Wanted>,
    /// Deployments and Jobs of this Pipe.
    pub children: Vec<Child>,
    /// Pods of this Pipe, the newest last.
    pub pods: Vec<PodFacts>,
    /// Pods of other Pipes that may load the same files and are to go, of one that is about to begin.
    pub leaving: Vec<PodFacts>,
    /// What the running worker answers.
    pub progress: Option<PipeProgress>,
    /// For how long it has not answered.
    pub silence: Duration,
    /// Now.
    pub now: Timestamp,
}

/// What runs a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// For ever.
    Deployment,
    /// Until its end.
    Job,
}

/// What is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What kind of object.
    pub kind: Kind,
    /// Its name. It follows from the Table, the volume's epoch and, of a Job, from everything else.
    pub name: String,
    /// Name of the ConfigMap with the request.
    pub request: String,
    /// Digest of everything that is asked for, but whether it runs.
    pub digest: String,
    /// The epoch of the volume.
    pub epoch: u32,
}

/// What is known of a Deployment or a Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// What kind of object.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Somebody deletes it.
    pub deleting: bool,
    /// Digest of what it was asked for.
    pub digest: String,
    /// Pods that it is to have.
    pub replicas: i32,
    /// It has no pods but those that it is to have.
    pub settled: bool,
    /// Why it cannot make its pod.
    pub refusal: Option<String>,
    /// How a Job ended.
    pub ended: Option<JobEnd>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Facts {
    /// The status, empty on the first visit.
    pub fn status(&self) -> PipeStatus {
        self.pipe.status.clone().unwrap_or_default()
    }

    /// What is to run, if it is there.
    pub fn child(&self) -> Option<&Child> {
        let wanted = self.wanted.as_ref()?;
        self.children.iter().find(|child| child.kind == wanted.kind && child.name == wanted.name)
    }

    /// Pods of what is to run.
    pub fn own_pods(&self) -> Vec<&PodFacts> {
        let Some(wanted) = &self.wanted else { return Vec::new() };
        self.pods.iter().filter(|pod| wanted.owns(pod)).collect()
    }
}

impl Wanted {
    /// Whether a pod is this one's: a Job controls it by its name, a Deployment by a ReplicaSet that is named
    /// after it.
    pub fn owns(&self, pod: &PodFacts) -> bool {
        match self.kind {
            Kind::Job => pod.owner == self.name,
            Kind::Deployment => pod.owner.strip_prefix(&self.name).is_some_and(|rest| rest.starts_with('-')),
        }
    }
}

/// What a Deployment tells.
pub fn of_deployment(deployment: &Deployment) -> Child {
    let meta = &deployment.metadata;
    let replicas = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    let seen = status.observed_generation >= meta.generation;
    let counts = [status.replicas, status.updated_replicas].map(|count| count.unwrap_or(0));
    let refusal =
        status.conditions.iter().flatten().find(|it| it.type_ == "ReplicaFailure" && it.status == "True");
    Child {
        kind: Kind::Deployment,
        name: deployment.name_any(),
        uid: deployment.uid().unwrap_or_default(),
        deleting: meta.deletion_timestamp.is_some(),
        digest: deployment.annotations().get(names::APPLIED).cloned().unwrap_or_default(),
        replicas,
        settled: seen && counts == [replicas, replicas],
        refusal: refusal.map(|refusal| refusal.message.clone().unwrap_or_default()),
        ended: None,
        ended_at: None,
    }
}

/// What a Job tells.
pub fn of_job(job: &Job) -> Child {
    let ended = job_end(job);
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    let last = conditions.into_iter().flatten().filter_map(|it| it.last_transition_time.as_ref());
    Child {
        kind: Kind::Job,
        name: job.name_any(),
        uid: job.uid().unwrap_or_default(),
        deleting: job.metadata.deletion_timestamp.is_some(),
        digest: String::new(),
        replicas: i32::from(ended.is_none()),
        settled: true,
        refusal: None,
        ended_at: last.map(|time| time.0).max().filter(|_| ended.is_some()),
        ended,
    }
}
