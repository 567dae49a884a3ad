//! A file is cut into runs of whole blocks.

use super::cursor::Cursor;
use super::file::Opened;
use super::header::SYNC_BYTES;
use super::reader::RunReader;
use crate::decode::stored::{Stored, Windows};
use crate::decode::{BatchReader, DecodeError, Part, Parts, Read};
use bytes::Bytes;
use std::sync::Arc;

/// Bytes of a window of the file; one more is on its way.
const WINDOW: u64 = 4 << 20;
/// Bytes of a run, where its reader is given no size.
const USUAL_RUN: usize = 1 << 20;
/// Bytes of a number, at most.
const LONGEST_NUMBER: usize = 10;
/// A block may have so many bytes, however small the budget is.
pub(super) const SMALLEST_LIMIT: u64 = 64 << 20;

/// A block, not yet decompressed.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Offset in the file.
    pub offset: u64,
    /// Records that it claims.
    pub count: u64,
    /// Its bytes as they are stored.
    pub stored: Bytes,
    /// Bytes of the file, numbers and marker included.
    pub length: u64,
}

/// Cuts a file, in order.
pub(super) struct Runs {
    file: Arc<Opened>,
    read: Arc<Read>,
    stored: Stored,
    /// Number of the next record in the file, from 1.
    next_row: u64,
    ended: bool,
}

impl Runs {
    /// Begins behind the header; starts the first fetches.
    pub fn new(file: Arc<Opened>, read: Arc<Read>) -> Self {
        let range = file.first_block..file.object.size();
        let stored = Stored::new(Arc::clone(&file.object), range, &[], Windows { size: WINDOW, ahead: 1 });
        Self { file, read, stored, next_row: 1, ended: false }
    }

    fn next_run(&mut self) -> Result<Option<Run>, DecodeError> {
        let wanted = if self.read.block_bytes == 0 { USUAL_RUN } else { self.read.block_bytes };
        let (mut blocks, mut bytes, first_row) = (Vec::new(), 0, self.next_row);
        while bytes < wanted && self.stored.left() > 0 {
            let block = self.next_block()?;
            bytes += block.stored.len();
            self.next_row = self.next_row.saturating_add(block.count);
            blocks.push(block);
        }
        if blocks.is_empty() {
            return Ok(None);
        }
        Ok(Some(Run { file: Arc::clone(&self.file), read: Arc::clone(&self.read), blocks, first_row, bytes }))
    }

    fn next_block(&mut self) -> Result<Block, DecodeError> {
        let offset = self.stored.offset();
        let count = self.number(offset)?;
        let size = self.number(offset)?;
        let damaged = |reason: String| self.file.damaged(offset, reason);
        let (Ok(count), Ok(size)) = (u64::try_from(count), u64::try_from(size)) else {
            return Err(damaged(format!("it claims {count} records in {size} bytes")));
        };
        let room = self.stored.left();
        if size.saturating_add(SYNC_BYTES as u64) > room {
            return Err(damaged(format!("it claims {size} bytes, and {room} are left: the file is cut off")));
        }
        let limit = block_limit(&self.read);
        if size > limit {
            return Err(self.file.too_large(offset, size, limit));
        }
        let stored = self.stored.exactly(size as usize)?;
        if *self.stored.exactly(SYNC_BYTES)? != self.file.sync {
            return Err(self.file.damaged(offset, "the marker behind it is not that of the file".to_owned()));
        }
        Ok(Block { offset, count, stored, length: self.stored.offset() - offset })
    }

    /// A number in front of a block, byte by byte: where it ends tells only its last byte.
    fn number(&mut self, offset: u64) -> Result<i64, DecodeError> {
        let mut bytes = Vec::with_capacity(LONGEST_NUMBER);
        while bytes.len() < LONGEST_NUMBER && self.stored.left() > 0 {
            bytes.extend_from_slice(&self.stored.exactly(1)?);
            if bytes.last().is_some_and(|byte| byte & 0x80 == 0) {
                break;
            }
        }
        let number = Cursor::new(&bytes).long();
        number.map_err(|_| self.file.damaged(offset, "its count or its size is cut off".to_owned()))
    }
}

/// Bytes that a block may have.
pub(super) fn block_limit(read: &Read) -> u64 {
    (read.budget_bytes as u64).max(SMALLEST_LIMIT)
}

impl Parts for Runs {
    fn next(&mut self) -> Option<Result<Box<dyn Part>, DecodeError>> {
        if self.ended {
            return None;
        }
        let run = self.next_run().transpose();
        self.ended = !matches!(run, Some(Ok(_)));
        Some(run?.map(|run| Box::new(run) as Box<dyn Part>))
    }
}

/// Blocks that are decoded together.
pub(super) struct Run {
    pub file: Arc<Opened>,
    pub read: Arc<Read>,
    pub blocks: Vec<Block>,
    /// Number of the first record in the file, from 1.
    pub first_row: u64,
    bytes: usize,
}

impl Part for Run {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn start(self: Box<Self>) -> Result<Box<dyn BatchReader>, DecodeError> {
        Ok(Box::new(RunReader::new(*self)))
    }
}
