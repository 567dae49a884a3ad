//! Partitions in the log: declared once, kept in the table's properties, told by the tags of its files.

use std::collections::BTreeMap;
use std::sync::Arc;

use longshore_storage::durable::Posix;
use longshore_storage::load::Segment;
use longshore_storage::schema::{DateUnit, PartitionBy, PartitionTerm, TableDefinition};
use longshore_storage::table::{CommitOutcome, LoadCommit, Table};

use super::support::*;

fn by_day() -> TableDefinition {
    let term = PartitionTerm::DateTrunc { unit: DateUnit::Day, column: "Timestamp".to_owned() };
    TableDefinition { partition_by: PartitionBy::Expression(vec![term]), ..definition() }
}

fn segment_of_day(day: usize, label: &str) -> Segment {
    let name = format!("p{day:05}");
    let values = BTreeMap::from([("Timestamp".to_owned(), (day > 0).then(|| format!("day \"{day}\"\n")))]);
    Segment {
        path: format!("{name}/b-00001/{label}.parquet"),
        partition: name,
        partition_values: values,
        ..segment(label, 3)
    }
}

fn load_days(table: &mut Table, label: &str, days: std::ops::Range<usize>) {
    let claim = table.claim(label, 1).unwrap();
    let load = LoadCommit {
        segments: days.map(|day| segment_of_day(day, label)).collect(),
        ..load_of(table, &claim, 3)
    };
    assert!(matches!(table.commit_load(&claim, load).unwrap(), CommitOutcome::Committed { .. }));
}

#[test]
fn partitions_are_told_from_commits_and_checkpoints() {
    let place = Place::empty();
    let mut table = Table::create(Arc::new(Posix), &place.root, &by_day()).unwrap();
    assert!(table.partitions().unwrap().is_empty());
    load_days(&mut table, "a", 0..3);
    load_days(&mut table, "b", 2..4);
    for round in 0..2 {
        let table = place.open();
        assert_eq!(table.schema().definition(), &by_day());
        let found = table.partitions().unwrap();
        let names: Vec<_> = found.iter().map(|p| (p.name.as_str(), p.totals.files, p.totals.rows)).collect();
        assert_eq!(
            names,
            [("p00000", 1, 3), ("p00001", 1, 3), ("p00002", 2, 6), ("p00003", 1, 3)],
            "{round}"
        );
        assert_eq!(found[0].values["Timestamp"], None);
        assert_eq!(found[2].values["Timestamp"].as_deref(), Some("day \"2\"\n"));
        assert!(table.partition_names().unwrap().into_iter().eq(found.into_iter().map(|p| p.name)));
        place.open().checkpoint().unwrap();
    }
}

#[test]
fn a_table_keeps_the_partitions_it_was_made_with() {
    let (place, _table) = Place::with_table();
    let error = Table::create(Arc::new(Posix), &place.root, &by_day()).unwrap_err();
    assert!(error.to_string().contains("it has other partitions"), "{error}");

    let mut bad = by_day();
    bad.partition_by = PartitionBy::Expression(vec![PartitionTerm::Column("Gone".to_owned())]);
    let error = Table::create(Arc::new(Posix), &place.root, &bad).unwrap_err();
    assert!(error.to_string().contains("column `Gone` is not declared"), "{error}");
}

#[test]
fn a45_new_partitions_of_all_tasks_count_and_those_of_the_table_do_not() {
    let place = Place::empty();
    let mut table = Table::create(Arc::new(Posix), &place.root, &by_day()).unwrap();
    load_days(&mut table, "a", 0..10);
    let beyond = |days: std::ops::Range<usize>| {
        let segments: Vec<Segment> = days.map(|day| segment_of_day(day, "b")).collect();
        table.partition_beyond_limit(&segments).unwrap()
    };
    assert_eq!(beyond(0..4106), None);
    assert_eq!(beyond(0..4107).as_deref(), Some("p04106"));
    assert_eq!(beyond(10..4107).as_deref(), Some("p04106"));
}
