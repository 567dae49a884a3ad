//! An edit of any field of a Pipe changes what is to run: its request, its pod, or what kind of object it is. Fields that
//! change nothing of it are named with the reason.

use std::collections::BTreeSet;

use clap::Parser;
use longshore_crds::{Pipe, schema};
use serde_json::{Value, json};

use super::facts::{Kind, Wanted};
use super::tests::World;
use super::validate;
use crate::args::Args;
use crate::config::Config;

/// What an edit of a field changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changes {
    /// The request, and so the pod that mounts it.
    Request,
    /// The pod alone.
    Pod,
    /// A Deployment becomes a Job.
    Kind,
    /// Nothing of what is to run: whether it runs.
    Nothing,
}

/// Fields that no edit reaches: two are immutable, and a Pipe has no manifest.
const FIXED: [&str; 3] = ["table", "ledger", "source.manifest"];
/// Fields whose own fields are edited one by one.
const OPENED: [&str; 7] = ["source", "source.s3", "startFrom", "retry", "load", "afterLoad", "worker"];

/// An edit of each field.
fn edits() -> Vec<(&'static str, Value, Changes)> {
    use Changes::{Kind, Nothing, Pod, Request};
    let affinity = json!({"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 1, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}},
    ]});
    let spread = json!([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]);
    vec![
        ("source.paths", json!(["s3://b/other/*.parquet"]), Request),
        ("source.s3.region", json!("eu-west-9"), Request),
        ("source.s3.endpoint", json!("http://store:9000"), Request),
        ("source.s3.forcePathStyle", json!(true), Request),
        ("source.s3.credentials", json!({"secretRef": {"name": "other"}}), Request),
        ("source.format", json!({"json": {}}), Request),
        ("source.columns", json!(["a"]), Request),
        ("source.columnsFromPath", json!(["dt"]), Request),
        ("source.onMissingPathKey", json!("Null"), Request),
        ("source.set", json!({"a": "b + 1"}), Request),
        ("source.where", json!("a > 0"), Request),
        ("autoIngest", json!(false), Kind),
        ("pollIntervalSeconds", json!(7), Request),
        ("batchSize", json!("7Mi"), Request),
        ("batchFiles", json!(7), Request),
        ("onObjectChange", json!("Ignore"), Request),
        ("startFrom.key", json!("k"), Request),
        ("startFrom.time", json!("2024-01-31T00:00:00Z"), Request),
        ("includeExisting", json!(false), Request),
        ("retry.maxAttempts", json!(7), Request),
        ("retry.backoffSeconds", json!(7), Request),
        ("load.strictMode", json!(false), Request),
        ("load.maxFilterRatio", json!("0.5"), Request),
        ("load.onMissingColumn", json!("UseDefault"), Request),
        ("load.schemaDrift", json!("AddColumns"), Request),
        ("load.timezone", json!("+08:00"), Request),
        ("load.rejectedRecords", json!({"limit": 7}), Request),
        ("worker.resources", json!({"limits": {"memory": "3Gi"}}), Pod),
        ("worker.nodeSelector", json!({"disk": "ssd"}), Pod),
        ("worker.tolerations", json!([{"key": "k", "operator": "Exists"}]), Pod),
        ("worker.nodeAffinity", affinity, Pod),
        ("worker.topologySpreadConstraints", spread, Pod),
        ("worker.priorityClassName", json!("high"), Pod),
        ("worker.runtimeClassName", json!("gvisor"), Pod),
        ("worker.serviceAccountName", json!("loader"), Pod),
        ("worker.labels", json!({"team": "sales"}), Pod),
        ("worker.annotations", json!({"note": "x"}), Pod),
        ("maxListRequestsPerHour", json!(77), Request),
        ("afterLoad.action", json!("Delete"), Request),
        ("afterLoad.delaySeconds", json!(7), Request),
        ("afterLoad.moveTo", json!("s3://b/done/"), Request),
        ("afterLoad.tag", json!({"key": "loaded", "value": "yes"}), Request),
        ("suspend", json!(true), Nothing),
    ]
}

/// Every field of the spec by its path, as the definition has them.
fn fields(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].as_object().unwrap() {
        let path = format!("{path}{name}");
        if OPENED.contains(&path.as_str()) {
            fields(property, &format!("{path}."), found);
        } else {
            found.insert(path);
        }
    }
}

fn wanted(edit: impl FnOnce(&mut Value)) -> Wanted {
    let world = World::new(json!({}));
    let mut pipe = serde_json::to_value(&world.facts.pipe).unwrap();
    edit(&mut pipe["spec"]);
    let pipe: Pipe = serde_json::from_value(pipe).unwrap();
    let arguments = ["operator", "--worker-image", "image", "--allowed-service-accounts", "loader"];
    let config = Config::from_args(&Args::parse_from(arguments)).unwrap();
    validate::pipe(&pipe, world.facts.table.volume.as_ref().unwrap(), &config).unwrap()
}

#[test]
fn an_edit_of_any_field_reaches_the_pod() {
    let schema = serde_json::to_value(schema::<Pipe>()).unwrap();
    let mut found = BTreeSet::new();
    fields(&schema["properties"]["spec"], "", &mut found);
    let edits = edits();
    let edited = edits.iter().map(|(field, ..)| *field).chain(FIXED);
    assert_eq!(edited.map(str::to_owned).collect::<BTreeSet<_>>(), found, "an edit of each field");
    let before = wanted(|_| {});
    for (field, value, expected) in edits {
        let after = wanted(|spec| {
            let mut place = spec;
            for name in field.split('.') {
                place = &mut place[name];
            }
            *place = value;
        });
        let changes = match (before.kind == after.kind, before.request == after.request) {
            (false, _) => Changes::Kind,
            (true, false) => Changes::Request,
            (true, true) if before.digest != after.digest => Changes::Pod,
            (true, true) => Changes::Nothing,
        };
        assert_eq!(changes, expected, "{field}");
        // What changes is applied, and to the same object.
        assert_eq!(before.digest == after.digest, expected == Changes::Nothing, "{field}");
        assert_eq!(before.name == after.name, after.kind == Kind::Deployment, "{field}");
    }
}
