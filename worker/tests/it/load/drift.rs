//! Files with columns that the table does not have (`schemaDrift`).

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray};
use longshore_crds::{LoadRequest, Outcome, SchemaDrift, exit};

use crate::world::{World, batch, column, definition};

fn longs(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn drifting(world: &World, label: &str, pattern: &str, drift: SchemaDrift) -> LoadRequest {
    LoadRequest { schema_drift: drift, ..world.request(label, pattern) }
}

/// A table of one column, and files of which two have more: `extra`, as INT and as BIGINT, and `note`.
fn world() -> World {
    let world = World::with_table(&definition(vec![column("id", "BIGINT")]));
    world.put_batch("new/1.parquet", &batch(vec![("id", longs(&[1]))]));
    world.put_batch("new/2.parquet", &batch(vec![("extra", ints(&[20])), ("id", longs(&[2]))]));
    let wider = batch(vec![("id", longs(&[3])), ("Extra", longs(&[30])), ("note", texts(&["n"]))]);
    world.put_batch("new/3.parquet", &wider);
    world
}

fn names(world: &World) -> Vec<String> {
    let table = world.table();
    table.schema().columns().iter().map(|column| format!("{} {}", column.name, column.data_type)).collect()
}

#[test]
fn ignore_leaves_new_columns_alone() {
    let world = world();
    let report = world.load(drifting(&world, "l", "new/*.parquet", SchemaDrift::Ignore));
    assert_eq!((report.outcome, report.counts.sink_rows), (Outcome::Loaded, 3), "{report:?}");
    assert_eq!(names(&world), ["id BIGINT"]);
}

#[test]
fn fail_names_file_and_column_and_loads_nothing() {
    let world = world();
    let report = world.load(drifting(&world, "l", "new/*.parquet", SchemaDrift::Fail));
    assert_eq!((report.reason.as_str(), report.exit_code), ("UnexpectedColumn", exit::SOURCE), "{report:?}");
    let named = report.message.contains("new/2.parquet") || report.message.contains("new/3.parquet");
    assert!(named && report.message.to_lowercase().contains("extra"), "{}", report.message);
    assert_eq!(world.row_count(), 0);
    let fine = world.load(drifting(&world, "m", "new/1.parquet", SchemaDrift::Fail));
    assert_eq!(fine.outcome, Outcome::Loaded, "{fine:?}");
}

#[test]
fn add_columns_widens_the_table_in_the_commit_of_the_rows() {
    let world = world();
    world.put_batch("old.parquet", &batch(vec![("id", longs(&[0]))]));
    assert_eq!(world.load(world.request("old", "old.parquet")).outcome, Outcome::Loaded);
    let before = world.table().version();
    let report = world.load(drifting(&world, "l", "new/*.parquet", SchemaDrift::AddColumns));
    assert_eq!((report.outcome, report.counts.sink_rows), (Outcome::Loaded, 4 - 1), "{report:?}");
    // The claim, and one commit for columns and rows.
    assert_eq!(report.table_version, Some(before + 2));
    assert_eq!(names(&world), ["id BIGINT", "extra BIGINT", "note STRING"]);
    assert_eq!(world.sorted("extra"), ["20", "30", "NULL", "NULL"]);
    assert_eq!(world.sorted("note"), ["NULL", "NULL", "NULL", "n"]);

    // The columns are the table's now: a load of the plain kind feeds them.
    world.put_batch("later.parquet", &batch(vec![("id", longs(&[9])), ("extra", ints(&[90]))]));
    let mut later = world.request("later", "later.parquet");
    later.on_missing_column = longshore_crds::OnMissingColumn::UseDefault;
    assert_eq!(world.load(later).outcome, Outcome::Loaded);
    assert_eq!(world.sorted("extra"), ["20", "30", "90", "NULL", "NULL"]);
}

#[test]
fn a_load_that_fails_leaves_the_columns_of_the_table_as_they_were() {
    let world = world();
    world.put("new/4.parquet", b"this is no Parquet file");
    let report = world.load(drifting(&world, "l", "new/*.parquet", SchemaDrift::AddColumns));
    assert_eq!((report.outcome, report.exit_code), (Outcome::Failed, exit::SOURCE), "{report:?}");
    assert_eq!(names(&world), ["id BIGINT"]);
    assert_eq!(world.row_count(), 0);
}

#[test]
fn types_without_a_common_one_and_names_that_no_column_can_have_are_refused() {
    let world = world();
    world.put_batch("odd/1.parquet", &batch(vec![("id", longs(&[1])), ("x", texts(&["a"]))]));
    world.put_batch("odd/2.parquet", &batch(vec![("id", longs(&[2])), ("X", longs(&[2]))]));
    let report = world.load(drifting(&world, "l", "odd/*.parquet", SchemaDrift::AddColumns));
    assert_eq!((report.reason.as_str(), report.exit_code), ("CannotAddColumn", exit::SOURCE), "{report:?}");
    for part in ["odd/1.parquet", "odd/2.parquet", "STRING", "BIGINT"] {
        assert!(report.message.contains(part), "{}", report.message);
    }
    world.put_batch("name/1.parquet", &batch(vec![("id", longs(&[1])), ("a b", longs(&[1]))]));
    let report = world.load(drifting(&world, "m", "name/*.parquet", SchemaDrift::AddColumns));
    assert_eq!(report.reason, "CannotAddColumn", "{report:?}");
    assert!(report.message.contains("a b"), "{}", report.message);
    assert_eq!(names(&world), ["id BIGINT"]);
}

#[test]
fn a_source_with_columns_takes_these_and_does_not_drift() {
    let world = world();
    for (label, drift) in [("a", SchemaDrift::AddColumns), ("f", SchemaDrift::Fail)] {
        let mut request = drifting(&world, label, "new/*.parquet", drift);
        request.sources[0].columns = Some(vec!["id".to_owned()]);
        assert_eq!(world.load(request).outcome, Outcome::Loaded);
    }
    assert_eq!(names(&world), ["id BIGINT"]);
}

#[test]
fn orc_and_avro_files_bring_their_columns_with_their_types() {
    let files = crate::columnar::written("drift");
    for suffix in ["orc", "avro"] {
        let world = World::with_table(&definition(vec![column("id", "BIGINT")]));
        for number in 1..=3 {
            let name = format!("{number}.{suffix}");
            world.put(&format!("new/{name}"), &files[&name]);
        }
        let pattern = format!("new/*.{suffix}");
        let report = world.load(drifting(&world, "i", &pattern, SchemaDrift::Ignore));
        assert_eq!((report.outcome, names(&world).len()), (Outcome::Loaded, 1), "{report:?}");
        let report = world.load(drifting(&world, "f", &pattern, SchemaDrift::Fail));
        assert_eq!(report.reason, "UnexpectedColumn", "{suffix}: {report:?}");
        let report = world.load(drifting(&world, "a", &pattern, SchemaDrift::AddColumns));
        assert_eq!((report.outcome, report.counts.sink_rows), (Outcome::Loaded, 3), "{suffix}: {report:?}");
        let expected = [
            "id BIGINT",
            "extra BIGINT",
            "at DATETIME",
            "note STRING",
            "list ARRAY<INT>",
            "part STRUCT<x BIGINT>",
        ];
        assert_eq!(names(&world), expected, "{suffix}");
        assert_eq!(world.sorted("extra")[..2], ["1099511627776", "20"], "{suffix}");
        assert_eq!(world.sorted("at")[0], "2024-01-31T10:00:00.500", "{suffix}");
        assert_eq!(world.sorted("list").last().map(String::as_str), Some("[1, 2]"), "{suffix}");
        assert_eq!(world.sorted("part").last().map(String::as_str), Some("{x: 1}"), "{suffix}");
        // Files of all formats meet in one load.
        let other = if suffix == "orc" { "avro" } else { "orc" };
        world.put(&format!("new/3.{other}"), &files[&format!("3.{other}")]);
        let mut both = drifting(&world, "b", "new/3.*", SchemaDrift::Fail);
        both.on_missing_column = longshore_crds::OnMissingColumn::UseDefault;
        let report = world.load(both);
        assert_eq!((report.outcome, report.counts.sink_rows), (Outcome::Loaded, 2), "{report:?}");
    }
}

#[test]
fn what_only_an_expression_names_is_no_new_column() {
    let world = World::with_table(&definition(vec![column("id", "BIGINT"), column("sum", "BIGINT")]));
    let rows = batch(vec![("id", longs(&[1, 2])), ("Extra", longs(&[10, 20])), ("kind", texts(&["a", "b"]))]);
    world.put_batch("a.parquet", &rows);
    let request = |label: &str, drift| {
        let mut request = drifting(&world, label, "a.parquet", drift);
        request.sources[0].set = [("sum".to_owned(), "id + extra".to_owned())].into();
        request.sources[0].filter = Some("KIND = 'b'".to_owned());
        request
    };
    for (label, drift) in [("f", SchemaDrift::Fail), ("a", SchemaDrift::AddColumns)] {
        let report = world.load(request(label, drift));
        assert_eq!((report.outcome, report.counts.sink_rows), (Outcome::Loaded, 1), "{report:?}");
    }
    assert_eq!(names(&world), ["id BIGINT", "sum BIGINT"]);
    assert_eq!(world.sorted("sum"), ["22", "22"]);
    // A column that nothing names is new all the same.
    let mut request = request("n", SchemaDrift::Fail);
    request.sources[0].filter = None;
    let report = world.load(request);
    assert_eq!(report.reason, "UnexpectedColumn", "{report:?}");
    assert!(report.message.contains("kind"), "{}", report.message);
}

#[test]
fn two_loads_that_bring_the_same_column_widen_the_table_once() {
    let world = world();
    for label in ["a", "b"] {
        let report = world.load(drifting(&world, label, "new/3.parquet", SchemaDrift::AddColumns));
        assert_eq!(report.outcome, Outcome::Loaded, "{report:?}");
    }
    assert_eq!(names(&world), ["id BIGINT", "Extra BIGINT", "note STRING"]);
    assert_eq!(world.sorted("note"), ["n", "n"]);
}
