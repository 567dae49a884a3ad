//! What one visit knows of a LoadJob: plain data, taken from the objects of the cluster. Nothing here decides.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use longshore_crds::{LOAD_REPORT_VERSION, LoadExecution, LoadJob, LoadJobStatus, LoadReport, LoadState};

pub use crate::holds::Hold;
use crate::names;
use crate::pod::memory_limit;
use crate::progress::Figures;
pub use crate::seen::{JobEnd, PodFacts};
use crate::seen::{in_order, job_end, pod_facts};
pub use crate::table::TableFacts;

/// All that one visit knows.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The object as it was read.
    pub job: LoadJob,
    /// Its Table.
    pub table: TableFacts,
    /// What an edit of the object must mend: reason and message.
    pub invalid: Option<Hold>,
    /// Name of an older LoadJob with the same Table and label.
    pub twin: Option<String>,
    /// The Job that loads in the current run.
    pub load: Child,
    /// The Job that closes the current run.
    pub resolve: Child,
    /// Pods of the loading Job, the newest last; also of one that is gone.
    pub load_pods: Vec<PodFacts>,
    /// Pods of the closing Job, the newest last.
    pub resolve_pods: Vec<PodFacts>,
    /// What the running worker tells.
    pub figures: Option<Figures>,
    /// Now.
    pub now: Timestamp,
    /// `terminationGracePeriodSeconds` of worker pods.
    pub grace_seconds: i64,
}

/// A Job by its deterministic name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Child {
    /// There is none.
    Absent,
    /// The name is taken by an object of another owner.
    Foreign,
    /// There is one.
    Present(JobFacts),
}

impl Child {
    /// The Job, if it is there and ours.
    pub fn present(&self) -> Option<&JobFacts> {
        match self {
            Self::Present(job) => Some(job),
            Self::Absent | Self::Foreign => None,
        }
    }
}

/// What is known of a Job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFacts {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// `spec.suspend`.
    pub suspended: bool,
    /// Somebody deletes it.
    pub deleting: bool,
    /// How it ended.
    pub ended: Option<JobEnd>,
    /// Why it cannot make its pod.
    pub refused: Option<String>,
    /// The volume epoch of its pods.
    pub epoch: u32,
    /// Memory limit of its container, as written.
    pub memory_limit: Option<String>,
}

impl Facts {
    /// The facts before any child was looked for.
    pub fn childless(job: LoadJob, table: TableFacts, now: Timestamp, grace_seconds: i64) -> Self {
        Self {
            job,
            table,
            invalid: None,
            twin: None,
            load: Child::Absent,
            resolve: Child::Absent,
            load_pods: Vec::new(),
            resolve_pods: Vec::new(),
            figures: None,
            now,
            grace_seconds,
        }
    }

    /// The status, empty on the first visit.
    pub fn status(&self) -> LoadJobStatus {
        self.job.status.clone().unwrap_or_default()
    }

    /// What the operator keeps about the run.
    pub fn execution(&self) -> LoadExecution {
        self.job.status.as_ref().and_then(|status| status.execution.clone()).unwrap_or_default()
    }

    /// The state; `None` on the first visit.
    pub fn state(&self) -> Option<LoadState> {
        self.job.status.as_ref().and_then(|status| status.state)
    }

    /// Name of the object.
    pub fn job_name(&self) -> String {
        self.job.name_any()
    }

    /// UID of the object.
    pub fn job_uid(&self) -> String {
        self.job.uid().unwrap_or_default()
    }

    /// The run's number.
    pub fn run(&self) -> u32 {
        self.job.status.as_ref().and_then(|status| status.run).unwrap_or(1)
    }

    /// The newest readable report of this run among some pods.
    pub fn report(&self, pods: &[PodFacts]) -> Option<LoadReport> {
        let label = self.job.label();
        pods.iter().rev().find_map(|pod| {
            let report: LoadReport = serde_json::from_str(&pod.exit.as_ref()?.message).ok()?;
            let readable = report.version <= LOAD_REPORT_VERSION;
            (readable && report.label == label && report.run == self.run()).then_some(report)
        })
    }

    /// Pods that may still run.
    pub fn remaining<'a>(&self, pods: &'a [PodFacts]) -> Vec<&'a PodFacts> {
        pods.iter().filter(|pod| !pod.ended).collect()
    }

    /// A pod whose node does not answer: it should be gone for a minute, and is not.
    pub fn lost<'a>(&self, pods: &'a [PodFacts]) -> Option<&'a PodFacts> {
        pods.iter().find(|pod| pod.is_lost(self.now))
    }
}

/// A Job of that name, seen from its owner.
pub fn child(job: Option<&Job>, owner_uid: &str) -> Child {
    let Some(job) = job else { return Child::Absent };
    if crate::apply::controller(job).is_none_or(|owner| owner.uid != owner_uid) {
        return Child::Foreign;
    }
    let spec = job.spec.as_ref();
    let container = spec.and_then(|spec| spec.template.spec.as_ref()?.containers.first());
    let resources = container.and_then(|container| container.resources.as_ref());
    Child::Present(JobFacts {
        name: job.name_any(),
        uid: job.uid().unwrap_or_default(),
        suspended: spec.and_then(|spec| spec.suspend).unwrap_or(false),
        deleting: job.metadata.deletion_timestamp.is_some(),
        ended: job_end(job),
        refused: None,
        epoch: job.labels().get(names::VOLUME_EPOCH).and_then(|epoch| epoch.parse().ok()).unwrap_or(0),
        memory_limit: resources.and_then(memory_limit).map(str::to_owned),
    })
}

/// The pods of a Job among those of a LoadJob, the newest last.
pub fn pods_of(pods: &[Pod], job_uids: &[&str]) -> Vec<PodFacts> {
    let own =
        |pod: &&Pod| crate::apply::controller(*pod).is_some_and(|job| job_uids.contains(&job.uid.as_str()));
    in_order(pods.iter().filter(own)).into_iter().map(pod_facts).collect()
}
