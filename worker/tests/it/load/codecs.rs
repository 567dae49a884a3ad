//! Compressed text end to end, and streams that are cut or lie.

use std::io::Write;

use longshore_crds::format::{CsvOptions, Format};
use longshore_crds::{LoadReport, Outcome};

use crate::world::{World, column, definition};

const ROWS: usize = 30_000;

fn world() -> World {
    World::with_table(&definition(vec![column("id", "INT"), column("v", "STRING")]))
}

fn text() -> String {
    (0..ROWS).map(|row| format!("{row}\tvalue {}\n", row * 7919 % 1013)).collect()
}

/// The block format of Hadoop's codecs.
fn hadoop(text: &[u8], compress: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut file = Vec::new();
    for block in text.chunks(256 << 10) {
        file.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
        for chunk in block.chunks(100 << 10) {
            let compressed = compress(chunk);
            file.extend(u32::try_from(compressed.len()).unwrap().to_be_bytes());
            file.extend(compressed);
        }
    }
    file
}

/// The same text in each codec and form that is read.
pub fn compressed(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let level = flate2::Compression::default();
    let gzip = |text: &[u8]| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), level);
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    };
    let bzip2 = |text: &[u8]| {
        let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    };
    let lz4 = |text: &[u8]| {
        let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    };
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), level);
    zlib.write_all(text).unwrap();
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), level);
    deflate.write_all(text).unwrap();
    let mut snappy = snap::write::FrameEncoder::new(Vec::new());
    snappy.write_all(text).unwrap();
    let (a, b) = text.split_at(text.len() / 3);
    let zstd = |text: &[u8]| zstd::stream::encode_all(text, 3).unwrap();
    vec![
        ("a.csv.gz", gzip(text)),
        ("members.csv.gz", [gzip(a), gzip(b)].concat()),
        ("a.csv.bz2", bzip2(text)),
        ("streams.csv.bz2", [bzip2(a), bzip2(b)].concat()),
        ("a.csv.zst", zstd(text)),
        ("frames.csv.zst", [zstd(a), zstd(b)].concat()),
        ("a.csv.lz4", lz4(text)),
        ("frames.csv.lz4", [lz4(a), lz4(b)].concat()),
        ("hadoop.csv.lz4", hadoop(text, lz4_flex::block::compress)),
        ("zlib.csv.deflate", zlib.finish().unwrap()),
        ("raw.csv.deflate", deflate.finish().unwrap()),
        ("framed.csv.snappy", snappy.into_inner().unwrap()),
        ("hadoop.csv.snappy", hadoop(text, |chunk| snap::raw::Encoder::new().compress_vec(chunk).unwrap())),
    ]
}

fn load(key: &str, bytes: &[u8], ratio: &str) -> (World, LoadReport) {
    let world = world();
    world.put(key, bytes);
    let mut request = world.request("load", key);
    request.max_filter_ratio = ratio.to_owned();
    let report = world.load(request);
    (world, report)
}

#[test]
fn a21_every_codec_gives_the_rows_of_the_plain_file() {
    let text = text();
    let (plain, _) = load("a.csv", text.as_bytes(), "0");
    let expected = (plain.sorted("id"), plain.sorted("v"));
    for (key, bytes) in compressed(text.as_bytes()) {
        let (world, report) = load(key, &bytes, "0");
        assert_eq!(report.outcome, Outcome::Loaded, "{key}: {report:?}");
        assert_eq!((world.sorted("id"), world.sorted("v")), expected, "{key}");
        assert_eq!(report.counts.scan_bytes, bytes.len() as u64, "{key}");
    }
}

#[test]
fn a21_a_cut_stream_fails_and_loads_nothing() {
    let text = text();
    for (key, bytes) in compressed(text.as_bytes()) {
        if key == "framed.csv.snappy" {
            // The format has no end mark: a cut between two chunks cannot be seen, all others are.
            let (_, report) = load(key, &bytes[..bytes.len() - 1], "1");
            assert_ne!(report.outcome, Outcome::Loaded, "{key}");
            continue;
        }
        for cut in [bytes.len() - 1, bytes.len() - 7, bytes.len() * 3 / 4] {
            let (world, report) = load(key, &bytes[..cut], "1");
            assert_ne!(report.outcome, Outcome::Loaded, "{key} cut at {cut}: {report:?}");
            assert!(report.message.contains(key) && report.message.contains("byte "), "{}", report.message);
            assert_eq!(world.row_count(), 0);
        }
    }
}

#[test]
fn a_bomb_is_read_in_constant_memory() {
    // 512 MiB of zeros in half a megabyte: no record ever ends.
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![b'0'; 1 << 20];
    for _ in 0..512 {
        writer.write_all(&zeros).unwrap();
    }
    writer.write_all(b"\n1\tx\n").unwrap();
    let world = world();
    world.put("a.csv.gz", writer.finish().unwrap());
    let mut request = world.request("load", "a.csv.gz");
    request.max_filter_ratio = "1".to_owned();
    request.sources[0].format =
        Some(Format::Csv(CsvOptions { max_record_bytes: 1 << 20, ..CsvOptions::default() }));
    let report = world.load(request);
    assert_eq!((report.counts.sink_rows, report.counts.filtered_rows), (1, 1), "{report:?}");
}
