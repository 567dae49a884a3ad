//! Types of expressions: what they are called, and the type in which two of them meet.

use arrow::datatypes::{DataType, TimeUnit};

/// DATETIME.
pub(crate) const DATETIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
/// Digits of the widest DECIMAL.
pub(crate) const MOST_DIGITS: u8 = 38;
/// Fraction digits of a text that is compared with a whole number; 19 digits of a BIGINT stand before them.
const COMPARED_SCALE: i8 = 18;

/// What kind of values a type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Null,
    Boolean,
    Integer,
    Decimal,
    Float,
    Text,
    Binary,
    Date,
    DateTime,
    Interval,
    Nested,
    Other,
}

pub(crate) fn class(data_type: &DataType) -> Class {
    match data_type {
        DataType::Null => Class::Null,
        DataType::Boolean => Class::Boolean,
        integer if integer.is_integer() => Class::Integer,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Class::Decimal,
        float if float.is_floating() => Class::Float,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Class::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            Class::Binary
        }
        DataType::Date32 | DataType::Date64 => Class::Date,
        DataType::Timestamp(..) => Class::DateTime,
        DataType::Interval(_) => Class::Interval,
        DataType::Dictionary(_, values) => class(values),
        nested if nested.is_nested() => Class::Nested,
        _ => Class::Other,
    }
}

impl Class {
    pub(crate) fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal | Self::Float)
    }
}

/// The type as a user writes it.
pub(crate) fn name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "NULL".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision},{scale})"),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "STRING".to_owned(),
        DataType::Binary => "VARBINARY".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(..) => "DATETIME".to_owned(),
        DataType::Interval(_) => "INTERVAL".to_owned(),
        DataType::List(element) => format!("ARRAY<{}>", name(element.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(parts) if parts.len() == 2 => {
                format!("MAP<{},{}>", name(parts[0].data_type()), name(parts[1].data_type()))
            }
            _ => "MAP".to_owned(),
        },
        DataType::Struct(parts) => {
            let parts: Vec<String> =
                parts.iter().map(|part| format!("{} {}", part.name(), name(part.data_type()))).collect();
            format!("STRUCT<{}>", parts.join(","))
        }
        other => other.to_string(),
    }
}

/// The type in which values of two types are compared; `None`: they are not.
///
/// Text meets a number as a number, a date as a date, a truth value as a truth value.
pub(crate) fn compared(one: &DataType, other: &DataType) -> Option<DataType> {
    if let Some(same) = united(one, other)
        && (class(one) == Class::Text) == (class(other) == Class::Text)
    {
        return Some(same);
    }
    match (class(one), class(other)) {
        (Class::Text, _) => meets_text(other),
        (_, Class::Text) => meets_text(one),
        (Class::Boolean, _) if class(other).is_numeric() => Some(other.clone()),
        (_, Class::Boolean) if class(one).is_numeric() => Some(one.clone()),
        _ => None,
    }
}

fn meets_text(other: &DataType) -> Option<DataType> {
    match class(other) {
        Class::Null | Class::Text => Some(DataType::Utf8),
        Class::Boolean => Some(DataType::Boolean),
        Class::Integer => Some(DataType::Decimal128(MOST_DIGITS, COMPARED_SCALE)),
        Class::Decimal => match other {
            DataType::Decimal128(precision, scale) => {
                let whole = precision.saturating_sub(scale.cast_unsigned());
                let scale = MOST_DIGITS.saturating_sub(whole).min(18).max(scale.cast_unsigned());
                Some(DataType::Decimal128(MOST_DIGITS, scale.cast_signed()))
            }
            _ => Some(DataType::Float64),
        },
        Class::Float => Some(DataType::Float64),
        Class::Date | Class::DateTime => Some(DATETIME),
        Class::Binary => Some(DataType::Binary),
        _ => None,
    }
}

/// The type of a value that is of one type or of the other (`if`, CASE, `coalesce`, arrays); `None`: none is.
pub(crate) fn united(one: &DataType, other: &DataType) -> Option<DataType> {
    if one == other {
        return Some(one.clone());
    }
    match (class(one), class(other)) {
        (Class::Null, _) => Some(other.clone()),
        (_, Class::Null) => Some(one.clone()),
        (Class::Text, Class::Nested | Class::Interval | Class::Other)
        | (Class::Nested | Class::Interval | Class::Other, Class::Text) => None,
        (Class::Text, _) | (_, Class::Text) => Some(DataType::Utf8),
        (Class::Boolean, Class::Integer) => Some(other.clone()),
        (Class::Integer, Class::Boolean) => Some(one.clone()),
        (Class::Date | Class::DateTime, Class::Date | Class::DateTime) => Some(DATETIME),
        (a, b) if a.is_numeric() && b.is_numeric() => Some(numeric(one, other)),
        (Class::Nested, Class::Nested) => united_lists(one, other),
        _ => None,
    }
}

fn united_lists(one: &DataType, other: &DataType) -> Option<DataType> {
    let (DataType::List(a), DataType::List(b)) = (one, other) else { return None };
    let element = united(a.data_type(), b.data_type())?;
    Some(DataType::List(std::sync::Arc::new(a.as_ref().clone().with_data_type(element).with_nullable(true))))
}

/// The narrowest number that holds those of both types; DOUBLE if one is FLOAT or DOUBLE.
fn numeric(one: &DataType, other: &DataType) -> DataType {
    if class(one) == Class::Float || class(other) == Class::Float {
        return if one == other { one.clone() } else { DataType::Float64 };
    }
    if class(one) == Class::Integer && class(other) == Class::Integer {
        return if integer_rank(one) >= integer_rank(other) { one.clone() } else { other.clone() };
    }
    let ((p1, s1), (p2, s2)) = (digits(one), digits(other));
    let scale = s1.max(s2);
    let whole = (p1 - s1).max(p2 - s2);
    DataType::Decimal128((whole + scale).min(MOST_DIGITS), scale.cast_signed())
}

fn integer_rank(data_type: &DataType) -> u8 {
    match data_type {
        DataType::Int8 => 0,
        DataType::Int16 | DataType::UInt8 => 1,
        DataType::Int32 | DataType::UInt16 => 2,
        _ => 3,
    }
}

/// Digits in all and behind the point of a DECIMAL that holds every value of the type.
pub(crate) fn digits(data_type: &DataType) -> (u8, u8) {
    match data_type {
        DataType::Decimal128(precision, scale) => (*precision, scale.max(&0).cast_unsigned()),
        DataType::Int8 => (3, 0),
        DataType::Int16 | DataType::UInt8 => (5, 0),
        DataType::Int32 | DataType::UInt16 => (10, 0),
        DataType::Boolean => (1, 0),
        _ => (19, 0),
    }
}
