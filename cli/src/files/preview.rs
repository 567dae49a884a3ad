//! The first rows of files.

use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use longshore_worker::decode::{ParquetFile, ReadOptions, UNSUPPORTED_KEY};
use longshore_worker::source::{ListedObject, Store};

/// Bytes that the decoder may hold.
const BUDGET_BYTES: usize = 256 << 20;

/// The first `limit` rows of the first file that has rows, as a table.
pub fn rows(store: &Store, listed: &[ListedObject], limit: usize) -> anyhow::Result<String> {
    let mut batches = Vec::new();
    for object in listed {
        let file = ParquetFile::open(store.object(&object.planned(0)))?;
        batches = first_batches(&file, limit)?;
        if batches.iter().any(|batch| batch.num_rows() > 0) {
            break;
        }
    }
    Ok(format!("{}\n", pretty_format_batches(&batches)?))
}

fn first_batches(file: &ParquetFile, limit: usize) -> anyhow::Result<Vec<RecordBatch>> {
    let options =
        ReadOptions { batch_rows: limit.max(1), budget_bytes: BUDGET_BYTES, dictionary_columns: Vec::new() };
    let columns = readable_columns(file);
    let mut left = limit;
    let mut batches = Vec::new();
    for group in 0..file.row_groups() {
        for batch in file.read(group, &columns, &options)? {
            let batch = batch?;
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
fn readable_columns(file: &ParquetFile) -> Vec<usize> {
    let mut columns = Vec::new();
    for (index, field) in file.schema().fields().iter().enumerate() {
        match field.metadata().get(UNSUPPORTED_KEY) {
            None => columns.push(index),
            Some(reason) => eprintln!("column {} is left out: {reason}", field.name()),
        }
    }
    columns
}
