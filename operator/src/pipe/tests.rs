//! The steps without an apiserver: objects in, a status, objects and actions out.

use std::time::Duration;

use clap::Parser;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use longshore_crds::{
    Pipe, PipeProgress, PipeRequest, PipeState, PipeStatus, RUN_AGAIN, Table, conditions, reasons,
};
use serde_json::{Value, json};

use super::build::{Builder, request_digest};
use super::decide::{Action, Again, Decision, decide};
use super::facts::{Child, Facts, Kind, of_deployment, of_job};
use super::{status, validate};
use crate::args::Args;
use crate::config::Config;
use crate::events::EventType;
use crate::holds::Hold;
use crate::seen::{Exit, PodFacts};
use crate::table::table_facts;

const NOW: &str = "2026-06-01T12:00:00Z";

fn config() -> Config {
    Config::from_args(&Args::parse_from(["longshore-operator", "--worker-image", "image"])).unwrap()
}

#[allow(clippy::needless_pass_by_value, reason = "calls read as the object does")]
fn pipe(spec: Value) -> Pipe {
    let source = json!({
        "paths": ["s3://b/visits/*.parquet"],
        "s3": {"region": "r", "credentials": {"secretRef": {"name": "aws"}}},
    });
    let mut whole = json!({"table": "t", "source": source});
    for (field, value) in spec.as_object().unwrap() {
        whole[field] = value.clone();
    }
    serde_json::from_value(json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "Pipe",
        "metadata": {"name": "p", "namespace": "n", "uid": "pipe-uid", "generation": 1},
        "spec": whole,
    }))
    .unwrap()
}

fn table(epoch: u32) -> Table {
    serde_json::from_value(json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "Table",
        "metadata": {"name": "t", "namespace": "n", "uid": "table-uid"},
        "spec": {"columns": [{"name": "id", "type": "INT"}], "distribution": {"random": {"buckets": 2}},
                 "storage": {"size": "1Gi"}},
        "status": {
            "claim": "table-t", "accessModes": ["ReadWriteOnce"], "volumeEpoch": epoch,
            "conditions": [{"type": "Ready", "status": "True", "reason": "TableReady", "message": "",
                            "lastTransitionTime": NOW}],
        },
    }))
    .unwrap()
}

/// A world of one Pipe. What is asked for is made at once; a status is kept.
pub(super) struct World {
    pub(super) facts: Facts,
    table: Option<Table>,
    deployment: Option<Deployment>,
    job: Option<Job>,
    epoch: u32,
}

impl World {
    pub(super) fn new(spec: Value) -> Self {
        let mut world = Self {
            facts: Facts {
                pipe: pipe(spec),
                digest: String::new(),
                table: table_facts(None, "t", "pipe"),
                has_table: false,
                invalid: None,
                elder: None,
                last_in_line: None,
                forgotten: None,
                wanted: None,
                children: Vec::new(),
                pods: Vec::new(),
                leaving: Vec::new(),
                progress: None,
                silence: Duration::ZERO,
                now: NOW.parse().unwrap(),
            },
            table: Some(table(0)),
            deployment: None,
            job: None,
            epoch: 0,
        };
        world.look();
        world
    }

    /// A pipe whose worker runs and has listed.
    fn at_work(spec: Value) -> Self {
        let mut world = Self::new(spec);
        world.visit();
        world.run_pod();
        world.answer(|_| {});
        world.visit();
        world
    }

    /// As `dereference` does.
    fn look(&mut self) {
        let facts = &mut self.facts;
        facts.digest = request_digest(&facts.pipe);
        facts.table = table_facts(self.table.as_ref(), "t", "pipe");
        facts.has_table = self.table.is_some();
        let checked = facts.table.volume.as_ref().map(|it| validate::pipe(&facts.pipe, it, &config()));
        (facts.wanted, facts.invalid) = match checked.transpose() {
            Ok(wanted) => (wanted, None),
            Err(hold) => (None, Some(hold)),
        };
        let deployment = self.deployment.iter().map(of_deployment);
        facts.children = deployment.chain(self.job.iter().map(of_job)).collect();
    }

    pub(super) fn visit(&mut self) -> Decision {
        self.look();
        let decision = decide(&self.facts);
        self.facts.pipe.status = Some(decision.status.clone());
        for action in &decision.actions {
            self.perform(action);
        }
        self.look();
        decision
    }

    fn perform(&mut self, action: &Action) {
        let (pipe, config) = (self.facts.pipe.clone(), config());
        let volume = self.facts.table.volume.clone();
        let build = || Builder::new(&pipe, volume.as_ref().unwrap(), &config).unwrap();
        match action {
            Action::ApplyDeployment => {
                let mut deployment = build().deployment().unwrap();
                deployment.metadata.uid = Some("deployment-uid".to_owned());
                let status = json!({"replicas": 1, "updatedReplicas": 1});
                deployment.status = Some(serde_json::from_value(status).unwrap());
                self.deployment = Some(deployment);
            }
            Action::MakeJob => self.job = Some(build().job().unwrap()),
            Action::ScaleToZero(_) => {
                let deployment = self.deployment.as_mut().unwrap();
                deployment.spec.as_mut().unwrap().replicas = Some(0);
            }
            Action::Delete { kind: Kind::Deployment, .. } => self.deployment = None,
            Action::Delete { kind: Kind::Job, .. } => self.job = None,
            Action::RaiseEpoch { lost } => self.table = Some(table(lost + 1)),
            Action::MakeRequest => assert!(build().request().unwrap().immutable.unwrap()),
            Action::Sweep { .. } => {}
        }
    }

    fn pod(&self) -> PodFacts {
        let wanted = self.facts.wanted.as_ref().unwrap();
        let owner = match wanted.kind {
            Kind::Deployment => format!("{}-5d4f", wanted.name),
            Kind::Job => wanted.name.clone(),
        };
        PodFacts {
            name: "pod".to_owned(),
            uid: "pod-uid".to_owned(),
            node: Some("node-1".to_owned()),
            owner,
            epoch: wanted.epoch,
            ..PodFacts::default()
        }
    }

    fn run_pod(&mut self) {
        self.facts.pods = vec![PodFacts { started: true, running: true, ..self.pod() }];
    }

    fn answer(&mut self, change: impl FnOnce(&mut PipeProgress)) {
        self.facts.progress = Some(progress(&self.facts.pipe, change));
    }

    /// The Table comes or goes, and its volume stays.
    pub(super) fn has_table(&mut self, on: bool) {
        let epoch = self.facts.table.volume.as_ref().map(|volume| volume.volume_epoch);
        self.epoch = epoch.unwrap_or(self.epoch);
        self.table = on.then(|| table(self.epoch));
        self.look();
    }

    pub(super) fn job_name(&self) -> Option<String> {
        self.job.as_ref()?.metadata.name.clone()
    }

    /// The Deployment controller has seen everything.
    pub(super) fn settle(&mut self, pods: &[PodFacts]) {
        if let Some(deployment) = &mut self.deployment {
            let count = pods.iter().filter(|pod| !pod.ended).count();
            let status = json!({"replicas": count, "updatedReplicas": count});
            deployment.status = Some(serde_json::from_value(status).unwrap());
        }
        self.look();
    }

    /// The Job is over.
    pub(super) fn over(&mut self, condition: &str) {
        let ended = json!({"conditions": [{"type": condition, "status": "True", "message": "over",
                                           "lastTransitionTime": NOW}]});
        self.job.as_mut().unwrap().status = Some(serde_json::from_value(ended).unwrap());
        self.look();
    }

    fn end_job(&mut self, code: i32, message: &str, condition: &str) {
        self.over(condition);
        let exit = Some(Exit { code, message: message.to_owned(), out_of_memory: false });
        self.facts.pods = vec![PodFacts { started: true, ended: true, exit, ..self.pod() }];
        self.facts.progress = None;
    }

    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Pipe)) {
        change(&mut self.facts.pipe);
        let generation = self.facts.pipe.metadata.generation.as_mut().unwrap();
        *generation += 1;
    }

    pub(super) fn pass(&mut self, seconds: i64) {
        let passed = k8s_openapi::jiff::SignedDuration::from_secs(seconds);
        self.facts.now = self.facts.now.checked_add(passed).unwrap();
    }
}

pub(super) fn progress(pipe: &Pipe, change: impl FnOnce(&mut PipeProgress)) -> PipeProgress {
    let mut progress = PipeProgress::new(&pipe.ledger(), &request_digest(pipe));
    progress.epoch = 1;
    progress.last_full_list_time = Some(NOW.to_owned());
    change(&mut progress);
    progress
}

/// Reason of the condition Ready, and which conditions are True.
fn said(status: &PipeStatus) -> (String, Vec<&str>) {
    let ready = status.conditions.iter().find(|it| it.type_ == conditions::READY).unwrap();
    let holding = status.conditions.iter().filter(|it| it.status == "True");
    (ready.reason.clone(), holding.map(|it| it.type_.as_str()).collect())
}

fn has(decision: &Decision, reason: &str, holding: &[&str]) {
    let (found, holds) = said(&decision.status);
    assert_eq!((found.as_str(), holds.as_slice()), (reason, holding), "{:?}", decision.status.conditions);
}

#[test]
fn a_deployment_of_one_worker_is_made_once_the_table_is_there() {
    let mut world = World::new(json!({}));
    world.table = None;
    let decision = world.visit();
    has(&decision, reasons::TABLE_NOT_FOUND, &[conditions::RECONCILING]);
    assert_eq!((decision.status.state, decision.actions.as_slice()), (Some(PipeState::Running), &[][..]));
    assert_eq!(decision.status.conditions.len(), 4, "all stand but the one that a worker tells of");
    world.table = Some(table(0));
    let decision = world.visit();
    assert_eq!(decision.actions, [Action::MakeRequest, Action::ApplyDeployment]);
    has(&decision, reasons::STARTING, &[conditions::RECONCILING]);
    let deployment = serde_json::to_value(world.deployment.as_ref().unwrap()).unwrap();
    let spec = &deployment["spec"];
    assert_eq!((&spec["replicas"], &spec["strategy"]["type"]), (&json!(1), &json!("Recreate")));
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["restartPolicy"], "Always");
    assert_eq!(pod["terminationGracePeriodSeconds"], 120);
    assert_eq!(pod["containers"][0]["args"], json!(["pipe", "--request=/request/request.json"]));
    assert_eq!(deployment["metadata"]["ownerReferences"][0]["uid"], "pipe-uid");
    for (key, value) in spec["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&spec["template"]["metadata"]["labels"][key], value, "{key}");
    }
    let (volume, config) = (world.facts.table.volume.as_ref().unwrap(), config());
    let request = Builder::new(&world.facts.pipe, volume, &config);
    let request = request.and_then(|builder| builder.request()).unwrap();
    assert_eq!(pod["volumes"][2]["configMap"]["name"], request.metadata.name.unwrap());
    let text = &request.data.unwrap()["request.json"];
    assert_eq!(PipeRequest::from_json(text.as_bytes()).unwrap().digest().unwrap(), world.facts.digest);
    assert_eq!(world.visit().actions, [], "what is there is not made again");
}

#[test]
fn what_a_worker_answers_is_the_status() {
    let mut world = World::at_work(json!({}));
    world.answer(|progress| {
        (progress.loaded_files, progress.unloaded_files, progress.lag_seconds) = (7, 2, 30);
        progress.source = Some(source(true, "Reachable"));
    });
    let decision = world.visit();
    has(&decision, reasons::INGESTING, &[conditions::READY, conditions::SOURCE_REACHABLE]);
    assert_eq!(decision.again, Again::Poll);
    let status = &decision.status;
    assert_eq!(
        (status.loaded_files, status.unloaded_files, status.lag_seconds),
        (Some(7), Some(2), Some(30))
    );
    assert_eq!(status.observed_generation, Some(1));
    // The store does not answer: the pipe has listed before, so it is ready all the same.
    world.answer(|progress| progress.source = Some(source(false, "AccessDenied")));
    let decision = world.visit();
    has(&decision, reasons::INGESTING, &[conditions::READY]);
    let reachable = decision.status.conditions.iter().find(|it| it.type_ == conditions::SOURCE_REACHABLE);
    assert_eq!(reachable.unwrap().reason, "AccessDenied");
}

fn source(reachable: bool, reason: &str) -> longshore_crds::SourceState {
    let (reason, message) = (reason.to_owned(), "bucket b, ListObjectsV2".to_owned());
    longshore_crds::SourceState { reachable, reason, message, next_try: None }
}

#[test]
fn a_pipe_that_has_never_listed_is_not_ready() {
    let mut world = World::new(json!({}));
    world.visit();
    world.run_pod();
    world.answer(|progress| {
        progress.last_full_list_time = None;
        progress.source = Some(source(false, "AccessDenied"));
    });
    has(&world.visit(), "AccessDenied", &[conditions::RECONCILING]);
    world.answer(|progress| progress.epoch = 0);
    has(&world.visit(), reasons::STARTING, &[conditions::RECONCILING]);
}

#[test]
fn a_worker_that_is_silent_for_a_minute_is_told() {
    let mut world = World::at_work(json!({}));
    world.facts.progress = None;
    world.facts.silence = Duration::from_secs(59);
    has(&world.visit(), reasons::INGESTING, &[conditions::READY]);
    world.facts.silence = Duration::from_secs(61);
    let decision = world.visit();
    has(&decision, reasons::PROGRESS_UNREACHABLE, &[]);
    let ready = decision.status.conditions.iter().find(|it| it.type_ == conditions::READY).unwrap();
    assert_eq!(ready.status, "Unknown");
    let since = ready.last_transition_time.clone();
    world.pass(30);
    world.facts.silence = Duration::from_secs(91);
    let decision = world.visit();
    let ready = decision.status.conditions.iter().find(|it| it.type_ == conditions::READY).unwrap();
    assert_eq!(ready.last_transition_time, since);
    assert!(decision.notes.is_empty(), "told once a minute: {:?}", decision.notes);
    world.answer(|_| {});
    has(&world.visit(), reasons::INGESTING, &[conditions::READY]);
}

#[test]
fn suspend_lets_the_pod_stop_and_is_told_once_it_is_gone() {
    let mut world = World::at_work(json!({}));
    world.answer(|progress| (progress.loading_files, progress.unloaded_files) = (3, 4));
    world.visit();
    world.edit(|pipe| pipe.spec.suspend = true);
    let decision = world.visit();
    assert!(matches!(decision.actions.as_slice(), [Action::ScaleToZero(_)]), "{:?}", decision.actions);
    has(&decision, reasons::STOPPING, &[conditions::RECONCILING, conditions::SUSPENDED]);
    assert_eq!(decision.status.state, Some(PipeState::Running), "a pod is there");
    world.facts.pods.clear();
    has(&world.visit(), reasons::STOPPING, &[conditions::RECONCILING, conditions::SUSPENDED]);
    world.deployment.as_mut().unwrap().status = Some(serde_json::from_value(json!({})).unwrap());
    let decision = world.visit();
    has(&decision, reasons::SUSPENDED, &[conditions::SUSPENDED]);
    assert_eq!((decision.status.state, decision.again), (Some(PipeState::Suspended), Again::Never));
    assert_eq!((decision.status.loading_files, decision.status.unloaded_files), (Some(0), Some(7)));
    // It goes on.
    world.edit(|pipe| pipe.spec.suspend = false);
    assert_eq!(world.visit().actions, [Action::MakeRequest, Action::ApplyDeployment]);
}

#[test]
fn an_edit_replaces_the_pod_and_the_old_request_goes() {
    let mut world = World::at_work(json!({}));
    let before = world.facts.wanted.clone().unwrap();
    world.edit(|pipe| pipe.spec.batch_files = 7);
    let decision = world.visit();
    assert_eq!(decision.actions, [Action::MakeRequest, Action::ApplyDeployment]);
    has(&decision, reasons::STARTING, &[conditions::RECONCILING]);
    let after = world.facts.wanted.clone().unwrap();
    assert_eq!(before.name, after.name, "in place");
    assert_ne!(before.request, after.request);
    // Until the roll-out is over both requests are used.
    let rolling = json!({"replicas": 2, "updatedReplicas": 1});
    world.deployment.as_mut().unwrap().status = Some(serde_json::from_value(rolling).unwrap());
    world.answer(|_| {});
    assert_eq!(world.visit().actions, []);
    let settled = json!({"replicas": 1, "updatedReplicas": 1});
    world.deployment.as_mut().unwrap().status = Some(serde_json::from_value(settled).unwrap());
    assert_eq!(world.visit().actions, [Action::Sweep { keep: Some(after.request) }]);
    // What the pod gets is an edit too.
    let worker = json!({"resources": {"limits": {"memory": "3Gi"}}});
    world.edit(|pipe| pipe.spec.worker = serde_json::from_value(worker).unwrap());
    assert_eq!(world.visit().actions, [Action::MakeRequest, Action::ApplyDeployment]);
}

#[test]
fn an_edit_that_cannot_be_done_is_stalled_and_what_runs_goes_on() {
    let mut world = World::at_work(json!({}));
    world.edit(|pipe| pipe.spec.worker.service_account_name = Some("admin".to_owned()));
    let decision = world.visit();
    has(&decision, reasons::SERVICE_ACCOUNT_NOT_ALLOWED, &[conditions::STALLED]);
    assert_eq!(decision.actions, []);
    assert_eq!(decision.notes[0].type_, EventType::Warning);
}

#[test]
fn the_younger_of_two_has_no_pods_until_the_older_goes() {
    let mut world = World::at_work(json!({}));
    world.facts.elder = Some(Hold::new(reasons::SOURCE_OVERLAPS, "Pipe q is older"));
    let decision = world.visit();
    has(&decision, reasons::SOURCE_OVERLAPS, &[conditions::STALLED]);
    assert!(matches!(decision.actions.as_slice(), [Action::Delete { kind: Kind::Deployment, .. }]));
    assert!(
        super::gives_way_in(&world.facts.pipe, Some("n")) && !super::gives_way_in(&world.facts.pipe, None)
    );
    world.facts.elder = None;
    world.facts.pods.clear();
    world.facts.progress = None;
    // The older one is gone, and its pod still loads.
    let left = PodFacts { name: "q-pod".to_owned(), running: true, ..PodFacts::default() };
    world.facts.leaving = vec![left.clone()];
    let decision = world.visit();
    has(&decision, reasons::STARTING, &[conditions::RECONCILING]);
    assert!(decision.actions.is_empty() && decision.notes[0].note.contains("q-pod"), "{decision:?}");
    world.facts.leaving = vec![PodFacts { ended: true, ..left }];
    assert_eq!(world.visit().actions, [Action::MakeRequest, Action::ApplyDeployment]);
}

#[test]
fn what_holds_the_pod_up_is_told_and_never_stalled() {
    let mut world = World::new(json!({}));
    world.visit();
    world.facts.pods = vec![world.pod()];
    world.facts.pods[0].hold = Some(Hold::new(reasons::SECRET_MISSING, "secret \"aws\" not found"));
    let decision = world.visit();
    has(&decision, reasons::SECRET_MISSING, &[conditions::RECONCILING]);
    assert_eq!(decision.status.state, Some(PipeState::Running));
    // Somebody deleted the request: it is made again.
    world.facts.pods[0].hold = Some(Hold::new(reasons::VOLUME_NOT_READY, "configmap not found"));
    assert_eq!(world.visit().actions, [Action::MakeRequest]);
    world.facts.pods.clear();
    let refused = json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "quota"}]});
    world.deployment.as_mut().unwrap().status = Some(serde_json::from_value(refused).unwrap());
    has(&world.visit(), reasons::POD_REFUSED, &[conditions::RECONCILING]);
}

#[test]
fn a_worker_that_ends_again_and_again_is_told_by_what_it_said_last() {
    let mut world = World::at_work(json!({}));
    world.facts.progress = None;
    let mut end = |code: i32, message: String, out_of_memory: bool| {
        let exit = Some(Exit { code, message, out_of_memory });
        world.facts.pods = vec![PodFacts { started: true, exit, ..world.pod() }];
        said(&world.visit().status).0
    };
    let failed = |pipe: &Pipe, type_: &str| {
        let error = longshore_crds::LoadError { error_type: type_.to_owned(), message: "why".to_owned() };
        progress(pipe, |progress| progress.last_error = Some(error)).message(4_000).unwrap()
    };
    let plain = pipe(json!({}));
    assert_eq!(end(137, String::new(), true), reasons::OUT_OF_MEMORY);
    assert_eq!(end(68, failed(&plain, "DamagedLedger"), false), "DamagedLedger");
    assert_eq!(end(1, String::new(), false), reasons::WORKER_FAILED);
    assert_eq!(end(64, failed(&plain, "InvalidRequest"), false), "InvalidRequest");
    assert_eq!(said(&world.visit().status).1, [conditions::STALLED], "only an edit mends it");
}

#[test]
fn a_pipe_that_lists_once_is_a_job_that_is_not_started_again() {
    let mut world = World::new(json!({"autoIngest": false}));
    assert_eq!(world.visit().actions, [Action::MakeRequest, Action::MakeJob]);
    let job = serde_json::to_value(world.job.as_ref().unwrap()).unwrap();
    assert_eq!(job["spec"]["template"]["spec"]["restartPolicy"], "Never");
    world.run_pod();
    world.answer(|progress| progress.state = PipeState::Finished);
    let decision = world.visit();
    assert_eq!(decision.status.state, Some(PipeState::Running), "only its end says that it is over");
    let finished = progress(&world.facts.pipe, |progress| {
        (progress.state, progress.loaded_files) = (PipeState::Finished, 9);
    });
    world.end_job(0, &finished.message(4_000).unwrap(), "Complete");
    let decision = world.visit();
    has(&decision, reasons::FINISHED, &[conditions::READY]);
    assert_eq!((decision.status.state, decision.status.loaded_files), (Some(PipeState::Finished), Some(9)));
    assert!(matches!(decision.actions.as_slice(), [Action::Delete { kind: Kind::Job, .. }]));
    assert_eq!(decision.notes[0].note, "9 files loaded");
    world.facts.pods.clear();
    let decision = world.visit();
    assert_eq!((decision.actions, decision.again), (vec![Action::Sweep { keep: None }], Again::Never));
    // Suspended or with more memory it is as finished as before; with another request it is not.
    world.edit(|pipe| pipe.spec.suspend = true);
    assert_eq!(world.visit().status.state, Some(PipeState::Finished));
    world.edit(|pipe| (pipe.spec.suspend, pipe.spec.batch_files) = (false, 3));
    assert_eq!(world.visit().actions, [], "first its place in the line is written");
    let decision = world.visit();
    assert_eq!(decision.actions, [Action::MakeRequest, Action::MakeJob]);
    assert_eq!(decision.status.state, Some(PipeState::Running));
    world.edit(|pipe| pipe.spec.auto_ingest = true);
    let decision = world.visit();
    assert!(matches!(decision.actions[0], Action::Delete { kind: Kind::Job, .. }), "{:?}", decision.actions);
}

#[test]
fn an_annotation_runs_a_pipe_that_has_ended_once_more() {
    let mut world = World::new(json!({"autoIngest": false}));
    world.visit();
    let first = world.job_name();
    let finished = progress(&world.facts.pipe, |progress| progress.state = PipeState::Finished);
    let finished = finished.message(4_000).unwrap();
    world.end_job(0, &finished, "Complete");
    world.visit();
    let annotate = |world: &mut World, value: &str| {
        world.facts.pipe.annotations_mut().insert(RUN_AGAIN.to_owned(), value.to_owned());
    };
    // Also before the Job of the first run is gone.
    annotate(&mut world, "2026-06-01T12:00:00Z");
    world.facts.last_in_line = Some("2026-06-01T13:00:00Z".parse().unwrap());
    let decision = world.visit();
    has(&decision, reasons::STARTING, &[conditions::RECONCILING]);
    assert_eq!((decision.status.state, decision.actions.as_slice()), (Some(PipeState::Running), &[][..]));
    assert_eq!(decision.status.restart_time.as_deref(), Some("2026-06-01T13:00:00.000000001Z"));
    world.facts.pods.clear();
    assert_eq!(world.visit().actions, [Action::MakeRequest, Action::MakeJob]);
    assert!(world.job_name() != first && first.is_some(), "another Job: the first one's end is not its end");
    world.end_job(0, &finished, "Complete");
    let decision = world.visit();
    has(&decision, reasons::FINISHED, &[conditions::READY]);
    assert_eq!(decision.status.run_again.as_deref(), Some("2026-06-01T12:00:00Z"));
    // Whoever keeps Pipes as they are in Git takes the annotation away.
    world.facts.pods.clear();
    world.facts.pipe.annotations_mut().clear();
    assert_eq!(world.visit().status.state, Some(PipeState::Finished));
    assert_eq!(world.visit().actions, [Action::Sweep { keep: None }]);
    // A Deployment does not ask.
    world.edit(|pipe| pipe.spec.auto_ingest = true);
    world.visit();
    world.visit();
    let name = world.facts.wanted.clone().unwrap().name;
    annotate(&mut world, "again");
    world.visit();
    assert_eq!(world.facts.wanted.unwrap().name, name);
}

#[test]
fn a_pipe_that_begins_where_one_has_ended_says_what_it_does_not_know() {
    let mut world = World::new(json!({}));
    world.facts.forgotten = Some("Pipe q has loaded files".to_owned());
    let decision = world.visit();
    has(&decision, reasons::STARTING, &[conditions::RECONCILING]);
    assert!(decision.notes[0].note.contains("Pipe q"), "{:?}", decision.notes);
}

#[test]
fn files_in_error_are_the_end_of_a_pipe_that_lists_once() {
    let mut world = World::new(json!({"autoIngest": false}));
    world.visit();
    let file = longshore_crds::FailedFile {
        file: "s3://b/visits/bad.parquet".to_owned(),
        etag: "e".to_owned(),
        error_type: "ParquetDamaged".to_owned(),
        message: "no footer".to_owned(),
        time: NOW.to_owned(),
    };
    let ended = progress(&world.facts.pipe, |progress| {
        (progress.state, progress.error_files) = (PipeState::Error, 1);
        progress.failed_files = vec![file.clone()];
    });
    world.end_job(65, &ended.message(4_000).unwrap(), "Failed");
    let decision = world.visit();
    has(&decision, reasons::FILES_IN_ERROR, &[conditions::STALLED]);
    assert_eq!((decision.status.state, &decision.status.failed_files), (Some(PipeState::Error), &vec![file]));
    let note = decision.notes.iter().find(|note| note.reason == "FileInError").unwrap();
    assert!(note.note.contains("s3://b/visits/bad.parquet"), "{}", note.note);
}

#[test]
fn a_job_that_ends_without_an_outcome_is_made_again() {
    let mut world = World::new(json!({"autoIngest": false}));
    world.visit();
    world.end_job(137, "", "Failed");
    let decision = world.visit();
    has(&decision, reasons::WORKER_FAILED, &[conditions::RECONCILING]);
    assert_eq!(decision.actions, [], "after a pause");
    world.pass(11);
    let decision = world.visit();
    assert!(matches!(decision.actions.as_slice(), [Action::Delete { kind: Kind::Job, .. }]));
    world.facts.pods.clear();
    assert_eq!(world.visit().actions, [Action::MakeRequest, Action::MakeJob]);
}

#[test]
fn a_lost_node_raises_the_epoch_and_another_deployment_follows() {
    let mut world = World::at_work(json!({}));
    let before = world.facts.wanted.clone().unwrap();
    world.facts.progress = None;
    world.facts.pods[0].gone_by = Some(world.facts.now);
    world.pass(59);
    has(&world.visit(), reasons::STARTING, &[conditions::RECONCILING]);
    world.pass(1);
    let decision = world.visit();
    has(&decision, reasons::NODE_LOST, &[conditions::RECONCILING]);
    assert_eq!(decision.actions, [Action::RaiseEpoch { lost: 0 }]);
    let decision = world.visit();
    let after = world.facts.wanted.clone().unwrap();
    assert_ne!(before.name, after.name);
    assert!(matches!(decision.actions[0], Action::Delete { kind: Kind::Deployment, .. }));
    assert_eq!(
        decision.actions[1..],
        [Action::MakeRequest, Action::ApplyDeployment],
        "not held up by the lost pod"
    );
    let mut next = world.pod();
    next.hold = Some(Hold::new(reasons::VOLUME_NOT_READY, "Multi-Attach error"));
    world.facts.pods.push(next);
    has(&world.visit(), reasons::NODE_LOST, &[conditions::RECONCILING]);
}

#[test]
fn pods_of_another_table_of_that_name_go_before_the_next_ones_come() {
    let mut world = World::at_work(json!({}));
    world.table.as_mut().unwrap().metadata.uid = Some("another".to_owned());
    let decision = world.visit();
    assert!(matches!(decision.actions.as_slice(), [Action::Delete { kind: Kind::Deployment, .. }]));
    assert_eq!(world.visit().actions, [], "the pod is still there");
    world.facts.pods.clear();
    world.facts.progress = None;
    assert_eq!(world.visit().actions, [Action::MakeRequest, Action::ApplyDeployment]);
    // Without a Table nothing holds its volume.
    world.table = None;
    let decision = world.visit();
    has(&decision, reasons::TABLE_NOT_FOUND, &[conditions::RECONCILING]);
    assert!(matches!(decision.actions.as_slice(), [Action::Delete { kind: Kind::Deployment, .. }]));
}

#[test]
fn figures_are_written_now_and_then_and_news_at_once() {
    let before = PipeStatus { state: Some(PipeState::Running), ..PipeStatus::default() };
    let figures = PipeStatus { loaded_files: Some(7), ..before.clone() };
    let news = PipeStatus { state: Some(PipeState::Suspended), ..figures.clone() };
    let (soon, interval) = (Some(Duration::from_secs(1)), Duration::from_secs(5));
    assert!(!status::is_due(Some(&before), &figures, soon, interval));
    assert!(status::is_due(Some(&before), &figures, Some(interval), interval));
    assert!(status::is_due(Some(&figures), &news, soon, interval));
}

#[test]
fn a_child_of_another_kind_is_none_of_this_spec() {
    let mut world = World::at_work(json!({}));
    world.edit(|pipe| pipe.spec.auto_ingest = false);
    let decision = world.visit();
    assert!(matches!(decision.actions.as_slice(), [Action::Delete { kind: Kind::Deployment, .. }]));
    has(&decision, reasons::STARTING, &[conditions::RECONCILING]);
    let gone: Vec<Child> = Vec::new();
    assert_eq!(world.facts.children, gone);
}
