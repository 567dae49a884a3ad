//! Statistics of a segment as Delta writes them (JSON in `add.stats`), and read back for pruning.
//!
//! A bound may be too wide, never too narrow: minima are rounded down, maxima up, and what cannot be
//! written so is left out.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::{DateTime, Datelike, NaiveDate};
use parquet::data_type::{AsBytes, ByteArray};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use crate::schema::{Distribution, TableDefinition, TableSchema};
use crate::types::{DataType, LARGEINT_PRECISION};

mod read;

pub use read::{Bounds, SegmentStats};

/// Columns with statistics, at most.
const MAX_COLUMNS: usize = 32;
/// Characters of a string in a bound.
const MAX_CHARACTERS: usize = 32;

/// The columns that have statistics, by number: those of sort key, key, partitions and
/// distribution, then the others
/// in their order, up to 32 in all. Nested columns have none.
pub fn columns(definition: &TableDefinition) -> Vec<usize> {
    let hashed: &[String] = match &definition.distribution {
        Distribution::Hash { columns, .. } => columns,
        Distribution::Random { .. } => &[],
    };
    let index = |name: &String| definition.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
    let by = definition.partition_by.columns().into_iter();
    let by = by.filter_map(|name| definition.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name)));
    let sorted = definition.order_by.iter().chain(&definition.key).filter_map(index);
    let named = sorted.chain(by).chain(hashed.iter().filter_map(index));
    let mut chosen: Vec<usize> = Vec::new();
    for column in named.chain(0..definition.columns.len()) {
        let nested = definition.columns[column].data_type.is_nested();
        if chosen.len() < MAX_COLUMNS && !nested && !chosen.contains(&column) {
            chosen.push(column);
        }
    }
    chosen
}

/// Statistics of a segment from its footer, as JSON text. `has_nan` tells by column of the table whether a
/// NaN is among its values; the footer does not.
pub fn of_segment(schema: &TableSchema, metadata: &ParquetMetaData, has_nan: &[bool]) -> String {
    let leaves: BTreeMap<&str, usize> = metadata
        .file_metadata()
        .schema_descr()
        .columns()
        .iter()
        .enumerate()
        .filter(|(_, leaf)| leaf.path().parts().len() == 1)
        .map(|(index, leaf)| (leaf.name(), index))
        .collect();
    let rows = metadata.file_metadata().num_rows();
    let (mut min, mut max, mut nulls) = (Object::default(), Object::default(), Object::default());
    for index in columns(schema.definition()) {
        let column = &schema.columns()[index];
        let Some(leaf) = leaves.get(column.name.as_str()) else { continue };
        let found = Found::of(metadata, *leaf, &column.data_type);
        if let Some(count) = found.nulls {
            nulls.put(&column.name, &count.to_string());
        }
        if has_nan.get(index).copied().unwrap_or(false) {
            continue;
        }
        if let Some((low, high)) = found.bounds {
            if let Some(text) = low.lower(&column.data_type) {
                min.put(&column.name, &text);
            }
            if let Some(text) = high.upper(&column.data_type) {
                max.put(&column.name, &text);
            }
        }
    }
    format!(
        r#"{{"numRecords":{rows},"minValues":{},"maxValues":{},"nullCount":{},"tightBounds":true}}"#,
        min.end(),
        max.end(),
        nulls.end()
    )
}

/// JSON text of an object whose values are JSON text.
#[derive(Default)]
struct Object(String);

impl Object {
    fn put(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        // Writing to a String cannot fail.
        if write!(self.0, "{}:{value}", serde_json::Value::from(name)).is_err() {
            self.0.push_str("\"\":0");
        }
    }

    fn end(mut self) -> String {
        self.0.push_str(if self.0.is_empty() { "{}" } else { "}" });
        self.0
    }
}

/// A value of a footer.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Value {
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(String),
}

/// What a footer tells of one leaf over all row groups.
struct Found {
    bounds: Option<(Value, Value)>,
    nulls: Option<u64>,
}

impl Found {
    fn of(metadata: &ParquetMetaData, leaf: usize, data_type: &DataType) -> Self {
        let mut nulls = Some(0);
        let mut bounds: Option<(Value, Value)> = None;
        let mut known = true;
        for group in metadata.row_groups() {
            let statistics = group.column(leaf).statistics();
            let of_group = statistics.and_then(Statistics::null_count_opt);
            nulls = nulls.zip(of_group).map(|(a, b)| a + b);
            if of_group.and_then(|nulls| i64::try_from(nulls).ok()) == Some(group.num_rows()) {
                continue;
            }
            let Some((low, high)) = statistics.and_then(|statistics| values(statistics, data_type)) else {
                known = false;
                continue;
            };
            bounds = Some(match bounds {
                None => (low, high),
                Some((a, b)) => (if low < a { low } else { a }, if high > b { high } else { b }),
            });
        }
        Self { bounds: bounds.filter(|_| known), nulls }
    }
}

fn values(statistics: &Statistics, data_type: &DataType) -> Option<(Value, Value)> {
    let integers = |min: Option<i128>, max: Option<i128>| Some((Value::Integer(min?), Value::Integer(max?)));
    match statistics {
        Statistics::Boolean(of) => Some((Value::Boolean(*of.min_opt()?), Value::Boolean(*of.max_opt()?))),
        Statistics::Int32(of) => {
            integers(of.min_opt().map(|v| (*v).into()), of.max_opt().map(|v| (*v).into()))
        }
        Statistics::Int64(of) => {
            integers(of.min_opt().map(|v| (*v).into()), of.max_opt().map(|v| (*v).into()))
        }
        Statistics::Float(of) => {
            Some((Value::Float((*of.min_opt()?).into()), Value::Float((*of.max_opt()?).into())))
        }
        Statistics::Double(of) => Some((Value::Float(*of.min_opt()?), Value::Float(*of.max_opt()?))),
        Statistics::FixedLenByteArray(of) => {
            integers(unscaled(of.min_opt()?.as_bytes()), unscaled(of.max_opt()?.as_bytes()))
        }
        Statistics::ByteArray(of) if is_text(data_type) => {
            let text =
                |bytes: &ByteArray| Some(Value::Text(std::str::from_utf8(bytes.data()).ok()?.to_owned()));
            Some((text(of.min_opt()?)?, text(of.max_opt()?)?))
        }
        Statistics::ByteArray(_) | Statistics::Int96(_) => None,
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json)
}

/// A big-endian two's-complement number.
fn unscaled(bytes: &[u8]) -> Option<i128> {
    if bytes.is_empty() || bytes.len() > 16 {
        return None;
    }
    let fill = if bytes[0] >= 0x80 { 0xff } else { 0 };
    let mut all = [fill; 16];
    all[16 - bytes.len()..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(all))
}

impl Value {
    /// JSON text of a value that is not above this one.
    fn lower(&self, data_type: &DataType) -> Option<String> {
        match (self, data_type) {
            (Self::Integer(micros), DataType::DateTime) => datetime(micros.div_euclid(1000)),
            (Self::Text(text), _) => Some(json_text(&text.chars().take(MAX_CHARACTERS).collect::<String>())),
            _ => self.exact(data_type),
        }
    }

    /// JSON text of a value that is not below this one.
    fn upper(&self, data_type: &DataType) -> Option<String> {
        match (self, data_type) {
            (Self::Integer(micros), DataType::DateTime) => datetime(-(-micros).div_euclid(1000)),
            (Self::Text(text), _) => Some(json_text(&raised(text)?)),
            _ => self.exact(data_type),
        }
    }

    fn exact(&self, data_type: &DataType) -> Option<String> {
        match (self, data_type) {
            (Self::Boolean(value), _) => Some(value.to_string()),
            (Self::Integer(days), DataType::Date) => date(*days),
            (Self::Integer(value), DataType::Decimal { scale, .. }) => Some(decimal(*value, *scale)),
            (Self::Integer(value), _) => Some(value.to_string()),
            // JSON has no infinity. The shortest text of a double reads back as the same double.
            (Self::Float(value), _) => value.is_finite().then(|| format!("{value:?}")),
            (Self::Text(_), _) => None,
        }
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The shortest text of at most 32 characters that is not below `text`.
fn raised(text: &str) -> Option<String> {
    let mut cut: Vec<char> = text.chars().take(MAX_CHARACTERS).collect();
    if cut.iter().map(|c| c.len_utf8()).sum::<usize>() == text.len() {
        return Some(text.to_owned());
    }
    while let Some(last) = cut.pop() {
        // No character follows the last one; the surrogates are none.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            cut.push(next);
            return Some(cut.into_iter().collect());
        }
    }
    None
}

/// Milliseconds since the epoch with exactly three fraction digits; none outside the years 0 to 9999.
fn datetime(millis: i128) -> Option<String> {
    let instant = DateTime::from_timestamp_millis(i64::try_from(millis).ok()?)?.naive_utc();
    (0..=9999).contains(&instant.year()).then(|| instant.format("\"%Y-%m-%dT%H:%M:%S%.3f\"").to_string())
}

fn date(days: i128) -> Option<String> {
    let date = NaiveDate::from_epoch_days(i32::try_from(days).ok()?)?;
    (0..=9999).contains(&date.year()).then(|| date.format("\"%Y-%m-%d\"").to_string())
}

/// A decimal as a JSON number with all its digits.
fn decimal(unscaled: i128, scale: u8) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let sign = if unscaled < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

/// The scale of a column whose values are decimals.
fn decimal_shape(data_type: &DataType) -> Option<(u8, u8)> {
    match data_type {
        DataType::Decimal { precision, scale } => Some((*precision, *scale)),
        DataType::LargeInt => Some((LARGEINT_PRECISION, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetimes_have_three_digits_and_the_maximum_is_raised() {
        let lower = |v: i128| Value::Integer(v).lower(&DataType::DateTime);
        let upper = |v: i128| Value::Integer(v).upper(&DataType::DateTime);
        assert_eq!(lower(1_511_572_885_000_000).unwrap(), r#""2017-11-25T01:21:25.000""#);
        assert_eq!(lower(1_511_572_885_000_999).unwrap(), r#""2017-11-25T01:21:25.000""#);
        assert_eq!(upper(1_511_572_885_000_001).unwrap(), r#""2017-11-25T01:21:25.001""#);
        assert_eq!(upper(1_511_572_885_000_000).unwrap(), r#""2017-11-25T01:21:25.000""#);
        assert_eq!(lower(-1).unwrap(), r#""1969-12-31T23:59:59.999""#);
        assert_eq!(upper(-1).unwrap(), r#""1970-01-01T00:00:00.000""#);
        assert_eq!(upper(253_402_300_799_999_999), None);
        assert_eq!(lower(i128::from(i64::MIN)), None);
    }

    #[test]
    fn strings_are_cut_and_raised() {
        let short = "a".repeat(32);
        assert_eq!(raised(&short).unwrap(), short);
        assert_eq!(raised(&"a".repeat(33)).unwrap(), format!("{}b", "a".repeat(31)));
        assert_eq!(raised(&format!("a{}", "\u{10ffff}".repeat(40))).unwrap(), "b");
        assert_eq!(raised(&"\u{10ffff}".repeat(40)), None);
        assert_eq!(
            raised(&format!("{}\u{d7ff}z", "é".repeat(31))).unwrap(),
            format!("{}\u{e000}", "é".repeat(31))
        );
    }

    #[test]
    fn decimals_keep_all_digits() {
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!(decimal(1420, 2), "14.20");
        let largest = i128::MAX;
        assert_eq!(decimal(largest, 0), largest.to_string());
        assert_eq!(decimal(0, 3), "0.000");
        assert_eq!(unscaled(&[0xff, 0xfe]), Some(-2));
        assert_eq!(unscaled(&[]), None);
    }

    #[test]
    fn floats_keep_their_sign_and_have_no_infinity() {
        assert_eq!(Value::Float(-0.0).exact(&DataType::Double).unwrap(), "-0.0");
        assert_eq!(Value::Float(f64::INFINITY).exact(&DataType::Double), None);
        assert_eq!(Value::Float(0.1f32.into()).exact(&DataType::Float).unwrap(), "0.10000000149011612");
    }

    proptest::proptest! {
        #[test]
        fn raised_is_never_below(text: String) {
            if let Some(bound) = raised(&text) {
                proptest::prop_assert!(bound.as_str() >= text.as_str());
                proptest::prop_assert!(bound.chars().count() <= MAX_CHARACTERS);
            }
        }
    }
}
