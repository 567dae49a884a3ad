//! Damage is found wherever it is, and the message says in which file and what to do.

use std::fs;

use longshore_storage::durable::Posix;
use longshore_storage::ledger::{FileEvent, Ledger, LedgerError, LedgerReader};

use super::support::*;
use crate::log::support::Place;

/// A ledger of several sorted files and a log, and the bytes of the log before its last record.
fn written() -> (Place, Known, Known, u64) {
    let (place, mut table) = Place::with_table();
    let mut ledger = begin(&mut table);
    let mut next = 0;
    // Each is less than half of the one before it, or they would be merged.
    for count in [90, 24, 5, 3] {
        let numbers: Vec<usize> = (next..next + count).collect();
        ledger.record(numbers.iter().map(|number| staged(*number)).collect()).unwrap();
        load(&mut ledger, &mut table, &numbers[..2]);
        next += count;
        if count > 3 {
            ledger.fold(&mut table).unwrap();
        }
    }
    let bytes = fs::metadata(log(&place.root)).unwrap().len();
    let before = known(ledger.reader()).unwrap();
    let given_up = FileEvent::GivenUp { fault: fault(), now_ms: 1_700_000_300_000 };
    ledger.record(vec![(key(6), given_up)]).unwrap();
    let after = known(ledger.reader()).unwrap();
    (place, before, after, bytes)
}

fn read(place: &Place) -> Result<Known, LedgerError> {
    let mut reader = LedgerReader::open(&Posix, &place.root, LEDGER)?;
    reader.verify()?;
    known(&mut reader)
}

fn is_told(error: &LedgerError, name: &str) {
    assert_eq!(error.category(), "DamagedLedger", "{error}");
    let message = error.to_string();
    assert!(message.contains(name) && message.contains("rebuild-ledger"), "{message}");
}

#[test]
fn a_changed_byte_is_found_in_every_file() {
    let (place, before, after, last) = written();
    assert_eq!(read(&place).unwrap(), after);
    let files = files(&place.root);
    assert!(files.len() >= 3, "{files:?}");
    let log = log(&place.root);
    for path in &files {
        let bytes = fs::read(path).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(path, &changed).unwrap();
            match read(&place) {
                // The last record may be one that was being appended.
                Ok(known) => {
                    assert!(*path == log && at as u64 >= last, "{} byte {at}", path.display());
                    assert_eq!(known, before);
                }
                Err(error) => is_told(&error, &path.display().to_string()),
            }
        }
        fs::write(path, &bytes).unwrap();
    }
    assert_eq!(read(&place).unwrap(), after);
}

#[test]
fn a_file_that_ends_early_is_found() {
    let (place, before, _, last) = written();
    for path in files(&place.root) {
        let bytes = fs::read(&path).unwrap();
        for end in (0..bytes.len()).step_by(3) {
            fs::write(&path, &bytes[..end]).unwrap();
            match read(&place) {
                Ok(known) => {
                    // A log may end wherever a record ended: what the table's log tells is taken from there again.
                    assert!(path == log(&place.root), "{} byte {end}", path.display());
                    assert!(end as u64 != last || known == before);
                }
                Err(error) => is_told(&error, &path.display().to_string()),
            }
        }
        fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn a_file_that_others_build_on_is_missed() {
    let (place, _, after, _) = written();
    let finished_before = finished(&after);
    let all = files(&place.root);
    for path in &all[1..] {
        let bytes = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        let error = read(&place).unwrap_err();
        is_told(&error, folder(&place.root).to_str().unwrap());
        fs::write(path, bytes).unwrap();
    }
    // The newest is missed by no other: the table's log tells what was in it of loaded files.
    let path = log(&place.root);
    assert_eq!(path, all[0], "logs come first by name");
    fs::remove_file(path).unwrap();
    let mut table = place.open();
    let mut ledger = begin(&mut table);
    assert_eq!(finished(&known(ledger.reader()).unwrap()), finished_before);
}

#[test]
fn a_damaged_ledger_is_not_begun_but_made_again() {
    let (place, _, after, _) = written();
    let path = files(&place.root).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 20;
    bytes[end] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut table = place.open();
    let error = Ledger::begin(&mut table, LEDGER, SMALL).unwrap_err();
    is_told(&error, &path.display().to_string());
    let mut ledger = Ledger::rebuild(&mut table, LEDGER, SMALL).unwrap();
    let made = known(ledger.reader()).unwrap();
    assert_eq!(finished(&made), finished(&after));
    assert_eq!(made.len(), finished(&after).len());
    drop(ledger);
    let mut ledger = begin(&mut place.open());
    assert_eq!(known(ledger.reader()).unwrap(), made);
}
