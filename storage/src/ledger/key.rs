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

    /// Whether both are objects under one key.
    pub fn same_object(&self, other: &Self) -> bool {
        self.bucket == other.bucket && self.key == other.key
    }
}
