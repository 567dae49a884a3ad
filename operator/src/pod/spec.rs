//! The pod of a worker.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, LocalObjectReference, PodSpec, PodTemplateSpec, ResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use longshore_crds::{WorkerSpec, is_reserved};

use super::volumes::{self, SECRETS_DIR, TABLE_DIR};
use super::{CONTAINER, HTTP_PORT, PodError, placement, resources, security};
use crate::config::Config;
use crate::names::{self, Role};

/// A table as its pods need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRef {
    /// Name of the Table.
    pub name: String,
    /// UID of the Table.
    pub uid: String,
    /// Name of the PersistentVolumeClaim.
    pub claim: String,
    /// Folder of the table in the volume; `None`: its root.
    pub sub_path: Option<String>,
    /// The volume's epoch (see [`names::VOLUME_EPOCH`]).
    pub volume_epoch: u32,
    /// The volume is on one node at a time: the table's pods share it.
    pub one_node: bool,
    /// ServiceAccounts that the Table allows its LoadJobs.
    pub service_accounts: Vec<String>,
}

/// What a worker's pod is made of.
#[derive(Debug, Clone)]
pub struct WorkerPod<'a> {
    /// The table whose folder it mounts at `/table`.
    pub table: &'a TableRef,
    /// What it does.
    pub role: Role,
    /// Arguments of `/longshore-worker`.
    pub arguments: Vec<String>,
    /// ConfigMap with the request, mounted as `/request/request.json`.
    pub request_config_map: Option<&'a str>,
    /// Secrets that are mounted as files at `/secrets/<name>/`.
    pub secrets: Vec<String>,
    /// What its object asks for.
    pub worker: &'a WorkerSpec,
    /// More labels, for instance which LoadJob it works for.
    pub labels: BTreeMap<String, String>,
    /// The administrator's settings.
    pub config: &'a Config,
}

impl WorkerPod<'_> {
    /// The pod's template.
    ///
    /// # Errors
    /// The object asks for what it may not have.
    pub fn template(&self) -> Result<PodTemplateSpec, PodError> {
        let own = PodTemplateSpec { metadata: Some(self.metadata()?), spec: Some(self.pod_spec()?) };
        Ok(match &self.config.pod_template {
            Some(template) => template.under(own),
            None => own,
        })
    }

    /// A pod with everything that a pod may have, as the administrator's settings make it.
    ///
    /// # Errors
    /// The settings make no pod.
    pub fn sample(config: &Config) -> Result<PodTemplateSpec, PodError> {
        let table = TableRef {
            name: "table".to_owned(),
            uid: String::new(),
            claim: "claim".to_owned(),
            sub_path: None,
            volume_epoch: 0,
            one_node: true,
            service_accounts: Vec::new(),
        };
        let pod = WorkerPod {
            table: &table,
            role: Role::Load,
            arguments: vec!["load".to_owned()],
            request_config_map: Some("request"),
            secrets: vec!["secret".to_owned()],
            worker: &WorkerSpec::default(),
            labels: BTreeMap::new(),
            config,
        };
        pod.template()
    }

    /// Labels that Longshore itself sets, on the pod and on what makes it.
    pub fn own_labels(&self) -> BTreeMap<String, String> {
        let own = [
            (names::APP_NAME, names::WORKER.to_owned()),
            (names::MANAGED_BY, names::MANAGER.to_owned()),
            (names::TABLE, self.table.name.clone()),
            (names::VOLUME_EPOCH, self.table.volume_epoch.to_string()),
            (names::ROLE, self.role.name().to_owned()),
        ];
        let mut labels = self.labels.clone();
        labels.extend(own.into_iter().map(|(key, value)| (key.to_owned(), value)));
        labels
    }

    fn metadata(&self) -> Result<ObjectMeta, PodError> {
        let mut labels = free(&self.worker.labels, "labels")?;
        labels.extend(self.own_labels());
        let annotations = free(&self.worker.annotations, "annotations")?;
        Ok(ObjectMeta {
            labels: Some(labels),
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..ObjectMeta::default()
        })
    }

    fn pod_spec(&self) -> Result<PodSpec, PodError> {
        let defaults = &self.config.worker_defaults;
        let (volumes, mounts) = volumes::volumes(self.table, self.request_config_map, &self.secrets);
        let pull_secrets = defaults.image_pull_secrets.iter();
        let pull_secrets: Vec<_> =
            pull_secrets.map(|name| LocalObjectReference { name: name.clone() }).collect();
        Ok(PodSpec {
            restart_policy: Some("Never".to_owned()),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            service_account_name: self.service_account()?,
            termination_grace_period_seconds: Some(self.config.grace_seconds(self.role)),
            security_context: Some(security::of_pod(defaults)),
            image_pull_secrets: (!pull_secrets.is_empty()).then_some(pull_secrets),
            priority_class_name: self
                .worker
                .priority_class_name
                .clone()
                .or_else(|| defaults.priority_class_name.clone()),
            runtime_class_name: self.worker.runtime_class_name.clone(),
            node_selector: placement::node_selector(self.worker, defaults),
            affinity: placement::affinity(self.table, self.worker)?,
            tolerations: Some(placement::tolerations(self.worker, defaults)?),
            topology_spread_constraints: placement::spread(self.table, self.worker)?,
            volumes: Some(volumes),
            containers: vec![Container { volume_mounts: Some(mounts), ..self.container()? }],
            ..PodSpec::default()
        })
    }

    fn container(&self) -> Result<Container, PodError> {
        let resources = self.resources()?;
        Ok(Container {
            name: CONTAINER.to_owned(),
            image: Some(self.config.worker_image.clone()),
            image_pull_policy: Some(self.config.image_pull_policy.clone()),
            command: Some(vec!["/longshore-worker".to_owned()]),
            args: Some(self.arguments.iter().map(|argument| literal(argument)).collect()),
            env: Some(self.environment(&resources)),
            ports: Some(vec![ContainerPort {
                name: Some(HTTP_PORT.to_owned()),
                container_port: i32::from(self.config.worker_port),
                protocol: Some("TCP".to_owned()),
                ..ContainerPort::default()
            }]),
            resources: Some(resources),
            security_context: Some(security::of_container()),
            termination_message_path: Some(TERMINATION_MESSAGE.to_owned()),
            termination_message_policy: Some("File".to_owned()),
            ..Container::default()
        })
    }

    fn resources(&self) -> Result<ResourceRequirements, PodError> {
        match self.role {
            Role::Resolve => Ok(resources::of_closing()),
            Role::Load | Role::Pipe | Role::Table | Role::Maintain => resources::requirements(
                self.worker.resources.as_ref(),
                &self.config.worker_defaults.resources,
            ),
        }
    }

    fn environment(&self, resources: &ResourceRequirements) -> Vec<EnvVar> {
        let mut variables = vec![
            ("LONGSHORE_TABLE_DIR", TABLE_DIR.to_owned()),
            ("LONGSHORE_TERMINATION_MESSAGE", TERMINATION_MESSAGE.to_owned()),
            ("LONGSHORE_LISTEN", format!("0.0.0.0:{}", self.config.worker_port)),
            ("LONGSHORE_LOG_FORMAT", "json".to_owned()),
            ("TMPDIR", "/tmp".to_owned()),
        ];
        if !self.secrets.is_empty() {
            variables.push(("LONGSHORE_SECRETS_DIR", SECRETS_DIR.to_owned()));
        }
        if let Some(budget) = resources::memory_budget(resources) {
            variables.push(("LONGSHORE_MEMORY_BYTES", budget.to_string()));
        }
        if !self.config.allow_node_identity {
            // Else whoever may create a LoadJob reads with the node's own role.
            variables.push(("AWS_EC2_METADATA_DISABLED", "true".to_owned()));
        }
        let variable = |(name, value): (&str, String)| EnvVar {
            name: name.to_owned(),
            value: Some(value),
            value_from: None,
        };
        variables.into_iter().map(variable).collect()
    }

    /// The ServiceAccount that the object names, if somebody allowed it.
    fn service_account(&self) -> Result<Option<String>, PodError> {
        let Some(name) = &self.worker.service_account_name else { return Ok(None) };
        let allowed =
            self.config.allowed_service_accounts.contains(name) || self.table.service_accounts.contains(name);
        if allowed {
            Ok(Some(name.clone()))
        } else {
            Err(PodError::ServiceAccountNotAllowed { name: name.clone() })
        }
    }
}

const TERMINATION_MESSAGE: &str = "/dev/termination-log";

/// An argument that the kubelet takes as it is: it would put variables in for `$(NAME)`.
fn literal(argument: &str) -> String {
    argument.replace("$(", "$$(")
}

fn free(
    wanted: &BTreeMap<String, String>,
    field: &'static str,
) -> Result<BTreeMap<String, String>, PodError> {
    match wanted.keys().find(|key| is_reserved(key)) {
        Some(key) => Err(PodError::ReservedKey { field, key: key.clone() }),
        None => Ok(wanted.clone()),
    }
}
