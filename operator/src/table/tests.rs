//! The steps without an apiserver: objects in, a status and objects out.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use longshore_crds::{
    LastLoad, Table, TableFigures, TableOutcome, TableReport, TableRequest, TableTask, conditions, exit,
    reasons,
};
use serde_json::{Value, json};

use super::apply::ClaimApplied;
use super::build::{self, ClaimToApply};
use super::claim::{self, ClaimState};
use super::dereference::{Found, job_name};
use super::loads::LoadsOfTable;
use super::status::{Next, next};
use super::validate::validate;
use super::{pods, volume};
use crate::config::Config;

const NOW: &str = "2024-06-01T12:00:00Z";

/// A world of one Table; visits change its status as the apiserver would keep it.
struct World {
    found: Found,
}

#[allow(clippy::needless_pass_by_value, reason = "calls read as the object does")]
fn table(storage: Value) -> Table {
    serde_json::from_value(json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "Table",
        "metadata": {
            "name": "t", "namespace": "n", "uid": "table-uid", "generation": 1,
            "creationTimestamp": "2024-06-01T11:00:00Z",
        },
        "spec": {
            "columns": [{"name": "id", "type": "INT"}],
            "distribution": {"random": {"buckets": 2}}, "storage": storage,
        },
    }))
    .unwrap()
}

fn claim_of(table: &Table, uid: &str) -> PersistentVolumeClaim {
    let name = claim::wanted_name(table);
    serde_json::from_value(json!({
        "metadata": {
            "name": name, "namespace": "n", "uid": uid, "labels": {"longshore.dev/table": "t"},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
            "resources": {"requests": {"storage": "10Gi"}},
        },
        "status": {"phase": "Bound", "capacity": {"storage": "10Gi"}},
    }))
    .unwrap()
}

impl World {
    fn new(storage: Value) -> Self {
        let (table, now) = (table(storage), NOW.parse().unwrap());
        let (jobs, pods) = (Vec::new(), Vec::new());
        Self {
            found: Found { table, claim: None, jobs, pods, hold: None, loads: LoadsOfTable::default(), now },
        }
    }

    /// A table that stands.
    fn standing(storage: Value) -> Self {
        let mut world = Self::new(storage);
        world.bind("claim-uid");
        world.visit();
        world.end_job(&report(TableOutcome::Created, exit::LOADED, "TableCreated", ""));
        world.visit();
        world
    }

    fn bind(&mut self, uid: &str) {
        self.found.claim = Some(claim_of(&self.found.table, uid));
    }

    fn wanted_claim(&self) -> Option<ClaimToApply> {
        build::claim(&self.found, &validate(&self.found, &config()))
    }

    fn next(&self, applied: &ClaimApplied) -> Next {
        next(&self.found, &validate(&self.found, &config()), applied)
    }

    /// A visit whose claim is taken as it is; the status is kept.
    fn visit(&mut self) -> Next {
        let applied = ClaimApplied { claim: self.found.claim.clone(), ..ClaimApplied::default() };
        let next = self.next(&applied);
        self.keep(&next);
        next
    }

    fn keep(&mut self, next: &Next) {
        let epoch = self.found.status().volume_epoch;
        let mut status = next.status.clone();
        status.volume_epoch = epoch;
        self.found.table.status = Some(status);
        let named = job_name(&self.found.table);
        self.found.jobs.retain(|job| job.metadata.name == named);
        if self.found.jobs.is_empty() {
            self.found.pods.clear();
        }
        if let (Some(name), true) = (named, self.found.jobs.is_empty()) {
            let job = json!({"metadata": {"name": name, "uid": "job-uid"}});
            self.found.jobs.push(serde_json::from_value::<Job>(job).unwrap());
        }
    }

    fn pod(&mut self, status: &Value) -> &mut Pod {
        let pod = json!({
            "metadata": {"name": "pod", "labels": {"longshore.dev/volume-epoch": "0"}},
            "spec": {"nodeName": "node-1", "containers": []}, "status": status,
        });
        self.found.pods = vec![serde_json::from_value(pod).unwrap()];
        &mut self.found.pods[0]
    }

    /// The Job of the status ends, its pod's worker with this state.
    fn end_job_with(&mut self, terminated: &Value) {
        let ended = json!({"conditions": [{"type": "Failed", "status": "True", "message": "over"}]});
        self.found.jobs[0].status = Some(serde_json::from_value(ended).unwrap());
        let container = json!({
            "name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": terminated},
        });
        self.pod(&json!({"containerStatuses": [container]}));
    }

    fn end_job(&mut self, report: &TableReport) {
        let message = report.termination_message().unwrap();
        self.end_job_with(&json!({"exitCode": report.exit_code, "message": message}));
    }

    fn pass(&mut self, seconds: i64) {
        let passed = k8s_openapi::jiff::SignedDuration::from_secs(seconds);
        self.found.now = self.found.now.checked_add(passed).unwrap();
    }

    fn add_column(&mut self) {
        let column = json!({"name": "more", "type": "INT"});
        self.found.table.spec.columns.push(serde_json::from_value(column).unwrap());
        self.found.table.metadata.generation = Some(2);
    }
}

fn report(outcome: TableOutcome, exit_code: u8, reason: &str, message: &str) -> TableReport {
    TableReport {
        version: 1,
        table: "t".to_owned(),
        task: TableTask::Declare,
        outcome,
        exit_code,
        reason: reason.to_owned(),
        message: message.to_owned(),
        figures: (outcome != TableOutcome::Failed).then(|| TableFigures {
            table_version: 3,
            rows: 7,
            tablets: 2,
            ..TableFigures::default()
        }),
        columns: Vec::new(),
        maintenance: None,
        truncated: false,
    }
}

/// The conditions that are True, with the one reason; all of them stand, each of this generation.
fn holding(next: &Next) -> (Vec<&str>, String) {
    let conditions = &next.status.conditions;
    assert_eq!(conditions.len(), conditions::OF_TABLE.len());
    assert!(conditions.iter().all(|it| it.observed_generation == next.status.observed_generation));
    assert!(conditions.iter().all(|it| it.reason == conditions[0].reason && !it.reason.is_empty()));
    let holding = conditions.iter().filter(|it| it.status == "True").map(|it| it.type_.as_str());
    (holding.collect(), conditions[0].reason.clone())
}

fn message(next: &Next) -> &str {
    &next.status.conditions[0].message
}

fn config() -> Config {
    use clap::Parser;
    let args = crate::args::Args::parse_from(["longshore-operator", "--worker-image", "image"]);
    Config::from_args(&args).unwrap()
}

#[test]
fn the_first_visit_makes_the_claim_and_sets_every_condition() {
    let mut world = World::new(json!({"size": "5Gi", "storageClassName": "fast"}));
    let wanted = world.wanted_claim().unwrap();
    assert!(wanted.is_new);
    let claim = serde_json::to_value(&wanted.object).unwrap();
    assert_eq!(claim["metadata"]["name"], "table-t");
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "5Gi");
    assert_eq!(claim["spec"]["accessModes"], json!(["ReadWriteOnce"]));
    assert_eq!(claim["spec"]["storageClassName"], "fast");
    let claim = claim_of(&world.found.table, "claim-uid");
    let applied = ClaimApplied { claim: Some(claim), is_new: true, ..ClaimApplied::default() };
    let next = world.next(&applied);
    assert_eq!(holding(&next), (vec!["Reconciling"], reasons::CREATING.to_owned()));
    assert_eq!(next.status.observed_generation, Some(1));
    assert_eq!(next.status.claim.as_deref(), Some("table-t"));
    let job = next.status.job.clone().unwrap();
    assert_eq!((job.number, job.task, next.status.jobs), (1, TableTask::Declare, Some(1)));
    assert_eq!(next.events[0].reason, "ClaimCreated");

    world.keep(&next);
    world.found.claim = applied.claim;
    let again = world.visit();
    assert_eq!(again.status, next.status, "a second visit has nothing to write");
    assert!(again.events.is_empty() && again.requeue.is_some());
}

#[test]
fn the_job_has_one_name_and_carries_the_declaration() {
    let mut world = World::new(json!({"existingClaim": "shared", "subPath": "a/b"}));
    world.bind("claim-uid");
    world.visit();
    let (request, job) = build::job(&world.found.table, &config()).unwrap();
    assert_eq!(request.metadata.name, job.metadata.name);
    assert_eq!(job.metadata.name, job_name(&world.found.table));
    assert_eq!(request.immutable, Some(true));
    let text = &request.data.unwrap()["request.json"];
    let read = TableRequest::from_json(text.as_bytes()).unwrap();
    assert_eq!((read.task, read.definition.columns.len()), (TableTask::Declare, 1));
    let job = serde_json::to_value(&job).unwrap();
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["args"], json!(["table", "--request", "/request/request.json"]));
    assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], "shared");
    assert_eq!(pod["containers"][0]["volumeMounts"][0]["subPath"], "a/b");
    assert_eq!(job["spec"]["backoffLimit"], 0);
    assert_eq!(job["metadata"]["ownerReferences"][0]["uid"], "table-uid");
}

#[test]
fn a_table_whose_columns_come_from_files_mounts_their_secret_while_it_is_declared() {
    let mut world = World::new(json!({"existingClaim": "shared"}));
    world.found.table.spec.columns.clear();
    let from = json!({"paths": ["s3://b/*"], "s3": {"credentials": {"secretRef": {"name": "aws"}}}});
    world.found.table.spec.infer_from = Some(serde_json::from_value(from).unwrap());
    world.bind("claim-uid");
    world.visit();
    let secrets = |world: &World| {
        let (_, job) = build::job(&world.found.table, &config()).unwrap();
        let volumes = job.spec.unwrap().template.spec.unwrap().volumes.unwrap();
        let secrets = volumes.into_iter().find(|volume| volume.name == "secrets");
        secrets.map(|volume| serde_json::to_value(&volume.projected).unwrap().to_string())
    };
    assert!(secrets(&world).unwrap().contains("\"aws\""));
    world.found.table.status.as_mut().unwrap().job.as_mut().unwrap().task = TableTask::Maintain;
    assert_eq!(secrets(&world), None);
}

#[test]
fn a_report_makes_the_table_ready() {
    let mut world = World::new(json!({}));
    world.bind("claim-uid");
    world.visit();
    world.end_job(&report(TableOutcome::Created, exit::LOADED, "TableCreated", ""));
    let next = world.visit();
    assert_eq!(holding(&next), (vec!["Ready"], reasons::TABLE_READY.to_owned()));
    assert_eq!((next.status.version, next.status.rows), (Some(3), Some(7)));
    assert!(next.status.job.is_none() && next.status.definition.is_some());
    assert_eq!(next.events[0].reason, "TableCreated");
    let again = world.visit();
    assert_eq!(again.status, next.status);
    assert!(again.events.is_empty());
    assert!(volume::table_ref(&world.found.table).is_some_and(|volume| volume.one_node));
}

#[test]
fn a_column_that_was_added_is_said_in_the_condition_until_the_next_change() {
    let mut world = World::standing(json!({}));
    world.add_column();
    let next = world.visit();
    assert_eq!(holding(&next), (vec!["Ready", "Reconciling"], reasons::ALTERING.to_owned()));
    world.end_job(&report(TableOutcome::Altered, exit::LOADED, "ColumnsAdded", "added more; NULL before"));
    let next = world.visit();
    assert_eq!(holding(&next).0, ["Ready"]);
    assert_eq!((message(&next), next.events[0].reason.as_str()), ("added more; NULL before", "ColumnsAdded"));
    assert_eq!(message(&world.visit()), "added more; NULL before");
}

#[test]
fn a_refused_declaration_stalls_and_leaves_the_table_until_it_is_edited() {
    let mut world = World::standing(json!({}));
    let columns = world.found.table.spec.columns.clone();
    world.add_column();
    world.visit();
    world.end_job(&report(TableOutcome::Failed, exit::TABLE_REFUSED, "DefinitionDiffers", "column more: no"));
    let next = world.visit();
    assert_eq!(holding(&next), (vec!["Ready", "Stalled"], "DefinitionDiffers".to_owned()));
    assert_eq!(message(&next), "column more: no; the table stays as it was");
    assert_eq!(next.events.len(), 1);
    world.pass(3_000);
    let later = world.visit();
    assert!(later.status.job.is_none() && later.events.is_empty(), "it is not asked again");
    let mut mended = world.found.table.spec.columns.clone();
    mended[1].nullable = true;
    mended[1].name = "other".to_owned();
    world.found.table.spec.columns = mended;
    let next = world.visit();
    assert_eq!(holding(&next), (vec!["Ready", "Reconciling"], reasons::ALTERING.to_owned()));
    assert!(next.events.is_empty(), "the old refusal is not told again");
    world.end_job(&report(TableOutcome::Failed, exit::TABLE_REFUSED, "DefinitionDiffers", "no"));
    world.visit();
    world.found.table.spec.columns = columns;
    world.found.table.metadata.generation = Some(3);
    let next = world.visit();
    assert_eq!(holding(&next), (vec!["Ready"], reasons::TABLE_READY.to_owned()));
    assert!(next.status.job.is_none(), "what stands was declared before");
}

#[test]
fn a_volume_that_is_refused_at_first_is_not_ready_and_asked_again_later() {
    let mut world = World::new(json!({}));
    world.bind("claim-uid");
    world.visit();
    world.end_job(&report(
        TableOutcome::Failed,
        exit::TABLE_REFUSED,
        "NotALongshoreTable",
        "it holds theirs",
    ));
    let next = world.visit();
    assert_eq!(holding(&next), (vec!["Stalled"], "NotALongshoreTable".to_owned()));
    assert!(next.status.job.is_none());
    world.pass(601);
    assert_eq!(world.visit().status.job.map(|job| job.number), Some(2));
}

#[test]
fn what_may_pass_is_tried_again_later_and_later() {
    let mut world = World::new(json!({}));
    world.bind("claim-uid");
    world.visit();
    for failures in 1..=3 {
        world.end_job(&report(TableOutcome::Failed, exit::TRANSIENT, "DiskFull", "no space"));
        let next = world.visit();
        assert_eq!(holding(&next), (vec!["Reconciling"], "DiskFull".to_owned()));
        assert!(message(&next).starts_with("no space; tried again at"), "{}", message(&next));
        assert_eq!(next.status.failures, Some(failures));
        assert!(next.status.job.is_none());
        world.pass(1 << (failures - 1));
        let next = world.visit();
        assert_eq!(next.status.job.map(|job| job.number), Some(failures + 1));
    }
    world.end_job_with(&json!({"exitCode": 137, "reason": "OOMKilled"}));
    let next = world.visit();
    assert_eq!(holding(&next).1, reasons::OUT_OF_MEMORY);
    assert!(message(&next).contains("raise the memory limit"), "{}", message(&next));
    world.pass(600);
    world.visit();
    world.end_job(&report(TableOutcome::Unchanged, exit::LOADED, "TableUnchanged", ""));
    let next = world.visit();
    assert_eq!(
        (holding(&next).0, next.status.failures, next.status.problem.clone()),
        (vec!["Ready"], None, None)
    );
}

#[test]
fn what_holds_the_pod_up_is_said() {
    let mut world = World::new(json!({}));
    world.bind("claim-uid");
    world.visit();
    let condition = json!({"type": "PodScheduled", "status": "False", "message": "0/1 nodes"});
    world.pod(&json!({"conditions": [condition]}));
    let next = world.visit();
    assert_eq!(holding(&next), (vec!["Reconciling"], reasons::UNSCHEDULABLE.to_owned()));
    assert!(message(&next).contains("0/1 nodes"));
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}});
    let container = json!({
        "name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": waiting,
    });
    world.pod(&json!({"containerStatuses": [container]}));
    let next = world.visit();
    assert_eq!(holding(&next).1, reasons::IMAGE_PULL_FAILED);
    assert_eq!(next.events.len(), 1);
    assert!(world.visit().events.is_empty(), "once");
    world.found.table.metadata.generation = Some(2);
    let next = world.visit();
    assert_eq!(next.status.job.map(|job| job.number), Some(2), "an edit begins anew");
}

#[test]
fn a_claim_is_owned_only_under_delete_and_an_existing_one_never() {
    let mut world = World::new(json!({"reclaimPolicy": "Delete"}));
    let owners = |wanted: &Option<ClaimToApply>| {
        wanted.as_ref().unwrap().object.metadata.owner_references.clone().unwrap_or_default()
    };
    assert_eq!(owners(&world.wanted_claim())[0].uid, "table-uid");
    world.bind("claim-uid");
    let owned = world.wanted_claim();
    assert_eq!(owners(&owned)[0].uid, "table-uid", "a claim that was kept before is owned now");
    let metadata = &mut world.found.claim.as_mut().unwrap().metadata;
    metadata.owner_references = Some(owners(&owned));
    assert_eq!(world.wanted_claim(), None);
    world.found.table.spec.storage.reclaim_policy = longshore_crds::ReclaimPolicy::Retain;
    assert!(owners(&world.wanted_claim()).is_empty());

    let mut world = World::new(json!({"existingClaim": "shared"}));
    assert_eq!(world.wanted_claim(), None);
    let next = world.visit();
    assert_eq!(holding(&next), (vec!["Reconciling"], reasons::CLAIM_NOT_FOUND.to_owned()));
    world.bind("claim-uid");
    assert_eq!(world.wanted_claim(), None);
    assert!(world.visit().status.job.is_some());
}

#[test]
fn a_claim_that_held_the_table_is_never_made_again() {
    let mut world = World::standing(json!({}));
    world.found.claim = None;
    assert_eq!(world.wanted_claim(), None);
    let next = world.visit();
    assert_eq!(holding(&next), (vec!["Reconciling"], reasons::CLAIM_GONE.to_owned()));
    assert!(next.status.job.is_none());
    world.bind("another");
    assert_eq!(claim::state(&world.found.table, world.found.claim.as_ref()), ClaimState::Gone);
    assert_eq!(world.wanted_claim(), None);
    world.bind("claim-uid");
    assert_eq!(holding(&world.visit()).0, ["Ready"]);
}

#[test]
fn a_claim_of_someone_else_is_left_alone() {
    let mut world = World::new(json!({}));
    world.bind("claim-uid");
    world.found.claim.as_mut().unwrap().metadata.labels = None;
    assert_eq!(world.wanted_claim(), None);
    let next = world.visit();
    assert_eq!(holding(&next), (vec!["Stalled"], reasons::CLAIM_TAKEN.to_owned()));
    assert_eq!(next.status.claim, None);
    // That of a former Table of this name goes with it, and is waited for.
    world.bind("claim-uid");
    let owner =
        json!([{"apiVersion": "longshore.dev/v1alpha1", "kind": "Table", "name": "t", "uid": "former"}]);
    let metadata = &mut world.found.claim.as_mut().unwrap().metadata;
    metadata.owner_references = Some(serde_json::from_value(owner).unwrap());
    assert_eq!(holding(&world.visit()), (vec!["Reconciling"], reasons::CLAIM_BEING_DELETED.to_owned()));
}

#[test]
fn where_a_table_lies_is_fixed_once_it_stands() {
    for (before, after, what) in [
        (json!({}), json!({"existingClaim": "other"}), "the table lies in claim table-t"),
        (json!({}), json!({"storageClassName": "slow"}), "the storage class is fast"),
        (json!({}), json!({"accessModes": ["ReadWriteMany"]}), "the access modes are ReadWriteOnce"),
        (json!({"size": "10Gi"}), json!({"size": "5Gi"}), "a volume does not shrink"),
        (
            json!({"existingClaim": "a"}),
            json!({"existingClaim": "a", "subPath": "b"}),
            "in the root of its volume",
        ),
    ] {
        let mut world = World::standing(before);
        world.found.table.spec.storage = serde_json::from_value(after.clone()).unwrap();
        world.found.table.metadata.generation = Some(2);
        let claim_name = claim::wanted_name(&world.found.table);
        if world.found.claim.as_ref().unwrap().metadata.name.as_ref() != Some(&claim_name) {
            world.found.claim = None;
        }
        let next = world.visit();
        assert_eq!(holding(&next), (vec!["Ready", "Stalled"], reasons::STORAGE_FIXED.to_owned()), "{after}");
        assert!(message(&next).contains(what), "{after}: {}", message(&next));
        assert!(next.status.job.is_none(), "{after}");
        assert_ne!(next.status.claim.as_deref(), Some("other"));
    }
}

#[test]
fn growth_is_asked_for_and_its_refusal_shown() {
    let mut world = World::standing(json!({"size": "10Gi"}));
    world.found.table.spec.storage.size = Some("20Gi".to_owned());
    let wanted = world.wanted_claim().unwrap();
    let size = |claim: &PersistentVolumeClaim| {
        serde_json::to_value(claim).unwrap()["spec"]["resources"]["requests"]["storage"].clone()
    };
    assert_eq!(
        (size(&wanted.object), size(wanted.as_it_is.as_ref().unwrap())),
        (json!("20Gi"), json!("10Gi"))
    );
    let stands = world.found.claim.clone();
    let refused = ClaimApplied {
        claim: stands.clone(),
        expansion_refusal: Some("only dynamically provisioned".to_owned()),
        ..ClaimApplied::default()
    };
    let next = world.next(&refused);
    assert_eq!(holding(&next), (vec!["Ready", "Stalled"], reasons::EXPANSION_REFUSED.to_owned()));
    assert!(message(&next).contains("only dynamically provisioned"));
    assert!(next.requeue.is_some(), "it is asked again");
    let mut growing = stands.unwrap();
    growing.spec = wanted.object.spec;
    let next = world.next(&ClaimApplied { claim: Some(growing), ..ClaimApplied::default() });
    assert_eq!(holding(&next), (vec!["Ready", "Reconciling"], reasons::EXPANDING.to_owned()));
}

#[test]
fn maintenance_comes_by_its_interval_and_after_failed_loads_one_at_a_time() {
    let mut world = World::standing(json!({}));
    assert!(world.visit().status.job.is_none());
    world.found.loads.failed = Some(world.found.now);
    world.pass(1);
    let next = world.visit();
    assert_eq!(next.status.job.as_ref().map(|job| job.task), Some(TableTask::Maintain));
    assert_eq!(holding(&next).0, ["Ready"], "loads go on meanwhile");
    let maintained = |world: &mut World, outcome, code| {
        let mut report = report(outcome, code, "Maintained", "merged 2");
        report.task = TableTask::Maintain;
        world.end_job(&report);
        world.visit()
    };
    assert!(world.visit().status.jobs == Some(2), "it is at work, and nothing else begins");
    let next = maintained(&mut world, TableOutcome::Maintained, exit::LOADED);
    assert_eq!(next.status.maintenance_message.as_deref(), Some("merged 2"));
    assert!(next.status.job.is_none(), "the failure is cleaned up after");
    world.pass(24 * 3_600 - 1);
    assert!(world.visit().status.job.is_none());
    world.pass(1);
    assert!(world.visit().status.job.is_some());
    let next = maintained(&mut world, TableOutcome::Failed, exit::TRANSIENT);
    assert_eq!(holding(&next), (vec!["Ready"], reasons::TABLE_READY.to_owned()));
    assert!(next.status.maintenance_message.unwrap().starts_with("maintenance failed"));
    world.pass(15 * 60);
    assert!(world.visit().status.job.is_some(), "it is tried again before its interval");

    let mut world = World::standing(json!({}));
    world.found.table.spec.maintenance.interval_hours = 0;
    world.found.loads.failed = Some(world.found.now);
    world.pass(100 * 3_600);
    assert!(world.visit().status.job.is_none());
}

#[test]
fn figures_are_read_again_after_loads_and_not_for_each() {
    let mut world = World::standing(json!({}));
    let load = LastLoad { label: "l".to_owned(), rows: 5, time: NOW.to_owned() };
    world.found.loads.newest = Some((9, load.clone()));
    assert!(world.visit().status.job.is_none());
    world.pass(15);
    let next = world.visit();
    assert_eq!(next.status.job.as_ref().map(|job| job.task), Some(TableTask::Declare));
    assert_eq!((holding(&next).0, next.status.last_load.clone()), (vec!["Ready"], None));
    let mut read = report(TableOutcome::Unchanged, exit::LOADED, "TableUnchanged", "");
    read.figures = Some(TableFigures { table_version: 10, rows: 12, ..TableFigures::default() });
    world.end_job(&read);
    let next = world.visit();
    assert_eq!((next.status.rows, next.status.last_load.clone()), (Some(12), Some(load)));
    assert!(next.status.job.is_none() && next.events.is_empty());
    world.pass(1_000);
    assert!(world.visit().status.job.is_none());
}

#[test]
fn of_a_pod_that_does_not_begin_its_events_are_asked() {
    let mut world = World::new(json!({}));
    world.bind("claim-uid");
    world.visit();
    assert_eq!(pods::waiting(&world.found).job.as_deref(), Some("job-uid"), "there is no pod");
    world.pod(&json!({"phase": "Pending"})).metadata.uid = Some("pod-uid".to_owned());
    assert_eq!(pods::waiting(&world.found).pod.as_deref(), Some("pod-uid"));
    world.found.hold = Some(crate::holds::Hold::new(reasons::VOLUME_NOT_READY, "no such path"));
    assert_eq!(holding(&world.visit()).1, reasons::VOLUME_NOT_READY);
}

#[test]
fn a_lost_node_raises_the_epoch_once_then_the_job_is_given_up() {
    let mut world = World::new(json!({}));
    world.bind("claim-uid");
    world.visit();
    let deleted = json!("2024-06-01T12:00:00Z");
    world.pod(&json!({"phase": "Running"})).metadata.deletion_timestamp =
        Some(serde_json::from_value(deleted).unwrap());
    world.pass(60);
    assert_eq!(pods::lost_epoch(&world.found, 30), None);
    world.pass(1);
    assert_eq!(pods::lost_epoch(&world.found, 30), Some(0));
    world.found.table.status.as_mut().unwrap().volume_epoch = Some(1);
    assert_eq!(pods::lost_epoch(&world.found, 30), None);
    let next = world.visit();
    assert_eq!(holding(&next).1, reasons::NODE_LOST);
    assert!(message(&next).contains("node-1") && message(&next).contains("out-of-service"));
    assert!(next.status.job.is_none());
    world.pass(1);
    world.visit();
    assert_eq!(volume::table_ref(&world.found.table).unwrap().volume_epoch, 1);
}

#[test]
fn the_time_of_transition_stays_while_the_status_of_a_condition_does() {
    let mut world = World::standing(json!({}));
    let since = |next: &Next| next.status.conditions[0].last_transition_time.clone();
    let before = since(&world.visit());
    world.pass(100);
    world.add_column();
    let next = world.visit();
    assert_eq!(since(&next), before);
    assert_eq!(next.status.observed_generation, Some(2));
}

#[test]
fn pods_that_may_not_be_as_asked_for_stall_the_table() {
    let mut world = World::new(json!({}));
    world.bind("claim-uid");
    world.found.table.spec.worker.service_account_name = Some("admin".to_owned());
    let next = world.visit();
    assert_eq!(holding(&next), (vec!["Stalled"], reasons::SERVICE_ACCOUNT_NOT_ALLOWED.to_owned()));
    assert!(next.status.job.is_none());
    world.found.table.spec.service_accounts = vec!["admin".to_owned()];
    assert!(world.visit().status.job.is_some());
}
