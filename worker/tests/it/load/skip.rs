//! Files that cannot be read are left out as a whole, counted and named; or the load fails.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use longshore_crds::{LoadReport, LoadRequest, OnFileError, Outcome, exit};
use longshore_s3server::{Fault, FaultKind, Operation};
use longshore_storage::table::LabelState;
use parquet::file::properties::WriterProperties;

use super::quality::rejected;
use crate::world::{SERVER, World, batch, column, definition, not_null, parquet_bytes, parquet_bytes_with};

const ROWS: i64 = 3_000;

fn world() -> World {
    World::with_table(&definition(vec![column("n", "BIGINT"), column("t", "STRING")]))
}

/// Rows `first..first + ROWS` in row groups of 500 rows.
fn good(first: i64) -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + ROWS));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(|n| format!("text {n}"))));
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(500)).build();
    parquet_bytes_with(&batch(vec![("n", numbers), ("t", texts)]), properties)
}

/// A file whose last row group is damaged: its first rows are read before anyone knows.
fn bad_at_its_end(first: i64) -> Vec<u8> {
    let mut bytes = good(first);
    let reader = parquet::file::metadata::ParquetMetaDataReader::new()
        .parse_and_finish(&bytes::Bytes::from(bytes.clone()))
        .unwrap();
    let (start, length) = reader.row_groups().last().unwrap().column(0).byte_range();
    for byte in &mut bytes[start as usize..(start + length) as usize] {
        *byte = !*byte;
    }
    bytes
}

fn skipping(world: &World, pattern: &str) -> LoadRequest {
    LoadRequest {
        on_file_error: OnFileError::SkipFile,
        max_skipped_files: Some(100),
        ..world.request("load", pattern)
    }
}

fn numbers(world: &World) -> Vec<i64> {
    let mut numbers: Vec<i64> = world.sorted("n").iter().map(|n| n.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn codes(report: &LoadReport) -> Vec<&str> {
    report.skipped_files.iter().map(|skipped| skipped.code.as_str()).collect()
}

#[test]
fn a_file_found_bad_at_its_end_leaves_none_of_its_rows() {
    for tasks in [1, u64::MAX] {
        let world = world();
        world.put("a.parquet", good(0));
        world.put("b.parquet", bad_at_its_end(100_000));
        world.put("c.parquet", good(ROWS));
        let mut request = skipping(&world, "*.parquet");
        request.execution.task_bytes = Some(tasks);
        let context = world.context();
        let metrics = context.metrics.clone();
        let report = world.load_with(request, context);
        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Loaded, "LoadedWithSkippedFiles"));
        assert_eq!(numbers(&world), (0..2 * ROWS).collect::<Vec<_>>());
        let counts = report.counts;
        assert_eq!((counts.scan_rows, counts.sink_rows, counts.skipped_files), (6_000, 6_000, 1));
        assert_eq!(counts.file_number, 3);
        assert_eq!(codes(&report), ["CorruptPage"]);
        let skipped = &report.skipped_files[0];
        assert!(skipped.file.ends_with("/b.parquet") && skipped.message.contains("damaged"), "{skipped:?}");
        // It stands among the first errors and the rejected rows as well, as row 0.
        assert_eq!((report.first_errors[0].row, report.first_errors[0].code.as_str()), (0, "CorruptPage"));
        let kept = rejected(&world, &report);
        assert_eq!((kept.len(), kept[0].row, kept[0].column.as_str()), (1, 0, ""));
        assert_eq!(kept[0].message, skipped.message);
        // And in the history, file by file.
        let LabelState::Loaded { record, .. } = world.table().label("load").unwrap() else { panic!() };
        let loaded: Vec<_> = record.files.iter().map(|file| (file.loaded, file.skipped.is_some())).collect();
        assert_eq!(loaded, [(3_000, false), (0, true), (3_000, false)]);
        assert_eq!(record.counts.skipped_files, 1);
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        assert!(text.contains("longshore_files_skipped_total 1"), "{text}");
        assert!(text.contains("longshore_rows_total{state=\"loaded\"} 6000"), "{text}");
        // The same figures for whoever asks again.
        let again = world.load(LoadRequest { run: 2, ..skipping(&world, "*.parquet") });
        assert_eq!(again.outcome, Outcome::AlreadyLoaded);
        assert_eq!(
            (again.counts, again.reason, again.skipped_files),
            (counts, report.reason, report.skipped_files)
        );
    }
}

#[test]
fn every_kind_of_bad_file_is_skipped_by_its_name() {
    let world = World::with_table(&definition(vec![not_null(column("n", "BIGINT")), column("t", "STRING")]));
    world.put("good.parquet", good(0));
    let whole = good(0);
    world.put("cut.parquet", &whole[..whole.len() / 2]);
    world.put("empty.parquet", b"");
    world.put("text.parquet", b"n,t\n1,one\n");
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["only"]));
    world.put("lacks.parquet", parquet_bytes(&batch(vec![("t", texts)])));
    let (a, b): (ArrayRef, ArrayRef) =
        (Arc::new(Int64Array::from(vec![1])), Arc::new(Int64Array::from(vec![1])));
    world.put("twice.parquet", parquet_bytes(&batch(vec![("n", a), ("N", b)])));
    world.put("gone.parquet", good(0));
    let gone = Fault::new(FaultKind::NotFound).on(Operation::GetObject).bucket(&world.bucket);
    let fault = SERVER.faults().add(gone.key("gone.parquet"));
    let report = world.load(skipping(&world, "*.parquet"));
    SERVER.faults().remove(fault);
    assert_eq!(report.reason, "LoadedWithSkippedFiles", "{report:?}");
    assert_eq!((report.counts.skipped_files, report.counts.sink_rows), (6, 3_000));
    let mut found: Vec<(&str, &str)> = report
        .skipped_files
        .iter()
        .map(|skipped| (skipped.file.rsplit('/').next().unwrap(), skipped.code.as_str()))
        .collect();
    found.sort_unstable();
    assert_eq!(found[3], ("lacks.parquet", "MissingColumn"), "{found:?}");
    assert_eq!(found[2], ("gone.parquet", "ObjectNotFound"), "{found:?}");
    assert_eq!(found[5], ("twice.parquet", "AmbiguousColumn"), "{found:?}");
}

#[test]
fn one_file_more_than_the_limit_fails_the_load() {
    let world = world();
    world.put("good.parquet", good(0));
    for number in 0..3 {
        world.put(&format!("bad-{number}.parquet"), b"PAR1 no more");
    }
    let request = LoadRequest { max_skipped_files: Some(2), ..skipping(&world, "*.parquet") };
    let report = world.load(request);
    assert_eq!((report.reason.as_str(), report.exit_code), ("TooManySkippedFiles", exit::SOURCE));
    assert!(report.message.contains("maxSkippedFiles (2)") && report.closed, "{report:?}");
    assert_eq!(world.row_count(), 0);
    let request = LoadRequest { max_skipped_files: Some(3), run: 2, ..skipping(&world, "*.parquet") };
    assert_eq!(world.load(request).counts.skipped_files, 3);
}

#[test]
fn a_load_that_can_read_no_file_fails_also_where_it_may_be_empty() {
    let world = world();
    world.put("bad.parquet", b"PAR1 no more");
    let request = LoadRequest { allow_empty: true, ..skipping(&world, "*.parquet") };
    let report = world.load(request);
    assert_eq!((report.reason.as_str(), report.exit_code), ("AllFilesSkipped", exit::SOURCE), "{report:?}");
    assert_eq!(report.counts.skipped_files, 1);
    assert!(report.message.contains("bad.parquet"), "{}", report.message);
}

#[test]
fn what_no_file_is_to_blame_for_ends_the_load_whatever_the_policy() {
    let world = world();
    world.put("good.parquet", good(0));
    let denied = Fault::new(FaultKind::AccessDenied).on(Operation::GetObject).bucket(&world.bucket);
    let fault = SERVER.faults().add(denied);
    let report = world.load(skipping(&world, "*.parquet"));
    SERVER.faults().remove(fault);
    assert_eq!((report.reason.as_str(), report.counts.skipped_files), ("AccessDenied", 0), "{report:?}");
}

#[test]
fn rejected_rows_of_a_file_that_is_skipped_count_for_nothing() {
    let world = World::with_table(&definition(vec![column("n", "TINYINT"), column("t", "STRING")]));
    // Every row of it is out of range, and its last row group is damaged.
    world.put("bad.parquet", bad_at_its_end(100_000));
    let few: ArrayRef = Arc::new(Int64Array::from(vec![1, 1_000, 2]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    world.put("few.parquet", parquet_bytes(&batch(vec![("n", few), ("t", texts)])));
    let request = LoadRequest {
        max_filter_ratio: "0.5".to_owned(),
        rejected_records_limit: 2,
        ..skipping(&world, "*.parquet")
    };
    let report = world.load(request);
    assert_eq!((report.counts.filtered_rows, report.counts.sink_rows), (1, 2), "{report:?}");
    let kept: Vec<_> = rejected(&world, &report).into_iter().map(|row| (row.row, row.code)).collect();
    assert_eq!(kept, [(2, "OutOfRange".to_owned()), (0, "CorruptPage".to_owned())]);
}
