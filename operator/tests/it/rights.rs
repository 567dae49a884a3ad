//! Each verb that the chart grants is needed by a call that is named here, and none is on Secrets.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// Resource and verb, and the function that calls it.
const CALLS: [(&str, &str, &str); 39] = [
    ("longshore.dev/tables", "get", "table/dereference.rs::dereference"),
    ("longshore.dev/tables", "list", "table/mod.rs::controller"),
    ("longshore.dev/tables", "watch", "table/mod.rs::controller"),
    ("longshore.dev/tables/status", "patch", "table/apply.rs::status"),
    ("longshore.dev/loadjobs", "list", "loadjob/mod.rs::run"),
    ("longshore.dev/loadjobs", "watch", "loadjob/mod.rs::run"),
    ("longshore.dev/loadjobs/status", "patch", "loadjob/mod.rs::write_status"),
    ("longshore.dev/pipes", "list", "pipe/mod.rs::run"),
    ("longshore.dev/pipes", "watch", "pipe/mod.rs::run"),
    ("longshore.dev/pipes/status", "patch", "pipe/mod.rs::write_status"),
    ("apps/deployments", "get", "pipe/apply.rs::apply_deployment"),
    ("apps/deployments", "list", "pipe/dereference.rs::children"),
    ("apps/deployments", "watch", "pipe/mod.rs::run"),
    // An apply that makes an object needs both.
    ("apps/deployments", "create", "pipe/apply.rs::apply_deployment"),
    ("apps/deployments", "patch", "pipe/apply.rs::apply_deployment"),
    ("apps/deployments", "delete", "pipe/apply.rs::perform"),
    ("batch/jobs", "get", "loadjob/dereference.rs::children"),
    ("batch/jobs", "list", "table/dereference.rs::jobs"),
    ("batch/jobs", "watch", "table/mod.rs::controller"),
    ("batch/jobs", "create", "table/apply.rs::jobs"),
    ("batch/jobs", "patch", "loadjob/apply.rs::suspend_load"),
    ("batch/jobs", "delete", "table/apply.rs::forget"),
    ("/configmaps", "get", "table/apply.rs::forget"),
    ("/configmaps", "list", "pipe/apply.rs::sweep"),
    ("/configmaps", "create", "table/apply.rs::jobs"),
    ("/configmaps", "delete", "table/apply.rs::forget"),
    ("/persistentvolumeclaims", "get", "table/dereference.rs::dereference"),
    ("/persistentvolumeclaims", "list", "table/mod.rs::controller"),
    ("/persistentvolumeclaims", "watch", "table/mod.rs::controller"),
    // An apply that makes an object needs both.
    ("/persistentvolumeclaims", "create", "table/apply.rs::claim"),
    ("/persistentvolumeclaims", "patch", "table/apply.rs::claim"),
    ("/pods", "list", "table/dereference.rs::pods_of"),
    ("/pods", "watch", "table/mod.rs::controller"),
    ("/events", "list", "holds.rs::events"),
    ("events.k8s.io/events", "create", "events.rs::publish"),
    ("events.k8s.io/events", "patch", "events.rs::publish"),
    ("coordination.k8s.io/leases", "get", "leader.rs::visit"),
    ("coordination.k8s.io/leases", "create", "leader.rs::visit"),
    ("coordination.k8s.io/leases", "update", "leader.rs::give_back"),
];

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The rules in the namespaces that are watched, and those of the Lease in the operator's own.
fn granted() -> BTreeSet<(String, String)> {
    let mut rules: Vec<Value> = serde_yaml::from_str(&read("charts/longshore/files/rules.yaml")).unwrap();
    let template = read("charts/longshore/templates/rbac.yaml");
    let lease = template.split("rules:\n").find(|part| part.contains("resources: [leases]")).unwrap();
    let lease: Vec<Value> = serde_yaml::from_str(lease.split("---").next().unwrap()).unwrap();
    rules.extend(lease);
    let mut granted = BTreeSet::new();
    for rule in &rules {
        assert!(rule["resourceNames"].is_null() && rule["nonResourceURLs"].is_null());
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    granted.insert((format!("{group}/{resource}"), verb));
                }
            }
        }
    }
    granted
}

#[test]
fn each_verb_has_its_call_and_each_call_its_verb() {
    let needed: BTreeSet<(String, String)> =
        CALLS.iter().map(|(resource, verb, _)| ((*resource).to_owned(), (*verb).to_owned())).collect();
    let granted = granted();
    let unused: Vec<_> = granted.difference(&needed).collect();
    assert!(unused.is_empty(), "granted and needed by no call: {unused:?}");
    let missing: Vec<_> = needed.difference(&granted).collect();
    assert!(missing.is_empty(), "needed and not granted: {missing:?}");
}

#[test]
fn the_calls_are_there() {
    for (_, _, place) in CALLS {
        let (file, function) = place.split_once("::").unwrap();
        let text = read(&format!("operator/src/{file}"));
        assert!(text.contains(&format!("fn {function}")), "{place} is not there");
    }
}

#[test]
fn nothing_is_granted_on_secrets_and_nothing_by_a_star() {
    for (resource, verb) in granted() {
        assert!(!resource.contains("secrets"), "{resource}");
        assert!(!resource.contains('*') && verb != "*" && verb != "deletecollection", "{resource} {verb}");
        let escalates = ["rbac", "serviceaccounts", "pods/exec", "nodes", "namespaces"];
        assert!(!escalates.iter().any(|part| resource.contains(part)), "{resource}");
    }
}
