//! Rows that do not fit, whatever the format.

use longshore_crds::{LoadReport, Outcome, exit};
use longshore_storage::table::LabelState;
use serde_json::{Value, json};

use super::{ALL, FileFormat, counts, file, numbered, world};
use crate::load::rejected;
use crate::world::{World, column, not_null};

/// Texts for a TINYINT: NULL, one that fits, no number, one out of range.
fn tinyints() -> Vec<Value> {
    vec![Value::Null, json!("1"), json!("abc"), json!("2000")]
}

fn load(format: FileFormat, world: &World, values: &[Value], strict: bool, ratio: &str) -> LoadReport {
    let kind = if values.iter().any(Value::is_string) { "v text" } else { "v int" };
    let key = format!("v.{}", format.suffix());
    world.put(&key, file(format, &["id int", kind], &numbered(values)));
    let mut request = format.request(world, "load", &key);
    request.strict_mode = strict;
    request.max_filter_ratio = ratio.to_owned();
    world.load(request)
}

#[test]
pub fn a32_strict_mode_filters_what_lax_mode_makes_null() {
    for &format in ALL {
        let lax = world(vec![column("v", "TINYINT")]);
        let report = load(format, &lax, &tinyints(), false, "0");
        assert_eq!(counts(&report), (4, 4, 0, 0), "{format:?} {report:?}");
        assert_eq!(lax.sorted("v"), ["1", "NULL", "NULL", "NULL"], "{format:?}");

        let strict = world(vec![column("v", "TINYINT")]);
        let report = load(format, &strict, &tinyints(), true, "0.5");
        assert_eq!(counts(&report), (4, 2, 2, 0), "{format:?} {report:?}");
        assert_eq!(report.reason, "LoadedWithFilteredRows", "{format:?}");
        assert_eq!(strict.sorted("v"), ["1", "NULL"], "{format:?}");
    }
}

#[test]
pub fn a32_numbers_out_of_range_are_filtered_by_name_or_null() {
    let values = [json!(127), json!(128), json!(-128), json!(-129)];
    for &format in ALL {
        let strict = world(vec![column("v", "TINYINT")]);
        let report = load(format, &strict, &values, true, "0.5");
        assert_eq!(counts(&report), (4, 2, 2, 0), "{format:?} {report:?}");
        assert!(report.first_errors.iter().all(|error| error.code == "OutOfRange"), "{format:?} {report:?}");
        let lax = world(vec![column("v", "TINYINT")]);
        load(format, &lax, &values, false, "0");
        assert_eq!(lax.sorted("v"), ["-128", "127", "NULL", "NULL"], "{format:?}");
    }
}

#[test]
pub fn a33_not_null_filters_in_both_modes() {
    for &format in ALL {
        for strict in [true, false] {
            let world = world(vec![not_null(column("v", "TINYINT"))]);
            let report = load(format, &world, &tinyints(), strict, "0.75");
            assert_eq!(counts(&report), (4, 1, 3, 0), "{format:?} {report:?}");
            assert_eq!(world.sorted("v"), ["1"], "{format:?}");
        }
    }
}

#[test]
pub fn a34_the_ratio_is_exact_and_equality_passes() {
    let values: Vec<_> = (0..100).map(|row| json!(if row % 10 == 3 { "x" } else { "7" })).collect();
    for &format in ALL {
        let passes = world(vec![column("v", "INT")]);
        let report = load(format, &passes, &values, true, "0.1");
        assert_eq!((report.outcome, counts(&report)), (Outcome::Loaded, (100, 90, 10, 0)), "{report:?}");

        let fails = world(vec![column("v", "INT")]);
        let report = load(format, &fails, &values, true, "0.0999");
        assert_eq!((report.reason.as_str(), report.exit_code), ("DataQuality", exit::QUALITY), "{format:?}");
        let first = &report.first_errors[0];
        assert_eq!((first.row, first.column.as_str()), (format.row_number(4), "v"), "{format:?}");
        assert!(first.file.ends_with(&format!("/v.{}", format.suffix())), "{first:?}");
        assert_eq!(fails.row_count(), 0, "{format:?}");
        assert_eq!(rejected(&fails, &report).len(), 10, "{format:?}");
    }
}

#[test]
pub fn a36_the_length_of_varchar_counts_bytes() {
    for &format in ALL {
        let world = world(vec![column("v", "VARCHAR(3)")]);
        let values = ["äöü", "abc", "ä", "abcd"].map(Value::from);
        let report = load(format, &world, &values, true, "1");
        assert_eq!(counts(&report), (4, 2, 2, 0), "{format:?} {report:?}");
        assert_eq!(world.sorted("v"), ["abc", "ä"], "{format:?}");
        let codes: Vec<_> = rejected(&world, &report).into_iter().map(|row| row.code).collect();
        assert_eq!(codes, ["TooLong", "TooLong"], "{format:?}");
    }
}

#[test]
pub fn a38_not_null_holds_for_dictionary_encoded_columns() {
    // Few different texts: the writers of Parquet and ORC make a dictionary of them.
    let value = |row: usize| match row % 100 {
        0 => Value::Null,
        _ => json!(["a", "b"][row % 2]),
    };
    let values: Vec<_> = (0..1000).map(value).collect();
    for &format in ALL {
        let world = world(vec![not_null(column("v", "STRING"))]);
        let report = load(format, &world, &values, true, "0.01");
        assert_eq!(counts(&report), (1000, 990, 10, 0), "{format:?} {report:?}");
        assert!(!world.sorted("v").contains(&"NULL".to_owned()), "{format:?}");
    }
}

#[test]
pub fn a39_read_is_loaded_plus_filtered_for_each_file_and_the_load() {
    for &format in ALL {
        let world = world(vec![column("v", "INT")]);
        for number in 0..3_usize {
            let values: Vec<_> = (0..50).map(|row| json!(if row < number { "bad" } else { "1" })).collect();
            let content = file(format, &["id int", "v text"], &numbered(&values));
            world.put(&format!("{number}.{}", format.suffix()), content);
        }
        let mut request = format.request(&world, "load", "*");
        request.max_filter_ratio = "1".to_owned();
        let report = world.load(request);
        assert_eq!(counts(&report), (150, 147, 3, 0), "{format:?} {report:?}");
        assert_eq!((report.counts.file_number, report.counts.scan_bytes), (3, report.counts.file_size));
        let LabelState::Loaded { record, .. } = world.table().label("load").unwrap() else {
            panic!("{format:?}: the label is not loaded");
        };
        let files: Vec<_> = record.files.iter().map(|file| (file.read, file.loaded, file.filtered)).collect();
        assert_eq!(files, [(50, 50, 0), (50, 49, 1), (50, 48, 2)], "{format:?}");
    }
}

#[test]
pub fn a40_rejected_rows_are_kept_up_to_a_limit_in_total() {
    for &format in ALL {
        for (limit, kept) in [(0, 0), (5, 5), (-1, 20)] {
            let world = world(vec![column("v", "INT")]);
            let values: Vec<_> = (0..10).map(|row| json!(if row < 5 { "bad" } else { "1" })).collect();
            let content = file(format, &["id int", "v text"], &numbered(&values));
            for number in 0..4 {
                world.put(&format!("{number}.{}", format.suffix()), &content);
            }
            let mut request = format.request(&world, "load", "*");
            request.max_filter_ratio = "1".to_owned();
            request.rejected_records_limit = limit;
            request.execution.task_bytes = Some(1);
            let report = world.load(request);
            assert_eq!(report.counts.filtered_rows, 20, "{format:?} {report:?}");
            let rows = rejected(&world, &report);
            assert_eq!(rows.len(), kept, "{format:?}, limit {limit}");
            for row in rows {
                assert!(row.file.starts_with("s3://"), "{row:?}");
                let expected = (1..=5).map(|row| format.row_number(row));
                assert!(expected.into_iter().any(|number| number == row.row), "{format:?} {row:?}");
                assert_eq!((row.column.as_str(), row.raw_value.as_str()), ("v", "bad"), "{format:?}");
                assert!(row.raw_record.contains("bad"), "{format:?} {row:?}");
            }
            assert_eq!(report.first_errors.len(), 10, "{format:?}: named whatever is kept");
        }
    }
}
