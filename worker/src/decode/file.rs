//! What every format gives: a file, its parts, their batches.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::DecodeError;
use crate::rows::{Origin, RejectedRow};

/// A file whose columns are known.
pub trait DataFile: Send + Sync + Debug {
    /// The name of the object.
    fn name(&self) -> &str;

    /// The file's own columns as Arrow, in the order of the file. Text formats without types give text. What more
    /// a type says stands in the metadata of the field under [`EXTENSION_KEY`](super::EXTENSION_KEY); a column
    /// that cannot be decoded has the type `Null` and the reason under
    /// [`UNSUPPORTED_KEY`](super::UNSUPPORTED_KEY).
    fn schema(&self) -> &SchemaRef;

    /// Rows that the file says it has; `None` where only reading tells.
    fn announced_rows(&self) -> Option<u64>;

    /// Whether the types of [`Self::schema`] are the file's own; those of text formats are to be guessed.
    fn has_types(&self) -> bool {
        true
    }

    /// Begins to cut the file into parts.
    ///
    /// # Errors
    /// If what is asked for cannot be decoded.
    fn parts(&self, read: Arc<Read>) -> Result<Box<dyn Parts>, DecodeError>;
}

/// What is read of a file, and with how much memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Indices into [`DataFile::schema`], ascending; batches hold the columns in this order.
    pub columns: Vec<usize>,
    /// Of these, columns of text that are wanted as `Dictionary(Int32, Utf8)` where the file has them so.
    pub dictionary_columns: Vec<usize>,
    /// Rows of a batch, at most.
    pub batch_rows: usize,
    /// Bytes that the reader of one part may hold, beside the batches that it gives.
    pub budget_bytes: usize,
    /// Bytes of a part where a part is cut by size: a block of records.
    pub block_bytes: usize,
}

/// The parts of a file, in order.
pub trait Parts: Send {
    /// The next part, made now; may block on the store. Nothing comes after an error.
    fn next(&mut self) -> Option<Result<Box<dyn Part>, DecodeError>>;
}

/// A piece of a file that any thread can decode.
pub trait Part: Send {
    /// Bytes that it holds while it waits.
    fn bytes(&self) -> usize;

    /// Begins to decode; starts the first fetches, and does not block on them.
    ///
    /// # Errors
    /// If the part cannot be decoded within the budget, or at all.
    fn start(self: Box<Self>) -> Result<Box<dyn BatchReader>, DecodeError>;
}

/// The batches of a part.
pub trait BatchReader: Send {
    /// The next batch; blocks. `keep`: how many rejected records to describe at most. Nothing comes after an
    /// error.
    fn next(&mut self, keep: usize) -> Option<Result<Decoded, DecodeError>>;
}

/// Decoded rows.
#[derive(Debug)]
pub struct Decoded {
    /// The columns asked for in that order, with the rows that could be cut into fields.
    pub batch: RecordBatch,
    /// Where the rows of the batch stand in the file.
    pub origin: Origin,
    /// Records that are no row: a wrong number of fields, no UTF-8, no JSON. They are counted as read.
    pub filtered: u64,
    /// The first of them.
    pub rejected: Vec<RejectedRow>,
    /// Bytes of the file that these rows took, compressed if it is; 0 where a footer announces the rows.
    pub bytes: u64,
}
