//! Where a claim's rows lie on this host.

use std::path::PathBuf;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::{Api, Client};

/// The folder on this host behind a claim that is bound to a `local` volume.
pub async fn host_folder(client: &Client, namespace: &str, claim: &str) -> Result<PathBuf> {
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
