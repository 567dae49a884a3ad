//! The rules of a Pipe, run as an apiserver runs them, and what becomes of one.

use longshore_crds::{
    FailedFile, OnFileError, Pipe, PipeProgress, PipeRequest, PipeState, PipeStatus, conditions, schema,
};
use serde_json::{Value, json};

fn pipe() -> Value {
    json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "Pipe", "metadata": {"name": "p"},
        "spec": {"table": "t", "source": {"paths": ["s3://b/k/*.parquet"]}}
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut pipe = pipe();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    pipe.pointer_mut(parent).unwrap()[field] = value;
    pipe
}

fn parse(object: Value) -> Pipe {
    serde_json::from_value(object).unwrap()
}

fn refusal(object: Value) -> String {
    parse(object).validate_cel().map_or_else(|errors| errors.to_string(), |()| String::new())
}

#[test]
fn a_plain_pipe_passes_and_takes_the_defaults() {
    assert_eq!(refusal(pipe()), "");
    let pipe = parse(pipe());
    let spec = serde_json::to_value(&pipe.spec).unwrap();
    for (field, expected) in [
        ("autoIngest", json!(true)),
        ("pollIntervalSeconds", json!(300)),
        ("batchSize", json!("1Gi")),
        ("batchFiles", json!(256)),
        ("onObjectChange", json!("Append")),
        ("includeExisting", json!(true)),
        ("retry", json!({"maxAttempts": 5, "backoffSeconds": 10})),
        (
            "load",
            json!({
                "strictMode": true, "maxFilterRatio": "0", "onMissingColumn": "Fail", "schemaDrift": "Ignore",
                "timezone": "UTC", "rejectedRecords": {"limit": 1000}
            }),
        ),
        ("maxListRequestsPerHour", json!(3600)),
        ("suspend", json!(false)),
    ] {
        assert_eq!(spec[field], expected, "{field}");
    }
    assert_eq!(pipe.ledger(), "p");
    assert_eq!(pipe.spec.batch_bytes(), Some(1 << 30));
    assert_eq!(pipe.spec.after_load.delay_seconds, 86_400);
}

/// The bounds stand in the schema: the apiserver refuses what is beyond them.
#[test]
fn a52_numbers_are_bounded() {
    let schema = serde_json::to_value(schema::<Pipe>()).unwrap();
    let spec = &schema["properties"]["spec"]["properties"];
    for (field, least, most) in [
        ("pollIntervalSeconds", 1.0, 3600.0),
        ("batchFiles", 1.0, 1024.0),
        ("maxListRequestsPerHour", 12.0, 1_000_000.0),
    ] {
        let bounds = (spec[field]["minimum"].as_f64(), spec[field]["maximum"].as_f64());
        assert_eq!(bounds, (Some(least), Some(most)), "{field}");
    }
    let retry = &spec["retry"]["properties"];
    assert_eq!(retry["maxAttempts"]["minimum"].as_f64(), Some(1.0));
    assert_eq!(retry["backoffSeconds"]["maximum"].as_f64(), Some(3600.0));
    for (size, bytes) in [
        ("1", Some(1)),
        ("64Mi", Some(64 << 20)),
        ("5G", Some(5_000_000_000)),
        ("999Ti", Some(999 << 40)),
        ("0", None),
        ("0Gi", None),
        ("-1Gi", None),
        ("1.5Gi", None),
        ("1 Gi", None),
        ("1GB", None),
        ("1000Ti", None),
        ("1Pi", None),
        ("lots", None),
    ] {
        let pipe = with("/spec/batchSize", json!(size));
        let message = refusal(pipe.clone());
        assert_eq!(message.is_empty(), bytes.is_some(), "{size}: {message}");
        assert!(bytes.is_some() || message.contains("batchSize is a whole number"), "{size}: {message}");
        if bytes.is_some() {
            assert_eq!(parse(pipe).spec.batch_bytes(), bytes, "{size}");
        }
    }
}

#[test]
fn bad_values_are_refused_with_what_to_do() {
    for (pointer, value, message) in [
        ("/metadata/name", json!("x".repeat(51)), "at most 50"),
        ("/metadata/name", json!("a.b"), "at most 50"),
        ("/spec/ledger", json!("a..b"), "a ledger's name has"),
        ("/spec/ledger", json!("../x"), "a ledger's name has"),
        ("/spec/ledger", json!("-a"), "a ledger's name has"),
        ("/spec/source", json!({"manifest": "s3://b/m.json"}), "names its files by paths"),
        ("/spec/source", json!({"paths": ["/tmp/x"]}), "s3:// or s3a://"),
        ("/spec/startFrom", json!({}), "startFrom states a key, a time, or both"),
        ("/spec/startFrom", json!({"time": "2024-01-31 00:00:00+00"}), "time is an instant"),
        ("/spec/load", json!({"maxFilterRatio": "1.5"}), "maxFilterRatio is a decimal number"),
        ("/spec/afterLoad", json!({"action": "Move"}), "moveTo says where"),
        ("/spec/afterLoad", json!({"action": "Delete", "moveTo": "s3://b/done/"}), "moveTo says where"),
        ("/spec/afterLoad", json!({"action": "Move", "moveTo": "s3://b/done"}), "with / at its end"),
        ("/spec/afterLoad", json!({"action": "Tag"}), "tag says what"),
    ] {
        let refusal = refusal(with(pointer, value.clone()));
        assert!(refusal.contains(message), "{pointer} {value}: {refusal}");
    }
    let mut late = with("/spec/startFrom", json!({"key": "2024/"}));
    assert_eq!(refusal(late.clone()), "");
    late["spec"]["includeExisting"] = json!(false);
    assert!(refusal(late).contains("it needs includeExisting"));
}

#[test]
fn good_values_pass() {
    for (pointer, value) in [
        ("/spec/ledger", json!("user_behavior-2024.01")),
        ("/spec/startFrom", json!({"time": "2024-01-31T00:00:00Z"})),
        ("/spec/startFrom", json!({"key": "2024/", "time": "2024-01-31T00:00:00.5+08:00"})),
        ("/spec/afterLoad", json!({"action": "Move", "moveTo": "s3://b/done/", "delaySeconds": 0})),
        ("/spec/afterLoad", json!({"action": "Tag", "tag": {"key": "loaded", "value": "yes"}})),
        ("/spec/afterLoad", json!({"action": "Delete"})),
        (
            "/spec/source",
            json!({
                "paths": ["s3://b/dt=*/*.csv"], "format": {"csv": {"header": true}}, "columns": ["a", "b"],
                "columnsFromPath": ["dt"], "set": {"x": "a + 1"}, "where": "b > 0"
            }),
        ),
    ] {
        assert_eq!(refusal(with(pointer, value.clone())), "", "{pointer} {value}");
    }
}

#[test]
fn only_table_and_ledger_are_immutable() {
    let mut named = pipe();
    named["spec"]["ledger"] = json!("l");
    let old = parse(named.clone());
    let update = |pointer: &str, value: Value| {
        let mut object = named.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[field] = value;
        let new = parse(object);
        new.validate_cel_update(&old).map_or_else(|errors| errors.to_string(), |()| String::new())
    };
    assert!(update("/spec/table", json!("u")).contains("table is immutable"));
    assert!(update("/spec/ledger", json!("u")).contains("ledger is immutable"));
    for (pointer, value) in [
        ("/spec/source", json!({"paths": ["s3://other/*"], "columns": ["a"], "where": "a > 0"})),
        ("/spec/autoIngest", json!(false)),
        ("/spec/pollIntervalSeconds", json!(1)),
        ("/spec/batchSize", json!("1Mi")),
        ("/spec/batchFiles", json!(1024)),
        ("/spec/onObjectChange", json!("Ignore")),
        ("/spec/startFrom", json!({"key": "k"})),
        ("/spec/includeExisting", json!(false)),
        ("/spec/retry", json!({"maxAttempts": 1})),
        ("/spec/load", json!({"strictMode": false})),
        ("/spec/worker", json!({"resources": {"limits": {"memory": "1Gi"}}})),
        ("/spec/maxListRequestsPerHour", json!(12)),
        ("/spec/afterLoad", json!({"action": "Delete"})),
        ("/spec/suspend", json!(true)),
    ] {
        assert_eq!(update(pointer, value.clone()), "", "{pointer} {value}");
    }
}

#[test]
fn every_field_of_a_pipe_reaches_the_request() {
    let mut object = pipe();
    object["spec"] = json!({
        "table": "t", "ledger": "l", "autoIngest": false, "pollIntervalSeconds": 2, "batchSize": "3Mi",
        "source": {"paths": ["s3://b/*.csv"], "columns": ["a"], "set": {"x": "a"}, "where": "a > 0"},
        "batchFiles": 4, "onObjectChange": "Fail", "startFrom": {"key": "k"},
        "retry": {"maxAttempts": 6, "backoffSeconds": 7}, "maxListRequestsPerHour": 88,
        "load": {
            "strictMode": false, "maxFilterRatio": "0.5", "onMissingColumn": "UseDefault",
            "schemaDrift": "AddColumns", "timezone": "Asia/Shanghai", "rejectedRecords": {"limit": 9}
        },
        "afterLoad": {"action": "Delete", "delaySeconds": 10}
    });
    let request = PipeRequest::from_pipe(&parse(object.clone())).unwrap();
    let written = serde_json::to_value(&request).unwrap();
    assert_eq!(
        (&written["version"], &written["pipe"], &written["batchBytes"]),
        (&json!(1), &json!("p"), &json!(3 << 20))
    );
    for field in [
        "table",
        "ledger",
        "autoIngest",
        "pollIntervalSeconds",
        "batchFiles",
        "onObjectChange",
        "startFrom",
        "retry",
        "load",
        "maxListRequestsPerHour",
        "afterLoad",
    ] {
        assert_eq!(written[field], object["spec"][field], "{field}");
    }
    assert_eq!(written["source"]["where"], json!("a > 0"));
    assert_eq!(PipeRequest::from_json(&serde_json::to_vec(&request).unwrap()).unwrap(), request);

    let batch = request.batch_request("pipe/l/3-2", 2, 1);
    assert_eq!(batch.sources, std::slice::from_ref(&request.source));
    assert_eq!((batch.label.as_str(), batch.run, batch.allow_empty), ("pipe/l/3-2", 2, true));
    assert_eq!((batch.on_file_error, batch.rejected_records_limit), (OnFileError::SkipFile, 9));

    // Whatever is edited makes another document, but a pipe that is suspended is not asked anything else.
    let digest = request.digest().unwrap();
    object["spec"]["suspend"] = json!(true);
    assert_eq!(PipeRequest::from_pipe(&parse(object.clone())).unwrap().digest().unwrap(), digest);
    object["spec"]["batchFiles"] = json!(5);
    assert_ne!(PipeRequest::from_pipe(&parse(object.clone())).unwrap().digest().unwrap(), digest);
    object["spec"]["batchSize"] = json!("x");
    let invalid = PipeRequest::from_pipe(&parse(object)).unwrap_err().to_string();
    assert!(invalid.contains("spec.batchSize is \"x\""), "{invalid}");
}

#[test]
fn a_newer_request_is_refused_by_its_version() {
    let refusal = PipeRequest::from_json(br#"{"version": 2, "somethingNew": true}"#).unwrap_err();
    assert!(refusal.to_string().contains("has version 2, this worker knows up to 1"), "{refusal}");
}

#[test]
fn a_status_takes_the_figures_of_the_worker() {
    let mut status = PipeStatus { last_loaded_time: Some("before".to_owned()), ..PipeStatus::default() };
    let mut progress = PipeProgress::new("l", "d");
    progress.loaded_files = 7;
    progress.last_list_time = Some("now".to_owned());
    progress.failed_files = vec![
        FailedFile {
            file: "s3://b/k".to_owned(),
            etag: "e".to_owned(),
            error_type: "E".to_owned(),
            message: "m".to_owned(),
            time: "t".to_owned(),
        };
        30
    ];
    status.take_figures(&progress);
    assert_eq!((status.state, status.loaded_files), (Some(PipeState::Running), Some(7)));
    assert_eq!(status.last_loaded_time.as_deref(), Some("before"));
    assert_eq!(status.last_list_time.as_deref(), Some("now"));
    assert_eq!(status.failed_files.len(), 20);

    let now = serde_json::from_value(json!("2024-01-01T00:00:00Z")).unwrap();
    status.set_conditions(&[conditions::READY], "PipeRunning", "", Some(1), &now);
    assert!(conditions::is_true(&status.conditions, conditions::READY));
    assert!(!conditions::is_true(&status.conditions, conditions::SUSPENDED));
    assert_eq!(status.conditions.len(), conditions::OF_PIPE.len() - 1);
}
