//! What one file says of its columns.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType as ArrowType;
use longshore_crds::source::Source;
use longshore_storage::schema::{Compression, Distribution, PartitionBy, TableDefinition, TableSchema};
use longshore_storage::types::DataType;
use tokio_util::sync::CancellationToken;

use super::{InferError, guess_type};
use crate::convert::column_type;
use crate::decode::{self, DataFile, DecodeError, FileContext, Read};
use crate::load::read_all;
use crate::source::{ListedObject, ReadObject, Store};

/// Rows of a file without types that are looked at.
const SAMPLE_ROWS: usize = 1_000;
/// Files without types that are looked at.
const SAMPLE_FILES: usize = 16;
/// Bytes that a reader of a sample may hold.
const BUDGET_BYTES: usize = 64 << 20;

/// A file's columns: a type each, why there is none, or nothing where only NULL was seen.
#[derive(Debug)]
pub(super) struct FileSchema {
    pub file: String,
    pub columns: Vec<(String, Option<Result<DataType, String>>)>,
}

/// The columns of all files, in their order; several are read at a time.
pub(super) fn schemas(
    source: &Source,
    store: &Store,
    listed: &[&ListedObject],
    cancel: &CancellationToken,
) -> Result<Vec<FileSchema>, InferError> {
    let numbered: Vec<(usize, &ListedObject)> = listed.iter().copied().enumerate().collect();
    let step = listed.len().div_ceil(SAMPLE_FILES).max(1);
    let found = read_all(&numbered, cancel, |(number, object)| -> Result<Option<FileSchema>, InferError> {
        let file = open(source, store.object(&object.planned(0)))?;
        if file.has_types() {
            return Ok(Some(typed(&*file)));
        }
        if file.schema().fields().is_empty() {
            return Err(InferError::NoNames { file: file.name().to_owned() });
        }
        // Opening tells the names of all files; types come from the rows of a few.
        Ok(if number % step == 0 { Some(guessed(&file)?) } else { None })
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// Opens a file for which there is no table.
///
/// # Errors
/// As for [`decode::open`].
pub fn open(source: &Source, object: Arc<dyn ReadObject>) -> Result<Arc<dyn DataFile>, DecodeError> {
    decode::open(object, FileContext { source, table: &no_table(), strict: false, now_micros: 0 })
}

fn typed(file: &dyn DataFile) -> FileSchema {
    let columns = file.schema().fields().iter().map(|field| {
        let found = match field.data_type() {
            ArrowType::Null if field.metadata().is_empty() => None,
            _ => Some(column_type(field)),
        };
        (field.name().clone(), found)
    });
    FileSchema { file: file.name().to_owned(), columns: columns.collect() }
}

/// Types from the first rows.
fn guessed(file: &Arc<dyn DataFile>) -> Result<FileSchema, InferError> {
    let columns: Vec<usize> = (0..file.schema().fields().len()).collect();
    let read = Read {
        columns,
        dictionary_columns: Vec::new(),
        batch_rows: SAMPLE_ROWS,
        budget_bytes: BUDGET_BYTES,
        block_bytes: 1 << 20,
    };
    let mut found: Vec<Option<Result<DataType, String>>> = vec![None; read.columns.len()];
    if let Some(part) = file.parts(Arc::new(read))?.next()
        && let Some(decoded) = part?.start()?.next(0)
    {
        let batch = decoded?.batch;
        for (found, array) in found.iter_mut().zip(batch.columns()) {
            *found = guess(array).map(Ok);
        }
    }
    let names = file.schema().fields().iter().map(|field| field.name().clone());
    Ok(FileSchema { file: file.name().to_owned(), columns: names.zip(found).collect() })
}

fn guess(array: &ArrayRef) -> Option<DataType> {
    match array.data_type() {
        ArrowType::Utf8 => guess_type(&array.as_string::<i32>().iter().flatten()),
        ArrowType::Utf8View => guess_type(&array.as_string_view().iter().flatten()),
        _ if array.null_count() == array.len() => None,
        _ => Some(DataType::String),
    }
}

/// Files that have no names take them from a table, which there is none of yet.
fn no_table() -> Arc<TableSchema> {
    Arc::new(TableSchema::new(TableDefinition {
        columns: Vec::new(),
        key: Vec::new(),
        order_by: Vec::new(),
        partition_by: PartitionBy::None,
        distribution: Distribution::Random { buckets: 1 },
        compression: Compression::Zstd,
    }))
}
