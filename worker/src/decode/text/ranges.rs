//! The bytes of an object in order, with ranges on their way ahead of the reader.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};

use crate::source::{PendingBytes, ReadObject, SourceError};

/// What a reader that is buried in a decompressor tells those outside: how far it has come, and why a fetch
/// failed (an [`io::Error`] would lose it).
#[derive(Debug, Clone, Default)]
pub(super) struct Trace(Arc<TraceState>);

#[derive(Debug, Default)]
struct TraceState {
    offset: AtomicU64,
    failure: Mutex<Option<SourceError>>,
}

impl Trace {
    /// Bytes of the object that were consumed.
    pub(super) fn offset(&self) -> u64 {
        self.0.offset.load(Ordering::Relaxed)
    }

    /// The failure of a fetch; once.
    pub(super) fn take_failure(&self) -> Option<SourceError> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fail(&self, error: SourceError) -> io::Error {
        let message = error.to_string();
        *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        io::Error::other(message)
    }
}

/// Reads an object from its first byte to its last; `ahead` ranges of `range` bytes are asked for before they
/// are needed.
pub(super) struct RangeReader {
    object: Arc<dyn ReadObject>,
    pending: VecDeque<PendingBytes>,
    current: Bytes,
    next: u64,
    range: u64,
    ahead: usize,
    trace: Trace,
}

impl RangeReader {
    /// Asks for the first ranges.
    pub(super) fn new(object: Arc<dyn ReadObject>, range: u64, ahead: usize, trace: Trace) -> Self {
        let pending = VecDeque::with_capacity(ahead + 1);
        let mut reader =
            Self { object, pending, current: Bytes::new(), next: 0, range: range.max(1), ahead, trace };
        reader.ask();
        reader
    }

    fn ask(&mut self) {
        let size = self.object.size();
        while self.pending.len() <= self.ahead && self.next < size {
            let end = self.next.saturating_add(self.range).min(size);
            self.pending.push_back(self.object.fetch(self.next..end));
            self.next = end;
        }
    }
}

impl BufRead for RangeReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            let Some(pending) = self.pending.pop_front() else { break };
            self.current = pending.wait().map_err(|error| self.trace.fail(error))?;
            self.ask();
        }
        Ok(&self.current)
    }

    fn consume(&mut self, amount: usize) {
        self.current.advance(amount);
        self.trace.0.offset.fetch_add(amount as u64, Ordering::Relaxed);
    }
}

impl Read for RangeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        self.consume(length);
        Ok(length)
    }
}
