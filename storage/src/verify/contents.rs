//! The rows of a segment against what the log promises of them: statistics, order, tablet.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, Scalar};
use arrow::compute::SortOptions;
use arrow::compute::kernels::cmp::{gt, lt};
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, SortField};

use super::{Run, Severity};
use crate::load::Segment;
use crate::log::stats::{Bounds, SegmentStats};
use crate::scan::scan;
use crate::schema::{Partitioner, TableSchema};
use crate::table::Table;
use crate::tablet::Router;

const ADVICE: &str = "queries may leave out rows of this file: load its rows again into a new table";

/// Looks into segments.
pub(super) struct Checker<'a> {
    table: &'a Table,
    schema: Arc<TableSchema>,
}

/// What is looked at in one segment; each fault is told once.
struct Looking {
    bounds: Vec<Option<Bounds>>,
    nulls: Vec<u64>,
    rows: u64,
    order: Option<Order>,
    router: Option<Router>,
    partitioner: Option<Partitioner>,
    found: Vec<String>,
}

/// The order of the rows, across batches.
struct Order {
    converter: RowConverter,
    last: Option<OwnedRow>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(table: &'a Table) -> Self {
        Self { table, schema: Arc::clone(table.schema()) }
    }

    /// Reads every row of a segment.
    pub(super) fn check(&self, run: &mut Run<'_>, segment: &Segment) {
        // The decoder may panic over bytes that no encoder writes: that is damage like any other.
        let looked = catch_unwind(AssertUnwindSafe(|| self.look(segment)));
        let looked = looked.unwrap_or_else(|_| Err("the decoder gave up over its bytes".to_owned()));
        match looked {
            Ok(looking) => {
                run.outcome.rows_read += looking.rows;
                for what in looking.found {
                    run.find(Severity::Error, &segment.path, what, ADVICE);
                }
            }
            Err(what) => {
                let what = format!("the rows of the segment cannot be read: {what}");
                run.find(Severity::Error, &segment.path, what, super::segments::RESTORE);
            }
        }
    }

    fn look(&self, segment: &Segment) -> Result<Looking, String> {
        let schema = &self.schema;
        let one = std::slice::from_ref(segment);
        let files = Arc::clone(self.table.files());
        let mut looking = Looking::new(schema, segment);
        let rows = scan(files, self.table.root(), Arc::clone(schema), one, None, None);
        for batch in rows.map_err(|error| error.to_string())? {
            let batch = batch.map_err(|error| error.to_string())?;
            looking.look(schema, segment, &batch).map_err(|error| error.to_string())?;
        }
        looking.end(schema, segment);
        Ok(looking)
    }
}

impl Looking {
    fn new(schema: &TableSchema, segment: &Segment) -> Self {
        let stats = SegmentStats::parse(&segment.stats);
        let bounds = |column| stats.as_ref().map(|stats| stats.bounds(column));
        let is_own = segment.bucket != Segment::NO_BUCKET;
        Self {
            bounds: schema.columns().iter().map(bounds).collect(),
            nulls: vec![0; schema.columns().len()],
            rows: 0,
            order: if is_own { Order::new(schema) } else { None },
            // Of a random distribution any row may be in any bucket.
            router: Router::new(schema, 0).ok().filter(|_| is_own && !schema.hash_columns().is_empty()),
            partitioner: Partitioner::new(schema).filter(|_| is_own),
            found: Vec::new(),
        }
    }

    fn look(
        &mut self,
        schema: &TableSchema,
        segment: &Segment,
        batch: &RecordBatch,
    ) -> Result<(), ArrowError> {
        let before = self.rows;
        self.rows += batch.num_rows() as u64;
        for (index, column) in batch.columns().iter().enumerate() {
            self.nulls[index] += column.logical_null_count() as u64;
            let Some(bounds) = &self.bounds[index] else { continue };
            let name = &schema.columns()[index].name;
            let is_below = outside(column, bounds.min.as_ref(), lt)?;
            let is_above = outside(column, bounds.max.as_ref(), gt)?;
            for (is_outside, bound) in [(is_below, "below the minimum"), (is_above, "above the maximum")] {
                if is_outside {
                    self.tell(format!("column {name} has a value {bound} that the log says"));
                }
            }
        }
        if let Some(order) = &mut self.order
            && let Some(row) = order.first_out_of_order(schema, batch)?
        {
            self.order = None;
            self.tell(format!("row {} is not in the order of the sort key", before + row as u64 + 1));
        }
        if let Some(router) = &mut self.router {
            let mut buckets = Vec::new();
            router
                .route_to_buckets(batch, &mut buckets)
                .map_err(|e| ArrowError::ExternalError(Box::new(e)))?;
            if let Some(at) = buckets.iter().position(|bucket| u32::from(*bucket) != segment.bucket) {
                let (row, bucket) = (before + at as u64 + 1, buckets[at]);
                self.router = None;
                self.tell(format!("row {row} belongs into bucket {bucket}, the log says {}", segment.bucket));
            }
        }
        self.look_at_partition(segment, batch, before)
    }

    fn look_at_partition(
        &mut self,
        segment: &Segment,
        batch: &RecordBatch,
        before: u64,
    ) -> Result<(), ArrowError> {
        let Some(partitioner) = &mut self.partitioner else { return Ok(()) };
        let assigned = partitioner.assign(batch)?;
        let mut last = None;
        for (at, id) in assigned.ids().iter().enumerate() {
            if last.replace(*id) == Some(*id) {
                continue;
            }
            let name = partitioner.partition(*id).map(|partition| partition.name);
            if name.as_deref() != Some(segment.partition.as_str()) {
                let name = name.unwrap_or_else(|| "none".to_owned());
                let row = before + at as u64 + 1;
                self.partitioner = None;
                self.tell(format!(
                    "row {row} belongs into partition {name}, the log says {}",
                    segment.partition
                ));
                return Ok(());
            }
        }
        Ok(())
    }

    fn end(&mut self, schema: &TableSchema, segment: &Segment) {
        if !segment.stats.is_empty() && self.rows != segment.rows {
            self.tell(format!("{} rows can be read, the log says {}", self.rows, segment.rows));
        }
        for index in 0..self.nulls.len() {
            let told = self.bounds[index].as_ref().and_then(|bounds| bounds.nulls);
            let nulls = self.nulls[index];
            if let Some(told) = told.filter(|told| *told != nulls) {
                let name = &schema.columns()[index].name;
                self.tell(format!("column {name} has {nulls} NULLs, the log says {told}"));
            }
        }
    }

    fn tell(&mut self, what: String) {
        if !self.found.contains(&what) {
            self.found.push(what);
        }
    }
}

type Compare =
    fn(&dyn arrow::array::Datum, &dyn arrow::array::Datum) -> Result<arrow::array::BooleanArray, ArrowError>;

fn outside(column: &ArrayRef, bound: Option<&ArrayRef>, compare: Compare) -> Result<bool, ArrowError> {
    let Some(bound) = bound.filter(|bound| bound.data_type() == column.data_type()) else { return Ok(false) };
    Ok(compare(column, &Scalar::new(Arc::clone(bound)))?.true_count() > 0)
}

impl Order {
    fn new(schema: &TableSchema) -> Option<Self> {
        let options = SortOptions { descending: false, nulls_first: true };
        let field = |column: &usize| {
            SortField::new_with_options(schema.arrow().field(*column).data_type().clone(), options)
        };
        let fields: Vec<_> = schema.sort_key().iter().map(field).collect();
        if fields.is_empty() {
            return None;
        }
        RowConverter::new(fields).ok().map(|converter| Self { converter, last: None })
    }

    fn first_out_of_order(
        &mut self,
        schema: &TableSchema,
        batch: &RecordBatch,
    ) -> Result<Option<usize>, ArrowError> {
        let columns: Vec<ArrayRef> =
            schema.sort_key().iter().map(|column| Arc::clone(batch.column(*column))).collect();
        let rows = self.converter.convert_columns(&columns)?;
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        if self.last.as_ref().is_some_and(|last| last.row() > rows.row(0)) {
            return Ok(Some(0));
        }
        for at in 1..rows.num_rows() {
            if rows.row(at - 1) > rows.row(at) {
                return Ok(Some(at));
            }
        }
        self.last = Some(rows.row(rows.num_rows() - 1).owned());
        Ok(None)
    }
}
