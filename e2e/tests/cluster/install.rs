//! The charts on a real cluster: the operator in a pod, under the restricted standard, with its own rights.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use longshore_e2e::wait::{Look, until};
use longshore_e2e::{
    Cluster, Manifest, Namespace, Nodes, Store, host_folder, in_namespace, kubectl, read_table, repository,
    rows, run,
};
use serde_json::json;
use tokio::process::Command;

use crate::loads::{delayed, slow};

/// Namespace of the plain manifests.
pub const SYSTEM: &str = "longshore-system";

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
        let image = &Cluster::get().await?.environment.image;
        let (repository, tag) = image.rsplit_once(':').context("an image with a tag")?;
        let (repository, tag) = (format!("image.repository={repository}"), format!("image.tag={tag}"));
        // What only a template of the administrator can say, of every worker pod.
        let values = tempfile::NamedTempFile::new()?;
        let template = json!({"metadata": {"annotations": {"example.com/owner": "data"}}, "spec": {
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
            "containers": [{"name": "worker", "env": [{"name": "NO_PROXY", "value": "*"}]}]}});
        std::fs::write(values.path(), json!({"worker": {"podTemplate": template}}).to_string())?;
        let values = values.path().to_string_lossy();
        let settings = ["--values", &values, "--set", &repository, "--set", &tag, "--set", &watch, "--wait"];
        helm(namespace, &[&["install", "longshore", &chart][..], &settings].concat()).await?;
        let store = Store::start().await?;
        let data = rows(1_000, 1)?;
        store.fill("shop", "visits", &data)?;
        store.secret(namespace).await?;
        namespace.apply(&Manifest::table("visits").yaml()).await?;
        let fault = store.server()?.faults().add(delayed());
        namespace.apply(&Manifest::load("load", "visits", &store, "shop/visits/*.parquet").yaml()).await?;
        let wait = ["wait", "--for=condition=Complete", "loadjob/load", "--timeout=90s"];
        let pods: Api<Pod> = namespace.api();
        let workers = ListParams::default().labels("longshore.dev/role=load");
        let pod = until("the pod of the load", Duration::from_secs(90), async || {
            let pod = pods.list(&workers).await?.items.pop();
            Ok(pod.map_or_else(|| Look::NotYet("none".to_owned()), Look::Found))
        })
        .await?;
        let pod = serde_json::to_value(pod)?;
        ensure!(pod["metadata"]["annotations"]["example.com/owner"] == "data", "{pod}");
        let text = pod["spec"].to_string();
        ensure!(text.contains("NO_PROXY") && text.contains("sizeLimit"), "{text}");
        store.server()?.faults().remove(fault);
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

mod alone {
    use super::*;

    /// Alone: the operator of the manifests watches all namespaces, and the definitions go with what they define.
    #[test]
    #[ignore = "needs a cluster: make e2e"]
    fn the_plain_manifests_run_an_operator_and_go_without_a_trace() -> Result<()> {
        run(async {
            Cluster::get().await?.environment.own_root()?;
            let manifests = manifests().await?;
            let ended = match kubectl(&["apply", "-f", "-"], &manifests).await {
                Ok(_) => in_namespace("plain", Nodes::Real, async |namespace| use_it(namespace).await).await,
                Err(error) => Err(error),
            };
            let gone = remove(&manifests).await;
            Cluster::define().await?;
            ended.and(gone)
        })
    }

    /// As a user does with an image of their own.
    async fn manifests() -> Result<String> {
        let path = repository().join("deploy/longshore.yaml");
        let output = Command::new("sed")
            .args(["s|ghcr.io/longshore/longshore:[^ ]*|images.test/longshore:e2e|"])
            .arg(&path)
            .output()
            .await?;
        let text = String::from_utf8(output.stdout)?;
        let images = text.matches("images.test/longshore:e2e").count();
        ensure!(output.status.success() && images == 2, "of the operator and of the workers: {images}");
        Ok(text)
    }

    async fn use_it(namespace: &Namespace) -> Result<()> {
        let rollout = ["-n", SYSTEM, "rollout", "status", "deployment/longshore", "--timeout=90s"];
        kubectl(&rollout, "").await?;
        let store = Store::start().await?;
        let data = rows(1_000, 1)?;
        store.fill("shop", "visits", &data)?;
        store.secret(namespace).await?;
        namespace.apply(&Manifest::table("visits").yaml()).await?;
        let load = |name: &str| Manifest::load(name, "visits", &store, "shop/visits/*.parquet");
        namespace.apply(&load("load").yaml()).await?;
        namespace.kubectl(&["wait", "--for=condition=Complete", "loadjob/load", "--timeout=90s"]).await?;
        // One that is given up: its pods are stopped.
        store.server()?.faults().add(slow());
        namespace.apply(&load("given-up").yaml()).await?;
        let pods: Api<Pod> = namespace.api();
        let of_load = ListParams::default().labels("longshore.dev/loadjob=given-up");
        until("the pod of given-up to run", Duration::from_secs(90), async || {
            let pod = pods.list(&of_load).await?.items.pop().and_then(|pod| pod.status?.phase);
            Ok(Look::when(pod.as_deref() == Some("Running"), (), pod))
        })
        .await?;
        namespace.apply(&load("given-up").with("cancel", json!(true)).yaml()).await?;
        namespace.kubectl(&["wait", "--for=condition=Failed", "loadjob/given-up", "--timeout=90s"]).await?;
        store.server()?.faults().clear();
        // A pipe beside it, that lists for ever and then once more.
        let pipe = Manifest::pipe("arrivals", "visits", &store, "shop/visits/*.parquet");
        namespace.apply(&pipe.yaml()).await?;
        let wait = ["wait", "--for=jsonpath={.status.loadedFiles}=1", "pipe/arrivals", "--timeout=90s"];
        namespace.kubectl(&wait).await?;
        namespace.apply(&pipe.with("autoIngest", json!(false)).yaml()).await?;
        let wait = ["wait", "--for=jsonpath={.status.state}=FINISHED", "pipe/arrivals", "--timeout=90s"];
        namespace.kubectl(&wait).await?;
        let found =
            read_table(&host_folder(&namespace.client, &namespace.name, "table-visits").await?).await?;
        ensure!(found.rows == 2_000, "{found:?}");
        Ok(())
    }

    /// Everything goes, also what people made: the definitions are deleted.
    async fn remove(manifests: &str) -> Result<()> {
        kubectl(&["delete", "-f", "-", "--ignore-not-found", "--timeout=90s"], manifests).await?;
        let definitions = repository().join("crds");
        kubectl(&["delete", "-f", &definitions.to_string_lossy(), "--timeout=90s"], "").await?;
        let ours = ["-l", "app.kubernetes.io/instance=longshore", "-o", "name"];
        let kinds = ["get", "clusterroles,clusterrolebindings"];
        let left = kubectl(&[&kinds[..], &ours].concat(), "").await?;
        let namespaces =
            kubectl(&["get", "namespaces", SYSTEM, "--ignore-not-found", "-o", "name"], "").await?;
        let definitions = kubectl(&["get", "crds", "-o", "name"], "").await?;
        ensure!(left.is_empty() && namespaces.is_empty(), "left: {left}{namespaces}");
        ensure!(!definitions.contains("longshore.dev"), "left: {definitions}");
        Ok(())
    }
}
