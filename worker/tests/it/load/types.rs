//! Types and time, end to end.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, FixedSizeBinaryArray, Int32Builder, Int64Array, ListBuilder, StructArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType as Arrow, Field};
use longshore_crds::Outcome;

use crate::world::{World, batch, column, definition, texts};

fn ids(rows: i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(0..rows))
}

#[test]
fn a41_only_an_instant_is_shifted_to_the_declared_zone() {
    // 2024-07-01T10:00:00 as microseconds.
    let ten = 1_719_828_000_000_000_i64;
    let local: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![ten]));
    let instant: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![ten]).with_timezone("UTC"));
    for (zone, expected) in [("UTC", "2024-07-01T10:00:00"), ("Europe/Berlin", "2024-07-01T12:00:00")] {
        let world = World::with_table(&definition(vec![
            column("id", "BIGINT"),
            column("local", "DATETIME"),
            column("instant", "DATETIME"),
        ]));
        world.put_batch(
            "t.parquet",
            &batch(vec![("id", ids(1)), ("local", local.clone()), ("instant", instant.clone())]),
        );
        let mut request = world.request("load", "t.parquet");
        request.timezone = zone.to_owned();
        assert_eq!(world.load(request).outcome, Outcome::Loaded);
        assert_eq!(world.sorted("local"), ["2024-07-01T10:00:00"], "{zone}");
        assert_eq!(world.sorted("instant"), [expected], "{zone}");
    }
}

#[test]
fn a42_decimals_lists_structs_and_uuids_arrive_whole() {
    let decimals = Decimal128Array::from(vec![Some(12_345_678_901_234_567_890_i128), None])
        .with_precision_and_scale(38, 10)
        .unwrap();
    let mut lists = ListBuilder::new(Int32Builder::new());
    lists.append_value([Some(1), None, Some(3)]);
    lists.append_null();
    let part: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None]));
    let structs = StructArray::from(vec![(Arc::new(Field::new("x", Arrow::Int64, true)), part)]);
    let uuid = FixedSizeBinaryArray::try_from_iter([[0x11_u8; 16], [0xfe; 16]].into_iter()).unwrap();

    let world = World::with_table(&definition(vec![
        column("id", "BIGINT"),
        column("d", "DECIMAL(38,10)"),
        column("l", "ARRAY<INT>"),
        column("s", "STRUCT<x BIGINT>"),
        column("u", "VARBINARY(16)"),
    ]));
    world.put_batch(
        "t.parquet",
        &batch(vec![
            ("id", ids(2)),
            ("d", Arc::new(decimals)),
            ("l", Arc::new(lists.finish())),
            ("s", Arc::new(structs)),
            ("u", Arc::new(uuid)),
        ]),
    );
    let report = world.load(world.request("load", "t.parquet"));
    assert_eq!(report.counts.sink_rows, 2, "{report:?}");
    assert_eq!(world.sorted("d"), ["1234567890.1234567890", "NULL"]);
    assert_eq!(world.sorted("l"), ["NULL", "[1, NULL, 3]"]);
    assert_eq!(world.sorted("s"), ["{x: 7}", "{x: NULL}"]);
    assert_eq!(world.sorted("u"), ["11".repeat(16), "fe".repeat(16)]);
}

/// Each row's list holds its id: rows change places on their way to buckets and into order.
#[test]
fn a42_nested_values_stay_with_their_rows_in_narrow_and_wide_tables() {
    const ROWS: i64 = 5_000;
    let order = (0..ROWS).map(|row| row * 7_919 % ROWS);
    let mut lists = ListBuilder::new(Int32Builder::new());
    for id in order.clone() {
        lists.append_value([i32::try_from(id).ok()]);
    }
    let lists: ArrayRef = Arc::new(lists.finish());
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(order));
    for longs in [1, 12] {
        let names: Vec<String> = (0..longs).map(|number| format!("id{number}")).collect();
        let mut columns: Vec<_> = names.iter().map(|name| column(name, "BIGINT")).collect();
        columns.push(column("l", "ARRAY<INT>"));
        let mut arrays: Vec<_> = names.iter().map(|name| (name.as_str(), Arc::clone(&ids))).collect();
        arrays.push(("l", Arc::clone(&lists)));
        let world = World::with_table(&definition(columns));
        world.put_batch("t.parquet", &batch(arrays));
        assert_eq!(world.load(world.request("load", "t.parquet")).counts.sink_rows, ROWS as u64);
        let rows = world.rows();
        let lists = texts(rows.column_by_name("l").unwrap());
        for (id, list) in texts(rows.column(0)).iter().zip(&lists) {
            assert_eq!(*list, format!("[{id}]"), "{longs} columns beside it");
        }
    }
}
