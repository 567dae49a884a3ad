//! Footers: how they are read, and files that have none.

use super::object::FakeObject;
use super::{MIB, arrow_file, open, options, read_group, rows};
use arrow::array::*;
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use longshore_worker::decode::{DecodeError, ParquetFile, ReadOptions};
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

fn numbers(count: i32) -> RecordBatch {
    RecordBatch::try_from_iter([("n", Arc::new(Int32Array::from_iter_values(0..count)) as ArrayRef)]).unwrap()
}

fn refused(bytes: impl Into<Bytes>) -> String {
    let error = ParquetFile::open(FakeObject::new(bytes.into())).unwrap_err();
    assert_eq!(error.category(), "InvalidParquet");
    let told = error.to_string();
    assert!(told.starts_with("file s3://bucket/file.parquet: "), "{told}");
    told
}

#[test]
fn an_empty_object_says_so() {
    assert!(refused(Bytes::new()).contains("it has 0 bytes"));
    assert!(refused(&b"PAR1PAR"[..]).contains("it has 7 bytes"));
}

#[test]
fn a_truncated_file_is_refused_wherever_it_is_cut() {
    let whole = arrow_file(&[numbers(1000)], WriterProperties::builder());
    for length in 0..whole.len() {
        refused(whole.slice(..length));
    }
}

#[test]
fn files_that_are_not_parquet_are_refused() {
    assert!(refused(vec![b'x'; 1000]).contains("PAR1"));
    let whole = arrow_file(&[numbers(10)], WriterProperties::builder());
    let mut encrypted = whole.to_vec();
    let end = encrypted.len();
    encrypted[end - 4..].copy_from_slice(b"PARE");
    assert!(refused(encrypted).contains("encrypted"));
    for length in [0, u32::MAX, i32::MAX as u32, (end - 11) as u32] {
        let mut bad = whole.to_vec();
        bad[end - 8..end - 4].copy_from_slice(&length.to_le_bytes());
        assert!(refused(bad).contains("footer"), "{length}");
    }
}

#[test]
fn a_damaged_footer_is_refused_or_read_but_never_more() {
    let whole = arrow_file(&[numbers(100)], WriterProperties::builder());
    let length = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap()) as usize;
    let start = whole.len() - 8 - length;
    for at in start..whole.len() {
        for value in [0, 0xff, 0x7f, whole[at] ^ 1, whole[at] ^ 0x80] {
            let mut bad = whole.to_vec();
            bad[at] = value;
            super::damage::read_everything(bad.into()).ok();
        }
    }
}

#[test]
fn a_file_without_rows_is_read() {
    let schema = Arc::new(Schema::new(vec![numbers(1).schema().field(0).clone()]));
    let empty = RecordBatch::new_empty(schema);
    let file = open(&arrow_file(&[empty], WriterProperties::builder()));
    assert_eq!((file.total_rows(), file.schema().fields().len()), (0, 1));
    for group in 0..file.row_groups() {
        assert!(read_group(&file, group, &[0], &options()).unwrap().is_empty());
    }
}

#[test]
fn row_groups_are_numbered_and_counted() {
    let file = open(&arrow_file(&[numbers(10), numbers(5), numbers(7)], WriterProperties::builder()));
    assert_eq!((file.row_groups(), file.total_rows()), (3, 22));
    assert_eq!((file.first_row(0), file.first_row(1), file.first_row(2)), (0, 10, 15));
    assert_eq!((file.rows(1), file.rows(3)), (5, 0));
    assert!(file.column_bytes(0, &[0]) > 0);
    assert!(matches!(file.read(3, &[0], &options()), Err(DecodeError::InvalidParquet { .. })));
    assert!(matches!(file.read(0, &[1], &options()), Err(DecodeError::InvalidParquet { .. })));
    let counted = read_group(&file, 0, &[], &ReadOptions { batch_rows: 4, ..options() }).unwrap();
    assert_eq!((counted.len(), rows(&counted)), (3, 10));
}

#[test]
fn the_footer_takes_one_fetch_or_two_if_it_is_long() {
    let bytes = arrow_file(&[numbers(1_000_000)], WriterProperties::builder());
    let object = FakeObject::new(bytes.clone());
    ParquetFile::open(object.clone()).unwrap();
    let (size, fetches) = (bytes.len() as u64, object.take_fetches());
    assert!(fetches.len() == 1 && fetches[0] == (size - 64 * 1024..size), "{fetches:?}");

    let columns = (0..3000).map(|i| (format!("column_{i}"), Arc::new(Int32Array::from(vec![i])) as ArrayRef));
    let wide = arrow_file(&[RecordBatch::try_from_iter(columns).unwrap()], WriterProperties::builder());
    let object = FakeObject::new(wide);
    let file = ParquetFile::open(object.clone()).unwrap();
    assert_eq!(object.take_fetches().len(), 2);
    assert_eq!(object.held(), 0, "the footer is released");
    let all: Vec<usize> = (0..3000).collect();
    let small = ReadOptions { budget_bytes: 64 * MIB, ..options() };
    assert_eq!(rows(&read_group(&file, 0, &all, &small).unwrap()), 1);
}
