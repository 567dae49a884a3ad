//! Files of thousands of columns.

use super::object::FakeObject;
use super::{MIB, arrow_file, joined, options, rows};
use arrow::array::*;
use arrow::datatypes::Int32Type;
use arrow::record_batch::RecordBatch;
use longshore_worker::decode::{ParquetFile, ReadOptions};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

fn wide(columns: i64, count: i64) -> RecordBatch {
    let column = |i: i64| -> ArrayRef {
        match i % 4 {
            0 => Arc::new(Int64Array::from_iter(
                (0..count).map(|row| (row % 9 != 0).then_some(row * 7919 + i)),
            )),
            1 => {
                Arc::new(StringArray::from_iter_values((0..count).map(|row| format!("{} of {i}", row % 100))))
            }
            2 => Arc::new(Float64Array::from_iter_values((0..count).map(|row| (row * i) as f64))),
            _ => Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(
                (0..count).map(|row| Some((0..row as i32 % 3).map(Some))),
            )),
        }
    };
    RecordBatch::try_from_iter((0..columns).map(|i| (format!("column_{i}"), column(i)))).unwrap()
}

#[test]
fn two_thousand_columns_are_decoded_within_64_mib() {
    let batch = wide(2000, 6000);
    let properties =
        WriterProperties::builder().set_compression(Compression::SNAPPY).set_data_page_row_count_limit(2500);
    let object = FakeObject::new(arrow_file(std::slice::from_ref(&batch), properties));
    let file = ParquetFile::open(object.clone()).unwrap();
    let columns: Vec<usize> = (0..2000).collect();
    let options = ReadOptions { budget_bytes: 64 * MIB, batch_rows: 16_384, ..options() };
    object.take_fetches();
    object.take_peak();
    let batches: Vec<_> = file.read(0, &columns, &options).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(object.take_peak() <= 64 * MIB as u64);
    assert_eq!(object.held(), 0);
    assert_eq!(rows(&batches), 6000);
    assert!(batches.len() > 1, "batches are cut smaller");
    for column in 0..2000 {
        assert_eq!(&joined(&batches, column), batch.column(column), "column {column}");
    }
}

#[test]
fn slices_begin_again_at_the_page_of_the_batch() {
    let batch = wide(40, 50_000);
    for dictionary in [true, false] {
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(dictionary)
            .set_compression(Compression::SNAPPY)
            .set_data_page_row_count_limit(1000);
        let object = FakeObject::new(arrow_file(std::slice::from_ref(&batch), properties));
        let file = ParquetFile::open(object.clone()).unwrap();
        let flat: Vec<usize> = (0..40).filter(|column| column % 4 != 3).collect();
        let options = ReadOptions { budget_bytes: 2 * MIB, batch_rows: 3333, ..options() };
        object.take_fetches();
        object.take_peak();
        let batches: Vec<_> = file.read(0, &flat, &options).unwrap().collect::<Result<_, _>>().unwrap();
        for (at, column) in flat.iter().enumerate() {
            assert_eq!(&joined(&batches, at), batch.column(*column), "column {column}");
        }
        assert!(object.take_peak() <= 2 * MIB as u64);
        let fetched: u64 = object.take_fetches().iter().map(|range| range.end - range.start).sum();
        let bytes = file.column_bytes(0, &flat);
        // A dictionary of many values is read again for every batch: no bound holds with it.
        assert!(dictionary || fetched < 4 * bytes, "{fetched} bytes fetched of {bytes}");
    }
}
