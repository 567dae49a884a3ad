//! The cluster that the tests of this process share.

use anyhow::{Context, Result};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::OnceCell;

use crate::{Environment, kubectl, provisioner, repository};

/// A cluster with our definitions installed and, if it is one of our own, with volumes.
#[derive(Clone)]
pub struct Cluster {
    /// The administrator's client.
    pub client: Client,
    /// What the cluster's start told.
    pub environment: Environment,
}

impl Cluster {
    /// The cluster; the first call installs what all tests need.
    pub async fn get() -> Result<&'static Self> {
        static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
        CLUSTER.get_or_try_init(Self::prepare).await
    }

    async fn prepare() -> Result<Self> {
        let environment = Environment::read()?;
        let kubeconfig = Kubeconfig::read_from(&environment.kubeconfig).context("the kubeconfig")?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let client = Client::try_from(config)?;
        Self::define().await?;
        if let Some(root) = &environment.root {
            provisioner::start(client.clone(), root.join("volumes")).await?;
        }
        Ok(Self { client, environment })
    }

    /// Installs our definitions and waits until they serve.
    pub async fn define() -> Result<()> {
        let definitions = repository().join("crds");
        // As a user does it: client-side, so the whole object must fit its annotation.
        kubectl(&["apply", "-f", &definitions.to_string_lossy()], "").await?;
        let wait = ["wait", "--for=condition=Established", "--timeout=60s"];
        let names = ["crd/tables.longshore.dev", "crd/loadjobs.longshore.dev"];
        kubectl(&[&wait[..], &names[..]].concat(), "").await?;
        Ok(())
    }
}
