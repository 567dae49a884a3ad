//! What the chart grants the operator.

use anyhow::{Result, ensure};
use tokio::process::Command;

use crate::repository;

/// Name of the release, and so of its ServiceAccount.
pub const RELEASE: &str = "longshore";

/// ServiceAccount, Roles and RoleBindings of an operator in `namespace`, as the chart makes them: of one that watches
/// only its own namespace (Roles), or all (a ClusterRole).
pub async fn rights(namespace: &str, watches_all: bool) -> Result<String> {
    let chart = repository().join("charts/longshore");
    let output = Command::new("helm")
        .args(["template", RELEASE])
        .arg(&chart)
        .args(["--kube-version", "1.34.0", "--namespace", namespace])
        .args((!watches_all).then(|| format!("--set=watchNamespaces={{{namespace}}}")))
        .args(["--show-only", "templates/rbac.yaml", "--show-only", "templates/serviceaccount.yaml"])
        .output()
        .await?;
    ensure!(output.status.success(), "helm template: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
