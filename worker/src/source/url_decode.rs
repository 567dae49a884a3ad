//! Keys as listings write them under `encoding-type=url`.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Undoes the encoding: `%XX` is a byte, `+` is a space, all else stands for itself. `None` when a `%` is
/// not followed by two hexadecimal digits or the bytes are not UTF-8.
pub(super) fn url_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => 16 * digit(rest.next()?)? + digit(rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Undoes the encoding of a value in a key: `%XX` is a byte, all else stands for itself, a `%` without two
/// digits and bytes that are no UTF-8 too.
pub fn percent_decoded(text: &str) -> String {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map_or_else(|_| text.to_owned(), Cow::into_owned)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a12_odd_keys_come_back_as_they_were() {
        assert_eq!(url_decode("a%2Cb/c+d/dt%3D1%253A2%2B/%C3%BC").as_deref(), Some("a,b/c d/dt=1%3A2+/ü"));
        assert_eq!(url_decode("東京").as_deref(), Some("東京"));
        assert_eq!(url_decode("a%0Ab").as_deref(), Some("a\nb"));
    }

    #[test]
    fn values_of_keys_keep_what_is_no_encoding() {
        for (text, value) in
            [("a%3Ab", "a:b"), ("a+b", "a+b"), ("50%", "50%"), ("%zz%41", "%zzA"), ("%ff", "%ff")]
        {
            assert_eq!(percent_decoded(text), value);
        }
    }

    #[test]
    fn damage_is_seen() {
        for text in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(url_decode(text), None, "{text}");
        }
    }
}
