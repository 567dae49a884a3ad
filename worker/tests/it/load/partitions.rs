//! Partitions: which rows fit one, and how many new ones a load may bring.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use longshore_crds::{LoadReport, Outcome, exit};
use longshore_storage::schema::{
    DateUnit, ListPartition, PartitionBy, PartitionRange, PartitionTerm, RangeEnd, RangePartition,
    TableDefinition,
};

use crate::world::{World, batch, column, definition, tree};

const DAY: i64 = 86_400_000_000;

fn with_partitions(columns: &[(&str, &str)], by: PartitionBy) -> World {
    let columns = columns.iter().map(|(name, data_type)| column(name, data_type)).collect();
    World::with_table(&TableDefinition { partition_by: by, ..definition(columns) })
}

fn by_day() -> World {
    let day = PartitionTerm::DateTrunc { unit: DateUnit::Day, column: "at".to_owned() };
    with_partitions(&[("id", "BIGINT"), ("at", "DATETIME")], PartitionBy::Expression(vec![day]))
}

/// One row a day.
fn put_days(world: &World, key: &str, days: std::ops::Range<i64>) {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(days.clone()));
    let at: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(days.map(|day| day * DAY + 7)));
    world.put_batch(key, &batch(vec![("id", ids), ("at", at)]));
}

/// Rows by partition.
fn partitions(world: &World) -> BTreeMap<String, u64> {
    let found = world.table().partitions().unwrap();
    found.into_iter().map(|partition| (partition.name, partition.totals.rows)).collect()
}

/// Files of segments, seen by no one or not.
fn segments(world: &World) -> usize {
    let root = world.root();
    let files = tree(&root);
    files.keys().filter(|path| !path.strip_prefix(&root).unwrap().starts_with("_longshore")).count()
        - files.keys().filter(|path| path.strip_prefix(&root).unwrap().starts_with("_delta_log")).count()
}

fn load_texts(world: &World, values: Vec<Option<&str>>, ratio: &str, strict: bool) -> LoadReport {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..values.len() as i64));
    let values: ArrayRef = Arc::new(StringArray::from(values));
    world.put_batch("v.parquet", &batch(vec![("id", ids), ("v", values)]));
    let mut request = world.request("load", "v.parquet");
    request.max_filter_ratio = ratio.to_owned();
    request.strict_mode = strict;
    world.load(request)
}

#[test]
fn a44_row_outside_every_range_is_filtered_and_null_goes_to_the_lowest() {
    let range = |name: &str, start: &str, end: &str| RangePartition {
        name: name.to_owned(),
        range: PartitionRange::Between { start: start.to_owned(), end: RangeEnd::Value(end.to_owned()) },
    };
    let by = PartitionBy::Range {
        column: "v".to_owned(),
        partitions: vec![range("high", "100", "200"), range("low", "-5", "10")],
    };
    // What is no number is NULL where strict mode is off, and then belongs to the lowest range too.
    for (strict, filtered, low) in [(true, 6, 3), (false, 5, 4)] {
        let world = with_partitions(&[("id", "BIGINT"), ("v", "INT")], by.clone());
        let values =
            [Some("-5"), Some("9"), Some("10"), Some("99"), Some("100"), Some("199"), Some("200"), None];
        let values = values.into_iter().chain([Some("-6"), Some("300"), Some("x")]).collect();
        let report = load_texts(&world, values, "0.6", strict);
        assert_eq!((report.outcome, report.counts.filtered_rows), (Outcome::Loaded, filtered), "{report:?}");
        assert_eq!(report.counts.sink_rows, 11 - filtered);
        let due = [("high".to_owned(), 2), ("low".to_owned(), low)];
        assert_eq!(partitions(&world), BTreeMap::from(due), "strict: {strict}");
        let first = &report.first_errors[0];
        assert_eq!((first.row, first.column.as_str(), first.code.as_str()), (3, "v", "NoPartition"));
    }

    // They count against the ratio.
    let world = with_partitions(&[("id", "BIGINT"), ("v", "INT")], by);
    let report = load_texts(&world, vec![Some("1"), Some("50")], "0.4", true);
    assert_eq!((report.reason.as_str(), report.exit_code), ("DataQuality", exit::QUALITY));
    assert!(report.message.contains("row 2, column v: NoPartition"), "{}", report.message);
    assert!(partitions(&world).is_empty());
}

#[test]
fn a44_a_value_that_no_list_has_is_filtered_and_so_is_null() {
    let list = |name: &str, values: &[&str]| ListPartition {
        name: name.to_owned(),
        values: values.iter().map(|value| vec![Some((*value).to_owned())]).collect(),
    };
    let partitions_of = vec![list("north", &["oslo", "new york"]), list("south", &[""])];
    let by = PartitionBy::List { columns: vec!["v".to_owned()], partitions: partitions_of };
    let world = with_partitions(&[("id", "BIGINT"), ("v", "STRING")], by);
    let values = vec![Some("oslo"), Some("Oslo"), None, Some(""), Some("new york"), Some("new york ")];
    let report = load_texts(&world, values, "0.5", true);
    assert_eq!((report.counts.sink_rows, report.counts.filtered_rows), (3, 3), "{report:?}");
    assert_eq!(partitions(&world), BTreeMap::from([("north".to_owned(), 2), ("south".to_owned(), 1)]));
    let rows: Vec<u64> = report.first_errors.iter().map(|error| error.row).collect();
    assert_eq!(rows, [2, 3, 6]);
}

#[test]
fn a45_failed_load_leaves_no_new_partitions() {
    let world = by_day();
    put_days(&world, "a.parquet", 0..3);
    assert_eq!(world.load(world.request("a", "a.parquet")).outcome, Outcome::Loaded);
    let (before, files) = (partitions(&world), segments(&world));
    assert_eq!(before.len(), 3);

    // The first task has written its partitions when the second fails.
    put_days(&world, "b/1.parquet", 2..40);
    world.put("b/2.parquet", b"PAR1 not really PAR1");
    let mut request = world.request("b", "b/*.parquet");
    request.execution.task_bytes = Some(1);
    let report = world.load(request);
    assert_eq!((report.outcome, report.exit_code), (Outcome::Failed, exit::SOURCE), "{report:?}");
    assert_eq!(partitions(&world), before);
    assert_eq!(segments(&world), files, "segments of the failed load stay");
}

#[test]
fn a45_more_than_4096_new_partitions_fail() {
    let world = by_day();
    put_days(&world, "few.parquet", 0..2);
    assert_eq!(world.load(world.request("few", "few.parquet")).outcome, Outcome::Loaded);
    let before = partitions(&world);

    // In one task, and spread over two of which each has fewer.
    put_days(&world, "one.parquet", 2..4099);
    put_days(&world, "two/1.parquet", 2..2100);
    put_days(&world, "two/2.parquet", 2100..4099);
    for (label, pattern) in [("one", "one.parquet"), ("two", "two/*.parquet")] {
        let mut request = world.request(label, pattern);
        request.execution.task_bytes = Some(1);
        let report = world.load(request);
        assert_eq!(
            (report.reason.as_str(), report.exit_code),
            ("TooManyPartitions", exit::REQUEST),
            "{report:?}"
        );
        assert!(report.message.contains("more than 4096 new partitions"), "{}", report.message);
        assert_eq!(partitions(&world), before, "{label}");
    }
    assert_eq!(segments(&world), 2, "segments of the failed loads stay");

    // 4,096 new ones and two that are there.
    put_days(&world, "all.parquet", 0..4098);
    let report = world.load(world.request("all", "all.parquet"));
    assert_eq!((report.outcome, report.counts.sink_rows), (Outcome::Loaded, 4098), "{report:?}");
    assert_eq!(partitions(&world).len(), 4098);
}
