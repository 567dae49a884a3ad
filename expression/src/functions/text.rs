//! Texts: their parts, their lengths, joined and filled. Positions and lengths count characters, from 1,
//! where nothing else is said.

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion_common::Result;
use std::sync::Arc;

use super::call::Call;
use super::definition::{Definition, Kind, Returns};

/// Most bytes of a text that a function makes: what is longer is NULL.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// A function of texts; the fields that are the same for most of them are filled in.
macro_rules! text {
    ($name:literal, $aliases:expr, $syntax:literal, $summary:literal, $parameters:expr, $optional:expr,
     @Same, $body:expr) => {
        Definition::new($name, $syntax, $summary, $parameters, Returns::Same(0), $body)
            .also($aliases)
            .optional($optional)
    };
    ($name:literal, $aliases:expr, $syntax:literal, $summary:literal, $parameters:expr, $optional:expr,
     $returns:ident, $body:expr) => {
        Definition::new($name, $syntax, $summary, $parameters, Returns::$returns, $body)
            .also($aliases)
            .optional($optional)
    };
}
pub(super) use text;

const T: Kind = Kind::Text;
const I: Kind = Kind::Integer;

pub(super) static DEFINITIONS: &[Definition] = &[
    Definition::new(
        "concat",
        "concat(text, …)",
        "The texts one after the other; NULL if one is.",
        &[T],
        Returns::Text,
        concat,
    )
    .rest(T),
    Definition::new(
        "concat_ws",
        "concat_ws(separator, text, …)",
        "The texts that are not NULL, with the separator between them.",
        &[T, T],
        Returns::Text,
        concat_ws,
    )
    .rest(T),
    text!("upper", &["ucase"], "upper(text)", "In capital letters.", &[T], &[], Text, |call| {
        let texts = call.text(0)?;
        call.texts(|row, out| {
            out.extend(texts.get(row)?.chars().flat_map(char::to_uppercase));
            Some(())
        })
    }),
    text!("lower", &["lcase"], "lower(text)", "In small letters.", &[T], &[], Text, |call| {
        let texts = call.text(0)?;
        call.texts(|row, out| {
            out.extend(texts.get(row)?.chars().flat_map(char::to_lowercase));
            Some(())
        })
    }),
    text!("initcap", &[], "initcap(text)", "Each word with a capital.", &[T], &[], Text, |call| {
        let texts = call.text(0)?;
        call.texts(|row, out| {
            let mut inside = false;
            for character in texts.get(row)?.chars() {
                if inside {
                    out.extend(character.to_lowercase());
                } else {
                    out.extend(character.to_uppercase());
                }
                inside = character.is_alphanumeric();
            }
            Some(())
        })
    }),
    text!(
        "trim",
        &["btrim"],
        "trim(text[, characters])",
        "Without the blanks, or the characters, at both ends.",
        &[T],
        &[T],
        Text,
        |call| trimmed(call, true, true)
    ),
    text!(
        "ltrim",
        &[],
        "ltrim(text[, characters])",
        "Without the blanks, or the characters, at the beginning.",
        &[T],
        &[T],
        Text,
        |call| trimmed(call, true, false)
    ),
    text!(
        "rtrim",
        &[],
        "rtrim(text[, characters])",
        "Without the blanks, or the characters, at the end.",
        &[T],
        &[T],
        Text,
        |call| trimmed(call, false, true)
    ),
    text!(
        "substr",
        &["substring", "mid"],
        "substr(text, position[, length])",
        "From a position on, from the end if it is negative.",
        &[T, I],
        &[I],
        Text,
        substr
    ),
    text!("left", &["strleft"], "left(text, length)", "The first characters.", &[T, I], &[], Text, |call| {
        let (texts, lengths) = (call.text(0)?, call.integer(1)?);
        call.slices(|row| {
            let text = texts.get(row)?;
            Some(&text[..byte_of(text, count(lengths.get(row)?))])
        })
    }),
    text!(
        "right",
        &["strright"],
        "right(text, length)",
        "The last characters.",
        &[T, I],
        &[],
        Text,
        |call| {
            let (texts, lengths) = (call.text(0)?, call.integer(1)?);
            call.slices(|row| {
                let text = texts.get(row)?;
                Some(&text[byte_from_end(text, count(lengths.get(row)?))..])
            })
        }
    ),
    text!(
        "lpad",
        &[],
        "lpad(text, length[, fill])",
        "Filled on the left, or cut, to a length.",
        &[T, I],
        &[T],
        Text,
        |call| padded(call, true)
    ),
    text!(
        "rpad",
        &[],
        "rpad(text, length[, fill])",
        "Filled on the right, or cut, to a length.",
        &[T, I],
        &[T],
        Text,
        |call| padded(call, false)
    ),
    text!(
        "replace",
        &[],
        "replace(text, from, to)",
        "Each `from` made `to`.",
        &[T, T, T],
        &[],
        Text,
        |call| {
            let (texts, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
            call.texts(|row, out| {
                let (text, from, to) = (texts.get(row)?, from.get(row)?, to.get(row)?);
                if from.is_empty() {
                    out.push_str(text);
                    return Some(());
                }
                for (index, part) in text.split(from).enumerate() {
                    if index > 0 {
                        out.push_str(to);
                    }
                    out.push_str(part);
                    if out.len() > MOST_BYTES.max(text.len()) {
                        return None;
                    }
                }
                Some(())
            })
        }
    ),
    text!(
        "translate",
        &[],
        "translate(text, from, to)",
        "Each character of `from` made the one at its place in `to`, or left out.",
        &[T, T, T],
        &[],
        Text,
        |call| {
            let (texts, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
            call.texts(|row, out| {
                let (from, to) = (from.get(row)?, to.get(row)?);
                for character in texts.get(row)?.chars() {
                    match from.chars().position(|other| other == character) {
                        None => out.push(character),
                        Some(place) => out.extend(to.chars().nth(place)),
                    }
                }
                Some(())
            })
        }
    ),
    text!("repeat", &[], "repeat(text, count)", "So many times.", &[T, I], &[], Text, |call| {
        let (texts, counts) = (call.text(0)?, call.integer(1)?);
        call.texts(|row, out| repeat(out, texts.get(row)?, count(counts.get(row)?)))
    }),
    text!("space", &[], "space(count)", "So many blanks.", &[I], &[], Text, |call| {
        let counts = call.integer(0)?;
        call.texts(|row, out| repeat(out, " ", count(counts.get(row)?)))
    }),
    text!("reverse", &[], "reverse(text)", "Backwards.", &[T], &[], Text, |call| {
        let texts = call.text(0)?;
        call.texts(|row, out| {
            out.extend(texts.get(row)?.chars().rev());
            Some(())
        })
    }),
    text!(
        "split_part",
        &[],
        "split_part(text, separator, index)",
        "The part at an index between separators, from the end if it is negative.",
        &[T, T, I],
        &[],
        Text,
        split_part
    ),
    text!(
        "split",
        &[],
        "split(text, separator)",
        "The parts between separators, as ARRAY.",
        &[T, T],
        &[],
        Texts,
        split
    ),
    text!(
        "substring_index",
        &[],
        "substring_index(text, separator, count)",
        "What stands before the count-th separator, or behind it, counted from the end, if it is negative.",
        &[T, T, I],
        &[],
        Text,
        substring_index
    ),
    text!("length", &["octet_length"], "length(text)", "Number of bytes.", &[T], &[], Integer, |call| {
        let texts = call.text(0)?;
        call.integers(|row| Some(texts.get(row)?.len() as i64))
    }),
    text!(
        "char_length",
        &["character_length"],
        "char_length(text)",
        "Number of characters.",
        &[T],
        &[],
        Integer,
        |call| {
            let texts = call.text(0)?;
            call.integers(|row| Some(texts.get(row)?.chars().count() as i64))
        }
    ),
    text!("ascii", &[], "ascii(text)", "The first byte.", &[T], &[], Integer, |call| {
        let texts = call.text(0)?;
        call.integers(|row| Some(texts.get(row)?.bytes().next().map_or(0, i64::from)))
    }),
    text!("char", &["chr"], "char(code)", "The character with a code of Unicode.", &[I], &[], Text, |call| {
        let codes = call.integer(0)?;
        call.texts(|row, out| {
            out.push(u32::try_from(codes.get(row)?).ok().and_then(char::from_u32)?);
            Some(())
        })
    }),
];

/// A count of characters; what is negative is none.
fn count(value: i64) -> usize {
    usize::try_from(value.max(0)).unwrap_or(usize::MAX)
}

/// Byte at which the character at `place` (from 0) begins; the length if there is none.
pub(super) fn byte_of(text: &str, place: usize) -> usize {
    if text.is_ascii() {
        return place.min(text.len());
    }
    text.char_indices().nth(place).map_or(text.len(), |(byte, _)| byte)
}

/// Byte at which the last `length` characters begin.
fn byte_from_end(text: &str, length: usize) -> usize {
    match length.checked_sub(1) {
        None => text.len(),
        Some(before) => text.char_indices().rev().nth(before).map_or(0, |(byte, _)| byte),
    }
}

fn repeat(out: &mut String, text: &str, times: usize) -> Option<()> {
    if text.len().checked_mul(times)? > MOST_BYTES {
        return None;
    }
    (0..times).for_each(|_| out.push_str(text));
    Some(())
}

fn concat(call: &Call<'_>) -> Result<ArrayRef> {
    let parts = (0..call.len()).map(|index| call.text(index)).collect::<Result<Vec<_>>>()?;
    call.texts(|row, out| {
        for part in &parts {
            out.push_str(part.get(row)?);
        }
        Some(())
    })
}

fn concat_ws(call: &Call<'_>) -> Result<ArrayRef> {
    let parts = (0..call.len()).map(|index| call.text(index)).collect::<Result<Vec<_>>>()?;
    let Some((separators, parts)) = parts.split_first() else { return call.array(0) };
    call.texts(|row, out| {
        let separator = separators.get(row)?;
        for (index, part) in parts.iter().filter_map(|part| part.get(row)).enumerate() {
            if index > 0 {
                out.push_str(separator);
            }
            out.push_str(part);
        }
        Some(())
    })
}

fn trimmed(call: &Call<'_>, begin: bool, end: bool) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let characters = call.has(1).then(|| call.text(1)).transpose()?;
    call.slices(|row| {
        let set = match &characters {
            Some(characters) => characters.get(row)?,
            None => " ",
        };
        let mut text = texts.get(row)?;
        if begin {
            text = text.trim_start_matches(|character| set.contains(character));
        }
        if end {
            text = text.trim_end_matches(|character| set.contains(character));
        }
        Some(text)
    })
}

fn substr(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, places) = (call.text(0)?, call.integer(1)?);
    let lengths = call.has(2).then(|| call.integer(2)).transpose()?;
    call.slices(|row| {
        let (text, place) = (texts.get(row)?, places.get(row)?);
        let length = match &lengths {
            Some(lengths) => count(lengths.get(row)?),
            None => usize::MAX,
        };
        let begin = match place {
            0 => return Some(""),
            1.. => byte_of(text, count(place - 1)),
            _ => {
                let back = count(place.checked_neg()?);
                // A beginning before the first character is no part of the text.
                if back > text.len() || back > text.chars().count() {
                    return Some("");
                }
                byte_from_end(text, back)
            }
        };
        let rest = &text[begin..];
        Some(&rest[..byte_of(rest, length)])
    })
}

fn padded(call: &Call<'_>, left: bool) -> Result<ArrayRef> {
    let (texts, lengths) = (call.text(0)?, call.integer(1)?);
    let fills = call.has(2).then(|| call.text(2)).transpose()?;
    call.texts(|row, out| {
        let (text, length) = (texts.get(row)?, lengths.get(row)?);
        let fill = match &fills {
            Some(fills) => fills.get(row)?,
            None => " ",
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= MOST_BYTES)?;
        let there = text.chars().count();
        if length <= there {
            out.push_str(&text[..byte_of(text, length)]);
            return Some(());
        }
        if !left {
            out.push_str(text);
        }
        if !fill.is_empty() {
            out.extend(fill.chars().cycle().take(length - there));
        }
        if left {
            out.push_str(text);
        }
        (out.len() <= MOST_BYTES).then_some(())
    })
}

fn split_part(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, separators, indices) = (call.text(0)?, call.text(1)?, call.integer(2)?);
    call.slices(|row| {
        let (text, separator, index) = (texts.get(row)?, separators.get(row)?, indices.get(row)?);
        if separator.is_empty() {
            return None;
        }
        match index {
            0 => None,
            1.. => text.split(separator).nth(count(index - 1)),
            _ => text.rsplit(separator).nth(count(index.checked_neg()? - 1)),
        }
    })
}

fn split(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, separators) = (call.text(0)?, call.text(1)?);
    let field = match call.returns {
        DataType::List(field) => Arc::clone(field),
        _ => Arc::new(Field::new_list_field(DataType::Utf8, true)),
    };
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(field);
    for row in 0..call.rows {
        let (Some(text), Some(separator)) = (texts.get(row), separators.get(row)) else {
            lists.append(false);
            continue;
        };
        if separator.is_empty() {
            let mut buffer = [0; 4];
            text.chars()
                .for_each(|character| lists.values().append_value(character.encode_utf8(&mut buffer)));
        } else {
            text.split(separator).for_each(|part| lists.values().append_value(part));
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

fn substring_index(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, separators, counts) = (call.text(0)?, call.text(1)?, call.integer(2)?);
    call.slices(|row| {
        let (text, separator, wanted) = (texts.get(row)?, separators.get(row)?, counts.get(row)?);
        if separator.is_empty() || wanted == 0 {
            return if wanted == 0 { None } else { Some("") };
        }
        if wanted > 0 {
            let end = text.match_indices(separator).nth(count(wanted - 1)).map(|(byte, _)| byte);
            return Some(&text[..end.unwrap_or(text.len())]);
        }
        let begin = text.rmatch_indices(separator).nth(count(wanted.checked_neg()? - 1));
        Some(&text[begin.map_or(0, |(byte, _)| byte + separator.len())..])
    })
}
