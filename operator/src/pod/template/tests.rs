use super::super::tests::{config, spec_of, table};
use super::super::{PodError, WorkerPod};
use super::*;
use crate::config::Config;
use crate::names::{self, Role};

fn pod_of(config: &Config, worker: &str) -> Result<PodTemplateSpec, PodError> {
    let (table, worker) = (table(), spec_of(worker));
    let pod = WorkerPod {
        table: &table,
        role: Role::Load,
        arguments: vec!["load".to_owned()],
        request_config_map: Some("request"),
        secrets: vec!["aws".to_owned()],
        worker: &worker,
        labels: [(names::LOAD_JOB.to_owned(), "j".to_owned())].into(),
        config,
    };
    pod.template()
}

fn with(template: &str, worker: &str) -> PodTemplateSpec {
    pod_of(&config().with_pod_template(template).unwrap(), worker).unwrap()
}

fn error(template: &str) -> String {
    config().with_pod_template(template).unwrap_err().to_string()
}

#[test]
fn a_template_lies_below_the_pod() {
    let plain = pod_of(&config(), "{}").unwrap();
    assert_eq!(with("{}", "{}"), plain);
    let merged = with(
        r"
metadata:
  labels: {team: data}
  annotations: {cluster-autoscaler.kubernetes.io/safe-to-evict: 'false'}
spec:
  dnsPolicy: Default
  hostAliases: [{ip: 10.0.0.1, hostnames: [store]}]
  volumes:
  - {name: authorities, configMap: {name: authorities}}
  - {name: tmp, emptyDir: {sizeLimit: 10Gi}}
  initContainers:
  - {name: proxy, image: proxy:1, restartPolicy: Always}
  containers:
  - name: worker
    env: [{name: HTTPS_PROXY, value: 'http://127.0.0.1:3128'}]
    volumeMounts: [{name: authorities, mountPath: /etc/ssl/certs, readOnly: true}]
",
        "{}",
    );
    let labels = merged.metadata.as_ref().unwrap().labels.clone().unwrap();
    assert_eq!((labels["team"].as_str(), labels[names::TABLE].as_str()), ("data", "t"));
    let (spec, plain) = (merged.spec.unwrap(), plain.spec.unwrap());
    assert_eq!(spec.dns_policy.as_deref(), Some("Default"));
    assert_eq!((&spec.security_context, &spec.tolerations), (&plain.security_context, &plain.tolerations));
    let volume = |name: &str| spec.volumes.iter().flatten().find(|volume| volume.name == name);
    assert_eq!(volume("tmp").unwrap().empty_dir.as_ref().unwrap().size_limit.as_ref().unwrap().0, "10Gi");
    assert!(volume("authorities").is_some() && volume("table").is_some() && volume("secrets").is_some());
    let (worker, before) = (&spec.containers[0], &plain.containers[0]);
    assert_eq!((spec.containers.len(), &worker.image, &worker.args), (1, &before.image, &before.args));
    let variables: Vec<_> = worker.env.iter().flatten().map(|variable| variable.name.as_str()).collect();
    assert!(
        variables.contains(&"HTTPS_PROXY") && variables.contains(&"LONGSHORE_TABLE_DIR"),
        "{variables:?}"
    );
    assert_eq!(
        worker.volume_mounts.as_ref().unwrap().len(),
        before.volume_mounts.as_ref().unwrap().len() + 1
    );
    let proxy = spec.init_containers.unwrap().pop().unwrap();
    let security = proxy.security_context.unwrap();
    assert_eq!((security.allow_privilege_escalation, security.run_as_non_root), (Some(false), Some(true)));
    assert_eq!(security.capabilities.unwrap().drop.unwrap(), ["ALL"]);
}

#[test]
fn no_object_leaves_the_nodes_of_the_template() {
    let merged = with(
        r"
spec:
  nodeSelector: {pool: loads}
  tolerations: [{key: pool, operator: Exists}]
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
        - matchExpressions: [{key: zone, operator: In, values: [a]}]
        - matchExpressions: [{key: zone, operator: In, values: [b]}]
",
        r"
nodeSelector: {pool: others, disk: fast}
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
    - matchExpressions: [{key: cpu, operator: Exists}]
labels: {team: data}
",
    );
    let spec = merged.spec.unwrap();
    let selector = spec.node_selector.unwrap();
    assert_eq!((selector["pool"].as_str(), selector["disk"].as_str()), ("loads", "fast"));
    let tolerations = spec.tolerations.unwrap();
    assert!(tolerations.iter().any(|it| it.key.as_deref() == Some("pool")) && tolerations.len() == 3);
    let affinity = spec.affinity.unwrap();
    assert!(affinity.pod_affinity.is_some(), "the pods of a table share a node");
    let required =
        affinity.node_affinity.unwrap().required_during_scheduling_ignored_during_execution.unwrap();
    let keys = required
        .node_selector_terms
        .iter()
        .map(|term| term.match_expressions.iter().flatten().map(|it| it.key.clone()).collect::<Vec<_>>());
    assert_eq!(keys.collect::<Vec<_>>(), [["cpu", "zone"], ["cpu", "zone"]]);
}

#[test]
fn what_is_longshores_own_is_refused_by_name() {
    for (template, field) in [
        ("metadata: {labels: {longshore.dev/table: x}}", "metadata.labels.longshore.dev/table"),
        ("metadata: {labels: {app.kubernetes.io/name: x}}", "metadata.labels.app.kubernetes.io/name"),
        ("metadata: {name: x}", "metadata"),
        ("spec: {restartPolicy: OnFailure}", "spec.restartPolicy"),
        ("spec: {automountServiceAccountToken: true}", "spec.automountServiceAccountToken"),
        ("spec: {hostNetwork: true}", "spec.hostNetwork"),
        ("spec: {activeDeadlineSeconds: 60}", "spec.activeDeadlineSeconds"),
        ("spec: {securityContext: {runAsUser: 0}}", "spec.securityContext.runAsUser"),
        ("spec: {securityContext: {runAsNonRoot: false}}", "spec.securityContext.runAsNonRoot"),
        ("spec: {volumes: [{name: table, emptyDir: {}}]}", "spec.volumes[table]"),
        ("spec: {volumes: [{name: h, hostPath: {path: /}}]}", "spec.volumes[h].hostPath"),
        (
            "spec: {volumes: [{name: k, projected: {sources: [{serviceAccountToken: {path: token}}]}}]}",
            "spec.volumes[k].projected.sources.serviceAccountToken",
        ),
        ("spec: {containers: [{name: sidecar, image: x}]}", "spec.containers[sidecar]"),
        ("spec: {containers: [{name: worker, image: x}]}", "spec.containers[worker].image"),
        ("spec: {containers: [{name: worker, command: [sh]}]}", "spec.containers[worker].command"),
        (
            "spec: {containers: [{name: worker, resources: {limits: {memory: 9Gi}}}]}",
            "spec.containers[worker].resources.limits.memory",
        ),
        (
            "spec: {containers: [{name: worker, env: [{name: LONGSHORE_TABLE_DIR, value: x}]}]}",
            "spec.containers[worker].env[LONGSHORE_TABLE_DIR]",
        ),
        (
            "spec: {containers: [{name: worker, env: [{name: AWS_EC2_METADATA_DISABLED, value: 'false'}]}]}",
            "spec.containers[worker].env[AWS_EC2_METADATA_DISABLED].value",
        ),
        (
            "spec: {containers: [{name: worker, volumeMounts: [{name: x, mountPath: /table/y}]}]}",
            "spec.containers[worker].volumeMounts[/table/y]",
        ),
        (
            "spec: {containers: [{name: worker, securityContext: {privileged: true}}]}",
            "spec.containers[worker].securityContext.privileged",
        ),
        (
            "spec: {containers: [{name: worker, securityContext: {capabilities: {add: [SYS_ADMIN]}}}]}",
            "spec.containers[worker].securityContext.capabilities.add",
        ),
        (
            "spec: {initContainers: [{name: i, image: x, securityContext: {runAsUser: 0}}]}",
            "spec.initContainers[i].securityContext.runAsUser",
        ),
    ] {
        let said = error(template);
        let expected = format!("--worker-pod-template: {field} cannot be set here: ");
        assert!(said.starts_with(&expected), "{template}: {said}");
    }
}

#[test]
fn what_is_no_field_of_a_pod_is_refused_by_name() {
    assert!(error("spec: {hostnetwork: true}").contains("spec.hostnetwork is no field of a pod"));
    let said = error("spec: {initContainers: [{name: i, image: x, comand: [sh]}]}");
    assert!(said.contains("spec.initContainers[i].comand is no field"), "{said}");
    let said = error("spec: {priority: high}");
    assert!(said.contains("spec.priority: invalid type"), "{said}");
    assert!(error("template: {spec: {hostname: x}}").contains("template is no field"));
    assert!(error("spec: [").contains("the file: "));
}

#[test]
fn a_token_for_another_audience_may_be_mounted() {
    let merged = with(
        "spec: {volumes: [{name: k, projected: {sources: [{serviceAccountToken: {path: t, audience: sts}}]}}]}",
        "{}",
    );
    assert_eq!(merged.spec.unwrap().automount_service_account_token, Some(false));
}
