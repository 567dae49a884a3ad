//! How a run is cut into parts that fit the cache: by tablet, then by the leading bits of the sort key.

/// Bytes of a part, about: with its order and what is gathered from it, it stays in the second-level cache.
pub(crate) const PART_BYTES: usize = 256 << 10;
/// Bits of the number of bins, at most: bins are counted, and then joined to parts of equal size.
const BIN_BITS: u32 = 15;

/// Bins of the rows of a run: each holds rows of one tablet whose keys lead with the same bits.
#[derive(Debug)]
pub(crate) struct Parting {
    tablets: usize,
    /// Bits of the key that tell the bins of a tablet apart.
    key_bits: u32,
    /// Bits of the key behind those.
    shift: u32,
}

/// Neighbouring bins of one tablet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) tablet: u16,
    /// Number of bins.
    pub(crate) bins: usize,
    pub(crate) rows: u32,
}

impl Parting {
    /// Bins for so many tablets (at most 65,536), and keys that are numbers of `bits` bits.
    pub(crate) fn new(tablets: usize, bits: u32) -> Self {
        let tablet_bits = usize::BITS - tablets.saturating_sub(1).leading_zeros();
        let key_bits = BIN_BITS.saturating_sub(tablet_bits).min(bits);
        Self { tablets, key_bits, shift: bits - key_bits }
    }

    /// Number of bins.
    pub(crate) fn bins(&self) -> usize {
        self.tablets << self.key_bits
    }

    /// The bin of a row.
    #[inline]
    pub(crate) fn bin(&self, tablet: u16, number: u64) -> u16 {
        // A shift by all 64 bits is that of a key that tells no bins apart.
        let leading = number.checked_shr(self.shift).unwrap_or(0);
        (u32::from(tablet) << self.key_bits | leading as u32) as u16
    }

    /// The tablet of a bin.
    #[inline]
    pub(crate) fn tablet(&self, bin: u16) -> u16 {
        (u32::from(bin) >> self.key_bits) as u16
    }

    /// Joins the bins, in order, to parts of about `most` rows: larger only where one bin is.
    pub(crate) fn join(&self, rows_of_bin: &[u32], most: usize) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (bin, &rows) in rows_of_bin.iter().enumerate() {
            let tablet = self.tablet(bin as u16);
            match parts.last_mut() {
                Some(part) if part.tablet == tablet && (part.rows + rows) as usize <= most => {
                    part.rows += rows;
                    part.bins += 1;
                }
                _ => parts.push(Part { tablet, bins: 1, rows }),
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_follow_tablet_and_key() {
        let parting = Parting::new(4, 20);
        assert_eq!(parting.bins(), 1 << 15);
        assert_eq!(parting.bin(0, 0), 0);
        assert_eq!(parting.bin(3, (1 << 20) - 1), (1 << 15) - 1);
        assert!(parting.bin(1, 1 << 19) > parting.bin(1, (1 << 19) - 1));
        assert_eq!(Parting::new(1 << 16, 64).bin(65_535, u64::MAX), 65_535);
        assert_eq!(Parting::new(1, 64).bin(0, u64::MAX), (1 << 15) - 1);
        assert_eq!(Parting::new(1, 0).bins(), 1);
    }

    #[test]
    fn parts_are_of_one_tablet_and_near_the_size() {
        let parting = Parting::new(2, 2);
        let parts = parting.join(&[3, 3, 0, 9, 0, 0, 1, 5], 6);
        let of = |tablet, bins, rows| Part { tablet, bins, rows };
        assert_eq!(parts, [of(0, 3, 6), of(0, 1, 9), of(1, 4, 6)]);
    }
}
