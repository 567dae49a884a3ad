//! Where records end that have an enclosure and no escape, between single bytes: what [`super::split`] does
//! field by field, from quote to quote.

use super::specials::Specials;
use crate::decode::text::Splitter;

/// Looks at enclosures and delimiters only. An enclosure opens where the byte before it is a separator or a
/// delimiter that is not itself enclosed.
pub(super) struct QuotedSplitter {
    separator: u8,
    delimiter: u8,
    enclose: u8,
    /// What lies before was looked at.
    at: usize,
    inside: bool,
    /// Bytes before belong to an enclosure that is closed.
    closed: usize,
    /// The first byte is that of a record.
    at_start: bool,
    unfinished: bool,
}

impl QuotedSplitter {
    pub(super) fn new(separator: u8, delimiter: u8, enclose: u8) -> Self {
        let (at, inside, closed, at_start, unfinished) = (0, false, 0, true, false);
        Self { separator, delimiter, enclose, at, inside, closed, at_start, unfinished }
    }

    /// Goes on to the end of a record, of the first or of the last that is whole.
    fn advance(&mut self, bytes: &[u8], at_end: bool, first: bool) -> Option<usize> {
        let mut last = None;
        let mut specials = Specials::from(bytes, [self.enclose, self.delimiter], self.at);
        while let Some(at) = specials.next() {
            if bytes[at] != self.enclose {
                if !self.inside {
                    last = Some(at + 1);
                    if first {
                        return last;
                    }
                }
            } else if self.inside {
                match bytes.get(at + 1) {
                    None if !at_end => {
                        // It may be doubled.
                        self.at = at;
                        return last;
                    }
                    Some(next) if *next == self.enclose => {
                        specials.next();
                    }
                    _ => {
                        self.inside = false;
                        self.closed = at + 1;
                    }
                }
            } else {
                self.inside = self.opens(bytes, at);
            }
        }
        self.at = bytes.len();
        last
    }

    fn opens(&self, bytes: &[u8], at: usize) -> bool {
        match at.checked_sub(1) {
            None => self.at_start,
            Some(before) => {
                before >= self.closed && (bytes[before] == self.separator || bytes[before] == self.delimiter)
            }
        }
    }
}

impl Splitter for QuotedSplitter {
    fn begin(&mut self) {
        (self.at, self.inside, self.closed, self.at_start) = (0, false, 0, true);
    }

    fn first_end(&mut self, bytes: &[u8], at_end: bool) -> Option<usize> {
        let mut end = self.advance(bytes, at_end, true);
        if end.is_none() && at_end {
            self.unfinished = self.inside;
            end = (!bytes.is_empty()).then_some(bytes.len());
        }
        if end.is_some() {
            self.begin();
        }
        end
    }

    fn last_end(&mut self, bytes: &[u8], at_end: bool) -> Option<usize> {
        let mut last = self.advance(bytes, at_end, false);
        if at_end {
            self.unfinished = self.inside;
            last = (!bytes.is_empty()).then_some(bytes.len());
        }
        if last.is_some() {
            self.begin();
        }
        last
    }

    fn drop_seen(&mut self) -> usize {
        // The byte before the next one says whether an enclosure opens there.
        let seen = self.at.saturating_sub(1);
        if seen > 0 {
            self.at -= seen;
            self.closed = self.closed.saturating_sub(seen);
            self.at_start = false;
        }
        seen
    }

    fn count(&mut self, bytes: &[u8]) -> u64 {
        memchr::memchr_iter(self.delimiter, bytes).count() as u64
    }

    fn unfinished(&self) -> bool {
        self.unfinished
    }
}
