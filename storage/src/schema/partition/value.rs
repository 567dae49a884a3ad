//! A value of a partition column: read from text, written as text, and as an array for comparisons.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int8Array, Int16Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use chrono::{NaiveDate, NaiveDateTime};

use super::unit::{DAY_MICROS, civil};
use crate::schema::default::literal_problem;
use crate::types::{DataType, LARGEINT_PRECISION};

/// Microseconds of a second.
const SECOND_MICROS: i64 = 1_000_000;

/// A value. Values of one column order as the column's do, NULL below all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Value {
    Null,
    /// BOOLEAN as 0 or 1, a decimal without its point, days or microseconds since 1970, number of a unit.
    Number(i128),
    Text(Arc<str>),
}

impl Value {
    /// Reads text; the error says why a column of the type cannot have it.
    pub(super) fn parse(text: &str, data_type: &DataType) -> Result<Self, String> {
        if let Some(problem) = literal_problem(text, data_type) {
            return Err(problem.replacen("the default", "the value", 1));
        }
        let number = match data_type {
            DataType::Boolean => Some(i128::from(matches!(text.to_ascii_lowercase().as_str(), "true" | "1"))),
            DataType::Decimal { scale, .. } => unscaled(text, *scale),
            DataType::LargeInt => unscaled(text, 0),
            DataType::Date => text.parse::<NaiveDate>().ok().map(|date| i128::from(date.to_epoch_days())),
            DataType::DateTime => micros(text),
            DataType::Char(_) | DataType::Varchar(_) | DataType::String => {
                return Ok(Self::Text(Arc::from(text)));
            }
            _ => text.parse().ok(),
        };
        number.map(Self::Number).ok_or_else(|| format!("the value `{text}` is no {data_type}"))
    }

    /// The text that [`Self::parse`] reads; `None`: NULL.
    pub(super) fn text(&self, data_type: &DataType) -> Option<String> {
        match (self, data_type) {
            (Self::Null, _) => None,
            (Self::Text(text), _) => Some(text.to_string()),
            (Self::Number(number), DataType::Boolean) => Some((*number != 0).to_string()),
            (Self::Number(number), DataType::Decimal { scale, .. }) => Some(decimal(*number, *scale)),
            (Self::Number(number), DataType::Date) => Some(date(narrow(*number), "-")),
            (Self::Number(number), DataType::DateTime) => {
                let (day, time) = split(narrow(*number));
                Some(format!("{} {}", date(day, "-"), time.text(":")))
            }
            (Self::Number(number), _) => Some(number.to_string()),
        }
    }

    /// One value of the column's Arrow type; `None`: NULL, or nothing that the type holds.
    pub(super) fn array(&self, data_type: &DataType) -> Option<ArrayRef> {
        let number = match self {
            Self::Null => return None,
            Self::Text(text) => return Some(Arc::new(StringArray::from(vec![&**text]))),
            Self::Number(number) => *number,
        };
        Some(match data_type {
            DataType::Boolean => Arc::new(BooleanArray::from(vec![number != 0])),
            DataType::TinyInt => Arc::new(Int8Array::from(vec![i8::try_from(number).ok()?])),
            DataType::SmallInt => Arc::new(Int16Array::from(vec![i16::try_from(number).ok()?])),
            DataType::Int => Arc::new(Int32Array::from(vec![i32::try_from(number).ok()?])),
            DataType::BigInt => Arc::new(Int64Array::from(vec![i64::try_from(number).ok()?])),
            DataType::Date => Arc::new(Date32Array::from(vec![i32::try_from(number).ok()?])),
            DataType::DateTime => {
                Arc::new(TimestampMicrosecondArray::from(vec![i64::try_from(number).ok()?]))
            }
            DataType::LargeInt => decimal_array(number, LARGEINT_PRECISION, 0)?,
            DataType::Decimal { precision, scale } => decimal_array(number, *precision, *scale)?,
            _ => return None,
        })
    }
}

fn decimal_array(number: i128, precision: u8, scale: u8) -> Option<ArrayRef> {
    let array = Decimal128Array::from(vec![number]);
    Some(Arc::new(array.with_precision_and_scale(precision, scale.cast_signed()).ok()?))
}

/// A number that came from 64 bits.
pub(super) fn narrow(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

/// Digits of a decimal without its point; the literal was checked to fit.
fn unscaled(text: &str, scale: u8) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let missing = usize::from(scale).checked_sub(fraction.len())?;
    let all = format!("{whole}{fraction}{}", "0".repeat(missing));
    // A point alone has no digit and was refused.
    if all.is_empty() { Some(0) } else { all.parse::<i128>().ok().map(|number| sign * number) }
}

fn decimal(number: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let sign = if number < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Microseconds of an instant that has no finer part.
fn micros(text: &str) -> Option<i128> {
    let instant = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0))?
        .and_utc();
    (instant.timestamp_subsec_nanos() % 1_000 == 0).then(|| i128::from(instant.timestamp_micros()))
}

/// A day with `between` between its parts.
pub(super) fn date(days: i64, between: &str) -> String {
    let (year, month, day) = civil(days);
    format!("{}{between}{month:02}{between}{day:02}", self::year(year))
}

/// A year of at least four digits.
pub(super) fn year(year: i64) -> String {
    let sign = if year < 0 { "-" } else { "" };
    format!("{sign}{:04}", year.unsigned_abs())
}

/// Hour, minute, second, microsecond.
pub(super) struct TimeOfDay(i64, i64, i64, i64);

/// Day and time of an instant.
pub(super) fn split(micros: i64) -> (i64, TimeOfDay) {
    let (day, rest) = (micros.div_euclid(DAY_MICROS), micros.rem_euclid(DAY_MICROS));
    let seconds = rest / SECOND_MICROS;
    (day, TimeOfDay(seconds / 3600, seconds / 60 % 60, seconds % 60, rest % SECOND_MICROS))
}

impl TimeOfDay {
    /// The time with `between` between its parts, and its fraction if there is one.
    pub(super) fn text(&self, between: &str) -> String {
        let Self(hour, minute, second, micros) = self;
        let text = format!("{hour:02}{between}{minute:02}{between}{second:02}");
        if *micros == 0 { text } else { format!("{text}.{micros:06}") }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[allow(clippy::unwrap_in_result)]
    fn parsed(text: &str, data_type: &str) -> Result<Value, String> {
        Value::parse(text, &DataType::parse(data_type).unwrap())
    }

    #[test]
    fn text_is_read_by_the_columns_type() {
        for (data_type, text, number) in [
            ("BOOLEAN", "TRUE", 1),
            ("TINYINT", "-128", -128),
            (
                "LARGEINT",
                "-99999999999999999999999999999999999999",
                -99_999_999_999_999_999_999_999_999_999_999_999_999,
            ),
            ("DECIMAL(5,2)", "-0.5", -50),
            ("DECIMAL(5,2)", "+14.200", 1420),
            ("DATE", "1969-12-31", -1),
            ("DATETIME", "1970-01-01 00:00:01.5", 1_500_000),
            ("DATETIME", "1970-01-02", 86_400_000_000),
            ("DATETIME", "1970-01-01T00:00:00", 0),
        ] {
            assert_eq!(parsed(text, data_type), Ok(Value::Number(number)), "{text} as {data_type}");
        }
        assert_eq!(parsed("x", "VARCHAR(1)"), Ok(Value::Text("x".into())));
        for (data_type, text) in [
            ("TINYINT", "128"),
            ("DATE", "soon"),
            ("VARCHAR(1)", "xy"),
            ("DATETIME", "1970-01-01 00:00:00.0000001"),
        ] {
            assert!(parsed(text, data_type).unwrap_err().contains(text), "{text} as {data_type}");
        }
    }

    proptest! {
        #[test]
        fn text_that_was_written_is_read_back(
            number in any::<i64>(), micros in -62_167_219_200_000_000i64..253_402_300_800_000_000,
            text: String,
        ) {
            let again = |value: Value, data_type: DataType| {
                Value::parse(&value.text(&data_type).unwrap(), &data_type) == Ok(value)
            };
            prop_assert!(again(Value::Number(number.into()), DataType::BigInt));
            let decimal = DataType::Decimal { precision: 30, scale: 3 };
            prop_assert!(again(Value::Number(number.into()), decimal));
            prop_assert!(again(Value::Number(micros.into()), DataType::DateTime));
            prop_assert!(again(Value::Number(micros.div_euclid(DAY_MICROS).into()), DataType::Date));
            prop_assert!(again(Value::Text(text.as_str().into()), DataType::String));
        }
    }
}
