//! One decoding thread: row groups in, converted batches out, the next group's first bytes fetched ahead.

use std::time::Instant;

use arrow::array::RecordBatch;

use super::Job;
use super::files::{RowGroup, TaskFiles};
use super::memory::Decoders;
use super::queue::ByteQueue;
use super::work::WorkList;
use crate::convert::Converter;
use crate::decode::{ReadOptions, RowGroupReader};
use crate::load::LoadFailure;

/// Rows of a batch: large enough to be columnar, small enough to stay in the cache.
const BATCH_ROWS: usize = 32_768;

/// A row group whose reader exists, so that its first fetches are on their way.
struct Started {
    unit: RowGroup,
    reader: RowGroupReader,
}

/// Decodes until the list is empty or closed.
pub fn decode_all(
    job: &Job,
    decoders: Decoders,
    files: &TaskFiles<'_>,
    work: &WorkList<RowGroup>,
    queue: &ByteQueue<RecordBatch>,
) -> Result<(), LoadFailure> {
    let mut next = None;
    loop {
        let current = match next.take() {
            Some(started) => started,
            None => match work.next() {
                Some(unit) => start(decoders, unit)?,
                None => return Ok(()),
            },
        };
        if decoders.ahead {
            next = work.try_next().map(|unit| start(decoders, unit)).transpose()?;
        }
        if !decode_group(job, files, current, queue)? {
            return Ok(());
        }
    }
}

fn start(decoders: Decoders, unit: RowGroup) -> Result<Started, LoadFailure> {
    let options = ReadOptions {
        batch_rows: BATCH_ROWS,
        budget_bytes: decoders.reader_bytes,
        dictionary_columns: unit.opened.mapping.dictionary_columns(),
    };
    let reader = unit.opened.parquet.read(unit.group, unit.opened.mapping.projection(), &options)?;
    Ok(Started { unit, reader })
}

/// `false`: the queue was closed, somebody else failed.
fn decode_group(
    job: &Job,
    files: &TaskFiles<'_>,
    current: Started,
    queue: &ByteQueue<RecordBatch>,
) -> Result<bool, LoadFailure> {
    let Started { unit, mut reader } = current;
    let mut converter = Converter::new(unit.opened.mapping.clone(), job.rules);
    let mut row = unit.opened.parquet.first_row(unit.group) + 1;
    loop {
        if job.cancel.is_cancelled() {
            return Err(LoadFailure::Cancelled);
        }
        let begin = Instant::now();
        let Some(batch) = reader.next().transpose()? else { break };
        job.clock.decode.add(begin.elapsed());
        let begin = Instant::now();
        let read = batch.num_rows() as u64;
        let converted = converter.convert(&batch, row, job.rejects.wanted())?;
        drop(batch);
        job.clock.convert.add(begin.elapsed());
        row += read;
        files.count(unit.file, read, converted.batch.num_rows() as u64, converted.filtered);
        if !converted.rejected.is_empty() {
            job.rejects.keep(&files.name(unit.file), converted.rejected)?;
        }
        if converted.batch.num_rows() > 0 {
            let bytes = converted.batch.get_array_memory_size();
            if !queue.push(converted.batch, bytes) {
                return Ok(false);
            }
        }
    }
    files.group_done(unit.file);
    Ok(true)
}
