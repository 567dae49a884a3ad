//! The cluster's own processes: a test may kill one and start it again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::wait::{Look, until};

/// A part such as `kube-apiserver` or `kubelet-node-1`, as `e2e/cluster/parts` names it.
#[derive(Debug, Clone)]
pub struct Part {
    root: PathBuf,
    name: String,
}

impl Part {
    /// The part of this name in the cluster at `root`.
    pub fn new(root: &Path, name: &str) -> Self {
        Self { root: root.to_owned(), name: name.to_owned() }
    }

    /// Kills it at once (SIGKILL) and waits until it is gone.
    pub async fn kill(&self) -> Result<()> {
        let text = std::fs::read_to_string(self.root.join("pid").join(&self.name))?;
        let process = text.trim().to_owned();
        let status = Command::new("kill").args(["-KILL", &process]).status()?;
        if !status.success() {
            bail!("{} ({process}) could not be killed", self.name);
        }
        let stat = format!("/proc/{process}/stat");
        until(&format!("the end of {}", self.name), Duration::from_secs(10), async || {
            // Its parent may reap it late: a zombie is gone too.
            let state = std::fs::read_to_string(&stat).unwrap_or_default();
            let gone = state.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'));
            Ok(Look::when(gone, (), state))
        })
        .await
    }

    /// Starts it again with the same arguments; does not wait until it serves.
    pub fn start(&self) -> Result<()> {
        let script = self.root.join("parts").join(&self.name);
        let status = Command::new(&script).status().with_context(|| script.display().to_string())?;
        if !status.success() {
            bail!("{} could not be started", self.name);
        }
        Ok(())
    }
}
