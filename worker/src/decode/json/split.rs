//! Where documents end that do not end with their line.

use crate::decode::text::Splitter;

/// Follows brackets and strings. In an array the records are its elements, each with the comma behind it; the
/// first has the array's opening bracket too, the last its closing one.
#[derive(Debug, Default)]
pub(super) struct BracketSplitter {
    /// The records are the elements of one array.
    elements: bool,
    /// Depth at which records stand: 1 once the array is open.
    base: usize,
    /// The array is closed: what follows belongs to its last record, and should be blank.
    closed: bool,
    depth: usize,
    in_string: bool,
    /// Something that is no blank was seen since the last end.
    begun: bool,
    at: usize,
    ended: u64,
    unfinished: bool,
}

impl BracketSplitter {
    /// Documents one after the other, or the elements of one array.
    pub(super) fn new(elements: bool) -> Self {
        Self { elements, ..Self::default() }
    }

    /// The elements of an array that was opened before.
    pub(super) fn inside() -> Self {
        Self { elements: true, base: 1, depth: 1, ..Self::default() }
    }

    fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        while self.at < bytes.len() {
            if self.closed {
                self.at = bytes.len();
                break;
            }
            if self.in_string {
                self.string(bytes)?;
                continue;
            }
            let byte = bytes[self.at];
            self.at += 1;
            if self.step(byte) {
                return Some(self.at);
            }
        }
        None
    }

    fn string(&mut self, bytes: &[u8]) -> Option<()> {
        let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[self.at..]) else {
            self.at = bytes.len();
            return None;
        };
        self.at += found;
        if bytes[self.at] == b'"' {
            self.in_string = false;
            self.at += 1;
        } else if self.at + 1 == bytes.len() {
            return None;
        } else {
            self.at += 2;
        }
        Some(())
    }

    /// Whether a record ends behind `byte`.
    #[inline(always)]
    fn step(&mut self, byte: u8) -> bool {
        match byte {
            b'"' => {
                self.in_string = true;
                self.begun = true;
            }
            b'{' | b'[' => {
                self.depth += 1;
                let opens = self.elements && self.base == 0;
                self.base += usize::from(opens);
                self.begun |= !opens;
            }
            b'}' | b']' => {
                self.begun = true;
                self.depth = self.depth.saturating_sub(1);
                self.closed |= self.depth == 0 && self.base == 1;
                return self.depth == 0 && !self.elements;
            }
            b',' => return self.base == 1 && self.depth == 1,
            // A line that is no document ends with itself.
            b'\n' => return self.depth == 0 && self.begun && !self.elements,
            b' ' | b'\t' | b'\r' => {}
            _ => self.begun = true,
        }
        false
    }

    fn end(&mut self) {
        self.ended += 1;
        self.begun = false;
    }
}

impl Splitter for BracketSplitter {
    fn begin(&mut self) {
        self.at = 0;
        self.in_string = false;
        self.begun = false;
        self.depth = self.base;
    }

    fn first_end(&mut self, bytes: &[u8], at_end: bool) -> Option<usize> {
        let mut end = self.advance(bytes);
        if end.is_none() && at_end {
            self.unfinished = !self.closed && (self.in_string || self.depth > 0);
            end = (!bytes.is_empty()).then_some(bytes.len());
        }
        if end.is_some() {
            self.end();
            self.begin();
        }
        end
    }

    fn last_end(&mut self, bytes: &[u8], at_end: bool) -> Option<usize> {
        let mut last = None;
        while let Some(end) = self.advance(bytes) {
            self.end();
            last = Some(end);
        }
        if at_end {
            self.unfinished = !self.closed && (self.in_string || self.depth > 0);
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

    fn count(&mut self, _bytes: &[u8]) -> u64 {
        std::mem::take(&mut self.ended)
    }

    fn unfinished(&self) -> bool {
        self.unfinished
    }
}
