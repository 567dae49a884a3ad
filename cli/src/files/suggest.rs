//! How a Table would declare the columns of files.

use longshore_worker::infer::{InferredColumn, InferredFrom};

use crate::print::grid;

/// The columns of files with the type that holds the values of all, then the same as YAML for `spec.columns`.
pub fn columns(columns: &[InferredColumn]) -> String {
    let header = ["COLUMN", "TYPE", "FROM"].map(str::to_owned);
    let rows: Vec<Vec<String>> = columns
        .iter()
        .map(|column| {
            let from = match &column.from {
                InferredFrom::File(file) => file.clone(),
                InferredFrom::Hint => "stated".to_owned(),
                InferredFrom::Path => "the keys".to_owned(),
            };
            vec![column.name.clone(), column.data_type.to_string(), from]
        })
        .collect();
    let mut text = grid(&header, &rows);
    text += "\nspec:\n  columns:\n";
    for column in columns {
        let (name, data_type) = (quoted(&column.name), quoted(&column.data_type.to_string()));
        text += &format!("  - {{name: {name}, type: {data_type}}}\n");
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
    use longshore_storage::types::DataType;

    use super::*;

    #[test]
    fn the_yaml_is_a_list_of_columns() {
        let column = |name: &str, data_type| InferredColumn {
            name: name.to_owned(),
            data_type,
            from: InferredFrom::File("s3://b/f".to_owned()),
        };
        let found =
            [column("UserID", DataType::BigInt), column("no", DataType::Decimal { precision: 4, scale: 1 })];
        let text = columns(&found);
        let (_, yaml) = text.split_once("spec:\n").unwrap();
        assert_eq!(
            yaml,
            "  columns:\n  - {name: UserID, type: BIGINT}\n  - {name: \"no\", type: \"DECIMAL(4,1)\"}\n"
        );
        let read: serde_json::Value = serde_yaml::from_str(&format!("spec:\n{yaml}")).unwrap();
        assert_eq!(read["spec"]["columns"][1]["name"], "no");
    }
}
