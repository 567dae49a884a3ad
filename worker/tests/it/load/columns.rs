//! Which column feeds which.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use longshore_crds::{LoadReport, OnMissingColumn, exit};
use longshore_storage::schema::DefaultValue;

use crate::world::{SERVER, World, batch, column, definition, not_null, with_default};

fn longs(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn load_columns(world: &World, columns: &[&str]) -> LoadReport {
    let mut request = world.request(&format!("columns-{}", columns.join("-")), "*.parquet");
    request.sources[0].columns = Some(columns.iter().map(|&name| name.to_owned()).collect());
    world.load(request)
}

#[test]
fn a28_unknown_duplicate_and_missing_columns_are_refused_before_any_request() {
    let world = World::with_table(&definition(vec![
        column("id", "BIGINT"),
        not_null(column("must", "BIGINT")),
        column("may", "BIGINT"),
    ]));
    world.put_batch(
        "a.parquet",
        &batch(vec![("id", longs(&[1])), ("must", longs(&[2])), ("may", longs(&[3]))]),
    );
    for (columns, named) in
        [(vec!["id", "must", "nope"], "nope"), (vec!["id", "must", "ID"], "ID"), (vec!["id", "may"], "must")]
    {
        let report = load_columns(&world, &columns);
        assert_eq!(report.exit_code, exit::REQUEST, "{report:?}");
        assert!(report.message.contains(named), "{}", report.message);
    }
    let asked = SERVER.counters().gets().iter().any(|get| get.bucket == world.bucket);
    assert!(!asked, "no object was read");
    assert_eq!(load_columns(&world, &["must", "id"]).exit_code, exit::LOADED);
    assert_eq!(world.sorted("may"), ["NULL"], "a column that is not taken is NULL");
}

#[test]
fn a30_defaults_fill_what_a_file_lacks() {
    let world = World::with_table(&definition(vec![
        column("id", "BIGINT"),
        with_default(column("literal", "INT"), DefaultValue::Literal("42".to_owned())),
        column("nullable", "STRING"),
        with_default(not_null(column("unique_id", "VARCHAR(36)")), DefaultValue::Uuid),
        with_default(column("loaded_at", "DATETIME"), DefaultValue::CurrentTimestamp),
    ]));
    for file in 0..3 {
        world.put_batch(&format!("{file}.parquet"), &batch(vec![("id", longs(&[1, 2, 3, 4]))]));
    }
    let mut request = world.request("load", "*.parquet");
    request.execution.task_bytes = Some(1);
    let refused = world.load(request.clone());
    assert_eq!(refused.exit_code, exit::SOURCE, "{refused:?}");
    assert!(refused.message.contains("nullable"), "{}", refused.message);

    request.run = 2;
    request.on_missing_column = OnMissingColumn::UseDefault;
    let report = world.load(request);
    assert_eq!(report.counts.sink_rows, 12, "{report:?}");
    assert_eq!(world.sorted("literal"), vec!["42"; 12]);
    assert_eq!(world.sorted("nullable"), vec!["NULL"; 12]);
    let ids: HashSet<_> = world.sorted("unique_id").into_iter().collect();
    assert_eq!(ids.len(), 12, "uuid() differs in each row");
    let instants: HashSet<_> = world.sorted("loaded_at").into_iter().collect();
    assert_eq!(instants.len(), 1, "CURRENT_TIMESTAMP is one instant a load");
}

#[test]
fn a31_columns_match_by_name_in_every_file() {
    let world = World::with_table(&definition(vec![column("a", "BIGINT"), column("b", "STRING")]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    world.put_batch(
        "1.parquet",
        &batch(vec![("b", text.clone()), ("a", longs(&[1])), ("extra", longs(&[9]))]),
    );
    world.put_batch("2.parquet", &batch(vec![("A", longs(&[2])), ("B", text.clone())]));
    assert_eq!(world.load(world.request("both", "*.parquet")).counts.sink_rows, 2);
    assert_eq!(world.sorted("a"), ["1", "2"]);

    // The lack is found in the last of many files, not in a sample.
    for file in 3..12 {
        world.put_batch(&format!("{file:02}.parquet"), &batch(vec![("a", longs(&[1])), ("b", text.clone())]));
    }
    world.put_batch("zz.parquet", &batch(vec![("a", longs(&[3]))]));
    let report = world.load(world.request("lacking", "*.parquet"));
    assert_eq!(report.exit_code, exit::SOURCE, "{report:?}");
    assert!(report.message.contains("zz.parquet") && report.message.contains('b'), "{}", report.message);
    assert_eq!(world.row_count(), 2);
}

#[test]
fn columns_that_differ_in_case_only_are_refused() {
    let world = World::with_table(&definition(vec![column("a", "BIGINT")]));
    world.put_batch("1.parquet", &batch(vec![("a", longs(&[1])), ("A", longs(&[2]))]));
    let report = world.load(world.request("load", "*.parquet"));
    assert_eq!(report.exit_code, exit::SOURCE, "{report:?}");
    assert!(report.message.contains("1.parquet"), "{}", report.message);
    assert_eq!(world.row_count(), 0);
}
