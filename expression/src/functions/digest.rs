//! Digests and encodings of bytes.

use std::fmt::Write;

use arrow::array::ArrayRef;
use datafusion_common::Result;
use md5::Md5;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::base64;
use super::call::Call;
use super::definition::{Definition, Kind, Returns};
use super::text::text;

pub(super) static DEFINITIONS: &[Definition] = &[
    text!(
        "md5",
        &[],
        "md5(text)",
        "The MD5 digest in hexadecimal digits.",
        &[Kind::Bytes],
        &[],
        Text,
        |call| { over_bytes(call, |bytes, out| push_hex(out, &Md5::digest(bytes), false)) }
    ),
    text!(
        "sha2",
        &[],
        "sha2(text, 224 | 256 | 384 | 512)",
        "A digest of the SHA-2 family in hexadecimal digits.",
        &[Kind::Bytes, Kind::Integer],
        &[],
        Text,
        |call| {
            let lengths = call.integer(1)?;
            over_rows(call, |row, bytes, out| match lengths.get(row)? {
                224 => push_hex(out, &Sha224::digest(bytes), false),
                0 | 256 => push_hex(out, &Sha256::digest(bytes), false),
                384 => push_hex(out, &Sha384::digest(bytes), false),
                512 => push_hex(out, &Sha512::digest(bytes), false),
                _ => None,
            })
        }
    ),
    text!("crc32", &[], "crc32(text)", "The CRC-32 checksum.", &[Kind::Text], &[], Integer, |call| {
        let texts = call.text(0)?;
        call.integers(|row| Some(i64::from(crc32(texts.get(row)?.as_bytes()))))
    }),
    text!(
        "hex",
        &[],
        "hex(number | text)",
        "Hexadecimal digits of a number, or of the bytes of a text.",
        &[Kind::Any],
        &[],
        Text,
        hex
    ),
    text!(
        "unhex",
        &[],
        "unhex(text)",
        "The text whose bytes are written in hexadecimal digits.",
        &[Kind::Text],
        &[],
        Text,
        |call| {
            let texts = call.text(0)?;
            call.texts(|row, out| {
                out.push_str(&String::from_utf8(unhex(texts.get(row)?.as_bytes())?).ok()?);
                Some(())
            })
        }
    ),
    text!(
        "to_base64",
        &["base64_encode"],
        "to_base64(text)",
        "The bytes in Base64.",
        &[Kind::Bytes],
        &[],
        Text,
        |call| over_bytes(call, |bytes, out| {
            base64::encode(out, bytes);
            Some(())
        })
    ),
    text!(
        "from_base64",
        &["base64_decode_string"],
        "from_base64(text)",
        "The text that is written in Base64.",
        &[Kind::Text],
        &[],
        Text,
        |call| {
            let texts = call.text(0)?;
            call.texts(|row, out| {
                out.push_str(&String::from_utf8(base64::decode(texts.get(row)?)?).ok()?);
                Some(())
            })
        }
    ),
    text!(
        "to_binary",
        &[],
        "to_binary(text[, 'hex' | 'encode64' | 'utf8'])",
        "The bytes that a text writes in hexadecimal digits, which is the default, or in Base64, or that it is made of.",
        &[Kind::Text],
        &[Kind::Text],
        Binary,
        to_binary
    ),
    text!(
        "url_encode",
        &[],
        "url_encode(text)",
        "With `%XX` for what may not stand in a URL.",
        &[Kind::Text],
        &[],
        Text,
        |call| over_bytes(call, |bytes, out| {
            for &byte in bytes {
                if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                    out.push(char::from(byte));
                } else {
                    write!(out, "%{byte:02X}").ok()?;
                }
            }
            Some(())
        })
    ),
    text!(
        "url_decode",
        &[],
        "url_decode(text)",
        "`%XX` and `+` read as in a URL.",
        &[Kind::Text],
        &[],
        Text,
        |call| {
            let texts = call.text(0)?;
            call.texts(|row, out| url_decode(texts.get(row)?, out))
        }
    ),
];

/// Texts that follow from the bytes of the first argument.
fn over_bytes(call: &Call<'_>, write: impl Fn(&[u8], &mut String) -> Option<()>) -> Result<ArrayRef> {
    over_rows(call, |_, bytes, out| write(bytes, out))
}

fn over_rows(call: &Call<'_>, write: impl Fn(usize, &[u8], &mut String) -> Option<()>) -> Result<ArrayRef> {
    if call.data_type(0)? == &arrow::datatypes::DataType::Binary {
        let bytes = call.binary(0)?;
        return call.texts(|row, out| write(row, bytes.get(row)?, out));
    }
    let texts = call.text(0)?;
    call.texts(|row, out| write(row, texts.get(row)?.as_bytes(), out))
}

fn push_hex(out: &mut String, bytes: &[u8], capitals: bool) -> Option<()> {
    let digits = if capitals { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    for byte in bytes {
        out.push(char::from(digits[usize::from(byte >> 4)]));
        out.push(char::from(digits[usize::from(byte & 15)]));
    }
    Some(())
}

fn hex(call: &Call<'_>) -> Result<ArrayRef> {
    use arrow::datatypes::DataType;
    if matches!(call.data_type(0)?, DataType::Utf8 | DataType::Binary) {
        return over_bytes(call, |bytes, out| push_hex(out, bytes, true));
    }
    let zone = call.session.zone;
    let numbers = crate::cast::cast_values(&call.array(0)?, &DataType::Int64, zone)?;
    let numbers = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(&numbers);
    call.texts(|row, out| {
        arrow::array::Array::is_valid(numbers, row).then_some(())?;
        write!(out, "{:X}", numbers.value(row)).ok()
    })
}

/// NULL for what is not written so, and for a form that is not known.
fn to_binary(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let forms = if call.has(1) { Some(call.text(1)?) } else { None };
    call.binaries(|row| {
        let text = texts.get(row)?;
        let form = forms.as_ref().map_or(Some("hex"), |forms| forms.get(row))?;
        match form.to_ascii_lowercase().as_str() {
            "hex" => unhex(text.as_bytes()),
            "encode64" => base64::decode(text),
            "utf8" => Some(text.as_bytes().to_vec()),
            _ => None,
        }
    })
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

fn url_decode(text: &str, out: &mut String) -> Option<()> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let (pair, after) = rest.split_at_checked(2)?;
                bytes.extend(unhex(pair)?);
                rest = after;
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    out.push_str(&String::from_utf8(bytes).ok()?);
    Some(())
}

/// The checksum of zip and PNG, bit by bit: it is asked for rarely.
fn crc32(bytes: &[u8]) -> u32 {
    let register = bytes.iter().fold(u32::MAX, |register, &byte| {
        (0..8).fold(register ^ u32::from(byte), |register, _| {
            (register >> 1) ^ (0xedb8_8320 & (register & 1).wrapping_neg())
        })
    });
    !register
}
