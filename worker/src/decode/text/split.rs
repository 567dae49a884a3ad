//! Where records end.

/// Finds the ends of records in bytes that begin at a record. It remembers how far it has looked, so that a
/// record longer than what has arrived is looked at once, not once for each arrival: until [`Splitter::begin`]
/// the bytes of a call begin with those of the call before.
pub trait Splitter: Send {
    /// The bytes of the next call begin at a record.
    fn begin(&mut self);

    /// End of the first record: where the next one begins. `None`: it is not whole. With `at_end` nothing
    /// follows the bytes, and what is left is a record.
    fn first_end(&mut self, bytes: &[u8], at_end: bool) -> Option<usize>;

    /// End of the last whole record, `None` if there is none; the splitter is left as by [`Self::begin`] if
    /// there is one.
    fn last_end(&mut self, bytes: &[u8], at_end: bool) -> Option<usize>;

    /// How many bytes from the front were looked at and never matter again; they may be dropped before the
    /// next [`Self::first_end`]. For a record that is too long to be kept.
    fn drop_seen(&mut self) -> usize;

    /// By how much the number of the record behind `bytes` is above that of the first of them. Asked once
    /// for each piece that a call gave or [`Self::drop_seen`] dropped.
    fn count(&mut self, bytes: &[u8]) -> u64;

    /// What was looked at last, with `at_end`, stopped within something that has an end: an enclosure, a
    /// bracket.
    fn unfinished(&self) -> bool {
        false
    }
}

/// Records that end with one byte, whatever they hold.
#[derive(Debug)]
pub struct LineSplitter {
    delimiter: u8,
    seen: usize,
}

impl LineSplitter {
    /// Records end with `delimiter`.
    pub fn new(delimiter: u8) -> Self {
        Self { delimiter, seen: 0 }
    }
}

impl Splitter for LineSplitter {
    fn begin(&mut self) {
        self.seen = 0;
    }

    fn first_end(&mut self, bytes: &[u8], at_end: bool) -> Option<usize> {
        let found = memchr::memchr(self.delimiter, &bytes[self.seen..]).map(|at| self.seen + at + 1);
        self.seen = if found.is_some() { 0 } else { bytes.len() };
        found.or_else(|| (at_end && !bytes.is_empty()).then_some(bytes.len()))
    }

    fn last_end(&mut self, bytes: &[u8], at_end: bool) -> Option<usize> {
        if at_end {
            self.seen = 0;
            return (!bytes.is_empty()).then_some(bytes.len());
        }
        let found = memchr::memrchr(self.delimiter, &bytes[self.seen..]).map(|at| self.seen + at + 1);
        self.seen = if found.is_some() { 0 } else { bytes.len() };
        found
    }

    fn drop_seen(&mut self) -> usize {
        std::mem::take(&mut self.seen)
    }

    fn count(&mut self, bytes: &[u8]) -> u64 {
        memchr::memchr_iter(self.delimiter, bytes).count() as u64
    }
}
