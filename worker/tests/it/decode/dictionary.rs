//! Text as dictionaries, where the file holds it so.

use super::{arrow_file, joined, open, options, read_group, rows};
use arrow::array::*;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use arrow::record_batch::RecordBatch;
use longshore_worker::decode::ReadOptions;
use parquet::file::properties::{WriterProperties, WriterVersion};
use std::sync::Arc;

fn texts(distinct: usize) -> RecordBatch {
    let text =
        StringArray::from_iter((0..20_000).map(|i| (i % 11 != 0).then(|| format!("value {}", i % distinct))));
    let number = Int32Array::from_iter_values(0..20_000);
    RecordBatch::try_from_iter([("text", Arc::new(text) as ArrayRef), ("number", Arc::new(number) as _)])
        .unwrap()
}

fn dictionaries() -> ReadOptions {
    ReadOptions { dictionary_columns: vec![0, 1], ..options() }
}

#[test]
fn text_whose_pages_are_all_dictionary_encoded_stays_a_dictionary() {
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let batch = texts(50);
        let properties =
            WriterProperties::builder().set_writer_version(version).set_data_page_row_count_limit(3000);
        let file = open(&arrow_file(std::slice::from_ref(&batch), properties));
        let reader = file.read(0, &[0, 1], &dictionaries()).unwrap();
        let expected = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        assert_eq!(reader.schema().field(0).data_type(), &expected);
        assert_eq!(reader.schema().field(1).data_type(), &DataType::Int32);
        let batches: Vec<_> = reader.collect::<Result<_, _>>().unwrap();
        assert_eq!(rows(&batches), 20_000);
        let first = batches[0].column(0).as_dictionary::<Int32Type>();
        let last = batches[19].column(0).as_dictionary::<Int32Type>();
        assert_eq!(first.values().len(), 50);
        assert!(first.values().to_data().ptr_eq(&last.values().to_data()), "one dictionary for all batches");
        let text: Vec<ArrayRef> =
            batches.iter().map(|batch| cast(batch.column(0), &DataType::Utf8).unwrap()).collect();
        let text: Vec<&dyn Array> = text.iter().map(AsRef::as_ref).collect();
        assert_eq!(&arrow::compute::concat(&text).unwrap(), batch.column(0));
    }
}

#[test]
fn text_that_fell_back_to_plain_pages_is_given_as_text() {
    let batch = texts(15_000);
    let properties =
        WriterProperties::builder().set_dictionary_page_size_limit(2000).set_data_page_size_limit(5000);
    let file = open(&arrow_file(std::slice::from_ref(&batch), properties));
    let reader = file.read(0, &[0], &dictionaries()).unwrap();
    assert_eq!(reader.schema().field(0).data_type(), &DataType::Utf8);
    let batches: Vec<_> = reader.collect::<Result<_, _>>().unwrap();
    assert_eq!(&joined(&batches, 0), batch.column(0));
    let plain = arrow_file(&[texts(5)], WriterProperties::builder().set_dictionary_enabled(false));
    let batches = read_group(&open(&plain), 0, &[0], &dictionaries()).unwrap();
    assert_eq!(batches[0].column(0).data_type(), &DataType::Utf8);
}
