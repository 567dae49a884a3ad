//! Damaged ORC and Avro: an error that names the place, or rows; never a panic, a hang or memory without bound.

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{read_all, written};
use crate::decode::MIB;

const NAMES: [&str; 9] = [
    "rows.uncompressed.0.0.orc",
    "rows.zlib.1.0.orc",
    "rows.snappy.0.0.orc",
    "rows.lz4.1.0.orc",
    "rows.zstd.1.0.orc",
    "rows.old.orc",
    "rows.null.avro",
    "rows.deflate.avro",
    "rows.snappy.avro",
];

/// Reads the whole of a damaged file; false if it was refused.
pub fn survives(name: &str, bytes: &Bytes) -> bool {
    match read_all(name, bytes, 24 * MIB) {
        Ok(_) => true,
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("s3://bucket/file.parquet"), "{text}");
            let categories = [
                "InvalidFile",
                "InvalidParquet",
                "DamagedFile",
                "CorruptPage",
                "MemoryBudgetTooSmall",
                "UnsupportedType",
                "UnsupportedEncoding",
            ];
            assert!(categories.contains(&error.category()), "{text}");
            false
        }
    }
}

#[test]
fn flipped_bytes_end_in_an_error_or_in_rows() {
    let files = written("types");
    for (number, name) in NAMES.iter().enumerate() {
        let whole = &files[*name];
        assert!(survives(name, whole));
        let mut random = StdRng::seed_from_u64(number as u64);
        let mut refused = 0;
        for round in 0..60 {
            let mut bad = whole.to_vec();
            // Every second time at an end, where the footers and headers are.
            let near = if round % 2 == 0 { bad.len() } else { bad.len().min(3_000) };
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..near);
                let at = if name.ends_with("orc") { bad.len() - 1 - at } else { at };
                bad[at] = random.random();
            }
            refused += usize::from(!survives(name, &bad.into()));
        }
        assert!(refused > 10, "{name}: only {refused} refused");
    }
}

#[test]
fn cut_files_are_refused() {
    let files = written("types");
    for name in NAMES {
        let whole = &files[name];
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..30 {
            let cut = random.random_range(0..whole.len());
            let survived = survives(name, &whole.slice(..cut));
            // An Avro file that ends with a block is whole.
            assert!(!survived || name.ends_with("avro"), "{name} cut at {cut}");
        }
    }
}

#[test]
fn a_cut_avro_file_names_the_block_and_its_offset() {
    let files = written("types");
    let whole = &files["rows.null.avro"];
    let error = read_all("x.avro", &whole.slice(..whole.len() - 1), 24 * MIB).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("block at byte ") && text.contains("the file is cut off"), "{text}");
    let mut marker = whole.to_vec();
    let last = marker.len() - 1;
    marker[last] ^= 1;
    let text = read_all("x.avro", &marker.into(), 24 * MIB).unwrap_err().to_string();
    assert!(text.contains("the marker behind it is not that of the file"), "{text}");
}

#[test]
fn a_damaged_orc_column_is_named_and_another_is_not_met() {
    let files = written("types");
    let whole = &files["rows.uncompressed.0.0.orc"];
    let mut bad = whole.to_vec();
    // The first stream of data lies behind the index of the first stripe.
    let from = bad.len() / 20;
    bad[from..from + 4_000].fill(0xff);
    match read_all("x.orc", &bad.into(), 24 * MIB) {
        Ok(_) => panic!("damage was not seen"),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("stripe 0"), "{text}");
        }
    }
}

#[test]
fn bombs_and_huge_lengths_are_refused_before_memory_is_taken() {
    // A header of Avro, then a block that says that it has 2^40 bytes; and one with 2^40 records.
    let schema =
        br#"{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"array","items":"null"}}]}"#;
    let mut header = b"Obj\x01\x02\x16avro.schema".to_vec();
    let mut length = schema.len() * 2;
    while length >= 0x80 {
        header.push(length as u8 | 0x80);
        length >>= 7;
    }
    header.push(length as u8);
    header.extend_from_slice(schema);
    header.push(0);
    header.extend_from_slice(&[9; 16]);
    let huge = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    for block in [
        [&[2][..], &huge].concat(),
        [&huge[..], &[0]].concat(),
        // One record with a list of 2^40 nulls.
        [&[2, 16][..], &huge, &[0]].concat(),
    ] {
        let file = [&header[..], &block, &[9; 16]].concat();
        let error = read_all("x.avro", &file.into(), 24 * MIB).unwrap_err();
        assert!(error.to_string().contains("block at byte"), "{error}");
    }
    // A deflated block of zeros, a thousand times as long as it is stored.
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &vec![0; 200 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let mut file = b"Obj\x01\x04\x14avro.codec\x0edeflate\x16avro.schema\x0a\"int\"\x00".to_vec();
    file.extend_from_slice(&[9; 16]);
    file.push(2);
    let mut size = bomb.len() * 2;
    while size >= 0x80 {
        file.push(size as u8 | 0x80);
        size >>= 7;
    }
    file.push(size as u8);
    file.extend_from_slice(&bomb);
    file.extend_from_slice(&[9; 16]);
    let error = read_all("x.avro", &file.into(), 24 * MIB).unwrap_err();
    assert_eq!(error.category(), "MemoryBudgetTooSmall", "{error}");
}
