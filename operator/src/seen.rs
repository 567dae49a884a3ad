//! What pods and Jobs of workers tell, as plain data. Nothing here decides.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt};
use longshore_crds::reasons;

use crate::holds::Hold;
use crate::names;
use crate::pod::CONTAINER;

/// How long after the end of its grace a pod counts as lost.
pub const LOST_AFTER_SECONDS: i64 = 60;

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
    /// Its container runs.
    pub running: bool,
    /// Name of the object that controls it.
    pub owner: String,
    /// The epoch of its table's volume.
    pub epoch: u32,
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

impl PodFacts {
    /// Whether its node does not answer: it should be gone for a minute, and is not.
    pub fn is_lost(&self, now: Timestamp) -> bool {
        let overdue = |by: Timestamp| now.duration_since(by).as_secs() >= LOST_AFTER_SECONDS;
        !self.ended && self.node.is_some() && self.gone_by.is_some_and(overdue)
    }

    /// What a person must know and do when its node is lost.
    pub fn lost_message(&self) -> String {
        let node = self.node.as_deref().unwrap_or("unknown");
        format!(
            "node {node} does not answer, and pod {} was to be gone {LOST_AFTER_SECONDS} seconds ago; if the \
             node is down for good, free its volume: kubectl taint node {node} \
             node.kubernetes.io/out-of-service=nodeshutdown:NoExecute",
            self.name
        )
    }
}

/// How a Job ended; `None`: it has not.
pub fn job_end(job: &Job) -> Option<JobEnd> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let holds = |type_: &str| conditions.iter().find(|c| c.type_ == type_ && c.status == "True");
    if holds("Complete").is_some() {
        return Some(JobEnd::Complete);
    }
    holds("Failed").map(|failed| JobEnd::Failed { message: failed.message.clone().unwrap_or_default() })
}

/// Pods by the time at which they were made, the newest last.
pub fn in_order<'a>(pods: impl Iterator<Item = &'a Pod>) -> Vec<&'a Pod> {
    let mut pods: Vec<&Pod> = pods.collect();
    pods.sort_by_key(|pod| (pod.creation_timestamp().map(|Time(time)| time), pod.name_any()));
    pods
}

/// What a pod tells.
pub fn pod_facts(pod: &Pod) -> PodFacts {
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
        running,
        owner: crate::apply::controller(pod).map(|owner| owner.name.clone()).unwrap_or_default(),
        epoch: pod.labels().get(names::VOLUME_EPOCH).and_then(|epoch| epoch.parse().ok()).unwrap_or(0),
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
