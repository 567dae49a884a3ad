//! A ledger made from the table's history alone.

use std::time::Duration;

use longshore_storage::ledger::{FileState, Ledger, ledgers};
use longshore_storage::table::CleanOptions;

use super::support::*;
use crate::log::support::Place;

#[test]
fn what_is_lost_by_hand_comes_back_from_the_history() {
    let (place, mut table) = Place::with_table();
    let mut ledger = begin(&mut table);
    ledger.record((0..30).map(staged).collect()).unwrap();
    for from in (0..30).step_by(5) {
        load(&mut ledger, &mut table, &[from, from + 1, from + 2]);
        crate::log::support::load(&mut table, &format!("other{from}"), 1);
        // Most of it is folded and cleaned out of the log by the time it is read.
        if from == 15 {
            table.checkpoint().unwrap();
            crate::log::support::load(&mut table, "between", 1);
            table.checkpoint().unwrap();
            table.clean_log(&CleanOptions { min_age: Duration::ZERO }).unwrap();
        }
    }
    let before = known(ledger.reader()).unwrap();
    assert_eq!(finished(&before).len(), 18);
    for by_hand in [false, true] {
        let mut ledger = if by_hand {
            std::fs::remove_dir_all(folder(&place.root)).unwrap();
            begin(&mut table)
        } else {
            Ledger::rebuild(&mut table, LEDGER, SMALL).unwrap()
        };
        let made = known(ledger.reader()).unwrap();
        assert_eq!(finished(&made), finished(&before));
        assert_eq!(made.len(), 18);
        // Version, rows and batch are those of the commit; when it was listed, no one knows any more.
        for (key, entry) in &made {
            let first = &before[key];
            assert_eq!((entry.version, entry.rows, entry.batch), (first.version, first.rows, first.batch));
        }
        // The next round finds nothing of these to load.
        ledger.record((0..30).map(staged).collect()).unwrap();
        assert_eq!(ledger.totals().of(FileState::Unloaded).files, 12);
        let number = start(&mut ledger, &table, &[3]).unwrap().number();
        assert!(number > 6, "{number} was given before");
    }
    assert_eq!(ledgers(table.files().as_ref(), &place.root).unwrap(), [LEDGER]);
}

#[test]
fn ledgers_of_one_table_do_not_meet() {
    let (_place, mut table) = Place::with_table();
    let mut one = Ledger::begin(&mut table, "l", SMALL).unwrap();
    let mut other = Ledger::begin(&mut table, "l.2", SMALL).unwrap();
    assert_eq!((one.epoch().number(), other.epoch().number()), (1, 1));
    one.record(vec![staged(1)]).unwrap();
    other.record(vec![staged(1)]).unwrap();
    load(&mut one, &mut table, &[1]);
    for mut ledger in
        [Ledger::begin(&mut table, "l.2", SMALL).unwrap(), Ledger::rebuild(&mut table, "l.2", SMALL).unwrap()]
    {
        assert_ne!(ledger.reader().state(&key(1)).unwrap(), Some(FileState::Finished));
    }
    let mut one = Ledger::begin(&mut table, "l", SMALL).unwrap();
    assert_eq!(one.reader().state(&key(1)).unwrap(), Some(FileState::Finished));
}
