//! An object in memory that counts what is asked of it and what of it is still held.

use bytes::Bytes;
use longshore_worker::source::{PendingBytes, ReadObject};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub struct FakeObject {
    bytes: Bytes,
    fetches: Mutex<Vec<Range<u64>>>,
    held: Arc<AtomicU64>,
    peak: Arc<AtomicU64>,
}

/// Bytes that are given back when the last slice of them is dropped.
struct Held {
    bytes: Bytes,
    held: Arc<AtomicU64>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes.len() as u64, Ordering::SeqCst);
    }
}

impl FakeObject {
    pub fn new(bytes: Bytes) -> Arc<Self> {
        Arc::new(Self { bytes, fetches: Mutex::default(), held: Arc::default(), peak: Arc::default() })
    }

    /// The ranges asked for since the last call.
    pub fn take_fetches(&self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.fetches.lock().unwrap())
    }

    /// The most bytes that were held at once since the last call.
    pub fn take_peak(&self) -> u64 {
        self.peak.swap(self.held.load(Ordering::SeqCst), Ordering::SeqCst)
    }

    /// Bytes held now.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::SeqCst)
    }
}

impl ReadObject for FakeObject {
    fn name(&self) -> &str {
        "s3://bucket/file.parquet"
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn fetch(&self, range: Range<u64>) -> PendingBytes {
        self.fetches.lock().unwrap().push(range.clone());
        let bytes = self.bytes.slice(range.start as usize..range.end as usize);
        let held = self.held.fetch_add(bytes.len() as u64, Ordering::SeqCst) + bytes.len() as u64;
        self.peak.fetch_max(held, Ordering::SeqCst);
        let owner = Held { bytes, held: Arc::clone(&self.held) };
        PendingBytes::ready(Ok(Bytes::from_owner(owner)))
    }
}
