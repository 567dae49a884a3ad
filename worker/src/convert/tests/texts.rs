use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Decimal128Array, Decimal256Array,
    FixedSizeBinaryArray, Float32Array, Float64Array, Int16Array, LargeBinaryArray, LargeStringArray,
    NullArray, StringArray, StringViewArray,
};
use arrow::datatypes::{Field, i256};
use longshore_crds::OnMissingColumn;
use longshore_storage::types::DataType;

use super::super::Zone;
use super::super::cast::{Context, cast};
use super::super::column::Fault::{InvalidJson, InvalidUtf8, TooLong};
use super::{array, cast_one, refused};

fn texts(from: &ArrayRef) -> Vec<Option<String>> {
    let (cast, faults) = cast_one(from, &DataType::String);
    assert!(faults.is_empty());
    cast.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

#[test]
fn a36_length_counts_bytes() {
    let values = vec![Some("äöü"), Some("abc"), None, Some("äb"), Some("")];
    for from in [
        array(StringArray::from(values.clone())),
        array(LargeStringArray::from(values.clone())),
        array(StringViewArray::from(values.clone())),
    ] {
        for to in [DataType::Varchar(3), DataType::Char(3)] {
            let (cast, faults) = cast_one(&from, &to);
            assert_eq!(faults, vec![(0, TooLong)], "{to}");
            // CHAR is not padded.
            assert_eq!(cast.as_string::<i32>().value(3), "äb");
            assert_eq!(cast.as_string::<i32>().value(4), "");
        }
        assert_eq!(cast_one(&from, &DataType::Varchar(6)).1, vec![]);
    }
    let sliced = array(StringArray::from(values)).slice(1, 4);
    assert_eq!(cast_one(&sliced, &DataType::Varchar(3)).1, vec![]);
    let bytes = array(BinaryArray::from(vec![b"abcd".as_slice(), b"abc"]));
    assert_eq!(cast_one(&bytes, &DataType::Varbinary(Some(3))).1, vec![(0, TooLong)]);
    assert_eq!(cast_one(&bytes, &DataType::Varbinary(None)).1, vec![]);
    let number = array(Int16Array::from(vec![1, 1000]));
    assert_eq!(cast_one(&number, &DataType::Varchar(3)).1, vec![(1, TooLong)]);
}

#[test]
fn scalars_have_one_canonical_text() {
    assert_eq!(texts(&array(Int16Array::from(vec![-5, 0]))), some(&["-5", "0"]));
    assert_eq!(texts(&array(BooleanArray::from(vec![true, false]))), some(&["true", "false"]));
    let doubles = vec![1.0, 0.1, -1e-7, 1e20, 123_456.75, 0.0];
    assert_eq!(
        texts(&array(Float64Array::from(doubles))),
        some(&["1", "0.1", "-1e-7", "1e20", "123456.75", "0"])
    );
    assert_eq!(texts(&array(Float32Array::from(vec![0.1]))), some(&["0.1"]));
    let decimals = Decimal128Array::from(vec![-5, 1200]).with_precision_and_scale(10, 2).unwrap();
    assert_eq!(texts(&array(decimals)), some(&["-0.05", "12.00"]));
    let (nothing, _) = cast_one(&array(NullArray::new(2)), &DataType::String);
    assert_eq!(nothing.null_count(), 2);
}

#[test]
fn a42_decimals_beyond_38_digits_are_text_only() {
    let digits = "12345678901234567890123456789012345678901";
    let wide = Decimal256Array::from(vec![i256::from_string(digits).unwrap()])
        .with_precision_and_scale(41, 1)
        .unwrap();
    let wide = array(wide);
    assert_eq!(texts(&wide), some(&["1234567890123456789012345678901234567890.1"]));
    for to in [DataType::LargeInt, DataType::Double, DataType::BigInt] {
        assert!(refused(&wide, &to), "{to}");
    }
}

#[test]
fn a42_uuid_becomes_text_or_bytes() {
    let bytes = array(FixedSizeBinaryArray::try_from_iter([[0x12u8; 16]].into_iter()).unwrap());
    let metadata = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())]);
    let field = Field::new("id", bytes.data_type().clone(), true).with_metadata(metadata);
    let context = Context { zone: Zone::UTC, on_missing: OnMissingColumn::Fail };
    let text = cast(&bytes, &field, &DataType::Varchar(36), &context).unwrap();
    assert_eq!(text.array.as_string::<i32>().value(0), "12121212-1212-1212-1212-121212121212");
    let short = cast(&bytes, &field, &DataType::Varchar(35), &context).unwrap();
    assert_eq!(short.misfits[0].fault, TooLong);
    let raw = cast(&bytes, &field, &DataType::Varbinary(Some(16)), &context).unwrap();
    assert_eq!(raw.array.as_binary::<i32>().value(0), [0x12; 16]);
}

#[test]
fn bytes_become_text_only_if_they_are_utf8() {
    let good = vec![Some("grün".as_bytes()), None];
    let bad = vec![Some(b"ok".as_slice()), Some(b"\xff\xfe"), None, Some(b"\xc3")];
    for (good, bad) in [
        (array(BinaryArray::from(good.clone())), array(BinaryArray::from(bad.clone()))),
        (array(LargeBinaryArray::from(good.clone())), array(LargeBinaryArray::from(bad.clone()))),
        (array(BinaryViewArray::from(good)), array(BinaryViewArray::from(bad))),
    ] {
        assert_eq!(texts(&good), vec![Some("grün".to_owned()), None]);
        let (cast, faults) = cast_one(&bad, &DataType::String);
        assert_eq!(faults, vec![(1, InvalidUtf8), (3, InvalidUtf8)]);
        assert_eq!(cast.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("ok"), None, None, None]);
        assert!(refused(&good, &DataType::Date));
    }
    let (bytes, _) = cast_one(&array(StringViewArray::from(vec!["ä"])), &DataType::Varbinary(None));
    assert_eq!(bytes.as_binary::<i32>().value(0), "ä".as_bytes());
}

#[test]
fn json_text_must_parse_and_stays_as_it_is() {
    let values = vec![Some(" {\"a\": [1, 2.50]} "), Some("null"), None, Some("{a:1}"), Some("1 2"), Some("")];
    let (cast, faults) = cast_one(&array(StringArray::from(values.clone())), &DataType::Json);
    assert_eq!(faults, vec![(3, InvalidJson), (4, InvalidJson), (5, InvalidJson)]);
    assert_eq!(cast.as_string::<i32>().value(0), values[0].unwrap());
    assert_eq!(cast.as_string::<i32>().value(1), "null");
    assert!(cast.is_null(2));
    let long = format!("\"{}\"", "x".repeat(16 << 20));
    assert_eq!(cast_one(&array(StringArray::from(vec![long])), &DataType::Json).1, vec![(0, TooLong)]);
}

#[test]
fn opaque_bytes_are_refused_by_name() {
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![b"{}".as_slice()]));
    let context = Context { zone: Zone::UTC, on_missing: OnMissingColumn::Fail };
    let metadata = HashMap::from([("ARROW:extension:name".to_owned(), "longshore.bson".to_owned())]);
    let field = Field::new("doc", bytes.data_type().clone(), true).with_metadata(metadata);
    assert!(cast(&bytes, &field, &DataType::Json, &context).is_err());
    assert!(cast(&bytes, &field, &DataType::Varbinary(None), &context).is_ok());
}
