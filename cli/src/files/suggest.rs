//! How a Table would declare the columns of a file.

use arrow::datatypes::{DataType as ArrowType, Field, Schema};
use longshore_storage::types::DataType;
use longshore_worker::decode::{EXTENSION_JSON, EXTENSION_KEY, EXTENSION_UUID, UNSUPPORTED_KEY};

use crate::print::grid;

/// Most digits of a DECIMAL.
const MAX_DECIMAL_DIGITS: u8 = 38;

/// The columns of a file with the type suggested for each, then the same as YAML for `spec.columns`.
pub fn columns(schema: &Schema) -> String {
    let header = ["COLUMN", "FILE TYPE", "NULLABLE", "SUGGESTED TYPE"].map(str::to_owned);
    let suggested: Vec<(&Field, Result<String, String>)> =
        schema.fields().iter().map(|field| (&**field, suggested_type(field))).collect();
    let rows: Vec<Vec<String>> = suggested
        .iter()
        .map(|(field, data_type)| {
            let data_type = data_type.clone().unwrap_or_else(|reason| format!("none: {reason}"));
            vec![
                field.name().clone(),
                field.data_type().to_string(),
                field.is_nullable().to_string(),
                data_type,
            ]
        })
        .collect();
    let mut text = grid(&header, &rows);
    text += "\nspec:\n  columns:\n";
    for (field, data_type) in suggested {
        if let Ok(data_type) = data_type {
            let nullable = if field.is_nullable() { "" } else { ", nullable: false" };
            text +=
                &format!("  - {{name: {}, type: {}{nullable}}}\n", quoted(field.name()), quoted(&data_type));
        }
    }
    text
}

/// The narrowest type that holds every value of the column; or why there is none.
fn suggested_type(field: &Field) -> Result<String, String> {
    if let Some(reason) = field.metadata().get(UNSUPPORTED_KEY) {
        return Err(reason.clone());
    }
    let text = type_text(field)?;
    // Names inside nested types may hold what a type's text cannot.
    match DataType::parse(&text) {
        Ok(data_type) => Ok(data_type.to_string()),
        Err(error) => Err(error.to_string()),
    }
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

/// A YAML flow scalar: quoted unless it is plainly a word.
fn quoted(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(word);
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if plain && !reserved.contains(&text.to_lowercase().as_str()) {
        text.to_owned()
    } else {
        // JSON text is YAML text.
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Fields, TimeUnit};

    use super::*;

    #[test]
    fn every_arrow_type_of_a_file_has_a_suggestion_that_parses() {
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
            assert_eq!(suggested_type(&Field::new("c", data_type, true)), Ok(expected.to_owned()));
        }
        let odd = ArrowType::Struct(Fields::from(vec![Field::new("a b", ArrowType::Int8, true)]));
        assert!(suggested_type(&Field::new("c", odd, true)).is_err());
    }

    #[test]
    fn the_yaml_is_a_list_of_columns() {
        let schema = Schema::new(vec![
            Field::new("UserID", ArrowType::Int64, false),
            Field::new("no", ArrowType::Decimal128(4, 1), true),
        ]);
        let text = columns(&schema);
        let (_, yaml) = text.split_once("spec:\n").unwrap();
        assert_eq!(
            yaml,
            "  columns:\n  - {name: UserID, type: BIGINT, nullable: false}\n  - {name: \"no\", type: \"DECIMAL(4,1)\"}\n"
        );
        let read: serde_json::Value = serde_yaml::from_str(&format!("spec:\n{yaml}")).unwrap();
        assert_eq!(read["spec"]["columns"][1]["name"], "no");
    }
}
