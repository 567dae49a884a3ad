//! The tail of a file: postscript and footer, read and checked before anything in them is believed.

use super::codec::{Codec, HEADER_BYTES};
use super::protobuf::{Fields, Malformed};
use super::schema::OrcType;
use crate::decode::DecodeError;
use crate::source::ReadObject;
use bytes::Bytes;

/// Bytes of the tail that are fetched at once, in the hope that the whole footer lies in them.
const TAIL_BYTES: u64 = 64 * 1024;
/// No footer is longer, decompressed: that of a file with 2,000 columns has 200 KiB.
const MAX_FOOTER: usize = 64 << 20;
const MAGIC: &[u8] = b"ORC";
/// Version of the draft of ORC 2 (`UNSTABLE-PRE-2.0`).
const UNSTABLE: [u64; 2] = [1, 9999];

/// What the tail says of a file.
#[derive(Debug)]
pub(super) struct Tail {
    /// How streams and footers are compressed.
    pub codec: Option<Codec>,
    /// The stripes, in the order of the file.
    pub stripes: Vec<StripePlace>,
    /// The types, the root first.
    pub types: Vec<OrcType>,
}

/// Where a stripe lies; all of it is inside the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StripePlace {
    /// First byte.
    pub offset: u64,
    /// Bytes of its indexes, which come first.
    pub index: u64,
    /// Bytes of its data.
    pub data: u64,
    /// Bytes of its footer, which comes last.
    pub footer: u64,
    /// Rows.
    pub rows: u64,
}

#[derive(Debug, Default)]
struct Postscript {
    footer: u64,
    metadata: u64,
    stripe_statistics: u64,
    codec: u64,
    block: Option<u64>,
    version: Vec<u64>,
    magic: Vec<u8>,
}

/// Reads, checks and parses the tail: one fetch, or two if it is longer than 64 KiB. Blocks.
///
/// # Errors
/// `InvalidFile` for whatever is not a whole ORC file, is encrypted, or uses a codec that cannot be read; what
/// the source says.
pub(super) fn read_tail(object: &dyn ReadObject) -> Result<Tail, DecodeError> {
    let invalid = |reason: String| invalid(object.name(), reason);
    let size = object.size();
    if size <= MAGIC.len() as u64 {
        return Err(invalid(format!("it has {size} bytes, too few for a footer")));
    }
    let tail_start = size.saturating_sub(TAIL_BYTES);
    let tail = object.fetch(tail_start..size).wait()?;
    let short = || invalid(format!("of the bytes {tail_start} to {size} only {} came", tail.len()));
    let (&length, before) = tail.split_last().ok_or_else(short)?;
    let length = usize::from(length);
    let postscript = before.len().checked_sub(length).map(|start| &before[start..]).ok_or_else(short)?;
    let postscript = read_postscript(postscript)
        .map_err(|Malformed| invalid("it does not end with the postscript of an ORC file".to_owned()))?;
    if postscript.magic != MAGIC {
        return Err(invalid("it does not end with the postscript of an ORC file".to_owned()));
    }
    if postscript.version == UNSTABLE {
        return Err(invalid("it is of the draft of version 2 of ORC, which was never released".to_owned()));
    }
    let codec = Codec::new(postscript.codec, postscript.block).map_err(&invalid)?;
    let end = size - 1 - length as u64;
    let parts = [postscript.footer, postscript.metadata, postscript.stripe_statistics];
    let tail_length = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(*part));
    let inside = tail_length.is_some_and(|length| length <= end) && postscript.footer > 0;
    if !inside {
        return Err(invalid(format!(
            "its footer claims {} bytes, and the file has {end}",
            postscript.footer
        )));
    }
    let start = end - postscript.footer;
    let stored = if start >= tail_start {
        tail.slice((start - tail_start) as usize..(end - tail_start) as usize)
    } else {
        object.fetch(start..end).wait()?
    };
    let footer = decompress_all(codec.as_ref(), &stored, MAX_FOOTER)
        .map_err(|reason| invalid(format!("its footer is damaged: {reason}")))?;
    let (stripes, types, rows) = read_footer(&footer).map_err(&invalid)?;
    check_stripes(&stripes, start, rows).map_err(&invalid)?;
    Ok(Tail { codec, stripes, types })
}

/// The error of a file that cannot be read as a whole.
pub(super) fn invalid(file: &str, reason: String) -> DecodeError {
    DecodeError::InvalidFile { file: file.to_owned(), format: "ORC", reason }
}

/// All blocks of a small stream, decompressed; an error beyond `limit` bytes.
pub(super) fn decompress_all(codec: Option<&Codec>, stored: &Bytes, limit: usize) -> Result<Bytes, String> {
    let Some(codec) = codec else { return Ok(stored.clone()) };
    let (mut rest, mut out, mut block) = (stored.as_ref(), Vec::new(), Vec::new());
    while let Some((header, behind)) = rest.split_at_checked(HEADER_BYTES) {
        let header = codec.header([header[0], header[1], header[2]])?;
        let (stored, behind) =
            behind.split_at_checked(header.length).ok_or("a block ends too early".to_owned())?;
        rest = behind;
        let data = if header.is_original {
            stored
        } else {
            codec.decompress(stored, &mut block)?;
            &block
        };
        if out.len() + data.len() > limit {
            return Err(format!("it holds more than {limit} bytes"));
        }
        out.extend_from_slice(data);
    }
    if rest.is_empty() { Ok(out.into()) } else { Err("a block ends too early".to_owned()) }
}

fn read_postscript(bytes: &[u8]) -> Result<Postscript, Malformed> {
    let mut postscript = Postscript::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, value) => postscript.footer = value.number()?,
            (2, value) => postscript.codec = value.number()?,
            (3, value) => postscript.block = Some(value.number()?),
            (4, value) => value.numbers_into(&mut postscript.version)?,
            (5, value) => postscript.metadata = value.number()?,
            (7, value) => postscript.stripe_statistics = value.number()?,
            (8000, value) => postscript.magic = value.bytes()?.to_vec(),
            _ => {}
        }
    }
    Ok(postscript)
}

fn read_footer(bytes: &[u8]) -> Result<(Vec<StripePlace>, Vec<OrcType>, u64), String> {
    let damaged = |Malformed| "its footer is damaged: a length in it is out of bounds".to_owned();
    let (mut stripes, mut types, mut rows) = (Vec::new(), Vec::new(), 0);
    for field in Fields::of(bytes) {
        match field.map_err(damaged)? {
            (3, value) => stripes.push(value.bytes().and_then(read_stripe).map_err(damaged)?),
            (4, value) => types.push(value.bytes().and_then(OrcType::read).map_err(damaged)?),
            (6, value) => rows = value.number().map_err(damaged)?,
            (10, _) => {
                return Err("it has encrypted columns, and encrypted files are not supported".to_owned());
            }
            _ => {}
        }
    }
    Ok((stripes, types, rows))
}

fn read_stripe(bytes: &[u8]) -> Result<StripePlace, Malformed> {
    let mut stripe = StripePlace::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, value) => stripe.offset = value.number()?,
            (2, value) => stripe.index = value.number()?,
            (3, value) => stripe.data = value.number()?,
            (4, value) => stripe.footer = value.number()?,
            (5, value) => stripe.rows = value.number()?,
            _ => {}
        }
    }
    Ok(stripe)
}

/// Every stripe lies behind the one before and ahead of the footer, and their rows are those of the file.
fn check_stripes(stripes: &[StripePlace], data_end: u64, rows: u64) -> Result<(), String> {
    let (mut behind, mut sum) = (0, 0u64);
    for (number, stripe) in stripes.iter().enumerate() {
        let end = [stripe.index, stripe.data, stripe.footer]
            .iter()
            .try_fold(stripe.offset, |end, length| end.checked_add(*length))
            .filter(|end| stripe.offset >= behind && *end <= data_end && stripe.footer > 0);
        behind = end.ok_or_else(|| {
            format!("stripe {number} at byte {} lies outside of the file, or over another", stripe.offset)
        })?;
        sum = sum.saturating_add(stripe.rows);
    }
    if sum == rows {
        return Ok(());
    }
    Err(format!("its stripes claim {sum} rows, its footer {rows}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripe(offset: u64, footer: u64, rows: u64) -> StripePlace {
        StripePlace { offset, index: 10, data: 50, footer, rows }
    }

    #[test]
    fn stripes_lie_in_order_inside_of_the_file() {
        let good = [stripe(3, 5, 10), stripe(68, 5, 20)];
        assert_eq!(check_stripes(&good, 133, 30), Ok(()));
        assert!(check_stripes(&good, 132, 30).is_err());
        assert!(check_stripes(&good, 133, 31).unwrap_err().contains("claim 30 rows"));
        assert!(
            check_stripes(&[stripe(3, 5, 1), stripe(60, 5, 1)], 200, 2).unwrap_err().contains("stripe 1")
        );
        assert!(check_stripes(&[stripe(u64::MAX - 5, 5, 1)], u64::MAX, 1).is_err());
        assert!(check_stripes(&[stripe(3, 0, 1)], 200, 1).is_err());
    }

    #[test]
    fn blocks_of_a_footer_are_joined_up_to_a_limit() {
        let codec = Codec::new(2, Some(100)).unwrap().unwrap();
        let mut stored = vec![0x07, 0, 0];
        stored.extend_from_slice(b"abc");
        let block = snap::raw::Encoder::new().compress_vec(&[b'x'; 90]).unwrap();
        stored.extend_from_slice(&[(block.len() as u8) << 1, 0, 0]);
        stored.extend_from_slice(&block);
        let stored = Bytes::from(stored);
        assert_eq!(decompress_all(Some(&codec), &stored, 93).unwrap().len(), 93);
        assert!(decompress_all(Some(&codec), &stored, 92).is_err());
        assert!(decompress_all(Some(&codec), &stored.slice(..5), 100).is_err());
        assert!(decompress_all(Some(&codec), &stored.slice(..7), 100).is_err());
    }
}
