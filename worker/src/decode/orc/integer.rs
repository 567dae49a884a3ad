//! Run lengths of integers, both versions.

use super::fault::{Fault, Result};
use super::stream::Stream;

/// Values of a run, at most.
const LONGEST_RUN: usize = 512;

/// Which integer encoding a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A stream of integers. Those of an unsigned stream above 2⁶³ come as negative numbers.
pub(super) struct Integers {
    stream: Stream,
    version: Version,
    signed: bool,
    run: Box<[i64; LONGEST_RUN]>,
    /// The part of the run that is not yet given.
    at: usize,
    end: usize,
}

impl Integers {
    pub fn new(stream: Stream, version: Version, signed: bool) -> Self {
        Self { stream, version, signed, run: Box::new([0; LONGEST_RUN]), at: 0, end: 0 }
    }

    /// Fills `out` with the next values.
    pub fn fill(&mut self, mut out: &mut [i64]) -> Result<()> {
        while !out.is_empty() {
            if self.at == self.end {
                self.at = 0;
                self.end = match self.version {
                    Version::One => self.run_of_one()?,
                    Version::Two => self.run_of_two()?,
                };
            }
            let count = out.len().min(self.end - self.at);
            out[..count].copy_from_slice(&self.run[self.at..self.at + count]);
            self.at += count;
            out = &mut out[count..];
        }
        Ok(())
    }

    fn number(&mut self) -> Result<i64> {
        let number = self.stream.varint()?;
        Ok(if self.signed { zigzag(number) } else { number as i64 })
    }

    /// 3 to 130 values with a fixed step, or 1 to 128 single ones.
    fn run_of_one(&mut self) -> Result<usize> {
        let control = self.stream.byte()?;
        if control < 0x80 {
            let count = usize::from(control) + 3;
            let step = i64::from(self.stream.byte()? as i8);
            let mut value = self.number()?;
            for place in &mut self.run[..count] {
                *place = value;
                value = value.wrapping_add(step);
            }
            return Ok(count);
        }
        let count = 256 - usize::from(control);
        for place in 0..count {
            self.run[place] = self.number()?;
        }
        Ok(count)
    }

    fn run_of_two(&mut self) -> Result<usize> {
        let first = self.stream.byte()?;
        match first >> 6 {
            0 => self.short_repeat(first),
            1 => self.direct(first),
            2 => self.patched_base(first),
            _ => self.delta(first),
        }
    }

    /// One value of 1 to 8 bytes, 3 to 10 times.
    fn short_repeat(&mut self, first: u8) -> Result<usize> {
        let value = self.big_endian(usize::from(first >> 3 & 7) + 1)?;
        let count = usize::from(first & 7) + 3;
        self.run[..count].fill(if self.signed { zigzag(value) } else { value as i64 });
        Ok(count)
    }

    /// Values of a fixed number of bits.
    fn direct(&mut self, first: u8) -> Result<usize> {
        let count = self.count(first)?;
        self.unpack(count, width(first >> 1))?;
        if self.signed {
            self.run[..count].iter_mut().for_each(|value| *value = zigzag(*value as u64));
        }
        Ok(count)
    }

    /// A base, differences of few bits, and the high bits of the few that need more.
    fn patched_base(&mut self, first: u8) -> Result<usize> {
        let count = self.count(first)?;
        let bits = width(first >> 1);
        let (third, fourth) = (self.stream.byte()?, self.stream.byte()?);
        let base_bytes = usize::from(third >> 5) + 1;
        let (patch_bits, gap_bits) = (width(third), u32::from(fourth >> 5) + 1);
        let patches = usize::from(fourth & 0x1f);
        let base = self.big_endian(base_bytes)?;
        let sign = 1u64 << (base_bytes * 8 - 1);
        let base = if base & sign == 0 { base as i64 } else { ((base & (sign - 1)) as i64).wrapping_neg() };
        self.unpack(count, bits)?;
        let entry_bits = fitting_width(gap_bits + patch_bits)
            .ok_or_else(|| Fault::damaged("a patch of a run has more than 64 bits"))?;
        let mut entries = [0i64; 32];
        unpack_into(&mut self.stream, &mut entries[..patches], entry_bits)?;
        let mut place = 0usize;
        for entry in &entries[..patches] {
            let entry = *entry as u64;
            // A patch of 64 bits would leave none for the gap.
            place = place.saturating_add((entry >> patch_bits) as usize);
            let patch = entry & low_bits(patch_bits);
            let value = self.run[..count]
                .get_mut(place)
                .ok_or_else(|| Fault::damaged("a patch lies outside of its run"))?;
            *value |= patch.checked_shl(bits).unwrap_or(0) as i64;
        }
        self.run[..count].iter_mut().for_each(|value| *value = value.wrapping_add(base));
        Ok(count)
    }

    /// A base, a first difference, and more differences of its sign.
    fn delta(&mut self, first: u8) -> Result<usize> {
        let bits = if first >> 1 & 0x1f == 0 { 0 } else { width(first >> 1) };
        let count = self.count(first)?;
        let base = self.number()?;
        let step = zigzag(self.stream.varint()?);
        self.run[0] = base;
        if bits == 0 {
            let mut value = base;
            for place in &mut self.run[1..count] {
                value = value.wrapping_add(step);
                *place = value;
            }
            return Ok(count);
        }
        if count < 2 {
            return Err(Fault::damaged("a run of differences has one value"));
        }
        let mut value = base.wrapping_add(step);
        self.run[1] = value;
        unpack_into(&mut self.stream, &mut self.run[2..count], bits)?;
        for place in &mut self.run[2..count] {
            value = if step < 0 { value.wrapping_sub(*place) } else { value.wrapping_add(*place) };
            *place = value;
        }
        Ok(count)
    }

    /// Values of a run: nine bits, one less than there are.
    fn count(&mut self, first: u8) -> Result<usize> {
        Ok((usize::from(first & 1) << 8 | usize::from(self.stream.byte()?)) + 1)
    }

    fn big_endian(&mut self, bytes: usize) -> Result<u64> {
        let mut value = 0;
        for _ in 0..bytes {
            value = value << 8 | u64::from(self.stream.byte()?);
        }
        Ok(value)
    }

    fn unpack(&mut self, count: usize, bits: u32) -> Result<()> {
        unpack_into(&mut self.stream, &mut self.run[..count], bits)
    }
}

/// Bits of a value, from five bits of a header.
fn width(code: u8) -> u32 {
    match code & 0x1f {
        code @ 0..=23 => u32::from(code) + 1,
        code @ 24..=27 => 26 + 2 * u32::from(code - 24),
        code => 40 + 8 * u32::from(code - 28),
    }
}

/// The smallest width that a header can say and that holds so many bits.
fn fitting_width(bits: u32) -> Option<u32> {
    match bits {
        0..=24 => Some(bits),
        25..=32 => Some(bits.next_multiple_of(2)),
        33..=64 => Some(bits.next_multiple_of(8)),
        _ => None,
    }
}

fn low_bits(bits: u32) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Reads values of so many bits, the highest first, that end with a whole byte.
fn unpack_into(stream: &mut Stream, out: &mut [i64], bits: u32) -> Result<()> {
    let mut packed = [0u8; LONGEST_RUN * 8 + 8];
    let length = (out.len() * bits as usize).div_ceil(8);
    stream.exact(&mut packed[..length])?;
    match bits {
        8 => out.iter_mut().zip(&packed).for_each(|(value, byte)| *value = i64::from(*byte)),
        16 | 24 | 32 | 40 | 48 | 56 | 64 => {
            let bytes = bits as usize / 8;
            for (value, bytes) in out.iter_mut().zip(packed.chunks_exact(bytes)) {
                *value = bytes.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte)) as i64;
            }
        }
        _ => {
            // Other widths are at most 30: with seven bits in front they lie in five bytes.
            let mask = low_bits(bits);
            for (number, value) in out.iter_mut().enumerate() {
                let bit = number * bits as usize;
                let mut window = [0u8; 8];
                window.copy_from_slice(&packed[bit / 8..bit / 8 + 8]);
                let shift = 64 - bits - (bit % 8) as u32;
                *value = (u64::from_be_bytes(window) >> shift & mask) as i64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::orc::stream::tests::stream_of;
    use proptest::prelude::*;

    fn all(bytes: &[u8], version: Version, signed: bool, count: usize) -> Vec<i64> {
        let mut values = vec![0; count];
        let mut integers = Integers::new(stream_of(bytes), version, signed);
        let (first, second) = values.split_at_mut(count / 3);
        integers.fill(first).unwrap();
        integers.fill(second).unwrap();
        assert!(integers.fill(&mut [0]).is_err());
        values
    }

    /// The examples of the ORC specification.
    #[test]
    fn the_examples_of_the_specification() {
        assert_eq!(all(&[0x61, 0x00, 0x07], Version::One, false, 100), [7; 100]);
        let down: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(all(&[0x61, 0xff, 0x64], Version::One, false, 100), down);
        assert_eq!(all(&[0xfb, 0x02, 0x03, 0x04, 0x07, 0x0b], Version::One, false, 5), [2, 3, 4, 7, 11]);
        assert_eq!(all(&[0x0a, 0x27, 0x10], Version::Two, false, 5), [10_000; 5]);
        let direct = [0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef];
        assert_eq!(all(&direct, Version::Two, false, 4), [23713, 43806, 57005, 48879]);
        let patched = [
            0x8e, 0x13, 0x2b, 0x21, 0x07, 0xd0, 0x1e, 0x00, 0x14, 0x70, 0x28, 0x32, 0x3c, 0x46, 0x50, 0x5a,
            0x64, 0x6e, 0x78, 0x82, 0x8c, 0x96, 0xa0, 0xaa, 0xb4, 0xbe, 0xfc, 0xe8,
        ];
        let expected = [
            2030, 2000, 2020, 1_000_000, 2040, 2050, 2060, 2070, 2080, 2090, 2100, 2110, 2120, 2130, 2140,
            2150, 2160, 2170, 2180, 2190,
        ];
        assert_eq!(all(&patched, Version::Two, false, 20), expected);
        let delta = [0xc6, 0x09, 0x02, 0x02, 0x22, 0x42, 0x42, 0x46];
        assert_eq!(all(&delta, Version::Two, false, 10), [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
    }

    #[test]
    fn widths_are_those_of_the_specification() {
        let widths: Vec<u32> = (0..32).map(width).collect();
        assert_eq!(widths[..24], (1..=24).collect::<Vec<_>>());
        assert_eq!(widths[24..], [26, 28, 30, 32, 40, 48, 56, 64]);
        assert_eq!([25, 31, 33, 64].map(fitting_width), [Some(26), Some(32), Some(40), Some(64)]);
        assert_eq!(fitting_width(65), None);
    }

    proptest! {
        #[test]
        fn direct_values_of_any_width_come_back(
            code in 0u8..32,
            values in proptest::collection::vec(any::<u64>(), 1..=512),
        ) {
            let bits = width(code);
            let values: Vec<u64> = values.into_iter().map(|value| value & low_bits(bits)).collect();
            let count = values.len() - 1;
            let mut bytes = vec![0x40 | code << 1 | (count >> 8) as u8, count as u8];
            let mut packed = vec![0u8; (values.len() * bits as usize).div_ceil(8)];
            for (number, value) in values.iter().enumerate() {
                for bit in 0..bits as usize {
                    let place = number * bits as usize + bit;
                    let set = (value >> (bits as usize - 1 - bit) & 1) as u8;
                    packed[place / 8] |= set << (7 - place % 8);
                }
            }
            bytes.extend_from_slice(&packed);
            let mut found = vec![0; values.len()];
            Integers::new(stream_of(&bytes), Version::Two, false).fill(&mut found).unwrap();
            prop_assert_eq!(found.into_iter().map(|value| value as u64).collect::<Vec<_>>(), values);
        }

        #[test]
        fn any_bytes_end_in_values_or_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            one in any::<bool>(),
            signed in any::<bool>(),
        ) {
            let version = if one { Version::One } else { Version::Two };
            let mut integers = Integers::new(stream_of(&bytes), version, signed);
            let mut out = [0; 100];
            // A byte gives at most 512 / 2 values, so this comes to an end.
            let mut rounds = 0;
            while integers.fill(&mut out).is_ok() {
                rounds += 1;
                prop_assert!(rounds < 3000);
            }
        }
    }
}
