//! What `e2e/cluster` tells the tests through the environment.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where the cluster and the built programs are.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Folder of the cluster that `e2e/cluster` started; None: another cluster, by `KUBECONFIG`.
    pub root: Option<PathBuf>,
    /// Address, or name, of this host for pods.
    pub host: String,
    /// Image with a shell and tar, for pods that read volumes of another cluster.
    pub shell_image: String,
    /// Folder for what tests of this run write.
    pub scratch: PathBuf,
    /// Image with operator and worker.
    pub image: String,
    /// Folder of the built programs.
    pub programs: PathBuf,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
}

impl Environment {
    /// Reads the environment; an error says what is not set.
    pub fn read() -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let kubeconfig =
            variable("KUBECONFIG").context("KUBECONFIG is not set: run the tests by 'make e2e'")?;
        let host = variable("LONGSHORE_E2E_HOST")
            .context("LONGSHORE_E2E_HOST is not set: the address at which pods reach this host")?;
        let root = variable("LONGSHORE_E2E_ROOT").map(PathBuf::from);
        let programs = programs()?;
        Ok(Self {
            scratch: root.clone().unwrap_or_else(|| programs.join("e2e-scratch")),
            root,
            host,
            shell_image: variable("LONGSHORE_E2E_SHELL_IMAGE").unwrap_or_else(|| "busybox:1.37".to_owned()),
            image: variable("LONGSHORE_E2E_IMAGE").unwrap_or_else(|| "images.test/longshore:e2e".to_owned()),
            programs,
            kubeconfig: kubeconfig.into(),
        })
    }

    /// The folder of the cluster of our own; an error for a test that needs its disks or processes elsewhere.
    pub fn own_root(&self) -> Result<&Path> {
        self.root
            .as_deref()
            .context("this test needs the disks and processes of 'make e2e' without KUBECONFIG")
    }
}

/// The folder of this repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The build's folder: tests lie in its `deps/`.
fn programs() -> Result<PathBuf> {
    let this = std::env::current_exe().context("this program's own path")?;
    let folder = this.parent().and_then(Path::parent).context("the folder of the built programs")?;
    Ok(folder.to_owned())
}
