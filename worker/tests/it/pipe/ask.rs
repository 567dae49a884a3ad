//! What a pod of `kubectl longshore pipe` answers: the built program on the table's folder.

use std::process::{Command, Stdio};
use std::time::Instant;

use longshore_crds::exit;
use serde_json::json;

use super::{PATIENCE, file, ledger, numbers, request, run, world};
use crate::process::spawn;
use crate::world::World;
use longshore_storage::ledger::FileState;

/// Exit code, what it prints, and the termination message.
fn ask(world: &World, question: &[&str]) -> (i32, String, String) {
    let message = world.folder.path().join("termination");
    std::fs::write(&message, "").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_longshore-worker"))
        .args(["ask", "--pipe", "p", "--ledger", "p"])
        .args(question)
        .env("LONGSHORE_TABLE_DIR", world.root())
        .env("LONGSHORE_TERMINATION_MESSAGE", &message)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), printed, std::fs::read_to_string(&message).unwrap())
}

#[test]
fn every_key_has_an_answer() {
    let world = world();
    world.put("in/a, \"b\".parquet", file(0..3));
    world.put("in/bad.parquet", b"PAR1 and no more");
    run(&world, &request(&world, "in/*.parquet", |_| {}));
    let uri = |key: &str| format!("s3://{}/in/{key}", world.bucket);
    let (code, printed, _) = ask(&world, &["why", &uri("a, \"b\".parquet")]);
    assert!(code == 0 && printed.contains("loaded: 3 rows, version "), "{printed}");
    let (_, printed, _) = ask(&world, &["why", &uri("bad.parquet")]);
    assert!(printed.contains("quarantined: ") && printed.contains("InvalidParquet"), "{printed}");
    assert_eq!(ask(&world, &["why", &uri("other.parquet")]), (0, String::new(), String::new()));
    let (_, printed, _) = ask(&world, &["files", "--state=ERROR"]);
    assert!(printed.contains("bad.parquet") && !printed.contains("a, "), "{printed}");
    // What goes wrong is in the termination message alone.
    let (code, printed, message) = ask(&world, &["retry", "--file", &uri("other.parquet")]);
    assert_eq!((code, printed.as_str()), (exit::TABLE_REFUSED.into(), ""));
    assert!(message.contains("does not know"), "{message}");

    // It waits when it is put back, with what was wrong with it.
    assert_eq!(ask(&world, &["retry"]).0, 0);
    let (_, printed, _) = ask(&world, &["why", &uri("bad.parquet")]);
    assert!(
        printed.contains("waiting for its attempt 1 ") && printed.contains("InvalidParquet"),
        "{printed}"
    );
}

#[test]
fn a56_files_are_put_back_while_the_worker_runs_and_waits() {
    let world = world();
    world.put("in/good.parquet", file(0..3));
    world.put("in/late.parquet", b"PAR1 and no more");
    let request = request(&world, "in/*.parquet", |spec| {
        spec["autoIngest"] = json!(true);
        spec["pollIntervalSeconds"] = json!(3600);
    });
    let mut worker = spawn(&world, "pipe", &request);
    let begin = Instant::now();
    let stands = |state| ledger(&world).iter().filter(|(_, entry)| entry.state == state).count();
    while stands(FileState::Error) != 1 || stands(FileState::Finished) != 1 {
        assert!(begin.elapsed() < PATIENCE, "{:?}", ledger(&world));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(ask(&world, &["retry"]).0, 0);
    // It has nothing to write, and hears of it all the same: its successor begins with the file.
    let ended = loop {
        if let Some(status) = worker.try_wait().unwrap() {
            break status.code();
        }
        assert!(begin.elapsed() < PATIENCE, "the worker does not hear that files were put back");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert_eq!(ended, Some(exit::CLAIM_LOST.into()));
    assert_eq!(stands(FileState::Unloaded), 1);
    assert_eq!(numbers(&world), [0, 1, 2]);
}
