//! A part that holds one record that is no row.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::decode::{BatchReader, DecodeError, Decoded, Part};
use crate::rows::{Origin, RejectedRow};

/// A record that was passed over: counted, described, not loaded.
pub struct RefusedPart {
    /// The columns asked for.
    pub schema: SchemaRef,
    /// What is said of the record.
    pub rejected: RejectedRow,
    /// Bytes of the object that it took.
    pub input_bytes: u64,
}

impl Part for RefusedPart {
    fn bytes(&self) -> usize {
        self.rejected.raw_record.len()
    }

    fn start(self: Box<Self>) -> Result<Box<dyn BatchReader>, DecodeError> {
        Ok(Box::new(Once(Some(*self))))
    }
}

struct Once(Option<RefusedPart>);

impl BatchReader for Once {
    fn next(&mut self, keep: usize) -> Option<Result<Decoded, DecodeError>> {
        let RefusedPart { schema, rejected, input_bytes } = self.0.take()?;
        let first = rejected.row;
        Some(Ok(Decoded {
            batch: RecordBatch::new_empty(schema),
            origin: Origin::Rows { first },
            filtered: 1,
            rejected: if keep > 0 { vec![rejected] } else { Vec::new() },
            bytes: input_bytes,
        }))
    }
}
