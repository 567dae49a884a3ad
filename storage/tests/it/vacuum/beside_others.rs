//! Vacuum beside loads and compactions that go on, or were paused.

use std::sync::Arc;

use longshore_storage::table::{CompactionOutcome, DropReason, LoadMode, Maintenance, Table};

use super::support::{
    AT_ONCE, commit_with, is_there, load, nothing_named_is_missing, vacuum, write_output, write_segment,
};
use crate::log::faulty::Faulty;
use crate::log::support::Place;

#[test]
fn a_compaction_that_slept_through_a_vacuum_commits_nothing() {
    let (place, _) = Place::with_table();
    let input = load(&place, "l", LoadMode::Append);
    let mut compacting = place.open();
    let epoch = compacting.next_epoch(Maintenance::Compact).unwrap();
    let output = write_output(&place.root, epoch.number(), 0);
    vacuum(&place, &AT_ONCE);
    assert!(!is_there(&place, &output));
    let schema = Arc::clone(compacting.schema());
    let ended = compacting.commit_compaction(&epoch, &schema, &[input], vec![output]).unwrap();
    assert!(matches!(ended, CompactionOutcome::Dropped { why: DropReason::NewerEpoch { .. } }), "{ended:?}");
    nothing_named_is_missing(&place);
}

#[test]
fn a_compaction_that_commits_while_vacuum_looks_keeps_its_files() {
    let (place, _) = Place::with_table();
    let place = Arc::new(place);
    let input = load(&place, "l", LoadMode::Append);
    let mut compacting = place.open();
    let epoch = compacting.next_epoch(Maintenance::Compact).unwrap();
    let output = write_output(&place.root, epoch.number(), 0);
    let left = write_output(&place.root, epoch.number(), 1);
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    let committed = output.clone();
    // It has found both unnamed, and is about to take the next epoch.
    faulty.pause_at("link .000", move || {
        let schema = Arc::clone(compacting.schema());
        let ended = compacting.commit_compaction(&epoch, &schema, &[input], vec![committed]).unwrap();
        assert!(matches!(ended, CompactionOutcome::Committed { .. }), "{ended:?}");
    });
    table.vacuum(&AT_ONCE, &mut |_| {}).unwrap();
    assert!(is_there(&place, &output) && !is_there(&place, &left));
    nothing_named_is_missing(&place);
}

#[test]
fn a_load_that_begins_or_commits_while_vacuum_looks_keeps_its_files() {
    for call in ["list table", "list b-00001", "list loads", "list history", "sync_dir _delta_log", "remove "]
    {
        let (place, mut table) = Place::with_table();
        let place = Arc::new(place);
        let closed = table.claim("closed", 1).unwrap();
        write_segment(&place.root, &closed, 0);
        let claim = table.claim("l", 1).unwrap();
        let segment = write_segment(&place.root, &claim, 0);
        table.claim("closed", 2).unwrap();
        let (faulty, files) = Faulty::shared();
        let mut vacuuming = Table::open(files, &place.root).unwrap();
        let meanwhile = Arc::clone(&place);
        faulty.pause_at(call, move || {
            commit_with(&mut table, &claim, vec![segment], LoadMode::Append);
            load(&meanwhile, "new", LoadMode::Append);
        });
        vacuuming.vacuum(&AT_ONCE, &mut |_| {}).unwrap();
        assert_eq!(place.open().segments().unwrap().len(), 2, "{call}");
        nothing_named_is_missing(&place);
    }
}

#[test]
fn two_vacuums_at_once_are_in_no_ones_way() {
    for call in ["list b-00001", "remove ", "link .000"] {
        let (place, mut table) = Place::with_table();
        let place = Arc::new(place);
        for n in 0..3 {
            let claim = table.claim("l", n + 1).unwrap();
            write_segment(&place.root, &claim, 0);
            write_output(&place.root, 1, n);
        }
        let (faulty, files) = Faulty::shared();
        let mut first = Table::open(files, &place.root).unwrap();
        let meanwhile = Arc::clone(&place);
        faulty.pause_at(call, move || {
            vacuum(&meanwhile, &AT_ONCE);
        });
        first.vacuum(&AT_ONCE, &mut |_| {}).unwrap();
        let outcome = vacuum(&place, &AT_ONCE);
        assert_eq!((outcome.total().files, outcome.open_files), (0, 1), "{call}");
    }
}

#[test]
fn a_tablets_folder_that_is_removed_while_a_load_begins_is_made_again() {
    use crate::compact::support::{narrow, narrow_rows};
    let schema = narrow();
    let (place, _) = crate::compact::support::Place::with_table(schema.definition());
    let (faulty, files) = Faulty::shared();
    let mut table = place.open_through(files);
    let root = place.root.clone();
    let hash = longshore_storage::load::label_hash("l");
    faulty.pause_at(&format!("create {hash}"), move || {
        let folders = ["b-00000", "b-00001"].map(|name| root.join(name));
        let removed = folders.iter().filter(|folder| std::fs::remove_dir(folder).is_ok()).count();
        assert!(removed > 0);
    });
    let rows = [narrow_rows(&schema, 0, 100)];
    crate::compact::support::load(&mut table, "l", Default::default(), &rows);
    assert_eq!(place.open().totals().unwrap().rows, 100);
}
