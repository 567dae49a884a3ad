//! The header of a file: its schema, its codec, its sync marker.

use super::codec::Codec;
use super::cursor::{Cursor, Fault};
use crate::decode::DecodeError;
use crate::source::ReadObject;

/// The first bytes of every file.
const MAGIC: [u8; 4] = *b"Obj\x01";
/// Bytes that are fetched first; most headers are shorter.
const FIRST_BYTES: u64 = 64 * 1024;
/// No header is longer.
const MAX_HEADER: u64 = 16 << 20;
/// Bytes of a sync marker.
pub(super) const SYNC_BYTES: usize = 16;

/// What a header says.
#[derive(Debug)]
pub(super) struct Header {
    /// The schema as JSON.
    pub schema: Vec<u8>,
    /// How blocks are compressed.
    pub codec: Codec,
    /// What stands behind every block.
    pub sync: [u8; SYNC_BYTES],
    /// Bytes of the header: where the first block begins.
    pub length: u64,
}

/// Reads and checks the header: one fetch, or a few if it is longer than 64 KiB. Blocks.
///
/// # Errors
/// `InvalidFile` for whatever is not the header of an Avro file; what the source says.
pub(super) fn read_header(object: &dyn ReadObject) -> Result<Header, DecodeError> {
    let size = object.size();
    let mut fetched = FIRST_BYTES.min(size);
    loop {
        let bytes = object.fetch(0..fetched).wait()?;
        let (magic, rest) = bytes.split_at_checked(MAGIC.len()).unwrap_or_default();
        if magic != MAGIC {
            return Err(invalid(object.name(), "it does not begin with the bytes Obj\\x01".to_owned()));
        }
        match parse(rest) {
            Ok(mut header) => {
                header.length += MAGIC.len() as u64;
                return Ok(header);
            }
            // It may go on behind what was fetched.
            Err(Fault::TooLarge(_)) if fetched < size.min(MAX_HEADER) => {
                fetched = (fetched * 8).min(size).min(MAX_HEADER);
            }
            Err(Fault::TooLarge(_)) => {
                return Err(invalid(
                    object.name(),
                    format!("its header does not end within {fetched} bytes"),
                ));
            }
            Err(Fault::Damaged(reason)) => return Err(invalid(object.name(), reason)),
        }
    }
}

/// The error of a file that cannot be read as a whole.
pub(super) fn invalid(file: &str, reason: String) -> DecodeError {
    DecodeError::InvalidFile { file: file.to_owned(), format: "Avro", reason }
}

/// Parses what stands behind the magic. [`Fault::TooLarge`]: the bytes end before the header does.
fn parse(bytes: &[u8]) -> Result<Header, Fault> {
    let ended = |_| Fault::TooLarge(bytes.len() as u64);
    let mut cursor = Cursor::new(bytes);
    let (mut schema, mut codec) = (None, None);
    loop {
        let count = cursor.item_count().map_err(ended)?;
        if count == 0 {
            break;
        }
        for _ in 0..count {
            let key = cursor.bytes().map_err(ended)?;
            let value = cursor.bytes().map_err(ended)?;
            match key {
                b"avro.schema" => schema = Some(value.to_vec()),
                b"avro.codec" => codec = Some(value),
                _ => {}
            }
        }
    }
    let sync = cursor.array().map_err(ended)?;
    let schema = schema.ok_or_else(|| Fault::damaged("its header has no schema"))?;
    let codec = Codec::named(codec).map_err(Fault::Damaged)?;
    Ok(Header { schema, codec, sync, length: (bytes.len() - cursor.left()) as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = vec![entries.len() as u8 * 2];
        for (key, value) in entries {
            bytes.push(key.len() as u8 * 2);
            bytes.extend_from_slice(key.as_bytes());
            bytes.push(value.len() as u8 * 2);
            bytes.extend_from_slice(value.as_bytes());
        }
        bytes.push(0);
        bytes.extend_from_slice(&[7; 16]);
        bytes
    }

    #[test]
    fn schema_codec_and_marker_are_found() {
        let bytes = header(&[("other", "x"), ("avro.codec", "snappy"), ("avro.schema", "\"int\"")]);
        let found = parse(&bytes).unwrap();
        assert_eq!(
            (found.schema.as_slice(), found.codec, found.sync),
            (&b"\"int\""[..], Codec::Snappy, [7; 16])
        );
        assert_eq!(found.length as usize, bytes.len());
        for cut in 0..bytes.len() {
            assert!(matches!(parse(&bytes[..cut]), Err(Fault::TooLarge(_))), "{cut}");
        }
        assert_eq!(parse(&header(&[("a", "b")])).unwrap_err(), Fault::damaged("its header has no schema"));
    }
}
