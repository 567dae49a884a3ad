//! What a running load tells: counters that the progress bar, `/progress` and `/metrics` read. Never a
//! source of outcome.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Where a load stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Opening the table, claiming the label.
    Starting = 0,
    /// Listing the source.
    Listing = 1,
    /// Reading, converting, sorting and writing.
    Loading = 2,
    /// Committing.
    Committing = 3,
    /// Ended, whatever the outcome.
    Done = 4,
}

impl Phase {
    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Listing => "listing",
            Self::Loading => "loading",
            Self::Committing => "committing",
            Self::Done => "done",
        }
    }
}

/// Counters of one load. They only grow within an attempt, but for a task that is done again without a file
/// that turned out to be bad: then they fall by what had been counted of it.
#[derive(Debug, Default)]
pub struct Progress {
    phase: AtomicU8,
    /// Files found so far.
    pub files_listed: AtomicU64,
    /// Files of the plan.
    pub files_total: AtomicU64,
    /// Files read to their end (adopted ones count).
    pub files_done: AtomicU64,
    /// Files that cannot be read and were left out.
    pub files_skipped: AtomicU64,
    /// Bytes of the plan.
    pub bytes_total: AtomicU64,
    /// Bytes of the plan that are read, in proportion to the row groups decoded.
    pub bytes_read: AtomicU64,
    /// Rows decoded.
    pub rows_read: AtomicU64,
    /// Rows that fit.
    pub rows_loaded: AtomicU64,
    /// Rows that did not fit.
    pub rows_filtered: AtomicU64,
    /// Rows in finished segments.
    pub rows_written: AtomicU64,
}

impl Progress {
    /// Where the load stands.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Listing,
            2 => Phase::Loading,
            3 => Phase::Committing,
            _ => Phase::Done,
        }
    }

    /// Enters a phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Adds to a counter.
    pub fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    /// Takes back what was added to a counter.
    pub fn take_back(counter: &AtomicU64, amount: u64) {
        counter.fetch_sub(amount, Ordering::Relaxed);
    }

    /// Reads a counter.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}
