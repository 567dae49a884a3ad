//! What was done with the objects of loaded files, and how far that came.

use longshore_storage::ledger::{OpenFile, Settled};

use super::support::*;
use crate::log::support::Place;

fn kept(root: &std::path::Path) -> Vec<std::path::PathBuf> {
    let name = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files(root).into_iter().filter(|path| name(path).starts_with("after-load-")).collect()
}

#[test]
fn what_is_settled_outlives_its_worker_and_damage_means_that_nothing_is() {
    let (place, mut table) = Place::with_table();
    let mut ledger = begin(&mut table);
    assert_eq!(ledger.settled(&table).unwrap(), Settled::default());
    let version = load(&mut ledger, &mut table, &[1, 2]);
    let open = OpenFile { attempts: 2, due_ms: 7, key: key(1).key.into(), ..OpenFile::default() };
    let settled = |done| Settled {
        version: 1,
        next_version: version + 1,
        files: 2,
        done,
        left: 0,
        open: vec![open.clone()],
    };
    ledger.put_settled(&settled(0)).unwrap();
    ledger.put_settled(&settled(1)).unwrap();
    assert_eq!(ledger.settled(&table).unwrap(), settled(1));
    // The worker of an older epoch comes after the newer one for no one.
    let newer = begin(&mut table);
    assert_eq!(newer.settled(&table).unwrap(), settled(1));
    newer.put_settled(&settled(2)).unwrap();
    ledger.put_settled(&settled(1)).unwrap();
    assert_eq!(newer.settled(&table).unwrap(), settled(2));
    newer.put_settled(&settled(3)).unwrap();
    assert_eq!(kept(&place.root).len(), 1, "those before are gone");
    // A table that was put back knows less.
    newer.put_settled(&Settled { next_version: table.version() + 2, ..settled(3) }).unwrap();
    assert_eq!(newer.settled(&table).unwrap(), Settled::default());
    newer.put_settled(&settled(3)).unwrap();
    std::fs::write(kept(&place.root).pop().unwrap(), b"{\"version\":").unwrap();
    assert_eq!(newer.settled(&table).unwrap(), Settled::default());
}

#[test]
fn loaded_batches_are_told_in_the_order_of_their_commits() {
    let (_place, mut table) = Place::with_table();
    let mut ledger = begin(&mut table);
    let first = load(&mut ledger, &mut table, &[1, 2]);
    crate::log::support::load(&mut table, "other", 1);
    let second = load(&mut ledger, &mut table, &[3]);
    let told = |from: u64| {
        let batches = ledger.loaded_batches(&table, from).unwrap().map(Result::unwrap);
        batches.map(|batch| (batch.version, batch.committed_ms, batch.files)).collect::<Vec<_>>()
    };
    let committed_ms = 1_700_000_200_000;
    let [one, two] = [(first, committed_ms, vec![key(1), key(2)]), (second, committed_ms, vec![key(3)])];
    assert_eq!(told(0), [one, two.clone()]);
    assert_eq!(told(first + 1), [two]);
    assert!(told(second + 1).is_empty());
}
