//! Plans, reports, rejected rows, records and temporary files.

use std::fs;
use std::time::Duration;

use longshore_storage::load::write_dry_run_report;
use longshore_storage::table::{LoadMode, Table};
use longshore_storage::vacuum::{VacuumKind, VacuumOptions};

use super::support::{AT_ONCE, age, commit_with, files, put, vacuum, write_segment};
use crate::history::support::{names, told};
use crate::log::support::{Place, failed_record, load};

const KEEP: VacuumOptions = VacuumOptions {
    retention: Some(Duration::from_secs(48 * 3_600)),
    min_age: Duration::from_secs(24 * 3_600),
    dry_run: false,
};

/// The folder of an attempt as a process leaves it that died.
fn put_documents(table: &mut Table, label: &str) -> std::path::PathBuf {
    let claim = table.claim(label, 1).unwrap();
    let folder = table.load_folder(&claim).unwrap().path();
    for name in ["plan.json", "task-0000.json", "task-0012.json", "rejected-0000-f3c0ab920d2d234c.parquet"] {
        fs::write(folder.join(name), "document").unwrap();
    }
    fs::write(folder.join("report-f3c0ab920d2d234c.json"), "report").unwrap();
    fs::write(folder.join(".task-0001.json.f3c0ab920d2d234c-3.tmp"), "temporary").unwrap();
    folder
}

#[test]
fn plans_and_reports_go_with_the_outcome_and_rejected_rows_after_the_retention_time() {
    let (place, mut table) = Place::with_table();
    let folder = put_documents(&mut table, "l");
    let outcome = vacuum(&place, &KEEP);
    assert_eq!((outcome.total().files, outcome.open_files), (0, 3));

    table.close_run("l", 1, None, failed_record("l", 1)).unwrap();
    let outcome = vacuum(&place, &KEEP);
    assert_eq!(files(&outcome, VacuumKind::LoadDocument), 3);
    let rejected = folder.join("rejected-0000-f3c0ab920d2d234c.parquet");
    let report = folder.join("report-f3c0ab920d2d234c.json");
    let temporary = folder.join(".task-0001.json.f3c0ab920d2d234c-3.tmp");
    assert!(rejected.exists() && report.exists() && temporary.exists());
    for (path, hours) in [(&rejected, 47), (&report, 49), (&temporary, 25)] {
        age(path, hours);
    }
    let outcome = vacuum(&place, &KEEP);
    assert_eq!(files(&outcome, VacuumKind::RejectedRows), 1);
    assert_eq!(files(&outcome, VacuumKind::TemporaryFile), 1);
    assert!(rejected.exists() && !report.exists());
    age(&rejected, 49);
    let outcome = vacuum(&place, &KEEP);
    assert_eq!((files(&outcome, VacuumKind::RejectedRows), files(&outcome, VacuumKind::EmptyFolder)), (1, 1));
    // A new run may be on its way into the folder of a label that is not loaded.
    assert!(!folder.exists() && folder.parent().unwrap().exists());
    age(folder.parent().unwrap(), 25);
    vacuum(&place, &KEEP);
    assert!(!folder.parent().unwrap().exists());
}

#[test]
fn reports_of_dry_runs_go_after_the_retention_time() {
    let (place, table) = Place::with_table();
    let write = || place.root.join(write_dry_run_report(&table, "l", b"{}").unwrap());
    let (old, new) = (write(), write());
    age(&old, 49);
    let outcome = vacuum(&place, &KEEP);
    assert_eq!((files(&outcome, VacuumKind::RejectedRows), outcome.foreign_files), (1, 0));
    assert!(!old.exists() && new.exists());
}

#[test]
fn the_folder_of_a_loaded_label_goes_whole() {
    let (place, mut table) = Place::with_table();
    let folder = put_documents(&mut table, "l");
    let claim = table.claim("l", 1).unwrap();
    let segment = write_segment(&place.root, &claim, 0);
    commit_with(&mut table, &claim, vec![segment], LoadMode::Append);
    let outcome = vacuum(&place, &AT_ONCE);
    assert_eq!(files(&outcome, VacuumKind::LoadDocument), 3);
    assert!(!folder.parent().unwrap().exists());
}

#[test]
fn a_record_that_no_commit_names_goes_when_its_claim_is_over_and_named_ones_stay() {
    let (place, mut table) = Place::with_table();
    load(&mut table, "loaded", 3);
    table.claim("open", 1).unwrap();
    table.close_run("closed", 1, None, failed_record("closed", 1)).unwrap();
    let (single, _) = names(&place.root);
    let before = told(&table);
    let folder = place.root.join("_longshore/history");
    let unnamed = |label: &str| {
        let hash = longshore_storage::load::label_hash(label);
        format!("{hash}-1-1-00000000000000aa-7.json")
    };
    for label in ["loaded", "open", "closed", "never"] {
        fs::write(folder.join(unnamed(label)), "{}").unwrap();
    }
    let outcome = vacuum(&place, &AT_ONCE);
    assert_eq!((files(&outcome, VacuumKind::HistoryRecord), outcome.open_files), (2, 2));
    assert!(folder.join(unnamed("open")).exists() && folder.join(unnamed("never")).exists());
    assert_eq!(told(&table), before);
    for label in ["open", "never"] {
        fs::remove_file(folder.join(unnamed(label))).unwrap();
    }
    assert_eq!(names(&place.root).0, single);
}

#[test]
fn a_record_that_is_folded_and_was_left_goes() {
    let (place, mut table) = Place::with_table();
    load(&mut table, "l", 3);
    let path = place.root.join("_longshore/history").join(&names(&place.root).0[0]);
    let bytes = fs::read(&path).unwrap();
    table.fold_history().unwrap();
    let before = told(&table);
    fs::write(&path, bytes).unwrap();
    assert_eq!(files(&vacuum(&place, &AT_ONCE), VacuumKind::HistoryRecord), 1);
    assert!(!path.exists());
    assert_eq!(told(&place.open()), before);
}

#[test]
fn spills_and_files_never_put_in_place_go_after_a_day() {
    let (place, _) = Place::with_table();
    let temporary = [
        "_longshore/tmp/f3c0ab920d2d234c-0-1",
        "_longshore/.format.json.f3c0ab920d2d234c-1.tmp",
        "_longshore/history/.x.json.f3c0ab920d2d234c-2.tmp",
        "_delta_log/.00000000000000000001.json.f3c0ab920d2d234c-3.tmp",
    ];
    for path in temporary {
        put(&place.root, path, "x");
    }
    assert_eq!(vacuum(&place, &KEEP).total().files, 0);
    for path in temporary {
        age(&place.root.join(path), 25);
    }
    assert_eq!(files(&vacuum(&place, &KEEP), VacuumKind::TemporaryFile), 4);
    place.open();
}
