//! Columns of text, built value by value.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanBufferBuilder, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow::error::ArrowError;

/// Values that are copied as so many bytes, whatever their length: a copy of a fixed length is two moves.
const SHORT: usize = 16;

/// Builds a column of text out of pieces of a block. Its values together stay below 2 GiB.
#[derive(Debug)]
pub struct TextBuilder {
    values: Vec<u8>,
    offsets: Vec<i32>,
    /// Rows that are NULL.
    nulls: Vec<usize>,
}

impl TextBuilder {
    /// Room for so many rows and bytes.
    pub fn new(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { values: Vec::with_capacity(bytes + SHORT), offsets, nulls: Vec::new() }
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Bytes of the values so far.
    pub fn bytes(&self) -> usize {
        self.values.len()
    }

    /// The value `block[start..end]`.
    #[inline(always)]
    pub fn copy(&mut self, block: &[u8], start: usize, end: usize) {
        let length = end - start;
        match block.get(start..start + SHORT) {
            Some(sixteen) if length <= SHORT => {
                let before = self.values.len();
                self.values.extend_from_slice(sixteen);
                self.values.truncate(before + length);
            }
            _ => self.values.extend_from_slice(&block[start..end]),
        }
        self.end();
    }

    /// A value that `write` appends.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.values);
        self.end();
    }

    /// NULL.
    #[inline(never)]
    pub fn null(&mut self) {
        self.nulls.push(self.rows());
        self.end();
    }

    #[inline(always)]
    fn end(&mut self) {
        // A block has fewer than 2^30 bytes, and no value has more bytes than its text.
        self.offsets.push(self.values.len() as i32);
    }

    /// The column.
    ///
    /// # Errors
    /// What Arrow says if a value is not UTF-8.
    pub fn finish(self) -> Result<ArrayRef, ArrowError> {
        let rows = self.rows();
        let nulls = validity(rows, &self.nulls);
        let offsets = OffsetBuffer::new(self.offsets.into());
        let array = StringArray::try_new(offsets, Buffer::from_vec(self.values), nulls)?;
        debug_assert_eq!(array.len(), rows);
        Ok(Arc::new(array))
    }
}

/// The validity of `rows` rows of which `nulls` are NULL.
pub fn validity(rows: usize, nulls: &[usize]) -> Option<NullBuffer> {
    if nulls.is_empty() {
        return None;
    }
    let mut valid = BooleanBufferBuilder::new(rows);
    valid.append_n(rows, true);
    for row in nulls {
        valid.set_bit(*row, false);
    }
    Some(NullBuffer::new(valid.finish()))
}
