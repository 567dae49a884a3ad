//! What one file says of its columns.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType as ArrowType;
use longshore_crds::format::Format;
use longshore_crds::source::Source;
use longshore_storage::schema::{
    Column, Compression, Distribution, PartitionBy, TableDefinition, TableSchema,
};
use longshore_storage::types::DataType;
use tokio_util::sync::CancellationToken;

use super::{InferError, Purpose, guess_type, json};
use crate::convert::column_type;
use crate::decode::{self, DataFile, FileContext, Read, format_of_name};
use crate::load::read_all;
use crate::source::{ListedObject, ReadObject, Store};

/// Rows of a file without types that are looked at.
const SAMPLE_ROWS: usize = 1_000;
/// Files without types that are looked at.
const SAMPLE_FILES: usize = 16;
/// Bytes that a reader of a sample may hold.
const BUDGET_BYTES: usize = 64 << 20;
/// Bytes of a file without types that are looked at, unless its first record is longer.
const BLOCK_BYTES: usize = 1 << 20;

/// A column as a file has it: its name, and its type, why there is none, or nothing where only NULL was seen.
pub(super) type FoundColumn = (String, Option<Result<DataType, String>>);

/// A file's columns.
#[derive(Debug)]
pub(super) struct FileSchema {
    pub file: String,
    pub columns: Vec<FoundColumn>,
    /// The types are guessed from texts.
    pub guessed: bool,
}

/// The columns of all files, in their order; several are read at a time.
pub(super) fn schemas(
    source: &Source,
    purpose: Purpose,
    store: &Store,
    listed: &[&ListedObject],
    cancel: &CancellationToken,
) -> Result<Vec<FileSchema>, InferError> {
    let numbered: Vec<(usize, &ListedObject)> = listed.iter().copied().enumerate().collect();
    let step = listed.len().div_ceil(SAMPLE_FILES).max(1);
    let found = read_all(&numbered, cancel, |(number, object)| {
        let object = store.object(&object.planned(0));
        schema(source, purpose, object, number % step == 0)
    })?;
    let mut found: Vec<FileSchema> = found.into_iter().flatten().collect();
    if purpose == (Purpose::Query { guess: false }) {
        found.iter_mut().filter(|schema| schema.guessed).for_each(as_text);
    }
    Ok(found)
}

/// The columns of a file. Names stand in every file; of formats without types the rows of a file that is
/// `sampled` tell them. `None`: the file tells nothing.
fn schema(
    source: &Source,
    purpose: Purpose,
    object: Arc<dyn ReadObject>,
    sampled: bool,
) -> Result<Option<FileSchema>, InferError> {
    match source.format.clone().or_else(|| format_of_name(object.name())) {
        Some(Format::Json(options)) if sampled => json::schema(source, &options, object).map(Some),
        Some(Format::Csv(options)) if !options.header => {
            if purpose == Purpose::Table {
                return Err(InferError::NoNames { file: object.name().to_owned() });
            }
            if sampled { numbered(source, object) } else { Ok(None) }
        }
        Some(Format::Json(_)) => Ok(None),
        _ => named(source, object, sampled).map(Some),
    }
}

/// A file whose columns have names.
fn named(source: &Source, object: Arc<dyn ReadObject>, sampled: bool) -> Result<FileSchema, InferError> {
    let file = open(source, object)?;
    if file.has_types() {
        Ok(typed(&*file))
    } else if sampled {
        guessed(&file)
    } else {
        let names = file.schema().fields().iter().map(|field| (field.name().clone(), None));
        Ok(FileSchema { file: file.name().to_owned(), columns: names.collect(), guessed: true })
    }
}

/// A CSV file without a header: its columns are `$1`, `$2` and so on, as many as its first record has fields.
fn numbered(source: &Source, object: Arc<dyn ReadObject>) -> Result<Option<FileSchema>, InferError> {
    let Some(fields) = decode::csv_fields(source, &object)? else { return Ok(None) };
    let names = (1..=fields).map(|number| format!("${number}"));
    let source = Source { columns: Some(names.collect()), ..source.clone() };
    guessed(&open(&source, object)?).map(Some)
}

/// Texts stay texts.
fn as_text(schema: &mut FileSchema) {
    for column in &mut schema.columns {
        column.1 = Some(Ok(DataType::String));
    }
}

fn open(source: &Source, object: Arc<dyn ReadObject>) -> Result<Arc<dyn DataFile>, InferError> {
    let context = FileContext { source, table: &table_of([]), strict: false, now_micros: 0 };
    Ok(decode::open(object, context)?)
}

fn typed(file: &dyn DataFile) -> FileSchema {
    let columns = file.schema().fields().iter().map(|field| {
        let found = match field.data_type() {
            ArrowType::Null if field.metadata().is_empty() => None,
            _ => Some(column_type(field)),
        };
        (field.name().clone(), found)
    });
    FileSchema { file: file.name().to_owned(), columns: columns.collect(), guessed: false }
}

/// Types from the first rows.
fn guessed(file: &Arc<dyn DataFile>) -> Result<FileSchema, InferError> {
    let batch = first_rows(file)?;
    let fields = file.schema().fields().iter().enumerate();
    let columns = fields.map(|(index, field)| {
        let found = batch.as_ref().and_then(|batch| guess(batch.column(index)));
        (field.name().clone(), found.map(Ok))
    });
    Ok(FileSchema { file: file.name().to_owned(), columns: columns.collect(), guessed: true })
}

/// The first rows of a file without types, all its columns; `None`: it has none.
///
/// # Errors
/// If the first records are no rows, which the reason says.
pub(super) fn first_rows(file: &Arc<dyn DataFile>) -> Result<Option<RecordBatch>, InferError> {
    let read = Read {
        columns: (0..file.schema().fields().len()).collect(),
        dictionary_columns: Vec::new(),
        batch_rows: SAMPLE_ROWS,
        budget_bytes: BUDGET_BYTES,
        block_bytes: BLOCK_BYTES,
    };
    let Some(part) = file.parts(Arc::new(read))?.next() else { return Ok(None) };
    let Some(decoded) = part?.start()?.next(1) else { return Ok(None) };
    let decoded = decoded?;
    match decoded.rejected.first() {
        Some(rejected) if decoded.batch.num_rows() == 0 => Err(InferError::row(file.name(), rejected)),
        _ => Ok(Some(decoded.batch)),
    }
}

fn guess(array: &ArrayRef) -> Option<DataType> {
    match array.data_type() {
        ArrowType::Utf8 => guess_type(&array.as_string::<i32>().iter().flatten()),
        ArrowType::Utf8View => guess_type(&array.as_string_view().iter().flatten()),
        _ if array.null_count() == array.len() => None,
        _ => Some(DataType::String),
    }
}

/// A table that there is not: files take names and types from it.
pub(super) fn table_of(columns: impl IntoIterator<Item = (String, DataType)>) -> Arc<TableSchema> {
    let column = |(name, data_type)| Column { name, data_type, nullable: true, default: None };
    Arc::new(TableSchema::new(TableDefinition {
        columns: columns.into_iter().map(column).collect(),
        key: Vec::new(),
        order_by: Vec::new(),
        partition_by: PartitionBy::None,
        distribution: Distribution::Random { buckets: 1 },
        compression: Compression::Zstd,
    }))
}
