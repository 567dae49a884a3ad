//! A manifest: the JSON list of files that a source names in place of paths. Reading it is pure; what the
//! store has under those names is compared by [`crate::load`].
//!
//! Two forms: `[{"key": "day=1/a.csv", "size": 10, "etag": "…", "mandatory": false}, …]`, where `path` or
//! `url` may stand for `key`, and `{"entries": [{"url": "s3://b/k", "mandatory": true}]}`. Names are literal: a
//! `*` in them is a `*`.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::list_page::bare_etag;

/// Most bytes of a manifest: about a million entries.
pub const MAX_MANIFEST_BYTES: u64 = 64 << 20;

/// A manifest cannot be used; the message names it, and the entry (counted from 1) at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// There is no such object.
    #[error("manifest {manifest} does not exist; check its path, or write it before the load")]
    NotFound {
        /// The manifest.
        manifest: String,
    },
    /// The path has wildcards, or leads nowhere.
    #[error("manifest {manifest:?}: {reason}; write s3://bucket/key of one object")]
    InvalidPath {
        /// As written.
        manifest: String,
        /// What is wrong.
        reason: String,
    },
    /// It is larger than can be taken.
    #[error("manifest {manifest} has {size} bytes and may have {limit}; split it over several sources")]
    TooLarge {
        /// The manifest.
        manifest: String,
        /// Bytes.
        size: u64,
        /// Most bytes.
        limit: u64,
    },
    /// It is no JSON of a known form.
    #[error(
        "manifest {manifest}: {reason}; write a list of {{\"key\" or \"path\", optional \"size\", \"etag\", \
         \"mandatory\"}}"
    )]
    Invalid {
        /// The manifest.
        manifest: String,
        /// What is wrong, with the entry, line and column.
        reason: String,
    },
    /// A mandatory entry names no object.
    #[error(
        "manifest {manifest}, entry {entry}: {file} does not exist; write the file, or say \"mandatory\": false"
    )]
    FileMissing {
        /// The manifest.
        manifest: String,
        /// Place of the entry, from 1.
        entry: u64,
        /// What it names.
        file: String,
    },
    /// An entry names an object of another size or ETag.
    #[error("manifest {manifest}, entry {entry}: {file} {difference}; write the manifest again")]
    FileDiffers {
        /// The manifest.
        manifest: String,
        /// Place of the entry, from 1.
        entry: u64,
        /// What it names.
        file: String,
        /// What differs.
        difference: String,
    },
}

impl ManifestError {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "ManifestNotFound",
            Self::InvalidPath { .. } => "InvalidPath",
            Self::TooLarge { .. } => "ManifestTooLarge",
            Self::Invalid { .. } => "InvalidManifest",
            Self::FileMissing { .. } => "ManifestFileMissing",
            Self::FileDiffers { .. } => "ManifestFileDiffers",
        }
    }
}

/// One file of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Bucket.
    pub bucket: String,
    /// Key, literal.
    pub key: String,
    /// Bytes that it must have.
    pub size: Option<u64>,
    /// ETag that it must have, without quotes.
    pub etag: Option<String>,
    /// Whether the load fails without it.
    pub mandatory: bool,
}

/// Reads a manifest that lies in `bucket`: a `key` without a bucket is one of the same bucket. `name` is for
/// messages.
///
/// # Errors
/// [`ManifestError::Invalid`], naming the entry.
pub fn parse_manifest(name: &str, bucket: &str, text: &[u8]) -> Result<Vec<ManifestEntry>, ManifestError> {
    let invalid = |reason: String| ManifestError::Invalid { manifest: name.to_owned(), reason };
    let document: Document = serde_json::from_slice(text).map_err(|error| invalid(error.to_string()))?;
    let mut entries = Vec::with_capacity(document.0.len());
    let mut places: HashMap<(String, String), usize> = HashMap::with_capacity(document.0.len());
    for (index, raw) in document.0.into_iter().enumerate() {
        let number = index + 1;
        let entry = raw.checked(bucket).map_err(|reason| invalid(format!("entry {number}: {reason}")))?;
        if let Some(first) = places.insert((entry.bucket.clone(), entry.key.clone()), number) {
            let file = format!("s3://{}/{}", entry.bucket, entry.key);
            return Err(invalid(format!("entries {first} and {number} both name {file}")));
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Either form, as it stands.
struct Document(Vec<RawEntry>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    key: Option<String>,
    path: Option<String>,
    url: Option<String>,
    size: Option<u64>,
    etag: Option<String>,
    #[serde(default = "yes")]
    mandatory: bool,
    meta: Option<RawMeta>,
}

/// What an UNLOAD writes beside a file.
#[derive(Deserialize)]
struct RawMeta {
    content_length: Option<u64>,
}

/// A file that nobody said may be missing is not dropped in silence.
fn yes() -> bool {
    true
}

impl RawEntry {
    fn checked(self, own_bucket: &str) -> Result<ManifestEntry, String> {
        let Self { key, path, url, size, etag, mandatory, meta } = self;
        let (bucket, key) = match (key, path, url) {
            (Some(key), None, None) => (own_bucket.to_owned(), key),
            (None, Some(path), None) | (None, None, Some(path)) => split(&path)?,
            (None, None, None) => return Err("it has neither key nor path".to_owned()),
            _ => return Err("it has more than one of key, path and url".to_owned()),
        };
        if key.is_empty() || key.ends_with('/') {
            return Err(format!("{key:?} is no key of an object"));
        }
        let size = size.or(meta.and_then(|meta| meta.content_length));
        let etag = etag.map(|etag| bare_etag(&etag).to_owned());
        Ok(ManifestEntry { bucket, key, size, etag, mandatory })
    }
}

/// Bucket and key of `s3://bucket/key`, all of it literal.
pub fn split(path: &str) -> Result<(String, String), String> {
    let rest = path.strip_prefix("s3://").or_else(|| path.strip_prefix("s3a://"));
    match rest.and_then(|rest| rest.split_once('/')) {
        Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
            Ok((bucket.to_owned(), key.to_owned()))
        }
        _ => Err(format!("{path:?} is not s3://bucket/key")),
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherForm).map(Self)
    }
}

struct EitherForm;

impl<'de> Visitor<'de> for EitherForm {
    type Value = Vec<RawEntry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files, or an object with \"entries\"")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        loop {
            let number = entries.len() + 1;
            match list.next_element() {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => return Ok(entries),
                Err(error) => return Err(A::Error::custom(format!("entry {number}: {error}"))),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut entries = None;
        while let Some(field) = object.next_key::<String>()? {
            if field == "entries" {
                let Document(found) = object.next_value()?;
                entries = Some(found);
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        entries.ok_or_else(|| A::Error::custom("the object has no \"entries\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<ManifestEntry>, String> {
        parse_manifest("s3://m/list.json", "m", text.as_bytes()).map_err(|error| {
            assert_eq!(error.category(), "InvalidManifest");
            error.to_string()
        })
    }

    fn entry(bucket: &str, key: &str) -> ManifestEntry {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        ManifestEntry { bucket, key, size: None, etag: None, mandatory: true }
    }

    #[test]
    fn both_forms_and_all_names_of_a_file_are_read() {
        let own = parsed(
            r#"[{"key": "day=1/a*.csv", "size": 10, "etag": "\"e\""}, {"path": "s3://b/x y", "mandatory": false}]"#,
        );
        let expected = [
            ManifestEntry { size: Some(10), etag: Some("e".to_owned()), ..entry("m", "day=1/a*.csv") },
            ManifestEntry { mandatory: false, ..entry("b", "x y") },
        ];
        assert_eq!(own.unwrap(), expected);
        let unloaded = parsed(
            r#"{"author": {"name": "x"}, "entries": [{"url": "s3a://b/k", "mandatory": true,
                "meta": {"content_length": 5, "record_count": 1}}], "meta": {}}"#,
        );
        assert_eq!(unloaded.unwrap(), [ManifestEntry { size: Some(5), ..entry("b", "k") }]);
        assert_eq!(parsed("[]").unwrap(), []);
    }

    #[test]
    fn an_error_names_the_entry_and_its_place() {
        for (text, words) in [
            (r#"[{"key": "a"}, {"kye": "b"}]"#, &["s3://m/list.json", "entry 2", "`kye`", "line 1"][..]),
            (r#"[{"key": "a"}, {}]"#, &["entry 2: it has neither key nor path"]),
            (r#"[{"key": "a", "path": "s3://b/k"}]"#, &["entry 1: it has more than one"]),
            (
                r#"[{"key": "a"}, {"key": "b"}, {"path": "s3://m/a"}]"#,
                &["entries 1 and 3 both name s3://m/a"],
            ),
            (r#"[{"path": "b/k"}]"#, &["entry 1", "is not s3://bucket/key"]),
            (r#"[{"key": "a/"}]"#, &["entry 1", "no key of an object"]),
            (r#"[{"key": "a", "size": -1}]"#, &["entry 1"]),
            (r#"{"files": []}"#, &["no \"entries\""]),
            ("7", &["a list of files"]),
            (r#"[{"key": "a"}"#, &["entry 2: EOF"]),
            ("", &["EOF"]),
        ] {
            let error = parsed(text).unwrap_err();
            for word in words {
                assert!(error.contains(word), "{text}: {word} is not in {error}");
            }
        }
    }
}
