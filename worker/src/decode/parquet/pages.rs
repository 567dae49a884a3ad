//! The pages of a column chunk, one at a time, each checked before memory is taken for it.

use super::delta_guard::check_counts;
use super::memory::Share;
use super::page_header::{PageHeader, PageKind, read_page_header};
use super::thrift::Damage;
use super::windows::{ChunkBytes, Fault};
use crate::decode::error::Place;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// A header is not longer: it holds two values of statistics at most.
const MAX_HEADER: u64 = 16 * 1024 * 1024;
/// The encodings of values that can be decoded, by their number: all but the withdrawn BIT_PACKED.
const ENCODINGS: [i64; 8] = [0, 2, 3, 5, 6, 7, 8, 9];

/// A place in a chunk from which reading can begin: a page, and the row that it starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    /// The dictionary page with its header, if it lies before the place: it has to be read again.
    pub dictionary: Range<u64>,
    /// Offset of the data page's header in the file.
    pub offset: u64,
    /// Row of the row group.
    pub row: u64,
    /// Bytes of that page in the file; 0 as long as they are not known.
    pub page: u64,
}

/// Where the last page given out begins: read by whoever may have to begin again there.
#[derive(Debug, Clone)]
pub(super) struct Bookmark(Arc<Mutex<Position>>);

impl Bookmark {
    /// Begins there.
    pub fn new(position: Position) -> Self {
        Self(Arc::new(Mutex::new(position)))
    }

    /// The place.
    pub fn get(&self) -> Position {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The page with this header begins at `offset`, with row `row`.
    fn put(&self, header: &PageHeader, offset: u64, row: u64) {
        let mut position = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if header.kind == PageKind::Dictionary {
            position.dictionary = offset..offset + header.length + header.compressed;
        } else {
            let page = header.length + header.compressed;
            (position.offset, position.row, position.page) = (offset, row, page);
        }
    }
}

/// What the footer says of a chunk, as far as its pages are checked against it.
#[derive(Debug, Clone)]
pub(super) struct ChunkFacts {
    pub column: ColumnDescPtr,
    pub compression: Compression,
    /// Bytes of all pages once decompressed.
    pub uncompressed: u64,
    /// Values, NULLs included.
    pub values: u64,
}

/// The pages of a chunk.
pub(super) struct Pages {
    bytes: Arc<ChunkBytes>,
    facts: ChunkFacts,
    place: Place,
    fault: Fault,
    share: Share,
    bookmark: Bookmark,
    /// What is still to be read: the dictionary and the data, apart when reading begins in the middle.
    segments: VecDeque<Range<u64>>,
    /// Decompresses the pages of the first segment.
    decoder: Option<SerializedPageReader<ChunkBytes>>,
    peeked: Option<PageHeader>,
    /// Row that the next data page starts with; counts only in columns that are not nested.
    next_row: u64,
}

impl Pages {
    /// The pages in `segments`, from the row in `bookmark` on.
    pub fn new(
        bytes: ChunkBytes,
        segments: impl IntoIterator<Item = Range<u64>>,
        facts: ChunkFacts,
        place: Place,
        fault: Fault,
        share: Share,
        bookmark: Bookmark,
    ) -> Self {
        Self {
            bytes: Arc::new(bytes),
            facts,
            place,
            fault,
            share,
            segments: segments.into_iter().filter(|segment| !segment.is_empty()).collect(),
            decoder: None,
            peeked: None,
            next_row: bookmark.get().row,
            bookmark,
        }
    }

    fn corrupt(&self, reason: impl Into<String>) -> ParquetError {
        self.fault.raise(self.place.corrupt(reason))
    }

    /// The header of the next page that is not skipped.
    fn header(&mut self) -> Result<Option<PageHeader>> {
        while self.peeked.is_none() {
            let Some(segment) = self.segments.front().cloned() else { return Ok(None) };
            let header = self.read_header(&segment)?;
            self.check(&header, &segment)?;
            if header.kind == PageKind::Other {
                self.pass(&header);
                continue;
            }
            self.peeked = Some(header);
        }
        Ok(self.peeked.clone())
    }

    fn read_header(&self, segment: &Range<u64>) -> Result<PageHeader> {
        loop {
            let piece = self.bytes.piece(segment.start).map_err(|error| self.fault.raise(error))?;
            match read_page_header(&piece) {
                Ok(header) => return Ok(header),
                Err(Damage::Ends)
                    if (piece.len() as u64) < (segment.end - segment.start).min(MAX_HEADER)
                        && self.bytes.join(segment.start).map_err(|error| self.fault.raise(error))? => {}
                Err(_) => {
                    return Err(self.corrupt(format!("no page header at byte {}", segment.start)));
                }
            }
        }
    }

    /// Compares what a header announces with what the footer says.
    fn check(&self, header: &PageHeader, segment: &Range<u64>) -> Result<()> {
        let at = segment.start;
        if header.length + header.compressed > segment.end - segment.start {
            return Err(self.corrupt(format!("the page at byte {at} ends behind its column")));
        }
        // Some writers' totals are too small: a page above the total is damage only if it is out of all
        // proportion too.
        let largest = self.facts.uncompressed.max(self.share.limit());
        if header.kind != PageKind::Other && header.uncompressed > largest {
            return Err(self.corrupt(format!(
                "the page at byte {at} claims {} bytes, its column has {}",
                header.uncompressed, self.facts.uncompressed
            )));
        }
        if matches!(header.kind, PageKind::Data | PageKind::DataV2) {
            if header.values > self.facts.values {
                return Err(self.corrupt(format!(
                    "the page at byte {at} claims {} values, its column has {}",
                    header.values, self.facts.values
                )));
            }
            if header.levels.is_some_and(|levels| levels > header.uncompressed.min(header.compressed)) {
                return Err(self.corrupt(format!("the page at byte {at} claims levels longer than itself")));
            }
        }
        if header.kind == PageKind::Dictionary && header.values > header.uncompressed {
            return Err(self.corrupt(format!("the dictionary at byte {at} claims too many values")));
        }
        if header.kind != PageKind::Other && !ENCODINGS.contains(&header.encoding) {
            let encoding = match header.encoding {
                4 => "the encoding BIT_PACKED".to_owned(),
                other => format!("the encoding number {other}"),
            };
            return Err(self.fault.raise(self.place.unsupported_encoding(encoding)));
        }
        Ok(())
    }

    /// Takes the page out of what is to be read.
    fn pass(&mut self, header: &PageHeader) {
        let rows = header.rows.unwrap_or(header.values);
        if matches!(header.kind, PageKind::Data | PageKind::DataV2) {
            self.next_row += rows;
        }
        if let Some(segment) = self.segments.front_mut() {
            segment.start += header.length + header.compressed;
            if header.kind == PageKind::Other {
                self.decoder = None;
            }
            if segment.is_empty() {
                self.segments.pop_front();
                self.decoder = None;
            }
        }
    }

    /// Takes memory for the page, or says how much would do.
    fn hold(&mut self, header: &PageHeader) -> Result<()> {
        let held = match header.kind {
            PageKind::Dictionary => self.share.hold_dictionary(header.uncompressed),
            _ => self.share.hold_page(header.uncompressed),
        };
        held.map_err(|needed| self.fault.raise(self.place.too_small(needed, self.share.limit())))
    }

    /// The decoder that stands at the first page of the first segment.
    fn decoder(&mut self) -> Result<&mut SerializedPageReader<ChunkBytes>> {
        if self.decoder.is_none() {
            let segment = self.segments.front().cloned().unwrap_or_default();
            let chunk = ColumnChunkMetaData::builder(Arc::clone(&self.facts.column))
                .set_compression(self.facts.compression)
                .set_data_page_offset(segment.start as i64)
                .set_total_compressed_size((segment.end - segment.start) as i64)
                .build()?;
            self.decoder = Some(SerializedPageReader::new(Arc::clone(&self.bytes), &chunk, 0, None)?);
        }
        self.decoder.as_mut().ok_or_else(|| ParquetError::General("no decoder".to_owned()))
    }

    fn next_page(&mut self) -> Result<Option<Page>> {
        let Some(header) = self.header()? else { return Ok(None) };
        let start = self.segments.front().map_or(0, |segment| segment.start);
        self.hold(&header)?;
        self.bookmark.put(&header, start, self.next_row);
        self.bytes.expect(header.crc);
        let page = self.decoder()?.get_next_page()?;
        self.peeked = None;
        self.pass(&header);
        let Some(page) = page else {
            return Err(self.corrupt(format!("the page at byte {start} cannot be read")));
        };
        check_counts(&page, &self.facts.column)
            .map_err(|reason| self.corrupt(format!("the page at byte {start} {reason}")))?;
        Ok(Some(page))
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.next_page()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let header = self.header()?;
        Ok(header.map(|header| PageMetadata {
            num_rows: header.rows.map(|rows| rows as usize),
            num_levels: (header.kind != PageKind::Dictionary).then_some(header.values as usize),
            is_dict: header.kind == PageKind::Dictionary,
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        let Some(header) = self.header()? else { return Ok(()) };
        self.peeked = None;
        // The decoder of pages keeps its own place: it begins again behind the page.
        self.decoder = None;
        self.pass(&header);
        Ok(())
    }
}
