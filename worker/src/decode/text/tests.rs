//! Streams of every codec: whole, cut at each offset, damaged.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::codec::Codec;
use super::cutter::{BlockCutter, Cut};
use super::split::LineSplitter;
use super::stream::{StreamLimits, TextStream};
use crate::decode::DecodeError;
use crate::source::{PendingBytes, ReadObject};

struct Memory(Bytes);

impl ReadObject for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn fetch(&self, range: Range<u64>) -> PendingBytes {
        PendingBytes::ready(Ok(self.0.slice(range.start as usize..range.end as usize)))
    }
}

fn stream(bytes: &[u8], codec: Codec) -> TextStream {
    let object: Arc<dyn ReadObject> = Arc::new(Memory(Bytes::copy_from_slice(bytes)));
    TextStream::open(&object, codec, StreamLimits { range_bytes: 7, window_bytes: 8 << 20 })
}

fn read(bytes: &[u8], codec: Codec) -> Result<Vec<u8>, DecodeError> {
    let mut stream = stream(bytes, codec);
    let (mut text, mut buffer) = (Vec::new(), [0; 100]);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(text),
            read => text.extend_from_slice(&buffer[..read]),
        }
        assert!(text.len() < 64 << 20, "a small stream has no end");
    }
}

fn compress(text: &[u8], codec: Codec) -> Vec<u8> {
    let level = flate2::Compression::default();
    match codec {
        Codec::None => text.to_vec(),
        Codec::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), level);
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        Codec::Bzip2 => {
            let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        Codec::Zstd => zstd::stream::encode_all(text, 1).unwrap(),
        Codec::Lz4 => {
            let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        Codec::Deflate => {
            let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), level);
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        Codec::Snappy => {
            let mut writer = snap::write::FrameEncoder::new(Vec::new());
            writer.write_all(text).unwrap();
            writer.into_inner().unwrap()
        }
    }
}

const COMPRESSED: [Codec; 6] =
    [Codec::Gzip, Codec::Bzip2, Codec::Zstd, Codec::Lz4, Codec::Deflate, Codec::Snappy];

fn sample() -> Vec<u8> {
    (0..200).map(|row| format!("{row}\tvalue {}\n", row * 31 % 17)).collect::<String>().into_bytes()
}

#[test]
fn a21_streams_in_a_row_are_one_text() {
    let text = sample();
    for codec in COMPRESSED {
        let twice = [compress(&text, codec), compress(&text, codec)].concat();
        let read = read(&twice, codec);
        if codec == Codec::Deflate {
            assert!(read.is_err(), "what follows a zlib stream is no text");
        } else {
            assert_eq!(read.unwrap(), [&text[..], &text[..]].concat(), "{codec:?}");
        }
        assert_eq!(self::read(&compress(b"", codec), codec).unwrap(), b"", "{codec:?}");
        assert_eq!(self::read(b"", codec).unwrap(), b"", "{codec:?}");
    }
}

#[test]
fn a21_a_stream_cut_anywhere_is_an_error() {
    let text = sample();
    for codec in COMPRESSED {
        let whole = compress(&text, codec);
        for length in 1..whole.len() {
            match read(&whole[..length], codec) {
                Err(DecodeError::Damaged { file, place, .. }) => {
                    assert!(file == "memory" && place.starts_with("byte "));
                }
                // Framed snappy has no end mark: its ten bytes of identifier alone are an empty text.
                Ok(text) if codec == Codec::Snappy => assert!(text.is_empty() && length == 10, "{length}"),
                other => panic!("{codec:?} cut at {length}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_window_above_the_memory_is_refused() {
    // A frame header that asks for a window of 2 GiB.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
    assert!(matches!(read(&frame, Codec::Zstd), Err(DecodeError::Damaged { .. })));
}

#[test]
fn the_mark_is_dropped_and_other_kinds_are_named() {
    assert_eq!(read(b"\xef\xbb\xbfa\tb\n", Codec::None).unwrap(), b"a\tb\n");
    assert_eq!(read(&compress(b"\xef\xbb\xbf", Codec::Gzip), Codec::Gzip).unwrap(), b"");
    let zipped = compress(b"abc", Codec::Gzip);
    assert!(
        matches!(read(&zipped, Codec::None), Err(DecodeError::WrongFormat { found, .. }) if found.contains("gzip"))
    );
    assert!(read(b"a\tb\n", Codec::Gzip).is_err());
}

/// The blocks of a text, and what was too long.
fn cut(text: &[u8], block: usize, longest: u64) -> (Vec<u8>, Vec<(u64, u64, u64)>) {
    let stream = stream(text, Codec::None);
    let splitter = Box::new(LineSplitter::new(b'\n'));
    let mut cutter = BlockCutter::new(stream, splitter, longest).with_block_bytes(block);
    let (mut kept, mut long, mut offset) = (Vec::new(), Vec::new(), 0);
    while let Some(cut) = cutter.next_cut().unwrap() {
        match cut {
            Cut::Block(block) => {
                assert_eq!(block.offset, offset);
                assert_eq!(
                    block.number,
                    1 + memchr::memchr_iter(b'\n', &text[..offset as usize]).count() as u64
                );
                offset += block.bytes.len() as u64;
                kept.extend_from_slice(&block.bytes);
            }
            Cut::TooLong { number, offset: at, length, .. } => {
                assert_eq!(at, offset);
                offset += length;
                long.push((number, at, length));
            }
        }
    }
    assert_eq!(offset, text.len() as u64, "no byte is lost");
    (kept, long)
}

#[test]
fn records_are_skipped_one_by_one() {
    for (skip, expected) in [(0, "a\n\nb\nc"), (1, "\nb\nc"), (3, "c"), (4, ""), (9, "")] {
        let splitter = Box::new(LineSplitter::new(b'\n'));
        let mut cutter =
            BlockCutter::new(stream(b"a\n\nb\nc", Codec::None), splitter, 100).with_block_bytes(2);
        cutter.skip(skip).unwrap();
        let mut rest = Vec::new();
        while let Some(Cut::Block(block)) = cutter.next_cut().unwrap() {
            rest.extend_from_slice(&block.bytes);
        }
        assert_eq!(String::from_utf8(rest).unwrap(), expected, "{skip}");
    }
}

proptest! {
    #![proptest_config(crate::decode::fuzz::config(64))]

    #[test]
    fn fuzz_damaged_streams_end(
        text in "[a-z\n]{0,300}", which in 0..6usize, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let codec = COMPRESSED[which];
        let mut bytes = compress(text.as_bytes(), codec);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        read(&bytes, codec).ok();
        // As if it were something else, too.
        read(&bytes, COMPRESSED[(which + 1) % 6]).ok();
    }

    #[test]
    fn fuzz_any_bytes_as_a_stream(bytes in prop::collection::vec(any::<u8>(), 0..200), which in 0..6usize) {
        read(&bytes, COMPRESSED[which]).ok();
    }

    #[test]
    fn fuzz_no_byte_is_lost_between_blocks(text in "[a\n]{0,200}", block in 1usize..40, longest in 1u64..30) {
        let (kept, long) = cut(text.as_bytes(), block, longest);
        let lost: u64 = long.iter().map(|(_, _, length)| length).sum();
        prop_assert_eq!(kept.len() as u64 + lost, text.len() as u64);
        for (number, at, length) in long {
            prop_assert!(length > longest);
            prop_assert_eq!(number, 1 + text[..at as usize].matches('\n').count() as u64);
        }
    }
}
