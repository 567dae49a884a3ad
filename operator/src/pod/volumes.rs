//! Volumes of a worker: the table, the request, the Secrets as files with fixed keys, and a scratch folder.

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource, SecretProjection, Volume, VolumeMount, VolumeProjection,
};

use super::spec::TableRef;

/// Where the table's folder is mounted.
pub(super) const TABLE_DIR: &str = "/table";
/// Where the Secrets are mounted, a folder each.
pub(super) const SECRETS_DIR: &str = "/secrets";
const REQUEST_DIR: &str = "/request";
/// The request of a worker, where it has one.
pub const REQUEST_FILE: &str = "/request/request.json";
/// Key of the request in its ConfigMap.
pub const REQUEST_KEY: &str = "request.json";

/// Keys of a Secret that reach the worker; all else in it does not.
const REQUIRED_KEYS: [&str; 2] = ["access-key-id", "secret-access-key"];
const OPTIONAL_KEY: &str = "session-token";
/// Owner and group read.
const SECRET_MODE: i32 = 0o440;

/// Volumes, and where they are mounted.
pub(super) fn volumes(
    table: &TableRef,
    request_config_map: Option<&str>,
    secrets: &[String],
) -> (Vec<Volume>, Vec<VolumeMount>) {
    let mut pairs = vec![table_volume(table), scratch()];
    pairs.extend(request_config_map.map(request));
    pairs.extend(secrets_volume(secrets));
    pairs.into_iter().unzip()
}

fn table_volume(table: &TableRef) -> (Volume, VolumeMount) {
    let volume = Volume {
        name: "table".to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: table.claim.clone(),
            read_only: None,
        }),
        ..Volume::default()
    };
    let mount = VolumeMount { sub_path: table.sub_path.clone(), ..mount("table", TABLE_DIR, false) };
    (volume, mount)
}

fn scratch() -> (Volume, VolumeMount) {
    let volume = Volume {
        name: "tmp".to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    };
    (volume, mount("tmp", "/tmp", false))
}

fn request(config_map: &str) -> (Volume, VolumeMount) {
    let volume = Volume {
        name: "request".to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: config_map.to_owned(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    (volume, mount("request", REQUEST_DIR, true))
}

fn secrets_volume(secrets: &[String]) -> Option<(Volume, VolumeMount)> {
    if secrets.is_empty() {
        return None;
    }
    let sources = secrets.iter().flat_map(|secret| {
        let key = |key: &str| KeyToPath {
            key: key.to_owned(),
            path: format!("{secret}/{key}"),
            mode: Some(SECRET_MODE),
        };
        let projection = |items, optional| VolumeProjection {
            secret: Some(SecretProjection { name: secret.clone(), items: Some(items), optional }),
            ..VolumeProjection::default()
        };
        [
            projection(REQUIRED_KEYS.map(key).into(), None),
            // Of an optional source both the Secret and the key may be absent.
            projection(vec![key(OPTIONAL_KEY)], Some(true)),
        ]
    });
    let volume = Volume {
        name: "secrets".to_owned(),
        projected: Some(ProjectedVolumeSource {
            sources: Some(sources.collect()),
            default_mode: Some(SECRET_MODE),
        }),
        ..Volume::default()
    };
    Some((volume, mount("secrets", SECRETS_DIR, true)))
}

fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(read_only),
        ..VolumeMount::default()
    }
}
