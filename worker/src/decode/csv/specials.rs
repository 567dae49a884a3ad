//! Where certain bytes stand in a text, found 64 bytes at a time.

/// Gives the positions of `N` bytes in order.
pub(super) struct Specials<'a, const N: usize> {
    bytes: &'a [u8],
    wanted: [u8; N],
    /// Of the chunk at `base`: the positions not given yet.
    mask: u64,
    base: usize,
    /// Where the next chunk begins.
    next: usize,
}

impl<'a, const N: usize> Specials<'a, N> {
    /// Looks for the bytes of `wanted`.
    pub(super) fn new(bytes: &'a [u8], wanted: [u8; N]) -> Self {
        Self::from(bytes, wanted, 0)
    }

    /// The same from position `start` on.
    pub(super) fn from(bytes: &'a [u8], wanted: [u8; N], start: usize) -> Self {
        Self { bytes, wanted, mask: 0, base: 0, next: start.min(bytes.len()) }
    }

    #[inline(never)]
    fn advance(&mut self) -> bool {
        while self.mask == 0 {
            self.base = self.next;
            let rest = &self.bytes[self.base..];
            if let Some((chunk, _)) = rest.split_first_chunk::<64>() {
                self.mask = mask(chunk, self.wanted);
                self.next += 64;
                continue;
            }
            if rest.is_empty() {
                return false;
            }
            let mut chunk = [0; 64];
            chunk[..rest.len()].copy_from_slice(rest);
            self.mask = mask(&chunk, self.wanted) & ((1 << rest.len()) - 1);
            self.next = self.bytes.len();
        }
        true
    }
}

impl<const N: usize> Iterator for Specials<'_, N> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.mask == 0 && !self.advance() {
            return None;
        }
        let at = self.base + self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        Some(at)
    }
}

/// Bit `i` is set where byte `i` is one of `wanted`. Written so that the compiler compares 16 or 32 bytes at
/// once; eight truth values of a byte each become eight bits by one multiplication.
#[inline(always)]
fn mask<const N: usize>(chunk: &[u8; 64], wanted: [u8; N]) -> u64 {
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut found = [0u8; 64];
    for (found, byte) in found.iter_mut().zip(chunk) {
        for wanted in wanted {
            *found |= u8::from(*byte == wanted);
        }
    }
    let mut bits = 0u64;
    for (index, eight) in found.as_chunks::<8>().0.iter().enumerate() {
        bits |= (u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56) << (8 * index);
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_position_is_found(bytes in prop::collection::vec(prop::sample::select(&b",\n\"a\0\x80\xff"[..]), 0..300)) {
            let wanted = [b',', b'\n', b'\0'];
            let expected: Vec<usize> = (0..bytes.len()).filter(|&at| wanted.contains(&bytes[at])).collect();
            prop_assert_eq!(Specials::new(&bytes, wanted).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn a_mask_has_the_bits_of_its_bytes(chunk in prop::array::uniform32(any::<[u8; 2]>()), byte in any::<u8>()) {
            let chunk: [u8; 64] = chunk.concat().try_into().unwrap();
            for wanted in [[byte, b','], [chunk[7], chunk[63]]] {
                let expected = (0..64).filter(|&at| wanted.contains(&chunk[at])).fold(0, |bits, at| bits | 1u64 << at);
                prop_assert_eq!(mask(&chunk, wanted), expected);
            }
        }
    }
}
