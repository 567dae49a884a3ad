//! To JSON: text must parse and stays as it was written, nested values become JSON text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType as ArrowType, Field};
use arrow::error::ArrowError;
use serde::de::IgnoredAny;

use super::Zone;
use super::column::{Column, Fault, Misfit, without};
use super::nested::lists;
use super::text;
use super::type_name::{is_uuid, is_variant};

/// Most bytes of a JSON value: 16 MiB.
const LONGEST_JSON: usize = 16 << 20;

/// Casts to JSON; `None`: no value of this type can become JSON.
pub(super) fn to_json(array: &ArrayRef, field: &Field, zone: Zone) -> Result<Option<Column>, ArrowError> {
    match array.data_type() {
        ArrowType::Utf8
        | ArrowType::LargeUtf8
        | ArrowType::Utf8View
        | ArrowType::Binary
        | ArrowType::LargeBinary
        | ArrowType::BinaryView => Ok(text::to_text(array, field, None, zone)?.map(check)),
        ArrowType::List(_)
        | ArrowType::LargeList(_)
        | ArrowType::FixedSizeList(..)
        | ArrowType::Map(..)
        | ArrowType::Struct(_) => {
            let Some(renderer) = Renderer::new(array, field, zone)? else { return Ok(None) };
            Ok(Some(text::format(array, |row, out| {
                renderer.write(row, out, LONGEST_JSON + 1);
                if out.len() > LONGEST_JSON { Err(Fault::TooLong) } else { Ok(()) }
            })))
        }
        _ => Ok(None),
    }
}

fn check(column: Column) -> Column {
    let text = column.array.as_string::<i32>();
    let mut misfits = column.misfits.clone();
    for row in (0..text.len()).filter(|&row| text.is_valid(row)) {
        let value = text.value(row);
        if value.len() > LONGEST_JSON {
            misfits.push(Misfit { row, fault: Fault::TooLong });
        } else if serde_json::from_str::<IgnoredAny>(value).is_err() {
            misfits.push(Misfit { row, fault: Fault::InvalidJson });
        }
    }
    if misfits.is_empty() {
        return column;
    }
    misfits.sort_unstable_by_key(|misfit| misfit.row);
    let nulls = without(text.nulls(), text.len(), &misfits);
    let array = StringArray::new(text.offsets().clone(), text.values().clone(), nulls);
    Column { array: Arc::new(array), misfits }
}

/// Writes rows of an array as JSON. The leaves are made text column by column, once.
pub(super) enum Renderer {
    /// Text that is JSON as it is; NULL and what JSON cannot say is `null`.
    Plain(ArrayRef),
    /// Text that stands between quotes.
    Quoted(ArrayRef),
    List {
        offsets: Vec<usize>,
        values: Box<Renderer>,
        array: ArrayRef,
    },
    Map {
        offsets: Vec<usize>,
        keys: Box<Renderer>,
        values: Box<Renderer>,
        array: ArrayRef,
    },
    Struct {
        parts: Vec<(String, Renderer)>,
        array: ArrayRef,
    },
}

impl Renderer {
    /// `None`: there is no text form for a part of this type.
    pub(super) fn new(array: &ArrayRef, field: &Field, zone: Zone) -> Result<Option<Self>, ArrowError> {
        if is_variant(field) {
            return Ok(None);
        }
        Ok(match array.data_type() {
            ArrowType::Dictionary(_, values) => {
                let flat = arrow::compute::cast(array, values)?;
                return Self::new(&flat, &field.clone().with_data_type(values.as_ref().clone()), zone);
            }
            ArrowType::Null => Some(Self::Plain(arrow::array::new_null_array(&ArrowType::Utf8, array.len()))),
            ArrowType::List(_) | ArrowType::LargeList(_) | ArrowType::FixedSizeList(..) => {
                let Some(lists) = lists(array)? else { return Ok(None) };
                Self::new(&lists.values, &lists.field, zone)?.map(|values| Self::List {
                    offsets: lists.offsets.iter().map(|&offset| offset as usize).collect(),
                    values: Box::new(values),
                    array: Arc::clone(array),
                })
            }
            ArrowType::Map(entry, _) => {
                let map = array.as_map();
                let ArrowType::Struct(parts) = entry.data_type() else { return Ok(None) };
                let [key, value] = parts.as_ref() else { return Ok(None) };
                let keys = Self::new(map.keys(), key, zone)?;
                let values = Self::new(map.values(), value, zone)?;
                keys.zip(values).map(|(keys, values)| Self::Map {
                    offsets: map.value_offsets().iter().map(|&offset| offset as usize).collect(),
                    keys: Box::new(keys),
                    values: Box::new(values),
                    array: Arc::clone(array),
                })
            }
            ArrowType::Struct(fields) => {
                let mut parts = Vec::with_capacity(fields.len());
                for (part, values) in fields.iter().zip(array.as_struct().columns()) {
                    let Some(renderer) = Self::new(values, part, zone)? else { return Ok(None) };
                    parts.push((part.name().clone(), renderer));
                }
                Some(Self::Struct { parts, array: Arc::clone(array) })
            }
            ArrowType::Binary
            | ArrowType::LargeBinary
            | ArrowType::BinaryView
            | ArrowType::FixedSizeBinary(_)
                if !is_uuid(field) =>
            {
                let binary = super::binary::as_binary(array)?;
                let bytes = binary.as_binary::<i32>();
                let hex = text::format(array, |row, out| {
                    out.push_str(&hex::encode(bytes.value(row)));
                    Ok(())
                });
                Some(Self::Quoted(hex.array))
            }
            other => {
                let plain = other.is_numeric() || *other == ArrowType::Boolean;
                let text = text::to_text(array, field, None, zone)?;
                text.map(|text| if plain { Self::Plain(text.array) } else { Self::Quoted(text.array) })
            }
        })
    }

    /// Appends the JSON of a row; stops somewhere behind `limit` bytes.
    pub(super) fn write(&self, row: usize, out: &mut String, limit: usize) {
        if out.len() > limit {
            return;
        }
        match self {
            Self::Plain(array) | Self::Quoted(array) if array.is_null(row) => out.push_str("null"),
            Self::Plain(array) => match array.as_string::<i32>().value(row) {
                "NaN" | "inf" | "-inf" => out.push_str("null"),
                number => out.push_str(number),
            },
            Self::Quoted(array) => write_quoted(cut(array.as_string::<i32>().value(row), limit), out),
            Self::List { array, .. } | Self::Map { array, .. } | Self::Struct { array, .. }
                if array.is_null(row) =>
            {
                out.push_str("null");
            }
            Self::List { offsets, values, .. } => {
                out.push('[');
                for item in offsets[row]..offsets[row + 1] {
                    separate(out, item > offsets[row]);
                    values.write(item, out, limit);
                }
                out.push(']');
            }
            Self::Map { offsets, keys, values, .. } => {
                out.push('{');
                for item in offsets[row]..offsets[row + 1] {
                    separate(out, item > offsets[row]);
                    write_quoted(&keys.text(item, limit), out);
                    out.push(':');
                    values.write(item, out, limit);
                }
                out.push('}');
            }
            Self::Struct { parts, .. } => {
                out.push('{');
                for (index, (name, part)) in parts.iter().enumerate() {
                    separate(out, index > 0);
                    write_quoted(name, out);
                    out.push(':');
                    part.write(row, out, limit);
                }
                out.push('}');
            }
        }
    }

    /// The value alone: text without quotes, all else as JSON.
    pub(super) fn text(&self, row: usize, limit: usize) -> String {
        match self {
            Self::Plain(array) | Self::Quoted(array) if array.is_valid(row) => {
                cut(array.as_string::<i32>().value(row), limit).to_owned()
            }
            _ => {
                let mut out = String::new();
                self.write(row, &mut out, limit);
                out
            }
        }
    }
}

fn separate(out: &mut String, comma: bool) {
    if comma {
        out.push(',');
    }
}

/// Writes a JSON string.
pub(super) fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                out.push_str("\\u00");
                out.push_str(&hex::encode([control]));
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// At most `limit` bytes of `text`, cut between two characters.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
