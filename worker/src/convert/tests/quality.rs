use crate::rows::Origin;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, Int64Array, StringArray};
use arrow::datatypes::{Int8Type, Int32Type};
use longshore_crds::OnMissingColumn;
use longshore_storage::types::DataType;

use super::super::{Converter, FileMapping};
use super::{array, batch, column, convert, rules, table};

fn source() -> arrow::array::RecordBatch {
    batch(vec![
        ("id", array(Int64Array::from(vec![1, 2, 3, 4]))),
        ("v", array(StringArray::from(vec![None, Some("abc"), Some("2000"), Some("1")]))),
    ])
}

fn loaded(converted: &super::Converted) -> Vec<Option<i8>> {
    converted.batch.column(1).as_primitive::<Int8Type>().iter().collect()
}

#[test]
fn a32_nullable_strict_filters_and_lenient_makes_null() {
    let table = table(vec![column("id", DataType::Int, false), column("v", DataType::TinyInt, true)]);
    let lenient = convert(&table, &source(), false);
    assert_eq!((lenient.filtered, loaded(&lenient)), (0, vec![None, None, None, Some(1)]));
    let strict = convert(&table, &source(), true);
    assert_eq!((strict.filtered, loaded(&strict)), (2, vec![None, Some(1)]));
    let codes: Vec<_> = strict.rejected.iter().map(|row| (row.row, row.column.as_str(), row.code)).collect();
    assert_eq!(codes, [(2, "v", "ParseError"), (3, "v", "OutOfRange")]);
}

#[test]
fn a33_not_null_filters_in_both_modes() {
    let table = table(vec![column("id", DataType::Int, false), column("v", DataType::TinyInt, false)]);
    for strict in [false, true] {
        let converted = convert(&table, &source(), strict);
        assert_eq!((converted.filtered, loaded(&converted)), (3, vec![Some(1)]));
        let codes: Vec<_> = converted.rejected.iter().map(|row| (row.row, row.code)).collect();
        assert_eq!(codes, [(1, "NullInNotNull"), (2, "ParseError"), (3, "OutOfRange")]);
    }
}

#[test]
fn a40_rejected_rows_carry_what_a_person_needs() {
    let table = table(vec![column("id", DataType::Int, false), column("v", DataType::TinyInt, false)]);
    let rejected = convert(&table, &source(), true).rejected;
    assert_eq!(rejected[0].raw_value, "NULL");
    assert_eq!(rejected[0].raw_record, r#"{"id":1,"v":null}"#);
    assert_eq!(rejected[2].raw_value, "2000");
    assert_eq!(rejected[2].raw_record, r#"{"id":3,"v":"2000"}"#);
    assert_eq!(rejected[2].message, "the value is outside the range of TINYINT");
}

#[test]
fn a40_only_as_many_as_asked_for_are_described() {
    let table = table(vec![column("v", DataType::TinyInt, true)]);
    let file = batch(vec![("v", array(StringArray::from(vec!["x"; 100])))]);
    let mapping = FileMapping::new("f", &table, file.schema_ref(), None, OnMissingColumn::Fail).unwrap();
    let mut converter = Converter::new(mapping, rules(true));
    let converted = converter.convert(&file, &Origin::Rows { first: 1_001 }, 3).unwrap();
    assert_eq!((converted.filtered, converted.batch.num_rows()), (100, 0));
    let rows: Vec<u64> = converted.rejected.iter().map(|row| row.row).collect();
    assert_eq!(rows, [1_001, 1_002, 1_003]);
    assert_eq!(converter.convert(&file, &Origin::Rows { first: 1 }, 0).unwrap().rejected, []);
}

#[test]
fn a_row_counts_once_under_its_first_column() {
    let table = table(vec![
        column("a", DataType::TinyInt, true),
        column("b", DataType::Varchar(2), true),
        column("c", DataType::Int, false),
    ]);
    let file = batch(vec![
        ("c", array(Int64Array::from(vec![None, Some(1), None, Some(4)]))),
        ("b", array(StringArray::from(vec!["long", "long", "ok", "ok"]))),
        ("a", array(Int64Array::from(vec![1000, 1, 1, 1]))),
    ]);
    let converted = convert(&table, &file, true);
    assert_eq!(converted.filtered, 3);
    let named: Vec<_> =
        converted.rejected.iter().map(|row| (row.row, row.column.as_str(), row.code)).collect();
    assert_eq!(named, [(1, "a", "OutOfRange"), (2, "b", "TooLong"), (3, "c", "NullInNotNull")]);
    assert_eq!(converted.batch.column(2).as_primitive::<Int32Type>().values().to_vec(), [4]);
    // Without strict mode the first row is named by the first column that still filters it.
    let lenient = convert(&table, &file, false);
    assert_eq!((lenient.filtered, lenient.rejected[0].column.as_str()), (3, "b"));
}

#[test]
fn a36_too_long_and_invalid_bytes_filter_in_both_modes() {
    let table = table(vec![column("v", DataType::Varchar(3), true)]);
    for strict in [false, true] {
        let file = batch(vec![("v", array(StringArray::from(vec!["äöü", "abc"])))]);
        let converted = convert(&table, &file, strict);
        assert_eq!((converted.filtered, converted.rejected[0].code), (1, "TooLong"));
        assert_eq!(converted.batch.column(0).as_string::<i32>().value(0), "abc");
        let file = batch(vec![("v", array(BinaryArray::from(vec![b"a\xff".as_slice(), b"abc"])))]);
        let converted = convert(&table, &file, strict);
        assert_eq!((converted.filtered, converted.rejected[0].code), (1, "InvalidUtf8"));
        assert_eq!(converted.rejected[0].raw_value, "a\\xff");
        assert_eq!(converted.rejected[0].raw_record, r#"{"v":"61ff"}"#);
    }
}

#[test]
fn raw_values_and_records_are_cut_between_characters() {
    let table = table(vec![column("v", DataType::Varchar(3), true)]);
    let file = batch(vec![("v", array(StringArray::from(vec![format!("x{}", "ä".repeat(100_000))])))]);
    let rejected = &convert(&table, &file, true).rejected[0];
    assert_eq!(rejected.raw_value.len(), 1023);
    assert!(rejected.raw_value.ends_with('ä'));
    assert!((65_534..=65_536).contains(&rejected.raw_record.len()), "{}", rejected.raw_record.len());
}

#[test]
fn nothing_is_copied_when_nothing_changes() {
    let table = table(vec![column("n", DataType::BigInt, false), column("s", DataType::String, true)]);
    let file = batch(vec![
        ("n", array(Int64Array::from(vec![1, 2]))),
        ("s", array(StringArray::from(vec!["a", "b"]))),
    ]);
    let converted = convert(&table, &file, true);
    assert!(Arc::ptr_eq(converted.batch.schema_ref(), table.arrow()));
    for (before, after) in file.columns().iter().zip(converted.batch.columns()) {
        assert!(before.to_data().ptr_eq(&after.to_data()));
    }
}
