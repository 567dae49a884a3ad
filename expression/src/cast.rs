//! Casts as StarRocks has them: what does not fit is NULL, row by row.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, PrimitiveArray, StringArray,
    StringBuilder,
};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow::util::display::FormatOptions;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::datetime::{
    DateTimeParser, MICROS_PER_DAY, MICROS_PER_SECOND, days_from_civil, days_of, write_date, write_datetime,
};
use crate::functions::calendar::civil;
use crate::types::{Class, DATETIME, class};
use crate::zone::Zone;

/// Bounds of BIGINT as DOUBLE; both are powers of two, which are exact.
const INTEGERS: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;

/// The cast of an expression, as a function of the engine.
#[derive(Debug)]
struct Cast {
    to: DataType,
    zone: Zone,
    signature: Signature,
}

impl PartialEq for Cast {
    fn eq(&self, other: &Self) -> bool {
        self.to == other.to && self.zone == other.zone
    }
}

impl Eq for Cast {}

impl Hash for Cast {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to.hash(state);
        self.zone.hash(state);
    }
}

/// `expr`, which is of type `from`, as `to`.
pub(crate) fn cast(expr: Expr, from: &DataType, to: &DataType, zone: Zone) -> Expr {
    if from == to {
        return expr;
    }
    let function = Cast { to: to.clone(), zone, signature: Signature::any(1, Volatility::Immutable) };
    ScalarUDF::new_from_impl(function).call(vec![expr])
}

/// Whether there are values of one type that become values of another.
pub(crate) fn castable(from: &DataType, to: &DataType) -> bool {
    let (a, b) = (class(from), class(to));
    if a == Class::Null || from == to {
        return true;
    }
    match (a, b) {
        (Class::Interval | Class::Other, _) | (_, Class::Interval | Class::Other | Class::Null) => false,
        (Class::Nested, Class::Nested) => can_cast_types(from, to),
        (Class::Nested, _) | (_, Class::Nested) => false,
        (Class::Binary, Class::Text) | (Class::Text, Class::Binary) => true,
        (Class::Binary, other) | (other, Class::Binary) => other == Class::Binary,
        (Class::Boolean, Class::Date | Class::DateTime) | (Class::Date | Class::DateTime, Class::Boolean) => {
            false
        }
        _ => true,
    }
}

impl ScalarUDFImpl for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(ColumnarValue::Array(array)) => {
                Ok(ColumnarValue::Array(cast_values(&array, &self.to, self.zone)?))
            }
            Some(ColumnarValue::Scalar(value)) => {
                let array = cast_values(&value.to_array_of_size(1)?, &self.to, self.zone)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
            None => Ok(ColumnarValue::Scalar(ScalarValue::try_from(&self.to)?)),
        }
    }
}

/// The values as another type, NULL where one does not fit.
pub(crate) fn cast_values(array: &ArrayRef, to: &DataType, zone: Zone) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    match (class(array.data_type()), class(to)) {
        (Class::Text, _) => {
            let texts = by_arrow(array, &DataType::Utf8)?;
            from_text(texts.as_string::<i32>(), to, zone)
        }
        (_, Class::Text) => to_text(array),
        (Class::Boolean, Class::Decimal) => by_arrow(&by_arrow(array, &DataType::Int64)?, to),
        (Class::Integer | Class::Decimal | Class::Float, Class::Boolean) => {
            let values = by_arrow(array, &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            Ok(Arc::new(values.iter().map(|value| value.map(|value| value != 0.0)).collect::<BooleanArray>()))
        }
        (Class::Integer | Class::Decimal | Class::Float, Class::Date | Class::DateTime) => {
            let numbers = cast_values(array, &DataType::Int64, zone)?;
            let digits = to_text(&numbers)?;
            from_digits(digits.as_string::<i32>(), to)
        }
        (Class::Date | Class::DateTime, Class::Integer | Class::Decimal | Class::Float) => {
            by_arrow(&to_digits(array)?, to)
        }
        (Class::DateTime, Class::Date) => {
            let values = by_arrow(array, &DATETIME)?;
            let values = values.as_primitive::<TimestampMicrosecondType>();
            Ok(Arc::new(values.unary::<_, Date32Type>(|micros| {
                // A slot that is NULL may hold any number.
                i32::try_from(micros.div_euclid(MICROS_PER_DAY)).unwrap_or(0)
            })))
        }
        (Class::Date, Class::DateTime) => {
            let values = array.as_primitive::<Date32Type>();
            Ok(Arc::new(values.unary::<_, TimestampMicrosecondType>(|days| i64::from(days) * MICROS_PER_DAY)))
        }
        (Class::Float, Class::Integer) => {
            let values = by_arrow(array, &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            let cut = |value: f64| INTEGERS.contains(&value).then_some(value.trunc() as i64);
            let integers: PrimitiveArray<Int64Type> =
                values.iter().map(|value| value.and_then(cut)).collect();
            by_arrow(&(Arc::new(integers) as ArrayRef), to)
        }
        (Class::Decimal, Class::Integer) => {
            let scale = match array.data_type() {
                DataType::Decimal128(_, scale) => u32::from(scale.max(&0).unsigned_abs()),
                _ => 0,
            };
            let unit = crate::operators::decimal::power_of_ten(scale).unwrap_or(1);
            let values = by_arrow(array, &DataType::Decimal128(38, i8::try_from(scale).unwrap_or(0)))?;
            let values = values.as_primitive::<Decimal128Type>();
            let cut = |value: i128| i64::try_from(value / unit).ok();
            let integers: PrimitiveArray<Int64Type> =
                values.iter().map(|value| value.and_then(cut)).collect();
            by_arrow(&(Arc::new(integers) as ArrayRef), to)
        }
        _ => by_arrow(array, to),
    }
}

fn by_arrow(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: true, format_options: FormatOptions::default() };
    Ok(cast_with_options(array, to, &options)?)
}

fn collect<T: ArrowPrimitiveType>(
    texts: &StringArray,
    mut value: impl FnMut(&str) -> Option<T::Native>,
) -> PrimitiveArray<T> {
    texts.iter().map(|text| text.and_then(&mut value)).collect()
}

fn from_text(texts: &StringArray, to: &DataType, zone: Zone) -> Result<ArrayRef> {
    Ok(match class(to) {
        Class::Boolean => Arc::new(texts.iter().map(|text| text.and_then(boolean)).collect::<BooleanArray>()),
        Class::Integer => {
            let integers: ArrayRef = Arc::new(collect::<Int64Type>(texts, |text| text.trim().parse().ok()));
            by_arrow(&integers, to)?
        }
        Class::Float => {
            let doubles: ArrayRef = Arc::new(collect::<Float64Type>(texts, double));
            by_arrow(&doubles, to)?
        }
        Class::Decimal => {
            let trimmed: ArrayRef =
                Arc::new(texts.iter().map(|text| text.map(str::trim)).collect::<StringArray>());
            by_arrow(&trimmed, to)?
        }
        Class::Date => {
            Arc::new(collect::<Date32Type>(texts, |text| datetime_from_text(text, zone).map(days_of)))
        }
        Class::DateTime => {
            let mut parser = DateTimeParser::new(zone);
            Arc::new(collect::<TimestampMicrosecondType>(texts, |text| {
                parser.parse(text.as_bytes()).ok().or_else(|| loose_datetime(text))
            }))
        }
        Class::Binary => {
            let bytes: BinaryArray = texts.iter().map(|text| text.map(str::as_bytes)).collect();
            Arc::new(bytes)
        }
        _ => by_arrow(&(Arc::new(texts.clone()) as ArrayRef), to)?,
    })
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// A number written in digits, in range.
fn double(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|value| value.is_finite())
}

/// A DATETIME in the forms of a load and those that StarRocks takes beside them.
pub(crate) fn datetime_from_text(text: &str, zone: Zone) -> Option<i64> {
    crate::datetime::parse_datetime(text.as_bytes(), zone).ok().or_else(|| loose_datetime(text))
}

/// `2024-1-2`, `2024/01/02`, `2024-01-02 3:4`, and digits alone.
fn loose_datetime(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return datetime_from_digits(text);
    }
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (date, time.trim_start()),
        None => (text, ""),
    };
    let separator = if date.contains('/') { '/' } else { '-' };
    let mut parts = date.split(separator).map(short_number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || date.find(separator) != Some(4) {
        return None;
    }
    let midnight = i64::from(days_from_civil(year, month, day)?) * MICROS_PER_DAY;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut seconds = 0;
    let mut units = [3600, 60, 1].into_iter();
    for part in time.split(':').filter(|part| !part.is_empty()) {
        let (unit, value) = (units.next()?, short_number(part)?);
        if value > if unit == 3600 { 23 } else { 59 } {
            return None;
        }
        seconds += unit * i64::from(value);
    }
    let micros = match fraction.len() {
        0 => 0,
        1..=6 if fraction.bytes().all(|byte| byte.is_ascii_digit()) => {
            fraction.parse::<i64>().ok()? * 10i64.pow(6 - u32::try_from(fraction.len()).ok()?)
        }
        _ => return None,
    };
    Some(midnight + seconds * MICROS_PER_SECOND + micros)
}

fn short_number(text: &str) -> Option<u32> {
    let fits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

/// `YYYYMMDD` or `YYYYMMDDHHMMSS`.
fn datetime_from_digits(digits: &str) -> Option<i64> {
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<u32>().ok();
    let midnight = i64::from(days_from_civil(part(0, 4)?, part(4, 6)?, part(6, 8)?)?) * MICROS_PER_DAY;
    match digits.len() {
        8 => Some(midnight),
        14 => {
            let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
            let fits = hour < 24 && minute < 60 && second < 60;
            fits.then(|| midnight + i64::from((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND)
        }
        _ => None,
    }
}

fn from_digits(digits: &StringArray, to: &DataType) -> Result<ArrayRef> {
    let datetimes: ArrayRef = Arc::new(collect::<TimestampMicrosecondType>(digits, datetime_from_digits));
    cast_values(&datetimes, to, Zone::UTC)
}

/// `20240131` of a DATE, `20240131235959` of a DATETIME.
fn to_digits(array: &ArrayRef) -> Result<ArrayRef> {
    let is_date = class(array.data_type()) == Class::Date;
    let values = cast_values(array, &DATETIME, Zone::UTC)?;
    let number = |micros: i64| {
        let (year, month, day) = civil(micros);
        let date = i64::from((year * 100 + month) * 100 + day);
        let second = micros.rem_euclid(MICROS_PER_DAY) / MICROS_PER_SECOND;
        let time = (second / 3600 * 100 + second / 60 % 60) * 100 + second % 60;
        if is_date { date } else { date * 1_000_000 + time }
    };
    Ok(Arc::new(values.as_primitive::<TimestampMicrosecondType>().unary::<_, Int64Type>(number)))
}

fn to_text(array: &ArrayRef) -> Result<ArrayRef> {
    let mut texts = StringBuilder::with_capacity(array.len(), array.len() * 8);
    let mut text = String::new();
    let mut push = |valid: bool, write: &mut dyn FnMut(&mut String)| {
        if !valid {
            return texts.append_null();
        }
        text.clear();
        write(&mut text);
        texts.append_value(&text);
    };
    match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean();
            for row in 0..values.len() {
                push(values.is_valid(row), &mut |out| out.push(if values.value(row) { '1' } else { '0' }));
            }
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>();
            for row in 0..values.len() {
                push(values.is_valid(row), &mut |out| write_date(out, values.value(row)));
            }
        }
        DataType::Timestamp(..) => {
            let values = by_arrow(array, &DATETIME)?;
            let values = values.as_primitive::<TimestampMicrosecondType>();
            for row in 0..values.len() {
                push(values.is_valid(row), &mut |out| write_datetime(out, values.value(row)));
            }
        }
        DataType::Float32 | DataType::Float64 => {
            // By way of the text of 32 bits: 0.1 stays 0.1.
            let narrow = array.data_type() == &DataType::Float32;
            let values = by_arrow(array, &DataType::Float64)?;
            let values: &Float64Array = values.as_primitive();
            for row in 0..values.len() {
                push(values.is_valid(row), &mut |out| write_float(out, values.value(row), narrow));
            }
        }
        _ => return by_arrow(array, &DataType::Utf8),
    }
    Ok(Arc::new(texts.finish()))
}

/// The fewest digits that give the number back.
fn write_float(out: &mut String, value: f64, narrow: bool) {
    let magnitude = value.abs();
    let plain = magnitude == 0.0 || (1e-5..1e16).contains(&magnitude);
    let written = match (plain, narrow) {
        (true, true) => format!("{}", value as f32),
        (true, false) => format!("{value}"),
        (false, true) => format!("{:e}", value as f32),
        (false, false) => format!("{value:e}"),
    };
    out.push_str(&written);
}
