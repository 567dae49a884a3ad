//! What a template may not say: what would break the restricted standard, a worker's outcome, or Longshore's own names.

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec, SecurityContext, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::TemplateError;
use crate::names;
use crate::pod::CONTAINER;

type Checked = Result<(), TemplateError>;

const RESTRICTED: &str = "worker pods keep the restricted pod security standard";
const OWN: &str = "it is Longshore's own";

/// Checks a template that could be read.
pub(super) fn check(template: &PodTemplateSpec) -> Checked {
    if let Some(metadata) = &template.metadata {
        check_metadata(metadata)?;
    }
    let Some(spec) = &template.spec else { return Ok(()) };
    check_pod(spec)?;
    for volume in spec.volumes.iter().flatten() {
        check_volume(volume)?;
    }
    for container in &spec.containers {
        let path = format!("spec.containers[{}]", container.name);
        if container.name != CONTAINER {
            let why = "beside the worker it keeps the pod from ending; make it an init container with \
                       restartPolicy: Always";
            return refuse(path, why);
        }
        check_worker(&path, container)?;
        check_container(&path, container)?;
    }
    for container in spec.init_containers.iter().flatten() {
        check_container(&format!("spec.initContainers[{}]", container.name), container)?;
    }
    Ok(())
}

fn refuse(field: impl Into<String>, why: &'static str) -> Checked {
    Err(TemplateError::Refused { field: field.into(), why })
}

fn refuse_if(condition: bool, field: impl Into<String>, why: &'static str) -> Checked {
    if condition { refuse(field, why) } else { Ok(()) }
}

fn check_metadata(metadata: &ObjectMeta) -> Checked {
    let others = ObjectMeta { labels: None, annotations: None, ..metadata.clone() };
    refuse_if(others != ObjectMeta::default(), "metadata", "but for its labels and annotations")?;
    for (field, map) in [("labels", &metadata.labels), ("annotations", &metadata.annotations)] {
        for key in map.iter().flat_map(|map| map.keys()) {
            let domain = key.split_once('/').map_or("", |(domain, _)| domain);
            let ours = domain == "longshore.dev" || domain.ends_with(".longshore.dev");
            let ours = ours || [names::APP_NAME, names::MANAGED_BY].contains(&key.as_str());
            refuse_if(ours, format!("metadata.{field}.{key}"), OWN)?;
        }
    }
    Ok(())
}

fn check_pod(spec: &PodSpec) -> Checked {
    for (field, value) in
        [("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc)]
    {
        refuse_if(value == Some(true), format!("spec.{field}"), RESTRICTED)?;
    }
    let why = "the end of a load is decided by its timeoutSeconds";
    refuse_if(spec.active_deadline_seconds.is_some(), "spec.activeDeadlineSeconds", why)?;
    let why = "write serviceAccountName";
    refuse_if(spec.service_account.is_some(), "spec.serviceAccount", why)?;
    refuse_if(spec.ephemeral_containers.is_some(), "spec.ephemeralContainers", "no template has them")
}

fn check_volume(volume: &Volume) -> Checked {
    let path = format!("spec.volumes[{}]", volume.name);
    refuse_if(["table", "request", "secrets"].contains(&volume.name.as_str()), &path, OWN)?;
    let why = "it is an emptyDir, of which size and medium may be set";
    refuse_if(volume.name == "tmp" && volume.empty_dir.is_none(), &path, why)?;
    refuse_if(volume.host_path.is_some(), format!("{path}.hostPath"), RESTRICTED)?;
    let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
    let mut tokens = sources.filter_map(|source| source.service_account_token.as_ref());
    let for_cluster = tokens.any(|token| token.audience.as_ref().is_none_or(String::is_empty));
    let why = "workers have no token of the cluster; one for another audience may be mounted";
    refuse_if(for_cluster, format!("{path}.projected.sources.serviceAccountToken"), why)
}

fn check_worker(path: &str, container: &Container) -> Checked {
    for mount in container.volume_mounts.iter().flatten() {
        let at = |folder: &str| {
            mount.mount_path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let ours = at("/table") || at("/request") || at("/secrets") || mount.mount_path == "/tmp";
        refuse_if(ours, format!("{path}.volumeMounts[{}]", mount.mount_path), OWN)?;
    }
    for variable in container.env.iter().flatten() {
        let ours = variable.name.starts_with("LONGSHORE_");
        refuse_if(ours, format!("{path}.env[{}]", variable.name), OWN)?;
    }
    let why = "the operator decides when a load is tried again";
    refuse_if(container.restart_policy.is_some(), format!("{path}.restartPolicy"), why)
}

fn check_container(path: &str, container: &Container) -> Checked {
    let host_port = container.ports.iter().flatten().any(|port| port.host_port.is_some_and(|port| port != 0));
    refuse_if(host_port, format!("{path}.ports.hostPort"), RESTRICTED)?;
    let Some(context) = &container.security_context else { return Ok(()) };
    match broken(context) {
        Some(field) => refuse(format!("{path}.securityContext.{field}"), RESTRICTED),
        None => Ok(()),
    }
}

/// The field by which a security context leaves the restricted standard.
fn broken(context: &SecurityContext) -> Option<&'static str> {
    let capabilities = context.capabilities.as_ref();
    let adds = capabilities.and_then(|it| it.add.as_ref()).is_some_and(|add| !add.is_empty());
    let drop = capabilities.and_then(|it| it.drop.as_ref());
    let keeps = drop.is_some_and(|drop| !drop.iter().any(|name| name == "ALL"));
    let unconfined = |kind: Option<&String>| kind.is_some_and(|kind| kind == "Unconfined");
    let fields = [
        ("privileged", context.privileged == Some(true)),
        ("allowPrivilegeEscalation", context.allow_privilege_escalation == Some(true)),
        ("runAsNonRoot", context.run_as_non_root == Some(false)),
        ("runAsUser", context.run_as_user == Some(0)),
        ("capabilities.add", adds),
        ("capabilities.drop", keeps),
        ("procMount", context.proc_mount.as_ref().is_some_and(|mount| mount != "Default")),
        ("seccompProfile", unconfined(context.seccomp_profile.as_ref().map(|it| &it.type_))),
        ("appArmorProfile", unconfined(context.app_armor_profile.as_ref().map(|it| &it.type_))),
    ];
    fields.into_iter().find_map(|(field, broken)| broken.then_some(field))
}
