//! Damaged data: an error or rows, never a panic, a hang or an allocation out of bounds.

use super::object::FakeObject;
use super::{arrow_file, open, options, read_group, rows};
use arrow::array::*;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use longshore_worker::decode::{DecodeError, ParquetFile, ReadOptions};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;

/// Reads the whole of a damaged file; its rows, or the category of the error.
pub fn read_everything(bytes: Bytes) -> Result<usize, &'static str> {
    let file = ParquetFile::open(FakeObject::new(bytes)).map_err(|error| error.category())?;
    let columns: Vec<usize> = (0..file.schema().fields().len()).collect();
    let options = ReadOptions { dictionary_columns: columns.clone(), ..options() };
    let mut count = 0;
    for group in 0..file.row_groups() {
        let batches = read_group(&file, group, &columns, &options).map_err(|error| {
            assert!(error.to_string().contains("s3://bucket/file.parquet"), "{error}");
            error.category()
        })?;
        assert_eq!(rows(&batches) as u64, file.rows(group));
        count += rows(&batches);
    }
    Ok(count)
}

fn small() -> RecordBatch {
    let list = ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>(
        (0..300).map(|i| (i % 5 != 0).then(|| (0..i % 4).map(Some).collect::<Vec<_>>())),
    );
    RecordBatch::try_from_iter([
        (
            "number",
            Arc::new(Int64Array::from_iter((0..300).map(|i| (i % 7 != 0).then_some(i * i)))) as ArrayRef,
        ),
        ("text", Arc::new(StringArray::from_iter_values((0..300).map(|i| format!("value {}", i % 40)))) as _),
        (
            "long",
            Arc::new(StringArray::from_iter_values((0..300).map(|i| format!("{i}: {}", "x".repeat(i % 30)))))
                as _,
        ),
        ("list", Arc::new(list) as _),
        ("flag", Arc::new(BooleanArray::from_iter((0..300).map(|i| Some(i % 3 == 0)))) as _),
    ])
    .unwrap()
}

fn variants() -> Vec<WriterPropertiesBuilder> {
    let builder = || WriterProperties::builder().set_data_page_row_count_limit(100);
    vec![
        builder(),
        builder().set_compression(Compression::SNAPPY),
        builder().set_compression(Compression::ZSTD(ZstdLevel::default())),
        builder().set_writer_version(WriterVersion::PARQUET_2_0).set_compression(Compression::LZ4_RAW),
        builder()
            .set_dictionary_enabled(false)
            .set_column_encoding(ColumnPath::from("number"), Encoding::DELTA_BINARY_PACKED)
            .set_column_encoding(ColumnPath::from("text"), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_encoding(ColumnPath::from("long"), Encoding::DELTA_BYTE_ARRAY),
    ]
}

#[test]
fn flipped_bytes_end_in_an_error_or_in_rows() {
    for (number, properties) in variants().into_iter().enumerate() {
        let whole = arrow_file(&[small()], properties);
        assert_eq!(read_everything(whole.clone()), Ok(300));
        let mut random = StdRng::seed_from_u64(number as u64);
        let mut refused = 0;
        for _ in 0..400 {
            let mut bad = whole.to_vec();
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(4..bad.len());
                bad[at] = random.random();
            }
            refused += usize::from(read_everything(bad.into()).is_err());
        }
        assert!(refused > 50, "variant {number}: only {refused} refused");
    }
}

/// Where the first data of a file begins: behind the magic.
const FIRST_PAGE: usize = 4;

#[test]
fn a_damaged_page_names_its_column_and_what_to_do() {
    let whole = arrow_file(&[small()], WriterProperties::builder().set_compression(Compression::SNAPPY));
    let mut bad = whole.to_vec();
    bad[FIRST_PAGE..FIRST_PAGE + 200].fill(0xee);
    let error = read_group(&open(&bad.into()), 0, &[1, 0], &options()).unwrap_err();
    assert_eq!(error.category(), "CorruptPage");
    let told = error.to_string();
    assert!(
        told.contains("row group 0, column \"number\"") && told.contains("write the file again"),
        "{told}"
    );
}

#[test]
fn a_damaged_page_of_another_column_is_not_met() {
    let whole = arrow_file(&[small()], WriterProperties::builder());
    let mut bad = whole.to_vec();
    bad[FIRST_PAGE..FIRST_PAGE + 100].fill(0xee);
    assert_eq!(rows(&read_group(&open(&bad.into()), 0, &[1, 2, 3, 4], &options()).unwrap()), 300);
}

/// A page header with these sizes, then `rest`.
fn header(kind: u8, uncompressed: i32, compressed: i32, crc: Option<i32>, details: &[u8]) -> Vec<u8> {
    let zigzag = |value: i32, out: &mut Vec<u8>| {
        let mut value = ((value << 1) ^ (value >> 31)) as u32;
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    };
    let mut out = vec![0x15];
    zigzag(i32::from(kind), &mut out);
    out.push(0x15);
    zigzag(uncompressed, &mut out);
    out.push(0x15);
    zigzag(compressed, &mut out);
    let mut delta = 0x2c;
    if let Some(crc) = crc {
        out.push(0x15);
        zigzag(crc, &mut out);
        delta = 0x1c;
    }
    out.push(delta);
    out.extend_from_slice(details);
    out.extend_from_slice(&[0, 0]);
    out
}

/// PLAIN, 3 values, levels as RLE.
const THREE_PLAIN: [u8; 8] = [0x15, 6, 0x15, 0, 0x15, 6, 0x15, 6];

/// A file of one required INT32 column whose chunk is `pages`.
fn file_of(pages: &[u8], uncompressed: i64, codec: Compression) -> Bytes {
    use parquet::file::metadata::*;
    use parquet::schema::parser::parse_message_type;
    use parquet::schema::types::SchemaDescriptor;
    let schema = Arc::new(SchemaDescriptor::new(Arc::new(
        parse_message_type("message m { required int32 c; }").unwrap(),
    )));
    let chunk = ColumnChunkMetaData::builder(schema.column(0))
        .set_compression(codec)
        .set_encodings(vec![Encoding::PLAIN])
        .set_num_values(3)
        .set_data_page_offset(4)
        .set_total_compressed_size(pages.len() as i64)
        .set_total_uncompressed_size(uncompressed)
        .build()
        .unwrap();
    let group = RowGroupMetaData::builder(Arc::clone(&schema))
        .set_num_rows(3)
        .set_total_byte_size(uncompressed)
        .add_column_metadata(chunk)
        .build()
        .unwrap();
    let file = FileMetaData::new(1, 3, None, None, schema, None);
    let metadata = ParquetMetaDataBuilder::new(file).add_row_group(group).build();
    let mut bytes = b"PAR1".to_vec();
    bytes.extend_from_slice(pages);
    ParquetMetaDataWriter::new(&mut bytes, &metadata).finish().unwrap();
    bytes.into()
}

fn page(uncompressed: i32, compressed: i32, crc: Option<i32>, body: &[u8]) -> Vec<u8> {
    let mut page = header(0, uncompressed, compressed, crc, &THREE_PLAIN);
    page.extend_from_slice(body);
    page
}

const BODY: [u8; 12] = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0];

#[test]
fn checksums_are_compared_where_there_are_some() {
    let right = crc32fast::hash(&BODY) as i32;
    for crc in [None, Some(right)] {
        assert_eq!(read_everything(file_of(&page(12, 12, crc, &BODY), 12, Compression::UNCOMPRESSED)), Ok(3));
    }
    let bad = file_of(&page(12, 12, Some(right ^ 1), &BODY), 12, Compression::UNCOMPRESSED);
    let error = read_group(&open(&bad), 0, &[0], &options()).unwrap_err();
    assert!(
        matches!(&error, DecodeError::CorruptPage { reason, .. } if reason.contains("checksum")),
        "{error}"
    );
}

#[test]
fn a_page_that_claims_too_much_takes_no_memory() {
    let cases = [
        (page(i32::MAX, 12, None, &BODY), Compression::SNAPPY, "claims"),
        (page(12, i32::MAX, None, &BODY), Compression::SNAPPY, "ends behind its column"),
        (page(12, 13, None, &BODY), Compression::UNCOMPRESSED, "ends behind its column"),
        (page(-1, 12, None, &BODY), Compression::SNAPPY, "no page header"),
        (vec![0xff; 40], Compression::SNAPPY, "no page header"),
        (page(12, 12, None, &BODY)[..9].to_vec(), Compression::SNAPPY, "no page header"),
    ];
    for (pages, codec, word) in cases {
        let error = read_group(&open(&file_of(&pages, 12, codec)), 0, &[0], &options()).unwrap_err();
        assert!(
            matches!(&error, DecodeError::CorruptPage { reason, .. } if reason.contains(word)),
            "{error}"
        );
    }
}

#[test]
fn too_few_or_too_many_rows_are_an_error() {
    let two = file_of(
        &[page(12, 12, None, &BODY), page(12, 12, None, &BODY)].concat(),
        24,
        Compression::UNCOMPRESSED,
    );
    let error = read_group(&open(&two), 0, &[0], &options()).unwrap_err();
    assert!(
        matches!(&error, DecodeError::CorruptPage { reason, .. } if reason.contains("6 rows")),
        "{error}"
    );
    let none = file_of(&[], 0, Compression::UNCOMPRESSED);
    let error = read_group(&open(&none), 0, &[0], &options()).unwrap_err();
    assert!(
        matches!(&error, DecodeError::CorruptPage { reason, .. } if reason.contains("0 rows")),
        "{error}"
    );
}

#[test]
fn an_encoding_that_is_not_known_is_refused_by_name() {
    let mut unknown = header(0, 12, 12, None, &[0x15, 6, 0x15, 84, 0x15, 6, 0x15, 6]);
    unknown.extend_from_slice(&BODY);
    let error = read_group(&open(&file_of(&unknown, 12, Compression::UNCOMPRESSED)), 0, &[0], &options())
        .unwrap_err();
    assert_eq!(error.category(), "UnsupportedEncoding");
    assert!(error.to_string().contains("encoding number 42"), "{error}");
}
