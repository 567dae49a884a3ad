//! A LoadJob becomes a LoadRequest.

use longshore_crds::{Execution, LoadJob, LoadRequest, OnFileError, OnMissingColumn, SchemaDrift};

#[test]
fn every_field_of_a_load_job_reaches_the_request() {
    let job: LoadJob = serde_json::from_value(serde_json::json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "LoadJob", "metadata": {"name": "j"},
        "spec": {
            "table": "t", "label": "l", "mode": "Overwrite", "partitions": ["p1"], "sources": [{"paths": ["s3://b/k"]}], "strictMode": false,
            "maxFilterRatio": "0.5", "onMissingColumn": "UseDefault", "schemaDrift": "Fail", "allowEmpty": true,
            "timezone": "Asia/Shanghai", "timeoutSeconds": 60, "parallelism": 3,
            "rejectedRecords": {"limit": -1}, "retry": 2
        }
    }))
    .unwrap();
    let request = LoadRequest::from_load_job(&job, 3, Some("2024-01-01T00:00:00Z".to_owned()));
    let expected = LoadRequest {
        version: 1,
        table: "t".to_owned(),
        label: "l".to_owned(),
        run: 3,
        sources: job.spec.sources,
        strict_mode: false,
        max_filter_ratio: "0.5".to_owned(),
        mode: longshore_crds::LoadMode::Overwrite,
        partitions: vec!["p1".to_owned()],
        on_missing_column: OnMissingColumn::UseDefault,
        on_file_error: OnFileError::Abort,
        max_skipped_files: None,
        dry_run: None,
        schema_drift: SchemaDrift::Fail,
        allow_empty: true,
        timezone: "Asia/Shanghai".to_owned(),
        rejected_records_limit: -1,
        execution: Execution {
            deadline: Some("2024-01-01T00:00:00Z".to_owned()),
            parallelism: 3,
            task_bytes: None,
        },
    };
    assert_eq!(request, expected);
    let text = serde_json::to_vec(&request).unwrap();
    assert_eq!(LoadRequest::from_json(&text).unwrap(), request);
}

#[test]
fn a_newer_request_is_refused_by_its_version() {
    let refusal = LoadRequest::from_json(br#"{"version": 2, "somethingNew": true}"#).unwrap_err();
    assert!(refusal.to_string().contains("has version 2, this worker knows up to 1"), "{refusal}");
}

#[test]
fn the_digest_leaves_the_execution_out() {
    let job: LoadJob = serde_json::from_value(serde_json::json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "LoadJob", "metadata": {"name": "j"},
        "spec": {"table": "t", "sources": [{"paths": ["s3://b/k"]}]}
    }))
    .unwrap();
    let request = LoadRequest::from_load_job(&job, 1, None);
    let mut other = LoadRequest::from_load_job(&job, 1, Some("2024-01-01T00:00:00Z".to_owned()));
    assert_eq!(request.digest().unwrap(), other.digest().unwrap());
    other.strict_mode = false;
    assert_ne!(request.digest().unwrap(), other.digest().unwrap());
}
