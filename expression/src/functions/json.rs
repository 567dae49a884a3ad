//! JSON in texts: parts of it by path. Numbers keep every digit that was written.

use std::fmt::Write;

use arrow::array::ArrayRef;
use datafusion_common::Result;
use serde_json::value::RawValue;

use super::call::Call;
use super::definition::{Definition, Kind, Returns};
use super::json_path::Path;
use super::text::text;

const TT: &[Kind] = &[Kind::Text, Kind::Text];

pub(super) static DEFINITIONS: &[Definition] = &[
    text!(
        "parse_json",
        &[],
        "parse_json(text)",
        "A text as JSON; NULL if it is none.",
        &[Kind::Text],
        &[],
        Json,
        |call| {
            let texts = call.text(0)?;
            call.slices(|row| {
                let text = texts.get(row)?;
                serde_json::from_str::<&RawValue>(text).ok().map(|_| text)
            })
        }
    ),
    text!(
        "json_query",
        &[],
        "json_query(json, path)",
        "The part at a path, as JSON.",
        TT,
        &[],
        Json,
        |call| {
            over_found(call, |found, out| {
                out.push_str(found);
                Some(())
            })
        }
    ),
    text!(
        "get_json_string",
        &["get_json_object"],
        "get_json_string(json, path)",
        "The part at a path; a text without its quotes.",
        TT,
        &[],
        Text,
        |call| over_found(call, plain)
    ),
    text!(
        "get_json_int",
        &["get_json_integer"],
        "get_json_int(json, path)",
        "The whole number at a path, or the text of one.",
        TT,
        &[],
        Integer,
        |call| {
            let mut text = String::new();
            let mut found = Finder::new(call)?;
            call.integers(|row| {
                text.clear();
                plain(&found.get(row)?, &mut text)?;
                integer(text.trim())
            })
        }
    ),
    text!(
        "get_json_double",
        &[],
        "get_json_double(json, path)",
        "The number at a path, or the text of one.",
        TT,
        &[],
        Double,
        |call| {
            let mut text = String::new();
            let mut found = Finder::new(call)?;
            call.doubles(|row| {
                text.clear();
                plain(&found.get(row)?, &mut text)?;
                text.trim().parse().ok()
            })
        }
    ),
    text!(
        "get_json_bool",
        &[],
        "get_json_bool(json, path)",
        "The truth value at a path.",
        TT,
        &[],
        Boolean,
        |call| {
            let mut found = Finder::new(call)?;
            call.booleans(|row| match found.get(row)?.as_str() {
                "true" | "1" | "\"true\"" => Some(true),
                "false" | "0" | "\"false\"" => Some(false),
                _ => None,
            })
        }
    ),
    text!(
        "json_exists",
        &[],
        "json_exists(json, path)",
        "Whether something stands at a path.",
        TT,
        &[],
        Boolean,
        |call| {
            let texts = call.text(0)?;
            let mut found = Finder::new(call)?;
            call.booleans(|row| texts.get(row).map(|_| found.get(row).is_some()))
        }
    ),
    text!(
        "json_length",
        &[],
        "json_length(json[, path])",
        "Number of elements of an array or an object; 1 for any other value.",
        &[Kind::Text],
        &[Kind::Text],
        Integer,
        |call| {
            let mut found = Finder::new(call)?;
            call.integers(|row| {
                let found = found.get(row)?;
                let parts = serde_json::from_str::<Vec<&RawValue>>(&found).map(|parts| parts.len());
                let parts = parts.or_else(|_| {
                    serde_json::from_str::<std::collections::BTreeMap<String, &RawValue>>(&found)
                        .map(|parts| parts.len())
                });
                Some(parts.map_or(1, |parts| parts as i64))
            })
        }
    ),
];

/// Parts of the first argument at the path of the second.
struct Finder<'a> {
    texts: super::call::Values<&'a arrow::array::StringArray>,
    paths: Option<super::call::Values<&'a arrow::array::StringArray>>,
    fixed: Option<Path>,
}

impl<'a> Finder<'a> {
    fn new(call: &'a Call<'_>) -> Result<Self> {
        let paths = call.has(1).then(|| call.text(1)).transpose()?;
        let fixed = paths.as_ref().and_then(|paths| paths.constant()).and_then(Path::parse);
        Ok(Self { texts: call.text(0)?, paths, fixed })
    }

    /// The JSON that was found; `None`: nothing, or no JSON, or no path.
    fn get(&mut self, row: usize) -> Option<String> {
        let text = self.texts.get(row)?;
        match (&self.fixed, &self.paths) {
            (Some(path), _) => path.find(text),
            (None, Some(paths)) => Path::parse(paths.get(row)?)?.find(text),
            (None, None) => serde_json::from_str::<&RawValue>(text).ok().map(|found| found.get().to_owned()),
        }
    }
}

fn over_found(call: &Call<'_>, write: impl Fn(&str, &mut String) -> Option<()>) -> Result<ArrayRef> {
    let mut found = Finder::new(call)?;
    call.texts(|row, out| write(&found.get(row)?, out))
}

/// A value as text: a string without quotes and escapes, null as NULL, all else as it is written.
fn plain(json: &str, out: &mut String) -> Option<()> {
    match json.as_bytes().first()? {
        b'"' => out.write_str(&serde_json::from_str::<String>(json).ok()?).ok(),
        b'n' => None,
        _ => out.write_str(json).ok(),
    }
}

/// Digits, or a fraction that is cut.
fn integer(text: &str) -> Option<i64> {
    match text {
        "true" => Some(1),
        "false" => Some(0),
        _ => text.parse().ok().or_else(|| {
            let value = text.parse::<f64>().ok()?.trunc();
            // Both bounds are powers of two, which are exact.
            (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0)
                .contains(&value)
                .then_some(value as i64)
        }),
    }
}
