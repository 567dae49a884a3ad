//! Cuts a stream into blocks of whole records.

use super::block::{Block, RAW_RECORD_BYTES, raw_text};
use super::split::Splitter;
use super::stream::TextStream;
use crate::decode::error::DecodeError;

/// Bytes of a block, unless one record is longer: a few thousand records, and near enough the cache.
const BLOCK_BYTES: usize = 2 << 20;
/// Least room before a read.
const READ_BYTES: usize = 64 << 10;
/// Positions in a block are 30 bits wide.
const LONGEST_RECORD: u64 = (1 << 30) - (1 << 23);

/// A piece of a file.
#[derive(Debug)]
pub enum Cut {
    /// Whole records.
    Block(Block),
    /// A record longer than the limit: it was passed over and not kept.
    TooLong {
        /// Its number, from 1.
        number: u64,
        /// Offset of its first byte in the decompressed text.
        offset: u64,
        /// Its bytes.
        length: u64,
        /// How it begins.
        raw: String,
    },
}

/// Reads a stream to its end and gives its records in order.
pub struct BlockCutter {
    stream: TextStream,
    splitter: Box<dyn Splitter>,
    /// Bytes that were read; they begin at a record.
    held: Vec<u8>,
    /// The stream has ended.
    at_end: bool,
    /// Number and offset of the first record held.
    number: u64,
    offset: u64,
    longest: usize,
    block: usize,
}

impl BlockCutter {
    /// Records of more than `max_record_bytes` need not be held: they are passed over. Those that were held
    /// whole all the same are given; who parses a block checks the length of each.
    pub fn new(stream: TextStream, splitter: Box<dyn Splitter>, max_record_bytes: u64) -> Self {
        let longest = usize::try_from(max_record_bytes.clamp(1, LONGEST_RECORD)).unwrap_or(BLOCK_BYTES);
        Self {
            stream,
            splitter,
            held: Vec::new(),
            at_end: false,
            number: 1,
            offset: 0,
            longest,
            block: BLOCK_BYTES,
        }
    }

    /// The same with blocks of another size, for tests.
    pub fn with_block_bytes(mut self, bytes: usize) -> Self {
        self.block = bytes.max(1);
        self
    }

    /// Name of the file.
    pub fn file(&self) -> &str {
        self.stream.file()
    }

    /// Bytes of the object that were consumed so far.
    pub fn compressed_offset(&self) -> u64 {
        self.stream.compressed_offset()
    }

    /// The first bytes that were not taken out yet, `wanted` of them or all that are left; and whether they
    /// are all.
    ///
    /// # Errors
    /// Those of [`TextStream::read`].
    pub fn peek(&mut self, wanted: usize) -> Result<(&[u8], bool), DecodeError> {
        self.fill(wanted)?;
        Ok((&self.held, self.at_end))
    }

    /// From here on records end where `splitter` says.
    pub fn set_splitter(&mut self, splitter: Box<dyn Splitter>) {
        self.splitter = splitter;
    }

    /// Takes out the first record with its delimiter, whatever its length up to the limit; `None` at the end.
    /// A longer one is [`Cut::TooLong`].
    ///
    /// # Errors
    /// Those of [`TextStream::read`].
    pub fn first_record(&mut self) -> Result<Option<Cut>, DecodeError> {
        self.splitter.begin();
        loop {
            if let Some(end) = self.splitter.first_end(&self.held, self.at_end) {
                return Ok(Some(self.take(end)));
            }
            if self.at_end {
                return Ok(None);
            }
            if self.held.len() > self.longest {
                return self.pass_over().map(Some);
            }
            self.fill(self.held.len() + READ_BYTES)?;
        }
    }

    /// Passes over the first `count` records, or as many as there are.
    ///
    /// # Errors
    /// Those of [`TextStream::read`].
    pub fn skip(&mut self, count: u64) -> Result<(), DecodeError> {
        let mut left = count;
        while left > 0 {
            left -= self.skip_held(left);
            if left == 0 || (self.at_end && self.held.is_empty()) {
                break;
            }
            if self.first_record()?.is_none() {
                break;
            }
            left -= 1;
        }
        Ok(())
    }

    /// Passes over at most `count` records that are held whole; says how many.
    fn skip_held(&mut self, count: u64) -> u64 {
        let (mut end, mut skipped) = (0, 0);
        while skipped < count {
            self.splitter.begin();
            match self.splitter.first_end(&self.held[end..], self.at_end) {
                Some(length) => end += length,
                None => break,
            }
            skipped += 1;
        }
        self.number += self.splitter.count(&self.held[..end]);
        self.offset += end as u64;
        self.held.drain(..end);
        skipped
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Those of [`TextStream::read`]; nothing follows then.
    pub fn next_cut(&mut self) -> Result<Option<Cut>, DecodeError> {
        self.splitter.begin();
        let mut target = self.block;
        loop {
            self.fill(target)?;
            if let Some(end) = self.splitter.last_end(&self.held, self.at_end) {
                self.check_finished()?;
                return Ok(Some(self.take(end)));
            }
            if self.at_end {
                return Ok(None);
            }
            if self.held.len() > self.longest {
                return self.pass_over().map(Some);
            }
            target = target.saturating_mul(2).min(self.longest + 1);
        }
    }

    /// Reads until so many bytes are held, or the stream ends.
    fn fill(&mut self, target: usize) -> Result<(), DecodeError> {
        let mut length = self.held.len();
        if self.at_end || length >= target {
            return Ok(());
        }
        self.held.reserve_exact(target - length);
        self.held.resize(target, 0);
        while length < target {
            let read = self.stream.read(&mut self.held[length..]);
            if !matches!(read, Ok(1..)) {
                self.held.truncate(length);
                self.at_end = true;
            }
            match read? {
                0 => break,
                read => length += read,
            }
        }
        Ok(())
    }

    fn take(&mut self, end: usize) -> Cut {
        let rest = self.held[end..].to_vec();
        let mut bytes = std::mem::replace(&mut self.held, rest);
        bytes.truncate(end);
        let block = Block { number: self.number, offset: self.offset, bytes };
        self.number += self.splitter.count(&block.bytes);
        self.offset += block.bytes.len() as u64;
        Cut::Block(block)
    }

    fn refused(&mut self, head: &[u8], length: u64, numbers: u64) -> Cut {
        let cut = Cut::TooLong {
            number: self.number,
            offset: self.offset,
            length,
            raw: raw_text(&head[..head.len().min(RAW_RECORD_BYTES)]),
        };
        self.number += numbers;
        self.offset += length;
        cut
    }

    /// A text that ends within an enclosure or a bracket was cut, or a quote too many has swallowed its rest:
    /// what is left is no record.
    fn check_finished(&self) -> Result<(), DecodeError> {
        if self.at_end && self.splitter.unfinished() {
            return Err(DecodeError::Damaged {
                file: self.file().to_owned(),
                place: format!("behind record {} (byte {})", self.number, self.offset),
                reason: "the text ends within an enclosure or a bracket; it was cut, or a quote too many opens one"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// Passes over the first record, which is longer than what may be held.
    fn pass_over(&mut self) -> Result<Cut, DecodeError> {
        let head = self.held[..self.held.len().min(RAW_RECORD_BYTES)].to_vec();
        let (mut length, mut numbers) = (0u64, 0u64);
        loop {
            let end = self.splitter.first_end(&self.held, self.at_end);
            let drop = match end {
                Some(end) => end,
                None if self.at_end => self.held.len(),
                None => self.splitter.drop_seen(),
            };
            length += drop as u64;
            numbers += self.splitter.count(&self.held[..drop]);
            self.held.drain(..drop);
            if end.is_some() || self.at_end {
                self.check_finished()?;
                return Ok(self.refused(&head, length, numbers));
            }
            self.fill(self.held.len() + self.block.max(READ_BYTES))?;
        }
    }
}

impl std::fmt::Debug for BlockCutter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BlockCutter")
            .field("stream", &self.stream)
            .field("number", &self.number)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}
