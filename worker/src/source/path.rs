//! A path of a source: `s3://bucket/key` or a local one, with wildcards.

use std::fmt;

use super::error::SourceError;
use super::glob::Glob;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Bucket(String),
    Local,
}

/// A path with wildcards, read once and ready to match. A path without wildcards is exactly that key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    place: Place,
    glob: Glob,
}

impl PathPattern {
    /// Reads `s3://bucket/pattern`, `s3a://bucket/pattern`, `file:///pattern` or a plain local path.
    ///
    /// Errors with [`SourceError::InvalidPath`], which names the position, for another scheme, a missing
    /// bucket or key, and wildcards that are not closed.
    pub fn parse(path: &str) -> Result<Self, SourceError> {
        let invalid = |reason: String| SourceError::InvalidPath { path: path.to_owned(), reason };
        let (place, pattern) = match path.split_once("://") {
            Some(("s3" | "s3a", rest)) => {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                check_bucket(bucket).map_err(invalid)?;
                if key.is_empty() {
                    return Err(invalid(
                        "names no key; write s3://bucket/* for every object at its top".into(),
                    ));
                }
                (Place::Bucket(bucket.to_owned()), key)
            }
            Some(("file", rest)) if rest.starts_with('/') => (Place::Local, rest),
            Some(("file", _)) => {
                return Err(invalid("file:// needs three slashes: file:///folder/file".into()));
            }
            Some((scheme, _)) if is_scheme(scheme) => {
                return Err(invalid(format!("scheme {scheme:?} is not known, expected s3:// or s3a://")));
            }
            _ if path.is_empty() => return Err(invalid("is empty".into())),
            _ => (Place::Local, path),
        };
        let glob = Glob::parse(pattern).map_err(|mut error| {
            // Positions count from the start of the path as written.
            error.position += path[..path.len() - pattern.len()].chars().count();
            invalid(error.to_string())
        })?;
        Ok(Self { text: path.to_owned(), place, glob })
    }

    /// The bucket; empty for a local path.
    pub fn bucket(&self) -> &str {
        match &self.place {
            Place::Bucket(bucket) => bucket,
            Place::Local => "",
        }
    }

    /// Whether it is a path of this machine.
    pub fn is_local(&self) -> bool {
        self.place == Place::Local
    }

    /// The longest text that every matching key begins with.
    pub fn literal_prefix(&self) -> &str {
        self.glob.literal_prefix()
    }

    /// Whether the key, or local path, matches.
    pub fn matches(&self, key: &str) -> bool {
        self.glob.matches(key)
    }

    /// Whether a key can match that begins with `prefix`.
    pub fn reaches(&self, prefix: &str) -> bool {
        let literal = self.glob.literal_prefix();
        match prefix.strip_prefix(literal) {
            Some(rest) => !self.glob.advance(self.glob.after_prefix(), rest).is_dead(),
            None => literal.starts_with(prefix),
        }
    }

    /// The wildcards of the key.
    pub(super) fn glob(&self) -> &Glob {
        &self.glob
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn check_bucket(bucket: &str) -> Result<(), String> {
    if bucket.is_empty() {
        return Err("names no bucket; write s3://bucket/key".into());
    }
    match bucket.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))) {
        Some(c) => Err(format!("bucket {bucket:?} holds {c:?}; wildcards stand only after the bucket")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(path: &str) -> String {
        match PathPattern::parse(path) {
            Err(SourceError::InvalidPath { reason, .. }) => reason,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn both_schemes_name_bucket_and_key() {
        for path in ["s3://b/a/*.parquet", "s3a://b/a/*.parquet"] {
            let pattern = PathPattern::parse(path).unwrap();
            assert_eq!((pattern.bucket(), pattern.literal_prefix()), ("b", "a/"));
            assert!(pattern.matches("a/x.parquet") && !pattern.matches("a/b/x.parquet"));
            assert_eq!(pattern.to_string(), path);
        }
    }

    #[test]
    fn a12_comma_space_percent_plus_unicode_are_the_key() {
        let key = "a, b/dt=2024%3A01/c+d/zürich 東京.parquet";
        let pattern = PathPattern::parse(&format!("s3://b/{key}")).unwrap();
        assert_eq!(pattern.literal_prefix(), key);
        assert!(pattern.matches(key));
        assert!(!pattern.matches("a, b/dt=2024:01/c d/zürich 東京.parquet"));
    }

    #[test]
    fn a_leading_slash_belongs_to_the_key() {
        assert_eq!(PathPattern::parse("s3://b//x").unwrap().literal_prefix(), "/x");
    }

    #[test]
    fn a_pattern_reaches_the_places_where_it_can_match() {
        let pattern = PathPattern::parse("s3://b/in/dt=*/*.parquet").unwrap();
        for (prefix, expected) in [
            ("", true),
            ("in/", true),
            ("in/dt=1/", true),
            ("in/dt=1/x/", false),
            ("done/", false),
            ("in/a/", false),
        ] {
            assert_eq!(pattern.reaches(prefix), expected, "{prefix}");
        }
    }

    #[test]
    fn local_paths() {
        for path in ["/data/*.parquet", "file:///data/*.parquet"] {
            let pattern = PathPattern::parse(path).unwrap();
            assert!(pattern.is_local());
            assert!(pattern.matches("/data/x.parquet"));
        }
        assert!(PathPattern::parse("data/x.parquet").unwrap().is_local());
    }

    #[test]
    fn errors_say_what_and_where() {
        assert!(reason("gs://b/x").contains("\"gs\""));
        assert!(reason("s3://b").contains("names no key"));
        assert!(reason("s3://b/").contains("names no key"));
        assert!(reason("s3:///x").contains("names no bucket"));
        assert!(reason("s3://b*/x").contains("only after the bucket"));
        assert!(reason("").contains("empty"));
        assert!(
            reason("s3://b/a[x").starts_with("character 9: '[' is not closed"),
            "{}",
            reason("s3://b/a[x")
        );
        assert!(reason("s3://b/{a,b").starts_with("character 8: '{' is not closed"));
    }
}
