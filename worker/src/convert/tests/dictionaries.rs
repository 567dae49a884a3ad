use crate::rows::Origin;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int8Array, Int32Array, LargeStringArray, StringArray,
};
use arrow::datatypes::{DataType as ArrowType, Int8Type, Int32Type, TimestampMicrosecondType};
use longshore_crds::OnMissingColumn;
use longshore_storage::types::DataType;

use super::super::{Converter, FileMapping};
use super::{array, batch, column, convert, rules, table};

fn dictionary(keys: Vec<Option<i32>>, values: Vec<Option<&str>>) -> ArrayRef {
    let values: ArrayRef = Arc::new(StringArray::from(values));
    array(DictionaryArray::<Int32Type>::new(Int32Array::from(keys), values))
}

fn text(array: &ArrayRef) -> Vec<Option<String>> {
    let flat = arrow::compute::cast(array, &ArrowType::Utf8).unwrap();
    flat.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn a38_not_null_is_enforced_in_keys_and_in_values() {
    let file = batch(vec![(
        "v",
        dictionary(vec![Some(0), None, Some(1), Some(2)], vec![Some("a"), None, Some("b")]),
    )]);
    for strict in [false, true] {
        let required = table(vec![column("v", DataType::String, false)]);
        let converted = convert(&required, &file, strict);
        assert_eq!(converted.filtered, 2);
        let rows: Vec<_> =
            converted.rejected.iter().map(|row| (row.row, row.code, row.raw_value.as_str())).collect();
        assert_eq!(rows, [(2, "NullInNotNull", "NULL"), (3, "NullInNotNull", "NULL")]);
        assert_eq!(text(converted.batch.column(0)), [Some("a".to_owned()), Some("b".to_owned())]);
        let nullable = table(vec![column("v", DataType::String, true)]);
        let converted = convert(&nullable, &file, strict);
        assert_eq!(converted.batch.column(0).null_count(), 2);
        let number = table(vec![column("v", DataType::Date, false)]);
        assert_eq!(convert(&number, &file, strict).filtered, 4);
    }
}

#[test]
fn text_keeps_its_dictionary_without_a_copy() {
    let table = table(vec![column("v", DataType::Varchar(4), true)]);
    let file = batch(vec![("v", dictionary(vec![Some(1), Some(0), None], vec![Some("pv"), Some("buy")]))]);
    let converted = convert(&table, &file, true);
    assert!(file.column(0).to_data().ptr_eq(&converted.batch.column(0).to_data()));
    assert_eq!(converted.batch.schema_ref().field(0).data_type(), file.column(0).data_type());
    // Other keys and other text are brought to Dictionary(Int32, Utf8).
    let values: ArrayRef = Arc::new(LargeStringArray::from(vec!["pv", "cart"]));
    let small =
        array(DictionaryArray::<Int8Type>::new(Int8Array::from(vec![Some(1), None, Some(0)]), values));
    let converted = convert(&table, &batch(vec![("v", small)]), true);
    assert_eq!(converted.batch.column(0).data_type(), file.column(0).data_type());
    assert_eq!(text(converted.batch.column(0)), [Some("cart".to_owned()), None, Some("pv".to_owned())]);
}

#[test]
fn a_value_that_no_row_names_is_not_counted() {
    let file = batch(vec![(
        "v",
        dictionary(vec![Some(0), Some(2)], vec![Some("1"), Some("too long, no number"), Some("2")]),
    )]);
    for to in [DataType::Varchar(3), DataType::Int, DataType::Json] {
        let converted = convert(&table(vec![column("v", to, false)]), &file, true);
        assert_eq!((converted.filtered, converted.batch.num_rows()), (0, 2));
    }
}

#[test]
fn misfits_of_a_dictionary_are_those_of_its_rows() {
    let file = batch(vec![(
        "v",
        dictionary(vec![Some(1), Some(0), None, Some(1)], vec![Some("2017-11-26 00:00:01"), Some("later")]),
    )]);
    let table = table(vec![column("v", DataType::DateTime, true)]);
    let strict = convert(&table, &file, true);
    let rows: Vec<_> =
        strict.rejected.iter().map(|row| (row.row, row.code, row.raw_value.as_str())).collect();
    assert_eq!(rows, [(1, "ParseError", "later"), (4, "ParseError", "later")]);
    let lenient = convert(&table, &file, false);
    let values: Vec<_> = lenient.batch.column(0).as_primitive::<TimestampMicrosecondType>().iter().collect();
    assert_eq!(values, [None, Some(1_511_654_401_000_000), None, None]);
    let short = super::table(vec![column("v", DataType::Varchar(5), true)]);
    assert_eq!(convert(&short, &file, false).rejected.len(), 1);
}

#[test]
fn a_shared_dictionary_is_cast_once_and_another_one_anew() {
    let table = table(vec![column("v", DataType::DateTime, true)]);
    let values: ArrayRef = Arc::new(StringArray::from(vec!["2017-11-26 00:00:00", "2017-11-27 00:00:00"]));
    let other: ArrayRef = Arc::new(StringArray::from(vec!["2018-11-26 00:00:00", "2018-11-27 00:00:00"]));
    let with = |keys: Vec<i32>, values: &ArrayRef| {
        batch(vec![(
            "v",
            array(DictionaryArray::<Int32Type>::new(Int32Array::from(keys), Arc::clone(values))),
        )])
    };
    let first = with(vec![0, 1], &values);
    let mapping = FileMapping::new("f", &table, first.schema_ref(), None, OnMissingColumn::Fail).unwrap();
    let mut converter = Converter::new(mapping, rules(true));
    let day = 86_400_000_000;
    let start = 1_511_654_400_000_000;
    for (file, expected) in [
        (first, vec![start, start + day]),
        (with(vec![1, 1, 0], &values), vec![start + day, start + day, start]),
        (with(vec![0], &other), vec![start + 365 * day]),
        (with(vec![], &other), vec![]),
        (with(vec![1], &values), vec![start + day]),
    ] {
        let converted = converter.convert(&file, &Origin::Rows { first: 1 }, 0).unwrap();
        assert_eq!(
            converted.batch.column(0).as_primitive::<TimestampMicrosecondType>().values().to_vec(),
            expected
        );
    }
    let empty = with(vec![], &(Arc::new(StringArray::from(Vec::<&str>::new())) as ArrayRef));
    assert_eq!(converter.convert(&empty, &Origin::Rows { first: 1 }, 0).unwrap().batch.num_rows(), 0);
    // All NULL, and no value at all.
    let none = batch(vec![("v", dictionary(vec![None, None], vec![]))]);
    assert_eq!(
        converter.convert(&none, &Origin::Rows { first: 1 }, 0).unwrap().batch.column(0).null_count(),
        2
    );
}
