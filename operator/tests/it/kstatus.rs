//! What kstatus (Flux, Helm's waiting) says of objects that were recorded on a real cluster.

use std::path::Path;

use serde_json::Value;

/// kstatus' rules for an object of a kind that it does not know.
fn kstatus(object: &Value) -> &'static str {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return "Terminating";
    }
    let (generation, observed) = (&object["metadata"]["generation"], &object["status"]["observedGeneration"]);
    if !observed.is_null() && observed != generation {
        return "InProgress";
    }
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let status = |type_: &str| {
        let condition = conditions.iter().find(|condition| condition["type"] == type_);
        condition.and_then(|condition| condition["status"].as_str())
    };
    match (status("Reconciling"), status("Stalled"), status("Ready")) {
        (Some("True"), _, _) => "InProgress",
        (_, Some("True"), _) => "Failed",
        (_, _, Some("False" | "Unknown")) => "InProgress",
        _ => "Current",
    }
}

#[test]
fn each_recorded_object_has_its_kstatus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let expected = [
        ("table-created", "InProgress"),
        ("table-creating", "InProgress"),
        ("table-claim-not-found", "InProgress"),
        ("table-ready", "Current"),
        ("table-edited", "InProgress"),
        ("table-refused", "Failed"),
        ("table-altering", "InProgress"),
        ("loadjob-created", "Current"),
        ("loadjob-pending", "InProgress"),
        ("loadjob-loading", "InProgress"),
        ("loadjob-finished", "Current"),
        ("loadjob-cancelled", "Failed"),
        ("pipe-created", "Current"),
        ("pipe-waiting", "InProgress"),
        ("pipe-starting", "InProgress"),
        ("pipe-ready", "Current"),
        ("pipe-edited", "InProgress"),
        ("pipe-stopping", "InProgress"),
        ("pipe-suspended", "InProgress"),
        ("pipe-overlapping", "Failed"),
        ("pipe-finished", "Current"),
        ("pipe-files-in-error", "Failed"),
    ];
    for (name, status) in expected {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(kstatus(&object), status, "{name}");
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), expected.len());
}
