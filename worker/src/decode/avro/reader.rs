//! The batches of a run of blocks.

use super::column::{Column, skip_value};
use super::cursor::{Cursor, Fault};
use super::parts::{Block, Run, block_limit};
use crate::decode::error::shielded;
use crate::decode::{BatchReader, DecodeError, Decoded};
use crate::rows::Origin;
use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use bytes::Bytes;
use std::sync::Arc;

/// Bytes of a batch, beyond which no further record is read into it.
const BATCH_BYTES: u64 = 8 << 20;
/// Records without bytes that a block may claim.
const MOST_EMPTY_RECORDS: u64 = 1 << 20;

/// Decodes blocks record by record.
pub(super) struct RunReader {
    run: Run,
    /// The columns asked for; by field of the file, which one it feeds.
    columns: Vec<Column>,
    feeds: Vec<Option<usize>>,
    next_block: usize,
    open: Option<OpenBlock>,
    /// Number in the file of the next record, from 1.
    next_row: u64,
    ended: bool,
}

/// A block that is being decoded.
struct OpenBlock {
    bytes: Bytes,
    /// Where in `bytes` the next record begins.
    at: usize,
    left: u64,
    count: u64,
    offset: u64,
}

impl RunReader {
    pub fn new(run: Run) -> Self {
        let mut feeds = vec![None; run.file.fields.len()];
        let mut columns = Vec::with_capacity(run.read.columns.len());
        for number in &run.read.columns {
            // Who made the run has checked that every column can be read.
            if let Ok(node) = &run.file.columns[*number].1 {
                feeds[*number] = Some(columns.len());
                columns.push(Column::new(node, run.read.dictionary_columns.contains(number)));
            }
        }
        let next_row = run.first_row;
        Self { run, columns, feeds, next_block: 0, open: None, next_row, ended: false }
    }

    fn next_batch(&mut self) -> Result<Option<Decoded>, DecodeError> {
        let (first, mut rows, mut bytes, mut taken) = (self.next_row, 0usize, 0u64, 0u64);
        let first_block = self.next_block.saturating_sub(usize::from(self.open.is_some()));
        let most = self.run.read.batch_rows.max(1);
        while rows < most && bytes < BATCH_BYTES {
            let mut block = match self.open.take() {
                Some(block) => block,
                None => match self.run.blocks.get_mut(self.next_block) {
                    Some(block) => {
                        taken += block.length;
                        // What is stored is released once it is decompressed.
                        let block = std::mem::replace(
                            block,
                            Block { offset: block.offset, count: 0, stored: Bytes::new(), length: 0 },
                        );
                        self.next_block += 1;
                        self.open_block(&block)?
                    }
                    None => break,
                },
            };
            while block.left > 0 && rows < most && bytes < BATCH_BYTES {
                bytes += self.record(&mut block)?;
                block.left -= 1;
                rows += 1;
            }
            if block.left > 0 {
                self.open = Some(block);
            } else if block.at < block.bytes.len() {
                let over = block.bytes.len() - block.at;
                return Err(self.run.file.damaged(
                    block.offset,
                    format!("{over} bytes are left behind the {} records that it claims", block.count),
                ));
            }
        }
        self.next_row += rows as u64;
        if rows == 0 {
            return Ok(None);
        }
        let batch = self.finish(rows, first_block)?;
        let origin = Origin::Rows { first };
        Ok(Some(Decoded { batch, origin, filtered: 0, rejected: Vec::new(), bytes: taken }))
    }

    /// Decompresses a block, and checks that it can have the records that it claims.
    fn open_block(&self, block: &Block) -> Result<OpenBlock, DecodeError> {
        let file = &self.run.file;
        let limit = block_limit(&self.run.read);
        let bytes = shielded(|| file.codec.decompress(&block.stored, limit))
            .map_err(|reason| file.damaged(block.offset, reason))?
            .map_err(|fault| self.placed(fault, block.offset, limit))?;
        if block.count > (bytes.len() as u64).max(MOST_EMPTY_RECORDS) {
            let reason = format!("it claims {} records in {} bytes", block.count, bytes.len());
            return Err(file.damaged(block.offset, reason));
        }
        Ok(OpenBlock { bytes, at: 0, left: block.count, count: block.count, offset: block.offset })
    }

    /// Reads one record; gives the bytes that it takes.
    fn record(&mut self, block: &mut OpenBlock) -> Result<u64, DecodeError> {
        let limit = block_limit(&self.run.read);
        let mut cursor = Cursor::new(&block.bytes[block.at..]);
        let mut taken = 1u64;
        for (field, (feed, (name, id))) in self.feeds.iter().zip(&self.run.file.fields).enumerate() {
            let read = match feed.and_then(|column| self.columns.get_mut(column)) {
                Some(column) => column.read(&mut cursor, limit.saturating_sub(taken)),
                None => skip_value(&self.run.file.types, *id, &mut cursor, 0).map(|()| 0),
            };
            match read {
                Ok(bytes) => taken += bytes as u64,
                Err(Fault::Damaged(reason)) => {
                    let record = block.count - block.left + 1;
                    let reason = format!("record {record}, column {name:?} (field {field}): {reason}");
                    return Err(self.run.file.damaged(block.offset, reason));
                }
                Err(fault) => return Err(self.placed(fault, block.offset, limit)),
            }
        }
        block.at = block.bytes.len() - cursor.left();
        Ok(taken)
    }

    fn placed(&self, fault: Fault, offset: u64, limit: u64) -> DecodeError {
        match fault {
            Fault::Damaged(reason) => self.run.file.damaged(offset, reason),
            Fault::TooLarge(needed) => self.run.file.too_large(offset, needed, limit),
        }
    }

    fn finish(&mut self, rows: usize, first_block: usize) -> Result<RecordBatch, DecodeError> {
        let offset = self.run.blocks.get(first_block).map_or(self.run.file.first_block, |block| block.offset);
        let (mut fields, mut arrays): (Vec<_>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
        for (number, column) in self.run.read.columns.iter().zip(&mut self.columns) {
            let field = &self.run.file.columns[*number].0;
            let array = shielded(|| column.finish())
                .and_then(|array| array.map_err(|error| error.to_string()))
                .map_err(|reason| {
                    let reason =
                        format!("column {:?}, in it or in the blocks behind: {reason}", field.name());
                    self.run.file.damaged(offset, reason)
                })?;
            fields.push(field.as_ref().clone().with_data_type(array.data_type().clone()));
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|error| self.run.file.damaged(offset, error.to_string()))
    }
}

impl BatchReader for RunReader {
    fn next(&mut self, _keep: usize) -> Option<Result<Decoded, DecodeError>> {
        if self.ended {
            return None;
        }
        let batch = self.next_batch().transpose();
        self.ended = !matches!(batch, Some(Ok(_)));
        batch
    }
}
