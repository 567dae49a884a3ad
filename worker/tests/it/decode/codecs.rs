//! All codecs and encodings give the same values.

use super::{arrow_file, read_all};
use arrow::array::*;
use arrow::record_batch::RecordBatch;
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use std::sync::Arc;

fn batch() -> RecordBatch {
    let rows = 5000;
    RecordBatch::try_from_iter([
        (
            "number",
            Arc::new(Int64Array::from_iter((0..rows).map(|i| (i % 7 != 0).then_some(i * 31)))) as ArrayRef,
        ),
        (
            "text",
            Arc::new(StringArray::from_iter((0..rows).map(|i| Some(format!("value {}", i % 900))))) as _,
        ),
        ("flag", Arc::new(BooleanArray::from_iter((0..rows).map(|i| Some(i % 3 == 0)))) as _),
        ("real", Arc::new(Float64Array::from_iter((0..rows).map(|i| Some(i as f64 / 3.0)))) as _),
    ])
    .unwrap()
}

fn check(properties: parquet::file::properties::WriterPropertiesBuilder, what: &str) {
    let batch = batch();
    let (_, arrays) = read_all(&arrow_file(std::slice::from_ref(&batch), properties));
    assert_eq!(arrays.as_slice(), batch.columns(), "{what}");
}

#[test]
fn a42_all_codecs_are_read() {
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for codec in codecs {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let properties = WriterProperties::builder().set_compression(codec).set_writer_version(version);
            check(properties, &format!("{codec} {version:?}"));
        }
    }
}

#[test]
fn a42_all_encodings_are_read() {
    let encodings = [
        ("text", Encoding::PLAIN),
        ("text", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("text", Encoding::DELTA_BYTE_ARRAY),
        ("number", Encoding::PLAIN),
        ("number", Encoding::DELTA_BINARY_PACKED),
        ("number", Encoding::BYTE_STREAM_SPLIT),
        ("real", Encoding::BYTE_STREAM_SPLIT),
        ("flag", Encoding::RLE),
    ];
    for (column, encoding) in encodings {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let properties = WriterProperties::builder()
                .set_writer_version(version)
                .set_dictionary_enabled(false)
                .set_data_page_row_count_limit(777)
                .set_column_encoding(ColumnPath::from(column), encoding);
            check(properties, &format!("{column} {encoding} {version:?}"));
        }
    }
}
