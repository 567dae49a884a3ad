//! What the pages and dictionaries of one reader hold, and how much they may.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that the pages and dictionaries of all columns of a reader may hold together.
#[derive(Debug, Clone)]
pub(super) struct PageMemory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: u64,
    held: AtomicU64,
}

impl PageMemory {
    /// Nothing held yet.
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Shared { limit, held: AtomicU64::new(0) }))
    }

    /// A share that holds nothing yet.
    pub fn share(&self) -> Share {
        Share { memory: self.clone(), page: 0, dictionary: 0 }
    }
}

/// What one column holds of it; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    memory: PageMemory,
    page: u64,
    dictionary: u64,
}

impl Share {
    /// Holds a page of `bytes` in place of the one before.
    ///
    /// # Errors
    /// The bytes that all columns together would hold, if that is above the limit.
    pub fn hold_page(&mut self, bytes: u64) -> Result<(), u64> {
        self.resize(bytes, self.dictionary)
    }

    /// Holds a dictionary of `bytes`.
    ///
    /// # Errors
    /// As for [`Self::hold_page`].
    pub fn hold_dictionary(&mut self, bytes: u64) -> Result<(), u64> {
        self.resize(self.page, bytes)
    }

    /// Bytes that all columns together may hold.
    pub fn limit(&self) -> u64 {
        self.memory.0.limit
    }

    /// Bytes of this column's page and dictionary.
    pub fn held(&self) -> u64 {
        self.page.saturating_add(self.dictionary)
    }

    fn resize(&mut self, page: u64, dictionary: u64) -> Result<(), u64> {
        let shared = &self.memory.0;
        let others = shared.held.load(Ordering::Relaxed).saturating_sub(self.held());
        let total = others.saturating_add(page).saturating_add(dictionary);
        if total > shared.limit {
            return Err(total);
        }
        shared.held.store(total, Ordering::Relaxed);
        (self.page, self.dictionary) = (page, dictionary);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.0.held.fetch_sub(self.held(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_share_one_limit_and_give_back() {
        let memory = PageMemory::new(100);
        let (mut one, mut two) = (memory.share(), memory.share());
        one.hold_dictionary(40).unwrap();
        one.hold_page(20).unwrap();
        assert_eq!(two.hold_page(41), Err(101));
        two.hold_page(40).unwrap();
        one.hold_page(10).unwrap();
        two.hold_page(50).unwrap();
        drop(two);
        one.hold_page(60).unwrap();
        assert_eq!(one.hold_page(u64::MAX), Err(u64::MAX));
    }
}
