//! One decoding thread: parts of files in, converted batches out, the next part's first bytes fetched ahead.

use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::Job;
use super::files::{RowCounts, TaskFiles, Unit};
use super::memory::Decoders;
use super::queue::ByteQueue;
use super::work::WorkList;
use crate::convert::Converter;
use crate::decode::{BatchReader, Decoded};
use crate::load::LoadFailure;
use crate::rows::{RejectedKind, RejectedRow};

/// Rows of a batch: large enough to be columnar, small enough to stay in the cache.
pub const BATCH_ROWS: usize = 32_768;

/// Records of one batch that are no rows and that a dry run has described.
const RECORDS_DESCRIBED: usize = 1 << 16;
/// Code of records beyond them.
const NOT_DESCRIBED: &str = "NotDescribed";

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
                Some(unit) => match start(job, files, unit)? {
                    Some(started) => started,
                    None => continue,
                },
                None => return Ok(()),
            },
        };
        if decoders.ahead {
            next = work.try_next().map(|unit| start(job, files, unit)).transpose()?.flatten();
        }
        let file = current.file;
        match decode_part(job, files, current, queue) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(failure) => files.failed(file, failure)?,
        }
    }
}

/// `None`: the file cannot be read, and the load goes on without it.
fn start(job: &Job, files: &TaskFiles<'_>, unit: Unit) -> Result<Option<Started>, LoadFailure> {
    let Unit { file, mapping, part } = unit;
    if files.bad.is_bad(file) {
        return Ok(None);
    }
    match part.start() {
        Ok(reader) => Ok(Some(Started { file, converter: Converter::new(mapping, job.rules), reader })),
        Err(error) => files.failed(file, error.into()).map(|()| None),
    }
}

/// `true`: go on with the next part, this one is decoded or its file is bad; `false`: the queue was closed,
/// somebody else failed.
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
        if files.bad.is_bad(file) {
            return Ok(true);
        }
        let begin = Instant::now();
        let Some(decoded) = reader.next(wanted_records(job)).transpose()? else { break };
        job.clock.decode.add(begin.elapsed());
        let Decoded { batch, origin, filtered, rejected, bytes } = decoded;
        let begin = Instant::now();
        let read = batch.num_rows() as u64 + filtered;
        let converted = converter.convert(&batch, &origin, wanted_rows(job))?;
        let first = if batch.num_rows() > 0 { origin.number(0) } else { 0 };
        drop((batch, origin));
        job.clock.convert.add(begin.elapsed());
        let loaded = converted.batch.num_rows() as u64;
        let unselected = converted.unselected;
        let counts = RowCounts { read, loaded, filtered: filtered + converted.filtered, unselected };
        files.count(file, counts, bytes);
        // After the count: what is kept of a file that turns out to be bad must be known to be thrown away.
        keep(job, files, file, Rejected::of_records(rejected, filtered))?;
        let kinds = converted.kinds;
        keep(job, files, file, Rejected { kinds, rows: converted.rejected })?;
        if let Some(findings) = &job.findings {
            findings.rows(files.place(file), first, &converted.batch).map_err(|error| internal(&error))?;
        }
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

/// Records that are no rows which are worth describing: a dry run counts all of them by kind.
fn wanted_records(job: &Job) -> usize {
    if job.findings.is_some() { RECORDS_DESCRIBED } else { job.rejects.wanted() }
}

/// Rows that do not fit which are worth describing; the converter counts the kinds of all of them.
fn wanted_rows(job: &Job) -> usize {
    job.findings.as_ref().map_or_else(|| job.rejects.wanted(), |findings| findings.wanted())
}

/// Rows of one batch that do not fit.
struct Rejected {
    /// Column, code and number of rows.
    kinds: Vec<RejectedKind>,
    /// Some of them, described.
    rows: Vec<RejectedRow>,
}

impl Rejected {
    /// `filtered` records that are no rows, these of them described.
    fn of_records(rows: Vec<RejectedRow>, filtered: u64) -> Self {
        let kind = |row: &RejectedRow| RejectedKind { column: row.column.clone(), code: row.code, rows: 1 };
        let mut kinds: Vec<RejectedKind> = rows.iter().map(kind).collect();
        let others = filtered.saturating_sub(rows.len() as u64);
        if others > 0 {
            kinds.push(RejectedKind { column: String::new(), code: NOT_DESCRIBED, rows: others });
        }
        Self { kinds, rows }
    }
}

fn keep(job: &Job, files: &TaskFiles<'_>, file: usize, rejected: Rejected) -> Result<(), LoadFailure> {
    let Rejected { kinds, rows } = rejected;
    if let Some(findings) = &job.findings {
        if !kinds.is_empty() {
            findings.rejected(files.place(file), kinds, rows);
        }
        return Ok(());
    }
    if rows.is_empty() {
        return Ok(());
    }
    Ok(job.rejects.keep(&files.name(file), rows)?)
}

fn internal(error: &ArrowError) -> LoadFailure {
    LoadFailure::Internal { message: error.to_string() }
}
