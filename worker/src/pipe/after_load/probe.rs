//! Whether a store deletes only what it was asked to.

use std::collections::BTreeSet;

use crate::source::{Change, PathPattern, SourceError, Store};

/// An ETag that no object has.
const NO_ETAG: &str = "00000000000000000000000000000000";
/// Folders deep at most, to find a key that no path matches.
const DEEPEST: usize = 64;

/// Whether the store honours `If-Match` where it deletes, in every bucket of the source: an object is made that no
/// path of the source matches, and must outlive a delete that names another ETag.
pub(super) async fn honours_if_match(store: &Store, patterns: &[PathPattern]) -> Result<bool, SourceError> {
    let random = getrandom::u64().unwrap_or_default();
    let buckets: BTreeSet<&str> = patterns.iter().map(PathPattern::bucket).collect();
    for bucket in buckets {
        let Some(key) = free_key(bucket, patterns, random) else { return Ok(false) };
        store.put_empty(bucket, &key).await?;
        let refused = match store.delete(bucket, &key, Some(NO_ETAG)).await {
            Ok(Change::Other) => true,
            Ok(Change::Done | Change::Gone) => false,
            Err(error) if is_unknown(&error) => false,
            Err(error) => return Err(error),
        };
        let Some(object) = store.find(bucket, &key).await? else { return Ok(false) };
        let condition = refused.then_some(&*object.etag);
        // It may be gone by a first request whose answer was lost.
        let deleted = store.delete(bucket, &key, condition).await? != Change::Other;
        if !refused || !deleted {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The store knows no such condition, and says so.
fn is_unknown(error: &SourceError) -> bool {
    match error {
        SourceError::StoreError { answer, .. } => {
            matches!(answer.code.as_deref(), Some("NotImplemented" | "InvalidArgument" | "InvalidRequest"))
                || answer.status == Some(501)
        }
        _ => false,
    }
}

/// A key that no path of the source matches: wildcards never cross a `/`.
fn free_key(bucket: &str, patterns: &[PathPattern], random: u64) -> Option<String> {
    let keys = (0..DEEPEST).map(|depth| format!("{}{random:016x}", ".longshore-probe/".repeat(depth + 1)));
    let mut keys = keys.into_iter();
    keys.find(|key| !patterns.iter().any(|pattern| pattern.bucket() == bucket && pattern.matches(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_is_no_file_of_the_source() {
        let patterns =
            ["s3://b/*", "s3://b/*/*", "s3://other/*/*/*"].map(|path| PathPattern::parse(path).unwrap());
        assert_eq!(free_key("b", &patterns, 1).unwrap().matches('/').count(), 2);
        assert_eq!(free_key("other", &patterns, 1).unwrap().matches('/').count(), 1);
    }
}
