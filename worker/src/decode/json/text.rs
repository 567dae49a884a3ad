//! What strings mean.

use super::scan::code_unit;

/// Appends what `raw`, the inside of a string that was checked, means.
pub(super) fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let length = match rest.get(1) {
            Some(b'u') => character(rest, out),
            other => {
                out.push(match other {
                    Some(b'b') => 0x08,
                    Some(b'f') => 0x0c,
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b't') => b'\t',
                    Some(same) => *same,
                    None => b'\\',
                });
                2
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Appends the character of one `\u` escape, or of two for one outside of the first 65,536; gives the bytes
/// that it took.
fn character(escape: &[u8], out: &mut Vec<u8>) -> usize {
    let first = code_unit(escape).unwrap_or(0xfffd);
    let second = escape.get(6..).and_then(code_unit);
    let (code, length) = match second {
        Some(second) if (0xd800..0xdc00).contains(&first) => {
            (0x10000 + ((first - 0xd800) << 10) + second.wrapping_sub(0xdc00), 12)
        }
        _ => (first, 6),
    };
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    length
}
