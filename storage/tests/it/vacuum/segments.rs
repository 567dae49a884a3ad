//! Segments go by what the log says of their owner.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use longshore_storage::table::{CleanOptions, LoadMode, OverwriteScope, Table};
use longshore_storage::vacuum::{VacuumKind, VacuumOptions};

use super::support::{
    AT_ONCE, KEEP_REMOVED, age, commit_with, files, is_there, items, load, nothing_named_is_missing, put,
    vacuum, write_output, write_segment,
};
use crate::log::faulty::Faulty;
use crate::log::support::{Place, failed_record};

const OVERWRITE: LoadMode = LoadMode::Overwrite(OverwriteScope::Table);

#[test]
fn an_open_run_keeps_its_files_whichever_attempt_wrote_them() {
    let (place, mut table) = Place::with_table();
    let first = table.claim("l", 1).unwrap();
    let segment = write_segment(&place.root, &first, 0);
    let outcome = vacuum(&place, &AT_ONCE);
    assert_eq!((outcome.total().files, outcome.open_files), (0, 1));
    // A newer attempt is not enough: it may have adopted the file. Here it has.
    let second = table.claim("l", 1).unwrap();
    vacuum(&place, &AT_ONCE);
    assert!(is_there(&place, &segment));
    commit_with(&mut table, &second, vec![segment.clone()], LoadMode::Append);
    vacuum(&place, &AT_ONCE);
    assert!(is_there(&place, &segment));
    nothing_named_is_missing(&place);
}

#[test]
fn what_a_closed_or_passed_run_or_a_loaded_label_left_goes() {
    let (place, mut table) = Place::with_table();
    let closed = table.claim("closed", 1).unwrap();
    let passed = table.claim("passed", 1).unwrap();
    let loaded = table.claim("loaded", 1).unwrap();
    let left: Vec<_> =
        [&closed, &passed, &loaded].iter().map(|claim| write_segment(&place.root, claim, 0)).collect();
    let named = write_segment(&place.root, &loaded, 1);
    assert_eq!(vacuum(&place, &AT_ONCE).open_files, 4);

    table.close_run("closed", 1, None, failed_record("closed", 1)).unwrap();
    let newer = table.claim("passed", 2).unwrap();
    let open = write_segment(&place.root, &newer, 0);
    commit_with(&mut table, &loaded, vec![named.clone()], LoadMode::Append);
    let gone = items(&place, &AT_ONCE);
    assert_eq!(gone.iter().filter(|item| item.kind == VacuumKind::LoadSegment).count(), 3);
    assert!(gone.iter().any(|item| item.why.ends_with("its run is closed")), "{gone:?}");
    assert!(left.iter().all(|segment| !is_there(&place, segment)));
    assert!(is_there(&place, &open) && is_there(&place, &named));
}

#[test]
fn a_run_that_was_closed_keeps_the_files_of_the_next() {
    let (place, mut table) = Place::with_table();
    table.claim("l", 1).unwrap();
    table.close_run("l", 1, None, failed_record("l", 1)).unwrap();
    let next = table.claim("l", 2).unwrap();
    let segment = write_segment(&place.root, &next, 0);
    vacuum(&place, &AT_ONCE);
    assert!(is_there(&place, &segment));
    commit_with(&mut table, &next, vec![segment], LoadMode::Append);
    nothing_named_is_missing(&place);
}

#[test]
fn a_removed_segment_stays_for_the_retention_time_and_a_snapshot_reads_it_until_then() {
    let (place, _) = Place::with_table();
    let first = load(&place, "first", LoadMode::Append);
    let snapshot = place.open();
    let second = load(&place, "second", OVERWRITE);
    for with_checkpoint in [false, true] {
        if with_checkpoint {
            place.open().checkpoint().unwrap();
        }
        assert_eq!(files(&vacuum(&place, &KEEP_REMOVED), VacuumKind::RemovedSegment), 0);
        for segment in snapshot.segments().unwrap() {
            assert!(is_there(&place, &segment), "{}", segment.path);
        }
    }
    let hour = VacuumOptions { retention: Some(Duration::from_secs(3_600)), ..KEEP_REMOVED };
    assert_eq!(files(&vacuum(&place, &hour), VacuumKind::RemovedSegment), 0);
    assert_eq!(files(&vacuum(&place, &AT_ONCE), VacuumKind::RemovedSegment), 1);
    assert!(!is_there(&place, &first) && is_there(&place, &second));
    nothing_named_is_missing(&place);
}

/// The lines of a commit as their writer has them that was paused for eight days before it linked them.
fn eight_days_before(lines: &[u8]) -> Vec<u8> {
    const KEY: &str = "\"deletionTimestamp\":";
    let text = std::str::from_utf8(lines).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
    let mut parts = text.split(KEY);
    let mut changed = parts.next().unwrap().to_owned();
    for part in parts {
        let written: u128 = part[..now.len()].parse().unwrap();
        changed = changed + KEY + &(written - 8 * 24 * 3_600_000).to_string() + &part[now.len()..];
    }
    changed.into_bytes()
}

#[test]
fn retention_begins_when_a_remove_is_visible_however_long_its_writer_was_paused() {
    let (place, _) = Place::with_table();
    let first = load(&place, "first", LoadMode::Append);
    let (faulty, paused) = Faulty::shared();
    let mut table = Table::open(paused, &place.root).unwrap();
    let claim = table.claim("second", 1).unwrap();
    let segment = write_segment(&place.root, &claim, 0);
    faulty.rewrite(eight_days_before);
    commit_with(&mut table, &claim, vec![segment], OVERWRITE);

    let keeps = |when: &str| {
        assert_eq!(files(&vacuum(&place, &KEEP_REMOVED), VacuumKind::RemovedSegment), 0, "{when}");
        assert!(is_there(&place, &first), "{when}");
    };
    keeps("the commit tells of the remove");
    place.open().checkpoint().unwrap();
    keeps("a checkpoint does");
    for label in ["third", "fourth"] {
        load(&place, label, LoadMode::Append);
        place.open().checkpoint().unwrap();
        keeps("further ones do");
    }
    let cleaned = place.open().clean_log(&CleanOptions { min_age: Duration::ZERO }).unwrap();
    assert!(cleaned.commits > table.version());
    keeps("the commit is gone");
    assert_eq!(files(&vacuum(&place, &AT_ONCE), VacuumKind::RemovedSegment), 1);
    nothing_named_is_missing(&place);
}

#[test]
fn nothing_is_promised_for_longer_than_the_table_knows_what_it_removed() {
    let (place, _) = Place::with_table();
    let long = VacuumOptions { retention: Some(Duration::from_secs(8 * 24 * 3_600)), ..AT_ONCE };
    let error = place.open().vacuum(&long, &mut |_| {}).unwrap_err();
    assert_eq!(error.category(), "RetentionTooLong");
    assert!(error.to_string().contains("for 192 hours: the table forgets them after 168"), "{error}");
}

#[test]
fn what_a_compaction_left_goes_only_under_a_newer_epoch() {
    let (place, mut table) = Place::with_table();
    let version = table.version();
    vacuum(&place, &AT_ONCE);
    table.refresh().unwrap();
    assert_eq!(table.version(), version, "without such a file no epoch is taken");

    let left = write_output(&place.root, 1, 0);
    let dry = VacuumOptions { dry_run: true, ..AT_ONCE };
    assert_eq!(files(&vacuum(&place, &dry), VacuumKind::CompactionSegment), 1);
    assert!(is_there(&place, &left));
    let outcome = vacuum(&place, &AT_ONCE);
    assert_eq!((files(&outcome, VacuumKind::CompactionSegment), outcome.version), (1, version + 1));
    assert!(!is_there(&place, &left));
}

#[test]
fn files_of_unknown_labels_and_foreign_names_are_never_touched() {
    let (place, mut table) = Place::with_table();
    let claim = table.claim("l", 1).unwrap();
    let own = write_segment(&place.root, &claim, 0);
    table.close_run("l", 1, None, failed_record("l", 1)).unwrap();
    // A label that this log never heard of: the file may be of another table, or the log from a backup.
    let unknown = own.path.replacen(&own.path[8..24], "0123456789abcdef", 1);
    put(&place.root, &unknown, "segment");
    let foreign = [
        "part-00000-1-c000.snappy.parquet",
        "b-00001/part-00000-1-c000.snappy.parquet",
        "b-00001/notes.txt",
        "p-2024/readme",
        "day=1/part-0.parquet",
        "_longshore/loads/l/1-1/mine.txt",
        "_longshore/loads/l/notes/x",
        "_delta_log/00000000000000000000.crc",
        "lost+found/#12",
    ];
    for path in foreign {
        put(&place.root, path, "foreign");
        age(&place.root.join(path), 1_000);
    }
    let outcome = vacuum(&place, &AT_ONCE);
    assert_eq!(files(&outcome, VacuumKind::LoadSegment), 1);
    assert_eq!(outcome.open_files, 1);
    assert_eq!(outcome.foreign_files, 7);
    for path in foreign.iter().chain([&unknown.as_str()]) {
        assert!(place.root.join(path).exists(), "{path}");
    }
}

#[test]
fn partitions_are_walked_and_empty_folders_go_when_they_are_old() {
    let (place, mut table) = Place::with_table();
    let claim = table.claim("l", 1).unwrap();
    let segment = write_segment(&place.root, &claim, 0);
    let moved = format!("p-2024-01-01/{}", segment.path);
    put(&place.root, &moved, "segment");
    put(&place.root, "p-2024-01-02/b-00003/x", "foreign");
    table.close_run("l", 1, None, failed_record("l", 1)).unwrap();
    let day = VacuumOptions { min_age: Duration::from_secs(24 * 3_600), ..AT_ONCE };
    let outcome = vacuum(&place, &day);
    assert_eq!(files(&outcome, VacuumKind::LoadSegment), 2);
    assert_eq!(files(&outcome, VacuumKind::EmptyFolder), 0);
    let folder = place.root.join("p-2024-01-01");
    assert!(folder.join("b-00001").is_dir());
    age(&folder.join("b-00001"), 25);
    age(&folder, 25);
    assert_eq!(files(&vacuum(&place, &day), VacuumKind::EmptyFolder), 2);
    assert!(!folder.exists() && place.root.join("b-00001").is_dir());
    assert!(place.root.join("p-2024-01-02/b-00003/x").exists());
}

#[test]
fn a_dry_run_tells_what_a_run_does_and_changes_nothing() {
    let (place, mut table) = Place::with_table();
    load(&place, "first", LoadMode::Append);
    load(&place, "second", OVERWRITE);
    table.refresh().unwrap();
    let claim = table.claim("l", 1).unwrap();
    write_segment(&place.root, &claim, 0);
    table.close_run("l", 1, None, failed_record("l", 1)).unwrap();
    put(&place.root, "_longshore/tmp/f3c0ab920d2d234c-0-1", "spill");
    let dry = VacuumOptions { dry_run: true, ..AT_ONCE };
    let told = items(&place, &dry);
    assert_eq!(told, items(&place, &dry));
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(items(&place, &AT_ONCE), told);
    assert!(items(&place, &AT_ONCE).is_empty());
}
