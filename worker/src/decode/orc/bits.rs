//! Run lengths of bytes, and of bits in bytes.

use super::fault::{BatchSpace, Result};
use super::stream::Stream;
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::util::bit_util;

/// Bytes in runs: a control byte, then one byte for 3 to 130 values, or 1 to 128 values.
pub(super) struct ByteRuns {
    stream: Stream,
    run: Run,
}

enum Run {
    Repeated { byte: u8, left: usize },
    Literal { left: usize },
}

impl ByteRuns {
    pub fn new(stream: Stream) -> Self {
        Self { stream, run: Run::Literal { left: 0 } }
    }

    /// Fills `out` with the next bytes.
    pub fn fill(&mut self, mut out: &mut [u8]) -> Result<()> {
        while !out.is_empty() {
            let filled = match &mut self.run {
                Run::Literal { left: 0 } | Run::Repeated { left: 0, .. } => {
                    let control = self.stream.byte()?;
                    self.run = if control < 0x80 {
                        Run::Repeated { byte: self.stream.byte()?, left: usize::from(control) + 3 }
                    } else {
                        Run::Literal { left: 256 - usize::from(control) }
                    };
                    continue;
                }
                Run::Repeated { byte, left } => {
                    let count = out.len().min(*left);
                    out[..count].fill(*byte);
                    *left -= count;
                    count
                }
                Run::Literal { left } => {
                    let count = out.len().min(*left);
                    self.stream.exact(&mut out[..count])?;
                    *left -= count;
                    count
                }
            };
            out = &mut out[filled..];
        }
        Ok(())
    }
}

/// Bits in runs of bytes, the highest bit of each byte first.
pub(super) struct Bits {
    bytes: ByteRuns,
    /// The byte in use, its bits in Arrow's order, and how many of them are left.
    byte: u8,
    left: usize,
}

impl Bits {
    pub fn new(stream: Stream) -> Self {
        Self { bytes: ByteRuns::new(stream), byte: 0, left: 0 }
    }

    /// The next `count` bits.
    pub fn next(&mut self, count: usize, space: &mut BatchSpace) -> Result<BooleanBuffer> {
        space.take(count.div_ceil(8), 1)?;
        let mut packed = vec![0u8; count.div_ceil(8)];
        if self.left == 0 {
            // Batches mostly begin with a byte.
            self.bytes.fill(&mut packed)?;
            packed.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
            if let (Some(last), used @ 1..) = (packed.last(), count % 8) {
                self.byte = last >> used;
                self.left = 8 - used;
            }
        } else {
            for place in 0..count {
                if self.left == 0 {
                    let mut byte = [0];
                    self.bytes.fill(&mut byte)?;
                    self.byte = byte[0].reverse_bits();
                    self.left = 8;
                }
                if self.byte & 1 == 1 {
                    bit_util::set_bit(&mut packed, place);
                }
                self.byte >>= 1;
                self.left -= 1;
            }
        }
        Ok(BooleanBuffer::new(Buffer::from_vec(packed), 0, count))
    }

    /// The next `count` bits as a mask of what is not NULL; `None` if nothing is NULL.
    pub fn next_nulls(&mut self, count: usize, space: &mut BatchSpace) -> Result<Option<NullBuffer>> {
        let nulls = NullBuffer::new(self.next(count, space)?);
        Ok((nulls.null_count() > 0).then_some(nulls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::orc::stream::tests::stream_of;
    use proptest::prelude::*;

    #[test]
    fn runs_and_literals_alternate() {
        let mut runs = ByteRuns::new(stream_of(&[0x61, 0x00, 0xfe, 0x44, 0x45, 0x00, 7]));
        let mut out = [1; 103];
        runs.fill(&mut out[..50]).unwrap();
        runs.fill(&mut out[50..]).unwrap();
        assert!(out[..100].iter().all(|byte| *byte == 0));
        assert_eq!(out[100..], [0x44, 0x45, 7]);
        runs.fill(&mut out[..2]).unwrap();
        assert!(runs.fill(&mut out[..1]).is_err());
    }

    proptest! {
        #[test]
        fn bits_are_the_same_however_they_are_asked_for(
            bytes in proptest::collection::vec(any::<u8>(), 1..40),
            steps in proptest::collection::vec(1usize..30, 1..20),
        ) {
            let mut stored = vec![(256 - bytes.len()) as u8];
            stored.extend_from_slice(&bytes);
            let mut bits = Bits::new(stream_of(&stored));
            let expected: Vec<bool> =
                bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte >> (7 - bit) & 1 == 1)).collect();
            let mut at = 0;
            for step in steps {
                let step = step.min(expected.len() - at);
                let found = bits.next(step, &mut BatchSpace::new(1000)).unwrap();
                prop_assert_eq!(found.iter().collect::<Vec<_>>(), &expected[at..at + step]);
                at += step;
            }
        }
    }
}
