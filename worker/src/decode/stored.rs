//! A range of an object, read front to back through windows.

use super::DecodeError;
use super::fetch::Fetch;
use crate::source::ReadObject;
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// How the bytes are asked for beyond the fetches that were started before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::decode) struct Windows {
    /// Bytes of a window.
    pub size: u64,
    /// Windows that are asked for beyond the one in use.
    pub ahead: usize,
}

/// The bytes of a range; what was read is released.
pub(in crate::decode) struct Stored {
    object: Arc<dyn ReadObject>,
    /// What is here or on its way, in the order of the file.
    held: VecDeque<Arc<Fetch>>,
    /// What is not yet asked for.
    rest: Range<u64>,
    /// The next byte to read, and the end.
    left: Range<u64>,
    windows: Windows,
}

impl Stored {
    /// Reads `range`. `first` holds fetches that were started already, those that touch the range among them.
    pub fn new(
        object: Arc<dyn ReadObject>,
        range: Range<u64>,
        first: &[Arc<Fetch>],
        windows: Windows,
    ) -> Self {
        let touches =
            |fetch: &&Arc<Fetch>| fetch.range().start < range.end && range.start < fetch.range().end;
        // A stream without bytes touches nothing.
        let held: VecDeque<_> = first.iter().filter(touches).map(Arc::clone).collect();
        let asked = held.back().map_or(range.start, |last| last.range().end).clamp(range.start, range.end);
        let mut stored = Self { object, held, rest: asked..range.end, left: range, windows };
        stored.ask();
        stored
    }

    /// Bytes that are left.
    pub fn left(&self) -> u64 {
        self.left.end - self.left.start
    }

    /// Offset in the object of the next byte.
    pub fn offset(&self) -> u64 {
        self.left.start
    }

    /// The next bytes, as many as lie in one piece; at least one, unless none is left.
    pub fn piece(&mut self) -> Result<Bytes, DecodeError> {
        if self.left.is_empty() {
            return Ok(Bytes::new());
        }
        let piece = self.front()?;
        self.left.start += piece.len() as u64;
        Ok(piece)
    }

    /// Exactly `length` bytes: a slice of a window if they lie in one, else a copy.
    ///
    /// # Errors
    /// If fewer are left: the caller asks for what is there.
    pub fn exactly(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if length as u64 > self.left() {
            return Err(self.missing());
        }
        if length == 0 {
            return Ok(Bytes::new());
        }
        let mut front = self.front()?;
        if front.len() >= length {
            self.left.start += length as u64;
            return Ok(front.split_to(length));
        }
        let mut copy = Vec::with_capacity(length);
        loop {
            let taken = front.len().min(length - copy.len());
            copy.extend_from_slice(&front[..taken]);
            self.left.start += taken as u64;
            if copy.len() == length {
                return Ok(copy.into());
            }
            // The window is released before the next one is waited for.
            drop(front);
            front = self.front()?;
        }
    }

    /// What is here from the next byte on, in one piece.
    fn front(&mut self) -> Result<Bytes, DecodeError> {
        let start = self.left.start;
        while self.held.front().is_some_and(|fetch| fetch.range().end <= start) {
            self.held.pop_front();
        }
        if self.held.is_empty() && self.windows.ahead == 0 {
            self.ask_one();
        }
        self.ask();
        let fetch = self.held.front().filter(|fetch| fetch.range().contains(&start));
        let fetch = fetch.ok_or_else(|| self.missing())?;
        let offset = (start - fetch.range().start) as usize;
        let mut bytes = fetch.bytes(self.object.name())?.slice(offset..);
        bytes.truncate(usize::try_from(self.left()).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    fn missing(&self) -> DecodeError {
        DecodeError::Damaged {
            file: self.object.name().to_owned(),
            place: format!("byte {}", self.left.start),
            reason: format!("it ends at byte {}, and more belongs there", self.left.end),
        }
    }

    /// Asks for windows until enough are held.
    fn ask(&mut self) {
        while self.held.len() <= self.windows.ahead && self.windows.ahead > 0 && !self.rest.is_empty() {
            self.ask_one();
        }
    }

    fn ask_one(&mut self) {
        if !self.rest.is_empty() {
            let end = (self.rest.start + self.windows.size.max(1)).min(self.rest.end);
            self.held.push_back(Fetch::start(&*self.object, self.rest.start..end));
            self.rest.start = end;
        }
    }
}
