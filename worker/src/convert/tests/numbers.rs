use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal32Array, Decimal64Array, Decimal128Array, Float16Array,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{
    ArrowPrimitiveType, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type,
};
use longshore_storage::types::DataType;
use proptest::prelude::*;

use super::super::column::Fault::{self, OutOfRange, Parse};
use super::{array, cast_one, refused};

#[expect(clippy::needless_pass_by_value, reason = "cases read best as they are written: vec![..]")]
fn check<T: ArrowPrimitiveType>(
    from: &ArrayRef,
    to: &DataType,
    values: Vec<Option<T::Native>>,
    faults: Vec<(usize, Fault)>,
) {
    let (cast, found) = cast_one(from, to);
    assert_eq!(found, faults, "{} to {to}", from.data_type());
    assert_eq!(cast.as_primitive::<T>().iter().collect::<Vec<_>>(), values, "{} to {to}", from.data_type());
}

#[test]
fn integers_are_checked_at_their_edges() {
    let wide =
        array(Int64Array::from(vec![Some(-128), Some(127), None, Some(128), Some(-129), Some(i64::MIN)]));
    let out = vec![(3, OutOfRange), (4, OutOfRange), (5, OutOfRange)];
    check::<Int8Type>(&wide, &DataType::TinyInt, vec![Some(-128), Some(127), None, None, None, None], out);
    let edges = array(Int64Array::from(vec![i64::from(i32::MIN), i64::from(i32::MAX)]));
    check::<Int32Type>(&edges, &DataType::Int, vec![Some(i32::MIN), Some(i32::MAX)], vec![]);
    let past = array(Int64Array::from(vec![i64::from(i32::MIN) - 1, i64::from(i32::MAX) + 1, i64::MAX]));
    let all = vec![(0, OutOfRange), (1, OutOfRange), (2, OutOfRange)];
    check::<Int32Type>(&past, &DataType::Int, vec![None, None, None], all);
    let unsigned = array(UInt64Array::from(vec![0, i64::MAX.cast_unsigned(), u64::MAX]));
    check::<Int64Type>(
        &unsigned,
        &DataType::BigInt,
        vec![Some(0), Some(i64::MAX), None],
        vec![(2, OutOfRange)],
    );
    check::<Int16Type>(
        &array(UInt16Array::from(vec![32_767, 32_768])),
        &DataType::SmallInt,
        vec![Some(32_767), None],
        vec![(1, OutOfRange)],
    );
    check::<Int8Type>(
        &array(UInt8Array::from(vec![127, 128])),
        &DataType::TinyInt,
        vec![Some(127), None],
        vec![(1, OutOfRange)],
    );
    check::<Int32Type>(
        &array(UInt32Array::from(vec![u32::MAX])),
        &DataType::Int,
        vec![None],
        vec![(0, OutOfRange)],
    );
    check::<Int64Type>(&array(Int8Array::from(vec![-1])), &DataType::BigInt, vec![Some(-1)], vec![]);
    check::<Int32Type>(&array(Int16Array::from(vec![-1])), &DataType::Int, vec![Some(-1)], vec![]);
    check::<Int8Type>(
        &array(BooleanArray::from(vec![true, false])),
        &DataType::TinyInt,
        vec![Some(1), Some(0)],
        vec![],
    );
}

#[test]
fn what_lies_under_a_null_is_not_checked() {
    let values = vec![1, i64::MAX, 2].into();
    let nulls = vec![true, false, true].into();
    let wide = array(Int64Array::new(values, Some(nulls)));
    check::<Int8Type>(&wide, &DataType::TinyInt, vec![Some(1), None, Some(2)], vec![]);
}

#[test]
fn fractions_are_cut_toward_zero() {
    let from = array(Float64Array::from(vec![
        1.9,
        -1.9,
        127.99,
        128.0,
        -128.99,
        -129.0,
        f64::NAN,
        f64::INFINITY,
        -0.5,
    ]));
    let faults = vec![(3, OutOfRange), (5, OutOfRange), (6, OutOfRange), (7, OutOfRange)];
    let values = vec![Some(1), Some(-1), Some(127), None, Some(-128), None, None, None, Some(0)];
    check::<Int8Type>(&from, &DataType::TinyInt, values, faults);
    let edge = array(Float64Array::from(vec![-9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0]));
    check::<Int64Type>(&edge, &DataType::BigInt, vec![Some(i64::MIN), None], vec![(1, OutOfRange)]);
    let narrow = array(Float32Array::from(vec![2_147_483_500.0, 2_147_483_648.0]));
    check::<Int32Type>(&narrow, &DataType::Int, vec![Some(2_147_483_520), None], vec![(1, OutOfRange)]);
    let decimal = Decimal128Array::from(vec![199, -199, 99_999]).with_precision_and_scale(10, 2).unwrap();
    check::<Int8Type>(
        &array(decimal),
        &DataType::TinyInt,
        vec![Some(1), Some(-1), None],
        vec![(2, OutOfRange)],
    );
}

#[test]
fn text_becomes_a_number_only_as_a_whole() {
    let text = array(StringArray::from(vec![
        Some("1"),
        Some("abc"),
        Some("2000"),
        None,
        Some(" -7 "),
        Some("1.0"),
        Some(""),
    ]));
    let faults = vec![(1, Parse), (2, OutOfRange), (5, Parse), (6, Parse)];
    check::<Int8Type>(
        &text,
        &DataType::TinyInt,
        vec![Some(1), None, None, None, Some(-7), None, None],
        faults,
    );
    let text = array(StringArray::from(vec!["1.5", "1e2", "abc", "1e400", "-0"]));
    let values = vec![Some(1.5), Some(100.0), None, None, Some(-0.0)];
    check::<Float64Type>(&text, &DataType::Double, values, vec![(2, Parse), (3, OutOfRange)]);
    let text = array(StringArray::from(vec!["123.455", "-0.005", "1e3", "abc", "1000"]));
    let money = DataType::Decimal { precision: 5, scale: 2 };
    let values = vec![Some(12_346), Some(-1), None, None, None];
    check::<Decimal128Type>(&text, &money, values, vec![(2, OutOfRange), (3, Parse), (4, OutOfRange)]);
}

#[test]
fn floating_point_keeps_nan_and_infinity_but_does_not_make_them() {
    let from = array(Float64Array::from(vec![1e39, f64::INFINITY, -1.5, 1e-50]));
    check::<Float32Type>(
        &from,
        &DataType::Float,
        vec![None, Some(f32::INFINITY), Some(-1.5), Some(0.0)],
        vec![(0, OutOfRange)],
    );
    let (nan, faults) = cast_one(&array(Float64Array::from(vec![f64::NAN])), &DataType::Float);
    assert!(nan.as_primitive::<Float32Type>().value(0).is_nan() && faults.is_empty());
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    let half = array(Float16Array::from(vec![Half::from_f32(1.5)]));
    check::<Float64Type>(&half, &DataType::Double, vec![Some(1.5)], vec![]);
    check::<Float32Type>(&half, &DataType::Float, vec![Some(1.5)], vec![]);
    check::<Int8Type>(&half, &DataType::TinyInt, vec![Some(1)], vec![]);
    check::<Float64Type>(
        &array(UInt64Array::from(vec![u64::MAX])),
        &DataType::Double,
        vec![Some(18_446_744_073_709_551_615.0)],
        vec![],
    );
    check::<Float32Type>(&array(Int64Array::from(vec![-3])), &DataType::Float, vec![Some(-3.0)], vec![]);
    let decimal =
        Decimal128Array::from(vec![i128::pow(10, 37) + 1]).with_precision_and_scale(38, 37).unwrap();
    check::<Float64Type>(&array(decimal), &DataType::Double, vec![Some(1.0)], vec![]);
}

#[test]
fn a42_decimals_change_scale_by_half_up_and_check_precision() {
    let from = Decimal128Array::from(vec![Some(12_345), Some(-12_345), None, Some(9_999_999)])
        .with_precision_and_scale(10, 3)
        .unwrap();
    let to = DataType::Decimal { precision: 6, scale: 2 };
    let values = vec![Some(1235), Some(-1235), None, None];
    check::<Decimal128Type>(&array(from), &to, values, vec![(3, OutOfRange)]);
    let wide = i128::pow(10, 38) - 1;
    let widest = DataType::Decimal { precision: 38, scale: 10 };
    let same = Decimal128Array::from(vec![wide, -wide]).with_precision_and_scale(38, 10).unwrap();
    check::<Decimal128Type>(&array(same), &widest, vec![Some(wide), Some(-wide)], vec![]);
    let small = Decimal32Array::from(vec![150]).with_precision_and_scale(5, 2).unwrap();
    check::<Decimal128Type>(&array(small), &to, vec![Some(150)], vec![]);
    let medium = Decimal64Array::from(vec![15]).with_precision_and_scale(12, 1).unwrap();
    check::<Decimal128Type>(&array(medium), &to, vec![Some(150)], vec![]);
    // A file may hold more digits than it declares.
    let lying = Decimal128Array::from(vec![123_456_789]).with_precision_and_scale(5, 2).unwrap();
    check::<Decimal128Type>(&array(lying), &to, vec![None], vec![(0, OutOfRange)]);
    check::<Decimal128Type>(
        &array(Int64Array::from(vec![9_999, 10_000])),
        &to,
        vec![Some(999_900), None],
        vec![(1, OutOfRange)],
    );
    let float = array(Float64Array::from(vec![1.005, f64::NAN, 1e300, -2.5e-3]));
    let values = vec![Some(101), None, None, Some(0)];
    check::<Decimal128Type>(&float, &to, values, vec![(1, OutOfRange), (2, OutOfRange)]);
    check::<Decimal128Type>(&array(Float32Array::from(vec![0.1])), &to, vec![Some(10)], vec![]);
    check::<Decimal128Type>(
        &array(UInt64Array::from(vec![u64::MAX])),
        &DataType::LargeInt,
        vec![Some(i128::from(u64::MAX))],
        vec![],
    );
    let largest = "99999999999999999999999999999999999999";
    let text = array(StringArray::from(vec![largest, "100000000000000000000000000000000000000"]));
    check::<Decimal128Type>(&text, &DataType::LargeInt, vec![Some(wide), None], vec![(1, OutOfRange)]);
}

#[test]
fn booleans_from_numbers_and_text() {
    let check = |from: ArrayRef, values: Vec<Option<bool>>, faults: Vec<(usize, Fault)>| {
        let (cast, found) = cast_one(&from, &DataType::Boolean);
        assert_eq!(cast.as_boolean().iter().collect::<Vec<_>>(), values);
        assert_eq!(found, faults);
    };
    check(
        array(Int32Array::from(vec![Some(0), Some(-3), None])),
        vec![Some(false), Some(true), None],
        vec![],
    );
    check(
        array(Float64Array::from(vec![0.0, 0.5, f64::NAN])),
        vec![Some(false), Some(true), None],
        vec![(2, OutOfRange)],
    );
    check(
        array(StringArray::from(vec!["TRUE", "0", "no"])),
        vec![Some(true), Some(false), None],
        vec![(2, Parse)],
    );
    check(array(BooleanArray::from(vec![true])), vec![Some(true)], vec![]);
}

#[test]
fn a28_numbers_and_bytes_or_dates_do_not_mix() {
    let binary = array(arrow::array::BinaryArray::from(vec![b"1".as_slice()]));
    let date = array(arrow::array::Date32Array::from(vec![1]));
    let number = array(Int32Array::from(vec![1]));
    for to in [DataType::Int, DataType::Double, DataType::LargeInt, DataType::Boolean] {
        assert!(refused(&binary, &to), "{to}");
        assert!(refused(&date, &to), "{to}");
    }
    for to in [DataType::Date, DataType::DateTime, DataType::Json, DataType::Varbinary(None)] {
        assert!(refused(&number, &to), "{to}");
    }
}

proptest! {
    #[test]
    fn integers_narrow_like_the_standard_library(values in prop::collection::vec(prop::option::of(
        prop_oneof![any::<i64>(), -40_000i64..40_000, -200i64..200, -3_000_000_000i64..3_000_000_000]), 0..100,
    )) {
        let from = array(Int64Array::from(values.clone()));
        let (to, faults) = cast_one(&from, &DataType::Int);
        let expected: Vec<_> = values.iter().map(|value| value.and_then(|value| i32::try_from(value).ok())).collect();
        prop_assert_eq!(to.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), expected);
        let bad = values.iter().filter(|value| value.is_some_and(|value| i32::try_from(value).is_err())).count();
        prop_assert_eq!(faults.len(), bad);
        let (to, _) = cast_one(&from, &DataType::TinyInt);
        let expected: Vec<_> = values.iter().map(|value| value.and_then(|value| i8::try_from(value).ok())).collect();
        prop_assert_eq!(to.as_primitive::<Int8Type>().iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn numbers_survive_the_way_through_text(value in any::<f64>(), whole in any::<i64>()) {
        let (text, _) = cast_one(&array(Float64Array::from(vec![value])), &DataType::String);
        let (back, faults) = cast_one(&text, &DataType::Double);
        prop_assert!(faults.is_empty());
        let back = back.as_primitive::<Float64Type>().value(0);
        prop_assert!(back == value || back.is_nan() && value.is_nan());
        let (text, _) = cast_one(&array(Int64Array::from(vec![whole])), &DataType::Varchar(20));
        let (back, _) = cast_one(&text, &DataType::BigInt);
        prop_assert_eq!(back.as_primitive::<Int64Type>().value(0), whole);
    }
}
