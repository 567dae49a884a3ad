//! The parts of a text file: its blocks, each with the parser of its format.

use arrow::datatypes::SchemaRef;

use super::block::Block;
use super::cutter::{BlockCutter, Cut};
use super::refused::RefusedPart;
use crate::decode::{DecodeError, Part, Parts};
use crate::rows::RejectedRow;

/// What a format does with the blocks of a file.
pub trait BlockFormat: Send {
    /// Looks at what is before the first block, or passes over it. Called before each block; what is done once
    /// is remembered.
    ///
    /// # Errors
    /// Those of reading, and what keeps the file from being of this format.
    fn prepare(&mut self, cutter: &mut BlockCutter) -> Result<(), DecodeError>;

    /// The part of a block, which may be the first piece of its file. `input_bytes`: what it took of the object.
    fn part(&self, block: Block, first: bool, input_bytes: u64) -> Box<dyn Part>;

    /// The columns of its batches.
    fn schema(&self) -> &SchemaRef;

    /// Code and message for a record that is longer than the limit.
    fn too_long(&self) -> (&'static str, String);
}

/// The parts of a file, in order.
pub struct TextParts<F> {
    format: F,
    cutter: BlockCutter,
    first: bool,
    consumed: u64,
    ended: bool,
}

impl<F: BlockFormat> TextParts<F> {
    /// What `cutter` gives, parsed by `format`.
    pub fn new(format: F, cutter: BlockCutter) -> Self {
        Self { format, cutter, first: true, consumed: 0, ended: false }
    }

    fn next_part(&mut self) -> Result<Option<Box<dyn Part>>, DecodeError> {
        self.format.prepare(&mut self.cutter)?;
        let Some(cut) = self.cutter.next_cut()? else { return Ok(None) };
        let consumed = self.cutter.compressed_offset();
        let input_bytes = consumed - std::mem::replace(&mut self.consumed, consumed);
        let first = std::mem::replace(&mut self.first, false);
        Ok(Some(match cut {
            Cut::Block(block) => self.format.part(block, first, input_bytes),
            Cut::TooLong { number, offset, length: _, raw } => {
                let (code, message) = self.format.too_long();
                Box::new(RefusedPart {
                    schema: self.format.schema().clone(),
                    rejected: RejectedRow {
                        row: number,
                        byte_offset: Some(offset),
                        column: String::new(),
                        code,
                        message,
                        raw_value: String::new(),
                        raw_record: raw,
                    },
                    input_bytes,
                })
            }
        }))
    }
}

impl<F: BlockFormat> Parts for TextParts<F> {
    fn next(&mut self) -> Option<Result<Box<dyn Part>, DecodeError>> {
        if self.ended {
            return None;
        }
        let part = self.next_part().transpose();
        self.ended = !matches!(part, Some(Ok(_)));
        part
    }
}
