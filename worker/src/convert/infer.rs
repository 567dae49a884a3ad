//! From the column of a file to the column of a table that is made for it.

use arrow::datatypes::{DataType as ArrowType, Field};
use longshore_storage::types::{DataType, LARGEINT_PRECISION, StructField};

use super::Zone;
use super::parse::{parse_boolean, parse_decimal, parse_f64, parse_integer};
use crate::decode::{EXTENSION_JSON, EXTENSION_KEY, EXTENSION_UUID, UNSUPPORTED_KEY};
use longshore_expression::datetime::{parse_date, parse_datetime};

/// Most digits of a DECIMAL.
const MAX_DECIMAL_DIGITS: u8 = 38;

/// The narrowest type that holds every value of a file's column; or why there is none.
pub fn column_type(field: &Field) -> Result<DataType, String> {
    if let Some(reason) = field.metadata().get(UNSUPPORTED_KEY) {
        return Err(reason.clone());
    }
    let text = type_text(field)?;
    // Names inside nested types may hold what a type's text cannot.
    DataType::parse(&text).map_err(|error| error.to_string())
}

fn type_text(field: &Field) -> Result<String, String> {
    let extension = field.metadata().get(EXTENSION_KEY).map(String::as_str);
    let text = match field.data_type() {
        ArrowType::Boolean => "BOOLEAN",
        ArrowType::Int8 => "TINYINT",
        ArrowType::Int16 | ArrowType::UInt8 => "SMALLINT",
        ArrowType::Int32 | ArrowType::UInt16 => "INT",
        ArrowType::Int64 | ArrowType::UInt32 | ArrowType::Time32(_) | ArrowType::Time64(_) => "BIGINT",
        ArrowType::UInt64 => "LARGEINT",
        ArrowType::Float16 | ArrowType::Float32 => "FLOAT",
        ArrowType::Float64 => "DOUBLE",
        ArrowType::Decimal128(digits, scale) | ArrowType::Decimal256(digits, scale) => {
            let fits = *digits <= MAX_DECIMAL_DIGITS && *scale >= 0;
            return Ok(if fits { format!("DECIMAL({digits},{scale})") } else { "STRING".to_owned() });
        }
        ArrowType::Date32 | ArrowType::Date64 => "DATE",
        ArrowType::Timestamp(..) => "DATETIME",
        ArrowType::Utf8 | ArrowType::LargeUtf8 if extension == Some(EXTENSION_JSON) => "JSON",
        ArrowType::Utf8 if extension == Some(EXTENSION_UUID) => "VARCHAR(36)",
        ArrowType::Utf8 | ArrowType::LargeUtf8 => "STRING",
        ArrowType::FixedSizeBinary(_) if extension == Some(EXTENSION_UUID) => "VARCHAR(36)",
        ArrowType::Binary | ArrowType::LargeBinary | ArrowType::FixedSizeBinary(_) => "VARBINARY",
        ArrowType::List(element) | ArrowType::LargeList(element) => {
            return Ok(format!("ARRAY<{}>", type_text(element)?));
        }
        ArrowType::Map(entries, _) => return map_text(entries),
        ArrowType::Struct(fields) => {
            let parts: Result<Vec<String>, String> =
                fields.iter().map(|part| Ok(format!("{} {}", part.name(), type_text(part)?))).collect();
            return Ok(format!("STRUCT<{}>", parts?.join(",")));
        }
        other => return Err(format!("{other} has no counterpart")),
    };
    Ok(text.to_owned())
}

fn map_text(entries: &Field) -> Result<String, String> {
    match entries.data_type() {
        ArrowType::Struct(parts) if parts.len() == 2 => {
            Ok(format!("MAP<{},{}>", type_text(&parts[0])?, type_text(&parts[1])?))
        }
        other => Err(format!("a map of {other} has no counterpart")),
    }
}

/// Whether a load would take a text as a value of this type, and lose nothing of it.
pub fn reads_as(text: &str, data_type: &DataType) -> bool {
    let bytes = text.as_bytes();
    match data_type {
        DataType::Boolean => parse_boolean(bytes).is_ok(),
        DataType::BigInt => parse_integer(bytes).is_ok(),
        DataType::Decimal { precision, scale } => parse_decimal(bytes, i32::from(*scale))
            .is_ok_and(|value| value.unsigned_abs() < 10u128.pow(u32::from(*precision))),
        DataType::Double => parse_f64(text).is_ok(),
        // A longer text has a time, which a DATE leaves off.
        DataType::Date => bytes.len() <= 10 && parse_date(bytes, Zone::UTC).is_ok(),
        DataType::DateTime => parse_datetime(bytes, Zone::UTC).is_ok(),
        DataType::String => true,
        _ => false,
    }
}

/// The narrowest type that holds every value of both without loss; `None`: there is none, and a person has
/// to choose.
pub fn common_type(one: &DataType, other: &DataType) -> Option<DataType> {
    if one == other {
        return Some(one.clone());
    }
    match (one, other) {
        (DataType::Date, DataType::DateTime) | (DataType::DateTime, DataType::Date) => {
            Some(DataType::DateTime)
        }
        (DataType::Varbinary(_), DataType::Varbinary(_)) => Some(DataType::Varbinary(None)),
        (DataType::Array(one), DataType::Array(other)) => {
            Some(DataType::Array(Box::new(common_type(one, other)?)))
        }
        (DataType::Map(one_key, one), DataType::Map(other_key, other)) => Some(DataType::Map(
            Box::new(common_type(one_key, other_key)?),
            Box::new(common_type(one, other)?),
        )),
        (DataType::Struct(one), DataType::Struct(other)) => common_struct(one, other),
        _ if is_text(one) && is_text(other) => Some(DataType::String),
        _ => common_number(one, other),
    }
}

fn common_struct(one: &[StructField], other: &[StructField]) -> Option<DataType> {
    if one.len() != other.len() {
        return None;
    }
    let parts = one.iter().zip(other).map(|(one, other)| {
        let data_type = common_type(&one.data_type, &other.data_type)?;
        (one.name == other.name).then(|| StructField { name: one.name.clone(), data_type })
    });
    Some(DataType::Struct(parts.collect::<Option<_>>()?))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json)
}

/// Numbers: integers become the wider one; a float holds an integer only if each of its values is exact.
fn common_number(one: &DataType, other: &DataType) -> Option<DataType> {
    match (integer_digits(one), integer_digits(other)) {
        (Some(first), Some(second)) => Some(if first >= second { one.clone() } else { other.clone() }),
        (Some(digits), None) => integer_with(digits, other),
        (None, Some(digits)) => integer_with(digits, one),
        (None, None) => match (one, other) {
            (DataType::Float, DataType::Double) | (DataType::Double, DataType::Float) => {
                Some(DataType::Double)
            }
            (
                DataType::Decimal { precision, scale },
                DataType::Decimal { precision: other_precision, scale: other_scale },
            ) => decimal((precision - scale).max(other_precision - other_scale), *scale.max(other_scale)),
            _ => None,
        },
    }
}

fn integer_with(digits: u8, other: &DataType) -> Option<DataType> {
    match other {
        DataType::Float if digits <= 5 => Some(DataType::Float),
        DataType::Float | DataType::Double if digits <= 10 => Some(DataType::Double),
        DataType::Decimal { precision, scale } => decimal(digits.max(precision - scale), *scale),
        _ => None,
    }
}

fn decimal(whole: u8, scale: u8) -> Option<DataType> {
    let precision = whole + scale;
    (precision <= MAX_DECIMAL_DIGITS).then_some(DataType::Decimal { precision, scale })
}

/// Decimal digits that hold every value of an integer type.
fn integer_digits(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::TinyInt => Some(3),
        DataType::SmallInt => Some(5),
        DataType::Int => Some(10),
        DataType::BigInt => Some(19),
        DataType::LargeInt => Some(LARGEINT_PRECISION),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Fields, TimeUnit};

    use super::*;

    #[test]
    fn every_arrow_type_of_a_file_has_a_type_that_parses() {
        let list = |item: ArrowType| ArrowType::List(Arc::new(Field::new("element", item, true)));
        let parts = Fields::from(vec![
            Field::new("a", ArrowType::Int8, true),
            Field::new("b", ArrowType::Utf8, true),
        ]);
        for (data_type, expected) in [
            (ArrowType::UInt64, "LARGEINT"),
            (ArrowType::Decimal128(10, 2), "DECIMAL(10,2)"),
            (ArrowType::Decimal256(50, 2), "STRING"),
            (ArrowType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), "DATETIME"),
            (list(list(ArrowType::Int32)), "ARRAY<ARRAY<INT>>"),
            (ArrowType::Struct(parts.clone()), "STRUCT<a TINYINT,b STRING>"),
            (
                ArrowType::Map(Arc::new(Field::new("key_value", ArrowType::Struct(parts), false)), false),
                "MAP<TINYINT,STRING>",
            ),
        ] {
            let found = column_type(&Field::new("c", data_type, true)).unwrap();
            assert_eq!(found.to_string(), expected);
        }
        let odd = ArrowType::Struct(Fields::from(vec![Field::new("a b", ArrowType::Int8, true)]));
        assert!(column_type(&Field::new("c", odd, true)).is_err());
    }

    #[test]
    fn two_types_meet_in_the_narrowest_that_loses_nothing() {
        for (one, other, expected) in [
            ("INT", "INT", Some("INT")),
            ("TINYINT", "BIGINT", Some("BIGINT")),
            ("BIGINT", "LARGEINT", Some("LARGEINT")),
            ("SMALLINT", "FLOAT", Some("FLOAT")),
            ("INT", "FLOAT", Some("DOUBLE")),
            ("INT", "DOUBLE", Some("DOUBLE")),
            // 2^53 + 1 is a BIGINT and no DOUBLE.
            ("BIGINT", "DOUBLE", None),
            ("FLOAT", "DOUBLE", Some("DOUBLE")),
            ("DECIMAL(10,2)", "DECIMAL(8,4)", Some("DECIMAL(12,4)")),
            ("DECIMAL(38,0)", "DECIMAL(38,38)", None),
            ("INT", "DECIMAL(4,2)", Some("DECIMAL(12,2)")),
            ("DECIMAL(4,2)", "DOUBLE", None),
            ("DATE", "DATETIME", Some("DATETIME")),
            ("VARCHAR(36)", "STRING", Some("STRING")),
            ("JSON", "STRING", Some("STRING")),
            ("STRING", "INT", None),
            ("BOOLEAN", "INT", None),
            ("ARRAY<INT>", "ARRAY<BIGINT>", Some("ARRAY<BIGINT>")),
            ("MAP<STRING,INT>", "MAP<STRING,BIGINT>", Some("MAP<STRING,BIGINT>")),
            ("STRUCT<a INT,b DATE>", "STRUCT<a BIGINT,b DATE>", Some("STRUCT<a BIGINT,b DATE>")),
            ("STRUCT<a INT>", "STRUCT<b INT>", None),
        ] {
            let (first, second) = (DataType::parse(one).unwrap(), DataType::parse(other).unwrap());
            let expected = expected.map(|text| DataType::parse(text).unwrap());
            assert_eq!(common_type(&first, &second), expected, "{one} and {other}");
            assert_eq!(common_type(&second, &first), expected, "{other} and {one}");
        }
    }
}
