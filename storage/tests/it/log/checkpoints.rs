//! Checkpoints: what stands in them is what a replay of the commits gives.

use std::fs;
use std::sync::Arc;

use longshore_storage::durable::Posix;
use longshore_storage::table::{CommitOutcome, LabelState, Table};

use super::faulty::Faulty;
use super::support::{Place, commit, definition, failed_record, load};

/// Loads until a checkpoint is made; gives its version.
fn load_until_checkpoint(table: &mut Table, prefix: &str) -> u64 {
    for number in 0..100 {
        load(table, &format!("{prefix}{number}"), number + 1);
        if let Some(version) = table.checkpoint_if_due().unwrap() {
            return version;
        }
    }
    panic!("no checkpoint after 200 commits");
}

fn hint(place: &Place) -> serde_json::Value {
    serde_json::from_slice(&fs::read(place.log().join("_last_checkpoint")).unwrap()).unwrap()
}

#[test]
fn a_checkpoint_after_fifty_commits_equals_the_replay() {
    let (place, mut table) = Place::with_table();
    table.close_run("failed", 3, None, failed_record("failed", 3)).unwrap();
    let version = load_until_checkpoint(&mut table, "l");
    assert_eq!(version, 49);
    assert_eq!(hint(&place)["version"], 49);

    let from_checkpoint = place.open();
    let replayed = place.open_without_checkpoints();
    assert_eq!(from_checkpoint.version(), replayed.version());
    assert_eq!(from_checkpoint.id(), replayed.id());
    assert_eq!(from_checkpoint.schema().definition(), &definition());
    assert_eq!(from_checkpoint.segments().unwrap(), replayed.segments().unwrap());
    assert_eq!(from_checkpoint.totals().unwrap(), replayed.totals().unwrap());
    for label in ["l0", "l7", "l23", "failed", "never"] {
        assert_eq!(from_checkpoint.label(label).unwrap(), replayed.label(label).unwrap(), "{label}");
    }
    assert!(matches!(from_checkpoint.label("l0").unwrap(), LabelState::Loaded { version: 3, .. }));
    assert_eq!(from_checkpoint.label("failed").unwrap(), LabelState::Closed { run: 3 });
    assert_eq!(from_checkpoint.label("never").unwrap(), LabelState::Unknown);
}

#[test]
fn checkpoints_follow_one_another_and_the_hint_goes_up() {
    let (place, mut table) = Place::with_table();
    let first = load_until_checkpoint(&mut table, "a");
    let second = load_until_checkpoint(&mut table, "b");
    assert!(second >= first + 50);
    assert_eq!(hint(&place)["version"], second);
    load(&mut table, "tail", 3);
    let opened = place.open();
    assert_eq!(opened.segments().unwrap(), table.segments().unwrap());
    assert_eq!(opened.segments().unwrap(), place.open_without_checkpoints().segments().unwrap());
    assert!(matches!(opened.label("a0").unwrap(), LabelState::Loaded { version: 2, .. }));
}

#[test]
fn a_claim_in_a_checkpoint_still_shuts_out() {
    let (place, mut table) = Place::with_table();
    let old = table.claim("old", 1).unwrap();
    load_until_checkpoint(&mut table, "l");
    let mut opened = place.open();
    let new = opened.claim("old", 1).unwrap();
    assert_eq!(new.attempt(), 2);
    assert_eq!(commit(&mut opened, &old, 1).unwrap_err().category(), "ClaimLost");
    commit(&mut opened, &new, 1).unwrap();
}

#[test]
fn an_append_never_reads_the_files_of_the_table() {
    let (place, mut table) = Place::with_table();
    let version = load_until_checkpoint(&mut table, "l");
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    load(&mut table, "more", 1);
    let calls = faulty.calls();
    let commits = calls.iter().filter(|call| call.starts_with("open 0") && call.ends_with(".json"));
    let old = commits.filter(|call| *call < &format!("open {:020}.json", version + 1));
    assert_eq!(old.count(), 0, "{calls:#?}");
}

#[test]
fn a_torn_hint_is_no_hint() {
    let (place, mut table) = Place::with_table();
    load_until_checkpoint(&mut table, "l");
    for text in ["", "{\"version\":", "{\"version\":99999,\"size\":1}"] {
        fs::write(place.log().join("_last_checkpoint"), text).unwrap();
        assert_eq!(place.open().version(), table.version(), "{text}");
    }
}

#[test]
fn a_torn_checkpoint_is_damage_that_is_named() {
    let (place, mut table) = Place::with_table();
    let version = load_until_checkpoint(&mut table, "l");
    let path = place.log().join(format!("{version:020}.checkpoint.parquet"));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = Table::open(Arc::new(Posix), &place.root).unwrap_err();
    assert_eq!(error.category(), "DamagedLog");
    assert!(error.to_string().contains("checkpoint.parquet"), "{error}");
}

#[test]
fn commits_below_a_checkpoint_are_not_needed() {
    let (place, mut table) = Place::with_table();
    let first = load_until_checkpoint(&mut table, "a");
    let before = table.segments().unwrap();
    for version in 0..=first {
        fs::remove_file(place.commit(version)).unwrap();
    }
    assert_eq!(place.open().segments().unwrap(), before);
    load(&mut place.open(), "after", 1);
}

/// Others load until there are two checkpoints, and the commits below the second newest go.
fn others_go_on_and_clean(place: &Place) -> u64 {
    let mut others = place.open();
    let first = load_until_checkpoint(&mut others, "a");
    let second = load_until_checkpoint(&mut others, "b");
    for version in 0..first {
        fs::remove_file(place.commit(version)).unwrap();
    }
    second
}

/// What `others_go_on_and_clean` loads.
fn others_rows(place: &Place) -> u64 {
    place.open().segments().unwrap().iter().filter(|s| !s.path.contains("paused")).map(|s| s.rows).sum()
}

#[test]
fn a_commit_below_a_cleaning_is_in_doubt_and_the_state_decides() {
    let place = Arc::new(Place::with_table().0);
    let (faulty, files) = Faulty::shared();
    let mut paused = Table::open(files, &place.root).unwrap();
    let claim = paused.claim("paused", 1).unwrap();
    let meanwhile = Arc::clone(&place);
    faulty.pause_at("link .00000000000000000002", move || {
        others_go_on_and_clean(&meanwhile);
    });
    // The link of version 2 succeeds, behind everyone's back: it must not be taken for the commit.
    let CommitOutcome::Committed { version } = commit(&mut paused, &claim, 9).unwrap() else { panic!() };
    assert!(version >= 100, "{version}");
    assert!(place.commit(2).exists(), "what was in doubt is left to the next cleaning");
    assert_eq!(place.open().totals().unwrap().rows, others_rows(&place) + 9);
}

#[test]
fn a_claim_below_a_cleaning_takes_the_next() {
    let place = Arc::new(Place::with_table().0);
    let (faulty, files) = Faulty::shared();
    let mut paused = Table::open(files, &place.root).unwrap();
    let meanwhile = Arc::clone(&place);
    faulty.pause_at("link .00000000000000000001", move || {
        others_go_on_and_clean(&meanwhile);
        meanwhile.open().claim("paused", 1).unwrap();
    });
    let claim = paused.claim("paused", 1).unwrap();
    assert_eq!(claim.attempt(), 2);
    commit(&mut paused, &claim, 9).unwrap();
    assert_eq!(place.open().totals().unwrap().rows, others_rows(&place) + 9);
}

#[test]
fn a_reader_that_was_paused_does_not_go_on_from_what_a_paused_writer_left() {
    let (place, mut old) = Place::with_table();
    let snapshot = place.open();
    others_go_on_and_clean(&place);
    // A commit without effect, of a writer that slept through the cleaning: it says that `ghost` is loaded.
    let ghost = r#"{"txn":{"appId":"load/ghost","version":1048577}}"#;
    fs::write(place.commit(1), format!("{ghost}\n")).unwrap();
    old.refresh().unwrap();
    assert_eq!(old.label("ghost").unwrap(), LabelState::Unknown);
    assert_eq!(old.version(), place.open().version());
    load(&mut old, "ghost", 1);
    // A snapshot whose commits are gone says so, and never answers from what has their names now.
    fs::write(place.commit(0), "{\"commitInfo\":{}}\n").unwrap();
    assert_eq!(snapshot.segments().unwrap_err().category(), "SnapshotExpired");
}
