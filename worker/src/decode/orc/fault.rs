//! What can go wrong inside a stripe, before it has a place.

use crate::decode::DecodeError;

/// Result of a step that does not know its place in the file.
pub(super) type Result<T> = std::result::Result<T, Fault>;

/// Why a step of decoding a column failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The bytes are not what they should be.
    Damaged(String),
    /// So many bytes would be held, and they are too many.
    TooLarge(u64),
    /// The rows asked for are so many bytes: fewer rows may do.
    BatchTooLarge(u64),
    /// The bytes could not be fetched.
    Fetch(Box<DecodeError>),
}

impl Fault {
    /// A stream that ends before its values do.
    pub fn ended() -> Self {
        Self::Damaged("a stream ends before its last value".to_owned())
    }

    /// Damage with a reason.
    pub fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged(reason.into())
    }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::Fetch(Box::new(error))
    }
}

/// Bytes that the arrays of one batch may still take. Spent before the memory is taken.
#[derive(Debug)]
pub(super) struct BatchSpace {
    limit: u64,
    spent: u64,
}

impl BatchSpace {
    /// Nothing spent yet.
    pub fn new(limit: u64) -> Self {
        Self { limit, spent: 0 }
    }

    /// Takes room for `count` values of `width` bytes.
    ///
    /// # Errors
    /// [`Fault::BatchTooLarge`] if there is none.
    pub fn take(&mut self, count: usize, width: usize) -> Result<()> {
        let bytes = (count as u64).saturating_mul(width as u64);
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > self.limit { Err(Fault::BatchTooLarge(self.spent)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_spent_once() {
        let mut space = BatchSpace::new(100);
        space.take(10, 8).unwrap();
        space.take(5, 4).unwrap();
        assert!(matches!(space.take(1, 1), Err(Fault::BatchTooLarge(101))));
        assert!(matches!(BatchSpace::new(100).take(usize::MAX, 8), Err(Fault::BatchTooLarge(_))));
    }
}
