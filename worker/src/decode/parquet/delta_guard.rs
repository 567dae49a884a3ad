//! Guards the decoders of delta-encoded text against damaged counts.
//!
//! They take memory for as many lengths as the page's own header of deltas announces, before they look
//! whether so many are there. All other decoders take memory by what is asked of them.

use parquet::basic::Encoding;
use parquet::column::page::Page;
use parquet::schema::types::ColumnDescriptor;

/// Compares the counts inside of a page of delta-encoded text with the page's values.
///
/// # Errors
/// What is wrong, as the end of a sentence about the page.
pub(super) fn check_counts(page: &Page, column: &ColumnDescriptor) -> Result<(), String> {
    let series = match page.encoding() {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return Ok(()),
    };
    let damaged = || "has damaged lengths of text".to_owned();
    let mut rest = values_of(page, column).ok_or_else(damaged)?;
    for _ in 0..series {
        if rest.is_empty() {
            return Ok(());
        }
        let (count, length) = walk_deltas(rest).ok_or_else(damaged)?;
        if count > u64::from(page.num_values()) {
            return Err(format!("claims {count} lengths of text for {} values", page.num_values()));
        }
        rest = rest.get(length..).ok_or_else(damaged)?;
    }
    Ok(())
}

/// The encoded values of a data page, behind its levels.
fn values_of<'a>(page: &'a Page, column: &ColumnDescriptor) -> Option<&'a [u8]> {
    match page {
        Page::DataPage { buf, num_values, def_level_encoding, rep_level_encoding, .. } => {
            let rest = skip_levels(buf, column.max_rep_level(), *rep_level_encoding, *num_values)?;
            skip_levels(rest, column.max_def_level(), *def_level_encoding, *num_values)
        }
        Page::DataPageV2 { buf, rep_levels_byte_len, def_levels_byte_len, .. } => {
            buf.get((*rep_levels_byte_len as usize).checked_add(*def_levels_byte_len as usize)?..)
        }
        Page::DictionaryPage { .. } => Some(&[]),
    }
}

fn skip_levels(bytes: &[u8], max_level: i16, encoding: Encoding, values: u32) -> Option<&[u8]> {
    if max_level == 0 {
        return Some(bytes);
    }
    #[allow(deprecated)] // Files of old writers still have it.
    let length = if encoding == Encoding::BIT_PACKED {
        let width = 16 - max_level.leading_zeros() as usize;
        (values as usize).checked_mul(width)?.div_ceil(8)
    } else {
        let prefix = bytes.first_chunk::<4>()?;
        (u32::from_le_bytes(*prefix) as usize).checked_add(4)?
    };
    bytes.get(length..)
}

/// Count of a series of delta-packed integers, and the bytes that it takes.
fn walk_deltas(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut at = 0;
    let block = varint(bytes, &mut at)?;
    let minis = varint(bytes, &mut at)?;
    let count = varint(bytes, &mut at)?;
    varint(bytes, &mut at)?; // the first value
    if minis == 0 || block == 0 || block % minis != 0 {
        return None;
    }
    let per_mini = block / minis;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        varint(bytes, &mut at)?; // the smallest delta of the block
        let widths = bytes.get(at..at.checked_add(usize::try_from(minis).ok()?)?)?;
        at += widths.len();
        for width in widths {
            if left == 0 {
                break; // Miniblocks that hold nothing have a width and no bytes.
            }
            let length = per_mini.checked_mul(u64::from(*width))?.div_ceil(8);
            at = at.checked_add(usize::try_from(length).ok()?)?;
            left = left.saturating_sub(per_mini);
        }
        if at > bytes.len() {
            // The last miniblock may be cut after its last value.
            return (left == 0).then_some((count, bytes.len()));
        }
    }
    Some((count, at))
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_value_takes_only_its_header() {
        // block 128, 4 miniblocks, 1 value, first value 7
        assert_eq!(walk_deltas(&[0x80, 1, 4, 1, 14, 9, 9]), Some((1, 5)));
    }

    #[test]
    fn a_count_without_blocks_is_damaged() {
        assert_eq!(walk_deltas(&[0x80, 1, 4, 0xff, 0xff, 3, 14]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some((_, length)) = walk_deltas(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
