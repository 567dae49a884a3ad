//! Loads from an S3 server: once, again, failed, edited, stopped.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int32Array, StringArray};
use arrow::record_batch::RecordBatch;
use longshore_s3server::{BackgroundServer, Fault, FaultKind, Operation, Server};

use crate::files::{write_batch, write_parquet};
use crate::program::{Program, Said, TABLE, load_job};

const ACCESS_KEY: &str = "cli-access-key";
const SECRET_KEY: &str = "cli-secret-value-that-nobody-may-see";

/// A server with `files` objects `s3://bucket/d/<n>.parquet` of 1,000 rows, and a program that knows it by its
/// environment only.
pub fn stage(files: usize) -> (Program, BackgroundServer) {
    let mut program = Program::new();
    let server = Server::builder()
        .data_dir(program.path("s3"))
        .credentials(ACCESS_KEY, SECRET_KEY)
        .bucket("bucket")
        .start_in_background()
        .unwrap();
    let file = program.path("part.parquet");
    write_parquet(&file, 1_000);
    let content = std::fs::read(&file).unwrap();
    for number in 0..files {
        server.put("bucket", &format!("d/{number}.parquet"), &content).unwrap();
    }
    program.set("AWS_ENDPOINT_URL", &server.endpoint());
    program.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
    program.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    program.set("AWS_REGION", "us-east-1");
    assert_eq!(program.apply_text(TABLE).code, 0);
    (program, server)
}

fn status(program: &Program) -> serde_json::Value {
    let said = program.run(["get", "loadjob", "j", "-o", "json"]);
    serde_json::from_str::<serde_json::Value>(&said.out).unwrap()["status"].clone()
}

fn table_rows(program: &Program) -> u64 {
    let said = program.run(["get", "table", "t", "-o", "json"]);
    serde_json::from_str::<serde_json::Value>(&said.out).unwrap()["status"]["rows"].as_u64().unwrap()
}

#[test]
fn a1_a_second_apply_loads_nothing_and_says_so() {
    let (program, server) = stage(3);
    let manifest = load_job("s3://bucket/d/*.parquet", "  label: first");
    let said = program.apply_text(&manifest);
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], "loadjob.longshore.dev/j created");
    assert!(
        lines[1].starts_with("loadjob.longshore.dev/j loaded (label first: 3000 rows, version "),
        "{said:?}"
    );
    assert!(
        lines[2].starts_with("NAME   STATE      PROGRESS    SCAN ROWS   FILTERED   UNSELECTED   SINK ROWS")
    );
    assert!(lines[3].starts_with("j      FINISHED   LOAD:100%   3000        0          0            3000"));
    assert_eq!(table_rows(&program), 3_000);
    server.counters().reset();
    let said = program.apply_text(&manifest);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.starts_with("loadjob.longshore.dev/j unchanged (label first is loaded: 3000 rows, version ")
    );
    assert_eq!(server.counters().all_requests().values().sum::<u64>(), 0);
    assert_eq!(table_rows(&program), 3_000);
}

#[test]
fn a_lost_object_finds_its_load_in_the_log() {
    let (program, _server) = stage(1);
    let manifest = load_job("s3://bucket/d/*.parquet", "");
    assert_eq!(program.apply_text(&manifest).code, 0);
    std::fs::remove_file(program.data_dir().join("objects/loadjobs/j.yaml")).unwrap();
    let said = program.apply_text(&manifest);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.starts_with("loadjob.longshore.dev/j created (label j is loaded: 1000 rows, version "),
        "{said:?}"
    );
    assert_eq!((status(&program)["state"].as_str(), table_rows(&program)), (Some("FINISHED"), 1_000));
}

#[test]
fn a2_a_cancelled_load_starts_again_by_an_edit_only() {
    let (program, server) = stage(0);
    let said = program.apply_text(&load_job("s3://bucket/d/*.parquet", ""));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("loadjob.longshore.dev/j CANCELLED ("), "{said:?}");
    assert!(said.err.contains("s3://bucket/d/*.parquet"), "{said:?}");
    assert_eq!(
        (status(&program)["state"].as_str(), status(&program)["run"].as_u64()),
        (Some("CANCELLED"), Some(1))
    );

    let file = program.path("part.parquet");
    server.put("bucket", "d/0.parquet", std::fs::read(file).unwrap()).unwrap();
    let said = program.apply_text(&load_job("s3://bucket/d/*.parquet", ""));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("raise spec.retry above 0, and apply it again"), "{said:?}");

    let said = program.apply_text(&load_job("s3://bucket/d/*.parquet", "  retry: 1"));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("loadjob.longshore.dev/j configured\n"), "{said:?}");
    assert_eq!(
        (status(&program)["state"].as_str(), status(&program)["run"].as_u64()),
        (Some("FINISHED"), Some(2))
    );
    assert_eq!(table_rows(&program), 1_000);
}

#[test]
fn a_load_that_is_done_is_locked() {
    let (program, _server) = stage(1);
    assert_eq!(program.apply_text(&load_job("s3://bucket/d/*.parquet", "")).code, 0);
    let said = program.apply_text(&load_job("s3://bucket/d/*.parquet", "  strictMode: false"));
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        "standard input: spec: the load is running or done, so its spec is locked; make a LoadJob of another name to load again\nnothing was applied\n"
    );
}

#[test]
fn a_label_belongs_to_one_load_job() {
    let (program, _server) = stage(1);
    assert_eq!(program.apply_text(&load_job("s3://bucket/d/*.parquet", "")).code, 0);
    let other = load_job("s3://bucket/d/*.parquet", "  label: j").replace("name: j", "name: k");
    let said = program.apply_text(&other);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains(
            "spec.label: label `j` of table `t` belongs to loadjob.longshore.dev/j; choose another label"
        ),
        "{said:?}"
    );
}

#[test]
fn too_many_bad_rows_are_shown_by_file_row_and_column() {
    let (program, server) = stage(0);
    let narrow = TABLE.replace("name: t}", "name: narrow}").replace("VARCHAR(3)", "VARCHAR(1)");
    assert_eq!(program.apply_text(&narrow).code, 0);
    let file = program.path("bad.parquet");
    write_parquet(&file, 5);
    server.put("bucket", "bad.parquet", std::fs::read(file).unwrap()).unwrap();
    let manifest = load_job("s3://bucket/bad.parquet", "").replace("table: t", "table: narrow");
    let said = program.apply_text(&manifest);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("CANCELLED (DataQuality)"), "{said:?}");
    assert!(said.err.contains("s3://bucket/bad.parquet row 1: column name: "), "{said:?}");
    let described = program.run(["describe", "loadjob", "j"]).out;
    for part in ["ERROR_TYPE", "DataQuality", "First errors:", "FILTERED_ROWS         5"] {
        assert!(described.contains(part), "{part}: {described}");
    }
}

#[test]
fn the_secret_is_written_and_said_nowhere() {
    let (program, _server) = stage(1);
    let manifest = load_job("s3://bucket/d/*.parquet", "");
    let mut said = vec![program.apply_text(&manifest)];
    said.push(program.run(["describe", "loadjob", "j"]));
    said.push(program.run(["get", "loadjobs", "-o", "yaml"]));
    for said in said {
        assert!(!said.out.contains(SECRET_KEY) && !said.err.contains(SECRET_KEY));
    }
    let mut folders = vec![program.data_dir()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                let secret = SECRET_KEY.as_bytes();
                assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", path.display());
            }
        }
    }
}

#[test]
fn a_wrong_key_names_bucket_and_code() {
    let (mut program, _server) = stage(1);
    program.set("AWS_SECRET_ACCESS_KEY", "wrong");
    let said = program.apply_text(&load_job("s3://bucket/d/*.parquet", ""));
    assert_eq!(said.code, 1);
    assert!(said.err.contains("bucket") && said.err.contains("SignatureDoesNotMatch"), "{said:?}");
}

#[test]
fn a_preview_reads_from_the_store_too() {
    let (program, _server) = stage(2);
    let said = program.run(["files", "s3://bucket/d/*.parquet", "--rows", "1"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("| 0  | n0   |"), "{said:?}");
    let said = program.run(["files", "s3://bucket/d/*.parquet", "--schema"]);
    assert!(said.out.starts_with("2 files, "), "{said:?}");
}

#[test]
fn ctrl_c_stops_cleanly_and_the_next_apply_goes_on() {
    let (program, server) = stage(4);
    let slow = Fault::new(FaultKind::Slow { bytes_per_second: 64 }).on(Operation::GetObject);
    let slow = server.faults().add(slow);
    let path = program.write("j.yaml", &load_job("s3://bucket/d/*.parquet", ""));
    let mut command = program.command(["apply", "-f", path.to_str().unwrap()]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.counters().requests(Operation::GetObject) == 0 {
        assert!(Instant::now() < deadline, "the load never began to read");
        std::thread::yield_now();
    }
    let held = program.apply(&[&path]);
    assert_eq!(held.code, 1);
    assert!(held.err.contains("is being loaded by another longshore process"), "{held:?}");

    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let said = Said::of(&child.wait_with_output().unwrap());
    assert_eq!(said.code, 130, "{said:?}");
    assert!(said.err.contains("stopped: nothing of it is visible; apply it again"), "{said:?}");
    assert_eq!(status(&program)["state"], "PENDING");

    server.faults().remove(slow);
    let said = program.apply(&[&path]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(table_rows(&program), 4_000);
}

#[test]
fn a_killed_load_is_pending_and_goes_on_even_after_an_edit() {
    let (program, server) = stage(2);
    let slow = Fault::new(FaultKind::Slow { bytes_per_second: 64 }).on(Operation::GetObject);
    let slow = server.faults().add(slow);
    let path = program.write("j.yaml", &load_job("s3://bucket/d/*.parquet", ""));
    let mut command = program.command(["apply", "-f", path.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.counters().requests(Operation::GetObject) == 0 {
        assert!(Instant::now() < deadline, "the load never began to read");
        std::thread::yield_now();
    }
    assert_eq!(status(&program)["state"], "LOADING");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(status(&program)["state"], "PENDING");

    server.faults().remove(slow);
    let said = program.apply_text(&load_job("s3://bucket/d/0.parquet", ""));
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!((status(&program)["run"].as_u64(), table_rows(&program)), (Some(2), 1_000));
}

#[test]
fn the_example_loads() {
    let (program, server) = stage(0);
    let numbers = || Arc::new(Int32Array::from(vec![1, 1, 2])) as ArrayRef;
    let texts = |values: [&str; 3]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("UserID", numbers()),
        ("ItemID", numbers()),
        ("CategoryID", numbers()),
        ("BehaviorType", texts(["pv", "buy", "pv"])),
        ("Timestamp", texts(["2017-11-25 01:21:25", "2017-11-25 07:04:53", "2017-11-25 07:49:06"])),
    ]);
    let file = program.path("example.parquet");
    write_batch(&file, &batch.unwrap());
    let key = "user-behavior-10-million-rows/part-0.parquet";
    server.put("starrocks-examples", key, std::fs::read(file).unwrap()).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/user-behavior");
    let said = program.apply(&[&example]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("loaded (label user_behavior: 3 rows, version "), "{said:?}");
}

const PARTITIONED: &str = "
apiVersion: longshore.dev/v1alpha1
kind: Table
metadata: {name: parts}
spec:
  columns:
  - {name: id, type: INT}
  - {name: name, type: VARCHAR(3)}
  partitionBy:
  - list:
      columns: [name]
      partitions:
      - {name: even, values: [n0, n2, n4, n6, n8, null]}
      - {name: odd, values: [n1, n3, n5, n7, n9]}
      - {name: empty, values: [\"\"]}
  distribution: {hash: {columns: [id], buckets: 2}}
";

#[test]
fn partitions_are_described() {
    let (program, _server) = stage(1);
    let said = program.apply_text(PARTITIONED);
    assert_eq!(said.code, 0, "{said:?}");
    let load = load_job("s3://bucket/d/*.parquet", "").replace("table: t", "table: parts");
    let said = program.apply_text(&load);
    assert_eq!(said.code, 0, "{said:?}");
    let said = program.run(["describe", "table", "parts"]);
    let (_, listed) = said.out.split_once("Partitions (3):").unwrap_or_else(|| panic!("{said:?}"));
    let rows: Vec<Vec<&str>> =
        listed.lines().skip(1).take(4).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "VALUES", "ROWS", "BYTES", "FILES"]);
    assert_eq!((rows[1][0], rows[1][1], rows[1][3]), ("even", "500", "2"));
    assert_eq!((rows[2][0], rows[2][1], rows[2][3]), ("odd", "500", "2"));
    assert_eq!(rows[3], ["empty", "0", "0", "0"]);
    assert!(said.out.contains("TABLETS               4"), "{said:?}");

    // A fault names the partition by its place in the manifest.
    let said = program.apply_text(&PARTITIONED.replace("name: parts", "name: other").replace("n9", "n0"));
    assert!(said.code != 0 && said.err.contains("spec.partitionBy[0].list.partitions[1]"), "{said:?}");
    assert!(said.err.contains("the value (n0) is in `even` already"), "{said:?}");
}

#[test]
fn a_table_takes_its_columns_from_files() {
    let (program, server) = stage(2);
    let inferred = "
apiVersion: longshore.dev/v1alpha1
kind: Table
metadata: {name: inferred}
spec:
  inferFrom:
    paths: [\"s3://bucket/d/*.parquet\"]
    columns: [{name: name, type: VARCHAR(3)}]
  distribution: {hash: {columns: [id], buckets: 2}}
";
    let said = program.apply_text(inferred);
    assert_eq!((said.code, said.out.as_str()), (0, "table.longshore.dev/inferred created\n"), "{said:?}");
    let json = program.run(["get", "table", "inferred", "-o", "json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let columns = &json["status"]["columns"];
    assert_eq!(columns[0]["name"], "id");
    assert_eq!(
        (&columns[0]["type"], &columns[0]["origin"]),
        (&"INT".into(), &"Inferred".into()),
        "{columns}"
    );
    assert_eq!(columns[1]["type"], "VARCHAR(3)");
    let job = load_job("s3://bucket/d/*.parquet", "").replace("table: t", "table: inferred");
    assert_eq!(program.apply_text(&job).code, 0);
    // The files are asked once.
    drop(server);
    let said = program.apply_text(inferred);
    assert_eq!((said.code, said.out.as_str()), (0, "table.longshore.dev/inferred unchanged\n"), "{said:?}");
}
