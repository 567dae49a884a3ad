//! The fields of the records of a block.

use super::dialect::Dialect;
use super::field::Field;
use super::{general, plain, quoted};
use crate::decode::text::Span;

/// What becomes of a record with too few or too many fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// It is filtered.
    Filter,
    /// Fields that lack are NULL; too many filter.
    PadWithNull,
    /// Fields past the last are dropped; too few filter.
    IgnoreExtra,
}

/// Why a record is no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// So many fields, which is the wrong number.
    ColumnCount(usize),
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// Longer than the limit.
    TooLong,
    /// The enclosure does not end.
    Unclosed,
}

impl Fault {
    /// Stable code, as rejected rows carry it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::ColumnCount(_) => "FieldCount",
            Self::InvalidUtf8 => "InvalidUtf8",
            Self::TooLong => "RecordTooLong",
            Self::Unclosed => "UnclosedEnclosure",
        }
    }

    /// What is wrong, where so many fields are expected.
    pub(super) fn message(self, expected: usize) -> String {
        match self {
            Self::ColumnCount(found) => {
                format!("the record has {found} fields, and {expected} are expected; look at the separator")
            }
            Self::InvalidUtf8 => "the bytes are not UTF-8".to_owned(),
            Self::TooLong => "the record is longer than maxRecordBytes".to_owned(),
            Self::Unclosed => "an enclosure does not end".to_owned(),
        }
    }

    /// Whether the load fails of it; `count`: of a wrong number of fields too.
    pub(super) fn refuses(self, count: bool) -> bool {
        count && matches!(self, Self::ColumnCount(_))
    }
}

/// The records of a block.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The fields of all rows, one row after the other, each with as many fields as were expected.
    pub(super) fields: Vec<Field>,
    /// The record of each row.
    pub(super) rows: Vec<Span>,
    /// The records that are no rows.
    pub(super) faults: Vec<(Span, Fault)>,
}

/// What a record must be to be a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Number of fields, at least 1.
    pub(super) expected: usize,
    /// What becomes of others.
    pub(super) mismatch: Mismatch,
}

/// Takes the records of a block apart.
pub(super) fn tokenize(bytes: &[u8], dialect: &Dialect, shape: Shape) -> Tokens {
    let mut sink = Sink::new(bytes, dialect, shape);
    match (dialect.single_bytes(), dialect.enclose, dialect.escape) {
        (Some((separator, delimiter)), None, None) => plain::tokenize(&mut sink, separator, delimiter),
        (Some((separator, delimiter)), Some(enclose), None) => {
            quoted::tokenize(&mut sink, separator, delimiter, enclose);
        }
        _ => general::tokenize(&mut sink, dialect),
    }
    sink.tokens
}

/// Takes in fields and ends of records.
pub(super) struct Sink<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) dialect: &'a Dialect,
    shape: Shape,
    tokens: Tokens,
    /// Fields before the current record.
    first: usize,
    record_start: usize,
    number: u32,
    drop_carriage_return: bool,
    /// Each field must be checked.
    check_utf8: bool,
    longest: usize,
}

impl<'a> Sink<'a> {
    fn new(bytes: &'a [u8], dialect: &'a Dialect, shape: Shape) -> Self {
        // Sixteen bytes a field and four fields a row are guessed.
        let guess = bytes.len() / 16 + shape.expected.min(1 << 16);
        let fields = Vec::with_capacity(guess);
        let rows = Vec::with_capacity(guess / shape.expected + 1);
        Self {
            check_utf8: !dialect.cuts_between_characters() || std::str::from_utf8(bytes).is_err(),
            drop_carriage_return: dialect.drops_carriage_return(),
            longest: usize::try_from(dialect.max_record_bytes).unwrap_or(usize::MAX),
            tokens: Tokens { fields, rows, faults: Vec::new() },
            first: 0,
            record_start: 0,
            number: 0,
            bytes,
            dialect,
            shape,
        }
    }

    /// Where the current record begins.
    #[inline(always)]
    pub(super) fn record_start(&self) -> usize {
        self.record_start
    }

    #[inline(always)]
    pub(super) fn field(&mut self, field: Field) {
        self.tokens.fields.push(field);
    }

    /// The record ends at `end`, the next begins at `next`; its last field was given. `lines`: by how much
    /// its successor's number is above its own.
    #[inline(always)]
    pub(super) fn end_record(&mut self, mut end: usize, next: usize, lines: u32) {
        if self.drop_carriage_return && end > self.record_start && self.bytes[end - 1] == b'\r' {
            end -= 1;
            if let Some(last) = self.tokens.fields.last_mut() {
                last.cut_at(end);
            }
        }
        let span = Span { start: self.record_start as u32, end: end as u32, number: self.number };
        let found = self.tokens.fields.len() - self.first;
        if found == self.shape.expected
            && end > self.record_start
            && !self.check_utf8
            && end - self.record_start <= self.longest
        {
            self.tokens.rows.push(span);
        } else {
            self.judge(span, found);
        }
        self.first = self.tokens.fields.len();
        self.record_start = next;
        self.number += lines;
    }

    /// The record ends the block within an enclosure.
    pub(super) fn unclosed(&mut self) {
        let end = self.bytes.len();
        let span = Span { start: self.record_start as u32, end: end as u32, number: self.number };
        self.tokens.fields.truncate(self.first);
        let fault = if end - self.record_start > self.longest { Fault::TooLong } else { Fault::Unclosed };
        self.tokens.faults.push((span, fault));
        self.record_start = end;
    }

    /// A record that is not plainly a row.
    #[inline(never)]
    fn judge(&mut self, span: Span, found: usize) {
        let expected = self.shape.expected;
        if span.start == span.end {
            // A blank line.
            self.tokens.fields.truncate(self.first);
            return;
        }
        let mismatch = self.shape.mismatch;
        let fault = if (span.end - span.start) as usize > self.longest {
            Some(Fault::TooLong)
        } else if self.check_utf8 && !self.all_utf8() {
            Some(Fault::InvalidUtf8)
        } else if found < expected && mismatch == Mismatch::PadWithNull {
            let missing = std::iter::repeat_n(Field::NULL, expected - found);
            self.tokens.fields.extend(missing);
            None
        } else if found > expected && mismatch == Mismatch::IgnoreExtra {
            self.tokens.fields.truncate(self.first + expected);
            None
        } else {
            (found != expected).then_some(Fault::ColumnCount(found))
        };
        match fault {
            Some(fault) => {
                self.tokens.fields.truncate(self.first);
                self.tokens.faults.push((span, fault));
            }
            None => self.tokens.rows.push(span),
        }
    }

    fn all_utf8(&self) -> bool {
        let fields = &self.tokens.fields[self.first..];
        fields.iter().all(|field| std::str::from_utf8(field.slice(self.bytes)).is_ok())
    }
}
