//! Equal rows in equal order, with true statistics, within the budget.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int32Type, Int64Type};
use longshore_storage::compact::{CompactionOptions, Compactor, PlanOptions};
use longshore_storage::load::Segment;
use longshore_storage::schema::{PartitionBy, PartitionTerm, TableDefinition};
use longshore_storage::tablet::{SegmentName, WriterOptions};
use longshore_storage::types::DataType;

use super::support::*;
use crate::log::faulty::Faulty;
use crate::tablet::rows::every_type;
use crate::tablet::{batch, hash, read, table};

#[test]
fn rows_of_every_type_stay_as_they_are_and_each_tablet_has_one_segment() {
    let (schema, all) = every_type(1_000);
    let (place, mut table) = Place::with_table(schema.definition());
    for number in 0..10 {
        let part = all.slice(number * 100, 100);
        load(&mut table, &format!("l{number}"), WriterOptions::default(), &[part]);
    }
    let before = rows(&place);
    let bytes: u64 = table.segments().unwrap().iter().map(|segment| segment.bytes).sum();
    let report = compact(&mut table).unwrap();
    assert_eq!(rows(&place), before);
    assert_eq!(before.values().map(Vec::len).sum::<usize>(), 1_000);
    assert!(counts(&place).values().all(|count| *count == 1), "{:?}", counts(&place));
    assert_eq!((report.tablets, report.inputs, report.outputs, report.rows), (3, 30, 3, 1_000));
    assert_eq!(report.bytes_before, bytes);
    let after = table.segments().unwrap();
    assert_eq!(report.bytes_after, after.iter().map(|segment| segment.bytes).sum::<u64>());
    assert!(report.dropped.is_empty());
    for segment in &after {
        let name = segment.path.rsplit('/').next().unwrap();
        assert!(matches!(SegmentName::parse(name), Some(SegmentName::Compaction { epoch: 1, .. })), "{name}");
        assert_eq!(std::fs::metadata(place.root.join(&segment.path)).unwrap().len(), segment.bytes);
    }
    // A second one has nothing to do, and does not even take an epoch.
    let version = table.version();
    assert_eq!(compact(&mut table).unwrap(), longshore_storage::compact::CompactionReport::default());
    assert_eq!(place.open().version(), version);
}

#[test]
fn statistics_and_the_footer_are_those_of_a_load() {
    let (place, mut table) = narrow_table(4, 500);
    compact(&mut table).unwrap();
    let schema = narrow();
    for segment in table.segments().unwrap() {
        let got = read(&place.root, &schema, std::slice::from_ref(&segment), None);
        let keys = got.column(0).as_primitive::<Int32Type>();
        let stats: serde_json::Value = serde_json::from_str(&segment.stats).unwrap();
        assert_eq!(stats["numRecords"], segment.rows);
        assert_eq!(stats["minValues"]["k"], arrow::compute::min(keys).unwrap());
        assert_eq!(stats["maxValues"]["k"], arrow::compute::max(keys).unwrap());
        assert_eq!(stats["nullCount"]["k"], keys.iter().filter(Option::is_none).count());
        assert!(keys.iter().is_sorted(), "NULL first, then ascending");
    }
}

/// Whether rows are a stable sort by `k` of rows in the order of their numbers.
fn is_stable_sort(segments: &[Segment], root: &std::path::Path) -> bool {
    let got = read(root, &narrow(), segments, None);
    let keys = got.column(0).as_primitive::<Int32Type>();
    let numbers = got.column(3).as_primitive::<Int64Type>();
    keys.iter().zip(numbers.values()).is_sorted()
}

#[test]
fn rows_with_equal_keys_keep_the_order_of_the_loads() {
    let (place, mut table) = narrow_table(7, 3_000);
    compact(&mut table).unwrap();
    for segment in table.segments().unwrap() {
        assert!(is_stable_sort(&[segment], &place.root));
    }
}

#[test]
fn more_than_the_budget_holds_is_merged_in_rounds() {
    let (place, _) = narrow_table(60, 1_500);
    let before = rows(&place);
    let (faulty, files) = Faulty::shared();
    let mut table = place.open_through(files);
    faulty.calls();
    // Footer, a page of each column and a block: a few hundred kilobytes a segment.
    let options = CompactionOptions { budget_bytes: 1 << 20, threads: 1, ..options() };
    let report = Compactor::run(&mut table, &options, &AtomicBool::new(false)).unwrap();
    assert_eq!((report.inputs, report.outputs, report.rows), (120, 2, 90_000));
    let spills =
        faulty.calls().iter().filter(|call| call.starts_with("create") && call.ends_with("-compact")).count();
    assert!(spills > 4, "{spills} spills");
    assert!(place.spills().is_empty());
    assert_eq!(rows(&place), before);
    for segment in table.segments().unwrap() {
        assert!(is_stable_sort(&[segment], &place.root));
    }
}

#[test]
fn a_budget_that_cannot_hold_two_segments_is_refused_and_nothing_is_left() {
    let (place, mut table) = narrow_table(3, 500);
    let files = place.segment_files();
    let options = CompactionOptions { budget_bytes: 40_000, ..options() };
    let error = Compactor::run(&mut table, &options, &AtomicBool::new(false)).unwrap_err();
    assert_eq!(error.category(), "MemoryBudgetTooSmall");
    assert_eq!(place.segment_files(), files);
}

#[test]
fn text_that_is_a_dictionary_in_one_segment_and_plain_in_another_is_merged() {
    let schema = table(&[("t", DataType::String), ("row", DataType::BigInt)], &["t"], hash(&["row"], 1));
    let (place, mut table) = Place::with_table(schema.definition());
    for number in 0..4i64 {
        let many =
            |row: i64| format!("{:x}", (row + number).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()));
        let texts: ArrayRef = match number % 2 {
            0 => Arc::new(StringArray::from_iter(
                (0..5_000).map(|row| (row % 9 > 0).then(|| format!("t{}", row % 7))),
            )),
            _ => Arc::new(StringArray::from_iter_values((0..5_000).map(many))),
        };
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(number * 5_000..(number + 1) * 5_000));
        let rows = batch(&schema, vec![texts, numbers]);
        load(&mut table, &format!("l{number}"), WriterOptions::default(), &[rows]);
    }
    let before = rows(&place);
    assert_eq!(compact(&mut table).unwrap().outputs, 1);
    assert_eq!(rows(&place), before);
    let got = read(&place.root, &schema, &table.segments().unwrap(), None);
    assert!(got.column(0).as_string::<i32>().iter().is_sorted());
}

#[test]
fn a_table_without_a_sort_key_keeps_the_order_of_arrival() {
    let definition = TableDefinition { order_by: Vec::new(), ..narrow().definition().clone() };
    let (place, mut table) = Place::with_table(&definition);
    let schema = narrow();
    for number in 0..5 {
        load(
            &mut table,
            &format!("l{number}"),
            WriterOptions::default(),
            &[narrow_rows(&schema, number * 100, 100)],
        );
    }
    assert_eq!(compact(&mut table).unwrap().outputs, 2);
    for segment in table.segments().unwrap() {
        let got = read(&place.root, &schema, &[segment], None);
        assert!(got.column(3).as_primitive::<Int64Type>().values().is_sorted());
    }
}

#[test]
fn partitions_are_not_mixed() {
    let by = PartitionTerm::Column("h".to_owned());
    let definition =
        TableDefinition { partition_by: PartitionBy::Expression(vec![by]), ..narrow().definition().clone() };
    let (place, mut table) = Place::with_table(&definition);
    let schema = Arc::clone(table.schema());
    for number in 0..4 {
        let rows = narrow_rows(&schema, number * 200, 200);
        load(&mut table, &format!("l{number}"), WriterOptions::default(), &[rows]);
    }
    let before = table.segments().unwrap();
    let tablets = |segments: &[Segment]| {
        let of = |s: &Segment| {
            let folder = s.path.rsplit_once('/').unwrap().0.to_owned();
            (s.partition.clone(), s.partition_values.clone(), s.bucket, folder)
        };
        segments.iter().map(of).collect::<std::collections::BTreeSet<_>>()
    };
    let due = rows(&place);
    let report = compact(&mut table).unwrap();
    let after = table.segments().unwrap();
    assert_eq!(tablets(&after), tablets(&before));
    assert_eq!((after.len(), report.tablets), (17, 17), "17 values, each in one bucket");
    assert_eq!(rows(&place), due);
    for segment in after {
        let got = read(&place.root, &schema, std::slice::from_ref(&segment), None);
        let values = got.column(1).as_primitive::<Int32Type>();
        let value = segment.partition_values["h"].clone().unwrap();
        assert!(values.iter().all(|of_row| of_row.unwrap().to_string() == value), "{segment:?}");
    }
}

#[test]
fn keys_of_every_kind_are_merged_in_order() {
    let (schema, all) = every_type(600);
    let mut definition = schema.definition().clone();
    for keys in [["b", "s"], ["i128", "i8"], ["dec38", "day"], ["at", "i64"], ["bin", "id"], ["dec9", "c"]] {
        definition.order_by = keys.map(str::to_owned).to_vec();
        let (place, mut table) = Place::with_table(&definition);
        for part in [500, 0, 300, 100, 200, 400] {
            load(&mut table, &format!("l{part}"), WriterOptions::default(), &[all.slice(part, 100)]);
        }
        let before = rows(&place);
        assert_eq!(compact(&mut table).unwrap().outputs, 3, "{keys:?}");
        assert_eq!(rows(&place), before, "{keys:?}");
        // What a load of all rows at once writes is in the same order.
        let (other, mut whole) = Place::with_table(&definition);
        let in_order: Vec<_> = [500, 0, 300, 100, 200, 400].map(|part| all.slice(part, 100)).to_vec();
        let in_order = concat_batches(&all.schema(), &in_order).unwrap();
        load(&mut whole, "all", WriterOptions::default(), &[in_order]);
        for bucket in 0..3 {
            let of = |table: &longshore_storage::table::Table| {
                let segments = table.segments().unwrap();
                rows_in_order(table, &segments.into_iter().filter(|s| s.bucket == bucket).collect::<Vec<_>>())
            };
            assert_eq!(of(&table), of(&whole), "{keys:?}, bucket {bucket}");
        }
        drop(other);
    }
}

#[test]
fn a_damaged_segment_is_named_and_nothing_is_changed() {
    let (place, mut table) = narrow_table(3, 500);
    let victim = place.root.join(&table.segments().unwrap()[2].path);
    let bytes = std::fs::read(&victim).unwrap();
    std::fs::write(&victim, &bytes[..bytes.len() - 9]).unwrap();
    let files = place.segment_files();
    let error = compact(&mut table).unwrap_err();
    assert_eq!(error.category(), "DamagedSegment");
    assert!(error.to_string().contains(victim.file_name().unwrap().to_str().unwrap()), "{error}");
    assert_eq!(place.segment_files(), files);
}

#[test]
fn a_segment_with_fewer_rows_than_the_log_says_is_not_merged_away() {
    let (place, mut table) = narrow_table(3, 500);
    let segments = table.segments().unwrap();
    let first = &segments[0];
    let smaller = segments.iter().find(|s| s.bucket == first.bucket && s.rows != first.rows).unwrap();
    std::fs::copy(place.root.join(&smaller.path), place.root.join(&first.path)).unwrap();
    let error = compact(&mut table).unwrap_err();
    assert_eq!(error.category(), "DamagedSegment", "{error}");
    assert!(error.to_string().contains("rows, and the log says"), "{error}");
}

#[test]
fn several_tablets_share_a_commit_and_a_commit_is_bounded() {
    let (_place, mut table) = narrow_table(6, 100);
    let before = table.version();
    let plan = PlanOptions { max_commit_inputs: 6, ..PlanOptions::default() };
    let report =
        Compactor::run(&mut table, &CompactionOptions { plan, ..options() }, &AtomicBool::new(false))
            .unwrap();
    assert_eq!((report.tablets, report.inputs), (2, 12));
    // An epoch, and a commit a tablet.
    assert_eq!(table.version(), before + 3);
}

#[test]
fn a_compaction_that_is_cancelled_changes_nothing() {
    let (place, mut table) = narrow_table(3, 100);
    let (before, files) = (table.segments().unwrap(), place.segment_files());
    let report = Compactor::run(&mut table, &options(), &AtomicBool::new(true)).unwrap();
    assert!(report.cancelled);
    assert_eq!(report.inputs, 0);
    assert_eq!(place.open().segments().unwrap(), before);
    assert_eq!(place.segment_files(), files);
}
