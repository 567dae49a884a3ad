//! A block of whole records, and what can be told of a record in it.

use std::sync::Arc;

use crate::rows::{Records, RejectedRow};

/// Most bytes of a raw record that are kept.
pub const RAW_RECORD_BYTES: usize = 64 << 10;

/// Where a record lies in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub start: u32,
    /// Behind its last byte, without the delimiter.
    pub end: u32,
    /// Its number less that of the block's first record.
    pub number: u32,
}

/// Whole records of a file, cut out of the decompressed text.
#[derive(Debug)]
pub struct Block {
    /// The text; fewer than 2³⁰ bytes.
    pub bytes: Vec<u8>,
    /// Number of the first record, from 1.
    pub number: u64,
    /// Offset of the first byte in the decompressed text.
    pub offset: u64,
}

impl Block {
    /// A record as text, cut at [`RAW_RECORD_BYTES`]; what is not UTF-8 is replaced.
    pub fn raw(&self, span: Span) -> String {
        let bytes = self.bytes.get(span.start as usize..span.end as usize).unwrap_or_default();
        raw_text(bytes)
    }
}

impl Block {
    /// What is said of a record that is no row. The whole record does not fit, no column of it.
    pub fn rejected(&self, span: Span, code: &'static str, message: String) -> RejectedRow {
        RejectedRow {
            row: self.number + u64::from(span.number),
            byte_offset: Some(self.offset + u64::from(span.start)),
            column: String::new(),
            code,
            message,
            raw_value: String::new(),
            raw_record: self.raw(span),
        }
    }
}

/// Bytes as text, cut at [`RAW_RECORD_BYTES`]; what is not UTF-8 is replaced.
pub(super) fn raw_text(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(RAW_RECORD_BYTES)]).into_owned();
    text.truncate(text.floor_char_boundary(RAW_RECORD_BYTES));
    text
}

/// The records behind the rows of a batch.
#[derive(Debug)]
pub struct BlockRecords {
    block: Arc<Block>,
    records: Vec<Span>,
}

impl BlockRecords {
    /// Record `i` of `records` is row `i`.
    pub fn new(block: Arc<Block>, records: Vec<Span>) -> Self {
        Self { block, records }
    }
}

impl Records for BlockRecords {
    fn number(&self, row: usize) -> u64 {
        self.block.number + self.records.get(row).map_or(0, |record| u64::from(record.number))
    }

    fn byte_offset(&self, row: usize) -> u64 {
        self.block.offset + self.records.get(row).map_or(0, |record| u64::from(record.start))
    }

    fn raw(&self, row: usize) -> String {
        self.records.get(row).map(|record| self.block.raw(*record)).unwrap_or_default()
    }
}
