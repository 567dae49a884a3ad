//! The Job around a worker's pod.

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use longshore_crds::exit;

use super::{CONTAINER, PodError, WorkerPod};

/// What a worker's Job is made of.
#[derive(Debug, Clone)]
pub struct WorkerJob<'a> {
    /// Its name ([`crate::names::child_name`]).
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Who controls it, and takes it along when deleted.
    pub owner: OwnerReference,
    /// Pods that may fail before the Job does.
    pub backoff_limit: i32,
    /// The pod.
    pub pod: WorkerPod<'a>,
}

impl WorkerJob<'_> {
    /// The Job. It is made once and never changed but for `suspend`; it stays until its outcome is written
    /// down elsewhere (no TTL).
    ///
    /// # Errors
    /// The object asks for what it may not have.
    pub fn build(&self) -> Result<Job, PodError> {
        Ok(Job {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                labels: Some(self.pod.own_labels()),
                owner_references: Some(vec![self.owner.clone()]),
                ..ObjectMeta::default()
            },
            spec: Some(JobSpec {
                backoff_limit: Some(self.backoff_limit),
                completions: Some(1),
                parallelism: Some(1),
                pod_failure_policy: Some(failure_policy()),
                // Never two pods at once: a pod that does not end keeps the next one from starting.
                pod_replacement_policy: Some("Failed".to_owned()),
                template: self.pod.template()?,
                ..JobSpec::default()
            }),
            status: None,
        })
    }
}

/// What an exit code means for the Job; one that stands nowhere counts.
fn failure_policy() -> PodFailurePolicy {
    let on_exit = |action: &str, codes: std::ops::RangeInclusive<u8>| PodFailurePolicyRule {
        action: action.to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(CONTAINER.to_owned()),
            operator: "In".to_owned(),
            values: codes.map(i32::from).collect(),
        }),
        on_pod_conditions: None,
    };
    let disrupted = PodFailurePolicyRule {
        action: "Ignore".to_owned(),
        on_exit_codes: None,
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
        }]),
    };
    PodFailurePolicy {
        rules: vec![
            disrupted,
            on_exit("Ignore", exit::TERMINATED..=exit::TERMINATED),
            on_exit("FailJob", exit::REQUEST..=exit::DEADLINE),
        ],
    }
}
