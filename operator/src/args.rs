//! Flags of the operator; each is an environment variable too.

use std::net::SocketAddr;

use clap::{Parser, ValueEnum};

/// Reconciles Tables, LoadJobs and Pipes.
#[derive(Debug, Clone, Parser)]
#[command(name = "longshore-operator", version)]
pub struct Args {
    /// Namespaces to watch, separated by commas; default: all. With namespaces named, Roles in them suffice.
    #[arg(long, env = "LONGSHORE_WATCH_NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,
    /// Namespace of the operator: its Lease lies there; default: that of the kubeconfig or service account.
    #[arg(long, env = "LONGSHORE_NAMESPACE")]
    pub namespace: Option<String>,
    /// Name of this replica in the Lease and in events: the pod's name.
    #[arg(long, env = "LONGSHORE_POD_NAME")]
    pub pod_name: Option<String>,
    /// Image of the worker pods.
    #[arg(long, env = "LONGSHORE_WORKER_IMAGE")]
    pub worker_image: String,
    /// `imagePullPolicy` of the worker pods.
    #[arg(long, env = "LONGSHORE_IMAGE_PULL_POLICY", default_value = "IfNotPresent")]
    pub image_pull_policy: String,
    /// Settings of all worker pods, JSON: resources, runAsUser, fsGroup, priorityClassName, imagePullSecrets,
    /// nodeSelector, tolerations. A user of null omits the field (OpenShift sets its own).
    #[arg(long, env = "LONGSHORE_WORKER_DEFAULTS", default_value = "{}")]
    pub worker_defaults: String,
    /// File with a template of worker pods, YAML: `metadata` (labels, annotations) and `spec` of a pod. It lies below what
    /// the operator sets; what it may not set is refused at start, by name.
    #[arg(long, env = "LONGSHORE_WORKER_POD_TEMPLATE")]
    pub worker_pod_template: Option<std::path::PathBuf>,
    /// ServiceAccounts that a LoadJob may name, separated by commas; default: none.
    #[arg(long, env = "LONGSHORE_ALLOWED_SERVICE_ACCOUNTS", value_delimiter = ',')]
    pub allowed_service_accounts: Vec<String>,
    /// Let workers use the credentials of their node (instance metadata).
    #[arg(long, env = "LONGSHORE_ALLOW_NODE_IDENTITY")]
    pub allow_node_identity: bool,
    /// Seconds between two status writes while a load makes progress.
    #[arg(long, env = "LONGSHORE_STATUS_INTERVAL_SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub status_interval_seconds: u64,
    /// Seconds that a worker has to stop.
    #[arg(long, env = "LONGSHORE_GRACE_PERIOD_SECONDS", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=3600))]
    pub grace_period_seconds: i64,
    /// Port of the workers' /progress.
    #[arg(long, env = "LONGSHORE_WORKER_PORT", default_value_t = 8080)]
    pub worker_port: u16,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "LONGSHORE_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Reconciles at a time, for each kind (and watched namespace).
    #[arg(long, env = "LONGSHORE_CONCURRENCY", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// Name of the Lease.
    #[arg(long, env = "LONGSHORE_LEASE_NAME", default_value = "longshore-operator")]
    pub lease_name: String,
    /// Seconds after which a Lease that is not renewed may be taken.
    #[arg(long, env = "LONGSHORE_LEASE_SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(3..=300))]
    pub lease_seconds: u32,
    /// Reconcile without a Lease: for one replica that is started by hand.
    #[arg(long, env = "LONGSHORE_NO_LEASE")]
    pub no_lease: bool,
    /// Seconds for what is in flight to end at shutdown.
    #[arg(long, env = "LONGSHORE_SHUTDOWN_SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub shutdown_seconds: u64,
    /// Form of the logs; what is logged is set by LONGSHORE_LOG (`info`, `longshore_operator=debug`, ...).
    #[arg(long, env = "LONGSHORE_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// Form of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For a person.
    Text,
    /// One JSON document a line.
    Json,
}
