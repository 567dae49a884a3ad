//! Which ranges of an object are read in one request: near ones together, none too long.

use std::ops::Range;

/// Joins ranges (bytes, in any order, overlapping or not) whose gap is at most `max_gap` bytes, as long as
/// the result is at most `max_len` bytes long.
///
/// The answer is sorted and free of overlaps, and every input range lies inside exactly one range of it, so
/// a range that is longer than `max_len`, or overlaps another, is never cut. Empty ranges are left out.
pub fn coalesce(ranges: impl IntoIterator<Item = Range<u64>>, max_gap: u64, max_len: u64) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.into_iter().filter(|r| r.start < r.end).collect();
    sorted.sort_unstable_by_key(|r| (r.start, r.end));
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match joined.last_mut() {
            Some(last) if belongs(last, &range, max_gap, max_len) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

fn belongs(last: &Range<u64>, next: &Range<u64>, max_gap: u64, max_len: u64) -> bool {
    if next.start < last.end {
        return true;
    }
    next.start - last.end <= max_gap && next.end - last.start <= max_len
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn near_ranges_join_and_far_ones_do_not() {
        assert_eq!(coalesce([0..10, 12..20, 40..50], 2, 100), vec![0..20, 40..50]);
        assert_eq!(coalesce([12..20, 0..10], 1, 100), vec![0..10, 12..20]);
    }

    #[test]
    fn the_length_bounds_joining_but_never_cuts() {
        assert_eq!(coalesce([0..10, 10..20, 20..30], 0, 20), vec![0..20, 20..30]);
        assert_eq!(coalesce([0..100, 50..120], 0, 10), vec![0..120]);
    }

    #[test]
    fn empty_ranges_vanish() {
        assert_eq!(coalesce([5..5, 7..9], 0, 10), vec![7..9]);
        assert!(coalesce(Vec::new(), 0, 10).is_empty());
    }

    proptest! {
        #[test]
        fn every_range_lies_in_exactly_one(
            input in proptest::collection::vec((0u64..500, 0u64..60), 0..30),
            max_gap in 0u64..40,
            max_len in 1u64..200,
        ) {
            let ranges: Vec<Range<u64>> = input.iter().map(|&(start, len)| start..start + len).collect();
            let joined = coalesce(ranges.clone(), max_gap, max_len);
            for pair in joined.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
            for range in ranges.iter().filter(|r| r.start < r.end) {
                let holders = joined.iter().filter(|j| j.start <= range.start && range.end <= j.end).count();
                prop_assert_eq!(holders, 1);
            }
            for end in joined.iter().map(|j| j.end) {
                prop_assert!(ranges.iter().any(|r| r.end == end));
            }
        }
    }
}
