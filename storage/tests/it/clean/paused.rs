//! Writers and readers that were paused while others cleaned.

use std::sync::Arc;

use longshore_storage::table::{CleanOptions, CommitOutcome, LabelState, Table};
use sha2::{Digest, Sha256};

use super::support::{AT_ONCE, clean, open_as_written, tells, versions, with_two_checkpoints};
use crate::history::support::{is_loaded, load_some, loaded, names};
use crate::log::faulty::Faulty;
use crate::log::support::{Place, commit, load_of};
use crate::vacuum::support::age;

/// Others load, make two checkpoints and clean.
fn others_go_on_and_clean(place: &Place) {
    let mut others = open_as_written(place);
    for prefix in ["x", "y"] {
        load_some(&mut others, prefix, 4);
        others.checkpoint().unwrap();
    }
    // A day later; but what a paused writer is about to link has just been written.
    for version in 0..=others.version() {
        if place.commit(version).exists() {
            age(&place.commit(version), 25);
        }
    }
    assert!(others.clean_log(&CleanOptions::default()).unwrap().commits > 0);
}

#[test]
fn a_load_below_a_cleaning_is_committed_above_and_its_ghost_is_cleaned() {
    let place = Arc::new(Place::with_table().0);
    let (faulty, files) = Faulty::shared();
    let mut paused = Table::open(files, &place.root).unwrap();
    let claim = paused.claim("paused", 1).unwrap();
    let meanwhile = Arc::clone(&place);
    faulty.pause_at("link .00000000000000000002", move || others_go_on_and_clean(&meanwhile));
    let CommitOutcome::Committed { version } = commit(&mut paused, &claim, 9).unwrap() else { panic!() };
    assert!(version > 10 && place.commit(2).exists());
    let mut table = place.open();
    load_some(&mut table, "z", 2);
    table.checkpoint().unwrap();
    table.clean_log(&AT_ONCE).unwrap();
    assert!(!place.commit(2).exists());
    assert!(is_loaded(&place.open(), "paused") && is_loaded(&place.open(), "x0"));
    let labels = loaded(&place.open());
    assert_eq!(labels.iter().filter(|label| *label == "paused").count(), 1);
    assert_eq!(labels.len(), 11);
    assert_eq!(names(&place.root).0.len(), 0);
}

#[test]
fn a_process_that_was_paused_before_it_folded_takes_no_ghost_for_a_commit() {
    let place = Arc::new(Place::with_table().0);
    let mut table = place.open();
    load_some(&mut table, "a", 1);
    // So large that no later folding takes it along: only the second look at the folder tells.
    let claim = table.claim("large", 1).unwrap();
    let mut load = load_of(&table, &claim, 1);
    load.record.rejected = (0_u32..4_000).map(|n| hex::encode(Sha256::digest(n.to_le_bytes()))).collect();
    table.commit_load(&claim, load).unwrap();
    let claim = table.claim("last", 1).unwrap();
    assert_eq!(table.fold_history().unwrap().folded_to, Some(6));
    commit(&mut table, &claim, 1).unwrap();
    let (faulty, files) = Faulty::shared();
    let mut folding = Table::open(files, &place.root).unwrap();
    let meanwhile = Arc::clone(&place);
    // Others fold and clean the version that it is about to read; a paused writer's ghost has its name, and
    // a record that is there.
    faulty.pause_at("open 00000000000000000007.json", move || {
        others_go_on_and_clean(&meanwhile);
        let record =
            r#"{"version":1,"label":"ghost","run":1,"attempt":1,"outcome":"Loaded","readVersion":1}"#;
        let path = "_longshore/history/00000000000000bb-1-1-00000000000000aa-1.json";
        std::fs::write(meanwhile.root.join(path), record).unwrap();
        let sha256 = hex::encode(Sha256::digest(record));
        let named = format!(r#"{{"path":"{path}","sha256":"{sha256}"}}"#);
        let own = format!(r#"{{"label":"ghost","run":1,"attempt":1,"counts":{{}},"record":{named}}}"#);
        let ghost = format!(r#"{{"commitInfo":{{"longshore":{own}}}}}"#);
        std::fs::write(meanwhile.commit(7), ghost + "\n").unwrap();
    });
    assert_eq!(folding.fold_history().unwrap().records, 0);
    let table = place.open();
    assert!(!loaded(&table).contains(&"ghost".to_owned()));
    assert_eq!(loaded(&table).len(), 11);
    assert_eq!(table.label("ghost").unwrap(), LabelState::Unknown);
}

#[test]
fn two_that_clean_at_once_are_in_no_ones_way() {
    for call in ["remove 00000000000000000003.json", "open 00000000000000000004.json", "list history"] {
        let (place, before) = with_two_checkpoints();
        let place = Arc::new(place);
        let (faulty, files) = Faulty::shared();
        let mut table = Table::open(files, &place.root).unwrap();
        table.fold_history().unwrap();
        let meanwhile = Arc::clone(&place);
        faulty.pause_at(call, move || {
            clean(&meanwhile);
        });
        table.clean_log(&AT_ONCE).unwrap();
        assert_eq!(tells(&place.open()), before, "{call}");
        assert_eq!(versions(&place).0, (7..=16).collect::<Vec<_>>(), "{call}");
    }
}

#[test]
fn a_snapshot_whose_commits_are_gone_says_so() {
    let (place, mut table) = Place::with_table();
    load_some(&mut table, "a", 3);
    let snapshot = place.open();
    let segments = snapshot.segments().unwrap();
    assert_eq!(segments.len(), 3);
    others_go_on_and_clean(&place);
    assert_eq!(snapshot.segments().unwrap_err().category(), "SnapshotExpired");
    assert_eq!(snapshot.totals().unwrap_err().category(), "SnapshotExpired");

    // The same from a checkpoint that is gone.
    let snapshot = place.open();
    others_go_on_and_clean_again(&place);
    assert_eq!(snapshot.segments().unwrap_err().category(), "SnapshotExpired");
    let mut refreshed = snapshot;
    refreshed.refresh().unwrap();
    assert!(refreshed.segments().unwrap().len() > segments.len());
}

fn others_go_on_and_clean_again(place: &Place) {
    let mut others = place.open();
    for prefix in ["p", "q", "r"] {
        load_some(&mut others, prefix, 2);
        others.checkpoint().unwrap();
    }
    assert!(others.clean_log(&AT_ONCE).unwrap().checkpoints > 0);
}
