//! JSON made of values.

use std::collections::BTreeMap;
use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_common::Result;

use super::call::Call;
use super::definition::{Definition, Kind, Returns};

pub(super) static DEFINITIONS: &[Definition] = &[
    Definition::new(
        "json_object",
        "json_object(key, value, …)",
        "An object, its keys in order; a key that is NULL makes it NULL. A text is a JSON string, unless \
                  a function of JSON gives it.",
        &[],
        Returns::Json,
        json_object,
    )
    .rest(Kind::Any),
    Definition::new(
        "json_array",
        "json_array(value, …)",
        "An array of JSON values, made as those of json_object.",
        &[],
        Returns::Json,
        json_array,
    )
    .rest(Kind::Any),
];

fn json_array(call: &Call<'_>) -> Result<ArrayRef> {
    let values = (0..call.len()).map(|index| json_values(call, index)).collect::<Result<Vec<_>>>()?;
    call.texts(|row, out| {
        out.push('[');
        for (index, values) in values.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { ", " });
            out.push_str(&values[row]);
        }
        out.push(']');
        Some(())
    })
}

fn json_object(call: &Call<'_>) -> Result<ArrayRef> {
    let mut pairs = Vec::new();
    for index in (0..call.len()).step_by(2) {
        let value = call.has(index + 1).then(|| json_values(call, index + 1)).transpose()?;
        pairs.push((call.array(index)?, value));
    }
    let options = FormatOptions::new();
    let keys = pairs.iter().map(|(keys, _)| ArrayFormatter::try_new(keys, &options));
    let keys = keys.collect::<std::result::Result<Vec<_>, _>>()?;
    call.texts(|row, out| {
        let mut object = BTreeMap::new();
        for ((array, values), keys) in pairs.iter().zip(&keys) {
            let key = has_value(array, row).then(|| keys.value(row).to_string())?;
            object.insert(key, values.as_ref().map_or("null", |values| values[row].as_str()));
        }
        out.push('{');
        for (index, (key, value)) in object.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { ", " });
            write!(out, "{}: {value}", serde_json::Value::from(key.as_str())).ok()?;
        }
        out.push('}');
        Some(())
    })
}

/// The values of an argument as JSON, as many as rows.
fn json_values(call: &Call<'_>, index: usize) -> Result<Vec<String>> {
    let array = call.array(index)?;
    let is_json = call.is_json(index);
    let options = FormatOptions::new();
    let formatter = ArrayFormatter::try_new(&array, &options)?;
    let written = |row: usize| match array.data_type() {
        data_type if data_type.is_integer() => formatter.value(row).to_string(),
        DataType::Boolean | DataType::Decimal128(..) => formatter.value(row).to_string(),
        DataType::Float32 | DataType::Float64 => number(&formatter.value(row).to_string()),
        DataType::Utf8 if is_json => array.as_string::<i32>().value(row).to_owned(),
        _ => serde_json::Value::from(formatter.value(row).to_string()).to_string(),
    };
    let value = |row| if has_value(&array, row) { written(row) } else { "null".to_owned() };
    Ok((0..call.rows).map(value).collect())
}

/// Not NULL; an array of no type has no mask that says so.
fn has_value(array: &ArrayRef, row: usize) -> bool {
    array.data_type() != &DataType::Null && array.is_valid(row)
}

/// What is no number in JSON, such as an infinity, is null.
fn number(text: &str) -> String {
    let is_number = text.parse::<f64>().is_ok_and(f64::is_finite);
    if is_number { text.to_owned() } else { "null".to_owned() }
}
