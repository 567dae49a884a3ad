//! One decoding thread: parts of files in, converted batches out, the next part's first bytes fetched ahead.

use std::time::Instant;

use arrow::array::RecordBatch;

use super::Job;
use super::files::{RowCounts, TaskFiles, Unit};
use super::memory::Decoders;
use super::queue::ByteQueue;
use super::work::WorkList;
use crate::convert::Converter;
use crate::decode::{BatchReader, Decoded};
use crate::load::LoadFailure;
use crate::rows::RejectedRow;

/// Rows of a batch: large enough to be columnar, small enough to stay in the cache.
pub const BATCH_ROWS: usize = 32_768;

/// A part whose reader exists, so that its first fetches are on their way.
struct Started {
    file: usize,
    converter: Converter,
    reader: Box<dyn BatchReader>,
}

/// Decodes until the list is empty or closed.
pub fn decode_all(
    job: &Job,
    decoders: Decoders,
    files: &TaskFiles<'_>,
    work: &WorkList<Unit>,
    queue: &ByteQueue<RecordBatch>,
) -> Result<(), LoadFailure> {
    let mut next = None;
    loop {
        let current = match next.take() {
            Some(started) => started,
            None => match work.next() {
                Some(unit) => start(job, unit)?,
                None => return Ok(()),
            },
        };
        if decoders.ahead {
            next = work.try_next().map(|unit| start(job, unit)).transpose()?;
        }
        if !decode_part(job, files, current, queue)? {
            return Ok(());
        }
    }
}

fn start(job: &Job, unit: Unit) -> Result<Started, LoadFailure> {
    let converter = Converter::new(unit.mapping, job.rules);
    Ok(Started { file: unit.file, converter, reader: unit.part.start()? })
}

/// `false`: the queue was closed, somebody else failed.
fn decode_part(
    job: &Job,
    files: &TaskFiles<'_>,
    current: Started,
    queue: &ByteQueue<RecordBatch>,
) -> Result<bool, LoadFailure> {
    let Started { file, mut converter, mut reader } = current;
    loop {
        if job.cancel.is_cancelled() {
            return Err(LoadFailure::Cancelled);
        }
        let begin = Instant::now();
        let Some(decoded) = reader.next(job.rejects.wanted()).transpose()? else { break };
        job.clock.decode.add(begin.elapsed());
        let Decoded { batch, origin, filtered, rejected, bytes } = decoded;
        keep(job, files, file, rejected)?;
        let begin = Instant::now();
        let read = batch.num_rows() as u64 + filtered;
        let converted = converter.convert(&batch, &origin, job.rejects.wanted())?;
        drop((batch, origin));
        job.clock.convert.add(begin.elapsed());
        let loaded = converted.batch.num_rows() as u64;
        let filtered = filtered + converted.filtered;
        files.count(file, RowCounts { read, loaded, filtered, unselected: converted.unselected }, bytes);
        keep(job, files, file, converted.rejected)?;
        if loaded > 0 {
            let bytes = converted.batch.get_array_memory_size();
            if !queue.push(converted.batch, bytes) {
                return Ok(false);
            }
        }
    }
    files.part_done(file);
    Ok(true)
}

fn keep(
    job: &Job,
    files: &TaskFiles<'_>,
    file: usize,
    rejected: Vec<RejectedRow>,
) -> Result<(), LoadFailure> {
    if rejected.is_empty() {
        return Ok(());
    }
    Ok(job.rejects.keep(&files.name(file), rejected)?)
}
