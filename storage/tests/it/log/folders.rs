//! Plans, task reports, and what an attempt finds of those before it.

use std::{fs, io};

use longshore_storage::load::{
    FileReport, LoadFolder, Plan, PlannedFile, PlannedTask, TaskReport, adoptable,
};
use longshore_storage::table::Table;

use super::faulty::{Fault, Faulty};
use super::support::{Place, commit, failed_record, segment, temporary_files};

fn plan(table: &Table, keys: &[&str]) -> Plan {
    let file = |key: &&str| PlannedFile {
        source: 0,
        bucket: "b".to_owned(),
        key: (*key).to_owned(),
        size: 1,
        etag: "e".to_owned(),
        modified_ms: 0,
    };
    Plan {
        request_digest: "d".to_owned(),
        table_id: table.id().to_owned(),
        schema_version: 0,
        schema_digest: table.schema().digest(),
        now_micros: 1,
        manifests: Vec::new(),
        tasks: keys.iter().map(|key| PlannedTask { files: vec![file(key)] }).collect(),
    }
}

fn report(task: u32, name: &str) -> TaskReport {
    TaskReport {
        task,
        files: vec![FileReport { read: 3, loaded: 3, bytes: 1, ..FileReport::default() }],
        segments: vec![segment(name, 3)],
        rejected: None,
        rejected_rows: 0,
        first_errors: Vec::new(),
        skipped: Vec::new(),
    }
}

/// Writes a segment's bytes, as a tablet writer would.
fn write_segment(place: &Place, name: &str) {
    fs::create_dir_all(place.root.join("b-00001")).unwrap();
    fs::write(place.root.join(format!("b-00001/{name}.parquet")), [0; 100]).unwrap();
}

fn claimed_folder(table: &mut Table, run: u32) -> LoadFolder {
    let claim = table.claim("l", run).unwrap();
    table.load_folder(&claim).unwrap()
}

#[test]
fn the_first_plan_and_the_first_report_win() {
    let (_place, mut table) = Place::with_table();
    let folder = claimed_folder(&mut table, 1);
    assert!(folder.path().ends_with("_longshore/loads/l/1-1"));
    let (first, second) = (plan(&table, &["a"]), plan(&table, &["a", "b"]));
    assert_eq!(folder.put_plan(&first).unwrap(), first);
    assert_eq!(folder.put_plan(&second).unwrap(), first);
    assert_eq!(folder.plan().unwrap(), Some(first));
    assert_eq!(folder.put_task_report(&report(0, "x")).unwrap(), report(0, "x"));
    assert_eq!(folder.put_task_report(&report(0, "y")).unwrap(), report(0, "x"));
    assert_eq!(folder.task_reports().unwrap().len(), 1);
    assert!(temporary_files(&folder.path()).is_empty());
    assert_eq!(folder.rejected_path(3, "w"), "_longshore/loads/l/1-1/rejected-0003-w.parquet");
}

#[test]
fn a_plan_that_has_won_and_is_not_seen_yet_is_waited_for() {
    let place = Place::empty();
    let (faulty, files) = Faulty::shared();
    let mut table = place.create(files).unwrap();
    let folder = claimed_folder(&mut table, 1);
    let (first, second) = (plan(&table, &["a"]), plan(&table, &["a", "b"]));
    assert_eq!(folder.put_plan(&first).unwrap(), first);
    faulty.fail_first("open plan.json", Fault::Fails(io::ErrorKind::NotFound));
    assert_eq!(folder.put_plan(&second).unwrap(), first);
}

#[test]
fn an_attempt_adopts_from_earlier_ones_of_its_run_only() {
    let (place, mut table) = Place::with_table();
    let first = claimed_folder(&mut table, 1);
    first.put_plan(&plan(&table, &["a", "b", "c"])).unwrap();
    first.put_task_report(&report(1, "x")).unwrap();
    // An attempt that died before its plan leaves nothing to adopt.
    claimed_folder(&mut table, 1);
    let third = claimed_folder(&mut table, 1);
    let earlier = third.earlier().unwrap();
    assert_eq!(earlier.iter().map(|attempt| attempt.attempt).collect::<Vec<_>>(), [1]);
    let adopted = adoptable(&plan(&table, &["b", "d"]), &earlier);
    assert_eq!(adopted.len(), 1);
    let adopted = &adopted[&0];
    assert_eq!((adopted.attempt, adopted.report.task), (1, 0));

    assert!(!third.segments_stand(&adopted.report.segments).unwrap());
    write_segment(&place, "x");
    assert!(third.segments_stand(&adopted.report.segments).unwrap());
    fs::write(place.root.join("b-00001/x.parquet"), [0; 99]).unwrap();
    assert!(!third.segments_stand(&adopted.report.segments).unwrap());

    assert!(claimed_folder(&mut table, 2).earlier().unwrap().is_empty());
}

#[test]
fn a09_a_failed_run_removes_its_own_files() {
    let (place, mut table) = Place::with_table();
    let first = claimed_folder(&mut table, 1);
    first.put_plan(&plan(&table, &["a"])).unwrap();
    write_segment(&place, "x");
    first.put_task_report(&report(0, "x")).unwrap();
    let claim = table.claim("l", 1).unwrap();
    let second = table.load_folder(&claim).unwrap();
    second.put_plan(&plan(&table, &["a"])).unwrap();

    let open = table.remove_own(&second).unwrap_err();
    assert_eq!(open.category(), "RunStillOpen");
    assert!(place.root.join("b-00001/x.parquet").exists());

    table.close_run("l", 1, Some(&claim), failed_record("l", 1)).unwrap();
    fs::write(place.root.join(second.rejected_path(0, "w")), "{}").unwrap();
    table.remove_own(&second).unwrap();
    assert!(!place.root.join("b-00001/x.parquet").exists());
    assert!(!first.path().exists());
    let left: Vec<_> = fs::read_dir(second.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["rejected-0000-w.parquet"]);
}

#[test]
fn a_loaded_label_keeps_its_segments_and_drops_its_plan() {
    let (place, mut table) = Place::with_table();
    let claim = table.claim("l", 1).unwrap();
    let folder = table.load_folder(&claim).unwrap();
    folder.put_plan(&plan(&table, &["a"])).unwrap();
    write_segment(&place, "l-1-1");
    folder.put_task_report(&report(0, "l-1-1")).unwrap();
    commit(&mut table, &claim, 3).unwrap();
    table.remove_own(&folder).unwrap();
    assert!(place.root.join("b-00001/l-1-1.parquet").exists());
    assert!(!folder.path().exists());
}

#[test]
fn a_damaged_report_is_named() {
    let (_place, mut table) = Place::with_table();
    let folder = claimed_folder(&mut table, 1);
    fs::write(folder.path().join("task-0000.json"), "{").unwrap();
    let error = folder.task_reports().unwrap_err();
    assert_eq!(error.category(), "DamagedDocument");
    assert!(error.to_string().contains("task-0000.json"));
}
