//! How a Table would declare the columns of a file.

use arrow::datatypes::{Field, Schema};
use longshore_worker::convert::column_type;

use crate::print::grid;

/// The columns of a file with the type suggested for each, then the same as YAML for `spec.columns`.
pub fn columns(schema: &Schema) -> String {
    let header = ["COLUMN", "FILE TYPE", "NULLABLE", "SUGGESTED TYPE"].map(str::to_owned);
    let suggested: Vec<(&Field, Result<String, String>)> = schema
        .fields()
        .iter()
        .map(|field| (&**field, column_type(field).map(|found| found.to_string())))
        .collect();
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
    use arrow::datatypes::DataType as ArrowType;

    use super::*;

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
