//! What is fetched, and how much of it is held at once.

use super::object::FakeObject;
use super::{MIB, arrow_file, joined, options, rows};
use arrow::array::*;
use arrow::record_batch::RecordBatch;
use longshore_worker::decode::{DecodeError, ParquetFile, ReadOptions};
use parquet::basic::Compression;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;

/// Four columns of numbers that do not compress: 8 bytes a value.
fn noise(count: usize) -> RecordBatch {
    let mut random = StdRng::seed_from_u64(1);
    let mut column =
        || Arc::new(Int64Array::from_iter_values((0..count).map(|_| random.random()))) as ArrayRef;
    RecordBatch::try_from_iter([("a", column()), ("b", column()), ("c", column()), ("d", column())]).unwrap()
}

fn plain(codec: Compression) -> WriterPropertiesBuilder {
    WriterProperties::builder().set_dictionary_enabled(false).set_compression(codec)
}

fn within(budget_bytes: usize) -> ReadOptions {
    ReadOptions { batch_rows: 8192, budget_bytes, ..options() }
}

#[test]
fn a_row_group_that_fits_is_fetched_in_few_large_ranges_before_it_is_read() {
    let batch = noise(400_000);
    let object = FakeObject::new(arrow_file(&[batch], plain(Compression::SNAPPY)));
    let file = ParquetFile::open(object.clone()).unwrap();
    object.take_fetches();
    let reader = file.read(0, &[0, 1, 2, 3], &within(64 * MIB)).unwrap();
    let fetches = object.take_fetches();
    assert!(fetches.len() <= 4, "{fetches:?}");
    assert!(fetches.iter().all(|range| range.end - range.start <= 8 * MIB as u64));
    let batches: Vec<_> = reader.collect::<Result<_, _>>().unwrap();
    assert_eq!(rows(&batches), 400_000);
    assert!(object.take_fetches().is_empty(), "all was asked for when the reader was made");
}

#[test]
fn columns_that_are_not_asked_for_are_not_fetched() {
    let batch = noise(200_000);
    let object = FakeObject::new(arrow_file(&[batch], plain(Compression::SNAPPY)));
    let file = ParquetFile::open(object.clone()).unwrap();
    for budget in [64 * MIB, 5 * MIB, 3 * MIB] {
        object.take_fetches();
        let batches: Vec<_> = file.read(0, &[2], &within(budget)).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows(&batches), 200_000);
        let fetched: u64 = object.take_fetches().iter().map(|range| range.end - range.start).sum();
        assert_eq!(fetched, file.column_bytes(0, &[2]), "budget {budget}");
    }
}

#[test]
fn the_budget_bounds_what_is_held() {
    let batch = noise(600_000);
    for codec in [Compression::SNAPPY, Compression::UNCOMPRESSED] {
        let object = FakeObject::new(arrow_file(std::slice::from_ref(&batch), plain(codec)));
        let file = ParquetFile::open(object.clone()).unwrap();
        for budget in [16 * MIB, 8 * MIB, 6 * MIB, 2 * MIB] {
            object.take_peak();
            let mut batches = Vec::new();
            for next in file.read(0, &[0, 1, 2, 3], &within(budget)).unwrap() {
                batches.push(next.unwrap());
            }
            assert!(object.take_peak() <= budget as u64, "{codec} {budget}");
            for column in 0..4 {
                assert_eq!(&joined(&batches, column), batch.column(column), "{codec} {budget}");
            }
            assert_eq!(object.held(), 0);
        }
    }
}

#[test]
fn a_reader_that_is_dropped_gives_all_back() {
    let object = FakeObject::new(arrow_file(&[noise(200_000)], plain(Compression::SNAPPY)));
    let file = ParquetFile::open(object.clone()).unwrap();
    let mut reader = file.read(0, &[0, 1], &within(64 * MIB)).unwrap();
    reader.next().unwrap().unwrap();
    assert!(object.held() > 0);
    drop(reader);
    assert_eq!(object.held(), 0);
}

#[test]
fn the_next_row_group_is_read_ahead_by_making_its_reader() {
    let object = FakeObject::new(arrow_file(&[noise(50_000), noise(50_000)], plain(Compression::SNAPPY)));
    let file = ParquetFile::open(object.clone()).unwrap();
    let first = file.read(0, &[0], &within(16 * MIB)).unwrap();
    object.take_fetches();
    let second = file.read(1, &[0], &within(16 * MIB)).unwrap();
    assert_eq!(object.take_fetches().len(), 1);
    assert_eq!(first.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 50_000);
    assert_eq!(second.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 50_000);
}

#[test]
fn pages_across_windows_are_stitched() {
    // Pages of about 100 kB and windows of 64 KiB: hardly a page lies in one window.
    let batch = noise(300_000);
    let properties = plain(Compression::SNAPPY).set_data_page_row_count_limit(12_345);
    let object = FakeObject::new(arrow_file(std::slice::from_ref(&batch), properties));
    let file = ParquetFile::open(object.clone()).unwrap();
    object.take_fetches();
    let batches: Vec<_> =
        file.read(0, &[0, 1, 2, 3], &within(6 * MIB)).unwrap().collect::<Result<_, _>>().unwrap();
    for column in 0..4 {
        assert_eq!(&joined(&batches, column), batch.column(column));
    }
    let fetches = object.take_fetches();
    assert!(fetches.len() > 40, "{} fetches", fetches.len());
}

#[test]
fn a_dictionary_above_the_budget_fails_before_any_row() {
    let text =
        StringArray::from_iter_values((0..100_000).map(|i| format!("a rather long value, number {i}")));
    let batch = RecordBatch::try_from_iter([("text", Arc::new(text) as ArrayRef)]).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_page_size_limit(100 * MIB)
        .set_data_page_row_count_limit(1000);
    let object = FakeObject::new(arrow_file(&[batch], properties));
    let file = ParquetFile::open(object).unwrap();
    for budget in [100_000, 2 * MIB] {
        let error = match file.read(0, &[0], &within(budget)) {
            Ok(mut reader) => reader.next().unwrap().unwrap_err(),
            Err(error) => error,
        };
        let told = error.to_string();
        let DecodeError::MemoryBudgetTooSmall { needed, row_group: 0, .. } = error else { panic!("{told}") };
        assert!(needed > budget as u64 / 2, "{told}");
        assert!(told.contains("s3://bucket/file.parquet") && told.contains("\"text\""), "{told}");
    }
    let batches: Vec<_> = file.read(0, &[0], &within(16 * MIB)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows(&batches), 100_000);
}

#[test]
fn a_single_page_above_the_budget_is_an_error_of_the_budget() {
    let properties = plain(Compression::SNAPPY)
        .set_data_page_size_limit(100 * MIB)
        .set_data_page_row_count_limit(10_000_000)
        .set_write_batch_size(1_000_000);
    let object = FakeObject::new(arrow_file(&[noise(500_000)], properties));
    let file = ParquetFile::open(object).unwrap();
    let error = file.read(0, &[0], &within(3 * MIB)).unwrap().next().unwrap().unwrap_err();
    assert!(matches!(error, DecodeError::MemoryBudgetTooSmall { needed: 4_000_000.., .. }), "{error}");
    // Larger than the usual page, but it fits once columns are read one after the other.
    let batches: Vec<_> =
        file.read(0, &[0, 1, 2, 3], &within(10 * MIB)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows(&batches), 500_000);
}
