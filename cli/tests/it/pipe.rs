//! Pipes on the command line: applied until they are finished, asked, put back.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int32Array, StringArray};
use arrow::record_batch::RecordBatch;

use crate::load::stage;
use crate::program::Program;

/// No wait of these tests takes longer, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

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
    assert!(unknown.code == 1 && unknown.err.contains("no path of its source matches it"), "{unknown:?}");
    let later = why("s3://bucket/d/later.parquet");
    assert!(
        later.code == 1 && later.err.contains("unknown: it was not there when the pipe listed"),
        "{later:?}"
    );

    // The same by SQL, with conditions that the ledger answers and such that it does not.
    let sql = |statement: &str| program.run(["sql", statement, "--format", "csv"]).out;
    assert_eq!(
        sql("SELECT LOAD_STATE, COUNT(*) AS n, SUM(LOADED_ROWS) AS r FROM information_schema.pipe_files \
             GROUP BY LOAD_STATE ORDER BY n"),
        "LOAD_STATE,n,r\nERROR,1,\nFINISHED,3,3000\n"
    );
    assert_eq!(
        sql("SELECT file_name, error_type FROM information_schema.pipe_files WHERE load_state = 'ERROR' \
             AND pipe_name IN ('p', 'q') AND file_size > 1"),
        "FILE_NAME,ERROR_TYPE\ns3://bucket/d/bad.parquet,InvalidParquet\n"
    );
    assert_eq!(
        sql(
            "SELECT COUNT(*) AS n FROM information_schema.pipe_files WHERE FILE_NAME = 's3://bucket/d/0.parquet' \
             AND FINISH_LOAD_TIME >= STAGED_TIME AND FILE_VERSION <> ''"
        ),
        "n\n1\n"
    );
    assert_eq!(
        sql("SELECT COUNT(*) AS n FROM information_schema.pipe_files WHERE PIPE_NAME = 'q'"),
        "n\n0\n"
    );
    assert_eq!(
        sql("SELECT PIPE_NAME, TABLE_NAME, STATE, LOADED_FILES, ERROR_FILES FROM information_schema.pipes"),
        "PIPE_NAME,TABLE_NAME,STATE,LOADED_FILES,ERROR_FILES\np,t,ERROR,3,1\n"
    );
    let told = sql("SELECT LOAD_STATUS, PROPERTIES FROM information_schema.pipes");
    assert!(told.contains("loadedFiles") && told.contains("batch_files"), "{told}");

    // Mended under its name: another ETag, so another file; the bad one can be put back and is gone.
    let good = std::fs::read(program.path("part.parquet")).unwrap();
    server.put("bucket", "d/bad.parquet", &good).unwrap();
    let put = program.run(["pipe", "retry", "p"]);
    assert!(put.out.contains("1 file of pipe.longshore.dev/p waits again"), "{put:?}");
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

#[test]
fn keys_with_anything_in_them_are_loaded_once_also_after_their_ledger_was_lost() {
    let (program, server) = stage(0);
    let file = program.path("part.parquet");
    crate::files::write_parquet(&file, 10);
    let bytes = std::fs::read(&file).unwrap();
    let keys = ["a,b", "a \"b\" 'c'", "line\nend", "ünï😀", "%2C+a"];
    for key in keys {
        server.put("bucket", &format!("d/{key}.parquet"), &bytes).unwrap();
    }
    let said = program.apply_text(PIPE);
    assert_eq!(said.code, 0, "{said:?}");
    let rows = || program.run(["sql", "SELECT COUNT(*) AS n FROM t", "--format", "csv"]).out;
    assert_eq!(rows(), "n\n50\n");
    for key in keys {
        let uri = format!("s3://bucket/d/{key}.parquet");
        let why = program.run(["pipe", "why", &uri]);
        assert!(why.out.contains("loaded: 10 rows"), "{why:?}");
        let quoted = uri.replace('\'', "''");
        let told =
            format!("SELECT LOAD_STATE FROM information_schema.pipe_files WHERE FILE_NAME = '{quoted}'");
        assert_eq!(program.run(["sql", &told, "--format", "csv"]).out, "LOAD_STATE\nFINISHED\n");
    }
    std::fs::remove_dir_all(program.data_dir().join("tables/t/_longshore/pipes/p")).unwrap();
    assert_eq!(program.run(["pipe", "rebuild-ledger", "p"]).code, 0);
    assert_eq!(program.apply_text(PIPE).code, 0);
    assert_eq!(rows(), "n\n50\n");
}

#[test]
fn the_example_is_applied_as_a_folder() {
    let (program, server) = stage(0);
    server.create_bucket("starrocks-examples").unwrap();
    let file = program.path("behavior.parquet");
    let numbers = || -> ArrayRef { Arc::new(Int32Array::from(vec![1, 2, 3])) };
    let texts = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text; 3])) };
    let columns = [
        ("UserID", numbers()),
        ("ItemID", numbers()),
        ("CategoryID", numbers()),
        ("BehaviorType", texts("pv")),
        ("Timestamp", texts("2017-11-25 01:21:25")),
    ];
    crate::files::write_batch(&file, &RecordBatch::try_from_iter(columns).unwrap());
    let key = "user-behavior-10-million-rows/part-0.parquet";
    server.put("starrocks-examples", key, std::fs::read(&file).unwrap()).unwrap();
    for name in ["table.yaml", "pipe.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/pipe").join(name);
        let text = std::fs::read_to_string(path).unwrap();
        // Else it looks for more for ever.
        program.write(&format!("example/{name}"), &text.replace("autoIngest: true", "autoIngest: false"));
    }
    let said = program.apply(&[&program.path("example")]);
    assert!(said.code == 0 && said.out.contains("FINISHED (1 files loaded)"), "{said:?}");
    let count = program.run(["sql", "SELECT COUNT(*) AS n FROM user_behavior_from_pipe", "--format", "csv"]);
    assert_eq!(count.out, "n\n3\n");
}

#[test]
fn a56_files_are_put_back_while_the_pipe_runs_here() {
    let (program, server) = stage(1);
    server.put("bucket", "d/bad.parquet", b"PAR1 and no more").unwrap();
    let manifest = PIPE.replace("autoIngest: false", "autoIngest: true\n  pollIntervalSeconds: 3600");
    let path = program.write("pipe.yaml", &manifest);
    let told = program.path("told");
    let mut command = program.command(["apply", "-f", path.to_str().unwrap()]);
    let mut child = command.stderr(File::create(&told).unwrap()).stdout(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    let mut until = |what: &str, is: &dyn Fn() -> bool| {
        while !is() {
            let ended = child.try_wait().unwrap();
            let said = std::fs::read_to_string(&told).unwrap();
            assert!(ended.is_none() && begin.elapsed() < PATIENCE, "not {what}: {ended:?} {said}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let is_given_up = || program.run(["pipe", "files", "p", "--state", "ERROR"]).out.contains("bad.parquet");
    until("given up", &is_given_up);
    assert!(program.run(["pipe", "retry", "p"]).out.contains("1 file of pipe.longshore.dev/p waits again"));
    until("begun anew", &|| std::fs::read_to_string(&told).unwrap().contains("it begins anew"));
    until("given up again", &is_given_up);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a56_what_is_put_back_after_the_end_is_loaded_by_the_next_apply() {
    let (program, server) = stage(1);
    let good = std::fs::read(program.path("part.parquet")).unwrap();
    for key in ["d/a.parquet", "d/b.parquet"] {
        server.put("bucket", key, &good).unwrap();
    }
    // The files are good, and the spec is not: they are no JSON.
    let bad = PIPE.replace("source: {", "source: {format: {json: {}}, ");
    let said = program.apply_text(&bad);
    assert!(said.code == 1 && said.err.contains("3 files in ERROR"), "{said:?}");
    let state = || status(&program)["state"].as_str().map(str::to_owned);
    assert_eq!(state().as_deref(), Some("ERROR"));
    // Nothing was put back: a mended spec alone does not try them again.
    let said = program.apply_text(PIPE);
    assert!(said.code == 1 && said.err.contains("(0 loaded)"), "{said:?}");

    let retry = |more: &[&str]| program.run([&["pipe", "retry", "p"], more].concat());
    let put = retry(&["--file", "s3://bucket/d/a.parquet"]);
    assert_eq!(put.out, "1 file of pipe.longshore.dev/p waits again\n", "{put:?}");
    let said = program.apply_text(PIPE);
    assert!(said.out.contains("p unchanged") && said.err.contains("2 files in ERROR (1 loaded)"), "{said:?}");
    assert_eq!(retry(&[]).out, "2 files of pipe.longshore.dev/p wait again\n");
    assert_eq!(retry(&[]).out, "no file of pipe.longshore.dev/p is in ERROR\n");
    let said = program.apply_text(PIPE);
    assert!(said.code == 0 && said.out.contains("FINISHED (3 files loaded)"), "{said:?}");
    assert_eq!(state().as_deref(), Some("FINISHED"));
    let rows = program.run(["sql", "SELECT COUNT(*) AS n FROM t", "--format", "csv"]);
    assert_eq!(rows.out, "n\n3000\n");
}
