//! Conversions end to end, by the table's columns and the file's arrays.

mod defaults;
mod dictionaries;
mod mapping;
mod nested;
mod numbers;
mod quality;
mod texts;
mod times;

use crate::rows::Origin;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use longshore_crds::OnMissingColumn;
use longshore_storage::schema::{
    Column, Compression, DefaultValue, Distribution, TableDefinition, TableSchema,
};
use longshore_storage::types::DataType;

use super::cast::{CastError, Context, cast};
use super::column::Fault;
use super::{Converted, Converter, FileMapping, Rules, Zone};

fn column(name: &str, data_type: DataType, nullable: bool) -> Column {
    Column { name: name.to_owned(), data_type, nullable, default: None }
}

fn with_default(name: &str, data_type: DataType, default: DefaultValue) -> Column {
    Column { name: name.to_owned(), data_type, nullable: false, default: Some(default) }
}

fn table(columns: Vec<Column>) -> Arc<TableSchema> {
    Arc::new(TableSchema::new(TableDefinition {
        key: vec![columns[0].name.clone()],
        columns,
        order_by: Vec::new(),
        partition_by: longshore_storage::schema::PartitionBy::None,
        distribution: Distribution::Random { buckets: 1 },
        compression: Compression::None,
    }))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn rules(strict: bool) -> Rules {
    Rules { strict, timezone: Zone::UTC, now_micros: 1_700_000_000_000_000 }
}

/// Converts all columns of a file that the table has, with what is missing taken from defaults.
fn convert(table: &Arc<TableSchema>, file: &RecordBatch, strict: bool) -> Converted {
    let mapping =
        FileMapping::new("f.parquet", table, file.schema_ref(), None, OnMissingColumn::UseDefault).unwrap();
    let projected = file.project(mapping.projection()).unwrap();
    let converted = Converter::new(mapping, rules(strict))
        .convert(&projected, &Origin::Rows { first: 1 }, usize::MAX)
        .unwrap();
    assert_eq!(converted.batch.num_rows() as u64 + converted.filtered, file.num_rows() as u64);
    assert_eq!(converted.rejected.len() as u64, converted.filtered);
    converted
}

/// Casts one array: the values, and the rows that do not fit with their faults.
fn cast_one(array: &ArrayRef, to: &DataType) -> (ArrayRef, Vec<(usize, Fault)>) {
    cast_in(array, to, Zone::UTC)
}

fn cast_in(array: &ArrayRef, to: &DataType, zone: Zone) -> (ArrayRef, Vec<(usize, Fault)>) {
    let field = Field::new("c", array.data_type().clone(), true);
    let context = Context { zone, on_missing: OnMissingColumn::UseDefault };
    let column = cast(array, &field, to, &context).unwrap();
    assert_eq!(column.array.data_type(), &to.arrow());
    assert_eq!(column.array.len(), array.len());
    (column.array, column.misfits.into_iter().map(|misfit| (misfit.row, misfit.fault)).collect())
}

/// Whether a pair of types is refused.
fn refused(array: &ArrayRef, to: &DataType) -> bool {
    let field = Field::new("c", array.data_type().clone(), true);
    let context = Context { zone: Zone::UTC, on_missing: OnMissingColumn::UseDefault };
    matches!(cast(array, &field, to, &context), Err(CastError::Unsupported { .. }))
}

fn array(values: impl Array + 'static) -> ArrayRef {
    Arc::new(values)
}
