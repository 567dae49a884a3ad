//! A label names one load of a table, for good.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use longshore_crds::{LoadReport, Outcome, exit};
use longshore_storage::history::{HistoryOutcome, HistoryRecord};
use longshore_storage::table::{CommitOutcome, LoadCommit, LoadMode};

use crate::world::{SERVER, World, batch, column, definition};

fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn world() -> World {
    let world = World::with_table(&definition(vec![column("n", "BIGINT")]));
    world.put_batch("a.parquet", &batch(vec![("n", numbers(0..100))]));
    world
}

fn assert_loaded(report: &LoadReport, rows: u64) {
    assert_eq!(report.outcome, Outcome::Loaded, "{report:?}");
    assert_eq!((report.exit_code, report.reason.as_str()), (exit::LOADED, "Loaded"));
    assert_eq!(report.counts.sink_rows, rows);
}

#[test]
fn a01_the_same_label_again_loads_nothing_and_says_so() {
    let world = world();
    let first = world.load(world.request("daily", "*.parquet"));
    assert_loaded(&first, 100);
    world.put_batch("b.parquet", &batch(vec![("n", numbers(100..200))]));
    let requests_before = requests_to(&world.bucket);
    let second = world.load(world.request("daily", "*.parquet"));
    assert_eq!((second.outcome, second.exit_code), (Outcome::AlreadyLoaded, exit::LOADED));
    assert_eq!(second.counts, first.counts, "the figures are the first run's");
    assert_eq!(second.table_version, first.table_version);
    assert_eq!(requests_to(&world.bucket), requests_before, "the store was not asked");
    assert_eq!(world.row_count(), 100);
}

/// GETs of this bucket: other tests use the same server.
fn requests_to(bucket: &str) -> usize {
    SERVER.counters().gets().iter().filter(|get| get.bucket == bucket).count()
}

#[test]
fn a02_after_a_failed_run_the_next_run_loads_once() {
    let world = world();
    world.put("b.parquet", b"this is no Parquet file");
    let failed = world.load(world.request("daily", "*.parquet"));
    assert_eq!((failed.outcome, failed.exit_code), (Outcome::Failed, exit::SOURCE), "{failed:?}");
    assert_eq!(world.row_count(), 0);

    world.put_batch("b.parquet", &batch(vec![("n", numbers(100..150))]));
    let passed = world.load(world.request("daily", "*.parquet"));
    assert_eq!(
        (passed.reason.as_str(), passed.exit_code),
        ("RunPassed", exit::CLAIM_LOST),
        "the run is closed"
    );
    let mut next = world.request("daily", "*.parquet");
    next.run = 2;
    assert_loaded(&world.load(next), 150);
    assert_eq!(world.row_count(), 150);
}

#[test]
fn a04_a_label_is_known_after_1001_loads_and_their_checkpoints() {
    let world = world();
    assert_loaded(&world.load(world.request("first", "*.parquet")), 100);
    // The other loads bring nothing: only their claims and commits matter here.
    let mut table = world.table();
    for number in 0..1_001 {
        let label = format!("label-{number}");
        let claim = table.claim(&label, 1).unwrap();
        let load = LoadCommit {
            segments: Vec::new(),
            schema: Arc::clone(table.schema()),
            record: HistoryRecord::new(&label, 1, claim.attempt(), HistoryOutcome::Loaded),
            deadline: None,
            mode: LoadMode::Append,
            new_columns: Vec::new(),
        };
        assert!(matches!(table.commit_load(&claim, load).unwrap(), CommitOutcome::Committed { .. }));
        table.checkpoint_if_due().unwrap();
    }
    let checkpoints = std::fs::read_dir(world.root().join("_delta_log"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".checkpoint."))
        .count();
    assert!(checkpoints >= 3, "{checkpoints} checkpoints");
    for label in ["first", "label-0", "label-500", "label-1000"] {
        let again = world.load(world.request(label, "*.parquet"));
        assert_eq!(again.outcome, Outcome::AlreadyLoaded, "{label}: {again:?}");
    }
    assert_eq!(world.row_count(), 100);
}

#[test]
fn labels_are_per_table_and_may_differ_in_case() {
    let world = world();
    assert_loaded(&world.load(world.request("daily", "*.parquet")), 100);
    assert_loaded(&world.load(world.request("Daily", "*.parquet")), 100);
    assert_eq!(world.row_count(), 200);
}
