//! What the chart grants the operator.

use anyhow::Result;
use tokio::process::Command;

use crate::repository;

/// Name of the release, and so of its ServiceAccount.
pub(crate) const RELEASE: &str = "longshore";

/// ServiceAccount, Roles and RoleBindings of an operator that watches its own namespace, as the chart makes them.
pub(crate) async fn rights(namespace: &str) -> Result<String> {
    let chart = repository().join("charts/longshore");
    let output = Command::new("helm")
        .args(["template", RELEASE])
        .arg(&chart)
        .args([
            "--kube-version",
            "1.34.0",
            "--namespace",
            namespace,
            "--set",
            &format!("watchNamespaces={{{namespace}}}"),
        ])
        .args(["--show-only", "templates/rbac.yaml", "--show-only", "templates/serviceaccount.yaml"])
        .output()
        .await?;
    anyhow::ensure!(output.status.success(), "helm template: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
