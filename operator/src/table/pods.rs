//! What a Job and its pods tell: still at work, held up by what, ended how. Pure.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;
use longshore_crds::{TableReport, reasons};

use super::dereference::Found;
use crate::names;
use crate::pod::CONTAINER;

/// Seconds past its grace period after which a pod that does not end is taken for lost with its node.
const LOST_AFTER: i64 = 60;

/// What a Job and its pods tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// It is not there (yet).
    Absent,
    /// It is at work.
    Running {
        /// What holds it up: reason and message.
        trouble: Option<(String, String)>,
    },
    /// It ended with a report.
    Reported(Box<TableReport>),
    /// It ended without one: reason and message.
    Silent(&'static str, String),
}

/// Judges the Job that the status names.
pub fn state(found: &Found) -> JobState {
    let Some(job) = found.job() else { return JobState::Absent };
    if let Some(node) = lost_pod(found).and_then(node) {
        return JobState::Silent(reasons::NODE_LOST, node_lost(node));
    }
    let ended = condition(job, "Complete").or_else(|| condition(job, "Failed"));
    let Some(ended) = ended else {
        let told = found.hold.as_ref().map(|hold| (hold.reason.clone(), hold.message.clone()));
        let trouble = found.pods.iter().find_map(trouble);
        let trouble = trouble.map(|(reason, message)| (reason.to_owned(), message)).or(told);
        return JobState::Running { trouble };
    };
    let mut pods: Vec<&Pod> = found.pods.iter().collect();
    pods.sort_by_key(|pod| std::cmp::Reverse(pod.metadata.creation_timestamp.clone()));
    if let Some(report) = pods.iter().find_map(|pod| report(pod)) {
        return JobState::Reported(Box::new(report));
    }
    let (reason, message) = pods.iter().find_map(|pod| killed(pod)).unwrap_or_else(|| {
        let message = format!("the Job {} ended without a report: {ended}", job.name_any());
        (reasons::WORKER_FAILED, message)
    });
    JobState::Silent(reason, message)
}

/// What is awaited and does not say why it does not begin: the UID of a pod, or of a Job without one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The pod; its events may say.
    pub pod: Option<String>,
    /// The Job; its events may say.
    pub job: Option<String>,
}

/// Who must be asked why nothing begins.
pub fn waiting(found: &Found) -> Waiting {
    let Some(job) = found.job() else { return Waiting::default() };
    let ended = condition(job, "Complete").or_else(|| condition(job, "Failed"));
    if ended.is_some() || job.metadata.deletion_timestamp.is_some() {
        return Waiting::default();
    }
    let Some(pod) = found.pods.iter().max_by_key(|pod| pod.metadata.creation_timestamp.clone()) else {
        return Waiting { job: job.uid(), pod: None };
    };
    let state = worker(pod).and_then(|container| container.state.as_ref());
    let begun = state.is_some_and(|state| state.running.is_some() || state.terminated.is_some());
    let silent = !begun && node(pod).is_some() && trouble(pod).is_none();
    Waiting { pod: pod.uid().filter(|_| silent), job: None }
}

/// The message of a condition that is True.
fn condition(job: &Job, type_: &str) -> Option<String> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|it| it.type_ == type_ && it.status == "True")?;
    Some(condition.message.clone().unwrap_or_else(|| type_.to_owned()))
}

fn worker(pod: &Pod) -> Option<&ContainerStatus> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find(|container| container.name == CONTAINER)
}

fn report(pod: &Pod) -> Option<TableReport> {
    let message = worker(pod)?.state.as_ref()?.terminated.as_ref()?.message.as_ref()?;
    serde_json::from_str(message).ok()
}

fn killed(pod: &Pod) -> Option<(&'static str, String)> {
    let ended = worker(pod)?.state.as_ref()?.terminated.as_ref()?;
    let name = pod.name_any();
    if ended.reason.as_deref() == Some("OOMKilled") {
        let message = format!(
            "the worker of pod {name} was killed because it took more memory than its limit; raise the memory \
             limit of workers in the operator's configuration"
        );
        return Some((reasons::OUT_OF_MEMORY, message));
    }
    let message = format!("the worker of pod {name} ended with code {} and no report", ended.exit_code);
    Some((reasons::WORKER_FAILED, message))
}

/// What keeps a pod from its work.
fn trouble(pod: &Pod) -> Option<(&'static str, String)> {
    let status = pod.status.as_ref()?;
    let name = pod.name_any();
    let conditions = status.conditions.iter().flatten();
    let unscheduled = conditions.into_iter().find(|it| it.type_ == "PodScheduled" && it.status == "False");
    if let Some(condition) = unscheduled {
        let why = condition.message.clone().unwrap_or_default();
        return Some((reasons::UNSCHEDULABLE, format!("pod {name} finds no node: {why}")));
    }
    let waiting = worker(pod)?.state.as_ref()?.waiting.as_ref()?;
    let why = waiting.message.clone().unwrap_or_default();
    match waiting.reason.as_deref()? {
        reason @ ("ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull") => {
            Some((reasons::IMAGE_PULL_FAILED, format!("pod {name}: {reason}: {why}")))
        }
        reason @ ("CreateContainerConfigError" | "CreateContainerError" | "RunContainerError") => {
            Some((reasons::CONTAINER_NOT_STARTED, format!("pod {name}: {reason}: {why}")))
        }
        _ => None,
    }
}

/// The epoch of a pod that does not end since its node is lost, if the volume's epoch is not above it yet.
pub fn lost_epoch(found: &Found, grace: i64) -> Option<u32> {
    let stands = found.table.status.as_ref().and_then(|status| status.volume_epoch).unwrap_or(0);
    let is_stuck = |pod: &&Pod| {
        let Some(deleted) = &pod.metadata.deletion_timestamp else { return false };
        // The deletion timestamp holds the grace period already; a pod that has ended is not stuck.
        let since = found.now.as_second() - deleted.0.as_second();
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        since > LOST_AFTER.max(grace) && !matches!(phase, Some("Succeeded" | "Failed"))
    };
    let epochs = found.pods.iter().filter(is_stuck).filter_map(epoch);
    epochs.filter(|epoch| *epoch >= stands).max()
}

/// A pod of an epoch that was given up.
fn lost_pod(found: &Found) -> Option<&Pod> {
    let stands = found.table.status.as_ref()?.volume_epoch.unwrap_or(0);
    found.pods.iter().find(|pod| {
        pod.metadata.deletion_timestamp.is_some() && epoch(pod).is_some_and(|epoch| epoch < stands)
    })
}

fn epoch(pod: &Pod) -> Option<u32> {
    pod.labels().get(names::VOLUME_EPOCH)?.parse().ok()
}

fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

fn node_lost(node: &str) -> String {
    format!(
        "node {node} does not answer, and a pod on it cannot be ended; if the node is gone for good, the taint \
         node.kubernetes.io/out-of-service=nodeshutdown:NoExecute on it frees the volume"
    )
}
