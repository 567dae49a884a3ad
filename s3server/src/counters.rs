//! What the server was asked for, and what it sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::operation::{Operation, Target};

/// How many GetObject requests are remembered; older ones are dropped.
const REMEMBERED_GETS: usize = 100_000;

/// One GetObject request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetRecord {
    /// The bucket that was asked for.
    pub bucket: String,
    /// The key that was asked for.
    pub key: String,
    /// The Range header as sent, if any.
    pub range: Option<String>,
}

/// Counters since the start or the last [`Counters::reset`]. Faulted and refused requests count too.
#[derive(Debug, Default)]
pub struct Counters {
    bytes_sent: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    requests: BTreeMap<Operation, u64>,
    statuses: BTreeMap<(Operation, u16), u64>,
    gets: VecDeque<GetRecord>,
}

impl Counters {
    /// How often the operation was asked for.
    pub fn requests(&self, operation: Operation) -> u64 {
        self.lock().requests.get(&operation).copied().unwrap_or(0)
    }

    /// Requests by operation; operations never asked for are absent.
    pub fn all_requests(&self) -> BTreeMap<Operation, u64> {
        self.lock().requests.clone()
    }

    /// How often the operation was answered with this HTTP status.
    pub fn responses(&self, operation: Operation, status: u16) -> u64 {
        self.lock().statuses.get(&(operation, status)).copied().unwrap_or(0)
    }

    /// Bytes of response bodies that were handed to the network.
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(Ordering::Relaxed)
    }

    /// The GetObject requests in the order of arrival, the newest 100,000 of them.
    pub fn gets(&self) -> Vec<GetRecord> {
        self.lock().gets.iter().cloned().collect()
    }

    /// The distinct keys that GetObject asked for, in the order of their first request.
    pub fn keys_read(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        let guard = self.lock();
        guard.gets.iter().filter(|get| seen.insert(&get.key)).map(|get| get.key.clone()).collect()
    }

    /// Sets everything back to nothing.
    pub fn reset(&self) {
        *self.lock() = Inner::default();
        self.bytes_sent.store(0, Ordering::Relaxed);
    }

    pub(crate) fn count_request(&self, target: &Target, range: Option<&str>) {
        let mut inner = self.lock();
        *inner.requests.entry(target.operation).or_default() += 1;
        if target.operation == Operation::GetObject {
            if inner.gets.len() == REMEMBERED_GETS {
                inner.gets.pop_front();
            }
            inner.gets.push_back(GetRecord {
                bucket: target.bucket.clone(),
                key: target.key.clone(),
                range: range.map(str::to_owned),
            });
        }
    }

    pub(crate) fn count_response(&self, operation: Operation, status: u16) {
        *self.lock().statuses.entry((operation, status)).or_default() += 1;
    }

    pub(crate) fn count_bytes(&self, bytes: u64) {
        self.bytes_sent.fetch_add(bytes, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
