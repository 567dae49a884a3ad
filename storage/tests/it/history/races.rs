//! Several processes that fold and load at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longshore_storage::history::HistoryFilter;
use longshore_storage::table::Table;

use super::support::{half_folded, is_loaded, load_some, loaded, names, told};
use crate::log::faulty::Faulty;
use crate::log::support::{Place, load};

/// A folding that is paused before a call, while others load more and fold everything.
fn paused_before(call: &str) {
    let (place, _) = half_folded();
    let place = Arc::new(place);
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    let meanwhile = Arc::clone(&place);
    faulty.pause_at(call, move || {
        let mut other = meanwhile.open();
        load_some(&mut other, "c", 2);
        other.fold_history().unwrap();
        assert_eq!(told(&other).len(), 12);
    });
    table.fold_history().unwrap();
    let mut opened = place.open();
    assert_eq!(told(&opened).len(), 12, "{call}");
    opened.fold_history().unwrap();
    assert_eq!(told(&opened).len(), 12, "{call}");
    let (single, folded) = names(&place.root);
    assert_eq!((single.len(), folded.len()), (0, 1), "{call}: {single:?} {folded:?}");
    for label in ["a0", "b3", "c1"] {
        assert!(is_loaded(&opened, label), "{call}: {label}");
    }
}

#[test]
fn a_folding_that_others_overtake_adds_nothing_and_removes_nothing_of_theirs() {
    for call in [
        "list history",
        "open 0",
        "create .folded-",
        "open folded-",
        "sync .folded-",
        "open .folded-",
        "link .folded-",
        "sync_dir history",
        "remove .folded-",
    ] {
        paused_before(call);
    }
}

/// The commits of what is folded are cleaned, so that nothing else tells of them.
#[test]
fn listings_that_miss_a_folded_file_are_not_believed() {
    let (place, _) = half_folded();
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    table.checkpoint().unwrap();
    for version in 0..=4 {
        std::fs::remove_file(place.commit(version)).unwrap();
    }
    faulty.overlook("folded-", 2);
    assert_eq!(told(&table).len(), 9);
    for label in ["a0", "b3"] {
        faulty.overlook("folded-", 2);
        assert!(is_loaded(&table, label), "{label}");
    }
    faulty.overlook("folded-", 1);
    table.fold_history().unwrap();
    assert_eq!((told(&table).len(), names(&place.root).1.len()), (9, 1));
}

/// The record is gone from its own file, and several listings in a row do not show what took its place.
#[test]
fn a_record_that_is_folded_while_it_is_looked_for_is_found() {
    let (place, _) = half_folded();
    let (faulty, files) = Faulty::shared();
    let table = Table::open(files, &place.root).unwrap();
    let mut entries = table.history(&HistoryFilter::default()).unwrap();
    place.open().fold_history().unwrap();
    faulty.overlook("folded-", 6);
    assert_eq!(entries.by_ref().map(Result::unwrap).count(), 9);
}

#[test]
fn loads_and_foldings_at_once_tell_every_label_once() {
    let (place, _) = Place::with_table();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loading: Vec<_> = ["x", "y"]
            .map(|prefix| {
                let place = &place;
                scope.spawn(move || {
                    let mut table = place.open();
                    for number in 0..60 {
                        load(&mut table, &format!("{prefix}{number}"), 1);
                    }
                })
            })
            .into();
        for _ in 0..2 {
            scope.spawn(|| {
                let mut table = place.open();
                while !over.load(Ordering::Relaxed) {
                    table.fold_history().unwrap();
                }
            });
        }
        scope.spawn(|| {
            let mut table = place.open();
            while !over.load(Ordering::Relaxed) {
                table.refresh().unwrap();
                let mut labels = loaded(&table);
                let count = labels.len();
                labels.sort();
                labels.dedup();
                assert_eq!(labels.len(), count);
            }
        });
        for loader in loading {
            loader.join().unwrap();
        }
        over.store(true, Ordering::Relaxed);
    });
    let mut table = place.open();
    table.fold_history().unwrap();
    assert_eq!(loaded(&table).len(), 120);
    assert_eq!(names(&place.root).0.len(), 0);
    assert!(is_loaded(&table, "x0") && is_loaded(&table, "y59"));
}
