//! Pipes on the command line: applied until they are finished, asked, put back.

use crate::load::stage;
use crate::program::Program;

const PIPE: &str = "\
apiVersion: longshore.dev/v1alpha1
kind: Pipe
metadata: {name: p}
spec:
  table: t
  source: {paths: ['s3://bucket/d/*.parquet'], s3: {forcePathStyle: true}}
  autoIngest: false
  batchFiles: 2
  retry: {maxAttempts: 1}
";

fn status(program: &Program) -> serde_json::Value {
    let said = program.run(["get", "pipe", "p", "-o", "json"]);
    serde_json::from_str::<serde_json::Value>(&said.out).unwrap()["status"].clone()
}

#[test]
fn a_pipe_is_loaded_once_asked_and_made_again() {
    let (program, server) = stage(3);
    let said = program.apply_text(PIPE);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("pipe.longshore.dev/p created"), "{said:?}");
    assert!(said.out.contains("pipe.longshore.dev/p FINISHED (3 files loaded)"), "{said:?}");
    let again = program.apply_text(PIPE);
    assert!(again.out.contains("p unchanged") && again.out.contains("(3 files loaded)"), "{again:?}");
    let table = program.run(["get", "table", "t", "-o", "json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&table.out).unwrap()["status"]["rows"], 3_000);
    assert_eq!(
        (status(&program)["state"].as_str(), status(&program)["loadedFiles"].as_u64()),
        (Some("FINISHED"), Some(3))
    );

    // One file that is bad: it alone stands in ERROR, and every question has an answer.
    server.put("bucket", "d/bad.parquet", b"PAR1 and no more").unwrap();
    let said = program.apply_text(PIPE);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("1 files in ERROR"), "{said:?}");
    let files = program.run(["pipe", "files", "p", "--state", "ERROR"]);
    assert!(
        files.out.contains("s3://bucket/d/bad.parquet") && files.out.contains("InvalidParquet"),
        "{files:?}"
    );
    let why = |file: &str| program.run(["pipe", "why", file]);
    assert!(
        why("s3://bucket/d/bad.parquet").out.contains("given up"),
        "{:?}",
        why("s3://bucket/d/bad.parquet")
    );
    assert!(why("s3://bucket/d/0.parquet").out.contains("loaded: 1000 rows, version "));
    let unknown = why("s3://bucket/other");
    assert!(unknown.code == 1 && unknown.err.contains("no pipe of this data directory knows"), "{unknown:?}");

    // Mended under its name: another ETag, so another file; the bad one can be put back and is gone.
    let good = std::fs::read(program.path("part.parquet")).unwrap();
    server.put("bucket", "d/bad.parquet", &good).unwrap();
    let put = program.run(["pipe", "retry", "p"]);
    assert!(put.out.contains("1 files of pipe.longshore.dev/p wait again"), "{put:?}");
    let said = program.apply_text(PIPE);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(status(&program)["loadedFiles"].as_u64(), Some(4));

    // The ledger is lost: the history tells what is loaded, and nothing is loaded twice.
    std::fs::remove_dir_all(program.data_dir().join("tables/t/_longshore/pipes/p")).unwrap();
    let rebuilt = program.run(["pipe", "rebuild-ledger", "p"]);
    assert!(rebuilt.out.contains("4 files are loaded"), "{rebuilt:?}");
    let said = program.apply_text(PIPE);
    assert!(said.out.contains("(4 files loaded)"), "{said:?}");
    let table = program.run(["get", "table", "t", "-o", "json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&table.out).unwrap()["status"]["rows"], 4_000);
    assert!(program.run(["describe", "pipe", "p"]).out.contains("LOADED_FILES"));
}

#[test]
fn a52_bounds_of_a_pipe_are_refused_by_their_field() {
    let program = Program::new();
    for (field, value) in [("batchFiles: 2", "batchFiles: 1025"), ("batchFiles: 2", "pollIntervalSeconds: 0")]
    {
        let said = program.apply_text(&PIPE.replace(field, value));
        let name = value.split(':').next().unwrap();
        assert!(said.code == 1 && said.err.contains(&format!("spec.{name}")), "{said:?}");
    }
}
