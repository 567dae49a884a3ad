//! Third step: the request and the Jobs of a run, without any I/O. They follow from the LoadJob, its status
//! and its Table alone, so that making them twice is making them once.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use longshore_crds::{Closing, ClosingOutcome, LoadJob, LoadRequest, WorkerSpec};

use crate::config::Config;
use crate::names::{self, Role, child_name};
use crate::pod::{PodError, REQUEST_FILE, REQUEST_KEY, TableRef, WorkerJob, WorkerPod};

/// Pods of a load that may fail before it does.
const LOAD_BACKOFF_LIMIT: i32 = 4;
/// Pods that close a run and may fail before another Job takes their place.
const RESOLVE_BACKOFF_LIMIT: i32 = 6;

/// Name of the request and of the Job that loads, in a run.
pub fn load_name(job: &LoadJob, run: u32) -> String {
    child_name(&job.name_any(), &job.uid().unwrap_or_default(), run, Role::Load)
}

/// Name of the Job that closes a run.
pub fn resolve_name(job: &LoadJob, run: u32) -> String {
    child_name(&job.name_any(), &job.uid().unwrap_or_default(), run, Role::Resolve)
}

/// The request of a run, in an immutable ConfigMap.
///
/// # Errors
/// Never: JSON of our own types.
pub fn request(job: &LoadJob, run: u32, deadline: Option<String>) -> Result<ConfigMap, serde_json::Error> {
    let request = LoadRequest::from_load_job(job, run, deadline);
    let text = serde_json::to_string_pretty(&request)?;
    Ok(ConfigMap {
        metadata: ObjectMeta {
            name: Some(load_name(job, run)),
            namespace: job.namespace(),
            labels: Some(BTreeMap::from([
                (names::APP_NAME.to_owned(), names::WORKER.to_owned()),
                (names::MANAGED_BY.to_owned(), names::MANAGER.to_owned()),
                (names::LOAD_JOB.to_owned(), job.name_any()),
            ])),
            owner_references: Some(vec![owner(job)]),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(REQUEST_KEY.to_owned(), text)])),
        immutable: Some(true),
        ..ConfigMap::default()
    })
}

/// The Job that loads.
///
/// # Errors
/// The LoadJob asks for what its pods may not have.
pub fn load_job(job: &LoadJob, table: &TableRef, run: u32, config: &Config) -> Result<Job, PodError> {
    let name = load_name(job, run);
    let worker_job = WorkerJob {
        name: name.clone(),
        namespace: job.namespace().unwrap_or_default(),
        owner: owner(job),
        backoff_limit: LOAD_BACKOFF_LIMIT,
        pod: WorkerPod {
            table,
            role: Role::Load,
            arguments: vec!["load".to_owned(), format!("--request={REQUEST_FILE}")],
            request_config_map: Some(&name),
            secrets: secrets(job),
            worker: &job.spec.worker,
            labels: labels(job, run),
            config,
        },
    };
    worker_job.build()
}

/// The Job that closes a run and reads the log. It runs wherever the volume can be mounted: of the LoadJob's
/// wishes it takes the tolerations alone, which only widen the choice.
///
/// # Errors
/// Never: it asks for nothing that could be refused.
pub fn resolve_job(
    job: &LoadJob,
    table: &TableRef,
    run: u32,
    closing: &Closing,
    config: &Config,
) -> Result<Job, PodError> {
    let worker = WorkerSpec { tolerations: job.spec.worker.tolerations.clone(), ..WorkerSpec::default() };
    let outcome = match closing.outcome {
        ClosingOutcome::Cancelled => "cancelled",
        ClosingOutcome::TimedOut => "timed-out",
        ClosingOutcome::Failed => "failed",
        ClosingOutcome::NextRun => "next-run",
    };
    let worker_job = WorkerJob {
        name: resolve_name(job, run),
        namespace: job.namespace().unwrap_or_default(),
        owner: owner(job),
        backoff_limit: RESOLVE_BACKOFF_LIMIT,
        pod: WorkerPod {
            table,
            role: Role::Resolve,
            arguments: vec![
                "close".to_owned(),
                format!("--label={}", job.label()),
                format!("--run={run}"),
                format!("--outcome={outcome}"),
                format!("--reason={}", closing.reason),
                format!("--message={}", closing.message),
            ],
            request_config_map: None,
            secrets: Vec::new(),
            worker: &worker,
            labels: labels(job, run),
            config,
        },
    };
    worker_job.build()
}

fn labels(job: &LoadJob, run: u32) -> BTreeMap<String, String> {
    BTreeMap::from([(names::LOAD_JOB.to_owned(), job.name_any()), (names::RUN.to_owned(), run.to_string())])
}

/// Every Secret that a source names, once.
fn secrets(job: &LoadJob) -> Vec<String> {
    let names = job.spec.sources.iter().filter_map(|source| source.s3.credentials.secret_ref.as_ref());
    names.map(|secret| secret.name.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The LoadJob as the owner that controls, and takes its children along.
pub fn owner(job: &LoadJob) -> OwnerReference {
    OwnerReference {
        api_version: LoadJob::api_version(&()).into_owned(),
        kind: LoadJob::kind(&()).into_owned(),
        name: job.name_any(),
        uid: job.uid().unwrap_or_default(),
        controller: Some(true),
        // A LoadJob goes at once, whatever becomes of its Jobs.
        block_owner_deletion: None,
    }
}
