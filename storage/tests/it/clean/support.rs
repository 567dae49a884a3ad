//! A log with something to clean.

use std::time::Duration;

use longshore_storage::history::HistoryEntry;
use longshore_storage::load::Segment;
use longshore_storage::table::{CleanOptions, CleanOutcome, Table};

use crate::history::support::{is_loaded, load_some, told};
use crate::log::faulty::Faulty;
use crate::log::support::{Place, load};

/// Removes what is not needed, however young.
pub const AT_ONCE: CleanOptions = CleanOptions { min_age: Duration::ZERO };

/// What a table tells.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub version: u64,
    pub segments: Vec<Segment>,
    pub history: Vec<HistoryEntry>,
}

pub fn tells(table: &Table) -> Told {
    for label in ["a0", "a2", "b0", "b2", "c"] {
        assert!(is_loaded(table, label), "{label}");
    }
    Told { version: table.version(), segments: table.segments().unwrap(), history: told(table) }
}

/// Versions 0 to 16, checkpoints of 7 and 14.
pub fn with_two_checkpoints() -> (Place, Told) {
    let (place, mut table) = Place::with_table();
    load_some(&mut table, "a", 3);
    assert_eq!(table.checkpoint().unwrap(), 7);
    load_some(&mut table, "b", 3);
    assert_eq!(table.checkpoint().unwrap(), 14);
    load(&mut table, "c", 9);
    let told = tells(&table);
    assert_eq!(told.version, 16);
    (place, told)
}

/// Versions whose commits are there, and those whose checkpoints are.
pub fn versions(place: &Place) -> (Vec<u64>, Vec<u64>) {
    let mut versions = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(place.log()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        match name.split_once('.') {
            Some((version, "json")) => versions.0.push(version.parse().unwrap()),
            Some((version, "checkpoint.parquet")) => versions.1.push(version.parse().unwrap()),
            _ => {}
        }
    }
    versions.0.sort_unstable();
    versions.1.sort_unstable();
    versions
}

/// Opens a table whose files are as old as their contents.
pub fn open_as_written(place: &Place) -> Table {
    let (faulty, files) = Faulty::shared();
    faulty.forget_times_of_names();
    Table::open(files, &place.root).unwrap()
}

pub fn clean(place: &Place) -> CleanOutcome {
    place.open().clean_log(&AT_ONCE).unwrap()
}
