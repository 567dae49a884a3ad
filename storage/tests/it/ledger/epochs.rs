//! A worker that was shut out goes on for a while, and changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use longshore_storage::ledger::{FileEvent, FileState, Ledger};
use longshore_storage::vacuum::VacuumOptions;

use super::support::*;
use crate::log::support::{Place, segment};

#[test]
fn a_batch_commits_only_under_the_newest_epoch() {
    let (place, mut zombie_table) = Place::with_table();
    let mut zombie = begin(&mut zombie_table);
    zombie.record((0..8).map(staged).collect()).unwrap();
    let begun = start(&mut zombie, &zombie_table, &[0, 1]).unwrap();

    let mut table = place.open();
    let mut ledger = begin(&mut table);
    assert_eq!(ledger.epoch().number(), 2);
    assert_eq!(ledger.totals().of(FileState::Loading).files, 0);
    let entry = ledger.reader().find(&key(0)).unwrap().unwrap();
    assert_eq!((entry.state, entry.starts), (FileState::Unloaded, 1));

    // The same files, by the one that holds the epoch and by the one that does not.
    let lost = commit(&mut zombie_table, &begun, vec![segment("zombie", 1)], &[0, 1]).unwrap_err();
    assert_eq!(lost.category(), "PipeEpochLost");
    assert!(lost.to_string().contains("epoch 1 of ledger l is over"), "{lost}");
    load(&mut ledger, &mut table, &[0, 1]);
    let lost = commit(&mut zombie_table, &begun, vec![segment("zombie", 1)], &[0, 1]).unwrap_err();
    assert_eq!(lost.category(), "PipeEpochLost");
    table.refresh().unwrap();
    assert_eq!(table.totals().unwrap().files, 1);
    // No record of the one that was refused is left.
    let records = std::fs::read_dir(place.root.join("_longshore/history")).unwrap().count();
    assert_eq!(records, 1);
}

#[test]
fn what_a_worker_writes_late_is_in_no_ones_way() {
    let (place, mut zombie_table) = Place::with_table();
    let mut zombie = begin(&mut zombie_table);
    let mut loaded = BTreeSet::new();
    for round in 0..3 {
        zombie.record((round * 10..round * 10 + 10).map(staged).collect()).unwrap();
        load(&mut zombie, &mut zombie_table, &[round * 10, round * 10 + 1]);
        loaded.extend([key(round * 10), key(round * 10 + 1)]);
        zombie.fold(&mut zombie_table).unwrap();
    }
    // Committed and not told, before another takes over.
    let batch = start(&mut zombie, &zombie_table, &[5]).unwrap();
    let version = commit(&mut zombie_table, &batch, vec![segment("late", 1)], &[5]).unwrap();
    loaded.insert(key(5));

    let mut table = place.open();
    let mut ledger = begin(&mut table);
    assert_eq!(finished(&known(ledger.reader()).unwrap()), loaded);
    // The zombie goes on in every way that it can.
    let mut others = 100;
    for _ in 0..4 {
        tell(&mut zombie, &batch, version, &[5]).ok();
        zombie.record(vec![(key(7), FileEvent::GivenUp { fault: fault(), now_ms: 9 })]).ok();
        zombie.record((others..others + 9).map(staged).collect()).ok();
        let error = zombie.fold(&mut zombie_table).unwrap_err();
        assert!(["PipeEpochLost", "OutcomeUnknown"].contains(&error.category()), "{error}");
        others += 9;
        load(&mut ledger, &mut table, &[others % 3 + 12]);
        loaded.insert(key(others % 3 + 12));
        assert_eq!(finished(&known(ledger.reader()).unwrap()), loaded);
        ledger.fold(&mut table).unwrap();
        assert_eq!(finished(&known(ledger.reader()).unwrap()), loaded);
    }
    assert_eq!(ledger.reader().state(&key(7)).unwrap(), Some(FileState::Unloaded));
    // The next one finds it as the second left it.
    let before = known(ledger.reader()).unwrap();
    let mut table = place.open();
    let mut ledger = begin(&mut table);
    assert_eq!(ledger.epoch().number(), 3);
    assert_eq!(known(ledger.reader()).unwrap(), before);
    ledger.reader().verify().unwrap();
}

#[test]
fn numbers_go_up_whoever_takes_them() {
    let (place, mut zombie_table) = Place::with_table();
    let mut zombie = begin(&mut zombie_table);
    zombie.record((0..20).map(staged).collect()).unwrap();
    let mut numbers = Vec::new();
    let failed = start(&mut zombie, &zombie_table, &[0]).unwrap();
    numbers.push(failed.number());
    zombie.forget(&failed);
    numbers.push(start(&mut zombie, &zombie_table, &[1]).unwrap().number());
    let mut table = place.open();
    let mut ledger = begin(&mut table);
    // One that the zombie puts is skipped.
    let late = start(&mut zombie, &zombie_table, &[2]).unwrap();
    let batch = start(&mut ledger, &table, &[3]).unwrap();
    assert!(batch.number() > late.number() && late.number() > numbers[1] && numbers[1] > numbers[0]);
    commit(&mut table, &batch, vec![segment("x", 1)], &[3]).unwrap();
    let passed = commit(&mut table, &batch, vec![segment("y", 1)], &[3]);
    // It is in the table already, and stays there once.
    assert_eq!(passed.unwrap(), table.version());
    assert_eq!(table.totals().unwrap().files, 1);
    let mut ledger = begin(&mut table);
    assert!(start(&mut ledger, &table, &[4]).unwrap().number() > batch.number());
}

#[test]
fn vacuum_takes_what_batches_of_older_epochs_left() {
    let (place, mut table) = Place::with_table();
    let mut ledger = begin(&mut table);
    ledger.record((0..4).map(staged).collect()).unwrap();
    load(&mut ledger, &mut table, &[0]);
    let batch = start(&mut ledger, &table, &[1]).unwrap();
    let hash = longshore_storage::load::label_hash(&batch.segment_label());
    let name = format!("{hash}-{}-{}-0-0-f3c0ab920d2d234c.parquet", batch.epoch().number(), batch.number());
    let path = place.root.join("b-00001").join(&name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "rows").unwrap();
    let options = VacuumOptions { min_age: Duration::ZERO, ..VacuumOptions::default() };
    let mut gone = Vec::new();
    let vacuum = |table: &mut longshore_storage::table::Table, gone: &mut Vec<String>| {
        let outcome = table.vacuum(&options, &mut |item| gone.push(item.why.clone())).unwrap();
        (outcome.open_files, path.is_file())
    };
    assert_eq!(vacuum(&mut table, &mut gone), (1, true), "its epoch is the newest: it may commit");
    Ledger::begin(&mut table, LEDGER, SMALL).unwrap();
    assert_eq!(vacuum(&mut table, &mut gone), (0, false));
    assert!(gone.iter().any(|why| why.contains("a newer epoch of its pipe stands")), "{gone:?}");
    // The ledger itself is not touched.
    assert!(Ledger::begin(&mut table, LEDGER, SMALL).unwrap().totals().of(FileState::Finished).files == 1);
}

#[test]
fn vacuum_takes_rejected_rows_of_batches_that_are_over_after_the_retention_time() {
    let (place, mut table) = Place::with_table();
    let mut ledger = begin(&mut table);
    ledger.record((0..4).map(staged).collect()).unwrap();
    load(&mut ledger, &mut table, &[0]);
    let running = start(&mut ledger, &table, &[1]).unwrap();
    let put = |number: u32, epoch: u32| {
        let path = folder(&place.root).join(format!("rejected-{number}-{epoch}.parquet"));
        std::fs::write(&path, "rows").unwrap();
        path
    };
    let (old, open) = (put(1, 1), put(running.number(), 1));
    let vacuum = |table: &mut longshore_storage::table::Table, hours: u64| {
        let retention = Some(Duration::from_secs(hours * 3_600));
        let options = VacuumOptions { retention, min_age: Duration::ZERO, ..VacuumOptions::default() };
        table.vacuum(&options, &mut |_| {}).unwrap();
    };
    vacuum(&mut table, 1);
    assert!(old.is_file() && open.is_file(), "both are young");
    vacuum(&mut table, 0);
    assert!(!old.is_file() && open.is_file(), "the second batch may be committed yet");
    Ledger::begin(&mut table, LEDGER, SMALL).unwrap();
    vacuum(&mut table, 0);
    assert!(!open.is_file());
}
