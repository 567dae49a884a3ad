//! Merges the sorted runs of one tablet, window by window: the smallest last key among the blocks in hand
//! bounds a window that is ordered as a whole, so no row is compared or copied alone.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch};
use arrow::compute::{cast, interleave};
use arrow::datatypes::{DataType as ArrowType, Int32Type, SchemaRef};
use arrow::row::{RowConverter, Rows};

use super::TabletError;
use super::key::KeyPlan;
use super::metrics::{WriterMetrics, timed};
use super::radix;
use super::sort::prefix;
use super::spill::{BlockPlace, SpillReader};
use super::tablets::Tablet;

/// Most rows that are gathered at a time.
const WINDOW_ROWS: usize = 1 << 14;
/// Above so many bits a merge sort of the runs beats the passes of a radix sort.
const RADIX_BITS: u32 = 33;

/// Keys of the rows of a block.
enum BlockKeys {
    Numbers(Vec<u64>),
    Rows(Rows),
}

impl BlockKeys {
    fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        match (self, other) {
            (Self::Numbers(a), Self::Numbers(b)) => a[row].cmp(&b[other_row]),
            (Self::Rows(a), Self::Rows(b)) => a.row(row).cmp(&b.row(other_row)),
            // All blocks of a merge have one plan.
            _ => Ordering::Equal,
        }
    }
}

/// The rows of one run's block that were not merged yet.
struct Block {
    columns: Vec<ArrayRef>,
    keys: BlockKeys,
    rows: usize,
    /// First row that was not merged.
    position: usize,
}

impl Block {
    /// The first row at or after the position whose key is not before (or, `inclusive`, is after) the bound.
    fn end_at(&self, bound: &BlockKeys, bound_row: usize, inclusive: bool) -> usize {
        let (mut low, mut high) = (self.position, self.rows);
        while low < high {
            let middle = low.midpoint(high);
            let within = match self.keys.compare(middle, bound, bound_row) {
                Ordering::Less => true,
                Ordering::Equal => inclusive,
                Ordering::Greater => false,
            };
            if within { low = middle + 1 } else { high = middle }
        }
        low
    }
}

/// The blocks of one sorted run, in order. Columns are those of the merge's schema, blocks have rows.
pub(crate) trait Blocks<E> {
    /// The next block; `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<ArrayRef>>, E>;
}

/// The rows of one run that come next.
struct Source<'a, E> {
    blocks: Box<dyn Blocks<E> + 'a>,
    block: Block,
}

/// The blocks of a tablet in a spill.
pub(crate) struct SpillBlocks<'a> {
    reader: &'a SpillReader,
    places: VecDeque<&'a BlockPlace>,
    schema: SchemaRef,
}

impl<'a> SpillBlocks<'a> {
    /// The blocks of a tablet, in columns of `schema`: dictionaries become plain where it says so.
    pub(crate) fn new(reader: &'a SpillReader, tablet: impl Into<Tablet>, schema: SchemaRef) -> Self {
        Self { reader, places: reader.blocks(tablet).iter().collect(), schema }
    }
}

impl<E: From<TabletError>> Blocks<E> for SpillBlocks<'_> {
    fn next(&mut self) -> Result<Option<Vec<ArrayRef>>, E> {
        let Some(place) = self.places.pop_front() else { return Ok(None) };
        let mut columns = self.reader.read(place)?;
        for (column, array) in columns.iter_mut().enumerate() {
            let due = self.schema.field(column).data_type();
            if array.data_type() != due && matches!(array.data_type(), ArrowType::Dictionary(..)) {
                *array = cast(array, due).map_err(TabletError::from)?;
            }
        }
        Ok(Some(columns))
    }
}

/// Merges of tablets over the same spills.
pub(crate) struct Merger<'a> {
    readers: &'a [SpillReader],
    plan: &'a KeyPlan,
    converter: Option<RowConverter>,
    schema: SchemaRef,
    /// Columns that are dictionaries in some spills only: there they become plain.
    plain: Vec<bool>,
    metrics: &'a WriterMetrics,
}

/// A part of a block that belongs to the window: source, first row, end.
type Part = (usize, usize, usize);

impl<'a> Merger<'a> {
    /// A merger of runs in the order they came (at least one): rows with equal keys keep it.
    pub(crate) fn new(
        readers: &'a [SpillReader],
        plan: &'a KeyPlan,
        metrics: &'a WriterMetrics,
    ) -> Result<Self, TabletError> {
        let first = readers.first().ok_or(TabletError::DamagedSpill)?.schema();
        let is_plain = |reader: &SpillReader, column: usize| {
            !matches!(reader.schema().field(column).data_type(), ArrowType::Dictionary(..))
        };
        let plain: Vec<bool> = (0..first.fields().len())
            .map(|column| readers.iter().any(|reader| is_plain(reader, column)))
            .collect();
        let fields: Vec<_> = (0..plain.len())
            .map(|column| {
                let of =
                    readers.iter().find(|reader| is_plain(reader, column)).map_or(first, SpillReader::schema);
                Arc::clone(&of.fields()[column])
            })
            .collect();
        let schema = Arc::new(arrow::datatypes::Schema::new(fields));
        Ok(Self { readers, plain, ..Self::of_schema(schema, plan, metrics)? })
    }

    /// A merger of runs of any kind, whose blocks have the columns of `schema`.
    pub(crate) fn of_schema(
        schema: SchemaRef,
        plan: &'a KeyPlan,
        metrics: &'a WriterMetrics,
    ) -> Result<Self, TabletError> {
        let converter = match plan {
            KeyPlan::Numbers(_) => None,
            KeyPlan::Rows(plan) => Some(plan.converter()?),
        };
        let plain = vec![true; schema.fields().len()];
        Ok(Self { readers: &[], plan, converter, schema, plain, metrics })
    }

    /// Whether each column of the result is kept as keys into its dictionary.
    pub(crate) fn codes(&self) -> Vec<bool> {
        self.plain.iter().map(|plain| !plain).collect()
    }

    /// Gives all rows of a tablet in order, in batches no larger than a block of each run.
    pub(crate) fn merge(
        &self,
        tablet: Tablet,
        emit: impl FnMut(&RecordBatch) -> Result<(), TabletError>,
    ) -> Result<(), TabletError> {
        let of_reader = |reader: &'a SpillReader| -> Box<dyn Blocks<TabletError> + 'a> {
            Box::new(SpillBlocks::new(reader, tablet, Arc::clone(&self.schema)))
        };
        self.merge_runs(self.readers.iter().map(of_reader).collect(), emit)
    }

    /// Gives the rows of runs in order; rows with equal keys in the order of the runs.
    pub(crate) fn merge_runs<'b, E: From<TabletError>>(
        &self,
        runs: Vec<Box<dyn Blocks<E> + 'b>>,
        mut emit: impl FnMut(&RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut sources = Vec::with_capacity(runs.len());
        for mut blocks in runs {
            if let Some(block) = self.read(blocks.as_mut())? {
                sources.push(Source { blocks, block });
            }
        }
        while !sources.is_empty() {
            let parts = timed(&self.metrics.merge_nanos, || cut(&sources));
            self.window(&sources, &parts, &mut emit)?;
            for (source, _, end) in parts {
                sources[source].block.position = end;
            }
            timed(&self.metrics.merge_nanos, || self.refill(&mut sources))?;
        }
        Ok(())
    }

    fn read<E: From<TabletError>>(&self, blocks: &mut (dyn Blocks<E> + '_)) -> Result<Option<Block>, E> {
        let Some(columns) = blocks.next()? else { return Ok(None) };
        let rows = columns.first().map_or(0, |column| column.len());
        let keys = match (self.plan, &self.converter) {
            (KeyPlan::Rows(plan), Some(converter)) => BlockKeys::Rows(plan.of_arrays(converter, &columns)?),
            (KeyPlan::Numbers(plan), _) => BlockKeys::Numbers(plan.of_arrays(&columns)?),
            (KeyPlan::Rows(_), None) => return Err(TabletError::DamagedSpill.into()),
        };
        Ok(Some(Block { columns, keys, rows, position: 0 }))
    }

    /// Reads on where a block is used up, and drops the sources that have no more.
    fn refill<E: From<TabletError>>(&self, sources: &mut Vec<Source<'_, E>>) -> Result<(), E> {
        let mut at = 0;
        while at < sources.len() {
            let source = &mut sources[at];
            if source.block.position < source.block.rows {
                at += 1;
            } else if let Some(block) = self.read(source.blocks.as_mut())? {
                source.block = block;
            } else {
                sources.remove(at);
            }
        }
        Ok(())
    }

    /// Gives the rows of a window in order.
    fn window<E: From<TabletError>>(
        &self,
        sources: &[Source<'_, E>],
        parts: &[Part],
        emit: &mut impl FnMut(&RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        if let &[(source, 0, end)] = parts
            && end == sources[source].block.rows
        {
            // Nothing to merge with: the block goes through as it is.
            return emit(&self.batch(sources[source].block.columns.clone())?);
        }
        let places = timed(&self.metrics.merge_nanos, || self.order(sources, parts));
        for places in places.chunks(WINDOW_ROWS) {
            let batch = timed(&self.metrics.merge_nanos, || {
                let column = |index: usize| {
                    gather(parts.iter().map(|part| &sources[part.0].block.columns[index]), places)
                };
                self.batch((0..self.plain.len()).map(column).collect::<Result<_, _>>()?)
            })?;
            emit(&batch)?;
        }
        Ok(())
    }

    fn batch(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch, TabletError> {
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// Place of each row of the window in the parts, in order.
    fn order<E>(&self, sources: &[Source<'_, E>], parts: &[Part]) -> Vec<(usize, usize)> {
        let of_part = |(part, &(_, start, end)): (usize, &Part)| (start..end).map(move |row| (part, row));
        if let [only] = parts {
            return of_part((0, only)).collect();
        }
        match self.plan {
            KeyPlan::Numbers(plan) => {
                let mut keyed: Vec<(u64, u32, u32)> = Vec::new();
                for (part, &(source, start, end)) in parts.iter().enumerate() {
                    let BlockKeys::Numbers(keys) = &sources[source].block.keys else { continue };
                    let rows = (0u32..).skip(start).zip(&keys[start..end]);
                    keyed.extend(rows.map(|(row, key)| (*key, part as u32, row)));
                }
                if plan.bits <= RADIX_BITS {
                    radix::sort(&mut keyed, &mut Vec::new(), 0, plan.bits, |row| row.0);
                } else {
                    keyed.sort_by_key(|row| row.0);
                }
                keyed.into_iter().map(|(_, part, row)| (part as usize, row as usize)).collect()
            }
            KeyPlan::Rows(_) => {
                let keys = |part: usize| match &sources[parts[part].0].block.keys {
                    BlockKeys::Rows(rows) => Some(rows),
                    BlockKeys::Numbers(_) => None,
                };
                let mut keyed: Vec<(u64, (usize, usize))> = parts
                    .iter()
                    .enumerate()
                    .flat_map(of_part)
                    .map(|place| (keys(place.0).map_or(0, |rows| prefix(rows, place.1)), place))
                    .collect();
                let full = |place: (usize, usize)| keys(place.0).map(|rows| rows.row(place.1));
                keyed.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| full(a.1).cmp(&full(b.1))));
                keyed.into_iter().map(|(_, place)| place).collect()
            }
        }
    }
}

/// The rows at `places` (which array, which row). Dictionaries are one and the same in all arrays.
fn gather<'a>(
    arrays: impl Iterator<Item = &'a ArrayRef>,
    places: &[(usize, usize)],
) -> Result<ArrayRef, TabletError> {
    let arrays: Vec<&dyn Array> = arrays.map(|array| array.as_ref()).collect();
    let dictionaries: Option<Vec<&DictionaryArray<Int32Type>>> =
        arrays.iter().map(|array| array.as_dictionary_opt::<Int32Type>()).collect();
    let Some(dictionaries) = dictionaries else { return Ok(interleave(&arrays, places)?) };
    let keys: Vec<&dyn Array> = dictionaries.iter().map(|array| array.keys() as &dyn Array).collect();
    let keys = interleave(&keys, places)?.as_primitive::<Int32Type>().clone();
    let values = dictionaries.first().ok_or(TabletError::DamagedSpill)?.values();
    Ok(Arc::new(DictionaryArray::try_new(keys, Arc::clone(values))?))
}

/// Cuts the next window: all rows before the smallest last key of the blocks in hand, and those of that key
/// whose turn it is. Sources are in the order of their rows' arrival.
fn cut<E>(sources: &[Source<'_, E>]) -> Vec<Part> {
    let mut least = 0;
    for (at, source) in sources.iter().enumerate() {
        let (block, least_block) = (&source.block, &sources[least].block);
        if block.keys.compare(block.rows - 1, &least_block.keys, least_block.rows - 1) == Ordering::Less {
            least = at;
        }
    }
    let bound = &sources[least].block;
    let end = |at: usize, block: &Block| match at.cmp(&least) {
        Ordering::Equal => block.rows,
        // Rows of the bound's key in later sources wait: the bound's own source may have more of them.
        other => block.end_at(&bound.keys, bound.rows - 1, other == Ordering::Less),
    };
    let parts =
        sources.iter().enumerate().map(|(at, source)| (at, source.block.position, end(at, &source.block)));
    parts.filter(|(_, start, end)| start < end).collect()
}
