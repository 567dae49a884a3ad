//! The batches of a stripe.

use super::column::ColumnDecoder;
use super::fault::{BatchSpace, Fault};
use super::file::Opened;
use super::layout::{Layout, choose_layout};
use super::memory::Memory;
use super::schema::Node;
use super::streams::{Streams, StripeFooter};
use super::tail::StripePlace;
use crate::decode::error::shielded;
use crate::decode::fetch::{Fetch, MAX_GAP, fetch_ranges};
use crate::decode::stored::Windows;
use crate::decode::{BatchReader, DecodeError, Decoded, Part, Read};
use crate::rows::Origin;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use std::ops::Range;
use std::sync::Arc;

/// Bytes that a batch is to have, decoded, if its rows are such as the others of the stripe.
const USUAL_BATCH: u64 = 8 << 20;
/// How much more rows are decoded than stored: a guess that an error corrects.
const EXPANSION: u64 = 4;
/// A batch of one row may have so many bytes, however small the budget is.
const ONE_ROW: u64 = 64 << 20;

/// A stripe that waits to be decoded.
pub(super) struct Stripe {
    pub file: Arc<Opened>,
    pub read: Arc<Read>,
    /// The columns asked for.
    pub nodes: Vec<Arc<(String, Node)>>,
    pub number: usize,
    pub place: StripePlace,
    pub footer: Arc<StripeFooter>,
    /// Counted from 1 in the file.
    pub first_row: u64,
}

impl Part for Stripe {
    fn bytes(&self) -> usize {
        usize::try_from(self.place.footer).unwrap_or(usize::MAX)
    }

    fn start(self: Box<Self>) -> Result<Box<dyn BatchReader>, DecodeError> {
        Ok(Box::new(StripeReader::start(*self)))
    }
}

/// Decodes a stripe, batch by batch. A batch that turns out too large is begun again with fewer rows: the
/// stripe is then read from its beginning, and what was given is passed over.
struct StripeReader {
    stripe: Stripe,
    ranges: Vec<Range<u64>>,
    layout: Layout,
    fetches: Vec<Arc<Fetch>>,
    /// Empty until the first batch is asked for.
    decoders: Option<Vec<ColumnDecoder>>,
    /// Rows given so far, and where the decoders stand.
    row: u64,
    batch_rows: u64,
    ended: bool,
}

impl StripeReader {
    /// Chooses the layout and starts the first fetches.
    fn start(stripe: Stripe) -> Self {
        let mut ids = Vec::new();
        stripe.nodes.iter().for_each(|node| node.1.ids_into(&mut ids));
        let ranges = stripe.footer.ranges(&ids);
        let wanted = fetch_ranges(ranges.iter().cloned(), MAX_GAP);
        let fetched = wanted.iter().map(|range| range.end - range.start).sum();
        let block = stripe.file.codec.map_or(0, |codec| codec.block_bytes() as u64);
        let layout = choose_layout(&ranges, fetched, block, stripe.read.budget_bytes as u64);
        let stored: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let row_bytes = (stored * EXPANSION / stripe.place.rows.max(1)).max(1);
        let batch_rows = (USUAL_BATCH / row_bytes).clamp(1, stripe.read.batch_rows.max(1) as u64);
        let mut reader = Self {
            stripe,
            ranges,
            layout,
            fetches: Vec::new(),
            decoders: None,
            row: 0,
            batch_rows,
            ended: false,
        };
        reader.fetch();
        reader
    }

    fn fetch(&mut self) {
        if self.layout.whole {
            let object = &*self.stripe.file.object;
            let ranges = fetch_ranges(self.ranges.iter().cloned(), MAX_GAP);
            self.fetches = ranges.into_iter().map(|range| Fetch::start(object, range)).collect();
        }
    }

    /// Decoders at the beginning of the stripe. What they read of the fetches is released by them.
    fn decoders(&mut self) -> Result<Vec<ColumnDecoder>, DecodeError> {
        let memory = Memory::new(self.layout.memory);
        let streams = Streams {
            object: &self.stripe.file.object,
            codec: self.stripe.file.codec,
            footer: &self.stripe.footer,
            fetches: &self.fetches,
            windows: Windows {
                size: self.layout.window,
                ahead: if self.layout.whole { 0 } else { self.layout.ahead },
            },
            memory: &memory,
        };
        let mut decoders = Vec::with_capacity(self.stripe.nodes.len());
        for (column, node) in self.stripe.read.columns.iter().zip(&self.stripe.nodes) {
            let keep = self.stripe.read.dictionary_columns.contains(column);
            let decoder = shielded(|| ColumnDecoder::new(&node.1, &streams, keep));
            decoders.push(self.placed(&node.0, decoder)?);
        }
        self.fetches.clear();
        Ok(decoders)
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, DecodeError> {
        let left = self.stripe.place.rows - self.row;
        if left == 0 {
            return Ok(None);
        }
        let arrays = loop {
            let rows = left.min(self.batch_rows);
            match self.arrays(rows as usize)? {
                Some(arrays) => break (arrays, rows),
                None => self.begin_again(rows)?,
            }
        };
        let (arrays, rows) = arrays;
        self.row += rows;
        let fields = arrays
            .iter()
            .zip(&self.stripe.nodes)
            .map(|(array, node)| Field::new(&node.0, array.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(rows as usize));
        RecordBatch::try_new_with_options(schema, arrays, &options)
            .map(Some)
            .map_err(|error| self.stripe.file.damaged(self.stripe.number, None, error.to_string()))
    }

    /// The next rows of all columns; `None` if they are too many at a time.
    fn arrays(&mut self, rows: usize) -> Result<Option<Vec<ArrayRef>>, DecodeError> {
        let mut decoders = match self.decoders.take() {
            Some(decoders) => decoders,
            None => self.decoders()?,
        };
        let budget = self.stripe.read.budget_bytes as u64;
        let limit = if rows == 1 { budget.max(ONE_ROW) } else { budget };
        let mut space = BatchSpace::new(limit);
        let mut arrays = Vec::with_capacity(decoders.len());
        for (decoder, node) in decoders.iter_mut().zip(&self.stripe.nodes) {
            match shielded(|| decoder.next(rows, &mut space)) {
                Ok(Err(Fault::BatchTooLarge(_))) if rows > 1 => return Ok(None),
                array => arrays.push(self.placed(&node.0, array)?),
            }
        }
        self.decoders = Some(decoders);
        Ok(Some(arrays))
    }

    /// Goes back to the beginning of the stripe, and passes over what was given, with fewer rows at a time.
    fn begin_again(&mut self, rows: u64) -> Result<(), DecodeError> {
        self.batch_rows = (rows / 4).max(1);
        self.decoders = None;
        self.fetch();
        let mut passed = 0;
        while passed < self.row {
            let rows = (self.row - passed).min(self.batch_rows);
            if self.arrays(rows as usize)?.is_some() {
                passed += rows;
            } else {
                // Not so small yet: once more from the beginning.
                self.batch_rows = (rows / 4).max(1);
                self.decoders = None;
                self.fetch();
                passed = 0;
            }
        }
        Ok(())
    }

    /// Gives an error the place where it happened.
    fn placed<T>(
        &self,
        column: &str,
        result: Result<super::fault::Result<T>, String>,
    ) -> Result<T, DecodeError> {
        let file = &self.stripe.file;
        let stripe = self.stripe.number;
        let too_small = |needed: u64| DecodeError::PartTooLarge {
            file: file.object.name().to_owned(),
            place: format!("stripe {stripe}, column {column:?}"),
            needed,
            budget: self.stripe.read.budget_bytes as u64,
        };
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Fault::Damaged(reason))) | Err(reason) => Err(file.damaged(stripe, Some(column), reason)),
            Ok(Err(Fault::TooLarge(blocks))) => Err(too_small(
                (self.stripe.read.budget_bytes as u64 - self.layout.memory).saturating_add(blocks),
            )),
            Ok(Err(Fault::BatchTooLarge(needed))) => Err(too_small(needed)),
            Ok(Err(Fault::Fetch(error))) => Err(*error),
        }
    }
}

impl BatchReader for StripeReader {
    fn next(&mut self, _keep: usize) -> Option<Result<Decoded, DecodeError>> {
        if self.ended {
            return None;
        }
        let first = self.stripe.first_row + self.row;
        let batch = self.next_batch().transpose();
        self.ended = !matches!(batch, Some(Ok(_)));
        Some(batch?.map(|batch| Decoded {
            batch,
            origin: Origin::Rows { first },
            filtered: 0,
            rejected: Vec::new(),
            bytes: 0,
        }))
    }
}
