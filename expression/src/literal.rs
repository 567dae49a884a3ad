//! Values that are written in the text.

use datafusion_common::ScalarValue;
use datafusion_sql::sqlparser::ast::Value;

use crate::error::Problem;
use crate::types::MOST_DIGITS;

/// Digits that always fit a BIGINT.
const BIGINT_DIGITS: usize = 18;

/// The value of a literal. Text in double quotes is text, as in single ones.
pub(crate) fn literal(value: &Value) -> Result<ScalarValue, Problem> {
    match value {
        Value::Number(digits, _) => number(digits),
        Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => {
            Ok(ScalarValue::Utf8(Some(text.clone())))
        }
        Value::Boolean(value) => Ok(ScalarValue::Boolean(Some(*value))),
        Value::Null => Ok(ScalarValue::Null),
        Value::Placeholder(name) => Err(Problem::Refused(format!(
            "{name} is a placeholder, and nothing would fill it; fields of a file are named in columns"
        ))),
        other => Err(Problem::Refused(format!(
            "a literal such as {other} is not taken; write it in single quotes"
        ))),
    }
}

/// Digits alone are a BIGINT (a LARGEINT if it is too small), with a point a DECIMAL, with an exponent a
/// DOUBLE.
fn number(text: &str) -> Result<ScalarValue, Problem> {
    let double = || match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(ScalarValue::Float64(Some(value))),
        _ => Err(Problem::Syntax(format!("{text} is no number"))),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.len() + fraction.len();
    if text.contains(['e', 'E']) || digits > usize::from(MOST_DIGITS) {
        return double();
    }
    if !text.contains('.') && digits <= BIGINT_DIGITS {
        return text.parse().map(|value| ScalarValue::Int64(Some(value))).or_else(|_| double());
    }
    if !text.contains('.')
        && let Ok(value) = text.parse()
    {
        return Ok(ScalarValue::Int64(Some(value)));
    }
    let (Ok(value), Ok(digits), Ok(scale)) =
        (format!("{whole}{fraction}").parse::<i128>(), u8::try_from(digits), i8::try_from(fraction.len()))
    else {
        return double();
    };
    Ok(ScalarValue::Decimal128(Some(value), digits.max(1), scale))
}
