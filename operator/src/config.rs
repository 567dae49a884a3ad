//! What the administrator decided: pure data, made from the flags once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use serde::Deserialize;

use crate::args::Args;
use crate::names::Role;
use crate::pod::{PodError, PodTemplate, TemplateError, WorkerPod};

/// User and group of the worker image.
const WORKER_USER: i64 = 65_532;
/// Seconds that the worker of a pipe has to stop, at least.
const PIPE_GRACE_SECONDS: i64 = 120;

/// What the administrator decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Image of worker pods.
    pub worker_image: String,
    /// `imagePullPolicy` of worker pods.
    pub image_pull_policy: String,
    /// Settings of all worker pods.
    pub worker_defaults: WorkerDefaults,
    /// ServiceAccounts that a LoadJob may name.
    pub allowed_service_accounts: Vec<String>,
    /// Whether workers may use the credentials of their node.
    pub allow_node_identity: bool,
    /// Namespaces to watch; `None`: all.
    pub namespaces: Option<Vec<String>>,
    /// Least time between two status writes that only tell progress.
    pub status_interval: Duration,
    /// `terminationGracePeriodSeconds` of worker pods.
    pub grace_period_seconds: i64,
    /// Port of the workers' HTTP.
    pub worker_port: u16,
    /// Reconciles at a time, for each controller.
    pub concurrency: u16,
    /// What lies below each worker pod.
    pub pod_template: Option<PodTemplate>,
}

/// Settings of all worker pods, as `--worker-defaults` states them in JSON.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkerDefaults {
    /// Requests and limits of the worker container, where a LoadJob states none.
    #[serde(default)]
    pub resources: ResourceRequirements,
    /// `runAsUser` and `runAsGroup`; `null`: omitted, the platform chooses.
    #[serde(default = "worker_user")]
    pub run_as_user: Option<i64>,
    /// `fsGroup`; `null`: omitted, the platform chooses.
    #[serde(default = "worker_user")]
    pub fs_group: Option<i64>,
    /// `priorityClassName`.
    #[serde(default)]
    pub priority_class_name: Option<String>,
    /// Names of the Secrets by which the kubelet pulls the image.
    #[serde(default)]
    pub image_pull_secrets: Vec<String>,
    /// Labels of the nodes that workers run on.
    #[serde(default)]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that workers tolerate.
    #[serde(default)]
    pub tolerations: Vec<Toleration>,
}

impl Default for WorkerDefaults {
    fn default() -> Self {
        Self {
            resources: ResourceRequirements::default(),
            run_as_user: worker_user(),
            fs_group: worker_user(),
            priority_class_name: None,
            image_pull_secrets: Vec::new(),
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
        }
    }
}

fn worker_user() -> Option<i64> {
    Some(WORKER_USER)
}

/// A flag that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The JSON of the workers' settings.
    #[error("--worker-defaults is not what it should be: {0}")]
    WorkerDefaults(serde_json::Error),
    /// The file with the template of worker pods.
    #[error("--worker-pod-template: {0}")]
    PodTemplate(#[from] TemplateError),
    /// The workers' settings make no pod.
    #[error("--worker-defaults make no pod: {0}")]
    Pod(#[from] PodError),
}

impl Config {
    /// Reads the flags.
    ///
    /// # Errors
    /// A flag that cannot be used, by its name.
    pub fn from_args(args: &Args) -> Result<Self, ConfigError> {
        let namespaces = names(&args.watch_namespaces);
        Ok(Self {
            worker_image: args.worker_image.clone(),
            image_pull_policy: args.image_pull_policy.clone(),
            worker_defaults: serde_json::from_str(&args.worker_defaults)
                .map_err(ConfigError::WorkerDefaults)?,
            allowed_service_accounts: names(&args.allowed_service_accounts),
            allow_node_identity: args.allow_node_identity,
            namespaces: (!namespaces.is_empty()).then_some(namespaces),
            status_interval: Duration::from_secs(args.status_interval_seconds),
            grace_period_seconds: args.grace_period_seconds,
            worker_port: args.worker_port,
            concurrency: args.concurrency,
            pod_template: None,
        })
    }

    /// Seconds that a pod of this role has to stop: the worker of a pipe finishes or gives up a batch.
    pub fn grace_seconds(&self, role: Role) -> i64 {
        match role {
            Role::Pipe => self.grace_period_seconds.max(PIPE_GRACE_SECONDS),
            _ => self.grace_period_seconds,
        }
    }

    /// The same with a template of worker pods, YAML.
    ///
    /// # Errors
    /// A field that the template may not set, by its name.
    pub fn with_pod_template(self, text: &str) -> Result<Self, ConfigError> {
        let template = PodTemplate::parse(text, &WorkerPod::sample(&self)?)?;
        Ok(Self { pod_template: Some(template), ..self })
    }
}

/// Each name once, sorted, without blanks: an empty variable is no name.
fn names(names: &[String]) -> Vec<String> {
    let names = names.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn config(flags: &[&str]) -> Result<Config, ConfigError> {
        let program = ["longshore-operator", "--worker-image", "w"];
        Config::from_args(&Args::parse_from(program.iter().chain(flags)))
    }

    #[test]
    fn the_defaults_are_safe() {
        let config = config(&[]).unwrap();
        assert_eq!(config.worker_defaults, WorkerDefaults::default());
        assert_eq!(config.worker_defaults.run_as_user, Some(65_532));
        assert_eq!(config.namespaces, None);
        assert!(config.allowed_service_accounts.is_empty() && !config.allow_node_identity);
        assert_eq!(config.status_interval, Duration::from_secs(5));
    }

    #[test]
    fn namespaces_are_a_set_and_users_can_be_omitted() {
        let config = config(&[
            "--watch-namespaces",
            "b, a,b,",
            "--worker-defaults",
            r#"{"runAsUser": null, "fsGroup": 7, "resources": {"limits": {"memory": "1Gi"}}}"#,
        ])
        .unwrap();
        assert_eq!(config.namespaces.unwrap(), ["a", "b"]);
        assert_eq!((config.worker_defaults.run_as_user, config.worker_defaults.fs_group), (None, Some(7)));
        assert_eq!(config.worker_defaults.resources.limits.unwrap()["memory"].0, "1Gi");
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let error = config(&["--worker-defaults", r#"{"hostNetwork": true}"#]).unwrap_err().to_string();
        assert!(error.contains("--worker-defaults") && error.contains("hostNetwork"), "{error}");
    }
}
