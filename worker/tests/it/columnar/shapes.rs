//! Files that are wide, deep, long or empty.

use super::{batches, open, options, read_all, texts, written};
use crate::decode::MIB;
use crate::decode::object::FakeObject;
use crate::world::{World, column, definition};

#[test]
fn wide_deep_long_and_empty_files_read_as_parquet_does() {
    let files = written("shapes");
    for shape in ["wide", "empty", "none", "deep", "long"] {
        let expected = read_all("x.parquet", &files[&format!("{shape}.parquet")], 256 * MIB).unwrap();
        for suffix in ["orc", "avro"] {
            let name = format!("{shape}.{suffix}");
            let found = read_all(&name, &files[&name], 24 * MIB).unwrap();
            assert_eq!(found.len(), expected.len(), "{name}");
            for (column, array) in &expected {
                assert_eq!(texts(&found[column]), texts(array), "{name}, column {column}");
            }
        }
    }
}

#[test]
fn a_load_with_the_smallest_budget_takes_wide_and_long_rows() {
    let files = written("shapes");
    for suffix in ["orc", "avro"] {
        let world = World::with_table(&definition(vec![column("id", "INT"), column("text", "STRING")]));
        world.put(&format!("long.{suffix}"), &files[&format!("long.{suffix}")]);
        let report = world.load(world.request("long", "*"));
        assert_eq!((report.exit_code, report.counts.sink_rows), (0, 10), "{report:?}");
        let lengths: usize = world.sorted("text").iter().map(String::len).sum();
        assert_eq!(lengths, 2 * 20_000_000 + 8);
    }
}

#[test]
fn a14_files_without_rows_among_others_give_none() {
    let files = written("shapes");
    for suffix in ["orc", "avro"] {
        let world = World::with_table(&definition(vec![column("c0", "INT"), column("c1", "STRING")]));
        world.put(&format!("a/empty.{suffix}"), &files[&format!("empty.{suffix}")]);
        let report = world.load(world.request("empty", "a/*"));
        assert_ne!(report.exit_code, 0, "{report:?}");
        world.put(&format!("a/none.{suffix}"), &files[&format!("none.{suffix}")]);
        let report = world.load(world.request("both", "a/*"));
        assert_eq!((report.exit_code, report.counts.sink_rows), (0, 5), "{report:?}");
    }
}

#[test]
fn few_columns_of_a_wide_orc_file_are_few_requests() {
    let files = written("shapes");
    let object = FakeObject::new(files["wide.orc"].clone());
    let file = open("wide.orc", object.clone()).unwrap();
    object.take_fetches();
    let found = batches(&*file, options(vec![7, 1500], 24 * MIB)).unwrap();
    assert_eq!(texts(found[0].column(1)), ["1500", "NULL", "1501"]);
    let fetches = object.take_fetches();
    // The stripe's footer, and what lies between the streams of both.
    assert!(fetches.len() <= 3, "{fetches:?}");
    drop(found);
    assert_eq!(object.held(), 0);
}

#[test]
fn all_columns_of_an_orc_file_are_fetched_together() {
    let files = written("types");
    let object = FakeObject::new(files["rows.zstd.0.0.orc"].clone());
    let file = open("rows.orc", object.clone()).unwrap();
    object.take_fetches();
    let columns = (0..file.schema().fields().len()).collect();
    let mut parts = file.parts(options(columns, 64 * MIB).into()).unwrap();
    let mut stripes = 0;
    while let Some(part) = parts.next() {
        let mut reader = part.unwrap().start().unwrap();
        while let Some(batch) = reader.next(0) {
            batch.unwrap();
        }
        stripes += 1;
    }
    assert!(stripes > 0);
    let fetches = object.take_fetches();
    assert!(fetches.len() <= 2 * stripes, "{} fetches for {stripes} stripes", fetches.len());
}

#[test]
fn an_orc_stripe_above_the_budget_is_read_through_windows_within_it() {
    let files = written("types");
    let name = "rows.old.orc";
    let whole = read_all(name, &files[name], 64 * MIB).unwrap();
    let object = FakeObject::new(files[name].clone());
    let file = open(name, object.clone()).unwrap();
    let columns: Vec<usize> = (0..file.schema().fields().len()).collect();
    let budget = files[name].len() * 2 / 3;
    object.take_peak();
    match batches(&*file, options(columns.clone(), budget)) {
        Ok(found) => {
            assert!((object.take_peak() as usize) < budget);
            assert_eq!(found.iter().map(|batch| batch.num_rows()).sum::<usize>(), 5_000);
        }
        Err(error) => assert_eq!(error.category(), "MemoryBudgetTooSmall", "{error}"),
    }
    // One column at a time fits, whatever the blocks are.
    for column in columns {
        let found = batches(&*file, options(vec![column], 1 << 20)).unwrap();
        let arrays: Vec<&dyn arrow::array::Array> =
            found.iter().map(|batch| batch.column(0).as_ref()).collect();
        let name = file.schema().field(column).name();
        assert_eq!(texts(&arrow::compute::concat(&arrays).unwrap()), texts(&whole[name]), "{name}");
    }
}
