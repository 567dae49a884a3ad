//! The tablet writer and the scan: what goes in comes out, sorted, in its tablet, within the budget.

mod faults;
mod model;
mod partitions;
mod pruning;
pub mod rows;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use longshore_storage::durable::{FileSystem, Posix};
use longshore_storage::load::Segment;
use longshore_storage::scan::{Predicate, scan};
use longshore_storage::schema::{
    Column, Compression, Distribution, PartitionBy, TableDefinition, TableSchema,
};
use longshore_storage::tablet::{TabletError, TabletWriter, TaskIdentity, WriterMetrics, WriterOptions};
use longshore_storage::types::DataType;

/// A table of nullable columns.
pub fn table(
    columns: &[(&str, DataType)],
    order_by: &[&str],
    distribution: Distribution,
) -> Arc<TableSchema> {
    let column = |(name, data_type): &(&str, DataType)| Column {
        name: (*name).to_owned(),
        data_type: data_type.clone(),
        nullable: true,
        default: None,
    };
    Arc::new(TableSchema::new(TableDefinition {
        columns: columns.iter().map(column).collect(),
        key: Vec::new(),
        order_by: order_by.iter().map(|name| (*name).to_owned()).collect(),
        partition_by: PartitionBy::None,
        distribution,
        compression: Compression::Zstd,
    }))
}

pub fn hash(columns: &[&str], buckets: u32) -> Distribution {
    Distribution::Hash { columns: columns.iter().map(|name| (*name).to_owned()).collect(), buckets }
}

pub fn identity() -> TaskIdentity {
    TaskIdentity { label: "l".into(), run: 1, attempt: 2, task: 3, writer: "00112233aabbccdd".into() }
}

/// The least budget of narrow tables: runs of some thousand rows.
pub fn tiny() -> WriterOptions {
    WriterOptions { budget_bytes: 1 << 20, threads: 2, ..WriterOptions::default() }
}

pub fn writer(
    files: &Arc<dyn FileSystem>,
    root: &Path,
    schema: &Arc<TableSchema>,
    options: WriterOptions,
) -> (TabletWriter, Arc<WriterMetrics>) {
    let metrics = Arc::new(WriterMetrics::default());
    let writer = TabletWriter::new(
        Arc::clone(files),
        root.to_path_buf(),
        Arc::clone(schema),
        identity(),
        options,
        Arc::clone(&metrics),
    );
    (writer.unwrap(), metrics)
}

pub fn posix() -> Arc<dyn FileSystem> {
    Arc::new(Posix)
}

/// Writes batches as one task.
pub fn write(
    root: &Path,
    schema: &Arc<TableSchema>,
    options: WriterOptions,
    batches: &[RecordBatch],
) -> Result<(Vec<Segment>, Arc<WriterMetrics>), TabletError> {
    let (mut writer, metrics) = writer(&posix(), root, schema, options);
    for batch in batches {
        writer.append(batch)?;
    }
    Ok((writer.finish()?, metrics))
}

/// The rows of segments, in order.
pub fn read(
    root: &Path,
    schema: &Arc<TableSchema>,
    segments: &[Segment],
    predicate: Option<&Predicate>,
) -> RecordBatch {
    let scan = scan(posix(), root, Arc::clone(schema), segments, None, predicate).unwrap();
    let output = Arc::clone(scan.schema());
    let batches: Vec<RecordBatch> = scan.map(Result::unwrap).collect();
    concat_batches(&output, &batches).unwrap()
}

/// One batch of the table's columns.
pub fn batch(schema: &TableSchema, columns: Vec<ArrayRef>) -> RecordBatch {
    let fields =
        schema.arrow().fields().iter().zip(&columns).map(|(field, array)| {
            arrow::datatypes::Field::new(field.name(), array.data_type().clone(), true)
        });
    let batch_schema = arrow::datatypes::Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(batch_schema), columns).unwrap()
}

/// Names of all files below a folder, relative to it.
pub fn files_below(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

pub fn integers(batch: &RecordBatch, column: usize) -> Vec<Option<i32>> {
    batch.column(column).as_primitive::<arrow::datatypes::Int32Type>().iter().collect()
}
