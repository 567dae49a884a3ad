//! Separators of CSV as a person writes them, and the bytes that they mean.
//!
//! One pure function, so that the command line, the operator and the worker refuse alike.

/// Most bytes of a separator, counted after escapes.
pub const MAX_SEPARATOR_BYTES: usize = 50;

/// Why a text is no separator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeparatorError {
    /// No bytes are left.
    #[error("is empty; a separator has 1 to {MAX_SEPARATOR_BYTES} bytes")]
    Empty,
    /// Too many bytes.
    #[error("has {0} bytes; a separator has 1 to {MAX_SEPARATOR_BYTES} bytes, counted after escapes")]
    TooLong(usize),
    /// A backslash that begins no escape.
    #[error("has the unknown escape {0}; write \\t, \\n, \\r, \\\\, or \\x and two hexadecimal digits")]
    UnknownEscape(String),
}

/// The bytes of a separator: 1 to [`MAX_SEPARATOR_BYTES`].
///
/// A text that is `\x` or `0x` (any case) and an even number of hexadecimal digits is those bytes. Elsewhere
/// `\t \n \r \b \f \v \a \0 \\ \' \"` and `\xHH` are escapes. A doubled backslash before `x` counts as one,
/// for `\\x01` is how the form looks after one level of quoting too many. All else stands for itself.
///
/// # Errors
/// [`SeparatorError`]; its text continues a sentence that begins with the name of the field.
pub fn parse_separator(text: &str) -> Result<Vec<u8>, SeparatorError> {
    let bytes = match all_hexadecimal(text) {
        Some(bytes) => bytes,
        None => unescape(text.as_bytes())?,
    };
    match bytes.len() {
        0 => Err(SeparatorError::Empty),
        1..=MAX_SEPARATOR_BYTES => Ok(bytes),
        length => Err(SeparatorError::TooLong(length)),
    }
}

/// `\x0102`, `\\x01` and `0x01`: nothing but digits after the prefix.
fn all_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits =
        ["\\\\x", "\\\\X", "\\x", "\\X", "0x", "0X"].iter().find_map(|form| text.strip_prefix(form))?;
    if digits.is_empty() || digits.len() % 2 == 1 {
        return None;
    }
    digits.as_bytes().chunks(2).map(hexadecimal).collect()
}

fn hexadecimal(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match pair {
        [high, low] => Some(digit(*high)? * 16 + digit(*low)?),
        _ => None,
    }
}

fn unescape(text: &[u8]) -> Result<Vec<u8>, SeparatorError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte != b'\\' {
            bytes.push(byte);
            at += 1;
            continue;
        }
        let (value, length) = escape(&text[at..])?;
        bytes.push(value);
        at += length;
    }
    Ok(bytes)
}

/// The byte of the escape at the start of `text`, and how many bytes it was written with.
fn escape(text: &[u8]) -> Result<(u8, usize), SeparatorError> {
    let unknown = |length: usize| {
        let shown = &text[..text.len().min(length)];
        SeparatorError::UnknownEscape(String::from_utf8_lossy(shown).into_owned())
    };
    if let [b'\\', b'\\', b'x' | b'X', ..] = text {
        let value = text.get(3..5).and_then(hexadecimal).ok_or_else(|| unknown(5))?;
        return Ok((value, 5));
    }
    let value = match text.get(1) {
        Some(b'x' | b'X') => {
            let value = text.get(2..4).and_then(hexadecimal).ok_or_else(|| unknown(4))?;
            return Ok((value, 4));
        }
        Some(b't') => b'\t',
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'v') => 0x0b,
        Some(b'a') => 0x07,
        Some(b'0') => 0,
        Some(same @ (b'\\' | b'\'' | b'"')) => *same,
        _ => return Err(unknown(2)),
    };
    Ok((value, 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_that_people_write() {
        for (text, bytes) in [
            (",", &b","[..]),
            ("\t", b"\t"),
            (r"\t", b"\t"),
            (r"\n", b"\n"),
            (r"\r\n", b"\r\n"),
            ("||", b"||"),
            ("\u{a6}", b"\xc2\xa6"),
            (r"\x01", b"\x01"),
            (r"\X01", b"\x01"),
            (r"\\x01", b"\x01"),
            ("0x01", b"\x01"),
            ("0X7C7c", b"||"),
            (r"\x0102", b"\x01\x02"),
            (r"\x01\x02", b"\x01\x02"),
            (r"a\x01b", b"a\x01b"),
            (r"\x7c|", b"||"),
            (r"\\", b"\\"),
            ("0x", b"0x"),
            ("0x1", b"0x1"),
            ("x01", b"x01"),
            (r"\0", b"\0"),
        ] {
            assert_eq!(parse_separator(text).as_deref(), Ok(bytes), "{text:?}");
        }
    }

    #[test]
    fn a16_lengths_count_bytes_after_escapes() {
        assert_eq!(parse_separator(""), Err(SeparatorError::Empty));
        assert_eq!(parse_separator(&"|".repeat(50)).map(|bytes| bytes.len()), Ok(50));
        assert_eq!(parse_separator(&"|".repeat(51)), Err(SeparatorError::TooLong(51)));
        assert_eq!(parse_separator(&r"\x7c".repeat(50)).map(|bytes| bytes.len()), Ok(50));
        assert_eq!(parse_separator(&"\u{a6}".repeat(26)), Err(SeparatorError::TooLong(52)));
    }

    #[test]
    fn what_is_no_escape_is_refused() {
        for text in [r"\", r"a\", r"\q", r"\x", r"\x0", r"\xg1", r"\\x0z", "\\\u{e9}"] {
            assert!(matches!(parse_separator(text), Err(SeparatorError::UnknownEscape(_))), "{text:?}");
        }
    }

    #[test]
    fn every_byte_can_be_written_and_no_text_panics() {
        for byte in 0..=u8::MAX {
            for text in [format!("\\x{byte:02x}"), format!("0x{byte:02X}"), format!("\\\\x{byte:02x}")] {
                assert_eq!(parse_separator(&text), Ok(vec![byte]));
            }
        }
        let pieces = ["\\", "x", "0", "1", "\u{e9}", "t", "\"", "g"];
        for a in pieces {
            for b in pieces {
                for c in pieces {
                    for d in pieces {
                        let text = format!("{a}{b}{c}{d}");
                        if let Ok(bytes) = parse_separator(&text) {
                            assert!(!bytes.is_empty() && bytes.len() <= text.len());
                        }
                    }
                }
            }
        }
    }

    fn written_like_separators() -> impl Strategy<Value = String> {
        let part =
            proptest::sample::select(vec!["\\", "x", "0", "0x", "1", "f", "G", "t", "n", "é", "\"", "|"]);
        prop_oneof![proptest::collection::vec(part, 0..30).prop_map(|parts| parts.concat()), any::<String>(),]
    }

    proptest! {
        #[test]
        fn fuzz_any_text_is_a_separator_or_is_refused(text in written_like_separators()) {
            match parse_separator(&text) {
                Ok(bytes) => prop_assert!((1..=MAX_SEPARATOR_BYTES).contains(&bytes.len())),
                Err(SeparatorError::UnknownEscape(escape)) => prop_assert!(escape.starts_with('\\')),
                Err(_) => {}
            }
        }

        #[test]
        fn fuzz_bytes_come_back_from_their_digits(bytes in proptest::collection::vec(any::<u8>(), 1..=50)) {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(parse_separator(&format!("0x{digits}")), Ok(bytes.clone()));
            let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02X}")).collect();
            // One escape alone, and many, mean the same bytes.
            prop_assert_eq!(parse_separator(&escaped), Ok(bytes));
        }
    }
}
