//! A run is closed from outside: cancel, timeout, resolve.

use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use longshore_crds::{ClosingOutcome, LoadReport, Outcome, exit};
use longshore_storage::history::{HistoryFilter, HistoryOutcome};
use longshore_storage::table::LabelState;
use longshore_worker::load::{CloseRequest, close};

use crate::world::{World, batch, column, definition};

fn world() -> World {
    let world = World::with_table(&definition(vec![column("n", "BIGINT")]));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
    world.put_batch("a.parquet", &batch(vec![("n", numbers)]));
    world
}

fn request(run: u32) -> CloseRequest {
    CloseRequest {
        label: "daily".to_owned(),
        run,
        outcome: ClosingOutcome::Cancelled,
        reason: "UserCancelled".to_owned(),
        message: "spec.cancel is true".to_owned(),
    }
}

fn close_run(world: &World, run: u32) -> LoadReport {
    close(&request(run), &world.root())
}

#[test]
fn a_closed_run_never_loads_and_the_next_one_does() {
    let world = world();
    let closed = close_run(&world, 1);
    assert_eq!((closed.outcome, closed.closed, closed.exit_code), (Outcome::Failed, true, exit::LOADED));
    assert_eq!((closed.label.as_str(), closed.run, closed.reason.as_str()), ("daily", 1, "UserCancelled"));
    // The same again changes nothing.
    let version = world.table().version();
    assert!(close_run(&world, 1).closed);
    assert_eq!(world.table().version(), version);

    let late = world.load(world.request("daily", "*.parquet"));
    assert_eq!((late.reason.as_str(), late.newest_run, late.closed), ("RunPassed", Some(1), false));
    assert_eq!(late.exit_code, exit::CLAIM_LOST);
    let mut next = world.request("daily", "*.parquet");
    next.run = 2;
    assert_eq!(world.load(next).outcome, Outcome::Loaded);
    assert_eq!(world.row_count(), 100);
}

#[test]
fn closing_shuts_out_whoever_holds_the_claim() {
    let world = world();
    let claim = world.table().claim("daily", 1).unwrap();
    assert!(close_run(&world, 1).closed);
    let state = world.table().label("daily").unwrap();
    assert_eq!(state, LabelState::Closed { run: claim.run() });
    let mut history = world.table().history(&HistoryFilter::default()).unwrap();
    let record = history.next().unwrap().unwrap().record;
    assert_eq!(record.outcome, HistoryOutcome::Cancelled);
    assert_eq!(record.error.unwrap().category, "UserCancelled");
}

#[test]
fn a_loaded_label_stays_loaded_and_its_figures_are_told() {
    let world = world();
    let loaded = world.load(world.request("daily", "*.parquet"));
    let told = close_run(&world, 1);
    assert_eq!((told.outcome, told.closed, told.exit_code), (Outcome::AlreadyLoaded, false, exit::LOADED));
    assert_eq!((told.counts, told.table_version), (loaded.counts, loaded.table_version));
    assert_eq!(told.times.commit, loaded.times.commit);
    assert_eq!(world.row_count(), 100);
}

#[test]
fn a_higher_run_is_not_closed_but_named() {
    let world = world();
    world.table().claim("daily", 4).unwrap();
    let told = close_run(&world, 2);
    assert_eq!((told.exit_code, told.reason.as_str()), (exit::CLAIM_LOST, "RunPassed"));
    assert_eq!((told.closed, told.newest_run), (false, Some(4)));
}

#[test]
fn a_failure_for_good_says_that_it_closed_its_run() {
    let world = world();
    world.put("b.parquet", b"this is no Parquet file");
    let failed = world.load(world.request("daily", "*.parquet"));
    assert_eq!((failed.exit_code, failed.closed), (exit::SOURCE, true), "{failed:?}");
}

#[test]
fn without_a_table_nothing_is_said_of_the_outcome() {
    let world = World::new();
    let told = close_run(&world, 1);
    assert_eq!((told.outcome, told.closed), (Outcome::Unknown, false));
    assert_ne!(told.exit_code, exit::LOADED);
}

#[test]
fn the_command_writes_its_report_where_the_kubelet_looks() {
    let world = world();
    let message = world.folder.path().join("termination-log");
    let output = Command::new(env!("CARGO_BIN_EXE_longshore-worker"))
        .args(["close", "--label=daily", "--run=3", "--outcome=timed-out", "--reason=Timeout"])
        .arg(format!("--message={}", "it was \"too\" slow"))
        .env("LONGSHORE_TABLE_DIR", world.root())
        .env("LONGSHORE_TERMINATION_MESSAGE", &message)
        .env("LONGSHORE_LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(i32::from(exit::LOADED)), "{output:?}");
    let report: LoadReport = serde_json::from_slice(&std::fs::read(message).unwrap()).unwrap();
    assert_eq!((report.run, report.closed, report.reason.as_str()), (3, true, "Timeout"));
    assert_eq!(world.table().label("daily").unwrap(), LabelState::Closed { run: 3 });
}
