//! A table as the engine reads it: a scan over the log, with the statistics of the segments and only the
//! columns that are asked for.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use longshore_storage::durable::Posix;
use longshore_storage::load::Segment;
use longshore_storage::scan::{Predicate, scan};
use longshore_storage::schema::TableSchema;
use longshore_storage::table::Table;

use crate::error::SqlError;
use crate::filter::predicate;

/// Batches that may wait for the engine.
const WAITING_BATCHES: usize = 2;

/// The newest version of a table.
#[derive(Debug)]
pub(crate) struct Snapshot {
    root: std::path::PathBuf,
    schema: Arc<TableSchema>,
    segments: Arc<Vec<Segment>>,
    readable: SchemaRef,
}

impl Snapshot {
    /// Opens the table in a folder as it is now.
    pub(crate) fn open(root: &Path) -> Result<Self, SqlError> {
        let table = Table::open(Arc::new(Posix), root)?;
        let schema = Arc::clone(table.schema());
        let segments = Arc::new(table.segments()?);
        // A file may lack a column, whatever the table says of NULL.
        let fields = schema.arrow().fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let readable = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { root: root.to_path_buf(), schema, segments, readable })
    }

    /// Names of the columns.
    pub(crate) fn columns(&self) -> impl Iterator<Item = String> {
        self.schema.columns().iter().map(|column| column.name.clone())
    }
}

#[async_trait]
impl TableProvider for Snapshot {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.readable)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        let pushed = |filter: &&Expr| match predicate(filter, &self.readable) {
            // The engine looks again: a predicate may say less than the filter.
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(pushed).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.readable.fields().len()).collect());
        let output = Arc::new(self.readable.project(&columns)?);
        let parts: Vec<Predicate> =
            filters.iter().filter_map(|filter| predicate(filter, &self.readable)).collect();
        let condition = (!parts.is_empty()).then_some(Predicate::And(parts));
        let threads = state.config().target_partitions().clamp(1, self.segments.len().max(1));
        let (root, schema, segments) =
            (self.root.clone(), Arc::clone(&self.schema), Arc::clone(&self.segments));
        let readable = Arc::clone(&output);
        blocking_rows(state, &output, limit, threads, move |part, send| {
            let own: Vec<Segment> = segments.iter().skip(part).step_by(threads).cloned().collect();
            let rows =
                scan(Arc::new(Posix), &root, Arc::clone(&schema), &own, Some(&columns), condition.as_ref());
            for batch in rows.map_err(|error| DataFusionError::External(Box::new(SqlError::from(error))))? {
                let batch =
                    batch.map_err(|error| DataFusionError::External(Box::new(SqlError::from(error))))?;
                if !send(fitted(&batch, &readable)?) {
                    break;
                }
            }
            Ok(())
        })
    }
}

/// The batch with exactly the types of `schema`.
pub(crate) fn fitted(batch: &RecordBatch, schema: &SchemaRef) -> EngineResult<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            Ok(Arc::clone(column))
        } else {
            cast(column, field.data_type())
        }
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect::<Result<_, _>>()?, &options)?)
}

/// Gives the engine the next batch; false: it wants no more.
type Send<'a> = &'a mut dyn FnMut(RecordBatch) -> bool;

/// A plan whose partitions are made by `produce` on threads that may block.
pub(crate) fn blocking_rows<P>(
    _state: &dyn Session,
    schema: &SchemaRef,
    limit: Option<usize>,
    partitions: usize,
    produce: P,
) -> EngineResult<Arc<dyn ExecutionPlan>>
where
    P: Fn(usize, Send<'_>) -> EngineResult<()> + std::marker::Send + Sync + 'static,
{
    let produce: Arc<Producer> = Arc::new(produce);
    let streams = (0..partitions).map(|part| -> Arc<dyn PartitionStream> {
        Arc::new(Blocking { part, schema: Arc::clone(schema), produce: Arc::clone(&produce) })
    });
    let streams = streams.collect();
    let plan = StreamingTableExec::try_new(Arc::clone(schema), streams, None, [], false, limit)?;
    Ok(Arc::new(plan))
}

type Producer = dyn Fn(usize, Send<'_>) -> EngineResult<()> + std::marker::Send + Sync;

struct Blocking {
    part: usize,
    schema: SchemaRef,
    produce: Arc<Producer>,
}

impl std::fmt::Debug for Blocking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocking").field("part", &self.part).finish_non_exhaustive()
    }
}

impl PartitionStream for Blocking {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(Arc::clone(&self.schema), WAITING_BATCHES);
        let (sender, produce, part) = (builder.tx(), Arc::clone(&self.produce), self.part);
        builder.spawn_blocking(move || produce(part, &mut |batch| sender.blocking_send(Ok(batch)).is_ok()));
        builder.build()
    }
}
