//! Loads that replace what the table has.

use std::sync::Arc;

use arrow::array::Int64Array;
use longshore_crds::{LoadMode, LoadRequest, Outcome, exit};

use crate::world::{World, batch, column, definition};

fn put(world: &World, key: &str, values: std::ops::Range<i64>) {
    world.put_batch(key, &batch(vec![("n", Arc::new(Int64Array::from_iter_values(values)))]));
}

fn overwrite(world: &World, label: &str, pattern: &str) -> LoadRequest {
    LoadRequest { mode: LoadMode::Overwrite, ..world.request(label, pattern) }
}

/// A table with the rows 0..100.
fn world() -> World {
    let world = World::with_table(&definition(vec![column("n", "BIGINT")]));
    put(&world, "first.parquet", 0..100);
    assert_eq!(world.load(world.request("first", "first.parquet")).outcome, Outcome::Loaded);
    world
}

fn rows(world: &World) -> Vec<i64> {
    let mut rows: Vec<i64> = world.sorted("n").iter().map(|text| text.parse().unwrap()).collect();
    rows.sort_unstable();
    rows
}

#[test]
fn a50_overwrite_of_the_table_replaces_all_rows_once() {
    let world = world();
    put(&world, "second.parquet", 500..520);
    let report = world.load(overwrite(&world, "second", "second.parquet"));
    assert_eq!((report.outcome, report.counts.sink_rows), (Outcome::Loaded, 20), "{report:?}");
    assert_eq!(rows(&world), (500..520).collect::<Vec<_>>());

    // Rows that came afterwards stay when the same label comes again.
    put(&world, "third.parquet", 900..910);
    world.load(world.request("third", "third.parquet"));
    let again = world.load(overwrite(&world, "second", "second.parquet"));
    assert_eq!(again.outcome, Outcome::AlreadyLoaded);
    assert_eq!(rows(&world), (500..520).chain(900..910).collect::<Vec<_>>());
}

#[test]
fn a50_an_overwrite_that_fails_leaves_the_old_rows() {
    let world = world();
    put(&world, "new/a.parquet", 500..520);
    world.put("new/b.parquet", b"this is no Parquet file");
    let report = world.load(overwrite(&world, "second", "new/*.parquet"));
    assert_eq!((report.outcome, report.exit_code), (Outcome::Failed, exit::SOURCE), "{report:?}");
    assert_eq!(rows(&world), (0..100).collect::<Vec<_>>());
}

#[test]
fn a50_an_overwrite_by_nothing_empties_the_table_only_if_that_is_allowed() {
    let world = world();
    put(&world, "empty.parquet", 0..0);
    let refused = world.load(overwrite(&world, "second", "empty.parquet"));
    assert_eq!((refused.reason.as_str(), refused.exit_code), ("EmptyLoad", exit::QUALITY), "{refused:?}");
    assert_eq!(world.row_count(), 100);

    let mut allowed = overwrite(&world, "third", "empty.parquet");
    allowed.allow_empty = true;
    assert_eq!(world.load(allowed).outcome, Outcome::Loaded);
    assert_eq!(world.row_count(), 0);
}

#[test]
fn a50_a_partition_that_the_table_does_not_have_is_refused_by_name() {
    let world = world();
    put(&world, "second.parquet", 500..520);
    let mut request = overwrite(&world, "second", "second.parquet");
    request.partitions = vec!["p20240101".to_owned()];
    let report = world.load(request);
    assert_eq!((report.outcome, report.exit_code), (Outcome::Failed, exit::REQUEST), "{report:?}");
    assert!(report.message.contains("p20240101"), "{}", report.message);
    assert_eq!(rows(&world), (0..100).collect::<Vec<_>>());
}
