//! ListObjectsV2 and the encodings of its keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Bound;

use super::index::Entry;

/// Keys of a page.
const MAX_KEYS: usize = 1000;

/// A page as XML; the continuation token is the last key or common prefix of the page before.
pub(super) fn page(bucket: &str, keys: &BTreeMap<String, Entry>, query: &str) -> String {
    let prefix = parameter(query, "prefix").unwrap_or_default();
    let delimiter = parameter(query, "delimiter").filter(|delimiter| !delimiter.is_empty());
    let after = parameter(query, "continuation-token").or_else(|| parameter(query, "start-after"));
    let after = after.unwrap_or_default();
    let url = parameter(query, "encoding-type").as_deref() == Some("url");
    let limit =
        parameter(query, "max-keys").and_then(|number| number.parse().ok()).unwrap_or(MAX_KEYS).min(MAX_KEYS);
    let write_key = |key: &str| if url { encode(key) } else { escape(key) };

    let mut contents = String::new();
    let mut prefixes = BTreeSet::new();
    let (mut count, mut last, mut truncated) = (0, String::new(), false);
    let first =
        if after > prefix { Bound::Excluded(after.as_str()) } else { Bound::Included(prefix.as_str()) };
    for (key, entry) in keys.range::<str, _>((first, Bound::Unbounded)) {
        if !key.starts_with(&prefix) {
            break;
        }
        let name = common_prefix(key, &prefix, delimiter.as_deref()).unwrap_or_else(|| key.clone());
        if name.as_str() <= after.as_str() || prefixes.contains(&name) {
            continue;
        }
        if count == limit {
            truncated = true;
            break;
        }
        count += 1;
        if name.len() < key.len() {
            prefixes.insert(name.clone());
        } else {
            // Writing to a String cannot fail.
            write!(
                contents,
                "<Contents><Key>{}</Key><LastModified>2017-11-25T00:00:00.000Z</LastModified><ETag>{}</ETag>\
                 <Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                write_key(key),
                escape(&entry.etag),
                entry.size
            )
            .unwrap_or_default();
        }
        last = name;
    }
    let prefixes: String = prefixes
        .iter()
        .map(|name| format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", write_key(name)))
        .collect();
    let encoding = if url { "<EncodingType>url</EncodingType>" } else { "" };
    let next = if truncated {
        format!("<NextContinuationToken>{}</NextContinuationToken>", escape(&last))
    } else {
        String::new()
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>{bucket}</Name><Prefix>{}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>{limit}</MaxKeys>\
         <IsTruncated>{truncated}</IsTruncated>{encoding}{next}{contents}{prefixes}</ListBucketResult>",
        write_key(&prefix),
    )
}

fn common_prefix(key: &str, prefix: &str, delimiter: Option<&str>) -> Option<String> {
    let delimiter = delimiter?;
    let end = prefix.len() + key[prefix.len()..].find(delimiter)? + delimiter.len();
    Some(key[..end].to_owned())
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| decode(&value.replace('+', " ")))
}

/// Decodes `%XX`; bytes that are no UTF-8 are replaced.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encode(key: &str) -> String {
    key.bytes()
        .map(|byte| match byte {
            b'-' | b'_' | b'.' | b'/' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn keys(names: &[&str]) -> BTreeMap<String, Entry> {
        let entry = || Entry { path: PathBuf::new(), size: 1, etag: "\"e\"".into() };
        names.iter().map(|name| ((*name).to_owned(), entry())).collect()
    }

    #[test]
    fn pages_follow_each_other() {
        let keys = keys(&["a", "b/1", "b/2", "c d"]);
        let first = page("bucket", &keys, "list-type=2&delimiter=%2F&max-keys=2");
        assert!(first.contains("<Key>a</Key>") && first.contains("<Prefix>b/</Prefix>"));
        assert!(first.contains("<NextContinuationToken>b/</NextContinuationToken>"));
        let second =
            page("bucket", &keys, "list-type=2&delimiter=/&encoding-type=url&continuation-token=b%2F");
        assert!(second.contains("<Key>c%20d</Key>") && second.contains("<IsTruncated>false"));
        let prefixed = page("bucket", &keys, "list-type=2&prefix=b/&start-after=b/1");
        assert!(prefixed.contains("<KeyCount>1</KeyCount>") && prefixed.contains("<Key>b/2</Key>"));
    }

    #[test]
    fn text_is_decoded() {
        assert_eq!(decode("a%20b%2"), "a b%2");
        assert_eq!(decode("%C3%A4"), "\u{e4}");
    }
}
