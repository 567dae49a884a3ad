//! The columns of JSON files, which have no types: from the values of a sample of records.

use std::sync::Arc;

use arrow::array::AsArray;
use longshore_crds::format::{Format, JsonOptions};
use longshore_crds::source::Source;
use longshore_crds::{JsonPath, JsonStep};
use longshore_storage::types::{DataType, StructField};

use super::sample::{FileSchema, FoundColumn, first_rows, table_of};
use super::{InferError, guess_type};
use crate::decode::json::JsonValues;
use crate::decode::{self, DecodeError, FileContext};
use crate::source::ReadObject;

/// Stands for the whole record among paths and names.
const RECORD: &str = "$";

/// The columns of a file: the keys of its first records, or what its `jsonPaths` lead to.
pub(super) fn schema(
    source: &Source,
    options: &JsonOptions,
    object: Arc<dyn ReadObject>,
) -> Result<FileSchema, InferError> {
    let paths = options.paths().map_err(|error| DecodeError::InvalidFile {
        file: object.name().to_owned(),
        format: "JSON",
        reason: error.to_string(),
    })?;
    let by_key = paths.paths.is_empty();
    let mut options = options.clone();
    let names = if by_key {
        options.json_paths = vec![RECORD.to_owned()];
        vec![RECORD.to_owned()]
    } else {
        path_names(&options.json_paths, &paths.paths)?
    };
    let table = table_of(names.iter().map(|name| (name.clone(), DataType::Json)));
    let source =
        Source { format: Some(Format::Json(options)), columns: Some(names.clone()), ..source.clone() };
    let context = FileContext { source: &source, table: &table, strict: false, now_micros: 0 };
    let file = decode::open(object, context)?;
    let batch = first_rows(&file)?;
    let mut seen: Vec<JsonValues<'_>> = names.iter().map(|_| JsonValues::default()).collect();
    for (values, array) in seen.iter_mut().zip(batch.iter().flat_map(|batch| batch.columns())) {
        array.as_string::<i32>().iter().flatten().for_each(|json| values.see(json));
    }
    let column = |(name, values): (String, &JsonValues<'_>)| (name, json_type(values).map(Ok));
    let columns: Vec<FoundColumn> = match seen.first() {
        Some(record) if by_key => {
            record.keys.iter().map(|key| column((key.name.clone(), &key.values))).collect()
        }
        _ => names.into_iter().zip(&seen).map(column).collect(),
    };
    Ok(FileSchema { file: file.name().to_owned(), columns, guessed: true })
}

/// Names for what paths lead to: their steps, joined by `_`.
fn path_names(texts: &[String], paths: &[JsonPath]) -> Result<Vec<String>, InferError> {
    let mut names: Vec<String> = Vec::with_capacity(paths.len());
    for (text, path) in texts.iter().zip(paths) {
        let step = |step: &JsonStep| match step {
            JsonStep::Key(key) => key.clone(),
            JsonStep::Index(index) => index.to_string(),
        };
        let steps: Vec<String> = path.steps.iter().map(step).collect();
        let name = if steps.is_empty() { RECORD.to_owned() } else { steps.join("_") };
        if let Some(first) = names.iter().position(|other| other.eq_ignore_ascii_case(&name)) {
            return Err(InferError::SamePathName { first: texts[first].clone(), second: text.clone(), name });
        }
        names.push(name);
    }
    Ok(names)
}

/// The type of a column for these values; `None`: only NULL was seen.
///
/// Numbers are guessed as the texts of a CSV file are, truth values are BOOLEAN, strings that are all dates
/// are DATE or DATETIME, others STRING (of digits, too: who writes quotes means text). Scalars of several
/// kinds are STRING. Arrays are ARRAY, and objects that all have the same keys STRUCT; JSON is what agrees
/// less: nested values beside scalars, arrays without any element, names that no STRUCT can have.
fn json_type(values: &JsonValues<'_>) -> Option<DataType> {
    let kinds = [values.booleans, values.numbers.len(), values.strings.len()];
    let scalar = kinds.iter().any(|count| *count > 0);
    match (scalar, values.arrays > 0, values.objects > 0) {
        (false, false, false) => None,
        (true, false, false) => Some(scalar_type(values)),
        (false, true, false) => {
            let element = values.elements.as_deref().and_then(json_type);
            Some(element.map_or(DataType::Json, |element| sound(DataType::Array(Box::new(element)))))
        }
        (false, false, true) => Some(struct_type(values)),
        _ => Some(DataType::Json),
    }
}

fn scalar_type(values: &JsonValues<'_>) -> DataType {
    match (values.booleans > 0, !values.numbers.is_empty(), !values.strings.is_empty()) {
        (true, false, false) => DataType::Boolean,
        (false, true, false) => guess_type(&values.numbers.iter().copied()).unwrap_or(DataType::String),
        (false, false, true) => match guess_type(&values.strings.iter().copied()) {
            Some(date @ (DataType::Date | DataType::DateTime)) => date,
            _ => DataType::String,
        },
        _ => DataType::String,
    }
}

fn struct_type(values: &JsonValues<'_>) -> DataType {
    let keys = &values.keys;
    let uniform = !keys.is_empty() && keys.iter().all(|key| key.count == values.objects);
    let twice = |name: &str| keys.iter().filter(|key| key.name.eq_ignore_ascii_case(name)).count() > 1;
    if !uniform || keys.len() > MOST_PARTS || keys.iter().any(|key| twice(&key.name)) {
        return DataType::Json;
    }
    let parts = keys.iter().map(|key| StructField {
        name: key.name.clone(),
        data_type: json_type(&key.values).unwrap_or(DataType::String),
    });
    sound(DataType::Struct(parts.collect()))
}

/// Parts of a STRUCT; objects with more are rather maps.
const MOST_PARTS: usize = 100;

/// A nested type, if its text can be read again: names and depth are limited.
fn sound(nested: DataType) -> DataType {
    match DataType::parse(&nested.to_string()) {
        Ok(read) if read == nested => nested,
        _ => DataType::Json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(documents: &[&str]) -> String {
        let mut values = JsonValues::default();
        documents.iter().for_each(|json| values.see(json));
        json_type(&values).map_or_else(|| "NULL".to_owned(), |data_type| data_type.to_string())
    }

    #[test]
    fn values_tell_the_type_of_their_column() {
        for (documents, expected) in [
            (&["1", "-20", "null"][..], "BIGINT"),
            (&["1", "9223372036854775808"], "DECIMAL(38,0)"),
            (&["1", "2.5", "1e5"], "DOUBLE"),
            (&["1.0"], "DOUBLE"),
            (&["true", "false"], "BOOLEAN"),
            (&["true", "1"], "STRING"),
            (&["1", "\"x\""], "STRING"),
            (&["\"1\"", "\"2\""], "STRING"),
            (&["\"20240131\""], "STRING"),
            (&["\"true\""], "STRING"),
            (&["\"2024-01-31\""], "DATE"),
            (&["\"2024-01-31\"", "\"2024-01-31T10:00:00Z\""], "DATETIME"),
            (&["\"2024-01-31\"", "\"\""], "STRING"),
            (&["null"], "NULL"),
            (&["[1, 2]", "[]", "[3.5]"], "ARRAY<DOUBLE>"),
            (&["[1, \"x\"]"], "ARRAY<STRING>"),
            (&["[]"], "JSON"),
            (&["[1]", "1"], "JSON"),
            (&["[[true]]"], "ARRAY<ARRAY<BOOLEAN>>"),
            (&["[[1], 2]"], "ARRAY<JSON>"),
            (&[r#"{"a": 1, "b": null}"#, r#"{"b": "x", "a": 2.5}"#, "null"], "STRUCT<a DOUBLE,b STRING>"),
            (&[r#"{"a": {"b": "2024-01-31"}}"#], "STRUCT<a STRUCT<b DATE>>"),
            (&[r#"{"a": 1}"#, r#"{"b": 1}"#], "JSON"),
            (&[r#"{"a b": 1}"#], "JSON"),
            (&[r#"{"a": 1, "A": 1}"#], "JSON"),
            (&["{}"], "JSON"),
            (&[r#"[{"id": 1}, {"id": 2}]"#], "ARRAY<STRUCT<id BIGINT>>"),
            (&[r#"[{"id": 1}, {"no": 2}]"#], "ARRAY<JSON>"),
        ] {
            assert_eq!(found(documents), expected, "{documents:?}");
        }
        let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        assert!(DataType::parse(&found(&[deep.as_str()])).is_ok(), "{}", found(&[deep.as_str()]));
    }

    #[test]
    fn paths_are_named_by_their_steps() {
        let names = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            let paths: Vec<JsonPath> = texts.iter().map(|text| JsonPath::parse(text).unwrap()).collect();
            path_names(&texts, &paths)
        };
        assert_eq!(
            names(&["$.id", "$.user.name", "$.tags[0]", "$"]).unwrap(),
            ["id", "user_name", "tags_0", "$"]
        );
        let error = names(&["$.a.b", "$.A_b"]).unwrap_err().to_string();
        assert!(error.contains("$.a.b and $.A_b"), "{error}");
    }
}
