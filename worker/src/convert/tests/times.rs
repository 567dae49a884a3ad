use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Date64Array, Int64Array, LargeStringArray, StringArray,
    StringViewArray, Time32MillisecondArray, Time64MicrosecondArray, Time64NanosecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use longshore_storage::types::DataType;

use super::super::Zone;
use super::super::column::Fault::{OutOfRange, Parse};
use super::{array, cast_in, cast_one, refused};

/// 2024-01-01 10:00:00 as seconds since the epoch.
const TEN: i64 = 1_704_103_200;

fn datetimes(from: &ArrayRef, zone: &str) -> Vec<Option<i64>> {
    let (cast, faults) = cast_in(from, &DataType::DateTime, Zone::parse(zone).unwrap());
    assert!(faults.is_empty());
    cast.as_primitive::<TimestampMicrosecondType>().iter().collect()
}

#[test]
fn a41_without_a_zone_stays_with_a_zone_is_shifted() {
    let plain = array(TimestampMicrosecondArray::from(vec![TEN * 1_000_000]));
    let instant = array(TimestampMicrosecondArray::from(vec![TEN * 1_000_000]).with_timezone("UTC"));
    for zone in ["UTC", "Asia/Shanghai", "-03:30"] {
        assert_eq!(datetimes(&plain, zone), [Some(TEN * 1_000_000)], "{zone}");
    }
    assert_eq!(datetimes(&instant, "UTC"), [Some(TEN * 1_000_000)]);
    assert_eq!(datetimes(&instant, "Asia/Shanghai"), [Some((TEN + 8 * 3600) * 1_000_000)]);
    assert_eq!(datetimes(&instant, "-03:30"), [Some((TEN - 12_600) * 1_000_000)]);
    // Summer and winter of one zone in one column.
    let summer = TEN + 182 * 86_400;
    let both =
        array(TimestampMillisecondArray::from(vec![TEN * 1000, summer * 1000]).with_timezone("+05:00"));
    assert_eq!(
        datetimes(&both, "Europe/Berlin"),
        [Some((TEN + 3600) * 1_000_000), Some((summer + 7200) * 1_000_000)]
    );
    let (text, _) = cast_in(&instant, &DataType::String, Zone::parse("Asia/Shanghai").unwrap());
    assert_eq!(text.as_string::<i32>().value(0), "2024-01-01 18:00:00");
    let (date, _) = cast_in(&instant, &DataType::Date, Zone::parse("+14:00").unwrap());
    assert_eq!(date.as_primitive::<Date32Type>().value(0), 19_724);
}

#[test]
fn units_become_microseconds_and_nanoseconds_are_floored() {
    let seconds = array(TimestampSecondArray::from(vec![Some(TEN), None]));
    assert_eq!(datetimes(&seconds, "UTC"), [Some(TEN * 1_000_000), None]);
    let nanos = array(TimestampNanosecondArray::from(vec![1_999, -1, -1_001]));
    assert_eq!(datetimes(&nanos, "UTC"), [Some(1), Some(-1), Some(-2)]);
    let dates = array(Date32Array::from(vec![0, -1]));
    assert_eq!(datetimes(&dates, "Asia/Shanghai"), [Some(0), Some(-86_400_000_000)]);
    let (days, _) = cast_one(&array(Date64Array::from(vec![86_400_000, -1])), &DataType::Date);
    assert_eq!(days.as_primitive::<Date32Type>().values().to_vec(), [1, -1]);
    let (days, _) = cast_one(&array(TimestampMicrosecondArray::from(vec![Some(-1), None])), &DataType::Date);
    assert_eq!(days.as_primitive::<Date32Type>().iter().collect::<Vec<_>>(), [Some(-1), None]);
}

#[test]
fn years_are_0_to_9999() {
    let first = -62_167_219_200i64;
    let last = 253_402_300_799i64;
    let seconds = array(TimestampSecondArray::from(vec![first, last, first - 1, last + 1, i64::MAX]));
    let out = vec![(2, OutOfRange), (3, OutOfRange), (4, OutOfRange)];
    for to in [DataType::DateTime, DataType::Date, DataType::String] {
        let (cast, faults) = cast_one(&seconds, &to);
        assert_eq!(faults, out, "{to}");
        assert_eq!(cast.null_count(), 3, "{to}");
    }
    let micros = array(TimestampMicrosecondArray::from(vec![0, i64::MIN, i64::MAX]));
    assert_eq!(cast_one(&micros, &DataType::DateTime).1, vec![(1, OutOfRange), (2, OutOfRange)]);
    let days = array(Date32Array::from(vec![-719_528, 2_932_896, -719_529, 2_932_897]));
    assert_eq!(cast_one(&days, &DataType::Date).1, vec![(2, OutOfRange), (3, OutOfRange)]);
    // The shift itself may leave the range.
    let instant = array(TimestampSecondArray::from(vec![last]).with_timezone("UTC"));
    assert_eq!(
        cast_in(&instant, &DataType::DateTime, Zone::parse("+01:00").unwrap()).1,
        vec![(0, OutOfRange)]
    );
}

#[test]
fn text_of_every_layout_becomes_a_datetime() {
    let texts = vec![
        Some("2017-11-26 00:00:01"),
        None,
        Some("2017-11-26T00:00:01Z"),
        Some("soon"),
        Some("2017-02-30 00:00:00"),
    ];
    for from in [
        array(StringArray::from(texts.clone())),
        array(LargeStringArray::from(texts.clone())),
        array(StringViewArray::from(texts.clone())),
    ] {
        let (cast, faults) = cast_one(&from, &DataType::DateTime);
        let at = Some(1_511_654_401_000_000);
        assert_eq!(
            cast.as_primitive::<TimestampMicrosecondType>().iter().collect::<Vec<_>>(),
            [at, None, at, None, None]
        );
        assert_eq!(faults, vec![(3, Parse), (4, Parse)]);
        let (dates, faults) = cast_one(&from, &DataType::Date);
        assert_eq!(dates.as_primitive::<Date32Type>().value(0), 17_496);
        assert_eq!(faults, vec![(3, Parse), (4, Parse)]);
    }
}

#[test]
fn a42_time_becomes_its_number_or_text() {
    let micros = array(Time64MicrosecondArray::from(vec![Some(45_296_000_001), None]));
    let (number, _) = cast_one(&micros, &DataType::BigInt);
    assert_eq!(number.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(45_296_000_001), None]);
    let (text, _) = cast_one(&micros, &DataType::Varchar(15));
    assert_eq!(text.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("12:34:56.000001"), None]);
    let millis = array(Time32MillisecondArray::from(vec![45_296_789]));
    let (number, _) = cast_one(&millis, &DataType::BigInt);
    assert_eq!(number.as_primitive::<Int64Type>().value(0), 45_296_789);
    let nanos = array(Time64NanosecondArray::from(vec![1_999, 86_400_000_000_000]));
    let (text, faults) = cast_one(&nanos, &DataType::String);
    assert_eq!(text.as_string::<i32>().value(0), "00:00:00.000001");
    assert_eq!(faults, vec![(1, OutOfRange)]);
    assert!(refused(&micros, &DataType::Int) && refused(&micros, &DataType::DateTime));
    assert!(refused(&array(Int64Array::from(vec![1])), &DataType::DateTime));
}
