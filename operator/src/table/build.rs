//! Step 3: the objects that follow: the claim, and a Job with its request. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use longshore_crds::{ReclaimPolicy, Table, TableRequest, TableTask};

use super::claim::{self, ClaimState};
use super::dereference::{Found, job_name};
use super::owner;
use super::validate::Validated;
use super::volume::table_ref;
use crate::config::Config;
use crate::names::{self, Role};
use crate::pod::{PodError, REQUEST_FILE, REQUEST_KEY, TableRef, WorkerJob, WorkerPod, bytes};

/// Why a Job cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Its pod.
    #[error(transparent)]
    Pod(#[from] PodError),
    /// Its request.
    #[error("the request of the Job cannot be written: {0}")]
    Request(#[from] serde_json::Error),
    /// The status names no Job, or no claim.
    #[error("the status of the Table names no {0}")]
    Incomplete(&'static str),
}

impl BuildError {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Pod(error) => error.category(),
            Self::Request(_) | Self::Incomplete(_) => "Internal",
        }
    }
}

/// A claim to be applied.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimToApply {
    /// The claim with the size that is asked for.
    pub object: PersistentVolumeClaim,
    /// The same with the size that it has, if it is to grow.
    pub as_it_is: Option<PersistentVolumeClaim>,
    /// Whether it is not there yet.
    pub is_new: bool,
}

/// The claim, if anything about it is to be done.
pub fn claim(found: &Found, validated: &Validated) -> Option<ClaimToApply> {
    let table = &found.table;
    if table.spec.storage.existing_claim.is_some() {
        return None;
    }
    let size = table.spec.storage.own_size();
    match (validated.claim, &found.claim) {
        (ClaimState::Absent, _) => {
            let spec = PersistentVolumeClaimSpec {
                access_modes: Some(modes(table)),
                storage_class_name: table.spec.storage.storage_class_name.clone(),
                ..PersistentVolumeClaimSpec::default()
            };
            Some(ClaimToApply { object: object(table, spec, size), as_it_is: None, is_new: true })
        }
        (ClaimState::Stands, Some(stands)) => {
            let has = claim::requested(stands);
            let grows = table.spec.storage.size.is_some() && bytes(size) > has;
            if !grows && claim::is_owned_as_asked(table, stands) {
                return None;
            }
            let spec = stands.spec.clone().unwrap_or_default();
            // What was stated once must be stated again, or the apply takes it away.
            let spec = PersistentVolumeClaimSpec {
                access_modes: spec.access_modes,
                storage_class_name: spec.storage_class_name,
                ..PersistentVolumeClaimSpec::default()
            };
            let has = quantity(stands).unwrap_or_else(|| size.to_owned());
            let as_it_is = object(table, spec.clone(), &has);
            Some(if grows {
                ClaimToApply { object: object(table, spec, size), as_it_is: Some(as_it_is), is_new: false }
            } else {
                ClaimToApply { object: as_it_is, as_it_is: None, is_new: false }
            })
        }
        _ => None,
    }
}

fn modes(table: &Table) -> Vec<String> {
    table.spec.storage.own_access_modes().iter().map(|mode| mode.name().to_owned()).collect()
}

fn quantity(claim: &PersistentVolumeClaim) -> Option<String> {
    Some(claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage")?.0.clone())
}

fn object(table: &Table, spec: PersistentVolumeClaimSpec, size: &str) -> PersistentVolumeClaim {
    let owned = table.spec.storage.reclaim_policy == ReclaimPolicy::Delete;
    let labels = [
        (names::APP_NAME, "longshore-table".to_owned()),
        (names::MANAGED_BY, names::MANAGER.to_owned()),
        (names::TABLE, table.name_any()),
    ];
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(names::claim_name(&table.name_any())),
            namespace: table.namespace(),
            labels: Some(labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            owner_references: owned.then(|| vec![owner(table)]),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), Quantity(size.to_owned()))])),
                limits: None,
            }),
            ..spec
        }),
        status: None,
    }
}

/// What a task is called in names and labels.
pub fn role(task: TableTask) -> Role {
    match task {
        TableTask::Declare => Role::Table,
        TableTask::Maintain => Role::Maintain,
    }
}

/// Whether the pods may be as the Table asks for.
///
/// # Errors
/// What it may not have.
pub fn check_pod(table: &Table, config: &Config) -> Result<(), PodError> {
    let volume = TableRef {
        name: table.name_any(),
        uid: String::new(),
        claim: String::new(),
        sub_path: None,
        volume_epoch: 0,
        one_node: true,
        service_accounts: table.spec.service_accounts.clone(),
    };
    let worker = &table.spec.worker;
    let (role, labels, secrets) = (Role::Table, BTreeMap::new(), Vec::new());
    let pod = WorkerPod {
        table: &volume,
        role,
        arguments: Vec::new(),
        request_config_map: None,
        secrets,
        worker,
        labels,
        config,
    };
    pod.template().map(|_| ())
}

/// The Secret with which the files are read that bring the columns of a table.
fn secrets(table: &Table, task: TableTask) -> Vec<String> {
    let from = table.spec.infer_from.as_ref().filter(|_| task == TableTask::Declare);
    from.and_then(|from| from.s3.credentials.secret_ref.as_ref())
        .map(|secret| secret.name.clone())
        .into_iter()
        .collect()
}

/// The Job that a Table's status names, and the ConfigMap with its request. Both are made once and carry one
/// name, which is never used for another Job.
///
/// # Errors
/// The status names no Job or no claim, or the administrator's settings make no pod.
pub fn job(table: &Table, config: &Config) -> Result<(ConfigMap, Job), BuildError> {
    let named = table.status.as_ref().and_then(|status| status.job.as_ref());
    let (Some(named), Some(name)) = (named, job_name(table)) else {
        return Err(BuildError::Incomplete("Job"));
    };
    let volume = table_ref(table).ok_or(BuildError::Incomplete("claim"))?;
    let request = TableRequest::new(&table.name_any(), &table.spec, named.task);
    let role = role(named.task);
    let pod = WorkerPod {
        table: &volume,
        role,
        arguments: [role.name(), "--request", REQUEST_FILE].map(str::to_owned).into(),
        request_config_map: Some(&name),
        secrets: secrets(table, named.task),
        worker: &table.spec.worker,
        labels: BTreeMap::new(),
        config,
    };
    let namespace = table.namespace().unwrap_or_default();
    let config_map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(namespace.clone()),
            labels: Some(pod.own_labels()),
            owner_references: Some(vec![owner(table)]),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(REQUEST_KEY.to_owned(), serde_json::to_string(&request)?)])),
        immutable: Some(true),
        ..ConfigMap::default()
    };
    // The operator tries again by itself, later and later: each failure is told.
    let job = WorkerJob { name: name.clone(), namespace, owner: owner(table), backoff_limit: 0, pod };
    Ok((config_map, job.build()?))
}
