//! A CSV file: its columns, its blocks, their batches.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use longshore_crds::format::{CsvOptions, OnColumnMismatch};

use super::columns::text_column;
use super::dialect::Dialect;
use super::header::read_header;
use super::split::splitter;
use super::tokens::{Fault, Mismatch, Shape, Tokens, tokenize};
use crate::decode::text::{
    Block, BlockCutter, BlockFormat, BlockRecords, Codec, Span, StreamLimits, TextParts, TextStream,
};
use crate::decode::{BatchReader, DataFile, DecodeError, Decoded, Part, Parts, Read};
use crate::rows::Origin;
use crate::source::ReadObject;

/// A CSV file whose columns are known.
#[derive(Debug)]
pub struct CsvFile {
    shared: Arc<Shared>,
    codec: Codec,
    /// Records before the first row.
    skip: u64,
    /// The stream behind a header that was read; for the first that asks for parts.
    behind_header: Mutex<Option<BlockCutter>>,
    object: Object,
}

/// An object that has a name in messages.
struct Object(Arc<dyn ReadObject>);

impl std::fmt::Debug for Object {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.0.name())
    }
}

/// What all parts of a file need.
#[derive(Debug)]
struct Shared {
    file: String,
    dialect: Dialect,
    schema: SchemaRef,
    shape: Shape,
    /// A record with another number of fields fails the load.
    fail: bool,
}

impl CsvFile {
    /// Opens a file. `names`: of its fields, in order; with `header` those of the file's first record hold,
    /// unless the file is empty. Blocks only to read a header.
    ///
    /// # Errors
    /// [`DecodeError::InvalidFile`] if the options or the header cannot be used; those of reading.
    pub fn open(
        object: Arc<dyn ReadObject>,
        options: &CsvOptions,
        codec: Codec,
        names: Vec<String>,
    ) -> Result<Self, DecodeError> {
        let invalid = |reason: String| DecodeError::InvalidFile {
            file: object.name().to_owned(),
            format: "CSV",
            reason,
        };
        let dialect = Dialect::of(options).map_err(|error| invalid(error.to_string()))?;
        let mut behind_header = None;
        let mut names = names;
        if options.header {
            let (header, cutter) = read_header(&object, codec, &dialect)?;
            if let Some(header) = header {
                names = header;
            }
            behind_header = Some(cutter);
        }
        let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        let (mismatch, fail) = match options.on_column_mismatch {
            OnColumnMismatch::Filter => (Mismatch::Filter, false),
            OnColumnMismatch::PadWithNull => (Mismatch::PadWithNull, false),
            OnColumnMismatch::IgnoreExtra => (Mismatch::IgnoreExtra, false),
            OnColumnMismatch::Fail => (Mismatch::Filter, true),
        };
        let shared = Shared {
            file: object.name().to_owned(),
            dialect,
            shape: Shape { expected: names.len().max(1), mismatch },
            schema: Arc::new(Schema::new(fields)),
            fail,
        };
        Ok(Self {
            shared: Arc::new(shared),
            codec,
            skip: u64::from(options.skip_header) + u64::from(options.header),
            behind_header: Mutex::new(behind_header),
            object: Object(object),
        })
    }
}

impl DataFile for CsvFile {
    fn name(&self) -> &str {
        &self.shared.file
    }

    fn schema(&self) -> &SchemaRef {
        &self.shared.schema
    }

    fn has_types(&self) -> bool {
        false
    }

    fn announced_rows(&self) -> Option<u64> {
        None
    }

    fn parts(&self, read: Arc<Read>) -> Result<Box<dyn Parts>, DecodeError> {
        let dialect = &self.shared.dialect;
        let begun = self.behind_header.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (cutter, skip) = match begun {
            Some(cutter) => (cutter, 0),
            None => {
                let stream = TextStream::open(
                    &self.object.0,
                    self.codec,
                    StreamLimits::of(read.block_bytes, read.budget_bytes),
                );
                (BlockCutter::new(stream, splitter(dialect), dialect.max_record_bytes), self.skip)
            }
        };
        let schema = self.shared.schema.project(&read.columns).map_err(|error| DecodeError::InvalidFile {
            file: self.shared.file.clone(),
            format: "CSV",
            reason: error.to_string(),
        })?;
        let cutter = cutter.with_block_bytes(read.block_bytes);
        let shared = Arc::clone(&self.shared);
        Ok(Box::new(TextParts::new(CsvBlocks { shared, skip, schema: Arc::new(schema), read }, cutter)))
    }
}

/// Blocks of a file.
struct CsvBlocks {
    shared: Arc<Shared>,
    /// Records that are still to be passed over.
    skip: u64,
    schema: SchemaRef,
    read: Arc<Read>,
}

impl BlockFormat for CsvBlocks {
    fn prepare(&mut self, cutter: &mut BlockCutter) -> Result<(), DecodeError> {
        cutter.skip(std::mem::take(&mut self.skip))
    }

    fn part(&self, block: Block, _first: bool, input_bytes: u64) -> Box<dyn Part> {
        Box::new(CsvPart {
            shared: Arc::clone(&self.shared),
            read: Arc::clone(&self.read),
            schema: Arc::clone(&self.schema),
            block: Arc::new(block),
            tokens: None,
            next_row: 0,
            input_bytes,
        })
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn too_long(&self) -> (&'static str, String) {
        (Fault::TooLong.code(), Fault::TooLong.message(self.shared.shape.expected))
    }
}

/// A block, and the reader of its rows.
struct CsvPart {
    shared: Arc<Shared>,
    read: Arc<Read>,
    schema: SchemaRef,
    block: Arc<Block>,
    tokens: Option<Tokens>,
    next_row: usize,
    input_bytes: u64,
}

impl Part for CsvPart {
    fn bytes(&self) -> usize {
        self.block.bytes.len()
    }

    fn start(self: Box<Self>) -> Result<Box<dyn BatchReader>, DecodeError> {
        Ok(self)
    }
}

impl BatchReader for CsvPart {
    fn next(&mut self, keep: usize) -> Option<Result<Decoded, DecodeError>> {
        let Self { shared, block, .. } = self;
        let tokens = self.tokens.get_or_insert_with(|| tokenize(&block.bytes, &shared.dialect, shared.shape));
        let faults = std::mem::take(&mut tokens.faults);
        let start = self.next_row;
        let end = tokens.rows.len().min(start + self.read.batch_rows.max(1));
        if start == end && faults.is_empty() {
            return None;
        }
        self.next_row = end;
        Some(self.decoded(start..end, &faults, keep))
    }
}

impl CsvPart {
    fn decoded(
        &mut self,
        rows: std::ops::Range<usize>,
        faults: &[(Span, Fault)],
        keep: usize,
    ) -> Result<Decoded, DecodeError> {
        let Shared { file, dialect, shape, fail, .. } = &*self.shared;
        if let Some((span, fault)) = faults.iter().find(|(_, fault)| fault.refuses(*fail)) {
            let rejected = self.block.rejected(*span, fault.code(), fault.message(shape.expected));
            return Err(DecodeError::RefusedRecord {
                file: file.clone(),
                row: rejected.row,
                byte_offset: rejected.byte_offset.unwrap_or_default(),
                reason: rejected.message,
            });
        }
        let arrow_error = |error: arrow::error::ArrowError| DecodeError::Damaged {
            file: file.clone(),
            place: format!("record {}", self.block.number),
            reason: error.to_string(),
        };
        let empty = Tokens::default();
        let tokens = self.tokens.as_ref().unwrap_or(&empty);
        let columns: Result<Vec<_>, _> = self
            .read
            .columns
            .iter()
            .map(|&column| {
                let bytes = &self.block.bytes;
                text_column(bytes, tokens, (column, shape.expected), rows.clone(), dialect)
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns.map_err(arrow_error)?,
            &options,
        );
        let records = BlockRecords::new(Arc::clone(&self.block), tokens.rows[rows].to_vec());
        let describe = |(span, fault): &(Span, Fault)| {
            self.block.rejected(*span, fault.code(), fault.message(shape.expected))
        };
        Ok(Decoded {
            batch: batch.map_err(arrow_error)?,
            origin: Origin::Records(Arc::new(records)),
            filtered: faults.len() as u64,
            rejected: faults.iter().take(keep).map(describe).collect(),
            bytes: std::mem::take(&mut self.input_bytes),
        })
    }
}
