//! Third step: the request and what runs the worker, without any I/O. They follow from the Pipe, its Table and
//! the administrator's settings alone, so that making them twice is making them once.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use longshore_crds::{InvalidBatchSize, Pipe, PipeRequest, RequestError, reasons};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::facts::{Kind, Wanted};
use super::turn;
use crate::config::Config;
use crate::names::{self, Role, child_of};
use crate::pod::{PodError, REQUEST_FILE, REQUEST_KEY, TableRef, WorkerJob, WorkerPod};

/// Pods of a Job that may fail before another Job takes its place, with shorter pauses again.
const BACKOFF_LIMIT: i32 = 3;

/// Why nothing can be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The pod.
    #[error(transparent)]
    Pod(#[from] PodError),
    /// A field of the spec.
    #[error(transparent)]
    BatchSize(#[from] InvalidBatchSize),
    /// The request.
    #[error("the request cannot be written: {0}")]
    Request(#[from] RequestError),
    /// An object.
    #[error("the object cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl BuildError {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Pod(error) => error.category(),
            Self::BatchSize(_) => reasons::INVALID_SPEC,
            Self::Request(_) | Self::Json(_) => "Internal",
        }
    }
}

/// What a Pipe's worker is made of.
pub struct Builder<'a> {
    pipe: &'a Pipe,
    table: &'a TableRef,
    config: &'a Config,
    request: PipeRequest,
    digest: String,
}

impl<'a> Builder<'a> {
    /// What a Pipe asks for on the volume of its Table.
    ///
    /// # Errors
    /// A field of the spec that the rules of the definition do not let pass.
    pub fn new(pipe: &'a Pipe, table: &'a TableRef, config: &'a Config) -> Result<Self, BuildError> {
        let request = PipeRequest::from_pipe(pipe)?;
        let digest = request.digest()?;
        Ok(Self { pipe, table, config, request, digest })
    }

    /// What is to run.
    ///
    /// # Errors
    /// The Pipe asks for what its pod may not have.
    pub fn wanted(&self) -> Result<Wanted, BuildError> {
        let template = self.template()?;
        let kind = if self.pipe.spec.auto_ingest { Kind::Deployment } else { Kind::Job };
        Ok(Wanted {
            kind,
            name: self.name(kind, &template)?,
            request: self.request_name(),
            digest: digest(&template)?,
            epoch: self.table.volume_epoch,
        })
    }

    /// The request, in an immutable ConfigMap that is named after its content.
    ///
    /// # Errors
    /// Never: JSON of our own types.
    pub fn request(&self) -> Result<ConfigMap, BuildError> {
        let labels = [
            (names::APP_NAME, names::WORKER.to_owned()),
            (names::MANAGED_BY, names::MANAGER.to_owned()),
            (names::PIPE, self.pipe.name_any()),
        ];
        Ok(ConfigMap {
            metadata: ObjectMeta {
                labels: Some(labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
                ..self.metadata(self.request_name())
            },
            data: Some(BTreeMap::from([(
                REQUEST_KEY.to_owned(),
                serde_json::to_string_pretty(&self.request)?,
            )])),
            immutable: Some(true),
            ..ConfigMap::default()
        })
    }

    /// The Deployment of one worker. A changed request, pod or image replaces its pod: first the old one goes, then
    /// the new one comes.
    ///
    /// # Errors
    /// The Pipe asks for what its pod may not have.
    pub fn deployment(&self) -> Result<Deployment, BuildError> {
        let mut template = self.template()?;
        let applied = digest(&template)?;
        let name = self.name(Kind::Deployment, &template)?;
        if let Some(pod) = &mut template.spec {
            // A Deployment takes no other.
            pod.restart_policy = Some("Always".to_owned());
        }
        let labels = self.pod("").own_labels();
        let chosen = [names::PIPE, names::ROLE, names::TABLE, names::VOLUME_EPOCH];
        let selector = chosen.iter().filter_map(|key| labels.get_key_value(*key));
        let selector = selector.map(|(key, value)| (key.clone(), value.clone())).collect();
        Ok(Deployment {
            metadata: ObjectMeta {
                labels: Some(labels),
                annotations: Some(BTreeMap::from([(names::APPLIED.to_owned(), applied)])),
                ..self.metadata(name)
            },
            spec: Some(DeploymentSpec {
                replicas: Some(1),
                revision_history_limit: Some(0),
                selector: LabelSelector { match_labels: Some(selector), ..LabelSelector::default() },
                strategy: Some(DeploymentStrategy {
                    type_: Some("Recreate".to_owned()),
                    rolling_update: None,
                }),
                template,
                ..DeploymentSpec::default()
            }),
            status: None,
        })
    }

    /// The Job of a Pipe that lists once.
    ///
    /// # Errors
    /// The Pipe asks for what its pod may not have.
    pub fn job(&self) -> Result<Job, BuildError> {
        let request = self.request_name();
        let job = WorkerJob {
            name: self.name(Kind::Job, &self.template()?)?,
            namespace: self.pipe.namespace().unwrap_or_default(),
            owner: owner(self.pipe),
            backoff_limit: BACKOFF_LIMIT,
            pod: self.pod(&request),
        };
        Ok(job.build()?)
    }

    fn template(&self) -> Result<PodTemplateSpec, PodError> {
        self.pod(&self.request_name()).template()
    }

    fn pod<'p>(&'p self, request: &'p str) -> WorkerPod<'p> {
        WorkerPod {
            table: self.table,
            role: Role::Pipe,
            arguments: vec!["pipe".to_owned(), format!("--request={REQUEST_FILE}")],
            request_config_map: Some(request),
            secrets: secrets(self.pipe),
            worker: &self.pipe.spec.worker,
            labels: BTreeMap::from([(names::PIPE.to_owned(), self.pipe.name_any())]),
            config: self.config,
        }
    }

    /// A Deployment is changed in place, but for another Table of that name and another epoch of its volume: the
    /// pod of a lost node would hold up its next one. A Job cannot be changed.
    fn name(&self, kind: Kind, template: &PodTemplateSpec) -> Result<String, BuildError> {
        let uid = self.pipe.uid().unwrap_or_default();
        let place = format!("{uid}/{}/{}", self.table.uid, self.table.volume_epoch);
        let key = match kind {
            Kind::Deployment => place,
            Kind::Job => {
                // The Job of another run is another one.
                let run = turn::run_again(self.pipe).map_or_else(String::new, |run| format!("/{run}"));
                format!("{place}/{}{run}", digest(template)?)
            }
        };
        Ok(child_of(&self.pipe.name_any(), &key, Role::Pipe))
    }

    fn request_name(&self) -> String {
        let key = format!("{}/{}", self.pipe.uid().unwrap_or_default(), self.digest);
        child_of(&self.pipe.name_any(), &key, Role::Pipe)
    }

    fn metadata(&self, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: self.pipe.namespace(),
            owner_references: Some(vec![owner(self.pipe)]),
            ..ObjectMeta::default()
        }
    }
}

/// Digest of a Pipe's request; empty: it has none.
pub fn request_digest(pipe: &Pipe) -> String {
    let request = PipeRequest::from_pipe(pipe).ok();
    request.and_then(|request| request.digest().ok()).unwrap_or_default()
}

fn digest(object: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(hex::encode(Sha256::digest(serde_json::to_vec(object)?)))
}

fn secrets(pipe: &Pipe) -> Vec<String> {
    let secret = pipe.spec.source.s3.credentials.secret_ref.as_ref();
    secret.map(|secret| secret.name.clone()).into_iter().collect()
}

/// The Pipe as the owner that controls, and takes its children along.
pub fn owner(pipe: &Pipe) -> OwnerReference {
    OwnerReference {
        api_version: Pipe::api_version(&()).into_owned(),
        kind: Pipe::kind(&()).into_owned(),
        name: pipe.name_any(),
        uid: pipe.uid().unwrap_or_default(),
        controller: Some(true),
        // A Pipe goes at once, whatever becomes of its pods.
        block_owner_deletion: None,
    }
}
