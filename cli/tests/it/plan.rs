//! `longshore plan`, and loads that leave out files.

use crate::load::stage;
use crate::program::{Program, Said, TABLE, load_job};

fn plan(program: &Program, manifests: &str, more: &[&str]) -> Said {
    let path = program.write("plan.yaml", manifests);
    let mut arguments = vec!["plan", "-f", path.to_str().unwrap()];
    arguments.extend(more);
    program.run(arguments)
}

fn table_rows(program: &Program) -> u64 {
    let said = program.run(["get", "table", "t", "-o", "json"]);
    serde_json::from_str::<serde_json::Value>(&said.out).unwrap()["status"]["rows"].as_u64().unwrap()
}

#[test]
fn a_plan_shows_what_the_load_would_do_and_leaves_no_trace() {
    let (program, _server) = stage(2);
    let manifest = load_job("s3://bucket/d/*.parquet", "");
    let said = plan(&program, &manifest, &["--rows", "2"]);
    assert_eq!(said.code, 0, "{said:?}");
    for words in [
        "dry run of label j into table t",
        "rows: 2000 read, 2000 to load, 0 filtered, 0 unselected; files: 2 of ",
        "s3://bucket/d/0.parquet (parquet, ",
        "columns of 2 files like s3://bucket/d/0.parquet:",
        "first rows as they would be stored:",
        "verdict: it would load (Loaded)",
    ] {
        assert!(said.out.contains(words), "{words}: {said:?}");
    }
    assert_eq!(table_rows(&program), 0);
    let said = program.run(["get", "loadjobs", "-o", "json"]);
    assert!(!said.out.contains("\"j\""), "no object is made: {said:?}");
    // It works for a label that is loaded, and for a table that is not there yet.
    assert_eq!(program.apply_text(&manifest).code, 0);
    assert_eq!(plan(&program, &manifest, &[]).code, 0);
    let other =
        format!("{}---{}", TABLE.replace("name: t}", "name: u}"), manifest.replace("table: t", "table: u"));
    let said = plan(&program, &other, &["-o", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let found: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&found["table"], &found["counts"]["sinkRows"]), (&"u".into(), &2_000.into()));
    assert!(!program.data_dir().join("tables/u").exists());
}

#[test]
fn a_plan_shows_columns_that_the_manifest_adds_and_reads_those_of_files() {
    let (program, _server) = stage(1);
    let job = load_job("s3://bucket/d/*.parquet", "  onMissingColumn: UseDefault");
    assert!(TABLE.contains("\n  key:"), "{TABLE}");
    let wider = TABLE.replace("\n  key:", "\n  - {name: later, type: DATE}\n  key:");
    let said = plan(&program, &format!("{wider}---{job}"), &[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("the manifest of the Table adds the columns: later DATE"), "{said:?}");
    let said = program.run(["get", "table", "t", "-o", "json"]);
    assert!(!said.out.contains("later"), "{said:?}");
    let inferred = "
apiVersion: longshore.dev/v1alpha1
kind: Table
metadata: {name: inferred}
spec:
  inferFrom: {paths: [\"s3://bucket/d/*.parquet\"]}
  distribution: {random: {buckets: 2}}
";
    let job = job.replace("table: t", "table: inferred");
    let said = plan(&program, &format!("{inferred}---{job}"), &[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("rows: 1000 read, 1000 to load"), "{said:?}");
    assert!(!program.data_dir().join("tables/inferred").exists());
}

#[test]
fn a_plan_of_a_load_that_would_fail_fails() {
    let (program, server) = stage(1);
    server.put("bucket", "d/bad.parquet", b"PAR1 no more").unwrap();
    let said = plan(&program, &load_job("s3://bucket/d/*.parquet", ""), &[]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("verdict: it would fail (InvalidParquet): "), "{said:?}");
    assert!(said.out.contains("bad.parquet"), "{said:?}");
    let said = plan(&program, &load_job("s3://bucket/d/*.parquet", "").replace("table: t", "table: no"), &[]);
    assert!(said.code == 1 && said.err.contains("there is no table `no`"), "{said:?}");
    let said = plan(&program, TABLE, &[]);
    assert!(said.code == 1 && said.err.contains("there is no LoadJob"), "{said:?}");
}

#[test]
fn a_dry_run_is_applied_and_loads_once_its_field_is_gone() {
    let (program, _server) = stage(1);
    let said = program.apply_text(&load_job("s3://bucket/d/*.parquet", "  dryRun: {}"));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("verdict: it would load (Loaded)"), "{said:?}");
    let described = program.run(["describe", "loadjob", "j"]);
    assert!(described.out.contains("DryRun") && described.out.contains("FINISHED"), "{described:?}");
    assert_eq!(table_rows(&program), 0);
    let said = program.apply_text(&load_job("s3://bucket/d/*.parquet", ""));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("loaded (label j: 1000 rows"), "{said:?}");
    assert_eq!(table_rows(&program), 1_000);
}

#[test]
fn a_load_that_skipped_a_file_says_which() {
    let (program, server) = stage(2);
    server.put("bucket", "d/bad.parquet", b"PAR1 no more").unwrap();
    let said = program.apply_text(&load_job("s3://bucket/d/*.parquet", "  onFileError: SkipFile"));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("loaded (label j: 2000 rows, version "), "{said:?}");
    assert!(said.out.contains(", 1 files skipped)"), "{said:?}");
    assert!(said.err.contains("skipped s3://bucket/d/bad.parquet: InvalidParquet: "), "{said:?}");
    let described = program.run(["describe", "loadjob", "j"]);
    assert!(described.out.contains("LoadedWithSkippedFiles"), "{described:?}");
    assert!(described.out.contains("SKIPPED_FILES         1"), "{described:?}");
}
