//! The pod that reads a table's volume: pure. Restricted, without a token or a Secret, on the node of the table's
//! other pods where the volume is on one node at a time.

use std::collections::BTreeMap;

use anyhow::bail;
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, Container, EmptyDirVolumeSource, EnvVar, PersistentVolumeClaimVolumeSource, Pod,
    PodAffinity, PodAffinityTerm, PodSecurityContext, PodSpec, ResourceRequirements, SeccompProfile,
    SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::ResourceExt;
use longshore_crds::Table;

use super::image::Workload;

const CONTAINER: &str = "worker";
const TERMINATION_MESSAGE: &str = "/dev/termination-log";
/// The user of the image.
const USER: i64 = 65_532;
/// No pod of this kind lives longer, whatever became of the command that started it.
const DEADLINE_SECONDS: i64 = 3_600;
/// Characters of the object's name that the pod's begins with.
const PREFIX: usize = 30;

/// A pod that answers a question.
#[derive(Debug)]
pub struct AskPod<'a> {
    /// Name of the object that is asked about.
    pub name: &'a str,
    /// The table whose volume it reads.
    pub table: &'a Table,
    /// What the workers look like.
    pub workload: &'a Workload,
    /// Arguments of `/longshore-worker`.
    pub arguments: Vec<String>,
}

impl AskPod<'_> {
    /// The pod.
    ///
    /// # Errors
    /// The Table has no claim yet.
    pub fn build(&self) -> anyhow::Result<Pod> {
        let status = self.table.status.as_ref();
        let Some(claim) = status.and_then(|status| status.claim.clone()) else {
            bail!("Table {} has no volume yet; kubectl describe table {0} says why", self.table.name_any());
        };
        let prefix = self.name.get(..PREFIX.min(self.name.len())).unwrap_or(self.name);
        Ok(Pod {
            metadata: ObjectMeta {
                generate_name: Some(format!("{}-ask-", prefix.trim_end_matches(['-', '.']))),
                labels: Some(self.labels()),
                ..ObjectMeta::default()
            },
            spec: Some(self.spec(claim)),
            status: None,
        })
    }

    /// Those by which the table's pods find their node, and none by which a controller would take the pod for its
    /// own.
    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.node_labels();
        labels.insert("app.kubernetes.io/name".to_owned(), "longshore-ask".to_owned());
        labels.insert("app.kubernetes.io/managed-by".to_owned(), "kubectl-longshore".to_owned());
        labels
    }

    fn node_labels(&self) -> BTreeMap<String, String> {
        let epoch = self.table.status.as_ref().and_then(|status| status.volume_epoch).unwrap_or(0);
        BTreeMap::from([
            ("longshore.dev/table".to_owned(), self.table.name_any()),
            ("longshore.dev/volume-epoch".to_owned(), epoch.to_string()),
        ])
    }

    fn spec(&self, claim: String) -> PodSpec {
        let like = self.workload.like.clone().unwrap_or_default();
        PodSpec {
            restart_policy: Some("Never".to_owned()),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            active_deadline_seconds: Some(DEADLINE_SECONDS),
            termination_grace_period_seconds: Some(5),
            affinity: self.affinity(),
            security_context: Some(like.security_context.unwrap_or_else(pod_security)),
            image_pull_secrets: like.image_pull_secrets,
            node_selector: like.node_selector,
            tolerations: like.tolerations,
            runtime_class_name: like.runtime_class_name,
            containers: vec![self.container()],
            volumes: Some(vec![
                Volume {
                    name: "table".to_owned(),
                    persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                        claim_name: claim,
                        read_only: None,
                    }),
                    ..Volume::default()
                },
                Volume {
                    name: "tmp".to_owned(),
                    empty_dir: Some(EmptyDirVolumeSource::default()),
                    ..Volume::default()
                },
            ]),
            ..PodSpec::default()
        }
    }

    fn container(&self) -> Container {
        let sub_path = self.table.status.as_ref().and_then(|status| status.sub_path.clone());
        let like = self.workload.like.as_ref();
        let worker = like.and_then(|pod| pod.containers.iter().find(|one| one.name == CONTAINER));
        let mount = |name: &str, path: &str| VolumeMount {
            name: name.to_owned(),
            mount_path: path.to_owned(),
            ..VolumeMount::default()
        };
        let variable = |(name, value): (&str, &str)| EnvVar {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            value_from: None,
        };
        let variables = [
            ("LONGSHORE_TABLE_DIR", "/table"),
            ("LONGSHORE_TERMINATION_MESSAGE", TERMINATION_MESSAGE),
            ("LONGSHORE_LOG", "error"),
            ("TMPDIR", "/tmp"),
        ];
        Container {
            name: CONTAINER.to_owned(),
            image: Some(self.workload.image.clone()),
            image_pull_policy: worker.and_then(|worker| worker.image_pull_policy.clone()),
            command: Some(vec!["/longshore-worker".to_owned()]),
            // The kubelet would put variables in for `$(NAME)`.
            args: Some(self.arguments.iter().map(|argument| argument.replace("$(", "$$(")).collect()),
            env: Some(variables.map(variable).into()),
            volume_mounts: Some(vec![
                VolumeMount { sub_path, ..mount("table", "/table") },
                mount("tmp", "/tmp"),
            ]),
            resources: Some(resources()),
            security_context: Some(container_security()),
            termination_message_path: Some(TERMINATION_MESSAGE.to_owned()),
            termination_message_policy: Some("File".to_owned()),
            ..Container::default()
        }
    }

    /// The table's pods share a node where the volume is on one at a time; the first of them satisfies the rule by
    /// itself.
    fn affinity(&self) -> Option<Affinity> {
        let modes = self.table.status.as_ref().map(|status| status.access_modes.as_slice());
        if modes.is_some_and(|modes| modes.iter().any(|mode| mode == "ReadWriteMany")) {
            return None;
        }
        let selector = LabelSelector { match_labels: Some(self.node_labels()), ..LabelSelector::default() };
        let term = PodAffinityTerm {
            label_selector: Some(selector),
            topology_key: "kubernetes.io/hostname".to_owned(),
            ..PodAffinityTerm::default()
        };
        Some(Affinity {
            pod_affinity: Some(PodAffinity {
                required_during_scheduling_ignored_during_execution: Some(vec![term]),
                ..PodAffinity::default()
            }),
            ..Affinity::default()
        })
    }
}

fn resources() -> ResourceRequirements {
    let quantities = |pairs: &[(&str, &str)]| -> Option<BTreeMap<String, Quantity>> {
        let pairs = pairs.iter().map(|(name, text)| ((*name).to_owned(), Quantity((*text).to_owned())));
        Some(pairs.collect())
    };
    ResourceRequirements {
        requests: quantities(&[("cpu", "100m"), ("memory", "128Mi")]),
        limits: quantities(&[("memory", "1Gi")]),
        ..ResourceRequirements::default()
    }
}

fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        privileged: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        ..SecurityContext::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn table(status: &str) -> Table {
        serde_yaml::from_str(&format!(
            "{{apiVersion: longshore.dev/v1alpha1, kind: Table, metadata: {{name: t}}, \
              spec: {{columns: [{{name: a, type: INT}}], distribution: {{random: {{buckets: 1}}}}}}, \
              status: {status}}}"
        ))
        .unwrap()
    }

    fn built(table: &Table, workload: &Workload) -> Value {
        let arguments = ["ask", "why", "s3://b/$(HOME)"].map(str::to_owned).into();
        let pod = AskPod { name: "visits", table, workload, arguments }.build().unwrap();
        serde_json::to_value(pod).unwrap()
    }

    #[test]
    fn the_pod_mounts_the_tables_volume_beside_its_workers_and_has_no_token() {
        let table = table("{claim: c, subPath: a/b, volumeEpoch: 2, accessModes: [ReadWriteOnce]}");
        let workload = Workload { image: "longshore:1".to_owned(), like: None };
        let pod = built(&table, &workload);
        let (spec, container) = (&pod["spec"], &pod["spec"]["containers"][0]);
        assert_eq!(pod["metadata"]["generateName"], "visits-ask-");
        assert_eq!(pod["metadata"]["labels"]["longshore.dev/volume-epoch"], "2");
        assert_ne!(pod["metadata"]["labels"]["app.kubernetes.io/name"], "longshore-worker");
        assert_eq!(spec["volumes"][0]["persistentVolumeClaim"]["claimName"], "c");
        assert_eq!(container["volumeMounts"][0]["subPath"], "a/b");
        assert_eq!(spec["automountServiceAccountToken"], false);
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(container["args"][2], "s3://b/$$(HOME)");
        let term = &spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
        assert_eq!(term["labelSelector"]["matchLabels"]["longshore.dev/table"], "t");
    }

    #[test]
    fn what_the_administrator_set_for_workers_holds_for_it() {
        let table = table("{claim: c, accessModes: [ReadWriteMany]}");
        let like: PodSpec = serde_yaml::from_str(
            "{securityContext: {runAsNonRoot: true}, nodeSelector: {disk: fast}, imagePullSecrets: [{name: pull}], \
              serviceAccountName: reader, containers: [{name: worker, image: w, imagePullPolicy: Never, \
              envFrom: [{secretRef: {name: keys}}]}], volumes: [{name: secrets, secret: {secretName: keys}}]}",
        )
        .unwrap();
        let pod = built(&table, &Workload { image: "w".to_owned(), like: Some(like) });
        let spec = &pod["spec"];
        assert_eq!(spec["securityContext"], serde_json::json!({"runAsNonRoot": true}));
        assert_eq!(spec["nodeSelector"]["disk"], "fast");
        assert_eq!(spec["imagePullSecrets"][0]["name"], "pull");
        assert_eq!(spec["containers"][0]["imagePullPolicy"], "Never");
        assert_eq!(spec["affinity"], Value::Null);
        let text = pod.to_string();
        assert!(!text.contains("keys") && !text.contains("serviceAccountName"), "{text}");
    }

    #[test]
    fn a_table_without_a_volume_is_named() {
        let (table, workload) = (table("{}"), Workload::default());
        let pod = AskPod { name: "p", table: &table, workload: &workload, arguments: Vec::new() };
        assert!(pod.build().unwrap_err().to_string().starts_with("Table t has no volume yet"));
    }
}
