//! Paths to a value in a JSON document, as a person writes them: `$.a.b[0]`, `$["a b"]`.

/// A path: from the document to one value in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonPath {
    /// The steps, outermost first; none: the document itself.
    pub steps: Vec<JsonStep>,
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonStep {
    /// The value of a key of an object; case matters.
    Key(String),
    /// An element of an array, counted from 0.
    Index(usize),
}

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is no JSON path: {reason}; write $.a.b[0] or $[\"a b\"]")]
pub struct JsonPathError {
    /// The text.
    pub path: String,
    /// What is wrong.
    pub reason: &'static str,
}

impl JsonPath {
    /// Reads a path. `$` alone is the document itself.
    ///
    /// # Errors
    /// [`JsonPathError`]; wildcards, filters and slices are refused.
    pub fn parse(path: &str) -> Result<Self, JsonPathError> {
        let error = |reason| JsonPathError { path: path.to_owned(), reason };
        let mut rest = path.trim().strip_prefix('$').ok_or_else(|| error("it does not begin with $"))?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, length) = step(rest).map_err(error)?;
            steps.push(step);
            rest = &rest[length..];
        }
        Ok(Self { steps })
    }

    /// The path to the value of a key of the document, whatever characters it has.
    pub fn key(key: &str) -> Self {
        Self { steps: vec![JsonStep::Key(key.to_owned())] }
    }
}

/// The step at the start of `rest`, and the bytes that it takes.
fn step(rest: &str) -> Result<(JsonStep, usize), &'static str> {
    if let Some(name) = rest.strip_prefix('.') {
        let length = name.find(['.', '[']).unwrap_or(name.len());
        return match &name[..length] {
            "" => Err("a key is empty"),
            "*" => Err("it has a wildcard"),
            key => Ok((JsonStep::Key(key.to_owned()), length + 1)),
        };
    }
    let inner = rest.strip_prefix('[').ok_or("a key follows no dot")?;
    if let Some(quote) = inner.chars().next().filter(|quote| matches!(quote, '"' | '\'')) {
        let end = inner[1..].find(quote).ok_or("a quote does not end")?;
        if !inner[end + 2..].starts_with(']') {
            return Err("a bracket does not end");
        }
        return Ok((JsonStep::Key(inner[1..=end].to_owned()), end + 4));
    }
    let end = inner.find(']').ok_or("a bracket does not end")?;
    let index = inner[..end].parse().map_err(|_| "an index is no number")?;
    Ok((JsonStep::Index(index), end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_people_write() {
        let key = |key: &str| JsonStep::Key(key.to_owned());
        for (path, steps) in [
            ("$", vec![]),
            ("$.a", vec![key("a")]),
            ("$.a.b[0]", vec![key("a"), key("b"), JsonStep::Index(0)]),
            ("$[\"a b\"].c", vec![key("a b"), key("c")]),
            ("$['x'][12]", vec![key("x"), JsonStep::Index(12)]),
            (" $.\u{e9} ", vec![key("\u{e9}")]),
        ] {
            assert_eq!(JsonPath::parse(path).map(|path| path.steps), Ok(steps), "{path}");
        }
        for path in [
            "",
            "a",
            "$a",
            "$.",
            "$..a",
            "$.*",
            "$[*]",
            "$[0",
            "$['a",
            "$['a'",
            "$[-1]",
            "$.a[]",
            "$['\u{e9}",
        ] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
