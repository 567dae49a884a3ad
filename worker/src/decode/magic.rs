//! What a file is by its first bytes.

use super::error::DecodeError;

/// Kinds of files by how they begin.
const MAGIC: [(&[u8], &str); 14] = [
    (b"PAR1", "those of a Parquet file"),
    (b"PARE", "those of an encrypted Parquet file"),
    (b"ORC", "those of an ORC file"),
    (b"Obj\x01", "those of an Avro file"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"BZh", "bzip2 data"),
    (b"\x04\x22\x4d\x18", "an LZ4 frame"),
    (b"\xff\x06\x00\x00sNaPpY", "framed snappy data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"PK\x03\x04", "those of a zip archive"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"ARROW1", "those of an Arrow file"),
];

/// What `head` is the beginning of, said in a few words.
pub(super) fn kind(head: &[u8]) -> String {
    if head.is_empty() {
        return "no bytes at all".to_owned();
    }
    if let Some(name) = magic(head) {
        return name.to_owned();
    }
    if is_text(head) {
        return "text".to_owned();
    }
    format!("neither text nor a known format (bytes {})", hex::encode(&head[..head.len().min(8)]))
}

/// UTF-8 without control characters but blanks and line ends, as far as it goes.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character that the head cuts is no fault.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

/// Refuses what cannot be the text of a CSV or JSON file.
///
/// # Errors
/// [`DecodeError::WrongFormat`] with what it is.
pub(super) fn check_text(file: &str, head: &[u8]) -> Result<(), DecodeError> {
    match magic(head) {
        Some(found) => Err(DecodeError::WrongFormat {
            file: file.to_owned(),
            format: "text",
            found: format!("its first bytes are {found}"),
        }),
        None => Ok(()),
    }
}

/// A known beginning that is no text: text may begin with the same letters.
fn magic(head: &[u8]) -> Option<&'static str> {
    let found = MAGIC.iter().find(|(magic, _)| head.starts_with(magic))?;
    (!is_text(head)).then_some(found.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart() {
        for (head, expected) in [
            (&b"PAR1\x15\x04"[..], "those of a Parquet file"),
            (b"Obj\x01\x04", "those of an Avro file"),
            (b"PAR1,PAR2\n", "text"),
            (b"ORC\x00\x11", "those of an ORC file"),
            (b"ORC,1,2\n", "text"),
            (b"BZh\n", "text"),
            (b"\x1f\x8b\x08\x00", "gzip data"),
            (b"\xff\xfea\x00", "UTF-16 text"),
            (b"a,b\n", "text"),
            (b"", "no bytes at all"),
            (b"\x00\x01\x02", "neither text nor a known format (bytes 000102)"),
            ("caf\u{e9}".as_bytes(), "text"),
        ] {
            assert_eq!(kind(head), expected, "{head:?}");
        }
        assert!(check_text("f", b"PAR1\x15\x04").is_err());
        assert!(check_text("f", b"a\tb\n").is_ok());
        assert!(check_text("f", b"\xe4\tb\n").is_ok(), "bytes that are not UTF-8 are a record's matter");
    }
}
