//! What a claim's volume holds, as a folder of this host.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::{Api, Client};
use serde_json::json;
use tokio::process::Command;

use crate::{Cluster, kubectl};

/// The folder on this host behind a claim. On a cluster of our own it is the volume itself, a `local` one; on another it
/// is a copy of what the volume holds now.
pub async fn host_folder(client: &Client, namespace: &str, claim: &str) -> Result<PathBuf> {
    let environment = &Cluster::get().await?.environment;
    if environment.root.is_none() {
        let folder = environment.scratch.join("volumes").join(namespace).join(claim);
        return copy(namespace, claim, &environment.shell_image, folder).await;
    }
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let bound = claims.get(claim).await.with_context(|| format!("claim {claim}"))?;
    let name =
        bound.spec.and_then(|spec| spec.volume_name).with_context(|| format!("{claim} is not bound"))?;
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    let volume = volumes.get(&name).await?;
    let local =
        volume.spec.and_then(|spec| spec.local).with_context(|| format!("{name} is no local volume"))?;
    Ok(local.path.into())
}

/// Reads the volume through a pod.
async fn copy(namespace: &str, claim: &str, image: &str, folder: PathBuf) -> Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reader", "namespace": namespace},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "fsGroup": 65532,
                                "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "reader", "image": image, "command": ["sleep", "3600"],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
        },
    });
    kubectl(&["apply", "-f", "-"], &pod.to_string()).await?;
    let copied = unpack(namespace, &folder).await;
    kubectl(&["-n", namespace, "delete", "pod", "reader", "--timeout=60s"], "").await?;
    copied.map(|()| folder)
}

async fn unpack(namespace: &str, folder: &Path) -> Result<()> {
    kubectl(&["-n", namespace, "wait", "--for=condition=Ready", "pod/reader", "--timeout=90s"], "").await?;
    let archive = folder.with_extension("tar");
    let packed = Command::new("kubectl")
        .args(["-n", namespace, "exec", "reader", "--", "tar", "-C", "/data", "-cf", "-", "."])
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&archive)?)
        .stderr(Stdio::piped())
        // `output` would take what goes to the file.
        .spawn()?
        .wait_with_output()
        .await?;
    ensure!(packed.status.success(), "tar in the pod: {}", String::from_utf8_lossy(&packed.stderr));
    let unpacked = Command::new("tar").arg("-C").arg(folder).arg("-xf").arg(&archive).output().await?;
    ensure!(unpacked.status.success(), "tar: {}", String::from_utf8_lossy(&unpacked.stderr));
    std::fs::remove_file(&archive)?;
    Ok(())
}
