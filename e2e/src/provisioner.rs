//! Volumes for claims: a folder of this host each, as a `local` volume, so that tests see what pods write.
//!
//! It does what a storage driver does (bind to the node that the scheduler chose, expand, delete), for two classes:
//! `e2e-local` (the default; can expand) and `e2e-fixed` (cannot).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;

use anyhow::{Context, Result};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::kubectl;

const DRIVER: &str = "longshore.dev/e2e";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const CLASSES: &str = r#"
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: e2e-local, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: longshore.dev/e2e
volumeBindingMode: WaitForFirstConsumer
allowVolumeExpansion: true
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: e2e-fixed}
provisioner: longshore.dev/e2e
volumeBindingMode: WaitForFirstConsumer
"#;

/// Makes the classes and serves claims from then on in a task of this runtime.
pub(crate) async fn start(client: Client, folder: PathBuf) -> Result<()> {
    kubectl(&["apply", "-f", "-"], CLASSES).await?;
    tokio::spawn(serve_claims(client.clone(), folder));
    tokio::spawn(serve_volumes(client));
    Ok(())
}

async fn serve_claims(client: Client, folder: PathBuf) {
    let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
    let mut changes = pin!(watcher(claims, watcher::Config::default()).default_backoff().applied_objects());
    while let Some(change) = changes.next().await {
        // The watch goes on after an error: a test may have stopped the apiserver.
        let Ok(claim) = change else { continue };
        if let Err(error) = serve_claim(&client, &folder, &claim).await {
            eprintln!("provisioner: claim {}: {error:#}", claim.name_any());
        }
    }
}

async fn serve_claim(client: &Client, folder: &Path, claim: &PersistentVolumeClaim) -> Result<()> {
    let spec = claim.spec.as_ref().context("a claim without spec")?;
    let ours = matches!(spec.storage_class_name.as_deref(), Some("e2e-local" | "e2e-fixed"));
    if !ours || claim.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    if spec.volume_name.is_some() {
        return expand(client, claim).await;
    }
    match claim.annotations().get(SELECTED_NODE) {
        Some(node) => provision(client, folder, claim, node).await,
        None => Ok(()),
    }
}

async fn provision(client: &Client, folder: &Path, claim: &PersistentVolumeClaim, node: &str) -> Result<()> {
    let uid = claim.uid().context("a claim without UID")?;
    let path = folder.join(&uid);
    std::fs::create_dir_all(&path)?;
    // Every node of that sort can reach the folder, so that a pod may move.
    let nodes = if node.starts_with("fake-") { ["fake-1", "fake-2"] } else { ["node-1", "node-2"] };
    let spec = claim.spec.as_ref().context("a claim without spec")?;
    let volume = serde_json::from_value(json!({
        "metadata": {
            "name": format!("pvc-{uid}"),
            "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER},
        },
        "spec": {
            "capacity": requests(claim),
            "accessModes": spec.access_modes,
            "storageClassName": spec.storage_class_name,
            "persistentVolumeReclaimPolicy": "Delete",
            "local": {"path": path},
            "claimRef": {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "name": claim.name_any(),
                         "namespace": claim.namespace(), "uid": uid},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": nodes}]}]}},
        },
    }))?;
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    match volumes.create(&PostParams::default(), &volume).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => other.map(|_| ()).context("the volume"),
    }
}

/// A claim that asks for more than it has gets it: a folder has no size.
async fn expand(client: &Client, claim: &PersistentVolumeClaim) -> Result<()> {
    let wanted = requests(claim);
    let has = claim.status.as_ref().and_then(|status| status.capacity.clone());
    let (Some(has), Some(volume)) = (has, claim.spec.as_ref().and_then(|spec| spec.volume_name.clone()))
    else {
        return Ok(());
    };
    if wanted.get("storage") == has.get("storage") {
        return Ok(());
    }
    let merge = PatchParams::default();
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    volumes.patch(&volume, &merge, &Patch::Merge(json!({"spec": {"capacity": wanted}}))).await?;
    let namespace = claim.namespace().unwrap_or_default();
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &namespace);
    let status: Value = json!({"status": {"capacity": wanted, "conditions": null}});
    claims.patch_status(&claim.name_any(), &merge, &Patch::Merge(status)).await?;
    Ok(())
}

fn requests(claim: &PersistentVolumeClaim) -> BTreeMap<String, Quantity> {
    let resources = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    resources.and_then(|resources| resources.requests.clone()).unwrap_or_default()
}

async fn serve_volumes(client: Client) {
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    let watched = watcher(volumes.clone(), watcher::Config::default());
    let mut changes = pin!(watched.default_backoff().applied_objects());
    while let Some(change) = changes.next().await {
        let Ok(volume) = change else { continue };
        if let Err(error) = remove_released(&volumes, &volume).await {
            eprintln!("provisioner: volume {}: {error:#}", volume.name_any());
        }
    }
}

async fn remove_released(volumes: &Api<PersistentVolume>, volume: &PersistentVolume) -> Result<()> {
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    let spec = volume.spec.as_ref();
    let policy = spec.and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    let ours =
        volume.annotations().get("pv.kubernetes.io/provisioned-by").is_some_and(|driver| driver == DRIVER);
    if !ours
        || phase != Some("Released")
        || policy != Some("Delete")
        || volume.metadata.deletion_timestamp.is_some()
    {
        return Ok(());
    }
    if let Some(local) = spec.and_then(|spec| spec.local.as_ref()) {
        std::fs::remove_dir_all(&local.path)?;
    }
    volumes.delete(&volume.name_any(), &DeleteParams::default()).await?;
    Ok(())
}
