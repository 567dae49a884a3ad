//! Paths into JSON: `$.a."b.c"[0][*]`.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Most steps of a path.
const MOST_STEPS: usize = 100;

/// A parsed path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Key(String),
    Index(usize),
    Every,
}

impl Path {
    /// `$` (which may be left out), then `.key`, `."key"`, `[index]`, `[*]`, `["key"]`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        let mut parts = Vec::new();
        // Without `$` the first key needs no point.
        if !text.starts_with('$') && !rest.starts_with(['.', '[']) {
            rest = key(rest, &mut parts)?;
        }
        while !rest.is_empty() {
            if parts.len() >= MOST_STEPS {
                return None;
            }
            rest = match rest.strip_prefix('.') {
                Some(rest) => key(rest, &mut parts)?,
                None => bracket(rest.strip_prefix('[')?, &mut parts)?,
            };
        }
        Some(Self(parts))
    }

    /// What stands at the path, as it is written. Several values (behind `[*]`, or a key of an array's
    /// elements) become an array.
    pub(super) fn find(&self, json: &str) -> Option<String> {
        let root: &RawValue = serde_json::from_str(json).ok()?;
        let mut found = vec![root.get()];
        let mut several = false;
        for part in &self.0 {
            let mut next = Vec::new();
            for value in found {
                several |= step(value, part, &mut next);
            }
            found = next;
        }
        match found.as_slice() {
            [] => None,
            [one] if !several => Some((*one).to_owned()),
            many => Some(format!("[{}]", many.join(","))),
        }
    }
}

fn key<'t>(text: &'t str, parts: &mut Vec<Part>) -> Option<&'t str> {
    if let Some(quoted) = text.strip_prefix('"') {
        let end = quoted.find('"')?;
        parts.push(Part::Key(quoted[..end].to_owned()));
        return quoted.get(end + 1..);
    }
    let end = text.find(['.', '[']).unwrap_or(text.len());
    match &text[..end] {
        "" => return None,
        "*" => parts.push(Part::Every),
        key => parts.push(Part::Key(key.to_owned())),
    }
    text.get(end..)
}

fn bracket<'t>(text: &'t str, parts: &mut Vec<Part>) -> Option<&'t str> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    if let Some(quote) = quote {
        let (key, rest) = text[1..].split_once(quote)?;
        parts.push(Part::Key(key.to_owned()));
        return rest.strip_prefix(']');
    }
    let (inside, rest) = text.split_once(']')?;
    parts.push(match inside.trim() {
        "*" => Part::Every,
        index => Part::Index(index.parse().ok()?),
    });
    Some(rest)
}

/// Adds what `part` of `value` is; true if it may be more than one value.
fn step<'j>(value: &'j str, part: &Part, found: &mut Vec<&'j str>) -> bool {
    let is_array = value.starts_with('[');
    match part {
        Part::Key(name) if is_array => {
            for element in elements(value, None) {
                found.extend(member(element, name));
            }
            true
        }
        Part::Key(name) => {
            found.extend(member(value, name));
            false
        }
        Part::Index(index) => {
            if is_array {
                found.extend(elements(value, Some(*index)).pop());
            } else if *index == 0 {
                // A value that is no array is read as an array of itself.
                found.push(value);
            }
            false
        }
        Part::Every => {
            if is_array {
                found.extend(elements(value, None));
            }
            true
        }
    }
}

/// All elements of an array, or only the one at an index.
fn elements(json: &str, index: Option<usize>) -> Vec<&str> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_seq(Elements(index)).unwrap_or_default()
}

struct Elements(Option<usize>);

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        let mut place = 0;
        loop {
            if self.0.is_none_or(|index| index == place) {
                let Some(element) = array.next_element::<&'de RawValue>()? else { break };
                found.push(element.get());
            } else if array.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
            place += 1;
        }
        Ok(found)
    }
}

/// The member of an object; of two with one name the last.
fn member<'j>(json: &'j str, name: &str) -> Option<&'j str> {
    if !json.starts_with('{') {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_map(Member(name)).ok().flatten()
}

struct Member<'n>(&'n str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = object.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == self.0 {
                found = Some(object.next_value::<&'de RawValue>()?.get());
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(json: &str, path: &str) -> Option<String> {
        Path::parse(path)?.find(json)
    }

    #[test]
    fn forms_of_paths() {
        let json = r#"{"a":{"b.c":[1,{"d":"x"}]},"n":12345678901234567890.10,"a b":1}"#;
        assert_eq!(find(json, "$.a.\"b.c\"[1].d").as_deref(), Some("\"x\""));
        assert_eq!(find(json, "a.\"b.c\"[0]").as_deref(), Some("1"));
        assert_eq!(find(json, "$[\"a b\"]").as_deref(), Some("1"));
        assert_eq!(find(json, "$.n").as_deref(), Some("12345678901234567890.10"));
        assert_eq!(find(json, "$.a.\"b.c\"[*].d").as_deref(), Some("[\"x\"]"));
        assert_eq!(find(json, "$").as_deref(), Some(json));
        for absent in ["$.x", "$.a.x", "$.n.x", "$.a.\"b.c\"[2]"] {
            assert_eq!(find(json, absent), None, "{absent}");
        }
        for bad in ["$.", "$[", "$[x]", "$.a[1", "$.\"a", "$x y["] {
            assert_eq!(Path::parse(bad), None, "{bad}");
        }
        assert_eq!(find("{", "$.a"), None);
        assert_eq!(find(r#"{"a":1,"a":2}"#, "$.a").as_deref(), Some("2"));
    }
}
