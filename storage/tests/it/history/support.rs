//! What the history tells, and what lies in its folder.

use std::path::Path;

use longshore_storage::history::{HistoryEntry, HistoryFilter, HistoryOutcome};
use longshore_storage::table::{LabelState, Table};

use crate::log::support::{Place, failed_record, load};

/// The whole history.
pub fn told(table: &Table) -> Vec<HistoryEntry> {
    table.history(&HistoryFilter::default()).unwrap().map(Result::unwrap).collect()
}

/// Labels of the history that were loaded.
pub fn loaded(table: &Table) -> Vec<String> {
    let entries = told(table).into_iter().filter(|entry| entry.record.outcome == HistoryOutcome::Loaded);
    entries.map(|entry| entry.record.label).collect()
}

/// Names in the folder: records in files of their own, and folded files.
pub fn names(root: &Path) -> (Vec<String>, Vec<String>) {
    let entries = std::fs::read_dir(root.join("_longshore/history")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".tmp")).collect();
    names.sort();
    names.into_iter().partition(|name| name.ends_with(".json"))
}

/// Loads `prefix0`, `prefix1`, ... and closes the run of one more label without success.
pub fn load_some(table: &mut Table, prefix: &str, count: u64) {
    for number in 0..count {
        load(table, &format!("{prefix}{number}"), number + 1);
    }
    let failed = format!("{prefix}-failed");
    table.close_run(&failed, 1, None, failed_record(&failed, 1)).unwrap();
}

/// Whether a label is loaded, with the record that it was loaded with.
pub fn is_loaded(table: &Table, label: &str) -> bool {
    match table.label(label).unwrap() {
        LabelState::Loaded { record, .. } => record.label == label,
        _ => false,
    }
}

/// A table with some loads that are folded and some that are not.
pub fn half_folded() -> (Place, Vec<HistoryEntry>) {
    let (place, mut table) = Place::with_table();
    load_some(&mut table, "a", 3);
    table.fold_history().unwrap();
    load_some(&mut table, "b", 4);
    let entries = told(&table);
    assert_eq!(entries.len(), 9);
    (place, entries)
}
