//! The first rows of files.

use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use longshore_crds::InferFrom;
use longshore_worker::convert::Zone;
use longshore_worker::infer::{FileRows, InferError};
use longshore_worker::source::{ListedObject, Store};
use tokio_util::sync::CancellationToken;

/// The first `limit` rows of the first file that has rows, as a table.
pub fn rows(
    from: &InferFrom,
    store: &Store,
    listed: &[ListedObject],
    limit: usize,
    cancel: &CancellationToken,
) -> anyhow::Result<String> {
    let mut batches = Vec::new();
    for object in listed {
        let this = (store.clone(), vec![object.clone()]);
        let file = match FileRows::open(from, true, this, Zone::UTC, cancel) {
            // A file without bytes has neither.
            Err(InferError::NoColumns) => continue,
            file => file?,
        };
        for (column, reason) in file.left_out() {
            eprintln!("column {column} is left out: {reason}");
        }
        batches = first_batches(&file, limit)?;
        if batches.iter().any(|batch| batch.num_rows() > 0) {
            break;
        }
    }
    Ok(format!("{}\n", pretty_format_batches(&batches)?))
}

fn first_batches(file: &FileRows, limit: usize) -> anyhow::Result<Vec<RecordBatch>> {
    let columns: Vec<usize> = (0..file.schema().fields().len()).collect();
    let mut left = limit;
    let mut batches = Vec::new();
    file.read(&columns, &mut |batch| {
        let batch = batch.slice(0, batch.num_rows().min(left));
        left -= batch.num_rows();
        batches.push(batch);
        left > 0
    })?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(file.schema().clone()));
    }
    Ok(batches)
}
