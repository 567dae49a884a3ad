//! How a worker's memory budget is shared out.

/// What the process costs before the first row: code, allocator, TLS, runtime, the log's state. Bytes.
const BASE: u64 = 48 << 20;

/// Below this there is no sense in trying: the base and one window a stage. Bytes.
pub const SMALLEST_BUDGET: u64 = 96 << 20;

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
        Self { decode: usable / 4, queue: usable / 10, writer: usable / 100 * 55 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_and_the_base_fit_in_the_budget() {
        for budget in [SMALLEST_BUDGET, 256 << 20, 1 << 30, 1 << 40] {
            let shares = MemoryShares::of(budget);
            assert!((shares.decode + shares.queue + shares.writer) as u64 + BASE <= budget);
        }
    }
}
