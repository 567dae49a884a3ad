//! Which objects a path means, seen by the rows that arrive.

use std::sync::Arc;

use arrow::array::Int64Array;
use longshore_crds::{LoadReport, exit};

use crate::world::{World, batch, column, definition};

/// One row a key, so that the loaded values tell which keys were read.
fn world(keys: &[&str]) -> World {
    let world = World::with_table(&definition(vec![column("n", "BIGINT")]));
    for (number, key) in keys.iter().enumerate() {
        let values = Int64Array::from_iter_values([number as i64]);
        world.put_batch(key, &batch(vec![("n", Arc::new(values) as _)]));
    }
    world
}

fn loaded(world: &World, patterns: &[&str]) -> Vec<String> {
    let label = format!("load-{}", patterns.join("").bytes().map(|b| format!("{b:02x}")).collect::<String>());
    let mut request = world.request(&label[..label.len().min(120)], "");
    request.sources[0].paths =
        patterns.iter().map(|pattern| format!("s3://{}/{pattern}", world.bucket)).collect();
    let before = world.sorted("n");
    let report = world.load(request);
    assert_eq!(report.exit_code, exit::LOADED, "{report:?}");
    let mut after = world.sorted("n");
    for value in before {
        let place = after.iter().position(|other| *other == value).unwrap();
        after.remove(place);
    }
    after
}

#[test]
fn a10_wildcards_choose_files_and_folders() {
    let world = world(&["a/x.parquet", "a/b/c.parquet", "a/7/c.parquet", "z/x.parquet", "a/y.parquet"]);
    assert_eq!(loaded(&world, &["a/*.parquet"]), ["0", "4"]);
    assert_eq!(loaded(&world, &["a/*/*.parquet"]), ["1", "2"]);
    assert_eq!(loaded(&world, &["{a,z}/x.parquet"]), ["0", "3"]);
    assert_eq!(loaded(&world, &["a/[0-9]/?.parquet"]), ["2"]);
    assert_eq!(loaded(&world, &["a/x.parquet", "a/*.parquet"]), ["0", "4"], "a file is loaded once");
}

#[test]
fn a11_a_pattern_without_a_match_fails_by_name_and_folder_markers_are_skipped() {
    let world = world(&["dir/a.parquet"]);
    world.put("dir/", b"");
    world.put("dir/empty-folder/", b"");
    assert_eq!(loaded(&world, &["dir/*"]), ["0"]);
    let report: LoadReport = world.load(world.request("none", "dir/*.orc"));
    assert_eq!((report.reason.as_str(), report.exit_code), ("NoMatchingFiles", exit::SOURCE));
    assert!(report.message.contains("dir/*.orc"), "{}", report.message);
    let mut request = world.request("none-allowed", "dir/*.orc");
    request.allow_empty = true;
    assert_eq!(world.load(request).exit_code, exit::LOADED);
}

#[test]
fn a12_odd_keys_are_one_file_each() {
    let keys = [
        "odd/a,b.parquet",
        "odd/a b.parquet",
        "odd/a%3Ab.parquet",
        "odd/a+b.parquet",
        "odd/ä-日本-😀.parquet",
        "odd/a=b&c.parquet",
        "odd/a'\"b.parquet",
    ];
    let world = world(&keys);
    let expected: Vec<_> = (0..keys.len()).map(|number| number.to_string()).collect();
    assert_eq!(loaded(&world, &["odd/*.parquet"]), expected);
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(loaded(&world, &[key]), [number.to_string()], "{key}");
    }
}

#[test]
fn a14_files_without_rows_among_good_ones_add_nothing() {
    let world = world(&["a.parquet"]);
    let none = Int64Array::from_iter_values([]);
    world.put_batch("b.parquet", &batch(vec![("n", Arc::new(none) as _)]));
    assert_eq!(loaded(&world, &["*.parquet"]), ["0"]);
    let report = world.load(world.request("only-empty", "b.parquet"));
    assert_eq!((report.reason.as_str(), report.exit_code), ("EmptyLoad", exit::QUALITY), "{report:?}");
    let mut request = world.request("only-empty-allowed", "b.parquet");
    request.allow_empty = true;
    assert_eq!(world.load(request).exit_code, exit::LOADED);
}
