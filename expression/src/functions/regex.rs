//! Regular expressions: those of the `regex` crate, which look around nothing and take linear time.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use datafusion_common::Result;
use regex::Regex;

use super::call::Call;
use super::definition::{Definition, Kind, Returns};
use super::text::{MOST_BYTES, text};

/// Patterns that are kept compiled while a batch is worked on.
const KEPT: usize = 64;

pub(super) static DEFINITIONS: &[Definition] = &[
    text!(
        "regexp",
        &["rlike", "regexp_like"],
        "regexp(text, pattern)",
        "Whether a pattern matches anywhere.",
        &[Kind::Text, Kind::Text],
        &[],
        Boolean,
        |call| {
            let (texts, patterns) = (call.text(0)?, call.text(1)?);
            let mut memory = Patterns::default();
            call.booleans(|row| Some(memory.get(patterns.get(row)?)?.is_match(texts.get(row)?)))
        }
    ),
    text!(
        "regexp_extract",
        &[],
        "regexp_extract(text, pattern, group)",
        "What a group of the first match holds (0: the whole match); nothing matched: an empty text.",
        &[Kind::Text, Kind::Text, Kind::Integer],
        &[],
        Text,
        |call| {
            let (texts, patterns, groups) = (call.text(0)?, call.text(1)?, call.integer(2)?);
            let mut memory = Patterns::default();
            call.slices(|row| {
                let (text, group) = (texts.get(row)?, groups.get(row)?);
                let pattern = memory.get(patterns.get(row)?)?;
                let Ok(group) = usize::try_from(group) else { return Some("") };
                let found = pattern.captures(text).and_then(|captures| captures.get(group));
                Some(found.map_or("", |found| found.as_str()))
            })
        }
    ),
    text!(
        "regexp_replace",
        &[],
        "regexp_replace(text, pattern, replacement)",
        "Each match replaced; `\\\\1` stands for the first group.",
        &[Kind::Text, Kind::Text, Kind::Text],
        &[],
        Text,
        replace
    ),
    text!(
        "regexp_count",
        &[],
        "regexp_count(text, pattern)",
        "Number of matches.",
        &[Kind::Text, Kind::Text],
        &[],
        Integer,
        |call| {
            let (texts, patterns) = (call.text(0)?, call.text(1)?);
            let mut memory = Patterns::default();
            call.integers(|row| {
                Some(memory.get(patterns.get(row)?)?.find_iter(texts.get(row)?).count() as i64)
            })
        }
    ),
];

fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns, replacements) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let mut memory = Patterns::default();
    call.texts(|row, out| {
        let (text, replacement) = (texts.get(row)?, replacements.get(row)?);
        let pattern = memory.get(patterns.get(row)?)?;
        let mut end = 0;
        for captures in pattern.captures_iter(text) {
            let whole = captures.get(0)?;
            out.push_str(&text[end..whole.start()]);
            push_replacement(out, replacement, &captures);
            end = whole.end();
            if out.len() > MOST_BYTES.max(text.len()) {
                return None;
            }
        }
        out.push_str(&text[end..]);
        Some(())
    })
}

/// `\1` to `\9` are groups, `\0` the match, `\\` a backslash.
fn push_replacement(out: &mut String, replacement: &str, captures: &regex::Captures<'_>) {
    let mut characters = replacement.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some(digit) if digit.is_ascii_digit() => {
                let group = digit.to_digit(10).unwrap_or(0) as usize;
                out.push_str(captures.get(group).map_or("", |found| found.as_str()));
            }
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
}

/// Compiled patterns by their text; `None`: no pattern.
#[derive(Default)]
struct Patterns(HashMap<String, Option<Regex>>);

impl Patterns {
    fn get(&mut self, pattern: &str) -> Option<&Regex> {
        if !self.0.contains_key(pattern) {
            if self.0.len() >= KEPT {
                self.0.clear();
            }
            self.0.insert(pattern.to_owned(), Regex::new(pattern).ok());
        }
        self.0.get(pattern)?.as_ref()
    }
}
