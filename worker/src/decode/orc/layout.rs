//! How the memory of a reader is shared out between stored bytes and decompressed blocks.

use std::ops::Range;

/// Largest and smallest window.
const WINDOW: std::ops::RangeInclusive<u64> = 16 * 1024..=4 * 1024 * 1024;
/// A stream seldom shrinks to less than a tenth: a small one has no whole block.
const USUAL_RATIO: u64 = 10;

/// How a stripe is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// All streams are asked for at once, in few large fetches.
    pub whole: bool,
    /// Otherwise, bytes of the windows of each stream.
    pub window: u64,
    /// Windows asked for beyond the one in use.
    pub ahead: usize,
    /// Bytes for decompressed blocks and dictionaries.
    pub memory: u64,
}

/// Chooses the fastest way that the budget (bytes) allows. `streams` are the ranges to read, `fetched` what
/// reading them in few large fetches takes, `block` the size of a decompressed block (0: not compressed).
pub(super) fn choose_layout(streams: &[Range<u64>], fetched: u64, block: u64, budget: u64) -> Layout {
    let length = |range: &Range<u64>| range.end - range.start;
    let blocks: u64 = streams.iter().map(|range| block.min(length(range).saturating_mul(USUAL_RATIO))).sum();
    let room = budget.saturating_sub(blocks);
    if fetched <= room {
        return Layout { whole: true, window: *WINDOW.end(), ahead: 1, memory: budget - fetched };
    }
    // A block that lies across two windows is copied.
    let windows = |size: u64, count: u64| -> u64 {
        streams
            .iter()
            .map(|range| length(range).min(size.saturating_mul(count)) + block.min(length(range)))
            .sum()
    };
    let mut size = *WINDOW.end();
    while size >= *WINDOW.start() {
        let bytes = windows(size, 2);
        if bytes <= room {
            return Layout { whole: false, window: size, ahead: 1, memory: budget - bytes };
        }
        size /= 2;
    }
    // One window a stream: what then does not fit fails with the memory that it needs.
    let bytes = windows(*WINDOW.start(), 1);
    Layout { whole: false, window: *WINDOW.start(), ahead: 0, memory: budget.saturating_sub(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn streams(count: u64, length: u64) -> Vec<Range<u64>> {
        (0..count).map(|number| number * length..(number + 1) * length).collect()
    }

    #[test]
    fn small_stripes_are_fetched_whole_and_large_ones_through_windows() {
        let small = choose_layout(&streams(10, MIB), 10 * MIB, MIB / 4, 24 * MIB);
        assert_eq!((small.whole, small.memory), (true, 14 * MIB));
        let large = choose_layout(&streams(10, 20 * MIB), 200 * MIB, MIB / 4, 24 * MIB);
        assert_eq!((large.whole, large.window, large.ahead), (false, MIB / 2, 1));
        let wide = choose_layout(&streams(6000, MIB / 10), 600 * MIB, MIB / 4, 24 * MIB);
        assert_eq!((wide.whole, wide.ahead), (false, 0));
    }

    proptest! {
        #[test]
        fn never_more_than_the_budget(
            lengths in proptest::collection::vec(1u64..1 << 32, 0..50),
            block in 0u64..1 << 23,
            budget in 0u64..1 << 32,
        ) {
            let streams: Vec<_> = lengths.iter().map(|length| 0..*length).collect();
            let fetched = lengths.iter().sum();
            let layout = choose_layout(&streams, fetched, block, budget);
            prop_assert!(layout.memory <= budget);
            if layout.whole {
                prop_assert!(layout.memory + fetched <= budget);
            }
        }
    }
}
