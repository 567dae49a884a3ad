//! Rows that do not fit: counted, kept, judged.

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, Int64Array, StringArray};
use arrow::datatypes::Int32Type;
use longshore_crds::{LoadReport, Outcome, exit};
use longshore_storage::durable::Posix;
use longshore_storage::load::{RejectedRecord, read_rejected};

use crate::world::{World, batch, column, definition, not_null};

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn numbered(rows: i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(0..rows))
}

/// `id BIGINT` and a column under test.
fn world(data_type: &str, nullable: bool) -> World {
    let mut value = column("v", data_type);
    value.nullable = nullable;
    World::with_table(&definition(vec![column("id", "BIGINT"), value]))
}

fn load_values(world: &World, values: &[Option<&str>], strict: bool, ratio: &str) -> LoadReport {
    world.put_batch("v.parquet", &batch(vec![("id", numbered(values.len() as i64)), ("v", text(values))]));
    let mut request = world.request("load", "v.parquet");
    request.strict_mode = strict;
    request.max_filter_ratio = ratio.to_owned();
    world.load(request)
}

/// What was kept of the rows that did not fit, by file and in the order of keeping.
pub fn rejected(world: &World, report: &LoadReport) -> Vec<RejectedRecord> {
    let Some(folder) = &report.rejected_record_path else { return Vec::new() };
    let mut files: Vec<_> = std::fs::read_dir(world.root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("rejected"))
        .collect();
    files.sort();
    files.iter().flat_map(|file| read_rejected(&Posix, file, usize::MAX).unwrap()).collect()
}

const TINYINTS: [Option<&str>; 4] = [None, Some("1"), Some("abc"), Some("2000")];

#[test]
fn a32_strict_mode_filters_what_lax_mode_makes_null() {
    let lax = world("TINYINT", true);
    let report = load_values(&lax, &TINYINTS, false, "0");
    assert_eq!((report.counts.sink_rows, report.counts.filtered_rows), (4, 0), "{report:?}");
    assert_eq!(lax.sorted("v"), ["1", "NULL", "NULL", "NULL"]);

    let strict = world("TINYINT", true);
    let report = load_values(&strict, &TINYINTS, true, "0.5");
    assert_eq!((report.counts.sink_rows, report.counts.filtered_rows), (2, 2), "{report:?}");
    assert_eq!(report.reason, "LoadedWithFilteredRows");
    assert_eq!(strict.sorted("v"), ["1", "NULL"]);
}

#[test]
fn a33_not_null_filters_in_both_modes() {
    for strict in [true, false] {
        let world = world("TINYINT", false);
        let report = load_values(&world, &TINYINTS, strict, "0.75");
        assert_eq!((report.counts.sink_rows, report.counts.filtered_rows), (1, 3), "{report:?}");
        assert_eq!(world.sorted("v"), ["1"]);
    }
}

#[test]
fn a34_the_ratio_is_exact_and_equality_passes() {
    let values: Vec<_> = (0..100).map(|row| if row % 10 == 3 { Some("x") } else { Some("7") }).collect();
    let passes = world("INT", true);
    let report = load_values(&passes, &values, true, "0.1");
    assert_eq!((report.outcome, report.counts.sink_rows), (Outcome::Loaded, 90), "{report:?}");

    let fails = world("INT", true);
    let report = load_values(&fails, &values, true, "0.0999");
    assert_eq!((report.reason.as_str(), report.exit_code), ("DataQuality", exit::QUALITY));
    assert_eq!((report.counts.filtered_rows, report.counts.sink_rows), (10, 90));
    let first = &report.first_errors[0];
    assert_eq!((first.row, first.column.as_str()), (4, "v"));
    assert!(first.file.ends_with("/v.parquet"), "{first:?}");
    assert!(report.message.contains("row 4, column v"), "{}", report.message);
    assert_eq!(fails.row_count(), 0);
    assert_eq!(rejected(&fails, &report).len(), 10, "what was rejected can be read after the failure");

    for ratio in ["1.5", "-0.1", "x"] {
        let report = load_values(&world("INT", true), &values, true, ratio);
        assert_eq!((report.reason.as_str(), report.exit_code), ("InvalidRequest", exit::REQUEST), "{ratio}");
    }
}

#[test]
fn a36_the_length_of_varchar_counts_bytes() {
    let world = world("VARCHAR(3)", true);
    let report = load_values(&world, &[Some("äöü"), Some("abc"), Some("ä"), Some("abcd")], true, "1");
    assert_eq!((report.counts.sink_rows, report.counts.filtered_rows), (2, 2), "{report:?}");
    assert_eq!(world.sorted("v"), ["abc", "ä"]);
    let codes: Vec<_> = rejected(&world, &report).into_iter().map(|row| row.code).collect();
    assert_eq!(codes, ["TooLong", "TooLong"]);
}

#[test]
fn a38_not_null_holds_for_dictionary_encoded_columns() {
    let world = World::with_table(&definition(vec![column("id", "BIGINT"), not_null(column("v", "STRING"))]));
    let values: DictionaryArray<Int32Type> =
        (0..1000).map(|row| if row % 100 == 0 { None } else { Some(["a", "b"][row % 2]) }).collect();
    world.put_batch("v.parquet", &batch(vec![("id", numbered(1000)), ("v", Arc::new(values))]));
    let mut request = world.request("load", "v.parquet");
    request.max_filter_ratio = "0.01".to_owned();
    let report = world.load(request);
    assert_eq!((report.counts.sink_rows, report.counts.filtered_rows), (990, 10), "{report:?}");
    assert!(!world.sorted("v").contains(&"NULL".to_owned()));
}

#[test]
fn a39_read_is_loaded_plus_filtered_for_each_file_and_the_load() {
    let world = world("INT", true);
    for file in 0..3_usize {
        let values: Vec<_> = (0..50).map(|row| if row < file { Some("bad") } else { Some("1") }).collect();
        world.put_batch(&format!("{file}.parquet"), &batch(vec![("id", numbered(50)), ("v", text(&values))]));
    }
    let mut request = world.request("load", "*.parquet");
    request.max_filter_ratio = "1".to_owned();
    let report = world.load(request);
    let counts = report.counts;
    assert_eq!((counts.scan_rows, counts.sink_rows, counts.filtered_rows), (150, 147, 3));
    assert_eq!(counts.file_number, 3);
    assert_eq!(counts.scan_bytes, counts.file_size);
    let longshore_storage::table::LabelState::Loaded { record, .. } = world.table().label("load").unwrap()
    else {
        panic!("the label is not loaded");
    };
    let per_file: Vec<_> = record.files.iter().map(|file| (file.read, file.loaded, file.filtered)).collect();
    assert_eq!(per_file, [(50, 50, 0), (50, 49, 1), (50, 48, 2)]);
}

#[test]
fn a40_rejected_rows_are_kept_up_to_a_limit_in_total() {
    for (limit, kept) in [(0, 0), (5, 5), (-1, 20)] {
        let world = world("INT", true);
        for file in 0..4 {
            let values: Vec<_> = (0..10).map(|row| if row < 5 { Some("bad") } else { Some("1") }).collect();
            world.put_batch(
                &format!("{file}.parquet"),
                &batch(vec![("id", numbered(10)), ("v", text(&values))]),
            );
        }
        let mut request = world.request("load", "*.parquet");
        request.max_filter_ratio = "1".to_owned();
        request.rejected_records_limit = limit;
        request.execution.task_bytes = Some(1);
        let report = world.load(request);
        assert_eq!(report.counts.filtered_rows, 20, "{report:?}");
        let rows = rejected(&world, &report);
        assert_eq!(rows.len(), kept, "limit {limit}");
        for row in rows {
            assert!(row.file.starts_with("s3://"), "{row:?}");
            assert!((1..=5).contains(&row.row), "{row:?}");
            assert_eq!((row.column.as_str(), row.raw_value.as_str()), ("v", "bad"));
            assert!(row.raw_record.contains("\"id\""), "{row:?}");
        }
        assert_eq!(report.first_errors.len(), 10, "the first errors are named whatever is kept");
    }
}

#[test]
fn int_out_of_range_is_filtered_by_name() {
    let world = world("TINYINT", true);
    let values: ArrayRef = Arc::new(Int32Array::from(vec![127, 128, -128, -129]));
    world.put_batch("v.parquet", &batch(vec![("id", numbered(4)), ("v", values)]));
    let mut request = world.request("load", "v.parquet");
    request.max_filter_ratio = "0.5".to_owned();
    let report = world.load(request);
    assert_eq!((report.counts.sink_rows, report.counts.filtered_rows), (2, 2));
    assert!(report.first_errors.iter().all(|error| error.code == "OutOfRange"), "{report:?}");
}
