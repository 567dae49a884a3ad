//! What one visit knows of a LoadJob: plain data, taken from the objects of the cluster. Nothing here decides.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt};
use longshore_crds::{
    LOAD_REPORT_VERSION, LoadExecution, LoadJob, LoadJobStatus, LoadReport, LoadState, reasons,
};

pub use crate::holds::Hold;
use crate::names;
use crate::pod::{CONTAINER, TableRef, memory_limit};
use crate::progress::Figures;

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

/// What is known of the Table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFacts {
    /// Its volume, once it has one.
    pub volume: Option<TableRef>,
    /// Why no load can start; `None`: it can.
    pub hold: Option<Hold>,
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

/// How a Job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// Its pod ended with 0.
    Complete,
    /// It makes no more pods.
    Failed {
        /// What the Job controller says.
        message: String,
    },
}

/// What is known of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The node that it was given to.
    pub node: Option<String>,
    /// Its address.
    pub address: Option<String>,
    /// It has ended, and runs no more.
    pub ended: bool,
    /// Its container has begun, whatever became of it.
    pub started: bool,
    /// When it was to be gone at the latest: it is being deleted.
    pub gone_by: Option<Timestamp>,
    /// How its container ended.
    pub exit: Option<Exit>,
    /// Why its container does not begin.
    pub hold: Option<Hold>,
}

/// How a container ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exit {
    /// Exit code.
    pub code: i32,
    /// The kernel killed it for its memory.
    pub out_of_memory: bool,
    /// Its termination message.
    pub message: String,
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
        pods.iter().filter(|pod| !pod.ended && pod.node.is_some()).find(|pod| {
            pod.gone_by
                .is_some_and(|gone_by| self.now.duration_since(gone_by).as_secs() >= LOST_AFTER_SECONDS)
        })
    }
}

/// How long after the end of its grace a pod counts as lost.
pub const LOST_AFTER_SECONDS: i64 = 60;

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

fn job_end(job: &Job) -> Option<JobEnd> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let holds = |type_: &str| conditions.iter().find(|c| c.type_ == type_ && c.status == "True");
    if holds("Complete").is_some() {
        return Some(JobEnd::Complete);
    }
    holds("Failed").map(|failed| JobEnd::Failed { message: failed.message.clone().unwrap_or_default() })
}

/// The pods of a Job among those of a LoadJob, the newest last.
pub fn pods_of(pods: &[Pod], job_uids: &[&str]) -> Vec<PodFacts> {
    let mut own: Vec<&Pod> = pods
        .iter()
        .filter(|pod| crate::apply::controller(*pod).is_some_and(|job| job_uids.contains(&job.uid.as_str())))
        .collect();
    own.sort_by_key(|pod| (pod.creation_timestamp().map(|Time(time)| time), pod.name_any()));
    own.into_iter().map(pod_facts).collect()
}

fn pod_facts(pod: &Pod) -> PodFacts {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or_default();
    let container = status.and_then(|status| {
        status.container_statuses.as_ref()?.iter().find(|container| container.name == CONTAINER)
    });
    let exit = container.and_then(exit_of);
    let state = container.and_then(|container| container.state.as_ref());
    let running = state.is_some_and(|state| state.running.is_some());
    let started = running || exit.is_some();
    PodFacts {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        address: status.and_then(|status| status.pod_ip.clone()),
        ended: matches!(phase, "Succeeded" | "Failed"),
        started,
        gone_by: pod.meta().deletion_timestamp.as_ref().map(|Time(time)| *time),
        exit,
        hold: if started { None } else { waiting(container).or_else(|| unscheduled(pod)) },
    }
}

fn exit_of(container: &ContainerStatus) -> Option<Exit> {
    let ended = |state: Option<&k8s_openapi::api::core::v1::ContainerState>| {
        state.and_then(|state| state.terminated.clone())
    };
    let terminated = ended(container.state.as_ref()).or_else(|| ended(container.last_state.as_ref()))?;
    Some(Exit {
        code: terminated.exit_code,
        out_of_memory: terminated.reason.as_deref() == Some("OOMKilled"),
        message: terminated.message.unwrap_or_default(),
    })
}

/// Why a container waits, where the kubelet says so in the pod's status.
fn waiting(container: Option<&ContainerStatus>) -> Option<Hold> {
    let waiting = container?.state.as_ref()?.waiting.as_ref()?;
    let reason = match waiting.reason.as_deref()? {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "ErrImageNeverPull"
        | "InvalidImageName"
        | "ImageInspectError"
        | "RegistryUnavailable" => reasons::IMAGE_PULL_FAILED,
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            reasons::CONTAINER_NOT_STARTED
        }
        _ => return None,
    };
    let message = waiting.message.clone().or_else(|| waiting.reason.clone()).unwrap_or_default();
    Some(Hold::new(reason, message))
}

/// Why the scheduler gives the pod to no node.
fn unscheduled(pod: &Pod) -> Option<Hold> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions.iter().find(|condition| condition.type_ == "PodScheduled")?;
    if scheduled.status != "False" || scheduled.reason.as_deref() != Some("Unschedulable") {
        return None;
    }
    let message = scheduled.message.clone().unwrap_or_default();
    let lower = message.to_lowercase();
    let volume = ["persistentvolumeclaim", "persistent volume", "volume node affinity"];
    let of_volume = volume.iter().any(|word| lower.contains(word));
    let reason = if of_volume { reasons::VOLUME_NOT_READY } else { reasons::UNSCHEDULABLE };
    Some(Hold::new(reason, message))
}
