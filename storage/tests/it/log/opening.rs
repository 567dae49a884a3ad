//! Making and opening a table; what is refused.

use std::sync::Arc;
use std::{fs, io};

use longshore_storage::durable::Posix;
use longshore_storage::schema::Compression;
use longshore_storage::table::{CommitOutcome, LabelState, Table};
use longshore_storage::types::DataType;

use super::faulty::{Fault, Faulty};
use super::support::{Place, column, commit, definition, load, temporary_files};

#[test]
fn a_new_table_opens_with_its_definition() {
    let (place, table) = Place::with_table();
    let opened = place.open();
    assert_eq!(opened.schema().definition(), &definition());
    assert_eq!((opened.version(), opened.id()), (0, table.id()));
    assert!(opened.created().is_some());
    assert!(temporary_files(&place.log()).is_empty());
    assert!(fs::read_dir(place.root.join("_longshore/tmp")).unwrap().next().is_none());
}

#[test]
fn lost_and_found_is_ignored_and_a_repeated_creation_opens_the_table() {
    let place = Place::empty();
    fs::create_dir_all(place.root.join("lost+found")).unwrap();
    let first = place.create(Arc::new(Posix)).unwrap();
    let second = place.create(Arc::new(Posix)).unwrap();
    assert_eq!(first.id(), second.id());
}

#[test]
fn an_interrupted_creation_is_completed() {
    let (place, _) = Place::with_table();
    fs::remove_file(place.commit(0)).unwrap();
    place.create(Arc::new(Posix)).unwrap();
    fs::remove_file(place.commit(0)).unwrap();
    fs::remove_file(place.root.join("_longshore/format.json")).unwrap();
    fs::remove_dir(place.log()).unwrap();
    place.create(Arc::new(Posix)).unwrap();
    place.open();
}

#[test]
fn a_table_with_another_definition_is_refused_by_what_differs() {
    let (place, _) = Place::with_table();
    let mut other = definition();
    other.columns[0].data_type = DataType::BigInt;
    other.columns.push(column("Extra", DataType::String, true));
    other.compression = Compression::None;
    let error = Table::create(Arc::new(Posix), &place.root, &other).unwrap_err();
    assert_eq!(error.category(), "DefinitionDiffers");
    let text = error.to_string();
    assert!(text.contains("column UserID is declared BIGINT and is INT"), "{text}");
    assert!(text.contains("column Extra is declared and not in the table"), "{text}");
}

#[test]
fn a_definition_that_is_wrong_touches_nothing() {
    let place = Place::empty();
    let mut wrong = definition();
    wrong.key = vec!["nowhere".to_owned()];
    let error = Table::create(Arc::new(Posix), &place.root, &wrong).unwrap_err();
    assert_eq!(error.category(), "InvalidDefinition");
    assert!(!place.root.exists());
}

#[test]
fn a_folder_with_something_else_is_refused_and_not_touched() {
    let place = Place::empty();
    fs::create_dir_all(&place.root).unwrap();
    fs::write(place.root.join("notes.txt"), "mine").unwrap();
    let error = place.create(Arc::new(Posix)).unwrap_err();
    assert_eq!(error.category(), "NotALongshoreTable");
    assert!(error.to_string().contains("notes.txt"));
    assert_eq!(fs::read_dir(&place.root).unwrap().count(), 1);

    let error = Table::open(Arc::new(Posix), &place.root).unwrap_err();
    assert_eq!(error.category(), "NotALongshoreTable");
}

#[test]
fn a_table_whose_format_is_not_seen_yet_is_waited_for() {
    let (place, _) = Place::with_table();
    let (faulty, files) = Faulty::shared();
    faulty.fail_first("open format.json", Fault::Fails(io::ErrorKind::NotFound));
    Table::open(files, &place.root).unwrap();
}

#[test]
fn a_delta_table_of_another_engine_is_refused() {
    let place = Place::empty();
    fs::create_dir_all(place.log()).unwrap();
    fs::write(place.commit(0), "{\"commitInfo\":{}}\n").unwrap();
    for error in
        [place.create(Arc::new(Posix)).unwrap_err(), Table::open(Arc::new(Posix), &place.root).unwrap_err()]
    {
        assert_eq!(error.category(), "NotALongshoreTable");
        assert!(error.to_string().contains("another engine"), "{error}");
    }
}

#[test]
fn a_newer_layout_is_refused() {
    let (place, _) = Place::with_table();
    let path = place.root.join("_longshore/format.json");
    fs::write(&path, r#"{"format":"longshore","layoutVersion":2,"more":true}"#).unwrap();
    let error = Table::open(Arc::new(Posix), &place.root).unwrap_err();
    assert_eq!(error.category(), "NewerLayout");
    assert_eq!(place.create(Arc::new(Posix)).unwrap_err().category(), "NewerLayout");
}

/// Appends a commit with these actions, as another engine would.
fn append(place: &Place, version: u64, lines: &[&str]) {
    fs::write(place.commit(version), lines.join("\n")).unwrap();
}

#[test]
fn features_that_are_not_known_are_refused_by_name() {
    let cases = [
        (
            r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["timestampNtz","deletionVectors"],"writerFeatures":["timestampNtz","deletionVectors"]}}"#,
            "deletionVectors",
        ),
        (
            r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["timestampNtz"],"writerFeatures":["timestampNtz","rowTracking"]}}"#,
            "rowTracking",
        ),
        (r#"{"protocol":{"minReaderVersion":4,"minWriterVersion":8}}"#, "(4, 8)"),
    ];
    for (line, name) in cases {
        let (place, mut old) = Place::with_table();
        append(&place, 1, &[line]);
        let error = Table::open(Arc::new(Posix), &place.root).unwrap_err();
        assert_eq!(error.category(), "UnsupportedFeature");
        assert!(error.to_string().contains(name), "{error}");
        // A process that had it open stops as well.
        assert_eq!(old.refresh().unwrap_err().category(), "UnsupportedFeature");
    }
}

#[test]
fn column_mapping_and_deletion_vectors_are_refused() {
    let (place, _) = Place::with_table();
    let first = fs::read_to_string(place.commit(0)).unwrap();
    let metadata = first.lines().find(|line| line.starts_with("{\"metaData\"")).unwrap();
    let mapped =
        metadata.replace("\"configuration\":{", "\"configuration\":{\"delta.columnMapping.mode\":\"name\",");
    append(&place, 1, &[&mapped]);
    let error = Table::open(Arc::new(Posix), &place.root).unwrap_err();
    assert!(error.to_string().contains("column mapping by name"), "{error}");

    let (place, _) = Place::with_table();
    append(
        &place,
        1,
        &[
            r#"{"add":{"path":"x","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true,"deletionVector":{"storageType":"u"}}}"#,
        ],
    );
    let error = place.open().segments().unwrap_err();
    assert!(error.to_string().contains("deletion vectors"), "{error}");
}

#[test]
fn an_empty_or_torn_commit_is_damage() {
    for (text, what) in
        [("", "version 1 is empty"), ("\n\n", "version 1 is empty"), ("{\"add\":{\"path\":\"x", "version 1")]
    {
        let (place, _) = Place::with_table();
        fs::write(place.commit(1), text).unwrap();
        let error = Table::open(Arc::new(Posix), &place.root).unwrap_err();
        assert_eq!(error.category(), "DamagedLog");
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn commits_of_other_engines_are_read() {
    let (place, mut table) = Place::with_table();
    load(&mut table, "a", 5);
    append(
        &place,
        3,
        &[
            r#"{"add":{"path":"other%20one.parquet","partitionValues":{},"size":7,"modificationTime":1,"dataChange":true,"stats":"{\"numRecords\":2}"}}"#,
            r#"{"commitInfo":{"operation":"WRITE","operationParameters":"odd"}}"#,
            r#"{"something":{"new":1}}"#,
        ],
    );
    table.refresh().unwrap();
    let segments = table.segments().unwrap();
    assert_eq!(segments.len(), 2);
    assert_eq!(segments[1].path, "other one.parquet");
    assert_eq!(segments[1].bucket, longshore_storage::load::Segment::NO_BUCKET);
    assert_eq!(table.totals().unwrap().rows, 7);
    assert_eq!(load(&mut table, "b", 1), 5);
}

#[test]
fn a_load_is_known_by_its_label() {
    let (place, mut table) = Place::with_table();
    assert_eq!(table.label("l").unwrap(), LabelState::Unknown);
    let claim = table.claim("l", 1).unwrap();
    assert_eq!(table.label("l").unwrap(), LabelState::Claimed { run: 1, attempt: 1 });
    assert_eq!(commit(&mut table, &claim, 10).unwrap(), CommitOutcome::Committed { version: 2 });
    let LabelState::Loaded { version, record } = place.open().label("l").unwrap() else { panic!() };
    assert_eq!((version, record.counts.sink_rows), (2, 10));
    assert_eq!(place.open().totals().unwrap().rows, 10);
    assert_eq!(place.open().segments().unwrap(), table.segments().unwrap());
}
