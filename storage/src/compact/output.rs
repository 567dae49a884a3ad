//! Merged rows on their way into segments: the first of them choose the encoding.

use std::cell::OnceCell;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};

use super::CompactionError;
use crate::tablet::{EncodingPlan, SAMPLE_ROWS, Segments, Tablet, TabletError, TabletOutput};

/// Takes the rows of one tablet in order.
pub(crate) struct Output<'a> {
    segments: &'a Segments,
    encoding: &'a OnceCell<EncodingPlan>,
    tablet: Tablet,
    /// Rows that will come.
    rows: u64,
    /// The first rows, until they are enough to choose the encoding by.
    sample: Vec<RecordBatch>,
    sample_rows: usize,
    most_sample_rows: usize,
    /// Rows that the encoder is given at a time, at most.
    piece_rows: usize,
    open: Option<TabletOutput<'a>>,
    written: u64,
}

impl<'a> Output<'a> {
    /// For `rows` rows of about `row_bytes` bytes each in memory; `encoding` is empty.
    pub(crate) fn new(
        segments: &'a Segments,
        encoding: &'a OnceCell<EncodingPlan>,
        tablet: Tablet,
        rows: u64,
        row_bytes: usize,
    ) -> Self {
        let of_memory = |share: usize| (segments.memory / share / row_bytes.max(1)).max(1);
        Self {
            segments,
            encoding,
            tablet,
            rows,
            sample: Vec::new(),
            sample_rows: 0,
            most_sample_rows: SAMPLE_ROWS.min(of_memory(16)),
            piece_rows: of_memory(8),
            open: None,
            written: 0,
        }
    }

    /// Appends rows that come after those before.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), CompactionError> {
        if self.open.is_some() {
            return self.write_out(batch);
        }
        self.sample_rows += batch.num_rows();
        self.sample.push(batch.clone());
        if self.sample_rows >= self.most_sample_rows { self.begin() } else { Ok(()) }
    }

    /// Chooses the encoding, and writes the rows that were kept for it.
    fn begin(&mut self) -> Result<(), CompactionError> {
        let Some(first) = self.sample.first() else { return Ok(()) };
        let kept = concat_batches(&first.schema(), &self.sample).map_err(TabletError::from)?;
        self.sample.clear();
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let chosen =
            self.segments.choose(&kept.slice(0, kept.num_rows().min(self.most_sample_rows)), rows)?;
        let encoding = self.encoding.get_or_init(|| chosen);
        self.open = Some(TabletOutput::new(self.segments, encoding, self.tablet));
        self.write_out(&kept)
    }

    fn write_out(&mut self, batch: &RecordBatch) -> Result<(), CompactionError> {
        let Some(open) = &mut self.open else { return Err(TabletError::Thread.into()) };
        self.written += batch.num_rows() as u64;
        in_pieces(batch, self.piece_rows, |piece| Ok(open.write(piece)?))
    }

    /// Ends the last segment, durable but for its name; answers the rows written.
    pub(crate) fn finish(mut self) -> Result<u64, CompactionError> {
        if self.open.is_none() {
            self.begin()?;
        }
        if let Some(open) = &mut self.open {
            open.close()?;
        }
        Ok(self.written)
    }
}

/// Gives a batch in copies of at most `rows` rows each: a slice would bring all text of the batch along.
pub(crate) fn in_copies(
    batch: &RecordBatch,
    rows: usize,
    mut each: impl FnMut(&RecordBatch) -> Result<(), CompactionError>,
) -> Result<(), CompactionError> {
    if batch.num_rows() <= rows {
        return each(batch);
    }
    in_pieces(batch, rows, |piece| {
        let rows = UInt32Array::from_iter_values((0u32..).take(piece.num_rows()));
        each(&take_record_batch(piece, &rows).map_err(TabletError::from)?)
    })
}

/// Gives a batch in pieces of at most `rows` rows.
pub(crate) fn in_pieces(
    batch: &RecordBatch,
    rows: usize,
    mut each: impl FnMut(&RecordBatch) -> Result<(), CompactionError>,
) -> Result<(), CompactionError> {
    if batch.num_rows() <= rows {
        return each(batch);
    }
    for start in (0..batch.num_rows()).step_by(rows.max(1)) {
        each(&batch.slice(start, rows.min(batch.num_rows() - start)))?;
    }
    Ok(())
}
