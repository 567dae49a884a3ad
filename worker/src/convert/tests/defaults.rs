use crate::rows::Origin;
use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use arrow::datatypes::{DataType as ArrowType, Decimal128Type, Int32Type, TimestampMicrosecondType};
use longshore_crds::OnMissingColumn;
use longshore_storage::schema::{Column, DefaultValue};
use longshore_storage::types::DataType;

use super::super::{Converter, FileMapping, Rules, Zone, check_default};
use super::{array, batch, column, convert, rules, table, with_default};

fn literal(text: &str) -> DefaultValue {
    DefaultValue::Literal(text.to_owned())
}

fn three_rows() -> arrow::array::RecordBatch {
    batch(vec![("id", array(Int32Array::from(vec![1, 2, 3])))])
}

fn text(array: &ArrayRef) -> Vec<String> {
    let flat = arrow::compute::cast(array, &ArrowType::Utf8).unwrap();
    flat.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
}

#[test]
fn a30_literals_and_null_fill_what_a_file_lacks() {
    let table = table(vec![
        column("id", DataType::Int, false),
        with_default("n", DataType::Int, literal(" 42 ")),
        with_default("price", DataType::Decimal { precision: 6, scale: 2 }, literal("1.005")),
        with_default("s", DataType::Varchar(5), literal("none")),
        column("missing", DataType::DateTime, true),
    ]);
    let converted = convert(&table, &three_rows(), true);
    assert_eq!(converted.batch.column(1).as_primitive::<Int32Type>().values().to_vec(), [42, 42, 42]);
    assert_eq!(converted.batch.column(2).as_primitive::<Decimal128Type>().values().to_vec(), [101, 101, 101]);
    assert_eq!(text(converted.batch.column(3)), ["none", "none", "none"]);
    assert_eq!(converted.batch.column(4).null_count(), 3);
}

#[test]
fn a30_uuid_is_distinct_in_each_row() {
    let table = table(vec![
        column("id", DataType::Int, false),
        with_default("u", DataType::Varchar(36), DefaultValue::Uuid),
    ]);
    let many = batch(vec![("id", array(Int32Array::from_iter_values(0..10_000)))]);
    let mapping = FileMapping::new("f", &table, many.schema_ref(), None, OnMissingColumn::Fail).unwrap();
    let mut converter = Converter::new(mapping, rules(true));
    let mut seen = HashSet::new();
    for _ in 0..2 {
        let converted = converter.convert(&many, &Origin::Rows { first: 1 }, 0).unwrap();
        for uuid in text(converted.batch.column(1)) {
            assert_eq!(uuid::Uuid::parse_str(&uuid).unwrap().get_version_num(), 4);
            assert!(seen.insert(uuid));
        }
    }
    assert_eq!(seen.len(), 20_000);
}

#[test]
fn a30_current_timestamp_is_one_instant_in_the_requests_zone() {
    let table = table(vec![
        column("id", DataType::Int, false),
        with_default("at", DataType::DateTime, DefaultValue::CurrentTimestamp),
    ]);
    let file = three_rows();
    let mapping = FileMapping::new("f", &table, file.schema_ref(), None, OnMissingColumn::Fail).unwrap();
    let rules = Rules { timezone: Zone::parse("Asia/Shanghai").unwrap(), ..rules(true) };
    let mut converter = Converter::new(mapping, rules);
    for rows in [2, 3, 1] {
        let converted = converter.convert(&file.slice(0, rows), &Origin::Rows { first: 1 }, 0).unwrap();
        let expected = vec![rules.now_micros + 8 * 3_600_000_000; rows];
        assert_eq!(
            converted.batch.column(1).as_primitive::<TimestampMicrosecondType>().values().to_vec(),
            expected
        );
    }
}

#[test]
fn a30_null_in_the_file_does_not_take_the_default() {
    let mut declared = with_default("n", DataType::Int, literal("42"));
    declared.nullable = true;
    let file = batch(vec![("n", array(Int32Array::from(vec![None, Some(1)])))]);
    let converted = convert(&table(vec![declared.clone()]), &file, true);
    assert_eq!(
        converted.batch.column(0).as_primitive::<Int32Type>().iter().collect::<Vec<_>>(),
        [None, Some(1)]
    );
    declared.nullable = false;
    assert_eq!(convert(&table(vec![declared]), &file, true).filtered, 1);
}

#[test]
fn defaults_are_checked_against_their_columns() {
    let check = |data_type, default| {
        check_default(&Column { name: "c".to_owned(), data_type, nullable: false, default: Some(default) })
    };
    assert!(check(DataType::TinyInt, literal("127")).is_ok());
    assert!(check(DataType::Date, literal("2024-02-29")).is_ok());
    assert!(check(DataType::Json, literal("{}")).is_ok());
    assert!(check(DataType::Char(36), DefaultValue::Uuid).is_ok());
    assert!(check(DataType::String, DefaultValue::Uuid).is_ok());
    assert!(check(DataType::DateTime, DefaultValue::CurrentTimestamp).is_ok());
    for (data_type, default, message) in [
        (DataType::TinyInt, literal("128"), "TINYINT: the value is outside the range"),
        (DataType::Date, literal("today"), "DATE: the text is no value"),
        (DataType::Varchar(2), literal("äö"), "VARCHAR(2): the value is longer"),
        (DataType::Json, literal("{"), "JSON: the text is not JSON"),
        (DataType::Array(Box::new(DataType::Int)), literal("[]"), "takes no literal default"),
        (DataType::Varchar(35), DefaultValue::Uuid, "uuid() is text of 36 bytes"),
        (DataType::Char(40), DefaultValue::Uuid, "uuid() is text of 36 bytes"),
        (DataType::Int, DefaultValue::CurrentTimestamp, "CURRENT_TIMESTAMP is a DATETIME"),
    ] {
        let error = check(data_type, default).unwrap_err();
        assert_eq!(error.category(), "InvalidDefault");
        assert!(error.to_string().contains(message), "{error}");
    }
    assert!(check_default(&column("c", DataType::Int, true)).is_ok());
}
