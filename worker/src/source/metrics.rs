//! Counts of requests to the store, for `/metrics` and the report.

use std::sync::atomic::{AtomicU64, Ordering};

/// A request that the worker makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A page of a listing.
    List,
    /// A range of an object.
    Get,
    /// An object's size and ETag.
    Head,
    /// Temporary credentials of a role.
    AssumeRole,
    /// A new object: only the probe of a store makes one.
    Put,
    /// An object is deleted.
    Delete,
    /// An object is copied within the store.
    Copy,
    /// An object's tags are read or set.
    Tag,
}

impl Operation {
    /// All operations, in the order of their numbers.
    pub const ALL: [Operation; 8] =
        [Self::List, Self::Get, Self::Head, Self::AssumeRole, Self::Put, Self::Delete, Self::Copy, Self::Tag];

    /// Name as a label of a metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::List => "List",
            Self::Get => "Get",
            Self::Head => "Head",
            Self::AssumeRole => "AssumeRole",
            Self::Put => "Put",
            Self::Delete => "Delete",
            Self::Copy => "Copy",
            Self::Tag => "Tag",
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// As asked.
    Ok,
    /// The store asked to slow down.
    Throttled,
    /// A failure of the store or the network that may pass.
    Transient,
    /// No answer in time.
    Timeout,
    /// The identity or its rights were refused.
    Unauthorised,
    /// No such bucket or object.
    NotFound,
    /// The object is not the one that was listed.
    Changed,
    /// Anything else.
    Other,
}

impl Outcome {
    /// All outcomes, in the order of their numbers.
    pub const ALL: [Outcome; 8] = [
        Self::Ok,
        Self::Throttled,
        Self::Transient,
        Self::Timeout,
        Self::Unauthorised,
        Self::NotFound,
        Self::Changed,
        Self::Other,
    ];

    /// Name as a label of a metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Timeout => "timeout",
            Self::Unauthorised => "unauthorised",
            Self::NotFound => "not_found",
            Self::Changed => "changed",
            Self::Other => "other",
        }
    }
}

/// Counters shared by all sources of a load; cheap to update from any thread.
#[derive(Debug, Default)]
pub struct RequestMetrics {
    requests: [[AtomicU64; Outcome::ALL.len()]; Operation::ALL.len()],
    bytes_received: AtomicU64,
    retries: AtomicU64,
}

/// The counters at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSnapshot {
    /// Requests by operation and outcome, every pair, zeros too.
    pub requests: Vec<(Operation, Outcome, u64)>,
    /// Bytes of object bodies received, those of failed attempts too.
    pub bytes_received: u64,
    /// Requests that were made again.
    pub retries: u64,
}

impl RequestSnapshot {
    /// Requests of one operation, whatever their outcome.
    pub fn total(&self, operation: Operation) -> u64 {
        self.requests.iter().filter(|(o, _, _)| *o == operation).map(|(_, _, count)| count).sum()
    }

    /// Requests of one operation and outcome.
    pub fn count(&self, operation: Operation, outcome: Outcome) -> u64 {
        let wanted = |&&(o, r, _): &&(Operation, Outcome, u64)| o == operation && r == outcome;
        self.requests.iter().find(wanted).map_or(0, |(_, _, count)| *count)
    }
}

impl RequestMetrics {
    /// Counts one request that ended.
    pub fn request(&self, operation: Operation, outcome: Outcome) {
        self.requests[operation as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts bytes of an object's body.
    pub fn received(&self, bytes: u64) {
        self.bytes_received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts one repetition of a request.
    pub fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters now.
    pub fn snapshot(&self) -> RequestSnapshot {
        let mut requests = Vec::with_capacity(Operation::ALL.len() * Outcome::ALL.len());
        for operation in Operation::ALL {
            for outcome in Outcome::ALL {
                let count = self.requests[operation as usize][outcome as usize].load(Ordering::Relaxed);
                requests.push((operation, outcome, count));
            }
        }
        RequestSnapshot {
            requests,
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stand_under_their_names() {
        let metrics = RequestMetrics::default();
        metrics.request(Operation::Get, Outcome::Throttled);
        metrics.request(Operation::Get, Outcome::Ok);
        metrics.received(7);
        metrics.retry();
        let snapshot = metrics.snapshot();
        assert_eq!(snapshot.total(Operation::Get), 2);
        assert_eq!(snapshot.count(Operation::Get, Outcome::Throttled), 1);
        assert_eq!(snapshot.total(Operation::List), 0);
        assert_eq!((snapshot.bytes_received, snapshot.retries), (7, 1));
        for (place, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, place);
        }
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
        }
    }
}
