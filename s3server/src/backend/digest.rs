//! ETags: the MD5 of the content in hexadecimal digits.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use md5::{Digest, Md5};

use crate::error::ServerError;

/// The ETag of bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

/// The ETag of a file's content, read in pieces.
pub(crate) fn of_file(path: &Path) -> Result<String, ServerError> {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let mut hasher = Md5::new();
        let mut piece = vec![0; 256 * 1024];
        loop {
            let length = file.read(&mut piece)?;
            if length == 0 {
                return Ok(hex::encode(hasher.finalize()));
            }
            hasher.update(&piece[..length]);
        }
    };
    read().map_err(|error| ServerError::io("read", path, error))
}
