//! A column chunk, read front to back through windows.

use crate::decode::error::DecodeError;
use crate::decode::fetch::Fetch;
use crate::source::ReadObject;
use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The first error of a column. The decoder between knows only text, so what happened lies here.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<DecodeError>>>);

impl Fault {
    /// Keeps the error, and gives what the decoder may pass on.
    pub fn raise(&self, error: DecodeError) -> ParquetError {
        let told = ParquetError::General(error.to_string());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        told
    }

    /// The error, if there was one.
    pub fn take(&self) -> Option<DecodeError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// How the part of a chunk beyond the first fetches is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Windows {
    /// Bytes of a window.
    pub size: u64,
    /// Windows that are asked for beyond the one in use.
    pub ahead: usize,
}

/// The bytes of a column chunk. Reads move forward; what lies behind the last one is released.
pub(super) struct ChunkBytes {
    object: Arc<dyn ReadObject>,
    state: Mutex<State>,
    fault: Fault,
}

struct State {
    /// What is here or on its way, in the order of the file.
    held: VecDeque<Arc<Fetch>>,
    /// What is not yet asked for.
    rest: Range<u64>,
    windows: Windows,
    /// CRC-32 that the next bytes taken by [`ChunkReader::get_bytes`] must have.
    checksum: Option<u32>,
}

impl ChunkBytes {
    /// Reads `range`. `first` holds the fetches that were started already, covering it from its start on;
    /// the rest is asked for by windows, the first ones now.
    pub fn new(
        object: Arc<dyn ReadObject>,
        range: Range<u64>,
        first: VecDeque<Arc<Fetch>>,
        windows: Windows,
        fault: Fault,
    ) -> Self {
        let next = first.back().map_or(range.start, |last| last.range().end).max(range.start);
        let rest = next.min(range.end)..range.end;
        let mut state = State { held: first, rest, windows, checksum: None };
        state.ask(&*object);
        Self { object, state: Mutex::new(state), fault }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page that is taken next must have this CRC-32.
    pub fn expect(&self, checksum: Option<u32>) {
        self.state().checksum = checksum;
    }

    /// Bytes from `start` on, as many as lie there in one piece; at least one.
    pub fn piece(&self, start: u64) -> Result<Bytes, DecodeError> {
        let mut state = self.state();
        state.release_before(start);
        state.ask(&*self.object);
        state.front(&*self.object, start)
    }

    /// Joins the piece at `start` with what follows it; false if nothing follows.
    pub fn join(&self, start: u64) -> Result<bool, DecodeError> {
        let mut state = self.state();
        let piece = state.front(&*self.object, start)?;
        let end = start + piece.len() as u64;
        if state.held.len() < 2 && state.rest.is_empty() {
            return Ok(false);
        }
        state.held.pop_front();
        state.ask(&*self.object);
        let next = state.front(&*self.object, end)?;
        state.held.pop_front();
        let mut joined = Vec::with_capacity(piece.len() + next.len());
        joined.extend_from_slice(&piece);
        joined.extend_from_slice(&next);
        state.held.push_front(Fetch::here(start, joined.into()));
        Ok(true)
    }

    /// Exactly these bytes: a slice of a window if they lie in one, else a copy.
    fn exactly(&self, start: u64, length: usize) -> Result<Bytes, DecodeError> {
        let mut state = self.state();
        if length == 0 {
            return Ok(Bytes::new());
        }
        state.release_before(start);
        state.ask(&*self.object);
        let piece = state.front(&*self.object, start)?;
        if piece.len() >= length {
            return Ok(piece.slice(..length));
        }
        let mut copy = Vec::with_capacity(length);
        copy.extend_from_slice(&piece);
        drop(piece);
        while copy.len() < length {
            let at = start + copy.len() as u64;
            state.release_before(at);
            state.ask(&*self.object);
            let piece = state.front(&*self.object, at)?;
            let wanted = piece.len().min(length - copy.len());
            copy.extend_from_slice(&piece[..wanted]);
        }
        Ok(copy.into())
    }
}

impl State {
    /// Releases the windows that end at or before `offset`.
    fn release_before(&mut self, offset: u64) {
        while self.held.front().is_some_and(|fetch| fetch.range().end <= offset) {
            self.held.pop_front();
        }
        if self.held.is_empty() && self.rest.start < offset {
            // Pages that were skipped are not fetched.
            self.rest.start = offset.min(self.rest.end);
        }
    }

    /// Asks for windows until enough are held.
    fn ask(&mut self, object: &dyn ReadObject) {
        while self.held.len() <= self.windows.ahead && !self.rest.is_empty() {
            self.ask_one(object);
        }
    }

    fn ask_one(&mut self, object: &dyn ReadObject) {
        let end = (self.rest.start + self.windows.size.max(1)).min(self.rest.end);
        self.held.push_back(Fetch::start(object, self.rest.start..end));
        self.rest.start = end;
    }

    /// What is held from `start` on, in one piece.
    fn front(&mut self, object: &dyn ReadObject, start: u64) -> Result<Bytes, DecodeError> {
        if self.held.is_empty() && self.rest.contains(&start) {
            self.ask_one(object);
        }
        let invalid = || DecodeError::InvalidParquet {
            file: object.name().to_owned(),
            reason: format!("a page at byte {start} lies outside of its column"),
        };
        let fetch = self.held.front().ok_or_else(invalid)?;
        if !fetch.range().contains(&start) {
            return Err(invalid());
        }
        let offset = (start - fetch.range().start) as usize;
        Ok(fetch.bytes(object.name())?.slice(offset..))
    }
}

impl Length for ChunkBytes {
    fn len(&self) -> u64 {
        self.object.size()
    }
}

impl ChunkReader for ChunkBytes {
    type T = bytes::buf::Reader<Bytes>;

    /// The piece at `start`: the caller has joined it so that the page header is whole in it.
    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        self.piece(start).map(Buf::reader).map_err(|error| self.fault.raise(error))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes = self.exactly(start, length).map_err(|error| self.fault.raise(error))?;
        match self.state().checksum.take() {
            Some(expected) if crc32fast::hash(&bytes) != expected => {
                Err(ParquetError::General(format!("the checksum of the page at byte {start} does not match")))
            }
            _ => Ok(bytes),
        }
    }
}
