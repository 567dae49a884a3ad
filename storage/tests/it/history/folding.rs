//! One process that folds.

use std::fs;

use longshore_storage::history::{HistoryFilter, HistoryOutcome};
use longshore_storage::table::LabelState;

use super::support::{half_folded, is_loaded, load_some, loaded, names, told};
use crate::log::support::{Place, failed_record, load};

#[test]
fn what_is_folded_is_told_as_before_and_the_single_records_are_gone() {
    let (place, mut table) = Place::with_table();
    load_some(&mut table, "l", 5);
    let before = told(&table);
    assert_eq!(before.iter().map(|entry| entry.version).collect::<Vec<_>>(), [2, 4, 6, 8, 10, 11]);
    assert_eq!(before[5].operation, "CLOSE RUN");
    assert_eq!(before[5].record.outcome, HistoryOutcome::Failed);
    assert_eq!(names(&place.root).0.len(), 6);

    let outcome = table.fold_history().unwrap();
    assert_eq!((outcome.records, outcome.folded_to), (6, Some(11)));
    let (single, folded) = names(&place.root);
    assert_eq!((single.len(), folded.len()), (0, 1), "{single:?} {folded:?}");
    assert!(folded[0].starts_with("folded-00000000000000000000-00000000000000000011-"), "{folded:?}");
    assert_eq!(told(&table), before);
    assert_eq!(told(&place.open()), before);
    assert_eq!(table.fold_history().unwrap().records, 0);
    assert_eq!(names(&place.root).1, folded, "nothing new: nothing is written");
}

#[test]
fn the_history_is_filtered_by_label_and_versions() {
    let (place, before) = half_folded();
    let table = place.open();
    let filtered = |filter: HistoryFilter| -> Vec<u64> {
        table.history(&filter).unwrap().map(|entry| entry.unwrap().version).collect()
    };
    for entry in &before {
        let label = Some(entry.record.label.clone());
        assert_eq!(filtered(HistoryFilter { label, ..Default::default() }), [entry.version]);
    }
    let range = HistoryFilter { from_version: 4, to_version: Some(10), ..Default::default() };
    let expected: Vec<u64> = before.iter().map(|e| e.version).filter(|v| (4..=10).contains(v)).collect();
    assert_eq!(filtered(range.clone()), expected);
    assert_eq!(filtered(HistoryFilter { label: Some("a0".to_owned()), ..range }), Vec::<u64>::new());
}

#[test]
fn a_label_is_answered_from_the_folded_history_after_its_commit_is_gone() {
    let (place, mut table) = Place::with_table();
    load_some(&mut table, "l", 5);
    table.checkpoint().unwrap();
    let before = table.label("l2").unwrap();
    assert!(matches!(before, LabelState::Loaded { version: 6, .. }), "{before:?}");
    table.fold_history().unwrap();
    for version in 0..=table.version() {
        fs::remove_file(place.commit(version)).unwrap();
    }
    let opened = place.open();
    assert_eq!(opened.label("l2").unwrap(), before);
    assert_eq!(opened.label("l-failed").unwrap(), LabelState::Closed { run: 1 });
    assert_eq!(opened.label("never").unwrap(), LabelState::Unknown);
    assert_eq!(loaded(&opened).len(), 5);
    // Its figures are what a second load of the label is answered with.
    let claim = place.open().claim("l2", 2).unwrap_err();
    assert_eq!(claim.category(), "AlreadyLoaded");
}

#[test]
fn a_commit_that_is_in_the_tail_finds_its_folded_record() {
    let (place, mut table) = Place::with_table();
    load(&mut table, "l", 7);
    let other = place.open();
    table.fold_history().unwrap();
    assert!(is_loaded(&other, "l"));
    assert!(is_loaded(&place.open(), "l"));
}

#[test]
fn a_record_that_no_commit_names_is_not_folded() {
    let (place, mut table) = Place::with_table();
    load_some(&mut table, "l", 2);
    let (single, _) = names(&place.root);
    let name = single.iter().find(|name| name.contains("-1-1-")).unwrap().replacen("-1-1-", "-9-1-", 1);
    let unnamed = place.root.join("_longshore/history").join(&name);
    fs::write(&unnamed, serde_json::to_vec(&failed_record("l0", 9)).unwrap()).unwrap();
    table.fold_history().unwrap();
    assert_eq!(told(&table).len(), 3);
    assert_eq!(names(&place.root).0, [name], "whether it may go is for vacuum to say");
}

#[test]
fn a_record_that_is_missing_or_changed_stops_the_folding_and_nothing_is_removed() {
    let (place, mut table) = Place::with_table();
    load_some(&mut table, "l", 3);
    let folder = place.root.join("_longshore/history");
    let before = names(&place.root);
    let path = folder.join(&before.0[1]);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, String::from_utf8(bytes.clone()).unwrap().replace("\"run\":1", "\"run\":2")).unwrap();
    assert_eq!(table.fold_history().unwrap_err().category(), "DamagedHistory");
    fs::remove_file(&path).unwrap();
    assert_eq!(table.fold_history().unwrap_err().category(), "DamagedHistory");
    fs::write(&path, bytes).unwrap();
    assert_eq!(names(&place.root), before);
    assert_eq!(table.fold_history().unwrap().records, 4);
}

#[test]
fn a_folded_file_that_is_damaged_is_left_and_folding_goes_on() {
    let (place, _) = half_folded();
    let (_, folded) = names(&place.root);
    let path = place.root.join("_longshore/history").join(&folded[0]);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let mut table = place.open();
    assert_eq!(table.fold_history().unwrap().records, 5);
    assert_eq!(names(&place.root).1.len(), 2);
    // What can be read is given, what cannot is said.
    let entries: Vec<_> = table.history(&HistoryFilter::default()).unwrap().collect();
    assert_eq!(entries.iter().filter(|entry| entry.is_ok()).count(), 5);
    assert_eq!(entries[0].as_ref().unwrap_err().category(), "DamagedHistory");
}
