//! Which S3 operation a request asks for, told from its method, path and query.

use std::fmt;

use http::{HeaderMap, Method, Uri};
use serde::{Deserialize, Serialize};

/// An operation that the server counts and can fail on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// Names of all buckets.
    ListBuckets,
    /// One page of keys, second version of the call.
    ListObjectsV2,
    /// One page of keys, first version of the call.
    ListObjects,
    /// Content of an object or of a range of it.
    GetObject,
    /// Size and ETag of an object.
    HeadObject,
    /// A new object, or new content for one.
    PutObject,
    /// Removal of an object.
    DeleteObject,
    /// A copy of an object under another key.
    CopyObject,
    /// The tags of an object.
    GetObjectTagging,
    /// Other tags for an object.
    PutObjectTagging,
    /// Whether a bucket exists.
    HeadBucket,
    /// A new bucket.
    CreateBucket,
    /// Temporary credentials for a role (STS).
    AssumeRole,
    /// Anything else.
    Other,
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// A request as the gate sees it: its operation, bucket and key (both empty when absent).
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub operation: Operation,
    pub bucket: String,
    pub key: String,
}

impl Target {
    /// Reads method, path, query and headers; a path that is no valid UTF-8 gets an empty key.
    pub fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let path = percent_decode(uri.path());
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query = uri.query().unwrap_or_default();
        let operation = match operation_of(method, bucket, key, query) {
            Operation::PutObject if headers.contains_key("x-amz-copy-source") => Operation::CopyObject,
            operation => operation,
        };
        Self { operation, bucket: bucket.to_owned(), key: key.to_owned() }
    }
}

fn operation_of(method: &Method, bucket: &str, key: &str, query: &str) -> Operation {
    match (method.as_str(), bucket.is_empty(), key.is_empty()) {
        ("GET", true, _) => Operation::ListBuckets,
        ("POST", true, _) => Operation::AssumeRole,
        ("GET", false, true) if has_parameter(query, "list-type") => Operation::ListObjectsV2,
        ("GET", false, true) if !has_parameter(query, "location") => Operation::ListObjects,
        ("HEAD", false, true) => Operation::HeadBucket,
        ("PUT", false, true) => Operation::CreateBucket,
        ("GET", false, false) if has_parameter(query, "tagging") => Operation::GetObjectTagging,
        ("PUT", false, false) if has_parameter(query, "tagging") => Operation::PutObjectTagging,
        ("GET", false, false) => Operation::GetObject,
        ("HEAD", false, false) => Operation::HeadObject,
        ("PUT", false, false) => Operation::PutObject,
        ("DELETE", false, false) => Operation::DeleteObject,
        _ => Operation::Other,
    }
}

fn has_parameter(query: &str, name: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some(name))
}

/// Decodes `%XX`; what decodes to no valid UTF-8 becomes empty.
pub(crate) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = match (bytes[at], bytes.get(at + 1..at + 3)) {
            (b'%', Some(digits)) => hex_byte(digits),
            _ => None,
        };
        decoded.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).unwrap_or_default()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let mut byte = [0];
    hex::decode_to_slice(digits, &mut byte).ok()?;
    Some(byte[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(method: &str, uri: &str) -> Target {
        Target::of(&method.parse().unwrap(), &uri.parse().unwrap(), &HeaderMap::new())
    }

    #[test]
    fn operations_are_told_apart() {
        assert_eq!(target("GET", "/").operation, Operation::ListBuckets);
        assert_eq!(target("POST", "/").operation, Operation::AssumeRole);
        assert_eq!(target("GET", "/b?list-type=2&prefix=a").operation, Operation::ListObjectsV2);
        assert_eq!(target("GET", "/b/?prefix=a").operation, Operation::ListObjects);
        assert_eq!(target("GET", "/b/a/c?x-id=GetObject").operation, Operation::GetObject);
        assert_eq!(target("HEAD", "/b").operation, Operation::HeadBucket);
        assert_eq!(target("DELETE", "/b/a").operation, Operation::DeleteObject);
        assert_eq!(target("PUT", "/b/a?tagging").operation, Operation::PutObjectTagging);
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-amz-copy-source"),
            http::HeaderValue::from_static("b/a"),
        )]);
        let copy = Target::of(&Method::PUT, &"/b/c".parse().unwrap(), &headers);
        assert_eq!(copy.operation, Operation::CopyObject);
    }

    #[test]
    fn keys_are_decoded_once() {
        let target = target("GET", "/b/a%20b/%253A+%C3%A4");
        assert_eq!((target.bucket.as_str(), target.key.as_str()), ("b", "a b/%3A+ä"));
    }
}
