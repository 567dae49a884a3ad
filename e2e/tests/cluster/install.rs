//! The charts on a real cluster: the operator in a pod, under the restricted standard, with its own rights.

use anyhow::{Result, ensure};
use longshore_e2e::{Load, Namespace, Nodes, Store, TableManifest, in_namespace, repository, rows, run};
use tokio::process::Command;

async fn helm(namespace: &Namespace, arguments: &[&str]) -> Result<String> {
    let output = Command::new("helm").args(["--namespace", &namespace.name]).args(arguments).output().await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "helm {arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn the_chart_installs_an_operator_that_loads_and_goes_without_a_trace() -> Result<()> {
    run(in_namespace("chart", Nodes::Real, async |namespace| {
        let chart = repository().join("charts/longshore");
        let chart = chart.to_string_lossy();
        let watch = format!("watchNamespaces={{{}}}", namespace.name);
        let settings = [
            "--set",
            "image.repository=images.test/longshore",
            "--set",
            "image.tag=e2e",
            "--set",
            &watch,
            "--wait",
        ];
        helm(namespace, &[&["install", "longshore", &chart][..], &settings].concat()).await?;
        let store = Store::start().await?;
        let data = rows(1_000, 1)?;
        store.fill("shop", "visits", &data)?;
        store.secret(namespace).await?;
        namespace.apply(&TableManifest::new("visits").yaml()).await?;
        namespace.apply(&Load::new("load", "visits", &store, "shop/visits/*.parquet").yaml()).await?;
        let wait = ["wait", "--for=condition=Complete", "loadjob/load", "--timeout=90s"];
        namespace.kubectl(&wait).await?;
        // Two replicas: the second stands by, and the load stays as it is.
        helm(namespace, &[&["upgrade", "longshore", &chart, "--set", "replicas=2"][..], &settings].concat())
            .await?;
        let ready =
            namespace.kubectl(&["get", "deployment", "longshore", "-o", "jsonpath={.status.readyReplicas}"]);
        ensure!(ready.await? == "2", "two replicas are ready");
        helm(namespace, &["uninstall", "longshore", "--wait"]).await?;
        let left =
            namespace.kubectl(&["get", "deployments,roles,rolebindings,services", "-o", "name"]).await?;
        ensure!(left.trim().is_empty(), "helm left {left}");
        let kept = namespace.kubectl(&["get", "tables,loadjobs", "-o", "name"]).await?;
        ensure!(kept.lines().count() == 2, "what people made stays: {kept}");
        Ok(())
    }))
}
