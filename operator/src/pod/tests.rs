//! What a worker's pod is, and what it refuses to be.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use longshore_crds::WorkerSpec;

use super::*;
use crate::config::{Config, WorkerDefaults};
use crate::names::Role;

pub(super) fn config() -> Config {
    Config {
        worker_image: "longshore:1".to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        worker_defaults: WorkerDefaults::default(),
        allowed_service_accounts: vec!["reader".to_owned()],
        allow_node_identity: false,
        namespaces: None,
        status_interval: Duration::from_secs(5),
        grace_period_seconds: 30,
        worker_port: 8080,
        concurrency: 1,
        pod_template: None,
    }
}

pub(super) fn table() -> TableRef {
    TableRef {
        name: "t".to_owned(),
        uid: "u".to_owned(),
        claim: "table-t".to_owned(),
        sub_path: None,
        volume_epoch: 3,
        one_node: true,
        service_accounts: vec!["of-the-table".to_owned()],
    }
}

fn job_of(worker: &str, role: Role, config: &Config, table: &TableRef) -> Result<Job, PodError> {
    build(&spec_of(worker), role, config, table)
}

pub(super) fn spec_of(worker: &str) -> WorkerSpec {
    serde_yaml::from_str(worker).unwrap()
}

fn build(worker: &WorkerSpec, role: Role, config: &Config, table: &TableRef) -> Result<Job, PodError> {
    let job = WorkerJob {
        name: "j-12345678-load".to_owned(),
        namespace: "n".to_owned(),
        owner: OwnerReference::default(),
        backoff_limit: 4,
        pod: WorkerPod {
            table,
            role,
            arguments: vec!["load".to_owned(), "--request=/request/request.json".to_owned()],
            request_config_map: (role == Role::Load).then_some("j-12345678-load"),
            secrets: if role == Role::Load { vec!["aws".to_owned()] } else { Vec::new() },
            worker,
            labels: BTreeMap::from([(crate::names::LOAD_JOB.to_owned(), "j".to_owned())]),
            config,
        },
    };
    job.build()
}

fn job(worker: &str) -> Job {
    job_of(worker, Role::Load, &config(), &table()).unwrap()
}

fn pod(job: &Job) -> &PodSpec {
    job.spec.as_ref().unwrap().template.spec.as_ref().unwrap()
}

fn container(job: &Job) -> &Container {
    &pod(job).containers[0]
}

fn variable(job: &Job, name: &str) -> Option<String> {
    let variables = container(job).env.iter().flatten();
    variables.into_iter().find(|variable| variable.name == name).and_then(|variable| variable.value.clone())
}

fn refusal(worker: &str) -> String {
    let error = job_of(worker, Role::Load, &config(), &table()).unwrap_err();
    format!("{}: {error}", error.category())
}

#[test]
fn a_pod_keeps_the_restricted_standard() {
    let job = job("{}");
    let pod = pod(&job);
    let security = pod.security_context.as_ref().unwrap();
    assert_eq!((security.run_as_non_root, security.run_as_user), (Some(true), Some(65_532)));
    assert_eq!(security.fs_group_change_policy.as_deref(), Some("OnRootMismatch"));
    assert_eq!(security.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault");
    assert_eq!(pod.automount_service_account_token, Some(false));
    assert_eq!((pod.service_account_name.as_ref(), pod.host_network), (None, None));
    assert_eq!(pod.restart_policy.as_deref(), Some("Never"));
    let security = container(&job).security_context.as_ref().unwrap();
    assert_eq!(security.allow_privilege_escalation, Some(false));
    assert_eq!(security.read_only_root_filesystem, Some(true));
    assert_eq!(security.capabilities.as_ref().unwrap().drop, Some(vec!["ALL".to_owned()]));
    assert_eq!(variable(&job, "AWS_EC2_METADATA_DISABLED").as_deref(), Some("true"));
}

#[test]
fn a_platform_may_choose_the_user() {
    let mut config = config();
    config.worker_defaults.run_as_user = None;
    config.worker_defaults.fs_group = None;
    config.allow_node_identity = true;
    let job = job_of("{}", Role::Load, &config, &table()).unwrap();
    let security = pod(&job).security_context.as_ref().unwrap();
    assert_eq!((security.run_as_user, security.run_as_group, security.fs_group), (None, None, None));
    assert_eq!((&security.fs_group_change_policy, security.run_as_non_root), (&None, Some(true)));
    assert_eq!(variable(&job, "AWS_EC2_METADATA_DISABLED"), None);
}

#[test]
fn secrets_are_files_with_fixed_keys_and_only_of_a_load() {
    let job = job("{}");
    let secrets = pod(&job).volumes.as_ref().unwrap().iter().find(|volume| volume.name == "secrets");
    let projected = secrets.unwrap().projected.as_ref().unwrap();
    assert_eq!(projected.default_mode, Some(0o440));
    let sources = projected.sources.as_ref().unwrap();
    let keys = sources.iter().flat_map(|source| {
        let secret = source.secret.as_ref().unwrap();
        let optional = secret.optional.unwrap_or(false);
        let items = secret.items.as_ref().unwrap().iter();
        items.map(move |item| (item.key.as_str(), item.path.as_str(), item.mode, optional))
    });
    assert_eq!(
        keys.collect::<Vec<_>>(),
        [
            ("access-key-id", "aws/access-key-id", Some(0o440), false),
            ("secret-access-key", "aws/secret-access-key", Some(0o440), false),
            ("session-token", "aws/session-token", Some(0o440), true),
        ]
    );
    let resolve = job_of("{}", Role::Resolve, &config(), &table()).unwrap();
    let names: Vec<_> = pod(&resolve).volumes.as_ref().unwrap().iter().map(|volume| &volume.name).collect();
    assert_eq!(names, ["table", "tmp"]);
    assert_eq!(variable(&resolve, "LONGSHORE_SECRETS_DIR"), None);
}

#[test]
fn pods_of_a_table_share_a_node_by_name_and_epoch() {
    let job = job("{}");
    let labels = job.spec.as_ref().unwrap().template.metadata.as_ref().unwrap().labels.as_ref().unwrap();
    let affinity = pod(&job).affinity.as_ref().unwrap().pod_affinity.as_ref().unwrap();
    let term = &affinity.required_during_scheduling_ignored_during_execution.as_ref().unwrap()[0];
    let wanted = term.label_selector.as_ref().unwrap().match_labels.as_ref().unwrap();
    assert_eq!(wanted["longshore.dev/table"], "t");
    assert_eq!(wanted["longshore.dev/volume-epoch"], "3");
    // The first pod has nobody to join but itself.
    assert!(wanted.iter().all(|(key, value)| labels.get(key) == Some(value)), "{labels:?}");
    let many = TableRef { one_node: false, ..table() };
    assert!(pod(&job_of("{}", Role::Load, &config(), &many).unwrap()).affinity.is_none());
}

#[test]
fn a_job_follows_the_exit_codes() {
    let spec = job("{}").spec.unwrap();
    assert_eq!((spec.backoff_limit, spec.ttl_seconds_after_finished), (Some(4), None));
    assert_eq!(spec.pod_replacement_policy.as_deref(), Some("Failed"));
    let rules = spec.pod_failure_policy.unwrap().rules;
    let codes = |index: usize| rules[index].on_exit_codes.as_ref().map(|codes| codes.values.clone());
    assert_eq!(rules[0].on_pod_conditions.as_ref().unwrap()[0].type_, "DisruptionTarget");
    assert_eq!(
        (rules[0].action.as_str(), rules[1].action.as_str(), codes(1)),
        ("Ignore", "Ignore", Some(vec![80]))
    );
    assert_eq!((rules[2].action.as_str(), codes(2)), ("FailJob", Some((64..=69).collect())));
    assert_eq!(rules.len(), 3);
}

#[test]
fn a_node_that_does_not_answer_is_given_up() {
    let job = job("tolerations: [{key: dedicated, operator: Exists}]");
    let tolerations = pod(&job).tolerations.as_ref().unwrap();
    assert_eq!(tolerations[0].key.as_deref(), Some("dedicated"));
    let seconds = |key: &str| {
        let toleration = tolerations.iter().find(|toleration| toleration.key.as_deref() == Some(key));
        toleration.unwrap().toleration_seconds
    };
    assert_eq!(seconds("node.kubernetes.io/unreachable"), Some(30));
    assert_eq!(seconds("node.kubernetes.io/not-ready"), Some(30));
}

#[test]
fn an_object_may_say_where_and_with_how_much() {
    let worker = "
        resources: {requests: {cpu: 2}, limits: {memory: 10Gi}}
        nodeSelector: {disk: fast}
        priorityClassName: low
        runtimeClassName: gvisor
        serviceAccountName: reader
        labels: {team: sales}
        annotations: {example.com/a: b}
        nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [
          {matchExpressions: [{key: zone, operator: In, values: [a]}]}]}}
        topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]";
    let job = job(worker);
    let pod = pod(&job);
    assert_eq!(pod.node_selector.as_ref().unwrap()["disk"], "fast");
    assert_eq!(pod.priority_class_name.as_deref(), Some("low"));
    assert_eq!(pod.runtime_class_name.as_deref(), Some("gvisor"));
    assert_eq!(pod.service_account_name.as_deref(), Some("reader"));
    assert!(pod.affinity.as_ref().unwrap().node_affinity.is_some());
    assert!(pod.affinity.as_ref().unwrap().pod_affinity.is_some());
    assert_eq!(pod.topology_spread_constraints.as_ref().unwrap()[0].max_skew, 1);
    let resources = container(&job).resources.as_ref().unwrap();
    let requests = resources.requests.as_ref().unwrap();
    assert_eq!((requests["cpu"].0.as_str(), requests["memory"].0.as_str()), ("2", "10Gi"));
    let budget: u64 = variable(&job, "LONGSHORE_MEMORY_BYTES").unwrap().parse().unwrap();
    assert_eq!(budget, (10 << 30) / 10 * 6);
    let template = job.spec.as_ref().unwrap().template.metadata.as_ref().unwrap();
    assert_eq!(template.labels.as_ref().unwrap()["team"], "sales");
    assert_eq!(template.annotations.as_ref().unwrap()["example.com/a"], "b");
    // The Job's own labels are ours alone: a person's label could draw it into somebody's selector.
    assert!(!job.metadata.labels.as_ref().unwrap().contains_key("team"));
}

#[test]
fn resources_come_from_the_object_then_the_administrator_then_us() {
    let mut config = config();
    let of = |config: &Config, worker: &str| {
        let job = job_of(worker, Role::Load, config, &table()).unwrap();
        let resources = container(&job).resources.clone().unwrap();
        let text = |list: Option<BTreeMap<String, _>>| {
            let list: BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity> =
                list.unwrap_or_default();
            list.into_iter()
                .map(|(name, quantity)| format!("{name}={}", quantity.0))
                .collect::<Vec<_>>()
                .join(" ")
        };
        (text(resources.requests), text(resources.limits))
    };
    let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(of(&config, "{}"), pair("cpu=250m memory=2Gi", "memory=2Gi"));
    config.worker_defaults.resources =
        serde_yaml::from_str::<ResourceRequirements>("{requests: {cpu: 100m}, limits: {memory: 1Gi}}")
            .unwrap();
    assert_eq!(of(&config, "{}"), pair("cpu=100m memory=1Gi", "memory=1Gi"));
    assert_eq!(
        of(&config, "{resources: {requests: {memory: 3Gi}}}"),
        pair("cpu=100m memory=3Gi", "memory=3Gi")
    );
    assert_eq!(
        of(&config, "{resources: {limits: {memory: 512Mi, cpu: 1}}}"),
        pair("cpu=1 memory=512Mi", "cpu=1 memory=512Mi")
    );
}

#[test]
fn a_pod_that_closes_a_run_finds_room_whatever_its_object_asks_for() {
    let worker = "{resources: {requests: {cpu: 500, memory: 4Ti}}}";
    let job = job_of(worker, Role::Resolve, &config(), &table()).unwrap();
    assert_eq!(container(&job).resources.as_ref().unwrap().requests.as_ref().unwrap()["cpu"].0, "50m");
}

#[test]
fn a_foreign_service_account_is_refused() {
    let refused = refusal("serviceAccountName: admin");
    assert!(
        refused.starts_with("ServiceAccountNotAllowed: spec.worker.serviceAccountName: `admin`"),
        "{refused}"
    );
    let job = job("serviceAccountName: of-the-table");
    assert_eq!(pod(&job).service_account_name.as_deref(), Some("of-the-table"));
    assert_eq!(pod(&job).automount_service_account_token, Some(false));
}

#[test]
fn reserved_labels_and_annotations_are_refused() {
    for worker in [
        "labels: {longshore.dev/table: other}",
        "labels: {app.kubernetes.io/name: x}",
        "labels: {job-name: x}",
        "annotations: {container.apparmor.security.beta.kubernetes.io/worker: unconfined}",
    ] {
        let refused = refusal(worker);
        assert!(
            refused.starts_with("InvalidSpec: spec.worker.") && refused.contains("is reserved"),
            "{refused}"
        );
    }
}

#[test]
fn wrong_quantities_are_refused() {
    let refused = refusal("resources: {limits: {memory: lots}}");
    assert!(refused.contains("`lots` is no quantity of memory"), "{refused}");
    let refused = refusal("resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}");
    assert!(refused.contains("the request of memory is above its limit"), "{refused}");
}

/// What a pod could be made to do through fields that the API does not have: the apiserver prunes what the
/// schema does not know, so nothing of it reaches the operator; and what does not reach it cannot be built.
#[test]
fn the_schema_knows_no_host_path_image_token_or_raw_template() {
    let wanted = "
        hostPath: /etc
        volumes: [{name: host, hostPath: {path: /}}]
        image: other/image
        command: [sh]
        automountServiceAccountToken: true
        hostNetwork: true
        securityContext: {runAsUser: 0}
        podTemplate: {spec: {hostPID: true}}";
    assert_eq!(job(wanted), job("{}"));
    let definition = longshore_crds::definition::<longshore_crds::LoadJob>();
    let text = serde_json::to_string(&definition).unwrap();
    for field in [
        "hostPath",
        "\"image\"",
        "automountServiceAccountToken",
        "hostNetwork",
        "securityContext",
        "podTemplate",
    ] {
        assert!(!text.contains(field), "{field}");
    }
    // Nothing under spec is kept that the schema does not name.
    assert!(!text.contains("preserve-unknown-fields"));
}

#[test]
fn arguments_are_taken_as_they_are() {
    let table = table();
    let config = config();
    let worker = WorkerSpec::default();
    let pod = WorkerPod {
        table: &table,
        role: Role::Resolve,
        arguments: vec!["--message=$(HOME) costs 3$".to_owned()],
        request_config_map: None,
        secrets: Vec::new(),
        worker: &worker,
        labels: BTreeMap::new(),
        config: &config,
    };
    let template = pod.template().unwrap();
    let arguments = template.spec.unwrap().containers.remove(0).args.unwrap();
    assert_eq!(arguments, ["--message=$$(HOME) costs 3$"]);
}
