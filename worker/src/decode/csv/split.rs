//! Where records of CSV end, when a field may hold a delimiter or the delimiter has several bytes.

use super::dialect::Dialect;
use super::general::begins;
use super::quoted_split::QuotedSplitter;
use crate::decode::text::{LineSplitter, Splitter};

/// The splitter for a dialect.
pub(super) fn splitter(dialect: &Dialect) -> Box<dyn Splitter> {
    match (dialect.delimiter.as_slice(), dialect.enclose, dialect.escape) {
        ([delimiter], None, None) => Box::new(LineSplitter::new(*delimiter)),
        ([delimiter], Some(enclose), None) if dialect.separator.len() == 1 && !dialect.trim => {
            Box::new(QuotedSplitter::new(dialect.separator[0], *delimiter, enclose))
        }
        _ => Box::new(CsvSplitter {
            dialect: dialect.clone(),
            state: State::FieldStart,
            at: 0,
            unfinished: false,
        }),
    }
}

/// Follows fields and enclosures byte by byte; stops anywhere and goes on there.
pub(super) struct CsvSplitter {
    dialect: Dialect,
    state: State,
    /// What lies before was looked at.
    at: usize,
    /// The text ended within an enclosure.
    unfinished: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a field, or in the blanks before it.
    FieldStart,
    Unenclosed,
    Enclosed,
}

impl CsvSplitter {
    /// Goes on to the end of the record; `None` where the bytes end first.
    fn advance(&mut self, bytes: &[u8], at_end: bool) -> Option<usize> {
        loop {
            match self.state {
                State::FieldStart => self.start_field(bytes)?,
                State::Enclosed => self.leave_enclosure(bytes, at_end)?,
                State::Unenclosed => {
                    if let Some(end) = self.leave_field(bytes, at_end)? {
                        return Some(end);
                    }
                }
            }
        }
    }

    fn start_field(&mut self, bytes: &[u8]) -> Option<()> {
        let Some(enclose) = self.dialect.enclose else {
            self.state = State::Unenclosed;
            return Some(());
        };
        let mut at = self.at;
        while self.dialect.trim && bytes.get(at).is_some_and(|&byte| self.dialect.is_blank(byte)) {
            at += 1;
        }
        if *bytes.get(at)? == enclose {
            self.state = State::Enclosed;
            self.at = at + 1;
        } else {
            // The blanks are looked at again: an escape may not stand among them, a separator neither.
            self.state = State::Unenclosed;
            self.at = at;
        }
        Some(())
    }

    fn leave_enclosure(&mut self, bytes: &[u8], at_end: bool) -> Option<()> {
        let enclose = self.dialect.enclose?;
        let escape = self.dialect.escape.unwrap_or(enclose);
        loop {
            let rest = &bytes[self.at.min(bytes.len())..];
            let Some(found) = memchr::memchr2(enclose, escape, rest) else {
                self.at = self.at.max(bytes.len());
                return None;
            };
            let at = self.at + found;
            match bytes.get(at + 1) {
                None if !at_end => {
                    self.at = at;
                    return None;
                }
                Some(&next) if bytes[at] != enclose || next == enclose => self.at = at + 2,
                _ => {
                    self.at = at + 1;
                    if bytes[at] == enclose {
                        self.state = State::Unenclosed;
                        return Some(());
                    }
                }
            }
        }
    }

    /// `Some(None)`: another field begins.
    fn leave_field(&mut self, bytes: &[u8], at_end: bool) -> Option<Option<usize>> {
        let Dialect { separator, delimiter, .. } = &self.dialect;
        let escape = self.dialect.escape.unwrap_or(separator[0]);
        let longest = separator.len().max(delimiter.len());
        loop {
            let rest = &bytes[self.at.min(bytes.len())..];
            let Some(found) = memchr::memchr3(separator[0], delimiter[0], escape, rest) else {
                self.at = self.at.max(bytes.len());
                return None;
            };
            let rest = &rest[found..];
            self.at += found;
            if self.dialect.escape == Some(rest[0]) {
                if rest.len() < 2 && !at_end {
                    return None;
                }
                self.at += 2;
                continue;
            }
            if rest.len() < longest && !at_end {
                // A separator may be cut here.
                return None;
            }
            let (a, b) = (begins(rest, separator), begins(rest, delimiter));
            if b && (!a || delimiter.len() >= separator.len()) {
                return Some(Some(self.at + delimiter.len()));
            }
            if a {
                self.at += separator.len();
                self.state = State::FieldStart;
                return Some(None);
            }
            self.at += 1;
        }
    }
}

impl Splitter for CsvSplitter {
    fn begin(&mut self) {
        self.at = 0;
        self.state = State::FieldStart;
    }

    fn first_end(&mut self, bytes: &[u8], at_end: bool) -> Option<usize> {
        let end = self.advance(bytes, at_end);
        if end.is_none() && at_end {
            self.unfinished = self.state == State::Enclosed;
        }
        let end = end.or_else(|| (at_end && !bytes.is_empty()).then_some(bytes.len()));
        if end.is_some() {
            self.begin();
        }
        end
    }

    fn last_end(&mut self, bytes: &[u8], at_end: bool) -> Option<usize> {
        let mut last = None;
        while let Some(end) = self.advance(bytes, at_end) {
            last = Some(end);
            self.at = end;
            self.state = State::FieldStart;
        }
        if at_end {
            self.unfinished = self.state == State::Enclosed;
            last = (!bytes.is_empty()).then_some(bytes.len());
        }
        if last.is_some() {
            self.begin();
        }
        last
    }

    fn drop_seen(&mut self) -> usize {
        std::mem::take(&mut self.at)
    }

    fn unfinished(&self) -> bool {
        self.unfinished
    }

    fn count(&mut self, bytes: &[u8]) -> u64 {
        match self.dialect.delimiter.as_slice() {
            [delimiter] => memchr::memchr_iter(*delimiter, bytes).count() as u64,
            delimiter => memchr::memmem::find_iter(bytes, delimiter).count() as u64,
        }
    }
}
