//! Claims, closing, and who may commit.

use std::sync::Arc;
use std::time::SystemTime;

use longshore_storage::history::HistoryOutcome;
use longshore_storage::table::{
    ClaimError, CloseOutcome, CommitError, CommitOutcome, LabelState, TableError,
};

use super::support::{Place, commit, failed_record, load, load_of};

#[test]
fn each_claim_shuts_out_the_one_before() {
    let (place, mut first) = Place::with_table();
    let mut second = place.open();
    let old = first.claim("l", 1).unwrap();
    let new = second.claim("l", 1).unwrap();
    assert_eq!((old.attempt(), new.attempt()), (1, 2));
    let lost = commit(&mut first, &old, 1).unwrap_err();
    assert!(matches!(lost, CommitError::ClaimLost { run: 1, attempt: 1, .. }), "{lost}");
    assert!(lost.to_string().contains("attempt 2"), "{lost}");
    assert!(matches!(commit(&mut second, &new, 2).unwrap(), CommitOutcome::Committed { .. }));
    assert_eq!(place.open().totals().unwrap().rows, 2);
    // The record of the attempt that was shut out did not stay.
    assert_eq!(std::fs::read_dir(place.root.join("_longshore/history")).unwrap().count(), 1);
}

#[test]
fn a_loaded_label_is_never_loaded_again() {
    let (place, mut table) = Place::with_table();
    let stale = table.claim("l", 1).unwrap();
    let version = load(&mut place.open(), "l", 4);
    let ClaimError::AlreadyLoaded { record, version: found } = table.claim("l", 2).unwrap_err() else {
        panic!()
    };
    assert_eq!((found, record.counts.sink_rows, record.attempt), (version, 4, 2));
    let outcome = commit(&mut table, &stale, 1).unwrap();
    assert!(matches!(outcome, CommitOutcome::AlreadyLoaded { .. }), "{outcome:?}");
    let closed = table.close_run("l", 1, None, failed_record("l", 1)).unwrap();
    assert!(matches!(closed, CloseOutcome::AlreadyLoaded { .. }), "{closed:?}");
}

#[test]
fn the_same_commit_twice_is_one() {
    let (place, mut table) = Place::with_table();
    let claim = table.claim("l", 1).unwrap();
    let first = commit(&mut table, &claim, 3).unwrap();
    let again = commit(&mut place.open(), &claim, 3).unwrap();
    assert_eq!(first, again);
    assert_eq!(place.open().totals().unwrap().files, 1);
}

#[test]
fn a_closed_run_is_over_and_the_next_one_may_claim() {
    let (place, mut table) = Place::with_table();
    let claim = table.claim("l", 1).unwrap();
    let outcome = table.close_run("l", 1, Some(&claim), failed_record("l", 1)).unwrap();
    assert_eq!(outcome, CloseOutcome::Closed { version: 2 });
    assert_eq!(place.open().label("l").unwrap(), LabelState::Closed { run: 1 });
    assert!(matches!(commit(&mut table, &claim, 1), Err(CommitError::ClaimLost { .. })));
    assert!(matches!(table.claim("l", 1), Err(ClaimError::RunPassed { run: 1, .. })));
    let claim = table.claim("l", 2).unwrap();
    assert_eq!((claim.run(), claim.attempt()), (2, 1));
    assert!(matches!(table.claim("l", 1), Err(ClaimError::RunPassed { run: 2, .. })));
    // A closed run stays closed: closing it again says so and writes nothing.
    let again = table.close_run("l", 1, None, failed_record("l", 1)).unwrap();
    assert_eq!(again, CloseOutcome::Superseded);
}

#[test]
fn a_worker_that_was_shut_out_does_not_close() {
    let (place, mut table) = Place::with_table();
    let old = table.claim("l", 1).unwrap();
    place.open().claim("l", 1).unwrap();
    let outcome = table.close_run("l", 1, Some(&old), failed_record("l", 1)).unwrap();
    assert_eq!(outcome, CloseOutcome::Superseded);
    // A cancel shuts out whoever holds the claim, and a run that nobody has claimed yet.
    let outcome = table.close_run("l", 1, None, failed_record("l", 1)).unwrap();
    assert!(matches!(outcome, CloseOutcome::Closed { .. }));
    let outcome = table.close_run("never", 1, None, failed_record("never", 1)).unwrap();
    assert!(matches!(outcome, CloseOutcome::Closed { .. }));
    assert!(matches!(table.claim("never", 1), Err(ClaimError::RunPassed { run: 1, .. })));
}

#[test]
fn a_worker_whose_rows_were_committed_by_its_twin_does_not_close() {
    let (place, mut table) = Place::with_table();
    let claim = table.claim("l", 1).unwrap();
    commit(&mut place.open(), &claim, 3).unwrap();
    let outcome = table.close_run("l", 1, Some(&claim), failed_record("l", 1)).unwrap();
    assert!(matches!(outcome, CloseOutcome::AlreadyLoaded { version: 2, .. }), "{outcome:?}");
}

#[test]
fn nothing_is_committed_past_the_deadline() {
    let (place, mut table) = Place::with_table();
    let claim = table.claim("l", 1).unwrap();
    let mut late = load_of(&table, &claim, 1);
    late.deadline = Some(SystemTime::now());
    assert!(matches!(table.commit_load(&claim, late), Err(CommitError::DeadlinePassed { .. })));
    assert_eq!(place.open().version(), 1);
}

#[test]
fn a_load_of_no_files_may_be_committed() {
    let (place, mut table) = Place::with_table();
    let claim = table.claim("l", 1).unwrap();
    let mut empty = load_of(&table, &claim, 0);
    empty.segments.clear();
    table.commit_load(&claim, empty).unwrap();
    assert!(matches!(place.open().label("l").unwrap(), LabelState::Loaded { .. }));
}

#[test]
fn segments_of_another_schema_are_refused() {
    let (place, mut table) = Place::with_table();
    let claim = table.claim("l", 1).unwrap();
    let mut load = load_of(&table, &claim, 1);
    let mut other = super::support::definition();
    other.columns[1].data_type = longshore_storage::types::DataType::Int;
    load.schema = Arc::new(longshore_storage::schema::TableSchema::new(other));
    let error = table.commit_load(&claim, load).unwrap_err();
    assert_eq!(error.category(), "SchemaChanged");
    assert_eq!(place.open().version(), 1);
}

#[test]
fn a_label_that_is_no_name_is_refused() {
    let (_place, mut table) = Place::with_table();
    let error = table.claim("../x", 1).unwrap_err();
    assert_eq!(error.category(), "InvalidLabel");
    assert!(matches!(table.label(""), Err(TableError::InvalidLabel { .. })));
}

#[test]
fn a_failed_run_leaves_a_record_that_its_commit_names() {
    let (place, mut table) = Place::with_table();
    table.close_run("l", 1, None, failed_record("l", 1)).unwrap();
    let commit = std::fs::read_to_string(place.commit(1)).unwrap();
    let info: serde_json::Value = serde_json::from_str(commit.lines().next().unwrap()).unwrap();
    let record = &info["commitInfo"]["longshore"]["record"];
    let text = std::fs::read_to_string(place.root.join(record["path"].as_str().unwrap())).unwrap();
    let record: longshore_storage::history::HistoryRecord = serde_json::from_str(&text).unwrap();
    assert_eq!((record.outcome, record.read_version), (HistoryOutcome::Failed, 0));
}
