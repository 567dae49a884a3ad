//! Ranges of an object that were asked for, shared by the columns that lie in them.

use crate::decode::error::DecodeError;
use crate::source::{PendingBytes, ReadObject, coalesce};
use bytes::Bytes;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Chunks that are read once are fetched together if at most so many bytes lie between them.
pub(in crate::decode) const MAX_GAP: u64 = 256 * 1024;
/// No fetch is longer.
pub(in crate::decode) const MAX_FETCH: u64 = 8 * 1024 * 1024;

/// A range that is on its way or here. The bytes are released with the last clone of the `Arc` around it.
pub(in crate::decode) struct Fetch {
    range: Range<u64>,
    state: Mutex<State>,
}

enum State {
    Pending(PendingBytes),
    Here(Bytes),
    Failed,
}

impl Fetch {
    /// Asks for the range now.
    pub fn start(object: &dyn ReadObject, range: Range<u64>) -> Arc<Self> {
        let state = Mutex::new(State::Pending(object.fetch(range.clone())));
        Arc::new(Self { range, state })
    }

    /// A range whose bytes are here already.
    pub fn here(start: u64, bytes: Bytes) -> Arc<Self> {
        let range = start..start + bytes.len() as u64;
        Arc::new(Self { range, state: Mutex::new(State::Here(bytes)) })
    }

    /// Offsets in the object.
    pub fn range(&self) -> &Range<u64> {
        &self.range
    }

    /// Waits for the bytes: exactly those of the range.
    ///
    /// # Errors
    /// What the source says, once; later callers learn only that it failed.
    pub fn bytes(&self, file: &str) -> Result<Bytes, DecodeError> {
        let invalid = |reason: String| DecodeError::Damaged {
            file: file.to_owned(),
            place: format!("bytes {} to {}", self.range.start, self.range.end),
            reason,
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match std::mem::replace(&mut *state, State::Failed) {
            State::Pending(pending) => pending.wait(),
            State::Here(bytes) => Ok(bytes),
            State::Failed => return Err(invalid("an earlier read of it failed".to_owned())),
        };
        let bytes = answer?;
        if bytes.len() as u64 != self.range.end - self.range.start {
            return Err(invalid(format!("only {} of them came", bytes.len())));
        }
        *state = State::Here(bytes.clone());
        Ok(bytes)
    }
}

/// Few ranges that cover all of `wanted`: long ones are cut, and joined with neighbours at most `max_gap`
/// bytes away.
pub(in crate::decode) fn fetch_ranges(
    wanted: impl IntoIterator<Item = Range<u64>>,
    max_gap: u64,
) -> Vec<Range<u64>> {
    coalesce(wanted.into_iter().flat_map(cut), max_gap, MAX_FETCH)
}

/// Equal pieces of at most [`MAX_FETCH`].
fn cut(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let length = range.end - range.start;
    let pieces = length.div_ceil(MAX_FETCH).max(1);
    let step = length.div_ceil(pieces);
    (0..pieces).map(move |piece| {
        let start = range.start + piece * step;
        start..(start + step).min(range.end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_wanted_byte_is_covered_once(
            chunks in proptest::collection::vec((0u64..1_000_000, 0u64..20_000_000), 0..20)
        ) {
            let mut end = 0;
            let wanted: Vec<_> = chunks
                .into_iter()
                .map(|(gap, length)| {
                    let start = end + gap;
                    end = start + length;
                    start..end
                })
                .collect();
            let fetches = fetch_ranges(wanted.clone(), MAX_GAP);
            for fetch in &fetches {
                prop_assert!(!fetch.is_empty() && fetch.end - fetch.start <= MAX_FETCH);
            }
            for pair in fetches.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
            for range in wanted.iter().filter(|range| !range.is_empty()) {
                let mut at = range.start;
                for fetch in &fetches {
                    if fetch.contains(&at) { at = fetch.end; }
                }
                prop_assert!(at >= range.end);
            }
        }
    }
}
