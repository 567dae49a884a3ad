//! An object: its properties and where its content lies.

use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;

/// What is known of an object without reading it.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Bytes of content.
    pub size: u64,
    /// MD5 of the content in hexadecimal digits, as S3 gives for an object put in one request; no quotes.
    pub etag: String,
    /// When the content came in.
    pub modified: SystemTime,
    /// Where the content lies.
    pub content: Content,
}

/// Where an object's content lies.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A file, given by its absolute path.
    File(PathBuf),
    /// Memory, shared by many keys.
    Memory(Bytes),
    /// Nowhere: `size` zero bytes.
    Zeros,
}
