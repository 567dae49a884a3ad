//! Damage that is found without reading rows.

use std::fs;

use longshore_storage::verify::{Severity, VerifyOptions};

use super::support::{change_commit, error, eventful, verify};
use crate::compact::support::{Place, narrow_table};
use crate::history::support::names;

#[test]
fn a_sound_table_is_found_sound() {
    let (place, table) = eventful();
    for full in [false, true] {
        let (outcome, findings) = verify(&place, full);
        assert!(outcome.is_sound(), "{findings:#?}");
        assert_eq!(outcome.rows, 600);
        assert_eq!(outcome.rows_read, if full { 600 } else { 0 });
        assert_eq!((outcome.version, outcome.records, outcome.checkpoints), (table.version(), 6, 2));
        assert!(findings.iter().all(|finding| finding.severity == Severity::Info), "{findings:#?}");
    }
}

#[test]
fn it_changes_nothing() {
    let (place, _) = eventful();
    let before = crate::tablet::files_below(&place.root);
    verify(&place, true);
    assert_eq!(crate::tablet::files_below(&place.root), before);
}

/// One segment that the newest version names.
fn segment(place: &Place) -> (String, std::path::PathBuf) {
    let path = place.open().segments().unwrap()[0].path.clone();
    let full = place.root.join(&path);
    (path, full)
}

#[test]
fn a_missing_or_cut_segment_is_found() {
    let (place, _) = eventful();
    let (path, full) = segment(&place);
    let bytes = fs::read(&full).unwrap();
    fs::write(&full, &bytes[..bytes.len() - 1]).unwrap();
    let (file, what) = error(&place, true);
    assert_eq!(file, path);
    assert!(what.contains("bytes, the log says"), "{what}");
    fs::remove_file(&full).unwrap();
    assert_eq!(error(&place, true), (path, "the segment is missing".to_owned()));
}

#[test]
fn a_segment_whose_footer_changed_is_found() {
    let (place, _) = eventful();
    let (path, full) = segment(&place);
    let mut bytes = fs::read(&full).unwrap();
    let at = bytes.len() - 20;
    for byte in &mut bytes[at..at + 8] {
        *byte ^= 0xff;
    }
    fs::write(&full, bytes).unwrap();
    let (file, what) = error(&place, false);
    assert_eq!(file, path);
    assert!(what.contains("footer"), "{what}");
}

#[test]
fn another_number_of_rows_in_the_log_is_found() {
    let (place, table) = narrow_table(1, 100);
    let rows = table.segments().unwrap()[0].rows;
    let (old, new) = (format!("\\\"numRecords\\\":{rows},"), format!("\\\"numRecords\\\":{},", rows + 1));
    change_commit(&place, 2, |text| text.replacen(&old, &new, 1));
    let (outcome, findings) = verify(&place, false);
    assert_eq!(outcome.errors, 2, "{findings:#?}");
    assert!(
        findings.iter().any(|f| f.what == format!("the segment has {rows} rows, the log says {}", rows + 1))
    );
    assert!(findings.iter().any(|f| f.what.contains("the history accounts for 100 rows")), "{findings:#?}");
}

#[test]
fn rows_that_vanish_with_their_file_from_the_log_are_found_by_the_history() {
    let (place, _) = narrow_table(2, 100);
    change_commit(&place, 4, |text| {
        text.lines().filter(|line| !line.starts_with("{\"add\"")).map(|line| format!("{line}\n")).collect()
    });
    let (_, what) = error(&place, false);
    assert!(
        what.starts_with("the history accounts for 200 rows (200 loaded, 0 overwritten), the table has 100")
    );
}

#[test]
fn a_record_that_changed_or_is_missing_is_found() {
    let (place, _) = narrow_table(3, 50);
    let path = place.root.join("_longshore/history").join(&names(&place.root).0[1]);
    let bytes = fs::read(&path).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    fs::write(&path, text.replace("\"sinkRows\":50", "\"sinkRows\":49")).unwrap();
    assert!(error(&place, false).1.contains("its digest is not the one in the log"));
    fs::remove_file(&path).unwrap();
    assert!(error(&place, false).1.contains("is missing"));
    fs::write(&path, bytes).unwrap();
    assert!(verify(&place, false).0.is_sound());
}

#[test]
fn folded_history_that_is_damaged_or_missing_is_found() {
    let (place, mut table) = narrow_table(3, 50);
    table.fold_history().unwrap();
    let path = place.root.join("_longshore/history").join(&names(&place.root).1[0]);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(error(&place, false).1.contains("folded-"));
    fs::remove_file(&path).unwrap();
    let (outcome, findings) = verify(&place, false);
    assert!(!outcome.is_sound(), "{findings:#?}");
}

#[test]
fn a_record_that_does_not_add_up_is_found() {
    let (place, table) = narrow_table(1, 100);
    let path = place.root.join("_longshore/history").join(&names(&place.root).0[0]);
    let text = fs::read_to_string(&path).unwrap().replace("\"scanRows\":100", "\"scanRows\":101");
    fs::write(&path, &text).unwrap();
    let digest = {
        use sha2::{Digest, Sha256};
        hex::encode(Sha256::digest(text.as_bytes()))
    };
    change_commit(&place, table.version(), |text| {
        let at = text.find("\"sha256\":\"").unwrap() + 10;
        format!("{}{digest}{}", &text[..at], &text[at + 64..])
    });
    assert!(error(&place, false).1.contains("101 rows were read and 100 accounted for"));
}

#[test]
fn a_checkpoint_that_differs_from_the_commits_is_found() {
    let (place, mut table) = narrow_table(2, 50);
    let version = table.checkpoint().unwrap();
    // The checkpoint keeps the size that was, the commit says another.
    change_commit(&place, 2, |text| text.replacen("\"modificationTime\":1", "\"modificationTime\":2", 1));
    let (file, what) = error(&place, false);
    assert_eq!(file, format!("_delta_log/{version:020}.checkpoint.parquet"));
    assert!(what.starts_with("its files (4) are not those of the commits"), "{what}");
}

#[test]
fn a_checkpoint_that_cannot_be_read_is_found() {
    let (place, mut table) = narrow_table(2, 50);
    let version = table.checkpoint().unwrap();
    drop(table);
    let path = place.root.join(format!("_delta_log/{version:020}.checkpoint.parquet"));
    let good = fs::read(&path).unwrap();
    let mut opened = place.open();
    for at in [good.len() / 4, good.len() / 2] {
        let mut bad = good.clone();
        for byte in &mut bad[at..at + 100] {
            *byte ^= 0x55;
        }
        fs::write(&path, bad).unwrap();
        let mut findings = Vec::new();
        let outcome = opened.verify(&VerifyOptions::default(), &mut |found| findings.push(found.clone()));
        let outcome = outcome.unwrap();
        assert!(!outcome.is_sound(), "{findings:#?}");
        assert!(findings.iter().any(|finding| finding.file.ends_with("checkpoint.parquet")), "{findings:#?}");
    }
    fs::write(&path, good).unwrap();
    assert!(verify(&place, false).0.is_sound());
}

#[test]
fn what_is_not_needed_is_told_and_is_no_damage() {
    let (place, mut table) = narrow_table(1, 50);
    let claim = table.claim("open", 1).unwrap();
    crate::vacuum::support::write_segment(&place.root, &claim, 0);
    fs::write(place.root.join("notes.txt"), "x").unwrap();
    fs::write(place.root.join("_delta_log/_last_checkpoint"), r#"{"version":99,"size":1}"#).unwrap();
    let (outcome, findings) = verify(&place, false);
    assert!(outcome.is_sound());
    assert_eq!(outcome.warnings, 1);
    for part in ["1 files of loads that may still commit", "1 files or folders whose names", "version 99"] {
        assert!(findings.iter().any(|finding| finding.what.contains(part)), "{part}: {findings:#?}");
    }
}
