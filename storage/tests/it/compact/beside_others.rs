//! A compaction beside loads, overwrites, schema changes and other compactions: a load is rebased over, what
//! touches inputs or schema voids the work.

use std::sync::Arc;

use longshore_storage::compact::CompactionReport;
use longshore_storage::schema::Column;
use longshore_storage::table::{DropReason, LoadMode, OverwriteScope};
use longshore_storage::tablet::WriterOptions;
use longshore_storage::types::DataType;

use super::support::*;
use crate::log::faulty::Faulty;

/// Runs `meanwhile` just before the first compaction's commit is linked.
fn compact_while(place: &Arc<Place>, meanwhile: impl FnOnce(&Place) + Send + 'static) -> CompactionReport {
    let (faulty, files) = Faulty::shared();
    let mut table = place.open_through(files);
    // The epoch takes the next version, the compaction the one after.
    let link = format!("link .{:020}", table.version() + 2);
    let there = Arc::clone(place);
    faulty.pause_at(&link, move || meanwhile(&there));
    compact(&mut table).unwrap()
}

#[test]
fn a_load_meanwhile_is_rebased_over() {
    let place = Arc::new(narrow_table(4, 200).0);
    let report = compact_while(&place, |place| {
        load(&mut place.open(), "meanwhile", WriterOptions::default(), &[narrow_rows(&narrow(), 9_000, 100)]);
    });
    assert_eq!((report.inputs, report.dropped.len()), (8, 0));
    assert_eq!(rows(&place).values().map(Vec::len).sum::<usize>(), 900);
    assert_eq!(counts(&place).into_values().collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn a_newer_compaction_shuts_an_older_one_out() {
    let place = Arc::new(narrow_table(4, 200).0);
    let before = rows(&place);
    let report = compact_while(&place, |place| {
        assert_eq!(compact(&mut place.open()).unwrap().inputs, 8);
    });
    assert_eq!((report.inputs, report.outputs), (0, 0));
    assert!(matches!(report.dropped.as_slice(), [DropReason::NewerEpoch { number: 2 }]), "{report:?}");
    assert_eq!(rows(&place), before);
    // The outputs of the one that came too late are gone; inputs stay for readers of older versions.
    let named: Vec<String> = place.open().segments().unwrap().into_iter().map(|s| s.path).collect();
    let outputs = place.segment_files().into_iter().filter(|path| path.contains("/compact-"));
    let mut outputs: Vec<String> = outputs.collect();
    outputs.sort();
    assert_eq!(outputs, {
        let mut named = named;
        named.sort();
        named
    });
}

#[test]
fn an_overwrite_meanwhile_is_not_undone() {
    let place = Arc::new(narrow_table(4, 200).0);
    let report = compact_while(&place, |place| {
        let mode = LoadMode::Overwrite(OverwriteScope::Table);
        let rows = narrow_rows(&narrow(), 7_000, 50);
        load_with(&mut place.open(), "over", WriterOptions::default(), &[rows], mode);
    });
    assert!(matches!(report.dropped.as_slice(), [DropReason::InputRemoved { .. }]), "{report:?}");
    let rows: Vec<String> = rows(&place).into_values().flatten().collect();
    assert_eq!(rows.len(), 50);
    assert!(rows.iter().all(|row| row.rsplit('|').next().unwrap().starts_with("70")));
    let left = place.segment_files().into_iter().filter(|path| path.contains("/compact-"));
    assert_eq!(left.count(), 0, "what was dropped is removed");
}

fn new_column() -> Column {
    Column { name: "later".to_owned(), data_type: DataType::String, nullable: true, default: None }
}

#[test]
fn columns_that_are_added_meanwhile_void_the_work_and_the_next_one_fills_them_with_null() {
    let place = Arc::new(narrow_table(4, 200).0);
    let report = compact_while(&place, |place| {
        place.open().add_columns(&[new_column()]).unwrap();
    });
    assert!(matches!(report.dropped.as_slice(), [DropReason::SchemaChanged]), "{report:?}");
    let due = rows(&place);
    assert!(due.values().flatten().all(|row| row.ends_with("|NULL")));
    assert_eq!(compact(&mut place.open()).unwrap().inputs, 8);
    assert_eq!(rows(&place), due);
}

#[test]
fn segments_with_and_without_a_column_are_merged() {
    let (place, mut table) = narrow_table(2, 200);
    table.add_columns(&[new_column()]).unwrap();
    let schema = Arc::clone(table.schema());
    let old = narrow_rows(&narrow(), 400, 100);
    let texts = (0..100).map(|row| (row % 3 > 0).then(|| format!("later {row}")));
    let mut columns = old.columns().to_vec();
    columns.push(Arc::new(texts.collect::<arrow::array::StringArray>()));
    load(&mut table, "later", WriterOptions::default(), &[crate::tablet::batch(&schema, columns)]);
    let due = rows(&place);
    assert_eq!(due.values().flatten().filter(|row| row.ends_with("|NULL")).count(), 400 + 34);
    assert_eq!(compact(&mut table).unwrap().outputs, 2);
    assert_eq!(rows(&place), due);
    // Other engines find the column in the file itself.
    let stats: serde_json::Value = serde_json::from_str(&table.segments().unwrap()[0].stats).unwrap();
    assert!(stats["nullCount"]["later"].as_u64().unwrap() > 100, "{stats}");
}

#[test]
fn many_compactions_and_loads_at_once_lose_nothing() {
    let place = Arc::new(narrow_table(2, 100).0);
    std::thread::scope(|scope| {
        for writer in 0..2i64 {
            let place = Arc::clone(&place);
            scope.spawn(move || {
                let mut table = place.open();
                for number in 0..15 {
                    let rows = narrow_rows(&narrow(), 1_000 * (writer + 1) + number * 10, 10);
                    load(&mut table, &format!("w{writer}-{number}"), WriterOptions::default(), &[rows]);
                }
            });
        }
        for _ in 0..2 {
            let place = Arc::clone(&place);
            scope.spawn(move || {
                let mut table = place.open();
                for _ in 0..15 {
                    compact(&mut table).unwrap();
                }
            });
        }
    });
    let mut numbers: Vec<i64> = rows(&place)
        .into_values()
        .flatten()
        .map(|row| row.rsplit('|').next().unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    let due: Vec<i64> = (0..200).chain(1_000..1_150).chain(2_000..2_150).collect();
    assert_eq!(numbers, due);
}
