//! Declared defaults: their text form, and which literals a type can hold.

use std::fmt;

use chrono::{NaiveDate, NaiveDateTime};

use super::DefaultValue;
use crate::types::{DataType, LARGEINT_PRECISION};

impl DefaultValue {
    /// Reads a default as a user writes it: `CURRENT_TIMESTAMP` and `uuid()` regardless of case, anything
    /// else is a literal.
    pub fn parse(text: &str) -> Self {
        match text.trim().to_ascii_lowercase().as_str() {
            "current_timestamp" | "current_timestamp()" => Self::CurrentTimestamp,
            "uuid()" => Self::Uuid,
            _ => Self::Literal(text.to_owned()),
        }
    }
}

impl fmt::Display for DefaultValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.write_str(text),
            Self::CurrentTimestamp => f.write_str("CURRENT_TIMESTAMP"),
            Self::Uuid => f.write_str("uuid()"),
        }
    }
}

/// Why a literal cannot be the default of a column of this type; `None`: it can.
///
/// A load casts the literal by its own rules; this finds at declaration what would never fit.
pub(super) fn literal_problem(text: &str, data_type: &DataType) -> Option<String> {
    let fits = match data_type {
        DataType::Boolean => matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "0" | "1"),
        DataType::TinyInt => text.parse::<i8>().is_ok(),
        DataType::SmallInt => text.parse::<i16>().is_ok(),
        DataType::Int => text.parse::<i32>().is_ok(),
        DataType::BigInt => text.parse::<i64>().is_ok(),
        DataType::LargeInt => fits_decimal(text, LARGEINT_PRECISION, 0),
        DataType::Decimal { precision, scale } => fits_decimal(text, *precision, *scale),
        DataType::Float => text.parse::<f32>().is_ok_and(f32::is_finite),
        DataType::Double => text.parse::<f64>().is_ok_and(f64::is_finite),
        DataType::Date => text.parse::<NaiveDate>().is_ok(),
        DataType::DateTime => is_datetime(text),
        DataType::Char(length) | DataType::Varchar(length) => text.len() <= *length as usize,
        DataType::String => true,
        DataType::Varbinary(_)
        | DataType::Json
        | DataType::Array(_)
        | DataType::Map(..)
        | DataType::Struct(_) => {
            return Some(format!("a {data_type} column takes no default; leave `default` out"));
        }
    };
    (!fits).then(|| format!("the default `{text}` is no {data_type}; {}", expected_form(data_type)))
}

fn expected_form(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "use true or false".to_owned(),
        DataType::Decimal { precision, scale } => {
            format!(
                "use a number of at most {} digits before and {scale} behind the point",
                precision - scale
            )
        }
        DataType::Float | DataType::Double => "use a finite number".to_owned(),
        DataType::Date => "use the form 2024-01-31".to_owned(),
        DataType::DateTime => "use the form 2024-01-31 12:00:00, or CURRENT_TIMESTAMP".to_owned(),
        DataType::Char(length) | DataType::Varchar(length) => format!("use at most {length} bytes"),
        _ => "use an integer in its range".to_owned(),
    }
}

fn is_datetime(text: &str) -> bool {
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .any(|form| NaiveDateTime::parse_from_str(text, form).is_ok())
        || text.parse::<NaiveDate>().is_ok()
}

/// A plain decimal number whose digits fit without rounding.
fn fits_decimal(text: &str, precision: u8, scale: u8) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let whole_digits = whole.trim_start_matches('0').len();
    let fraction_digits = fraction.trim_end_matches('0').len();
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && whole_digits <= usize::from(precision - scale)
        && fraction_digits <= usize::from(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_checked_against_their_type() {
        for (data_type, literal, fits) in [
            ("BOOLEAN", "TRUE", true),
            ("BOOLEAN", "yes", false),
            ("TINYINT", "-128", true),
            ("TINYINT", "128", false),
            ("INT", "1.0", false),
            ("LARGEINT", "99999999999999999999999999999999999999", true),
            ("LARGEINT", "100000000000000000000000000000000000000", false),
            ("DECIMAL(4,2)", "-12.340", true),
            ("DECIMAL(4,2)", "123.4", false),
            ("DECIMAL(4,2)", "1.234", false),
            ("DECIMAL(4,2)", ".", false),
            ("DOUBLE", "1e3", true),
            ("DOUBLE", "nan", false),
            ("DATE", "2024-02-29", true),
            ("DATE", "2023-02-29", false),
            ("DATETIME", "2024-01-01 00:00:00.5", true),
            ("DATETIME", "soon", false),
            ("VARCHAR(3)", "abc", true),
            ("VARCHAR(3)", "äöü", false),
            ("STRING", "", true),
            ("JSON", "{}", false),
        ] {
            let problem = literal_problem(literal, &DataType::parse(data_type).unwrap());
            assert_eq!(problem.is_none(), fits, "{data_type} {literal}: {problem:?}");
        }
    }

    #[test]
    fn text_form_is_read_back() {
        for default in
            [DefaultValue::CurrentTimestamp, DefaultValue::Uuid, DefaultValue::Literal("x y".to_owned())]
        {
            assert_eq!(DefaultValue::parse(&default.to_string()), default);
        }
    }
}
