//! Texts looked for in texts, and compared with them.

use super::definition::{Definition, Kind, Returns};
use super::text::{byte_of, text};

const T: Kind = Kind::Text;
const I: Kind = Kind::Integer;

pub(super) static DEFINITIONS: &[Definition] = &[
    text!(
        "instr",
        &["strpos"],
        "instr(text, part)",
        "Where a part begins; 0 if it is not there.",
        &[T, T],
        &[],
        Integer,
        |call| {
            let (texts, parts) = (call.text(0)?, call.text(1)?);
            call.integers(|row| Some(position(texts.get(row)?, parts.get(row)?, 1)))
        }
    ),
    text!(
        "locate",
        &["position"],
        "locate(part, text[, from])",
        "Where a part begins; 0 if it is not there.",
        &[T, T],
        &[I],
        Integer,
        |call| {
            let (parts, texts) = (call.text(0)?, call.text(1)?);
            let from = call.has(2).then(|| call.integer(2)).transpose()?;
            call.integers(|row| {
                let from = match &from {
                    Some(from) => from.get(row)?,
                    None => 1,
                };
                Some(position(texts.get(row)?, parts.get(row)?, from))
            })
        }
    ),
    text!(
        "find_in_set",
        &[],
        "find_in_set(text, list)",
        "The place of a text between the commas of a list, or 0.",
        &[T, T],
        &[],
        Integer,
        |call| {
            let (texts, lists) = (call.text(0)?, call.text(1)?);
            call.integers(|row| {
                let text = texts.get(row)?;
                let place = lists.get(row)?.split(',').position(|part| part == text);
                Some(place.map_or(0, |place| place as i64 + 1))
            })
        }
    ),
    text!(
        "starts_with",
        &[],
        "starts_with(text, part)",
        "Whether a text begins with a part.",
        &[T, T],
        &[],
        Boolean,
        |call| {
            let (texts, parts) = (call.text(0)?, call.text(1)?);
            call.booleans(|row| Some(texts.get(row)?.starts_with(parts.get(row)?)))
        }
    ),
    text!(
        "ends_with",
        &[],
        "ends_with(text, part)",
        "Whether a text ends with a part.",
        &[T, T],
        &[],
        Boolean,
        |call| {
            let (texts, parts) = (call.text(0)?, call.text(1)?);
            call.booleans(|row| Some(texts.get(row)?.ends_with(parts.get(row)?)))
        }
    ),
    text!(
        "strcmp",
        &[],
        "strcmp(text, text)",
        "0 for equal texts, −1 if the first is smaller, else 1.",
        &[T, T],
        &[],
        Integer,
        |call| {
            let (one, other) = (call.text(0)?, call.text(1)?);
            call.integers(|row| Some(one.get(row)?.cmp(other.get(row)?) as i64))
        }
    ),
    text!(
        "null_or_empty",
        &[],
        "null_or_empty(text)",
        "Whether a text is NULL or has no character.",
        &[T],
        &[],
        Boolean,
        |call| {
            let texts = call.text(0)?;
            call.booleans(|row| Some(texts.get(row).is_none_or(str::is_empty)))
        }
    ),
];

/// Place of `part` in `text` at or behind the character `from`, all from 1; 0: nowhere.
fn position(text: &str, part: &str, from: i64) -> i64 {
    let Some(skipped) = from.checked_sub(1).and_then(|skipped| usize::try_from(skipped).ok()) else {
        return 0;
    };
    let begin = byte_of(text, skipped);
    match text[begin..].find(part) {
        Some(byte) if skipped <= text.chars().count() => text[..begin + byte].chars().count() as i64 + 1,
        _ => 0,
    }
}
