//! The writer of one task: fills the run buffer, and decides what becomes of a full one.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;

use super::encode::{Encoder, EncodingPlan, MIN_PAGE_BYTES, SAMPLE_ROWS};
use super::gather::Gatherer;
use super::key::{KeyPlan, KeyRange};
use super::merge::Merger;
use super::metrics::{WriterMetrics, add, timed};
use super::partitions::{KnownPartitions, Partitions};
use super::route::Router;
use super::run::{Rows, RunBuffer, TabletRows};
use super::segment::{Segments, TabletOutput};
use super::sort::{self, Scratch};
use super::spill::{Spill, SpillReader, SpillWriter};
use super::tablets::Tablet;
use super::{TabletError, TaskIdentity, WriterOptions};
use crate::durable::FileSystem;
use crate::load::Segment;
use crate::schema::TableSchema;

/// Most rows that are gathered for the encoder at a time: they stay in the cache between the two.
const GATHER_ROWS: usize = 1 << 14;
/// Bytes of a block of a spill: small enough that a window over all runs stays near the cache.
const SPILL_BLOCK_BYTES: usize = 512 << 10;
/// Smaller blocks cost more calls than a merge in one round saves.
const MIN_SPILL_BLOCK_BYTES: usize = 16 << 10;
/// Runs that a merge takes in one round unless blocks would become too small.
const FAN_IN: usize = 32;
/// Share of the budget that the open segments may use; the rest is the run's or the merge's.
const ENCODE_SHARE: usize = 4;
/// Files that a merge holds open, at most.
const MAX_FAN_IN: usize = 128;
/// A merge holds, for each run, a block, its rows in the window, and their keys.
const MERGE_COPIES: usize = 3;

/// Takes the rows of one task in any order and writes sorted segments by tablet within a budget of memory.
///
/// Blocking: [`Self::append`] returns once the rows are copied, and now and then only after a full run was
/// sorted and written by `threads` threads. After an error the writer must be given up.
pub struct TabletWriter {
    files: Arc<dyn FileSystem>,
    root: PathBuf,
    schema: Arc<TableSchema>,
    identity: TaskIdentity,
    options: WriterOptions,
    metrics: Arc<WriterMetrics>,
    partitions: Partitions,
    router: Router,
    run: RunBuffer,
    run_share: usize,
    segments: Segments,
    /// Ranges of the key columns over all runs.
    ranges: Vec<KeyRange>,
    encoding: Option<EncodingPlan>,
    spills: Vec<Spill>,
    /// Files made in the folder of spills, to be removed.
    spill_paths: Vec<PathBuf>,
    spills_made: u32,
    /// What this writer added to the gauge of buffered bytes.
    buffered: u64,
}

impl std::fmt::Debug for TabletWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TabletWriter").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl TabletWriter {
    /// A writer of rows of the table at `root`. Nothing is made on the volume before rows come.
    ///
    /// # Errors
    /// `MemoryBudgetTooSmall`, `UnsupportedDistribution`.
    pub fn new(
        files: Arc<dyn FileSystem>,
        root: PathBuf,
        schema: Arc<TableSchema>,
        identity: TaskIdentity,
        options: WriterOptions,
        metrics: Arc<WriterMetrics>,
    ) -> Result<Self, TabletError> {
        let router = Router::new(&schema, identity.task)?;
        let threads = options.threads.max(1);
        let leaves = Encoder::leaf_count(&schema)
            .map_err(|source| TabletError::Encode { path: root.clone(), source })?;
        let needed = threads * ENCODE_SHARE * (leaves * MIN_PAGE_BYTES + (64 << 10));
        if options.budget_bytes < needed {
            let columns = schema.columns().len();
            return Err(TabletError::MemoryBudgetTooSmall { budget: options.budget_bytes, needed, columns });
        }
        let encode_share = options.budget_bytes / ENCODE_SHARE;
        let run_share = options.budget_bytes - encode_share;
        let segments = Segments::new(
            Arc::clone(&files),
            root.clone(),
            Arc::clone(&schema),
            Arc::new(identity.names()),
            options.target_segment_bytes,
            encode_share / threads,
            Arc::clone(&metrics),
        )?;
        let partitions = Partitions::new(&schema);
        Ok(Self {
            run: RunBuffer::new(Arc::clone(&schema), run_share),
            ranges: vec![KeyRange::EMPTY; schema.sort_key().len()],
            options: WriterOptions { threads, ..options },
            files,
            root,
            schema,
            identity,
            metrics,
            partitions,
            router,
            run_share,
            segments,
            encoding: None,
            spills: Vec::new(),
            spill_paths: Vec::new(),
            spills_made: 0,
            buffered: 0,
        })
    }

    /// Does not count the partitions that the table has among the new ones of this load: without it each
    /// partition counts. `known` is called once, if this task's rows bring so many that it matters.
    #[must_use]
    pub fn with_known_partitions(mut self, known: KnownPartitions) -> Self {
        self.partitions.set_known(known);
        self
    }

    /// Adds rows: the table's columns in order, of the types of [`TableSchema::arrow`]; text columns may
    /// also be dictionaries with 32-bit keys. Values must fit their declared types already, and rows a
    /// partition.
    ///
    /// # Errors
    /// As the volume says; `TooManyPartitions`; `WrongBatch` is a defect of the caller.
    pub fn append(&mut self, batch: &RecordBatch) -> Result<(), TabletError> {
        if batch.num_columns() != self.schema.columns().len() {
            let due = self.schema.columns().len();
            return Err(TabletError::WrongBatch(format!(
                "{} columns where {due} are due",
                batch.num_columns()
            )));
        }
        let mut start = 0;
        while start < batch.num_rows() {
            let piece = batch.slice(start, self.run.piece_rows().min(batch.num_rows() - start));
            self.append_piece(&piece)?;
            start += piece.num_rows();
        }
        self.report_buffered();
        Ok(())
    }

    fn append_piece(&mut self, piece: &RecordBatch) -> Result<(), TabletError> {
        let metrics = Arc::clone(&self.metrics);
        timed(&metrics.route_nanos, || self.partitions.assign(piece, &self.segments))?;
        let mut keeps_codes = timed(&metrics.route_nanos, || self.run.prepare(piece));
        // Text that stops being codes is cheap to rewrite only while the run is small.
        let rewrites_much = !keeps_codes && self.run.memory() > self.run_share / 8;
        let full = self.run.memory_with(piece, self.options.threads) > self.run_share
            || !self.run.can_take(piece.num_rows());
        if self.run.rows() > 0 && (full || rewrites_much) {
            self.flush(false)?;
            keeps_codes = self.run.prepare(piece);
        }
        timed(&metrics.route_nanos, || {
            if !keeps_codes {
                self.run.give_up_codes(piece)?;
                self.run.prepare(piece);
            }
            self.run.append(piece, self.partitions.ids(), &mut self.router)
        })
    }

    fn report_buffered(&mut self) {
        let now = self.run.memory() as u64;
        self.metrics.buffered_bytes.fetch_add(now.wrapping_sub(self.buffered), Ordering::Relaxed);
        self.buffered = now;
    }

    /// Writes what is left, merges what was spilled, and makes all durable: contents first, then the name
    /// of each folder, then the names in it. The segments come by partition
    /// and bucket; no rows, no segments.
    ///
    /// # Errors
    /// As the volume says. All files of this writer are removed then, as far as that can be done.
    pub fn finish(mut self) -> Result<Vec<Segment>, TabletError> {
        match self.write_all() {
            Ok(segments) => {
                self.remove_spills();
                Ok(segments)
            }
            Err(error) => {
                self.abandon();
                Err(error)
            }
        }
    }

    fn write_all(&mut self) -> Result<Vec<Segment>, TabletError> {
        if self.run.rows() > 0 {
            self.flush(true)?;
        }
        self.run.release();
        self.report_buffered();
        if !self.spills.is_empty() {
            self.merge()?;
        }
        self.segments.finish()
    }

    /// Gives the task up: removes its spills and the segments made so far, as far as that can be done.
    pub fn abandon(mut self) {
        self.segments.abandon();
        self.remove_spills();
    }

    fn remove_spills(&mut self) {
        self.spills.clear();
        for path in self.spill_paths.drain(..) {
            if let Err(error) = self.files.remove(&path) {
                tracing::warn!(path = %path.display(), %error, "a spill stays for vacuum");
            }
        }
    }

    /// Orders the rows of the run by tablet and key and writes them, as segments or as a spill.
    fn flush(&mut self, last: bool) -> Result<(), TabletError> {
        let metrics = Arc::clone(&self.metrics);
        add(&metrics.runs, 1);
        for (all, own) in self.ranges.iter_mut().zip(self.run.ranges()) {
            *all = all.union(*own);
        }
        let gatherer = self.run.gatherer();
        let plan = self.run.key_plan(self.run.ranges());
        let mut grouped = Vec::new();
        let tablets = timed(&metrics.sort_nanos, || {
            let parts = match &plan {
                KeyPlan::Numbers(plan) => self.run.part(plan),
                KeyPlan::Rows(_) => None,
            };
            parts.unwrap_or_else(|| {
                grouped = self.run.group();
                self.run.split(&mut grouped)
            })
        });
        let encoding = self.choose_encoding(&plan, &gatherer, &tablets)?;
        let encoded = self.run.rows() as f64 * encoding.row_bytes;
        let average = encoded / self.run.touched_tablets().max(1) as f64;
        let as_segments =
            (last && self.spills.is_empty()) || (!last && average >= self.options.min_segment_bytes as f64);
        if as_segments {
            self.write_segments(&plan, &gatherer, &encoding, tablets)?;
        } else {
            let spill = self.write_spill(&plan, &gatherer, tablets)?;
            self.spills.push(spill);
        }
        self.encoding = Some(encoding);
        self.run.clear();
        Ok(())
    }

    /// The encoding for this run, from rows of its largest tablet, which is ordered for it.
    fn choose_encoding(
        &self,
        plan: &KeyPlan,
        gatherer: &Gatherer,
        tablets: &[TabletRows<'_>],
    ) -> Result<EncodingPlan, TabletError> {
        let Some(largest) = tablets.last() else { return Err(TabletError::Thread) };
        // Ordered once more later: rows in order are cheap to order.
        let mut rows = match &largest.rows {
            Rows::Numbers(rows) => rows.to_vec(),
            Rows::Ranges(ranges) => ranges.get(ranges.len() / 2).cloned().unwrap_or_default().collect(),
        };
        timed(&self.metrics.sort_nanos, || sort::order(plan, &self.run, &mut rows, &mut Scratch::default()))?;
        let middle = (rows.len() / 2).saturating_sub(SAMPLE_ROWS / 2);
        let most = gatherer.block_rows(&self.run, &rows[middle..], SAMPLE_ROWS, self.segments.memory / 16);
        let sample = gatherer.gather(&self.run, &rows[middle..middle + most])?;
        timed(&self.metrics.encode_nanos, || self.segments.choose(&sample, largest.count))
    }

    fn write_segments(
        &self,
        plan: &KeyPlan,
        gatherer: &Gatherer,
        encoding: &EncodingPlan,
        tablets: Vec<TabletRows<'_>>,
    ) -> Result<(), TabletError> {
        let block_bytes = self.segments.memory / 8;
        for_each(self.options.threads, tablets, |TabletRows { tablet, rows, .. }, scratch| {
            let mut output = TabletOutput::new(&self.segments, encoding, tablet);
            self.ordered(plan, rows, scratch, |rows| {
                self.gather_blocks(gatherer, rows, block_bytes, |batch| output.write(batch))
            })?;
            output.close()
        })
    }

    fn write_spill(
        &mut self,
        plan: &KeyPlan,
        gatherer: &Gatherer,
        tablets: Vec<TabletRows<'_>>,
    ) -> Result<Spill, TabletError> {
        let spill = self.create_spill()?;
        let block_bytes = self.spill_block_bytes();
        for_each(self.options.threads, tablets, |TabletRows { tablet, rows, .. }, scratch| {
            let mut bytes = Vec::new();
            self.ordered(plan, rows, scratch, |rows| {
                self.gather_blocks(gatherer, rows, block_bytes, |batch| {
                    self.append_spill(&spill, tablet, batch, &mut bytes)
                })
            })
        })?;
        spill.finish(self.run.columns().iter().map(|column| column.is_codes()).collect())
    }

    fn append_spill(
        &self,
        spill: &SpillWriter,
        tablet: Tablet,
        batch: &RecordBatch,
        scratch: &mut Vec<u8>,
    ) -> Result<(), TabletError> {
        let written = timed(&self.metrics.spill_nanos, || spill.append(tablet, batch, scratch))?;
        add(&self.metrics.spilled_bytes, written as u64);
        Ok(())
    }

    /// Orders the rows of a tablet and gives their numbers, range by range.
    fn ordered(
        &self,
        plan: &KeyPlan,
        rows: Rows<'_>,
        scratch: &mut Scratch,
        mut each: impl FnMut(&[u32]) -> Result<(), TabletError>,
    ) -> Result<(), TabletError> {
        let order = |rows: &mut [u32], scratch: &mut Scratch| {
            timed(&self.metrics.sort_nanos, || sort::order(plan, &self.run, rows, scratch))
        };
        match rows {
            Rows::Numbers(rows) => {
                order(rows, scratch)?;
                each(rows)
            }
            Rows::Ranges(ranges) => ranges.into_iter().try_for_each(|range| {
                let mut rows = std::mem::take(&mut scratch.rows);
                rows.clear();
                rows.extend(range);
                order(&mut rows, scratch)?;
                each(&rows)?;
                scratch.rows = rows;
                Ok(())
            }),
        }
    }

    /// Gathers rows in order, block by block.
    fn gather_blocks(
        &self,
        gatherer: &Gatherer,
        mut rows: &[u32],
        block_bytes: usize,
        mut emit: impl FnMut(&RecordBatch) -> Result<(), TabletError>,
    ) -> Result<(), TabletError> {
        while !rows.is_empty() {
            let batch = timed(&self.metrics.gather_nanos, || {
                let count = gatherer.block_rows(&self.run, rows, GATHER_ROWS, block_bytes);
                let (block, rest) = rows.split_at(count);
                rows = rest;
                gatherer.gather(&self.run, block)
            })?;
            emit(&batch)?;
        }
        Ok(())
    }

    /// Memory of the merge of one tablet.
    fn merge_memory(&self) -> usize {
        self.run_share / self.options.threads
    }

    fn spill_block_bytes(&self) -> usize {
        let least = MIN_SPILL_BLOCK_BYTES.min(self.merge_memory() / (2 * MERGE_COPIES));
        (self.merge_memory() / (FAN_IN * MERGE_COPIES)).clamp(least, SPILL_BLOCK_BYTES)
    }

    /// Runs that one merge takes.
    fn fan_in(&self) -> usize {
        // Many tablets have small blocks each: then more runs are merged in one round.
        let block_bytes = self.spills.iter().map(Spill::largest_block).max().unwrap_or(0);
        (self.merge_memory() / (MERGE_COPIES * block_bytes).max(1)).clamp(2, MAX_FAN_IN)
    }

    fn create_spill(&mut self) -> Result<SpillWriter, TabletError> {
        let mut folder = self.root.clone();
        for part in ["_longshore", "tmp"] {
            folder.push(part);
            self.files.create_dir(&folder).map_err(|error| TabletError::volume(&folder, error))?;
        }
        let identity = &self.identity;
        let path = folder.join(format!("{}-{}-{}", identity.writer, identity.task, self.spills_made));
        self.spills_made += 1;
        let spill = SpillWriter::create(self.files.as_ref(), path.clone())?;
        self.spill_paths.push(path);
        Ok(spill)
    }

    /// Merges all spills into segments, in several rounds if they are more than one merge takes.
    fn merge(&mut self) -> Result<(), TabletError> {
        let plan = self.run.key_plan(&self.ranges);
        let Some(encoding) = self.encoding.clone() else { return Err(TabletError::Thread) };
        let mut first = 0;
        while self.spills.len() > self.fan_in() {
            let fan_in = self.fan_in();
            // Only so many as must be, and only neighbours: rows with equal keys keep their order.
            let count = fan_in.min(self.spills.len() - fan_in + 1);
            if first + count > self.spills.len() {
                first = 0;
            }
            let neighbours: Vec<Spill> = self.spills.drain(first..first + count).collect();
            let merged = self.merge_to_spill(&plan, &neighbours)?;
            for spill in neighbours {
                let path = spill.path();
                self.files.remove(path).map_err(|error| TabletError::volume(path, error))?;
                self.spill_paths.retain(|made| made != path);
            }
            self.spills.insert(first, merged);
            first += 1;
        }
        let spills = std::mem::take(&mut self.spills);
        let readers = self.open_spills(&spills)?;
        for_each(self.options.threads, tablets_of(&spills), |tablet, _| {
            let merger = Merger::new(&readers, &plan, &self.metrics)?;
            let mut output = TabletOutput::new(&self.segments, &encoding, tablet);
            merger.merge(tablet, |batch| output.write(batch))?;
            output.close()
        })
    }

    fn merge_to_spill(&mut self, plan: &KeyPlan, spills: &[Spill]) -> Result<Spill, TabletError> {
        let merged = self.create_spill()?;
        let readers = self.open_spills(spills)?;
        for_each(self.options.threads, tablets_of(spills), |tablet, _| {
            let merger = Merger::new(&readers, plan, &self.metrics)?;
            let mut scratch = Vec::new();
            merger.merge(tablet, |batch| self.append_spill(&merged, tablet, batch, &mut scratch))
        })?;
        merged.finish(Merger::new(&readers, plan, &self.metrics)?.codes())
    }

    fn open_spills(&mut self, spills: &[Spill]) -> Result<Vec<SpillReader>, TabletError> {
        let names: Vec<String> = self.schema.columns().iter().map(|column| column.name.clone()).collect();
        let dictionaries = self.run.dictionary_arrays();
        let types = self.run.types();
        spills.iter().map(|spill| spill.open(self.files.as_ref(), &names, types, &dictionaries)).collect()
    }
}

impl Drop for TabletWriter {
    fn drop(&mut self) {
        self.metrics.buffered_bytes.fetch_sub(self.buffered, Ordering::Relaxed);
        self.remove_spills();
    }
}

/// Tablets of the spills, the one with most rows last.
fn tablets_of(spills: &[Spill]) -> Vec<Tablet> {
    let mut rows = std::collections::BTreeMap::<Tablet, usize>::new();
    for (tablet, of_spill) in spills.iter().flat_map(Spill::tablets) {
        *rows.entry(tablet).or_default() += of_spill;
    }
    let mut tablets: Vec<Tablet> = rows.keys().copied().collect();
    tablets.sort_by_key(|tablet| rows[tablet]);
    tablets
}

/// Does the work of each item, the last first, on so many threads, each with room of its own; the first
/// error ends it.
fn for_each<T: Send>(
    threads: usize,
    items: Vec<T>,
    work: impl Fn(T, &mut Scratch) -> Result<(), TabletError> + Sync,
) -> Result<(), TabletError> {
    let threads = threads.min(items.len());
    let items = Mutex::new(items);
    let next = || items.lock().ok().and_then(|mut items| items.pop());
    let drain = || {
        let mut scratch = Scratch::default();
        while let Some(item) = next() {
            if let Err(error) = work(item, &mut scratch) {
                if let Ok(mut items) = items.lock() {
                    items.clear();
                }
                return Err(error);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(drain)).collect();
        let own = drain();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or(Err(TabletError::Thread)))
            .fold(own, |result, other| result.and(other))
    })
}
