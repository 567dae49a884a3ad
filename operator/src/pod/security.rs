//! The restricted pod-security standard, and a little more: a read-only root file system and no node identity.

use k8s_openapi::api::core::v1::{Capabilities, PodSecurityContext, SeccompProfile, SecurityContext};

use crate::config::WorkerDefaults;

/// Of the pod. User and group are numbers, or omitted where the platform chooses them (OpenShift).
pub(super) fn of_pod(defaults: &WorkerDefaults) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: defaults.run_as_user,
        run_as_group: defaults.run_as_user,
        fs_group: defaults.fs_group,
        // A volume of millions of files is not walked at each start.
        fs_group_change_policy: defaults.fs_group.map(|_| "OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

/// Of any container of the pod: what the restricted standard asks for.
pub(super) fn of_any_container() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        run_as_non_root: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        ..SecurityContext::default()
    }
}

/// Of the worker.
pub(super) fn of_container() -> SecurityContext {
    SecurityContext { privileged: Some(false), read_only_root_filesystem: Some(true), ..of_any_container() }
}
