//! What the blocks and dictionaries of one reader hold, and how much they may.

use super::fault::{Fault, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that all streams of a reader may hold together.
#[derive(Debug, Clone)]
pub(super) struct Memory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: u64,
    held: AtomicU64,
}

impl Memory {
    /// Nothing held yet.
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Shared { limit, held: AtomicU64::new(0) }))
    }

    /// A share that holds nothing yet.
    pub fn share(&self) -> Share {
        Share { memory: self.clone(), bytes: 0 }
    }
}

/// What one stream or dictionary holds of it; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    memory: Memory,
    bytes: u64,
}

impl Share {
    /// Holds `bytes` in place of what was held before.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] with what all together would hold, if that is above the limit.
    pub fn hold(&mut self, bytes: u64) -> Result<()> {
        let shared = &self.memory.0;
        let others = shared.held.load(Ordering::Relaxed).saturating_sub(self.bytes);
        let total = others.saturating_add(bytes);
        if total > shared.limit {
            return Err(Fault::TooLarge(total));
        }
        shared.held.store(total, Ordering::Relaxed);
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_one_limit_and_give_back() {
        let memory = Memory::new(100);
        let (mut one, mut two) = (memory.share(), memory.share());
        one.hold(60).unwrap();
        assert!(matches!(two.hold(41), Err(Fault::TooLarge(101))));
        two.hold(40).unwrap();
        drop(one);
        two.hold(100).unwrap();
        assert!(matches!(two.hold(u64::MAX), Err(Fault::TooLarge(u64::MAX))));
    }
}
