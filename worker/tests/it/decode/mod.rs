//! Decoding Parquet from an object that is read by ranges.

mod bounds;
mod codecs;
mod damage;
mod dictionary;
mod footer;
pub mod object;
mod types;
mod wide;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use longshore_worker::decode::{DecodeError, ParquetFile, ReadOptions};
use object::FakeObject;
use parquet::arrow::ArrowWriter;
use parquet::data_type::DataType as ParquetType;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::sync::Arc;

pub const MIB: usize = 1024 * 1024;

/// Batches of 1,000 rows within 64 MiB, no dictionaries.
pub fn options() -> ReadOptions {
    ReadOptions { batch_rows: 1000, budget_bytes: 64 * MIB, dictionary_columns: Vec::new() }
}

/// A file by the Arrow writer.
pub fn arrow_file(batches: &[RecordBatch], properties: WriterPropertiesBuilder) -> Bytes {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batches[0].schema(), Some(properties.build())).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    bytes.into()
}

/// A file of one row group, column by column.
pub fn plain_file(
    message: &str,
    write: impl FnOnce(&mut SerializedRowGroupWriter<'_, &mut Vec<u8>>),
) -> Bytes {
    let schema = Arc::new(parse_message_type(message).unwrap());
    let mut bytes = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut bytes, schema, Arc::new(WriterProperties::builder().build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    write(&mut group);
    group.close().unwrap();
    writer.close().unwrap();
    bytes.into()
}

/// Writes the next column of a row group.
pub fn put<T: ParquetType>(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: &[T::T],
    definitions: Option<&[i16]>,
    repetitions: Option<&[i16]>,
) {
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(values, definitions, repetitions).unwrap();
    column.close().unwrap();
}

pub fn open(bytes: &Bytes) -> ParquetFile {
    ParquetFile::open(FakeObject::new(bytes.clone())).unwrap()
}

/// All batches of a row group.
pub fn read_group(
    file: &ParquetFile,
    group: usize,
    columns: &[usize],
    options: &ReadOptions,
) -> Result<Vec<RecordBatch>, DecodeError> {
    file.read(group, columns, options)?.collect()
}

/// All rows of all columns of a file, column by column, and their schema.
pub fn read_all(bytes: &Bytes) -> (SchemaRef, Vec<ArrayRef>) {
    let file = open(bytes);
    let columns: Vec<usize> = (0..file.schema().fields().len()).collect();
    let mut batches = Vec::new();
    for group in 0..file.row_groups() {
        batches.extend(read_group(&file, group, &columns, &options()).unwrap());
    }
    let arrays = columns.iter().map(|column| joined(&batches, *column)).collect();
    (Arc::clone(file.schema()), arrays)
}

/// One column of all batches.
pub fn joined(batches: &[RecordBatch], column: usize) -> ArrayRef {
    let arrays: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(column).as_ref()).collect();
    concat(&arrays).unwrap()
}

pub fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}
