use std::sync::Arc;

use arrow::array::builder::{Int64Builder, ListBuilder, MapBuilder, StringBuilder};
use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, FixedSizeListArray, Int32Array, Int64Array, LargeListArray,
    ListArray, StringArray, StructArray,
};
use arrow::datatypes::{DataType as ArrowType, Field, Int8Type, Int32Type, Int64Type};
use longshore_crds::OnMissingColumn;
use longshore_storage::types::{DataType, StructField};

use super::super::FileMapping;
use super::super::column::Fault::{OutOfRange, Parse, TooLong};
use super::{array, batch, cast_one, column, convert, refused, table};

fn lists() -> ArrayRef {
    array(ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
        Some(vec![Some(1), Some(2)]),
        None,
        Some(vec![]),
        Some(vec![Some(300), None, Some(400)]),
        Some(vec![Some(5)]),
    ]))
}

fn tinyints(list: &ArrayRef) -> Vec<Option<Vec<Option<i8>>>> {
    list.as_list::<i32>()
        .iter()
        .map(|list| list.map(|list| list.as_primitive::<Int8Type>().iter().collect()))
        .collect()
}

fn part(name: &str, data_type: DataType) -> StructField {
    StructField { name: name.to_owned(), data_type }
}

#[test]
fn a42_lists_are_cast_element_by_element() {
    let to = DataType::Array(Box::new(DataType::TinyInt));
    let (cast, faults) = cast_one(&lists(), &to);
    assert_eq!(faults, vec![(3, OutOfRange)]);
    let expected = vec![
        Some(vec![Some(1), Some(2)]),
        None,
        Some(vec![]),
        Some(vec![None, None, None]),
        Some(vec![Some(5)]),
    ];
    assert_eq!(tinyints(&cast), expected);
    // A part of a batch is cast alone: what lies outside does not count.
    let (cast, faults) = cast_one(&lists().slice(3, 2), &to);
    assert_eq!((tinyints(&cast), faults), (expected[3..].to_vec(), vec![(0, OutOfRange)]));
    let (cast, faults) = cast_one(&lists().slice(4, 1), &to);
    assert_eq!((tinyints(&cast), faults), (expected[4..].to_vec(), vec![]));

    let large =
        array(LargeListArray::from_iter_primitive::<Int64Type, _, _>(vec![None, Some(vec![Some(7)])]))
            .slice(1, 1);
    assert_eq!(tinyints(&cast_one(&large, &to).0), vec![Some(vec![Some(7)])]);
    let fixed = array(FixedSizeListArray::from_iter_primitive::<Int64Type, _, _>(
        vec![Some(vec![Some(1), Some(2)]), Some(vec![Some(3), Some(4)])],
        2,
    ));
    assert_eq!(tinyints(&cast_one(&fixed.slice(1, 1), &to).0), vec![Some(vec![Some(3), Some(4)])]);
    assert!(refused(&array(Int32Array::from(vec![1])), &to));
    assert!(refused(&lists(), &DataType::Int));
}

#[test]
fn what_lies_under_a_null_list_does_not_count() {
    let field = Arc::new(Field::new("element", ArrowType::Utf8, true));
    let values = Arc::new(StringArray::from(vec!["1", "junk", "2"]));
    let nulls = vec![true, false, true].into();
    let list = ListArray::new(
        field,
        vec![0, 1, 2, 3].into_iter().collect::<Vec<i32>>().into_offsets(),
        values,
        Some(nulls),
    );
    let (_, faults) = cast_one(&array(list), &DataType::Array(Box::new(DataType::TinyInt)));
    assert_eq!(faults, vec![]);
}

trait IntoOffsets {
    fn into_offsets(self) -> arrow::buffer::OffsetBuffer<i32>;
}

impl IntoOffsets for Vec<i32> {
    fn into_offsets(self) -> arrow::buffer::OffsetBuffer<i32> {
        arrow::buffer::OffsetBuffer::new(self.into())
    }
}

#[test]
fn a_part_that_always_filters_does_so_in_any_mode() {
    let table = table(vec![column("v", DataType::Array(Box::new(DataType::Varchar(2))), true)]);
    let mut builder = ListBuilder::new(StringBuilder::new());
    builder.append_value([Some("ab"), Some("long")]);
    builder.append_value([Some("ab"), None]);
    let file = batch(vec![("v", array(builder.finish()))]);
    for strict in [false, true] {
        let converted = convert(&table, &file, strict);
        assert_eq!((converted.filtered, converted.rejected[0].code), (1, "TooLong"));
        assert_eq!(converted.rejected[0].raw_value, r#"["ab","long"]"#);
    }
    // A part that does not fit is NULL within the value where strict mode is off.
    let numbers = super::table(vec![column("v", DataType::Array(Box::new(DataType::TinyInt)), false)]);
    let lenient = convert(&numbers, &batch(vec![("v", lists().slice(2, 3))]), false);
    assert_eq!(lenient.filtered, 0);
    assert_eq!(lenient.batch.column(0).null_count(), 0);
}

fn places() -> StructArray {
    StructArray::from(vec![
        (Arc::new(Field::new("LON", ArrowType::Utf8, true)), array(StringArray::from(vec!["1", "x", "3"]))),
        (Arc::new(Field::new("other", ArrowType::Int32, true)), array(Int32Array::from(vec![1, 2, 3]))),
        (
            Arc::new(Field::new("lat", ArrowType::Int64, true)),
            array(Int64Array::from(vec![1, 2, 3_000_000_000])),
        ),
    ])
}

#[test]
fn a42_structs_match_their_parts_by_name() {
    let to = DataType::Struct(vec![
        part("lat", DataType::Int),
        part("lon", DataType::SmallInt),
        part("alt", DataType::Double),
    ]);
    let (cast, faults) = cast_one(&array(places()), &to);
    assert_eq!(faults, vec![(1, Parse), (2, OutOfRange)]);
    let cast = cast.as_struct();
    assert_eq!(
        cast.column(0).as_primitive::<Int32Type>().iter().collect::<Vec<_>>(),
        [Some(1), Some(2), None]
    );
    assert_eq!(cast.column(2).null_count(), 3);
    let file = batch(vec![("p", array(places()))]);
    let table = table(vec![column("p", to, true)]);
    let error = FileMapping::new("f", &table, file.schema_ref(), None, OnMissingColumn::Fail).unwrap_err();
    assert!(error.to_string().contains("file f has no column p.alt"), "{error}");
    // Under a NULL struct nothing counts.
    let (fields, columns, _) = places().into_parts();
    let nulls = Some(vec![true, false, true].into());
    let with_null = array(StructArray::new(fields, columns, nulls));
    let to = DataType::Struct(vec![part("lon", DataType::SmallInt)]);
    assert_eq!(cast_one(&with_null, &to).1, vec![]);
}

/// The entries of one map; NULL: no map.
type Entries<'a> = Option<&'a [(&'a str, Option<i64>)]>;

fn map(rows: &[Entries<'_>]) -> ArrayRef {
    let mut builder = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for row in rows {
        for (key, value) in row.unwrap_or_default() {
            builder.keys().append_value(key);
            builder.values().append_option(*value);
        }
        builder.append(row.is_some()).unwrap();
    }
    array(builder.finish())
}

#[test]
fn a42_maps_are_cast_by_key_and_value() {
    let from = map(&[
        Some(&[("1", Some(10)), ("2", None)]),
        None,
        Some(&[("3", Some(1000))]),
        Some(&[("x", Some(1)), ("4", Some(1))]),
        Some(&[("5", Some(50))]),
    ]);
    let to = DataType::Map(Box::new(DataType::Int), Box::new(DataType::TinyInt));
    let (cast, faults) = cast_one(&from, &to);
    assert_eq!(faults, vec![(2, OutOfRange), (3, Parse)]);
    let cast = cast.as_map();
    assert_eq!((cast.is_null(1), cast.is_null(2), cast.is_null(3)), (true, false, true));
    assert_eq!(cast.value(0).column(0).as_primitive::<Int32Type>().values().to_vec(), [1, 2]);
    assert_eq!(cast.value(4).column(0).as_primitive::<Int32Type>().values().to_vec(), [5]);
    assert_eq!(cast.value(4).column(1).as_primitive::<Int8Type>().values().to_vec(), [50]);
    let (cast, faults) = cast_one(&from.slice(4, 1), &to);
    assert_eq!(faults, vec![]);
    assert_eq!(cast.as_map().value(0).column(0).as_primitive::<Int32Type>().values().to_vec(), [5]);
    let short = DataType::Map(Box::new(DataType::Varchar(0)), Box::new(DataType::BigInt));
    assert_eq!(cast_one(&from.slice(0, 1), &short).1, vec![(0, TooLong)]);
}

#[test]
fn a42_nested_values_become_json() {
    let (json, faults) = cast_one(&lists(), &DataType::Json);
    assert_eq!(faults, vec![]);
    let texts: Vec<_> = json.as_string::<i32>().iter().collect();
    assert_eq!(texts, [Some("[1,2]"), None, Some("[]"), Some("[300,null,400]"), Some("[5]")]);
    let (json, _) = cast_one(&lists().slice(3, 1), &DataType::Json);
    assert_eq!(json.as_string::<i32>().value(0), "[300,null,400]");
    let (json, _) = cast_one(&map(&[Some(&[("a\"\n\u{1}", Some(1))])]), &DataType::Json);
    assert_eq!(json.as_string::<i32>().value(0), "{\"a\\\"\\n\\u0001\":1}");
    let with_date = StructArray::from(vec![
        (Arc::new(Field::new("d", ArrowType::Date32, true)), array(Date32Array::from(vec![0]))),
        (
            Arc::new(Field::new("f", ArrowType::Float64, true)),
            array(arrow::array::Float64Array::from(vec![f64::NAN])),
        ),
    ]);
    let (json, _) = cast_one(&array(with_date), &DataType::Json);
    assert_eq!(json.as_string::<i32>().value(0), r#"{"d":"1970-01-01","f":null}"#);
    for row in 0..json.len() {
        assert!(serde_json::from_str::<serde_json::Value>(json.as_string::<i32>().value(row)).is_ok());
    }
}
