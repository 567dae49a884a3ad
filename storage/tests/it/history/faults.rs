//! A folding that ends at each call to the volume in turn.

use std::io::ErrorKind;

use longshore_storage::history::HistoryEntry;
use longshore_storage::table::Table;

use super::support::{half_folded, is_loaded, names, told};
use crate::log::faulty::{Fault, Faulty};
use crate::log::support::Place;

fn ends_at_every_call(end: impl Fn(&Faulty, usize)) {
    for number in 0.. {
        let (place, before) = half_folded();
        let (faulty, files) = Faulty::shared();
        let mut table = Table::open(files, &place.root).unwrap();
        end(&faulty, number);
        let folded = table.fold_history();
        let calls = faulty.calls();
        let what = format!("at call {number}, {:?}: {folded:?}", calls.get(number));
        nothing_is_lost(&place, &before, &what);
        place.open().fold_history().unwrap();
        nothing_is_lost(&place, &before, &what);
        let (single, folded_files) = names(&place.root);
        assert_eq!((single.len(), folded_files.len()), (0, 1), "{what}: {single:?} {folded_files:?}");
        if calls.len() <= number {
            folded.unwrap();
            assert!(number > 30, "{calls:#?}");
            return;
        }
    }
}

fn nothing_is_lost(place: &Place, before: &[HistoryEntry], what: &str) {
    let table = place.open();
    assert_eq!(told(&table), before, "{what}");
    for label in ["a0", "a2", "b0", "b3"] {
        assert!(is_loaded(&table, label), "{label} {what}");
    }
}

#[test]
fn a_process_that_dies_at_every_call_loses_nothing_and_the_next_completes() {
    ends_at_every_call(Faulty::die_at);
}

#[test]
fn an_error_at_every_call_loses_nothing_and_the_next_completes() {
    ends_at_every_call(|faulty, number| faulty.fail_at(number, Fault::Fails(ErrorKind::StorageFull)));
    ends_at_every_call(|faulty, number| faulty.fail_at(number, Fault::LostReply(ErrorKind::TimedOut)));
}

#[test]
fn nothing_is_removed_before_what_holds_it_is_durable_and_read_back() {
    let (place, _) = half_folded();
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    faulty.calls();
    table.fold_history().unwrap();
    let calls = faulty.calls();
    let steps = [
        "sync_dir _delta_log",
        "create .folded-",
        "sync .folded-",
        "open .folded-",
        "link .folded-",
        "remove .folded-",
        "sync_dir history",
    ];
    let mut rest = calls.iter();
    for step in steps {
        assert!(rest.any(|call| call.starts_with(step)), "{step} is not in its place in {calls:#?}");
    }
    let removed = |call: &&String| call.starts_with("remove") && !call.starts_with("remove .folded");
    assert_eq!(rest.filter(removed).count(), 6, "five records and the smaller file");
    assert_eq!(calls.iter().filter(removed).count(), 6);
}
