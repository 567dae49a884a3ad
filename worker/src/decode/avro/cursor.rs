//! Avro's binary encoding, read from a block.

/// Why a value could not be read; told with its place by the caller.
pub(super) type Result<T> = std::result::Result<T, Fault>;

/// What is wrong with a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes are not what they should be.
    Damaged(String),
    /// One record takes so many bytes.
    TooLarge(u64),
}

impl Fault {
    /// Damage with a reason.
    pub fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged(reason.into())
    }
}

/// The unread bytes of a block.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// Here and below: if fewer are left.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or_else(|| Fault::damaged("a value lies outside of its block"))?;
        self.bytes = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self
            .bytes
            .split_first_chunk::<N>()
            .ok_or_else(|| Fault::damaged("a value lies outside of its block"))?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// A `long`: groups of seven bits, the lowest first, the sign in the lowest bit.
    #[inline]
    pub fn long(&mut self) -> Result<i64> {
        // Most are short.
        if let Some((&byte, rest)) = self.bytes.split_first()
            && byte < 0x80
        {
            self.bytes = rest;
            return Ok(i64::from(byte >> 1) ^ -i64::from(byte & 1));
        }
        let mut value = 0u64;
        for (place, byte) in self.bytes.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                self.bytes = &self.bytes[place + 1..];
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Fault::damaged("a number lies outside of its block, or has more than 64 bits"))
    }

    /// An `int`.
    #[inline]
    pub fn int(&mut self) -> Result<i32> {
        i32::try_from(self.long()?).map_err(|_| Fault::damaged("an int is out of range"))
    }

    /// A `boolean`.
    #[inline]
    pub fn boolean(&mut self) -> Result<bool> {
        match self.array::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(Fault::Damaged(format!("{other} is no boolean"))),
        }
    }

    /// `bytes` or a `string`: its length, then as many bytes.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.long()?).map_err(|_| Fault::damaged("a length is negative"))?;
        self.take(length)
    }

    /// How many items of an array or a map come next; 0 at its end.
    #[inline]
    pub fn item_count(&mut self) -> Result<u64> {
        let count = self.long()?;
        if count >= 0 {
            return Ok(count as u64);
        }
        // A negative count is followed by the bytes of the items.
        self.long()?;
        Ok(count.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_as_in_the_specification() {
        for (bytes, value) in [
            (&[0u8][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[0x7f], -64),
            (&[0x80, 1], 64),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], i64::MIN),
        ] {
            let mut cursor = Cursor::new(bytes);
            assert_eq!((cursor.long(), cursor.left()), (Ok(value), 0));
        }
        assert!(Cursor::new(&[0x80]).long().is_err());
        assert!(Cursor::new(&[0xff; 11]).long().is_err());
        assert!(Cursor::new(&[0x80, 0x80, 0x80, 0x80, 0x20]).int().is_err());
        assert!(Cursor::new(&[2]).boolean().is_err());
    }

    #[test]
    fn lengths_are_held_against_the_block() {
        assert_eq!(Cursor::new(&[6, b'a', b'b', b'c']).bytes(), Ok(&b"abc"[..]));
        assert!(Cursor::new(&[8, b'a', b'b', b'c']).bytes().is_err());
        assert!(Cursor::new(&[5, b'a', b'b', b'c']).bytes().is_err());
        assert_eq!(Cursor::new(&[3, 20]).item_count(), Ok(2));
    }

    proptest! {
        #[test]
        fn every_long_comes_back(value in any::<i64>()) {
            let mut zigzag = (value << 1 ^ value >> 63) as u64;
            let mut bytes = Vec::new();
            while zigzag >= 0x80 {
                bytes.push(zigzag as u8 | 0x80);
                zigzag >>= 7;
            }
            bytes.push(zigzag as u8);
            prop_assert_eq!(Cursor::new(&bytes).long(), Ok(value));
        }
    }
}
