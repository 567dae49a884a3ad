//! How a worker's memory budget is shared out.

use super::OPENERS;

/// What the process costs beside the shares: code, TLS, runtime, batches on their way between two stages, and
/// what the allocator keeps of what was freed; as measured by `make bench`. Bytes.
const BASE: u64 = 160 << 20;

/// A reader with less than this reads its columns in slices, again and again. Bytes.
const READER: usize = 24 << 20;

/// Blocks of text are at least and at most this large. Bytes.
const MIN_BLOCK: usize = 256 << 10;
const MAX_BLOCK: usize = 4 << 20;

/// A smaller budget is taken for this one: the base and one window a stage. Bytes.
pub const SMALLEST_BUDGET: u64 = 224 << 20;

/// Shares of the budget, in bytes; their sum stays below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryShares {
    /// Windows, pages and dictionaries of all readers together.
    pub decode: usize,
    /// Converted batches between decoders and the tablet writer.
    pub queue: usize,
    /// The tablet writer: run buffer, sort, encoders.
    pub writer: usize,
}

impl MemoryShares {
    /// Shares out a budget (bytes); a budget below [`SMALLEST_BUDGET`] is taken for that.
    pub fn of(budget: u64) -> Self {
        let usable = usize::try_from(budget.max(SMALLEST_BUDGET) - BASE).unwrap_or(usize::MAX / 2);
        Self { decode: usable / 100 * 18, queue: usable / 100 * 6, writer: usable / 100 * 45 }
    }

    /// How many threads decode, of those that may, and with how much memory each reader: two readers a thread
    /// (one decodes, the next one's bytes are on their way), fewer where they would be too small.
    pub fn decoders(&self, threads: usize) -> Decoders {
        let threads = threads.min(self.decode / READER).max(1);
        let readers = if self.decode / (2 * threads) >= READER { 2 } else { 1 };
        let reader_bytes = self.decode / (readers * threads);
        // Blocks of text: one in each opener's hand, those that wait, and one or two a thread.
        let block_bytes = (self.decode / (OPENERS + 4 * threads)).clamp(MIN_BLOCK, MAX_BLOCK);
        Decoders {
            threads,
            ahead: readers == 2,
            reader_bytes,
            block_bytes,
            ahead_bytes: 2 * threads * block_bytes,
        }
    }
}

/// How the share of the decoders is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoders {
    /// Threads that decode.
    pub threads: usize,
    /// Whether each fetches its next row group while it decodes one.
    pub ahead: bool,
    /// Bytes of each reader.
    pub reader_bytes: usize,
    /// Bytes of a block of text.
    pub block_bytes: usize,
    /// Bytes of the blocks that wait.
    pub ahead_bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_and_the_base_fit_in_the_budget() {
        for budget in [SMALLEST_BUDGET, 256 << 20, 1 << 30, 1 << 40] {
            let shares = MemoryShares::of(budget);
            assert!((shares.decode + shares.queue + shares.writer) as u64 + BASE <= budget);
            for threads in [1, 2, 64] {
                let decoders = shares.decoders(threads);
                let readers = decoders.threads * if decoders.ahead { 2 } else { 1 };
                assert!((1..=threads).contains(&decoders.threads));
                assert!(readers * decoders.reader_bytes <= shares.decode);
                assert!(decoders.reader_bytes >= READER || decoders.threads == 1);
            }
        }
    }
}
