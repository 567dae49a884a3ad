//! Statistics read back, as arrays of one value that compare with those of a predicate.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use chrono::{NaiveDate, NaiveDateTime};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::decimal_shape;
use crate::schema::Column;
use crate::types::DataType;

/// Statistics of one file, ours or another engine's.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentStats {
    /// Rows.
    pub num_records: Option<u64>,
    #[serde(default)]
    min_values: HashMap<String, Box<RawValue>>,
    #[serde(default)]
    max_values: HashMap<String, Box<RawValue>>,
    #[serde(default)]
    null_count: HashMap<String, Box<RawValue>>,
}

/// What statistics tell of one column; what they do not tell is `None`.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// One value of the column's Arrow type that no value is below.
    pub min: Option<ArrayRef>,
    /// One value of the column's Arrow type that no value is above.
    pub max: Option<ArrayRef>,
    /// NULLs.
    pub nulls: Option<u64>,
    /// Rows of the file.
    pub rows: Option<u64>,
}

impl SegmentStats {
    /// Reads JSON text; `None` if it is not what Delta writes. Such a file is simply not pruned.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Bounds of a column.
    pub fn bounds(&self, column: &Column) -> Bounds {
        let of = |values: &HashMap<String, Box<RawValue>>, raise| {
            values.get(&column.name).and_then(|text| value(text.get(), &column.data_type, raise))
        };
        Bounds {
            min: of(&self.min_values, false),
            max: of(&self.max_values, true),
            nulls: self.null_count.get(&column.name).and_then(|text| text.get().parse().ok()),
            rows: self.num_records,
        }
    }
}

/// A bound from its JSON text. `raise`: it is a maximum.
fn value(text: &str, data_type: &DataType, raise: bool) -> Option<ArrayRef> {
    Some(match data_type {
        DataType::Boolean => Arc::new(BooleanArray::from(vec![text.parse::<bool>().ok()?])),
        DataType::TinyInt => Arc::new(Int8Array::from(vec![text.parse::<i8>().ok()?])),
        DataType::SmallInt => Arc::new(Int16Array::from(vec![text.parse::<i16>().ok()?])),
        DataType::Int => Arc::new(Int32Array::from(vec![text.parse::<i32>().ok()?])),
        DataType::BigInt => Arc::new(Int64Array::from(vec![text.parse::<i64>().ok()?])),
        DataType::Float => Arc::new(Float32Array::from(vec![float(text)? as f32])),
        DataType::Double => Arc::new(Float64Array::from(vec![float(text)?])),
        DataType::LargeInt | DataType::Decimal { .. } => {
            let (precision, scale) = decimal_shape(data_type)?;
            let array = Decimal128Array::from(vec![unscaled(text, scale)?]);
            Arc::new(array.with_precision_and_scale(precision, scale.cast_signed()).ok()?)
        }
        DataType::Date => {
            let date: NaiveDate = serde_json::from_str::<String>(text).ok()?.parse().ok()?;
            Arc::new(Date32Array::from(vec![date.to_epoch_days()]))
        }
        DataType::DateTime => {
            let text = serde_json::from_str::<String>(text).ok()?;
            let text = text.strip_suffix('Z').unwrap_or(&text);
            let micros = text.parse::<NaiveDateTime>().ok()?.and_utc().timestamp_micros();
            // Other engines cut the maximum to milliseconds.
            let micros = if raise { micros.checked_add(999)? } else { micros };
            Arc::new(TimestampMicrosecondArray::from(vec![micros]))
        }
        DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json => {
            Arc::new(StringArray::from(vec![serde_json::from_str::<String>(text).ok()?]))
        }
        DataType::Varbinary(_) | DataType::Array(_) | DataType::Map(..) | DataType::Struct(_) => return None,
    })
}

fn float(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// The unscaled number of decimal text without an exponent and with at most `scale` fraction digits.
fn unscaled(text: &str, scale: u8) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let missing = usize::from(scale).checked_sub(fraction.len())?;
    format!("{whole}{fraction}{}", "0".repeat(missing)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_come_back_typed() {
        let text = r#"{"numRecords":3,"minValues":{"d":14.20,"t":"2017-11-25T01:21:25.000","n":-7},
            "maxValues":{"d":123456789012345678901234567890.12,"t":"2017-11-25T01:21:25.001","x":{"y":1}},
            "nullCount":{"d":0,"n":3,"x":{"y":0}},"tightBounds":true}"#;
        let stats = SegmentStats::parse(text).unwrap();
        let column =
            |name: &str, data_type| Column { name: name.into(), data_type, nullable: true, default: None };
        let of = stats.bounds(&column("d", DataType::Decimal { precision: 38, scale: 2 }));
        let decimals = |array: Option<ArrayRef>| {
            array.unwrap().as_any().downcast_ref::<Decimal128Array>().unwrap().value(0)
        };
        assert_eq!(decimals(of.min), 1420);
        assert_eq!(decimals(of.max), 12_345_678_901_234_567_890_123_456_789_012);
        let of = stats.bounds(&column("t", DataType::DateTime));
        let micros = |array: Option<ArrayRef>| {
            array.unwrap().as_any().downcast_ref::<TimestampMicrosecondArray>().unwrap().value(0)
        };
        assert_eq!(micros(of.min), 1_511_572_885_000_000);
        assert_eq!(micros(of.max), 1_511_572_885_001_999);
        let of = stats.bounds(&column("n", DataType::Int));
        assert!(of.min.is_some() && of.max.is_none());
        assert_eq!((of.nulls, of.rows), (Some(3), Some(3)));
        let of = stats.bounds(&column("x", DataType::Struct(Vec::new())));
        assert!(of.min.is_none() && of.nulls.is_none());
        assert!(SegmentStats::parse("null").is_none());
        assert_eq!(unscaled("1e3", 2), None);
        assert_eq!(unscaled("-0.05", 2), Some(-5));
    }
}
