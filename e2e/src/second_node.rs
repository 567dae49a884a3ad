//! A second node, which a test may lose.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{Cluster, Part, kubectl};

/// `node-2` of the cluster of our own. Volumes are in reach of both nodes.
pub struct SecondNode {
    root: PathBuf,
}

impl SecondNode {
    /// Its name.
    pub const NAME: &str = "node-2";

    /// Starts it, and waits until it is ready.
    pub async fn start() -> Result<Self> {
        let root = Cluster::get().await?.environment.own_root()?.to_owned();
        let script = std::env::var("LONGSHORE_E2E_NODES").context("LONGSHORE_E2E_NODES")?;
        let status = tokio::task::spawn_blocking(move || Command::new(script).status()).await??;
        ensure!(status.success(), "{} did not start", Self::NAME);
        Ok(Self { root })
    }

    /// The field `worker` of a load or pipe whose pods run there as long as it is there.
    pub fn preferred() -> Value {
        json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100,
            "preference": {"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": [Self::NAME]}]}}]}})
    }

    /// It does not answer any more; what runs on it goes on.
    pub async fn lose(&self) -> Result<()> {
        for part in ["kubelet", "containerd"] {
            Part::new(&self.root, &format!("{part}-{}", Self::NAME)).kill().await?;
        }
        Ok(())
    }

    /// Says what a person says of a node that is down for good: its volumes are free.
    pub async fn out_of_service(&self) -> Result<()> {
        let taint = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute";
        kubectl(&["taint", "node", Self::NAME, taint], "").await.map(|_| ())
    }

    /// It is no node of the cluster any more, and its pods go.
    pub async fn remove(self) -> Result<()> {
        kubectl(&["delete", "node", Self::NAME], "").await.map(|_| ())
    }
}
