//! Passes over JSON and checks it on the way (RFC 8259): no tree, no copy.

use super::fault::Fault;

/// Objects and arrays in one another.
pub(super) const MAX_DEPTH: usize = 128;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    True,
    False,
    Number,
    /// Its range is between the quotes.
    String {
        /// There are escapes in it.
        escaped: bool,
    },
    Object,
    Array,
}

/// A value and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
}

impl Value {
    /// The value as it was written, a string with its quotes.
    pub(super) fn written(self, bytes: &[u8]) -> &[u8] {
        let quotes = usize::from(matches!(self.kind, Kind::String { .. }));
        &bytes[self.start - quotes..self.end + quotes]
    }
}

/// A place in a text that is UTF-8.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    fn malformed<T>(&self) -> Result<T, Fault> {
        Err(Fault::Malformed(self.at))
    }

    /// The byte here, 0 at the end.
    #[inline(always)]
    pub(super) fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline(always)]
    pub(super) fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    /// Takes the byte if it is here.
    #[inline(always)]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == byte;
        self.at += usize::from(here);
        here
    }

    #[inline(always)]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.take(byte) { Ok(()) } else { self.malformed() }
    }

    /// The value that begins here, in `depth` others.
    #[inline]
    pub(super) fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        let start = self.at;
        let kind = match self.peek() {
            b'"' => {
                let escaped = self.string()?;
                return Ok(Value { start: start + 1, end: self.at - 1, kind: Kind::String { escaped } });
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'{' => self.object(depth + 1)?,
            b'[' => self.array(depth + 1)?,
            b't' => self.word(b"true", Kind::True)?,
            b'f' => self.word(b"false", Kind::False)?,
            b'n' => self.word(b"null", Kind::Null)?,
            _ => return self.malformed(),
        };
        Ok(Value { start, end: self.at, kind })
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, Fault> {
        if !self.bytes[self.at..].starts_with(word) {
            return self.malformed();
        }
        self.at += word.len();
        Ok(kind)
    }

    /// Behind the closing quote; whether there were escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, Fault> {
        self.expect(b'"')?;
        let mut escaped = false;
        loop {
            self.plain_characters();
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(escaped);
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return self.malformed(),
            }
        }
    }

    /// Passes over bytes that are neither quote, backslash nor control character.
    #[inline(always)]
    fn plain_characters(&mut self) {
        let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
        while let Some(eight) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*eight);
            let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
            let found =
                zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\'))) | control;
            if found != 0 {
                // Borrows reach only bytes behind the first that was found.
                self.at += found.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while self.bytes.get(self.at).is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let first = self.code_unit()?;
                if (0xdc00..0xe000).contains(&first) {
                    return self.malformed();
                }
                if (0xd800..0xdc00).contains(&first) {
                    let second = self.code_unit()?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return self.malformed();
                    }
                }
            }
            _ => return self.malformed(),
        }
        Ok(())
    }

    fn code_unit(&mut self) -> Result<u32, Fault> {
        let unit = code_unit(&self.bytes[self.at.min(self.bytes.len())..]);
        self.at += 6;
        unit.ok_or(Fault::Malformed(self.at - 6))
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if !self.take(b'-') {
                self.take(b'+');
            }
            self.digits()?;
        }
        Ok(Kind::Number)
    }

    #[inline(always)]
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { self.malformed() } else { Ok(()) }
    }

    fn object(&mut self, depth: usize) -> Result<Kind, Fault> {
        self.for_each_key(depth, |_, _| Ok(()))?;
        Ok(Kind::Object)
    }

    fn array(&mut self, depth: usize) -> Result<Kind, Fault> {
        self.for_each_element(depth, |_, _| Ok(()))?;
        Ok(Kind::Array)
    }

    /// Goes through the object that begins here, itself the `depth`-th of those in one another; `see` is
    /// given each key and its value.
    #[inline(always)]
    pub(super) fn for_each_key(
        &mut self,
        depth: usize,
        mut see: impl FnMut(Value, Value) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        self.expect(b'{')?;
        self.skip_blanks();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let start = self.at + 1;
            let escaped = self.string()?;
            let key = Value { start, end: self.at - 1, kind: Kind::String { escaped } };
            self.skip_blanks();
            self.expect(b':')?;
            self.skip_blanks();
            let value = self.value(depth)?;
            see(key, value)?;
            self.skip_blanks();
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
            self.skip_blanks();
        }
    }

    /// The same for the array that begins here; `see` is given the place and the value of each element.
    #[inline(always)]
    pub(super) fn for_each_element(
        &mut self,
        depth: usize,
        mut see: impl FnMut(usize, Value) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        self.expect(b'[')?;
        self.skip_blanks();
        if self.take(b']') {
            return Ok(());
        }
        let mut index = 0;
        loop {
            let value = self.value(depth)?;
            see(index, value)?;
            index += 1;
            self.skip_blanks();
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',')?;
            self.skip_blanks();
        }
    }
}

/// The code unit of `\uXXXX` at the start of `bytes`.
pub(super) fn code_unit(bytes: &[u8]) -> Option<u32> {
    match bytes {
        [b'\\', b'u', digits @ ..] => {
            let digits = digits.first_chunk::<4>()?;
            digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
        }
        _ => None,
    }
}
