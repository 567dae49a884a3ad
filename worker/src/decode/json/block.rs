//! The documents of a block, batch by batch.

use arrow::array::ArrayRef;
use arrow::error::ArrowError;

use super::fault::Fault;
use super::layout::Layout;
use super::record::{RowSink, Rules};
use super::scan::Scanner;
use super::split::BracketSplitter;
use crate::decode::text::{Span, Splitter};

/// Bytes of documents after which a batch ends, however few its rows.
const BATCH_BYTES: usize = 16 << 20;

/// What is read of a block.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    pub(super) rules: &'a Rules,
    /// Columns (of the rules' schema) in the order of the batches.
    pub(super) columns: &'a [usize],
    pub(super) layout: Layout,
    /// The block is the first of its file.
    pub(super) first: bool,
    pub(super) batch_rows: usize,
    pub(super) max_record_bytes: u64,
}

/// The rows of some documents, and those that are no rows.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) columns: Vec<ArrayRef>,
    pub(super) rows: Vec<Span>,
    pub(super) faults: Vec<(Span, Fault)>,
}

/// Where in a block the next document begins.
#[derive(Debug, Default)]
pub(super) struct Place {
    at: usize,
    number: u32,
    splitter: Option<BracketSplitter>,
    /// The block is UTF-8 as a whole; not known before the first batch.
    utf8: Option<bool>,
}

/// The next batch of the block `bytes`, and `place` behind it; `None` at the end.
pub(super) fn next_batch(
    bytes: &[u8],
    wanted: &Wanted<'_>,
    place: &mut Place,
) -> Result<Option<Parsed>, ArrowError> {
    if place.at >= bytes.len() {
        return Ok(None);
    }
    let utf8 = *place.utf8.get_or_insert_with(|| std::str::from_utf8(bytes).is_ok());
    let left = bytes.len() - place.at;
    // A row is guessed to have 128 bytes, half of them values.
    let rows = (left / 128 + 1).min(wanted.batch_rows);
    let mut sink = RowSink::new(wanted.rules, wanted.columns, rows, left.min(BATCH_BYTES) / 2);
    let mut faults = Vec::new();
    while sink.len() < wanted.batch_rows && sink.bytes() < BATCH_BYTES {
        let Some(span) = next_record(bytes, wanted, place) else { break };
        let record = &bytes[span.start as usize..span.end as usize];
        let judged = if record.len() as u64 > wanted.max_record_bytes {
            Err(Fault::TooLong)
        } else if !utf8 && std::str::from_utf8(record).is_err() {
            Err(Fault::InvalidUtf8)
        } else {
            documents(&bytes[..span.end as usize], span, wanted, &mut sink)
        };
        if let Err(fault) = judged {
            faults.push((span, fault));
        }
    }
    let (columns, rows) = sink.finish()?;
    Ok(Some(Parsed { columns, rows, faults }))
}

/// The next line, document or element that is not blank.
fn next_record(bytes: &[u8], wanted: &Wanted<'_>, place: &mut Place) -> Option<Span> {
    while place.at < bytes.len() {
        let (start, number) = (place.at, place.number);
        let rest = &bytes[start..];
        let length = match wanted.layout {
            Layout::Lines => memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1),
            layout => {
                let splitter = place.splitter.get_or_insert_with(|| match layout {
                    Layout::Elements if !wanted.first => BracketSplitter::inside(),
                    layout => BracketSplitter::new(layout == Layout::Elements),
                });
                splitter.begin();
                splitter.first_end(rest, true).unwrap_or(rest.len())
            }
        };
        place.at += length;
        let record = &rest[..length];
        let blank = record.len() - record.trim_ascii_start().len();
        if blank < length {
            place.number += 1;
            let end = start + record.trim_ascii_end().len();
            return Some(Span { start: (start + blank) as u32, end: end as u32, number });
        }
        place.number += u32::from(wanted.layout == Layout::Lines);
    }
    None
}

/// The documents of a record; `bytes` end with it.
fn documents(bytes: &[u8], span: Span, wanted: &Wanted<'_>, sink: &mut RowSink<'_>) -> Result<(), Fault> {
    let mut scanner = Scanner::new(bytes, span.start as usize);
    if wanted.layout == Layout::Elements {
        return element(&mut scanner, wanted.first && span.number == 0, span.number, sink);
    }
    while scanner.at < bytes.len() {
        sink.document(&mut scanner, span.number)?;
        scanner.skip_blanks();
    }
    Ok(())
}

/// An element with the bracket before it and the comma or the bracket behind it.
fn element(scanner: &mut Scanner<'_>, first: bool, number: u32, sink: &mut RowSink<'_>) -> Result<(), Fault> {
    if first {
        scanner.expect(b'[')?;
        scanner.skip_blanks();
        if scanner.peek() == b']' && scanner.at + 1 == scanner.bytes.len() {
            return Ok(());
        }
    }
    sink.element(scanner, number)?;
    scanner.skip_blanks();
    if !scanner.take(b',') {
        scanner.expect(b']')?;
    }
    if scanner.at == scanner.bytes.len() { Ok(()) } else { Err(Fault::Malformed(scanner.at)) }
}
