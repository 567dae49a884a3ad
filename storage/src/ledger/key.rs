//! Which file it is: bucket, key and ETag as listed.

/// Identity of a file. Two objects under one key with different ETags are two files. Ordered as stores list:
/// by the bytes of bucket and key, then by ETag.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey {
    /// Bucket; empty for a local file.
    pub bucket: Box<str>,
    /// Key, or the path of a local file.
    pub key: Box<str>,
    /// ETag as listed.
    pub etag: Box<str>,
}

impl FileKey {
    /// A file by its parts.
    pub fn new(bucket: &str, key: &str, etag: &str) -> Self {
        Self { bucket: bucket.into(), key: key.into(), etag: etag.into() }
    }

    /// `s3://bucket/key`, or the path of a local file.
    pub fn uri(&self) -> String {
        if self.bucket.is_empty() {
            self.key.to_string()
        } else {
            format!("s3://{}/{}", self.bucket, self.key)
        }
    }

    /// Bucket and key of what [`uri`](Self::uri) writes; `None`: it begins with `s3://` and names no object.
    pub fn parse_uri(uri: &str) -> Option<(&str, &str)> {
        match uri.strip_prefix("s3://") {
            None => Some(("", uri)),
            Some(path) => path.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()),
        }
    }

    /// Whether both are objects under one key.
    pub fn same_object(&self, other: &Self) -> bool {
        self.bucket == other.bucket && self.key == other.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_uri_whatever_stands_in_its_key() {
        for key in ["a/b.csv", "a, \"b\" 'c'\nä%2C+.csv", "/"] {
            let uri = FileKey::new("b", key, "e").uri();
            assert_eq!(FileKey::parse_uri(&uri), Some(("b", key)), "{uri}");
        }
        let local = FileKey::new("", "/data/f.csv", "e").uri();
        assert_eq!(FileKey::parse_uri(&local), Some(("", "/data/f.csv")));
        for none in ["s3://b", "s3://b/", "s3:///k"] {
            assert_eq!(FileKey::parse_uri(none), None, "{none}");
        }
    }
}
