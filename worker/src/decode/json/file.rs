//! A JSON file: its columns, its blocks, their batches.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use longshore_crds::format::JsonOptions;

use super::block::{Place, Wanted, next_batch};
use super::fault::Fault;
use super::layout::{Layout, layout};
use super::record::{JsonColumn, Rules};
use super::split::BracketSplitter;
use crate::decode::text::{
    Block, BlockCutter, BlockFormat, BlockRecords, Codec, LineSplitter, Span, StreamLimits, TextParts,
    TextStream,
};
use crate::decode::{BatchReader, DataFile, DecodeError, Decoded, Part, Parts, Read};
use crate::rows::Origin;
use crate::source::ReadObject;

/// What is looked at to see how the documents stand. Bytes.
const HEAD_BYTES: usize = 256 << 10;

/// A JSON file.
pub struct JsonFile {
    object: Arc<dyn ReadObject>,
    codec: Codec,
    rules: Arc<Rules>,
    max_record_bytes: u64,
}

impl JsonFile {
    /// A file of which these columns can be read; with `jsonPaths` as many as there are paths. In `strict`
    /// mode a nested value that has not its column's shape filters its row, else it is NULL. Reads nothing.
    ///
    /// # Errors
    /// [`DecodeError::InvalidFile`] if the options cannot be used.
    pub fn open(
        object: Arc<dyn ReadObject>,
        options: &JsonOptions,
        codec: Codec,
        columns: &[JsonColumn],
        strict: bool,
    ) -> Result<Self, DecodeError> {
        let paths = options.paths().map_err(|error| DecodeError::InvalidFile {
            file: object.name().to_owned(),
            format: "JSON",
            reason: error.to_string(),
        })?;
        let rules = Rules::new(columns, &paths.paths, (options.strip_outer_array, paths.root, strict));
        let max_record_bytes = u64::from(options.max_record_bytes);
        Ok(Self { object, codec, rules: Arc::new(rules), max_record_bytes })
    }
}

impl std::fmt::Debug for JsonFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("JsonFile")
            .field("name", &self.object.name())
            .field("codec", &self.codec)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl DataFile for JsonFile {
    fn name(&self) -> &str {
        self.object.name()
    }

    fn schema(&self) -> &SchemaRef {
        &self.rules.schema
    }

    fn has_types(&self) -> bool {
        false
    }

    fn announced_rows(&self) -> Option<u64> {
        None
    }

    fn parts(&self, read: Arc<Read>) -> Result<Box<dyn Parts>, DecodeError> {
        let stream =
            TextStream::open(&self.object, self.codec, StreamLimits::of(read.block_bytes, read.budget_bytes));
        let cutter = BlockCutter::new(stream, Box::new(LineSplitter::new(b'\n')), self.max_record_bytes);
        let schema = self.rules.schema.project(&read.columns).map_err(|error| DecodeError::InvalidFile {
            file: self.object.name().to_owned(),
            format: "JSON",
            reason: error.to_string(),
        })?;
        let context = Arc::new(Context {
            file: self.object.name().to_owned(),
            rules: Arc::clone(&self.rules),
            schema: Arc::new(schema),
            max_record_bytes: self.max_record_bytes,
            read: Arc::clone(&read),
        });
        let blocks = JsonBlocks { context, layout: None };
        Ok(Box::new(TextParts::new(blocks, cutter.with_block_bytes(read.block_bytes))))
    }
}

/// What all parts of a file need.
struct Context {
    file: String,
    rules: Arc<Rules>,
    /// The columns asked for.
    schema: SchemaRef,
    max_record_bytes: u64,
    read: Arc<Read>,
}

/// Blocks of a file.
struct JsonBlocks {
    context: Arc<Context>,
    /// Known once the first bytes are looked at.
    layout: Option<Layout>,
}

impl BlockFormat for JsonBlocks {
    /// Looks at the first bytes, once.
    fn prepare(&mut self, cutter: &mut BlockCutter) -> Result<(), DecodeError> {
        if self.layout.is_some() {
            return Ok(());
        }
        let (head, _) = cutter.peek(HEAD_BYTES)?;
        let layout = layout(head);
        if layout != Layout::Lines {
            cutter.set_splitter(Box::new(BracketSplitter::new(layout == Layout::Elements)));
        }
        if layout == Layout::Elements && !self.context.rules.strip_outer_array {
            return Err(DecodeError::InvalidFile {
                file: self.context.file.clone(),
                format: "JSON",
                reason: "it is one array; set stripOuterArray to load its elements".to_owned(),
            });
        }
        self.layout = Some(layout);
        Ok(())
    }

    fn part(&self, block: Block, first: bool, input_bytes: u64) -> Box<dyn Part> {
        Box::new(JsonPart {
            context: Arc::clone(&self.context),
            block: Arc::new(block),
            layout: self.layout.unwrap_or(Layout::Lines),
            first,
            place: Place::default(),
            input_bytes,
        })
    }

    fn schema(&self) -> &SchemaRef {
        &self.context.schema
    }

    fn too_long(&self) -> (&'static str, String) {
        (Fault::TooLong.code(), Fault::TooLong.message(0))
    }
}

/// A block, and the reader of its rows.
struct JsonPart {
    context: Arc<Context>,
    block: Arc<Block>,
    layout: Layout,
    first: bool,
    place: Place,
    input_bytes: u64,
}

impl Part for JsonPart {
    fn bytes(&self) -> usize {
        self.block.bytes.len()
    }

    fn start(self: Box<Self>) -> Result<Box<dyn BatchReader>, DecodeError> {
        Ok(self)
    }
}

impl BatchReader for JsonPart {
    fn next(&mut self, keep: usize) -> Option<Result<Decoded, DecodeError>> {
        self.next_decoded(keep).transpose()
    }
}

impl JsonPart {
    fn next_decoded(&mut self, keep: usize) -> Result<Option<Decoded>, DecodeError> {
        let Self { context, block, layout, first, place, input_bytes } = self;
        let Context { file, rules, schema, max_record_bytes, read } = &**context;
        let arrow_error = |error: arrow::error::ArrowError| DecodeError::Damaged {
            file: file.clone(),
            place: format!("record {}", block.number),
            reason: error.to_string(),
        };
        let wanted = Wanted {
            rules,
            columns: &read.columns,
            layout: *layout,
            first: *first,
            batch_rows: read.batch_rows.max(1),
            max_record_bytes: *max_record_bytes,
        };
        let Some(parsed) = next_batch(&block.bytes, &wanted, place).map_err(arrow_error)? else {
            return Ok(None);
        };
        let options = RecordBatchOptions::new().with_row_count(Some(parsed.rows.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), parsed.columns, &options);
        let describe = |(span, fault): &(Span, Fault)| {
            let mut rejected = block.rejected(*span, fault.code(), fault.message(span.start as usize));
            if let Fault::Mismatch(column) = fault {
                rejected.column.clone_from(rules.schema.field(*column).name());
            }
            rejected
        };
        Ok(Some(Decoded {
            batch: batch.map_err(arrow_error)?,
            filtered: parsed.faults.len() as u64,
            rejected: parsed.faults.iter().take(keep).map(describe).collect(),
            origin: Origin::Records(Arc::new(BlockRecords::new(Arc::clone(block), parsed.rows))),
            bytes: std::mem::take(input_bytes),
        }))
    }
}
