//! Every physical and logical type of a file, as Arrow.

use super::{arrow_file, open, options, plain_file, put, read_all, read_group};
use arrow::array::*;
use arrow::datatypes::*;
use arrow::record_batch::RecordBatch;
use longshore_worker::decode::{EXTENSION_KEY, UNSUPPORTED_KEY};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type as P32, Int64Type as P64, Int96, Int96Type,
};
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

fn text(values: &[&str]) -> Vec<ByteArray> {
    values.iter().map(|value| ByteArray::from(*value)).collect()
}

fn fixed(values: &[&[u8]]) -> Vec<FixedLenByteArray> {
    values.iter().map(|value| FixedLenByteArray::from(value.to_vec())).collect()
}

fn types(message: &str) -> Vec<(String, DataType, Option<String>)> {
    let bytes = plain_file(message, |group| {
        while let Some(column) = group.next_column().unwrap() {
            column.close().unwrap();
        }
    });
    let file = open(&bytes);
    let fields = file.schema().fields();
    fields
        .iter()
        .map(|f| (f.name().clone(), f.data_type().clone(), f.metadata().get(EXTENSION_KEY).cloned()))
        .collect()
}

#[test]
fn a42_every_primitive_type_has_its_arrow_type() {
    use DataType::*;
    use TimeUnit::*;
    let utc = || Some(Arc::from("UTC"));
    let table: Vec<(&str, DataType, Option<&str>)> = vec![
        ("boolean c", Boolean, None),
        ("int32 c", Int32, None),
        ("int32 c (INTEGER(8,true))", Int8, None),
        ("int32 c (INTEGER(16,true))", Int16, None),
        ("int32 c (INTEGER(32,true))", Int32, None),
        ("int64 c (INTEGER(64,true))", Int64, None),
        ("int32 c (INTEGER(8,false))", UInt8, None),
        ("int32 c (INTEGER(16,false))", UInt16, None),
        ("int32 c (INTEGER(32,false))", UInt32, None),
        ("int64 c (INTEGER(64,false))", UInt64, None),
        ("int32 c (INT_8)", Int8, None),
        ("int32 c (INT_16)", Int16, None),
        ("int32 c (UINT_8)", UInt8, None),
        ("int64 c (UINT_64)", UInt64, None),
        ("int64 c", Int64, None),
        ("int32 c (DATE)", Date32, None),
        ("int32 c (TIME(MILLIS,true))", Time32(Millisecond), None),
        ("int64 c (TIME(MICROS,false))", Time64(Microsecond), None),
        ("int64 c (TIME(NANOS,true))", Time64(Nanosecond), None),
        ("int32 c (TIME_MILLIS)", Time32(Millisecond), None),
        ("int64 c (TIME_MICROS)", Time64(Microsecond), None),
        ("int64 c (TIMESTAMP(MILLIS,true))", Timestamp(Millisecond, utc()), None),
        ("int64 c (TIMESTAMP(MICROS,true))", Timestamp(Microsecond, utc()), None),
        ("int64 c (TIMESTAMP(NANOS,true))", Timestamp(Nanosecond, utc()), None),
        ("int64 c (TIMESTAMP(MILLIS,false))", Timestamp(Millisecond, None), None),
        ("int64 c (TIMESTAMP(MICROS,false))", Timestamp(Microsecond, None), None),
        ("int64 c (TIMESTAMP(NANOS,false))", Timestamp(Nanosecond, None), None),
        ("int64 c (TIMESTAMP_MILLIS)", Timestamp(Millisecond, utc()), None),
        ("int64 c (TIMESTAMP_MICROS)", Timestamp(Microsecond, utc()), None),
        ("int96 c", Timestamp(Microsecond, utc()), None),
        ("float c", Float32, None),
        ("double c", Float64, None),
        ("fixed_len_byte_array(2) c (FLOAT16)", Float16, None),
        ("binary c (STRING)", Utf8, None),
        ("binary c (UTF8)", Utf8, None),
        ("binary c (ENUM)", Utf8, None),
        ("binary c (JSON)", Utf8, Some("arrow.json")),
        ("binary c (BSON)", Binary, Some("longshore.bson")),
        ("binary c", Binary, None),
        ("fixed_len_byte_array(16) c (UUID)", FixedSizeBinary(16), Some("arrow.uuid")),
        ("fixed_len_byte_array(7) c", FixedSizeBinary(7), None),
        ("fixed_len_byte_array(12) c (INTERVAL)", FixedSizeBinary(12), Some("longshore.interval")),
        ("int32 c (DECIMAL(9,2))", Decimal128(9, 2), None),
        ("int64 c (DECIMAL(18,18))", Decimal128(18, 18), None),
        ("fixed_len_byte_array(16) c (DECIMAL(38,10))", Decimal128(38, 10), None),
        ("binary c (DECIMAL(38,10))", Decimal128(38, 10), None),
        ("binary c (DECIMAL(39,0))", Decimal256(39, 0), None),
        ("fixed_len_byte_array(32) c (DECIMAL(76,5))", Decimal256(76, 5), None),
    ];
    for (parquet, arrow, extension) in table {
        for repetition in ["optional", "required"] {
            let message = format!("message m {{ {repetition} {parquet}; }}");
            let expected = vec![("c".to_owned(), arrow.clone(), extension.map(str::to_owned))];
            assert_eq!(types(&message), expected, "{message}");
        }
    }
}

#[test]
fn a42_int96_is_exact_from_year_1_to_9999() {
    // Julian days of 0001-01-01 and 9999-12-31; the last microsecond of the latter.
    let mut values = vec![Int96::new(), Int96::new(), Int96::new()];
    values[0].set_data(0, 0, 1_721_426);
    let nanos = 86_399_999_999_000u64;
    values[1].set_data(nanos as u32, (nanos >> 32) as u32, 5_373_484);
    values[2].set_data(1_000, 0, 2_440_588);
    let bytes = plain_file("message m { optional int96 c; }", |group| {
        put::<Int96Type>(group, &values, Some(&[1, 1, 0, 1]), None);
    });
    let (_, arrays) = read_all(&bytes);
    let expected = TimestampMicrosecondArray::from(vec![
        Some(-62_135_596_800_000_000),
        Some(253_402_300_799_999_999),
        None,
        Some(1),
    ])
    .with_timezone("UTC");
    assert_eq!(arrays[0].as_ref(), &expected as &dyn Array);
}

#[test]
fn a42_decimals_are_exact_in_every_encoding() {
    let big = 12_345_678_901_234_567_890_123_456_789_012_345_678i128;
    let wide = i256::from_string("-1234567890123456789012345678901234567890123").unwrap();
    let message = "message m {
        required int32 a (DECIMAL(9,2)); required int64 b (DECIMAL(18,3));
        required fixed_len_byte_array(16) c (DECIMAL(38,10)); required binary d (DECIMAL(38,10));
        required binary e (DECIMAL(50,0)); required fixed_len_byte_array(24) f (DECIMAL(50,4)); }";
    let bytes = plain_file(message, |group| {
        put::<P32>(group, &[-123, 999_999_999], None, None);
        put::<P64>(group, &[-123, 999_999_999_999_999_999], None, None);
        put::<FixedLenByteArrayType>(group, &fixed(&[&(-big).to_be_bytes(), &big.to_be_bytes()]), None, None);
        let short = [ByteArray::from(vec![0xff]), ByteArray::from(big.to_be_bytes().to_vec())];
        put::<ByteArrayType>(group, &short, None, None);
        let long = [ByteArray::from(wide.to_be_bytes().to_vec()), ByteArray::from(vec![7])];
        put::<ByteArrayType>(group, &long, None, None);
        let bytes = wide.to_be_bytes();
        put::<FixedLenByteArrayType>(group, &fixed(&[&bytes[8..], &[0; 24]]), None, None);
    });
    let (_, arrays) = read_all(&bytes);
    let decimal = |values: Vec<i128>, precision, scale| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap())
    };
    let decimal256 = |values: Vec<i256>, precision, scale| -> ArrayRef {
        Arc::new(Decimal256Array::from(values).with_precision_and_scale(precision, scale).unwrap())
    };
    let expected = vec![
        decimal(vec![-123, 999_999_999], 9, 2),
        decimal(vec![-123, 999_999_999_999_999_999], 18, 3),
        decimal(vec![-big, big], 38, 10),
        decimal(vec![-1, big], 38, 10),
        decimal256(vec![wide, i256::from_i128(7)], 50, 0),
        decimal256(vec![wide, i256::ZERO], 50, 4),
    ];
    assert_eq!(arrays, expected);
}

#[test]
fn a42_values_of_the_plain_types_arrive() {
    let message = "message m {
        required boolean a; required float b; required double c; required binary d (ENUM);
        required binary e; required fixed_len_byte_array(16) f (UUID);
        required fixed_len_byte_array(12) g (INTERVAL); required int64 h (TIMESTAMP(NANOS,false));
        required int32 i (INTEGER(32,false)); }";
    let uuid = *b"0123456789abcdef";
    let interval = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0];
    let bytes = plain_file(message, |group| {
        put::<BoolType>(group, &[true, false], None, None);
        put::<FloatType>(group, &[1.5, f32::INFINITY], None, None);
        put::<DoubleType>(group, &[-0.0, 2.5], None, None);
        put::<ByteArrayType>(group, &text(&["ä", ""]), None, None);
        put::<ByteArrayType>(group, &[vec![0xff, 0].into(), vec![].into()], None, None);
        put::<FixedLenByteArrayType>(group, &fixed(&[&uuid, &[0; 16]]), None, None);
        put::<FixedLenByteArrayType>(group, &fixed(&[&interval, &[0; 12]]), None, None);
        put::<P64>(group, &[i64::MIN, i64::MAX], None, None);
        put::<P32>(group, &[-1, 7], None, None);
    });
    let (_, arrays) = read_all(&bytes);
    let bytes_of = |first: &[u8], length: usize| -> ArrayRef {
        let values = [first.to_vec(), vec![0; length]];
        Arc::new(FixedSizeBinaryArray::try_from_iter(values.into_iter()).unwrap())
    };
    let expected: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from(vec![true, false])),
        Arc::new(Float32Array::from(vec![1.5, f32::INFINITY])),
        Arc::new(Float64Array::from(vec![-0.0, 2.5])),
        Arc::new(StringArray::from(vec!["ä", ""])),
        Arc::new(BinaryArray::from(vec![&[0xff, 0][..], &[]])),
        bytes_of(&uuid, 16),
        bytes_of(&interval, 12),
        Arc::new(TimestampNanosecondArray::from(vec![i64::MIN, i64::MAX])),
        Arc::new(UInt32Array::from(vec![u32::MAX, 7])),
    ];
    assert_eq!(arrays, expected);
}

#[test]
fn a42_lists_maps_and_structs_in_all_their_forms() {
    // Three levels; two levels, of groups and of values; bare repeated; a map; a map by its old name; a
    // struct in which a UUID stands.
    let message = "message m {
        optional group a (LIST) { repeated group list { optional int32 element; } }
        optional group b (LIST) { repeated int32 element; }
        required group c (LIST) { repeated group array { required int32 x; required int32 y; } }
        repeated int32 d;
        optional group e (MAP) { repeated group key_value { required binary key (STRING); optional int64 value; } }
        optional group f (MAP_KEY_VALUE) { repeated group map { required int32 key; required int96 value; } }
        optional group g { optional fixed_len_byte_array(16) id (UUID); optional binary kind (ENUM); }
        optional group h (LIST) { repeated group h_tuple { required binary s (STRING); } } }";
    let bytes = plain_file(message, |group| {
        // a: [1, null], [], null
        put::<P32>(group, &[1], Some(&[3, 2, 1, 0]), Some(&[0, 1, 0, 0]));
        // b: [1, 2], null, []
        put::<P32>(group, &[1, 2], Some(&[2, 2, 0, 1]), Some(&[0, 1, 0, 0]));
        // c: [{1,2}], [], [{3,4},{5,6}]
        put::<P32>(group, &[1, 3, 5], Some(&[1, 0, 1, 1]), Some(&[0, 0, 0, 1]));
        put::<P32>(group, &[2, 4, 6], Some(&[1, 0, 1, 1]), Some(&[0, 0, 0, 1]));
        // d: [7, 8], [], [9]
        put::<P32>(group, &[7, 8, 9], Some(&[1, 1, 0, 1]), Some(&[0, 1, 0, 0]));
        // e: {k: 1, l: null}, {}, null
        put::<ByteArrayType>(group, &text(&["k", "l"]), Some(&[2, 2, 1, 0]), Some(&[0, 1, 0, 0]));
        put::<P64>(group, &[1], Some(&[3, 2, 1, 0]), Some(&[0, 1, 0, 0]));
        // f: {5: epoch}, null, {}
        put::<P32>(group, &[5], Some(&[2, 0, 1]), Some(&[0, 0, 0]));
        let mut epoch = Int96::new();
        epoch.set_data(0, 0, 2_440_588);
        put::<Int96Type>(group, &[epoch], Some(&[2, 0, 1]), Some(&[0, 0, 0]));
        // g: {uuid, "x"}, null, {null, null}
        put::<FixedLenByteArrayType>(group, &fixed(&[b"0123456789abcdef"]), Some(&[2, 0, 1]), None);
        put::<ByteArrayType>(group, &text(&["x"]), Some(&[2, 0, 1]), None);
        // h: [{s}], null, []
        put::<ByteArrayType>(group, &text(&["s"]), Some(&[2, 0, 1]), Some(&[0, 0, 0]));
    });
    let (schema, arrays) = read_all(&bytes);
    for (field, array) in schema.fields().iter().zip(&arrays) {
        assert_eq!(field.data_type(), array.data_type());
        assert_eq!(array.len(), 3, "{field}");
    }
    let list = |array: &ArrayRef| array.as_list::<i32>().clone();
    let a = list(&arrays[0]);
    assert_eq!((a.value_length(0), a.value_length(1), a.is_null(2)), (2, 0, true));
    assert_eq!(a.values().as_primitive::<Int32Type>(), &Int32Array::from(vec![Some(1), None]));
    let b = list(&arrays[1]);
    assert_eq!((b.value_length(0), b.is_null(1), b.value_length(2)), (2, true, 0));
    let c = list(&arrays[2]);
    assert_eq!(c.offsets().as_ref(), &[0, 1, 1, 3]);
    assert_eq!(c.values().as_struct().column(1).as_primitive::<Int32Type>().values().as_ref(), &[2, 4, 6]);
    let d = list(&arrays[3]);
    assert_eq!(d.offsets().as_ref(), &[0, 2, 2, 3]);
    let e = arrays[4].as_map();
    assert_eq!(e.keys().as_string::<i32>(), &StringArray::from(vec!["k", "l"]));
    assert_eq!(e.values().as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(1), None]));
    assert_eq!((e.value_length(1), e.is_null(2)), (0, true));
    let f = arrays[5].as_map();
    assert_eq!(f.values().as_primitive::<TimestampMicrosecondType>().values().as_ref(), &[0]);
    assert!(f.is_null(1));
    let g = arrays[6].as_struct();
    assert_eq!(g.fields()[0].metadata()[EXTENSION_KEY], "arrow.uuid");
    assert_eq!(g.column_by_name("kind").unwrap().as_string::<i32>().value(0), "x");
    assert!(g.is_null(1) && g.is_valid(2) && g.column(0).is_null(2));
    let h = list(&arrays[7]);
    assert_eq!(h.values().as_struct().column(0).as_string::<i32>().value(0), "s");
}

#[test]
fn a42_what_the_writer_embedded_does_not_change_the_types() {
    let batch = RecordBatch::try_from_iter([
        ("large", Arc::new(LargeStringArray::from(vec!["x"])) as ArrayRef),
        ("dictionary", Arc::new(DictionaryArray::<Int8Type>::from_iter(["x"])) as ArrayRef),
        ("zone", Arc::new(TimestampMillisecondArray::from(vec![1]).with_timezone("Asia/Tokyo")) as ArrayRef),
        ("duration", Arc::new(DurationMicrosecondArray::from(vec![1])) as ArrayRef),
        ("view", Arc::new(StringViewArray::from(vec!["x"])) as ArrayRef),
    ])
    .unwrap();
    let (schema, arrays) = read_all(&arrow_file(&[batch], WriterProperties::builder()));
    let found: Vec<_> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
    let zone = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    assert_eq!(found, [DataType::Utf8, DataType::Utf8, zone, DataType::Int64, DataType::Utf8]);
    assert_eq!(arrays[1].as_string::<i32>().value(0), "x");
}

#[test]
fn a42_text_of_every_kind_is_checked_to_be_utf8() {
    for kind in ["STRING", "UTF8", "ENUM", "JSON"] {
        let bytes = plain_file(&format!("message m {{ required binary c ({kind}); }}"), |group| {
            put::<ByteArrayType>(group, &[vec![0xff, 0xfe].into()], None, None);
        });
        let error = read_group(&open(&bytes), 0, &[0], &options()).unwrap_err();
        assert_eq!(error.category(), "CorruptPage", "{kind}: {error}");
    }
}

#[test]
fn a31_columns_come_in_the_order_asked_for() {
    let bytes = plain_file("message m { required int32 a; required int32 b; required int32 c; }", |group| {
        for value in 1..=3 {
            put::<P32>(group, &[value], None, None);
        }
    });
    let file = open(&bytes);
    let batches = read_group(&file, 0, &[2, 0], &options()).unwrap();
    let names: Vec<_> = batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["c", "a"]);
    assert_eq!(batches[0].column(0).as_primitive::<Int32Type>().value(0), 3);
    assert_eq!(batches[0].column(1).as_primitive::<Int32Type>().value(0), 1);
}

#[test]
fn a42_a_column_that_is_not_supported_is_refused_by_name_only_when_it_is_read() {
    let message = "message m {
        required int32 a; required binary b (DECIMAL(80,2));
        optional group v (VARIANT) { required binary metadata; optional binary value; } }";
    let bytes = plain_file(message, |group| {
        put::<P32>(group, &[1], None, None);
        put::<ByteArrayType>(group, &[vec![1].into()], None, None);
        put::<ByteArrayType>(group, &[vec![1].into()], Some(&[1]), None);
        put::<ByteArrayType>(group, &[vec![1].into()], Some(&[2]), None);
    });
    let file = open(&bytes);
    assert_eq!(super::rows(&read_group(&file, 0, &[0], &options()).unwrap()), 1);
    for (column, name, word) in [(1, "b", "80 digits"), (2, "v", "VARIANT")] {
        let error = read_group(&file, 0, &[0, column], &options()).unwrap_err();
        assert_eq!(error.category(), "UnsupportedType");
        let told = error.to_string();
        assert!(told.contains(&format!("{name:?}")) && told.contains(word), "{told}");
        assert!(told.contains("s3://bucket/file.parquet"), "{told}");
        assert!(file.schema().field(column).metadata().contains_key(UNSUPPORTED_KEY));
    }
}
