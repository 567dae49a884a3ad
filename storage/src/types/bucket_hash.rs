//! The bucket hash: Iceberg's, murmur3 x86 32 bits with seed 0 over one binary form a type (design §3).
//!
//! Every function here is public contract: a row's tablet never changes, so its hash never does.

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;

#[inline]
fn mix_word(word: u32) -> u32 {
    word.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

#[inline]
fn mix_state(state: u32, word: u32) -> u32 {
    (state ^ mix_word(word)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

#[inline]
fn finish(mut state: u32, length: u32) -> i32 {
    state ^= length;
    state = (state ^ (state >> 16)).wrapping_mul(0x85eb_ca6b);
    state = (state ^ (state >> 13)).wrapping_mul(0xc2b2_ae35);
    (state ^ (state >> 16)).cast_signed()
}

/// Hash of an integer, of a DATE as days since the epoch, of a DATETIME as microseconds since the epoch:
/// all as 8-byte little-endian long.
#[inline]
pub fn hash_long(value: i64) -> i32 {
    let bits = value.cast_unsigned();
    let state = mix_state(0, (bits & 0xffff_ffff) as u32);
    finish(mix_state(state, (bits >> 32) as u32), 8)
}

/// Hash of bytes: strings as UTF-8, VARBINARY as it is.
pub fn hash_bytes(bytes: &[u8]) -> i32 {
    let mut words = bytes.chunks_exact(4);
    let mut state = 0;
    for word in words.by_ref() {
        state = mix_state(state, u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        let word = tail.iter().rev().fold(0u32, |word, byte| (word << 8) | u32::from(*byte));
        state ^= mix_word(word);
    }
    // The length is taken modulo 2^32, as the algorithm has it.
    finish(state, (bytes.len() & 0xffff_ffff) as u32)
}

/// Hash of a DECIMAL or LARGEINT: its unscaled value as the fewest big-endian two's-complement bytes.
#[inline]
pub fn hash_decimal(unscaled: i128) -> i32 {
    let magnitude = if unscaled < 0 { !unscaled } else { unscaled };
    let bits = 129 - magnitude.leading_zeros() as usize;
    let bytes = unscaled.to_be_bytes();
    hash_bytes(&bytes[16 - bits.div_ceil(8)..])
}

/// Hash of a row of several columns from the hash so far and the hash of the next column (NULL: 0).
#[inline]
pub fn combine(hash: i32, next: i32) -> i32 {
    hash.wrapping_mul(31).wrapping_add(next)
}

/// Bucket of a hash among `buckets` (> 0).
#[inline]
pub fn bucket(hash: i32, buckets: u32) -> u32 {
    (hash.cast_unsigned() & 0x7fff_ffff) % buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference algorithm, byte by byte, to check the loops against.
    fn reference(bytes: &[u8]) -> i32 {
        let mut h = 0u32;
        for chunk in bytes.chunks(4) {
            let mut k = 0u32;
            for (i, b) in chunk.iter().enumerate() {
                k |= u32::from(*b) << (8 * i);
            }
            h ^= k.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
            if chunk.len() == 4 {
                h = h.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
            }
        }
        finish(h, bytes.len() as u32)
    }

    #[test]
    fn published_values() {
        assert_eq!(hash_long(34), 2_017_239_379);
        assert_eq!(hash_decimal(1420), -500_754_589);
        let day = chrono::NaiveDate::from_ymd_opt(2017, 11, 16).unwrap();
        assert_eq!(hash_long(i64::from(day.to_epoch_days())), -653_330_422);
        let instant = day.and_hms_opt(22, 31, 8).unwrap().and_utc().timestamp_micros();
        assert_eq!(hash_long(instant), -2_047_944_441);
        assert_eq!(hash_bytes(b"iceberg"), 1_210_000_089);
        assert_eq!(hash_bytes(&[0, 1, 2, 3]), -188_683_207);
    }

    #[test]
    fn several_columns_wrap() {
        assert_eq!(combine(combine(0, i32::MAX), 5), i32::MAX.wrapping_mul(31).wrapping_add(5));
        assert_eq!(bucket(-1, 8), 0x7fff_ffff % 8);
    }

    #[test]
    fn decimals_use_the_fewest_bytes() {
        for value in [0i128, 1, -1, 127, 128, -128, -129, 255, 256, 32767, -32768, i128::MAX, i128::MIN] {
            let full = value.to_be_bytes();
            let mut start = 0;
            while start < 15
                && ((full[start] == 0 && full[start + 1] < 0x80)
                    || (full[start] == 0xff && full[start + 1] >= 0x80))
            {
                start += 1;
            }
            assert_eq!(hash_decimal(value), reference(&full[start..]), "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn loops_agree_with_the_reference(bytes: Vec<u8>, long: i64) {
            proptest::prop_assert_eq!(hash_bytes(&bytes), reference(&bytes));
            proptest::prop_assert_eq!(hash_long(long), reference(&long.to_le_bytes()));
        }
    }
}
