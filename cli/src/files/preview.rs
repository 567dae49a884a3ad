//! The first rows of files.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use longshore_crds::source::Source;
use longshore_worker::decode::{DataFile, Read, UNSUPPORTED_KEY};
use longshore_worker::infer;
use longshore_worker::source::{ListedObject, Store};

/// Bytes that the decoder may hold.
const BUDGET_BYTES: usize = 256 << 20;
/// Bytes of a block of a text file.
const BLOCK_BYTES: usize = 1 << 20;

/// The first `limit` rows of the first file that has rows, as a table.
pub fn rows(store: &Store, listed: &[ListedObject], limit: usize) -> anyhow::Result<String> {
    let mut batches = Vec::new();
    for object in listed {
        let file = infer::open(&Source::default(), store.object(&object.planned(0)))?;
        batches = first_batches(&*file, limit)?;
        if batches.iter().any(|batch| batch.num_rows() > 0) {
            break;
        }
    }
    Ok(format!("{}\n", pretty_format_batches(&batches)?))
}

fn first_batches(file: &dyn DataFile, limit: usize) -> anyhow::Result<Vec<RecordBatch>> {
    let read = Read {
        columns: readable_columns(file),
        dictionary_columns: Vec::new(),
        batch_rows: limit.max(1),
        budget_bytes: BUDGET_BYTES,
        block_bytes: BLOCK_BYTES,
    };
    let mut parts = file.parts(Arc::new(read))?;
    let mut left = limit;
    let mut batches = Vec::new();
    while let Some(part) = parts.next() {
        let mut reader = part?.start()?;
        while let Some(decoded) = reader.next(0) {
            let batch = decoded?.batch;
            let batch = batch.slice(0, batch.num_rows().min(left));
            left -= batch.num_rows();
            batches.push(batch);
            if left == 0 {
                return Ok(batches);
            }
        }
    }
    Ok(batches)
}

/// Columns that can be decoded; of the others it is said why they are left out.
fn readable_columns(file: &dyn DataFile) -> Vec<usize> {
    let mut columns = Vec::new();
    for (index, field) in file.schema().fields().iter().enumerate() {
        match field.metadata().get(UNSUPPORTED_KEY) {
            None => columns.push(index),
            Some(reason) => eprintln!("column {} is left out: {reason}", field.name()),
        }
    }
    columns
}
