//! How the memory of a reader is shared out between bytes on their way and pages being decoded.

/// Largest and smallest window.
const WINDOW: std::ops::RangeInclusive<u64> = 64 * 1024..=8 * 1024 * 1024;
/// What writers keep a page below, if they keep to the usual limit of 1 MiB.
const USUAL_PAGE: u64 = 1024 * 1024 + 64 * 1024;

/// What one column chunk needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkNeed {
    /// Bytes in the file.
    pub compressed: u64,
    /// Bytes once decompressed.
    pub uncompressed: u64,
    /// Bytes of the dictionary page in the file; 0 for none, or if the footer does not tell.
    pub dictionary: u64,
    /// Pages that are not compressed are slices of their window, which lives on with them.
    pub pins_windows: bool,
}

impl ChunkNeed {
    /// Bytes of one page with the dictionary, guessed from above for usual writers.
    fn pages(&self) -> u64 {
        let page = self.uncompressed.min(USUAL_PAGE);
        page + self.dictionary_bytes()
    }

    /// The dictionary once decompressed, as if it shrank like the rest of the chunk.
    fn dictionary_bytes(&self) -> u64 {
        let expanded =
            u128::from(self.dictionary) * u128::from(self.uncompressed) / u128::from(self.compressed.max(1));
        u64::try_from(expanded)
            .unwrap_or(u64::MAX)
            .clamp(self.dictionary, self.uncompressed.max(self.dictionary))
    }

    /// Bytes of windows of this size.
    fn windows(&self, size: u64) -> u64 {
        let windows = if self.pins_windows { 3 } else { 2 };
        self.compressed.min(windows * size)
    }
}

/// How a row group is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// All chunks are asked for at once, in few large fetches; all columns are decoded side by side.
    Whole {
        /// Bytes for pages and dictionaries.
        pages: u64,
    },
    /// Each chunk is read through windows, one in use and one on its way; all columns side by side.
    Windows {
        /// Bytes of a window.
        size: u64,
        /// Bytes for pages and dictionaries.
        pages: u64,
    },
    /// A few columns at a time, each begun again for every batch.
    Slices,
}

/// Chooses the fastest way that the budget (bytes) allows. `whole` is the sum of the fetches of
/// [`Layout::Whole`], gaps included.
pub(super) fn choose_layout(needs: &[ChunkNeed], whole: u64, budget: u64) -> Layout {
    let pages = needs.iter().fold(0u64, |sum, need| sum.saturating_add(need.pages()));
    let room = budget.saturating_sub(pages);
    if pages > budget / 4 * 3 {
        return Layout::Slices;
    }
    if whole <= room {
        return Layout::Whole { pages: budget - whole };
    }
    let mut size = *WINDOW.end();
    while size >= *WINDOW.start() {
        let windows = needs.iter().fold(0u64, |sum, need| sum.saturating_add(need.windows(size)));
        if windows <= room {
            return Layout::Windows { size, pages: budget - windows };
        }
        size /= 2;
    }
    Layout::Slices
}

/// What a slice of columns may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SliceBudget {
    /// Bytes of the first fetches of one slice; two slices are held at once.
    pub fetches: u64,
    /// Bytes of a window of the column that is being decoded, when its first fetch was too short.
    pub window: u64,
    /// Bytes for its page and dictionary.
    pub pages: u64,
}

impl SliceBudget {
    /// Shares out `budget` bytes.
    pub fn of(budget: u64) -> Self {
        Self {
            fetches: budget / 8,
            window: (budget / 16).clamp(16 * 1024, 1024 * 1024),
            pages: budget / 8 * 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1024 * 1024;

    fn need(compressed: u64) -> ChunkNeed {
        ChunkNeed { compressed, uncompressed: compressed * 2, dictionary: 0, pins_windows: false }
    }

    #[test]
    fn small_row_groups_are_fetched_whole() {
        let layout = choose_layout(&[need(10 * MIB), need(MIB)], 11 * MIB, 64 * MIB);
        assert_eq!(layout, Layout::Whole { pages: 53 * MIB });
    }

    #[test]
    fn large_chunks_are_read_through_the_largest_windows_that_fit() {
        let needs = [need(100 * MIB); 5];
        assert_eq!(
            choose_layout(&needs, 500 * MIB, 128 * MIB),
            Layout::Windows { size: 8 * MIB, pages: 48 * MIB }
        );
        let Layout::Windows { size, .. } = choose_layout(&needs, 500 * MIB, 32 * MIB) else {
            panic!("windows")
        };
        assert_eq!(size, 2 * MIB);
    }

    #[test]
    fn thousands_of_columns_are_read_in_slices() {
        assert_eq!(choose_layout(&[need(MIB); 2000], 2000 * MIB, 64 * MIB), Layout::Slices);
    }

    proptest! {
        #[test]
        fn never_more_than_the_budget(
            chunks in proptest::collection::vec((0u64..1 << 33, 0u64..1 << 33, 0u64..1 << 22, any::<bool>()), 0..50),
            budget in 0u64..1 << 32,
        ) {
            let needs: Vec<_> = chunks
                .into_iter()
                .map(|(compressed, uncompressed, dictionary, pins_windows)| ChunkNeed {
                    compressed, uncompressed, dictionary, pins_windows,
                })
                .collect();
            let whole = needs.iter().map(|need| need.compressed).sum();
            let pages: u64 = needs.iter().map(|need| need.pages()).sum();
            match choose_layout(&needs, whole, budget) {
                Layout::Whole { pages: limit } => prop_assert!(whole + limit <= budget && pages <= limit),
                Layout::Windows { size, pages: limit } => {
                    let windows: u64 = needs.iter().map(|need| need.windows(size)).sum();
                    prop_assert!(windows + limit <= budget && pages <= limit);
                }
                Layout::Slices => {
                    let slice = SliceBudget::of(budget);
                    prop_assert!(2 * slice.fetches + slice.pages <= budget);
                }
            }
        }
    }
}
