//! The CEL rules, run as an apiserver runs them.

use longshore_crds::{LoadJob, LoadJobStatus, LoadState, Table};
use serde_json::{Value, json};

fn table() -> Value {
    json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "Table", "metadata": {"name": "t"},
        "spec": {
            "columns": [{"name": "id", "type": "INT", "nullable": false}],
            "distribution": {"hash": {"columns": ["id"], "buckets": 4}}
        }
    })
}

fn load_job() -> Value {
    json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "LoadJob", "metadata": {"name": "j"},
        "spec": {"table": "t", "sources": [{"paths": ["s3://b/k*.parquet"]}]}
    })
}

fn edited(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[field] = value;
    object
}

fn parse<K: serde::de::DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

fn job_refusal(object: Value) -> String {
    parse::<LoadJob>(object).validate_cel().map_or_else(|errors| errors.to_string(), |()| String::new())
}

fn table_refusal(object: Value) -> String {
    parse::<Table>(object).validate_cel().map_or_else(|errors| errors.to_string(), |()| String::new())
}

#[test]
fn plain_objects_pass_and_take_the_defaults() {
    assert_eq!(table_refusal(table()), "");
    assert_eq!(job_refusal(load_job()), "");
    let job: LoadJob = parse(load_job());
    let spec = serde_json::to_value(&job.spec).unwrap();
    for (field, expected) in [
        ("mode", json!("Append")),
        ("strictMode", json!(true)),
        ("maxFilterRatio", json!("0")),
        ("onMissingColumn", json!("Fail")),
        ("schemaDrift", json!("Ignore")),
        ("allowEmpty", json!(false)),
        ("timezone", json!("UTC")),
        ("timeoutSeconds", json!(14_400)),
        ("parallelism", json!(0)),
        ("rejectedRecords", json!({"limit": 1000})),
        ("retry", json!(0)),
    ] {
        assert_eq!(spec[field], expected, "{field}");
    }
    assert_eq!(job.label(), "j");
}

#[test]
fn names_are_short_dns_labels() {
    let long = "x".repeat(51);
    for name in [long.as_str(), "a.b"] {
        assert!(job_refusal(edited(load_job(), "/metadata/name", json!(name))).contains("at most 50"));
        assert!(table_refusal(edited(table(), "/metadata/name", json!(name))).contains("at most 50"));
    }
}

#[test]
fn labels_have_the_pattern_without_two_dots() {
    for (label, fits) in [
        ("user_behavior", true),
        ("2024-01-01.a", true),
        (&*"x".repeat(128), true),
        (&*"x".repeat(129), false),
        ("-a", false),
        (".a", false),
        ("a..b", false),
        ("a/b", false),
        ("ä", false),
    ] {
        let refusal = job_refusal(edited(load_job(), "/spec/label", json!(label)));
        assert_eq!(refusal.is_empty(), fits, "{label}: {refusal}");
    }
}

#[test]
fn a34_a_ratio_is_a_decimal_text_from_0_to_1() {
    for (ratio, fits) in [
        ("0", true),
        ("1", true),
        ("1.000", true),
        ("0.0999", true),
        ("1.5", false),
        ("-0.1", false),
        ("x", false),
        ("", false),
        ("1e-3", false),
        (".5", false),
        ("0.1 ", false),
    ] {
        let refusal = job_refusal(edited(load_job(), "/spec/maxFilterRatio", json!(ratio)));
        assert_eq!(refusal.is_empty(), fits, "{ratio}: {refusal}");
    }
}

#[test]
fn paths_endpoints_and_identities_are_checked_in_each_source() {
    let with = |source: Value| job_refusal(edited(load_job(), "/spec/sources", json!([source])));
    assert!(with(json!({"paths": ["s3://b/k", "/tmp/x"]})).contains("s3:// or s3a://"));
    assert_eq!(with(json!({"paths": ["s3a://b/k"]})), "");
    let s3 = |s3: Value| with(json!({"paths": ["s3://b/k"], "s3": s3}));
    assert_eq!(s3(json!({"endpoint": "https://store"})), "");
    assert!(s3(json!({"endpoint": "store:9000"})).contains("starts with http:// or https://"));
    assert!(s3(json!({"endpoint": "http://key:value@store"})).contains("no user or password"));
    let credentials = |credentials: Value| s3(json!({"credentials": credentials}));
    assert_eq!(credentials(json!({"secretRef": {"name": "aws"}})), "");
    assert_eq!(credentials(json!({"anonymous": true})), "");
    assert!(
        credentials(json!({"anonymous": true, "secretRef": {"name": "aws"}})).contains("state one identity")
    );
    let role = json!({"roleArn": "arn:aws:iam::1:role/r", "stsEndpoint": "sts"});
    assert!(credentials(json!({"assumeRole": role})).contains("starts with http:// or https://"));
}

#[test]
fn a_distribution_is_exactly_one() {
    let with = |distribution: Value| table_refusal(edited(table(), "/spec/distribution", distribution));
    assert_eq!(with(json!({"random": {"buckets": 1}})), "");
    assert!(with(json!({})).contains("exactly one of hash and random"));
    let both = json!({"random": {"buckets": 1}, "hash": {"columns": ["id"], "buckets": 1}});
    assert!(with(both).contains("exactly one of hash and random"));
}

#[test]
fn column_names_hold_nothing_that_delta_refuses() {
    for name in ["a b", "a,b", "a;b", "{", "}", "(", ")", "a\nb", "a\tb", "a=b"] {
        let refusal = table_refusal(edited(table(), "/spec/columns/0/name", json!(name)));
        assert!(refusal.contains("a column name holds no"), "{name:?}: {refusal}");
    }
    assert_eq!(table_refusal(edited(table(), "/spec/columns/0/name", json!("größe"))), "");
}

#[test]
fn table_and_label_are_immutable() {
    let old: LoadJob = parse(load_job());
    let update = |object: Value| {
        let new: LoadJob = parse(object);
        new.validate_cel_update(&old).map_or_else(|errors| errors.to_string(), |()| String::new())
    };
    assert_eq!(update(edited(load_job(), "/spec/maxFilterRatio", json!("1"))), "");
    assert!(update(edited(load_job(), "/spec/table", json!("u"))).contains("table is immutable"));
    assert!(update(edited(load_job(), "/spec/label", json!("u"))).contains("label is immutable"));
}

#[test]
fn the_spec_is_locked_while_a_load_runs_and_once_it_is_done() {
    for (state, locked) in [
        (None, false),
        (Some(LoadState::Pending), false),
        (Some(LoadState::Queueing), false),
        (Some(LoadState::Loading), true),
        (Some(LoadState::Committed), true),
        (Some(LoadState::Finished), true),
        (Some(LoadState::Cancelled), false),
    ] {
        let mut old: LoadJob = parse(load_job());
        old.status = Some(LoadJobStatus { state, ..LoadJobStatus::default() });
        let refused = |pointer: &str, value: Value| {
            let mut new: LoadJob = parse(edited(load_job(), pointer, value));
            new.status.clone_from(&old.status);
            new.validate_cel_update(&old).is_err()
        };
        for (pointer, value) in [
            ("/spec/sources", json!([{"paths": ["s3://b/other"]}])),
            ("/spec/strictMode", json!(false)),
            ("/spec/maxFilterRatio", json!("1")),
            ("/spec/onMissingColumn", json!("UseDefault")),
            ("/spec/schemaDrift", json!("AddColumns")),
            ("/spec/allowEmpty", json!(true)),
            ("/spec/timezone", json!("Asia/Shanghai")),
            ("/spec/timeoutSeconds", json!(1)),
            ("/spec/rejectedRecords", json!({"limit": 1})),
            ("/spec/retry", json!(1)),
            ("/spec/onFileError", json!("SkipFile")),
            ("/spec/maxSkippedFiles", json!(7)),
            ("/spec/dryRun", json!({})),
        ] {
            assert_eq!(refused(pointer, value), locked, "{state:?} {pointer}");
        }
        assert!(!refused("/spec/parallelism", json!(2)), "{state:?}");
    }
}

#[test]
fn a_dry_run_leaves_the_spec_open() {
    let mut old: LoadJob = parse(edited(load_job(), "/spec/dryRun", json!({})));
    for state in [LoadState::Loading, LoadState::Finished] {
        old.status = Some(LoadJobStatus { state: Some(state), ..LoadJobStatus::default() });
        let mut new: LoadJob = parse(edited(load_job(), "/spec/maxFilterRatio", json!("1")));
        new.status.clone_from(&old.status);
        assert!(new.validate_cel_update(&old).is_ok(), "{state:?}");
    }
}

#[test]
fn a_source_names_its_objects_one_way() {
    let with = |source: Value| job_refusal(edited(load_job(), "/spec/sources", json!([source])));
    assert_eq!(with(json!({"manifest": "s3://b/list.json"})), "");
    assert!(with(json!({})).contains("by paths or by a manifest"));
    assert!(with(json!({"paths": []})).contains("by paths or by a manifest"));
    let both = json!({"paths": ["s3://b/k"], "manifest": "s3://b/list.json"});
    assert!(with(both).contains("by paths or by a manifest"));
    assert!(with(json!({"manifest": "/tmp/list.json"})).contains("a manifest starts with s3://"));
}

#[test]
fn a_header_is_used_or_left_out() {
    let with = |csv: Value| {
        let source = json!({"paths": ["s3://b/k"], "format": {"csv": csv}});
        job_refusal(edited(load_job(), "/spec/sources", json!([source])))
    };
    assert_eq!(with(json!({"header": true})), "");
    assert_eq!(with(json!({"skipHeader": 2})), "");
    assert!(with(json!({"header": true, "skipHeader": 1})).contains("not both"));
}

#[test]
fn columns_are_stated_or_inferred() {
    let infer = json!({"paths": ["s3://b/k"]});
    let both = edited(table(), "/spec/inferFrom", infer);
    assert!(table_refusal(both.clone()).contains("state columns, or inferFrom"));
    let mut inferred = both;
    inferred["spec"].as_object_mut().unwrap().remove("columns");
    assert_eq!(table_refusal(inferred.clone()), "");
    inferred["spec"].as_object_mut().unwrap().remove("inferFrom");
    assert!(table_refusal(inferred).contains("state columns, or inferFrom"));
}

#[test]
fn a_table_lies_in_a_claim_of_its_own_or_in_one_that_is_there() {
    let by = |storage: Value| table_refusal(edited(table(), "/spec/storage", storage));
    for storage in [
        json!({}),
        json!({"size": "100Gi", "storageClassName": "fast", "accessModes": ["ReadWriteMany"]}),
        json!({"size": "1000", "reclaimPolicy": "Delete"}),
        json!({"existingClaim": "shared"}),
        json!({"existingClaim": "shared.a-1", "subPath": "a/b_1/c.d", "compression": "Lz4"}),
    ] {
        assert_eq!(by(storage.clone()), "", "{storage}");
    }
    for (storage, message) in [
        (json!({"existingClaim": "shared", "size": "1Gi"}), "state either existingClaim, or size"),
        (json!({"existingClaim": "shared", "storageClassName": "a"}), "state either existingClaim, or size"),
        (json!({"existingClaim": "shared", "accessModes": ["ReadWriteOnce"]}), "state either existingClaim"),
        (json!({"existingClaim": "shared", "reclaimPolicy": "Delete"}), "never deleted with it"),
        (json!({"subPath": "a"}), "subPath is a folder in an existingClaim"),
        (json!({"existingClaim": "shared", "subPath": "../a"}), "subPath is a relative path"),
        (json!({"existingClaim": "shared", "subPath": "a/../b"}), "subPath is a relative path"),
        (json!({"existingClaim": "shared", "subPath": "/a"}), "subPath is a relative path"),
        (json!({"existingClaim": "Shared"}), "existingClaim is the name"),
        (json!({"size": "0Gi"}), "size is a whole number"),
        (json!({"size": "-1Gi"}), "size is a whole number"),
        (json!({"size": "1.5Gi"}), "size is a whole number"),
        (json!({"size": "10 Gi"}), "size is a whole number"),
    ] {
        let refusal = by(storage.clone());
        assert!(refusal.contains(message), "{storage}: {refusal}");
    }
}

#[test]
fn partitions_are_named_with_overwrite_only() {
    for (mode, partitions, fine) in [
        ("Append", json!(["p20240101"]), false),
        ("DynamicOverwrite", json!(["p20240101"]), false),
        ("Overwrite", json!(["p20240101"]), true),
        ("Append", json!([]), true),
    ] {
        let job = edited(load_job(), "/spec/mode", json!(mode));
        let refusal = job_refusal(edited(job, "/spec/partitions", partitions));
        assert_eq!(refusal.is_empty(), fine, "{mode}: {refusal}");
        assert!(fine || refusal.contains("partitions are named with mode Overwrite only"), "{refusal}");
    }
}

#[test]
fn partitions_are_stated_one_way_each() {
    let by = |terms: Value| table_refusal(edited(table(), "/spec/partitionBy", terms));
    let range = |partition: Value| json!({"range": {"column": "id", "partitions": [partition]}});
    let list = |partition: Value| json!({"list": {"columns": ["id"], "partitions": [partition]}});
    let less_than = json!({"name": "a", "lessThan": "1"});
    for terms in [
        json!([{"dateTrunc": {"unit": "day", "column": "at"}}, {"column": "id"}]),
        json!([range(less_than.clone())]),
        json!([range(json!({"name": "a", "start": "1", "end": "MAXVALUE"}))]),
        json!([list(json!({"name": "a", "values": ["1", null]}))]),
        json!([list(json!({"name": "a", "tuples": [["1"]]}))]),
    ] {
        assert_eq!(by(terms.clone()), "", "{terms}");
    }
    for (terms, message) in [
        (json!([{}]), "state exactly one of column, dateTrunc, range and list"),
        (
            json!([{"column": "id", "dateTrunc": {"unit": "day", "column": "at"}}]),
            "state exactly one of column",
        ),
        (json!([{"column": "id"}, range(less_than)]), "range and list stand alone"),
        (json!([range(json!({"name": "a"}))]), "state either lessThan, or start and end"),
        (json!([range(json!({"name": "a", "start": "1"}))]), "state either lessThan, or start and end"),
        (
            json!([range(json!({"name": "a", "lessThan": "1", "end": "2", "start": "0"}))]),
            "state either lessThan",
        ),
        (json!([list(json!({"name": "a"}))]), "state either values"),
        (json!([list(json!({"name": "a", "values": ["1"], "tuples": [["1"]]}))]), "state either values"),
    ] {
        let refusal = by(terms.clone());
        assert!(refusal.contains(message), "{terms}: {refusal}");
    }
}
