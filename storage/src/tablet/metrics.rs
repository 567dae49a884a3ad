//! Counters of the tablet writers of a process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Counters that any number of writers add to; read them at any time.
#[derive(Debug, Default)]
pub struct WriterMetrics {
    /// Bytes now held in run buffers (a gauge).
    pub buffered_bytes: AtomicU64,
    /// Bytes written to spills.
    pub spilled_bytes: AtomicU64,
    /// Bytes written to segments.
    pub written_bytes: AtomicU64,
    /// Rows written to segments.
    pub written_rows: AtomicU64,
    /// Segments written.
    pub segments: AtomicU64,
    /// Runs sorted.
    pub runs: AtomicU64,
    /// Nanoseconds of threads hashing rows and copying them into run buffers.
    pub route_nanos: AtomicU64,
    /// Nanoseconds of threads ordering rows.
    pub sort_nanos: AtomicU64,
    /// Nanoseconds of threads gathering rows in order.
    pub gather_nanos: AtomicU64,
    /// Nanoseconds of threads encoding, compressing and writing segments.
    pub encode_nanos: AtomicU64,
    /// Nanoseconds of threads writing spills.
    pub spill_nanos: AtomicU64,
    /// Nanoseconds of threads reading spills and cutting windows of them.
    pub merge_nanos: AtomicU64,
    /// Nanoseconds of fsync.
    pub sync_nanos: AtomicU64,
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

/// Runs `work` and adds the time it took to `counter`.
pub(crate) fn timed<T>(counter: &AtomicU64, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    add(counter, u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
    result
}
