//! Another engine writes into our table: its commits are noticed, read like ours, and never damaged.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{Int64Array, StringArray};
use longshore_crds::Outcome;
use longshore_storage::compact::{CompactionOptions, Compactor};
use longshore_storage::load::Segment;

use super::python;
use crate::world::{World, batch, column, definition};

fn put(world: &World, key: &str, ids: std::ops::Range<i64>) {
    let texts: StringArray = ids.clone().map(|id| Some(format!("text {id}"))).collect();
    let ids = Int64Array::from_iter_values(ids);
    world.put_batch(key, &batch(vec![("id", Arc::new(ids)), ("text", Arc::new(texts))]));
}

fn load(world: &World, label: &str, ids: std::ops::Range<i64>) {
    let key = format!("{label}.parquet");
    put(world, &key, ids);
    let report = world.load(world.request(label, &key));
    assert_eq!(report.outcome, Outcome::Loaded, "{report:?}");
}

/// Lets delta-rs do something to the table; both must read the same afterwards.
fn delta_rs(world: &World, operation: &str) -> Vec<i64> {
    let said = python("foreign.py", &[world.root().to_str().unwrap(), operation]);
    let theirs: Vec<i64> = said.split_whitespace().map(|id| id.parse().unwrap()).collect();
    let mut ours: Vec<i64> = world.sorted("id").iter().map(|id| id.parse().unwrap()).collect();
    ours.sort_unstable();
    assert_eq!(ours, theirs, "after {operation}");
    ours
}

fn foreign_files(world: &World) -> usize {
    let segments = world.table().segments().unwrap();
    segments.iter().filter(|segment| segment.bucket == Segment::NO_BUCKET).count()
}

#[test]
fn what_delta_rs_does_to_our_table_is_read_and_loaded_upon() {
    let world = World::with_table(&definition(vec![column("id", "BIGINT"), column("text", "STRING")]));
    load(&world, "first", 0..100);
    load(&world, "second", 100..200);
    assert_eq!(delta_rs(&world, "append").len(), 210, "ten more rows");
    assert_eq!(foreign_files(&world), 1);

    // Neither merged nor trusted to lie in a tablet.
    let mut table = world.table();
    Compactor::run(&mut table, &CompactionOptions::default(), &AtomicBool::new(false)).unwrap();
    assert_eq!(foreign_files(&world), 1);
    assert_eq!(delta_rs(&world, "nothing").len(), 210);

    assert_eq!(delta_rs(&world, "delete").len(), 205, "five rows less");
    load(&world, "third", 300..310);
    assert_eq!(delta_rs(&world, "checkpoint").len(), 215);
    load(&world, "fourth", 310..320);
    assert_eq!(delta_rs(&world, "optimize").len(), 225);
    load(&world, "fifth", 320..330);
    world.table().checkpoint().unwrap();
    assert_eq!(delta_rs(&world, "nothing").len(), 235);
    // Labels are known whoever wrote the checkpoint.
    let again = world.load(world.request("first", "first.parquet"));
    assert_eq!(again.outcome, Outcome::AlreadyLoaded, "{again:?}");
}
