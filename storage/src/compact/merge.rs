//! Merges the segments of one tablet within a budget: all at once if their readers fit it, else neighbours
//! first, into spills.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType as ArrowType, Field, Schema as ArrowSchema, SchemaRef};

use super::CompactionError;
use super::input::Input;
use super::output::{Output, in_copies};
use super::plan::Group;
use crate::durable::{FileSystem, discard, unique_name};
use crate::load::Segment;
use crate::schema::{Partition, TableSchema};
use crate::tablet::{
    Blocks, BufferColumn, KeyPlan, KeyRange, Merger, Segments, Spill, SpillBlocks, SpillReader, SpillWriter,
    Tablet, TabletError, WriterMetrics,
};

/// A merge holds, for each run, a block, its rows in the window, and their keys.
const COPIES: usize = 3;
/// Runs whose blocks a merge is to hold at a time, if all of them are spills.
const FAN_IN: usize = 32;
/// Smallest and largest block.
const MIN_BLOCK_BYTES: usize = 16 << 10;
const MAX_BLOCK_BYTES: usize = 1 << 20;
/// The tablet that all rows of a spill are of.
const ONE_TABLET: u16 = 0;

/// What all merges of one commit share.
pub(crate) struct GroupMerger<'a> {
    pub(crate) files: &'a dyn FileSystem,
    pub(crate) root: PathBuf,
    pub(crate) schema: Arc<TableSchema>,
    pub(crate) segments: &'a Segments,
    /// Bytes that one merge may hold, without what is encoded.
    pub(crate) memory: usize,
    pub(crate) metrics: &'a WriterMetrics,
}

/// What became of a group.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    /// The segments that were merged; none, if fewer than two can be.
    pub(crate) inputs: Vec<Segment>,
    /// Their rows.
    pub(crate) rows: u64,
}

/// A sorted run of a tablet's rows.
enum Run {
    Input(Input),
    Spill { spill: Spill, row_bytes: usize },
}

impl Run {
    /// Bytes that a merge holds for the run at least.
    fn least_bytes(&self) -> usize {
        match self {
            Self::Input(input) => input.reader_bytes + COPIES * MIN_BLOCK_BYTES.max(input.row_bytes),
            Self::Spill { spill, .. } => COPIES * spill.largest_block(),
        }
    }

    fn row_bytes(&self) -> usize {
        match self {
            Self::Input(input) => input.row_bytes,
            Self::Spill { row_bytes, .. } => *row_bytes,
        }
    }
}

impl GroupMerger<'_> {
    /// Merges a group into segments of its tablet.
    pub(crate) fn merge(&self, group: Group) -> Result<Merged, CompactionError> {
        let mut runs = Vec::new();
        let mut merged = Merged::default();
        for segment in group.inputs {
            let input = Input::open(self.files, &self.root, &self.schema, &segment)?;
            if input.is_sorted {
                merged.rows += input.rows;
                merged.inputs.push(segment);
                runs.push(Run::Input(input));
            } else {
                tracing::debug!(path = segment.path, "not in the table's order: left alone");
            }
        }
        if runs.len() < 2 {
            return Ok(Merged::default());
        }
        let plan = self.key_plan(&runs);
        let mut spills = Scratch { files: self.files, paths: Vec::new() };
        self.reduce(&mut runs, &plan, &mut spills)?;
        let tablet = self.tablet(&merged.inputs)?;
        let written = self.write(&runs, &plan, tablet, merged.rows)?;
        if written != merged.rows {
            return Err(CompactionError::RowsDiffer {
                tablet: format!("{} b-{:05}", group.partition, group.bucket).trim_start().to_owned(),
                segments: merged.inputs.len(),
                read: merged.rows,
                written,
            });
        }
        Ok(merged)
    }

    /// The tablet of the inputs, in the folder where they lie.
    fn tablet(&self, inputs: &[Segment]) -> Result<Tablet, CompactionError> {
        let first = inputs.first().ok_or(TabletError::Thread)?;
        let folders: Vec<&str> = first.path.rsplitn(3, '/').collect();
        let partition = self.segments.add_partition(Partition {
            name: first.partition.clone(),
            folder: folders.get(2).map(|folder| (*folder).to_owned()).unwrap_or_default(),
            values: first.partition_values.clone(),
        })?;
        let buckets = first.bucket;
        let bucket = u16::try_from(buckets).map_err(|_| TabletError::UnsupportedBuckets { buckets })?;
        Ok(Tablet { partition, bucket })
    }

    /// How rows compare: by numbers if the footers say that they are small enough.
    fn key_plan(&self, runs: &[Run]) -> KeyPlan {
        let mut ranges = vec![KeyRange::EMPTY; self.schema.sort_key().len()];
        for run in runs {
            if let Run::Input(input) = run {
                for (all, own) in ranges.iter_mut().zip(&input.ranges) {
                    *all = all.union(*own);
                }
            }
        }
        let types: Vec<ArrowType> = self.schema.columns().iter().map(|c| c.data_type.arrow()).collect();
        let plain = |data_type: &ArrowType| {
            let mut column = BufferColumn::new(data_type);
            column.give_up_codes();
            column
        };
        let columns: Vec<BufferColumn> = types.iter().map(plain).collect();
        KeyPlan::new(self.schema.sort_key(), &ranges, &columns, &types)
    }

    /// Merges neighbours into spills until one merge can take all runs: only neighbours, so that rows with
    /// equal keys keep their order.
    fn reduce(
        &self,
        runs: &mut Vec<Run>,
        plan: &KeyPlan,
        spills: &mut Scratch<'_>,
    ) -> Result<(), CompactionError> {
        let fits = |runs: &[Run]| runs.iter().map(Run::least_bytes).sum::<usize>() <= self.memory;
        let mut first = 0;
        while !fits(runs) {
            if first + 1 >= runs.len() {
                first = 0;
            }
            let mut count = 2.min(runs.len());
            if count < 2 || !fits(&runs[first..first + count]) {
                return Err(self.too_small(&runs[first..first + count]));
            }
            while first + count < runs.len() && fits(&runs[first..=first + count]) {
                count += 1;
            }
            let neighbours: Vec<Run> = runs.drain(first..first + count).collect();
            let merged = self.merge_to_spill(&neighbours, plan, spills)?;
            for run in &neighbours {
                if let Run::Spill { spill, .. } = run {
                    spills.remove(spill.path());
                }
            }
            runs.insert(first, merged);
            first += 1;
        }
        Ok(())
    }

    fn too_small(&self, runs: &[Run]) -> CompactionError {
        let path = runs.iter().find_map(|run| match run {
            Run::Input(input) => Some(input.path.clone()),
            Run::Spill { .. } => None,
        });
        let needed = runs.iter().map(Run::least_bytes).sum();
        CompactionError::MemoryBudgetTooSmall { path: path.unwrap_or_else(|| self.root.clone()), needed }
    }

    fn merge_to_spill(
        &self,
        runs: &[Run],
        plan: &KeyPlan,
        spills: &mut Scratch<'_>,
    ) -> Result<Run, CompactionError> {
        let row_bytes = runs.iter().map(Run::row_bytes).max().unwrap_or(1).max(1);
        let rows = (self.spill_block_bytes() / row_bytes).max(1);
        let writer = SpillWriter::create(self.files, spills.path(&self.root)?)?;
        let mut scratch = Vec::new();
        self.each_batch(runs, plan, |batch| {
            in_copies(batch, rows, |piece| {
                writer.append(ONE_TABLET, piece, &mut scratch)?;
                Ok(())
            })
        })?;
        let spill = writer.finish(vec![false; self.schema.columns().len()])?;
        Ok(Run::Spill { spill, row_bytes })
    }

    /// So that one merge takes as many spills as is sensible.
    fn spill_block_bytes(&self) -> usize {
        (self.memory / (FAN_IN * COPIES)).min(MAX_BLOCK_BYTES)
    }

    /// Gives all rows of the runs in order.
    fn each_batch(
        &self,
        runs: &[Run],
        plan: &KeyPlan,
        emit: impl FnMut(&RecordBatch) -> Result<(), CompactionError>,
    ) -> Result<(), CompactionError> {
        let held: usize = runs.iter().map(Run::least_bytes).sum();
        let inputs = runs.iter().filter(|run| matches!(run, Run::Input(_))).count();
        // What the budget leaves goes to larger blocks of the segments.
        let more = self.memory.saturating_sub(held) / (COPIES * inputs.max(1));
        let block_bytes = (MIN_BLOCK_BYTES + more).min(MAX_BLOCK_BYTES);
        let schema = self.merge_schema();
        let readers: Vec<Option<SpillReader>> = runs
            .iter()
            .map(|run| match run {
                Run::Input(_) => Ok(None),
                Run::Spill { spill, .. } => self.open_spill(spill).map(Some),
            })
            .collect::<Result<_, _>>()?;
        let mut blocks: Vec<Box<dyn Blocks<CompactionError> + '_>> = Vec::with_capacity(runs.len());
        for (run, reader) in runs.iter().zip(&readers) {
            match (run, reader) {
                (Run::Input(input), _) => {
                    blocks.push(Box::new(input.blocks(self.files, &self.schema, block_bytes)?));
                }
                (Run::Spill { .. }, Some(reader)) => {
                    blocks.push(Box::new(SpillBlocks::new(reader, ONE_TABLET, Arc::clone(&schema))));
                }
                (Run::Spill { .. }, None) => return Err(TabletError::DamagedSpill.into()),
            }
        }
        Merger::of_schema(schema, plan, self.metrics)?.merge_runs(blocks, emit)
    }

    fn open_spill(&self, spill: &Spill) -> Result<SpillReader, CompactionError> {
        let columns = self.schema.columns();
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let types: Vec<ArrowType> = columns.iter().map(|column| column.data_type.arrow()).collect();
        // No column is kept as keys, so no dictionary is asked for.
        let none = arrow::array::new_empty_array(&ArrowType::Utf8);
        Ok(spill.open(self.files, &names, &types, &vec![none; columns.len()])?)
    }

    /// The table's columns; any of them may be NULL in a file that lacks it.
    fn merge_schema(&self) -> SchemaRef {
        let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
        Arc::new(ArrowSchema::new(self.schema.arrow().fields().iter().map(nullable).collect::<Vec<_>>()))
    }

    /// Merges the runs into segments; answers the rows written.
    fn write(&self, runs: &[Run], plan: &KeyPlan, tablet: Tablet, rows: u64) -> Result<u64, CompactionError> {
        let row_bytes = runs.iter().map(Run::row_bytes).max().unwrap_or(1).max(1);
        let encoding = OnceCell::new();
        let mut output = Output::new(self.segments, &encoding, tablet, rows, row_bytes);
        self.each_batch(runs, plan, |batch| output.write(batch))?;
        output.finish()
    }
}

/// Spills of one merge; they are removed with it.
struct Scratch<'a> {
    files: &'a dyn FileSystem,
    paths: Vec<PathBuf>,
}

impl Scratch<'_> {
    /// A path for a spill that is not there.
    fn path(&mut self, root: &Path) -> Result<PathBuf, CompactionError> {
        let mut folder = root.to_owned();
        for part in ["_longshore", "tmp"] {
            folder.push(part);
            self.files.create_dir(&folder).map_err(|error| TabletError::volume(&folder, error))?;
        }
        let path = folder.join(format!("{}-compact", unique_name()));
        self.paths.push(path.clone());
        Ok(path)
    }

    fn remove(&mut self, path: &Path) {
        self.paths.retain(|made| made != path);
        discard(self.files, path);
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        self.paths.iter().for_each(|path| discard(self.files, path));
    }
}
