//! A walker over Thrift's compact protocol that checks and allocates nothing.
//!
//! Footers and page headers are walked before the decoder proper parses them: a damaged length must
//! become an error, never an allocation of that length (which would end the process, not the load).

/// Levels of nesting that are followed; Parquet's own structures need 8.
const MAX_DEPTH: u8 = 32;

/// Why a structure could not be walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// The bytes end inside of the structure.
    Ends,
    /// The bytes are no such structure.
    Invalid,
}

/// Kinds of values, as the compact protocol numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true`, in the header of the field itself.
    True,
    /// `false`, in the header of the field itself.
    False,
    /// One byte.
    Byte,
    /// A zigzag varint of 16, 32 or 64 bits.
    Integer,
    /// Eight bytes.
    Double,
    /// A length and so many bytes.
    Binary,
    /// A list or a set.
    List,
    /// A map.
    Map,
    /// A nested structure.
    Struct,
}

impl Kind {
    fn of(code: u8) -> Result<Self, Damage> {
        Ok(match code {
            1 => Self::True,
            2 => Self::False,
            3 => Self::Byte,
            4..=6 => Self::Integer,
            7 => Self::Double,
            8 => Self::Binary,
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Struct,
            _ => return Err(Damage::Invalid),
        })
    }
}

/// A position in bytes that hold a structure.
#[derive(Debug, Clone)]
pub(super) struct Walker<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Walker<'a> {
    /// Begins at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes walked so far.
    pub fn position(&self) -> usize {
        self.position
    }

    fn byte(&mut self) -> Result<u8, Damage> {
        let byte = *self.bytes.get(self.position).ok_or(Damage::Ends)?;
        self.position += 1;
        Ok(byte)
    }

    fn advance(&mut self, count: u64) -> Result<(), Damage> {
        if count > (self.bytes.len() - self.position) as u64 {
            return Err(Damage::Ends);
        }
        self.position += count as usize;
        Ok(())
    }

    /// An unsigned varint.
    pub fn unsigned(&mut self) -> Result<u64, Damage> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Damage::Invalid)
    }

    /// A zigzag varint.
    pub fn integer(&mut self) -> Result<i64, Damage> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next field of a structure, or `None` at its end. `last` is the number of the field before.
    pub fn field(&mut self, last: &mut i16) -> Result<Option<(i16, Kind)>, Damage> {
        let header = self.byte()?;
        if header == 0 {
            return Ok(None);
        }
        let number = match header >> 4 {
            0 => i16::try_from(self.integer()?).map_err(|_| Damage::Invalid)?,
            delta => last.checked_add(i16::from(delta)).ok_or(Damage::Invalid)?,
        };
        *last = number;
        Ok(Some((number, Kind::of(header & 0x0f)?)))
    }

    /// Walks over a value of this kind.
    pub fn skip(&mut self, kind: Kind) -> Result<(), Damage> {
        self.skip_below(kind, MAX_DEPTH)
    }

    fn skip_below(&mut self, kind: Kind, depth: u8) -> Result<(), Damage> {
        let depth = depth.checked_sub(1).ok_or(Damage::Invalid)?;
        match kind {
            Kind::True | Kind::False => Ok(()),
            Kind::Byte => self.advance(1),
            Kind::Integer => self.unsigned().map(|_| ()),
            Kind::Double => self.advance(8),
            Kind::Binary => {
                let length = self.unsigned()?;
                self.advance(length)
            }
            Kind::List => {
                let header = self.byte()?;
                let count = match header >> 4 {
                    15 => self.unsigned()?,
                    short => u64::from(short),
                };
                self.elements(count, &[Kind::of(header & 0x0f)?], depth)
            }
            Kind::Map => match self.unsigned()? {
                0 => Ok(()),
                count => {
                    let kinds = self.byte()?;
                    self.elements(count, &[Kind::of(kinds >> 4)?, Kind::of(kinds & 0x0f)?], depth)
                }
            },
            Kind::Struct => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip_below(kind, depth)?;
                }
                Ok(())
            }
        }
    }

    /// Walks `count` times over these kinds. An element takes at least a byte, so a count above what is
    /// left is refused before anything is read.
    fn elements(&mut self, count: u64, kinds: &[Kind], depth: u8) -> Result<(), Damage> {
        if count > (self.bytes.len() - self.position) as u64 {
            return Err(Damage::Ends);
        }
        for _ in 0..count {
            for kind in kinds {
                match kind {
                    Kind::True | Kind::False => self.advance(1)?,
                    kind => self.skip_below(*kind, depth)?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_list_longer_than_the_bytes_is_refused() {
        let mut walker = Walker::new(&[0xf5, 0xff, 0xff, 0xff, 0xff, 0x07, 1, 2, 3]);
        assert_eq!(walker.skip(Kind::List), Err(Damage::Ends));
    }

    #[test]
    fn fields_are_numbered_by_difference_or_in_full() {
        // field 1 = 3 (short form), field 300 = 1 (long form), end
        let mut walker = Walker::new(&[0x15, 0x06, 0x05, 0xd8, 0x04, 0x02, 0x00]);
        let mut last = 0;
        assert_eq!(walker.field(&mut last), Ok(Some((1, Kind::Integer))));
        assert_eq!(walker.integer(), Ok(3));
        assert_eq!(walker.field(&mut last), Ok(Some((300, Kind::Integer))));
        assert_eq!(walker.integer(), Ok(1));
        assert_eq!(walker.field(&mut last), Ok(None));
        assert_eq!(walker.position(), 7);
    }

    #[test]
    fn nesting_without_end_is_refused() {
        assert_eq!(Walker::new(&[0x1c; 100]).skip(Kind::Struct), Err(Damage::Invalid));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut walker = Walker::new(&bytes);
            let answer = walker.skip(Kind::Struct);
            prop_assert!(walker.position() <= bytes.len());
            if answer.is_ok() {
                // What was walked is whole: any prefix of it is not.
                let whole = walker.position();
                prop_assert!(Walker::new(&bytes[..whole - 1]).skip(Kind::Struct).is_err());
            }
        }
    }
}
