//! Overwriting a table, named partitions of it, and those in which new rows lie.

use std::sync::Arc;

use longshore_storage::durable::Posix;
use longshore_storage::schema::{ListPartition, PartitionBy};
use longshore_storage::table::{CommitError, LoadMode, OverwriteScope, Table};

use super::replay::{lines, seen};
use super::setting::{compacted, in_partition, load_segments, place, segments_of};
use crate::log::faulty::Faulty;
use crate::log::support::{Place, definition, load};

fn partitions(names: &[&str]) -> LoadMode {
    LoadMode::Overwrite(OverwriteScope::Partitions(names.iter().map(|name| (*name).to_owned()).collect()))
}

const TABLE: LoadMode = LoadMode::Overwrite(OverwriteScope::Table);
const DYNAMIC: LoadMode = LoadMode::Overwrite(OverwriteScope::Dynamic);

/// Names of the visible files, without folders and ending.
fn names(place: &Place) -> Vec<String> {
    let files = seen(&place.root).files;
    let name = |path: &String| path.rsplit('/').next().unwrap().trim_end_matches(".parquet").to_owned();
    files.keys().map(name).collect()
}

fn record_count(place: &Place) -> usize {
    std::fs::read_dir(place.root.join("_longshore/history")).unwrap().count()
}

#[test]
fn a50_overwrite_of_listed_partitions_leaves_others() {
    let (place, mut table) = place();
    load_segments(&mut table, "c", vec![in_partition("p-c", "c1", 6)], LoadMode::Append).unwrap();
    let new = vec![in_partition("p-a", "new", 2)];
    load_segments(&mut table, "over", new, partitions(&["p-a", "p-c"])).unwrap();
    assert_eq!(names(&place), ["new", "b1"]);
    assert_eq!(seen(&place.root).rows(), 7);
}

#[test]
fn a50_dynamic_overwrite_replaces_only_the_partitions_present_in_the_new_rows() {
    let (place, mut table) = place();
    let new = vec![in_partition("p-b", "new", 2), in_partition("p-d", "more", 1)];
    load_segments(&mut table, "over", new, DYNAMIC).unwrap();
    assert_eq!(names(&place), ["a1", "a2", "new", "more"]);
    // No new row, no partition.
    load_segments(&mut table, "nothing", Vec::new(), DYNAMIC).unwrap();
    assert_eq!(names(&place), ["a1", "a2", "new", "more"]);
}

#[test]
fn a50_an_unknown_partition_is_refused_by_name_and_nothing_changes() {
    let (place, mut table) = place();
    let before = (names(&place), record_count(&place));
    let error = load_segments(&mut table, "over", Vec::new(), partitions(&["p-a", "p-z"])).unwrap_err();
    assert_eq!(error.category(), "UnknownPartition");
    assert!(error.to_string().contains("p-z") && error.to_string().contains("over"), "{error}");
    // Rows outside the partitions that are named.
    let new = vec![in_partition("p-b", "new", 2)];
    let error = load_segments(&mut table, "over", new, partitions(&["p-a"])).unwrap_err();
    assert_eq!(error.category(), "PartitionOutOfScope");
    assert!(error.to_string().contains("p-b"), "{error}");
    assert_eq!((names(&place), record_count(&place)), before);
}

#[test]
fn a50_a_declared_partition_without_rows_is_known() {
    let place = Place::empty();
    let mut definition = definition();
    let list =
        |name: &str| ListPartition { name: name.to_owned(), values: vec![vec![Some(name.to_owned())]] };
    definition.partition_by = PartitionBy::List {
        columns: vec!["BehaviorType".to_owned()],
        partitions: vec![list("buy"), list("view")],
    };
    let mut table = Table::create(Arc::new(Posix), &place.root, &definition).unwrap();
    load_segments(&mut table, "a", vec![in_partition("buy", "a", 1)], LoadMode::Append).unwrap();
    load_segments(&mut table, "b", Vec::new(), partitions(&["buy", "view"])).unwrap();
    assert!(names(&place).is_empty());
    let error = load_segments(&mut table, "c", Vec::new(), partitions(&["cart"])).unwrap_err();
    assert!(matches!(error, CommitError::UnknownPartition { .. }), "{error}");
}

#[test]
fn an_empty_overwrite_empties_the_table_or_its_partitions() {
    let (place, mut table) = place();
    load_segments(&mut table, "over", Vec::new(), partitions(&["p-a"])).unwrap();
    assert_eq!(names(&place), ["b1"]);
    load_segments(&mut table, "all", Vec::new(), TABLE).unwrap();
    assert!(names(&place).is_empty());
    load_segments(&mut table, "again", vec![in_partition("p-a", "x", 1)], TABLE).unwrap();
    assert_eq!(names(&place), ["x"]);
}

#[test]
fn the_commit_of_an_overwrite_says_what_it_is() {
    let (place, mut table) = place();
    load_segments(&mut table, "over", vec![in_partition("p-a", "new", 2)], partitions(&["p-a"])).unwrap();
    let lines = lines(&place.root, table.version()).unwrap();
    let info = &lines[0]["commitInfo"];
    assert_eq!(info["operation"], "WRITE");
    assert_eq!(info["isBlindAppend"], false);
    assert_eq!(info["operationParameters"]["mode"], "Overwrite");
    assert_eq!(info["operationParameters"]["scope"], r#"["p-a"]"#);
    assert_eq!(info["operationMetrics"]["numRemovedFiles"], "2");
    assert_eq!(lines[1]["txn"]["appId"], "load/over");
    let removes: Vec<_> = lines.iter().filter_map(|line| line.get("remove")).collect();
    assert_eq!(removes.len(), 2);
    for remove in removes {
        assert_eq!(remove["dataChange"], true);
        assert_eq!(remove["extendedFileMetadata"], true);
        assert_eq!(remove["size"], 100);
        assert_eq!(remove["tags"]["longshore.partition"], "p-a");
        assert_eq!(remove["tags"]["longshore.load"], "setup");
        assert!(remove["deletionTimestamp"].as_i64().unwrap() > 1_700_000_000_000);
    }
    assert_eq!(lines.last().unwrap()["add"]["dataChange"], true);
}

/// Overwrites while `meanwhile` happens between its decision and its commit.
fn overwritten_beside(mode: LoadMode, meanwhile: impl FnOnce(&mut Table) + Send + 'static) -> Place {
    let (place, _) = place();
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    let mut other = place.open();
    let claim = table.claim("over", 1).unwrap();
    other.refresh().unwrap();
    faulty.pause_at("link .00000000", move || meanwhile(&mut other));
    let mut load = crate::log::support::load_of(&table, &claim, 2);
    load.segments = vec![in_partition("p-a", "new", 2)];
    load.mode = mode;
    table.commit_load(&claim, load).unwrap();
    place
}

#[test]
fn what_was_appended_meanwhile_is_removed_with_the_rest() {
    let append = |table: &mut Table| {
        let segments = vec![in_partition("p-a", "late", 1), in_partition("p-b", "late", 1)];
        load_segments(table, "late", segments, LoadMode::Append).unwrap();
    };
    assert_eq!(names(&overwritten_beside(TABLE, append)), ["new"]);
    assert_eq!(names(&overwritten_beside(DYNAMIC, append)), ["new", "b1", "late"]);
    assert_eq!(names(&overwritten_beside(partitions(&["p-a"]), append)), ["new", "b1", "late"]);
}

#[test]
fn what_was_compacted_or_overwritten_meanwhile_is_removed_once() {
    let compact = |table: &mut Table| {
        let epoch = table.next_epoch(longshore_storage::table::Maintenance::Compact).unwrap();
        let (schema, inputs) = (Arc::clone(table.schema()), segments_of(table, "p-a"));
        let outputs = vec![compacted(0, &inputs)];
        table.commit_compaction(&epoch, &schema, &inputs, outputs).unwrap();
    };
    assert_eq!(names(&overwritten_beside(DYNAMIC, compact)), ["new", "b1"]);
    let overwrite = |table: &mut Table| {
        load_segments(table, "other", vec![in_partition("p-b", "theirs", 1)], TABLE).unwrap();
    };
    assert_eq!(names(&overwritten_beside(DYNAMIC, overwrite)), ["new", "theirs"]);
}

#[test]
fn checkpoints_meanwhile_change_nothing() {
    let checkpoints = |table: &mut Table| {
        for label in ["x", "y"] {
            load_segments(table, label, vec![in_partition("p-a", label, 1)], LoadMode::Append).unwrap();
            table.checkpoint().unwrap();
        }
        load_segments(table, "z", Vec::new(), TABLE).unwrap();
        load(table, "w", 1);
    };
    let place = overwritten_beside(TABLE, checkpoints);
    assert_eq!(names(&place), ["new"]);
    // And a checkpoint of it all says the same.
    let mut table = place.open();
    table.checkpoint().unwrap();
    assert_eq!(names(&place), ["new"]);
}

/// Appends a file as another engine would.
fn foreign(place: &Place, version: u64) {
    let line = r#"{"add":{"path":"other%20one.parquet","partitionValues":{},"size":7,"modificationTime":1,"dataChange":true,"stats":"{\"numRecords\":2}"}}"#;
    std::fs::write(place.commit(version), format!("{line}\n")).unwrap();
}

#[test]
fn files_of_other_engines_go_with_the_table_and_stand_in_the_way_of_partitions() {
    let (place, mut table) = place();
    foreign(&place, table.version() + 1);
    for mode in [partitions(&["p-a"]), DYNAMIC] {
        let new = vec![in_partition("p-a", "new", 2)];
        let error = load_segments(&mut table, "over", new, mode).unwrap_err();
        assert_eq!(error.category(), "ForeignFiles");
        assert!(error.to_string().contains("other%20one.parquet"), "{error}");
    }
    load_segments(&mut table, "all", vec![in_partition("p-a", "new", 2)], TABLE).unwrap();
    let segments = place.open().segments().unwrap();
    assert_eq!(segments.iter().map(|segment| segment.rows).collect::<Vec<_>>(), [2]);
}
