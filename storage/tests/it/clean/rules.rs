//! What goes and what stays.

use std::fs;
use std::time::{Duration, SystemTime};

use longshore_storage::table::{CleanOptions, LabelState, Table};

use super::support::{AT_ONCE, clean, open_as_written, tells, versions, with_two_checkpoints};
use crate::history::support::{is_loaded, load_some, names};
use crate::log::support::{Place, load};
use crate::vacuum::support::age;

#[test]
fn commits_below_the_second_newest_checkpoint_go_and_nothing_is_forgotten() {
    let (place, before) = with_two_checkpoints();
    let outcome = clean(&place);
    assert_eq!((outcome.commits, outcome.checkpoints), (7, 0));
    assert_eq!(versions(&place), ((7..=16).collect(), vec![7, 14]));
    assert_eq!(tells(&place.open()), before);
    assert_eq!(clean(&place), Default::default());

    load(&mut place.open(), "d", 1);
    place.open().checkpoint().unwrap();
    let outcome = clean(&place);
    assert_eq!((outcome.commits, outcome.checkpoints), (7, 1));
    assert_eq!(versions(&place), ((14..=18).collect(), vec![14, 18]));
    assert!(is_loaded(&place.open(), "a0") && is_loaded(&place.open(), "d"));
    assert_eq!(names(&place.root).0.len(), 0);
}

#[test]
fn nothing_goes_while_there_is_one_checkpoint() {
    let (place, mut table) = Place::with_table();
    load_some(&mut table, "a", 3);
    table.checkpoint().unwrap();
    assert_eq!(clean(&place), Default::default());
    assert_eq!(versions(&place).0, (0..=7).collect::<Vec<_>>());
}

#[test]
fn what_is_not_a_day_old_stays_and_leaves_no_gap() {
    let (place, before) = with_two_checkpoints();
    let clean = |mut table: Table| table.clean_log(&CleanOptions::default()).unwrap().commits;
    let by_default = || clean(open_as_written(&place));
    assert_eq!(by_default(), 0);
    for version in [0, 1, 2, 4, 5] {
        age(&place.commit(version), 25);
    }
    age(&place.commit(3), 23);
    // A writer may have been paused for that day: others may still go on from what it has just linked.
    assert_eq!(clean(place.open()), 0);
    assert_eq!(by_default(), 3);
    assert_eq!(versions(&place).0, (3..=16).collect::<Vec<_>>());
    assert_eq!(tells(&place.open()), before);
    // A time to come is no age.
    let file = fs::File::options().write(true).open(place.commit(3)).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(100 * 3_600)).unwrap();
    assert_eq!(by_default(), 0);
}

#[test]
fn temporary_files_of_dead_processes_go_and_foreign_ones_stay() {
    let (place, _) = with_two_checkpoints();
    let own = place.log().join(".00000000000000000017.json.00000000000000aa-3.tmp");
    let foreign = place.log().join(".s3-optimistic-17.json.tmp");
    for path in [&own, &foreign] {
        fs::write(path, "x").unwrap();
    }
    assert_eq!(place.open().clean_log(&CleanOptions::default()).unwrap().temporary_files, 0);
    assert_eq!(clean(&place).temporary_files, 1);
    assert!(!own.exists() && foreign.exists());
}

#[test]
fn a_commit_whose_record_is_missing_is_not_cleaned() {
    let (place, _) = with_two_checkpoints();
    let (single, _) = names(&place.root);
    fs::remove_file(place.root.join("_longshore/history").join(&single[2])).unwrap();
    let error = place.open().clean_log(&AT_ONCE).unwrap_err();
    assert_eq!(error.category(), "DamagedHistory");
    assert_eq!(versions(&place).0, (0..=16).collect::<Vec<_>>());
}

#[test]
fn nothing_is_cleaned_below_a_checkpoint_that_cannot_be_read() {
    for version in [7, 14] {
        let (place, before) = with_two_checkpoints();
        let path = place.log().join(format!("{version:020}.checkpoint.parquet"));
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        // A page of the numbers: opening needs none of them.
        for byte in &mut bad[good.len() / 3..good.len() / 2] {
            *byte ^= 0x55;
        }
        let mut table = place.open();
        fs::write(&path, &bad).unwrap();
        assert_eq!(table.clean_log(&AT_ONCE).unwrap_err().category(), "DamagedLog", "{version}");
        fs::write(&path, good).unwrap();
        assert_eq!(versions(&place).0, (0..=16).collect::<Vec<_>>());
        assert_eq!(tells(&place.open()), before);
    }
}

/// A commit as a writer leaves it that slept through the cleaning of its name.
fn ghost(place: &Place, version: u64, is_load: bool) {
    let record =
        r#"{"path":"_longshore/history/00000000000000bb-1-1-00000000000000aa-1.json","sha256":"00"}"#;
    let (counts, txn) = if is_load {
        (r#","counts":{"sinkRows":1}"#, r#"{"txn":{"appId":"load/ghost","version":1048577}}"#)
    } else {
        ("", r#"{"txn":{"appId":"claim/ghost","version":1048577}}"#)
    };
    let info = format!(
        r#"{{"commitInfo":{{"operation":"WRITE","longshore":{{"label":"ghost","run":1,"attempt":1,"record":{record}{counts}}}}}}}"#
    );
    fs::write(place.commit(version), format!("{info}\n{txn}\n")).unwrap();
}

#[test]
fn what_a_paused_writer_left_below_is_cleaned_the_next_time() {
    for is_load in [true, false] {
        let (place, _) = with_two_checkpoints();
        clean(&place);
        ghost(&place, 3, is_load);
        ghost(&place, 6, is_load);
        assert_eq!(clean(&place).commits, 2);
        assert_eq!(versions(&place).0[0], 7);
        assert_eq!(place.open().label("ghost").unwrap(), LabelState::Unknown);
    }
}

#[test]
fn a_commit_that_counts_and_is_not_folded_is_never_cleaned() {
    let (place, _) = with_two_checkpoints();
    place.open().fold_history().unwrap();
    // Version 4 loaded a1; now it names another record than the one that was folded.
    let text = fs::read_to_string(place.commit(4)).unwrap();
    let at = text.find("_longshore/history/").unwrap() + "_longshore/history/".len();
    fs::write(place.commit(4), format!("{}00000000{}", &text[..at], &text[at + 8..])).unwrap();
    assert_eq!(place.open().clean_log(&AT_ONCE).unwrap_err().category(), "DamagedHistory");
    assert_eq!(versions(&place).0, (4..=16).collect::<Vec<_>>());
}

#[test]
fn a_checkpoint_stays_below_the_oldest_commit() {
    let (place, mut table) = Place::with_table();
    let mut checkpoints = Vec::new();
    for prefix in ["a", "b", "c", "d"] {
        load_some(&mut table, prefix, 2);
        checkpoints.push(table.checkpoint().unwrap());
    }
    assert_eq!(checkpoints, [5, 10, 15, 20]);
    for version in 0..9 {
        age(&place.commit(version), 25);
    }
    for version in &checkpoints {
        age(&place.log().join(format!("{version:020}.checkpoint.parquet")), 25);
    }
    // Commits from 9 on stay: version 10 and those that follow can be read from the checkpoint of 10.
    open_as_written(&place).clean_log(&CleanOptions::default()).unwrap();
    assert_eq!(versions(&place), ((9..=20).collect(), vec![10, 15, 20]));
    clean(&place);
    assert_eq!(versions(&place), ((15..=20).collect(), vec![15, 20]));
}

#[test]
fn a_checkpoint_that_is_due_brings_the_folding_and_the_cleaning_with_it() {
    let (place, _) = Place::with_table();
    let mut table = open_as_written(&place);
    let mut made = Vec::new();
    for number in 0..60 {
        load(&mut table, &format!("l{number}"), 1);
        for version in 0..=table.version() {
            if place.commit(version).exists() {
                age(&place.commit(version), 25);
            }
        }
        made.extend(table.checkpoint_if_due().unwrap());
    }
    assert_eq!(made, [50, 100]);
    assert_eq!(versions(&place).0[0], 50);
    assert_eq!(names(&place.root).1.len(), 1);
    assert!(is_loaded(&place.open(), "l0") && is_loaded(&place.open(), "l59"));
}
