//! How the streams of a file are compressed: in blocks, each behind a header of three bytes.

use flate2::{Decompress, FlushDecompress, Status};

/// A header has 23 bits for the length of its block.
const LARGEST_BLOCK: u64 = 1 << 23;
/// What a file has whose postscript states no size.
const USUAL_BLOCK: u64 = 256 * 1024;
/// Bytes in front of each block.
pub(super) const HEADER_BYTES: usize = 3;

/// The codec of a file, and the size that no decompressed block exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Codec {
    kind: Kind,
    block_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zlib,
    Snappy,
    Lz4,
    Zstd,
}

/// What stands in front of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockHeader {
    /// Bytes of the block as it is stored.
    pub length: usize,
    /// Stored as it is: compressing did not make it smaller.
    pub is_original: bool,
}

impl Codec {
    /// The codec with this number in the postscript; `None`: streams are stored as they are.
    ///
    /// # Errors
    /// Why files of this codec cannot be read.
    pub fn new(number: u64, block_bytes: Option<u64>) -> Result<Option<Self>, String> {
        let kind = match number {
            0 => return Ok(None),
            1 => Kind::Zlib,
            2 => Kind::Snappy,
            3 => return Err("it is compressed with LZO, which is not supported".to_owned()),
            4 => Kind::Lz4,
            5 => Kind::Zstd,
            6 => return Err("it is compressed with Brotli, which is not supported".to_owned()),
            other => return Err(format!("its codec {other} is not known")),
        };
        match block_bytes.unwrap_or(USUAL_BLOCK) {
            block @ 1..=LARGEST_BLOCK => Ok(Some(Self { kind, block_bytes: block as usize })),
            block => Err(format!("it claims blocks of {block} bytes, and {LARGEST_BLOCK} is the most")),
        }
    }

    /// Bytes of a decompressed block, at most.
    pub fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// Reads a header, and checks that its block can be one of this file.
    pub fn header(&self, bytes: [u8; HEADER_BYTES]) -> Result<BlockHeader, String> {
        let number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
        let header = BlockHeader { length: (number >> 1) as usize, is_original: number & 1 == 1 };
        // A block that compressing would make longer is stored as it is.
        if header.length > self.block_bytes {
            return Err(format!(
                "a block claims {} bytes, and no block of the file has more than {}",
                header.length, self.block_bytes
            ));
        }
        Ok(header)
    }

    /// Decompresses a block into `out`, which is cleared before; never more than [`Self::block_bytes`].
    pub fn decompress(&self, block: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        out.clear();
        match self.kind {
            Kind::Zlib => inflate(block, self.block_bytes, out),
            Kind::Snappy => {
                let length = snap::raw::decompress_len(block).map_err(|error| error.to_string())?;
                self.check(length)?;
                out.resize(length, 0);
                let written =
                    snap::raw::Decoder::new().decompress(block, out).map_err(|error| error.to_string())?;
                out.truncate(written);
                Ok(())
            }
            Kind::Lz4 => {
                out.resize(self.block_bytes, 0);
                let written =
                    lz4_flex::block::decompress_into(block, out).map_err(|error| error.to_string())?;
                out.truncate(written);
                Ok(())
            }
            Kind::Zstd => {
                out.reserve_exact(self.block_bytes);
                zstd::bulk::Decompressor::new()
                    .and_then(|mut zstd| zstd.decompress_to_buffer(block, out))
                    .map_err(|error| error.to_string())?;
                self.check(out.len())
            }
        }
    }

    fn check(&self, length: usize) -> Result<(), String> {
        if length <= self.block_bytes {
            return Ok(());
        }
        Err(format!(
            "a block holds {length} bytes, and no block of the file has more than {}",
            self.block_bytes
        ))
    }
}

/// Deflate without a header, into at most `limit` bytes.
fn inflate(block: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), String> {
    out.reserve_exact(limit);
    let mut inflate = Decompress::new(false);
    loop {
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let rest = block.get(read as usize..).unwrap_or_default();
        let status = inflate
            .decompress_vec(rest, out, FlushDecompress::Finish)
            .map_err(|error| format!("a block is no Deflate: {error}"))?;
        if status == Status::StreamEnd {
            return if out.len() <= limit {
                Ok(())
            } else {
                Err(format!("a block holds more than {limit} bytes"))
            };
        }
        if (inflate.total_in(), inflate.total_out()) == (read, written) {
            return Err(if out.len() >= limit {
                format!("a block holds more than {limit} bytes")
            } else {
                "a block ends too early".to_owned()
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::DeflateEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    fn codec(number: u64, block: u64) -> Codec {
        Codec::new(number, Some(block)).unwrap().unwrap()
    }

    fn compress(number: u64, data: &[u8]) -> Vec<u8> {
        match number {
            1 => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            2 => snap::raw::Encoder::new().compress_vec(data).unwrap(),
            4 => lz4_flex::block::compress(data),
            _ => zstd::bulk::compress(data, 1).unwrap(),
        }
    }

    #[test]
    fn every_codec_gives_the_block_back_and_refuses_a_longer_one() {
        let data: Vec<u8> = (0..10_000u32).flat_map(|i| (i / 50).to_le_bytes()).collect();
        for number in [1, 2, 4, 5] {
            let block = compress(number, &data);
            let mut out = Vec::new();
            codec(number, 40_000).decompress(&block, &mut out).unwrap();
            assert_eq!(out, data, "codec {number}");
            assert!(codec(number, 39_999).decompress(&block, &mut out).is_err(), "codec {number}");
            assert!(out.capacity() <= 40_100, "codec {number}: {}", out.capacity());
        }
    }

    #[test]
    fn unknown_codecs_and_sizes_are_refused_with_a_reason() {
        assert_eq!(Codec::new(0, None), Ok(None));
        assert!(Codec::new(3, None).unwrap_err().contains("LZO"));
        assert!(Codec::new(9, None).unwrap_err().contains("codec 9"));
        for block in [0, LARGEST_BLOCK + 1, u64::MAX] {
            assert!(Codec::new(1, Some(block)).is_err());
        }
    }

    #[test]
    fn a_header_tells_length_and_kind() {
        let codec = codec(1, 1 << 20);
        assert_eq!(codec.header([0x40, 0x0d, 0x03]), Ok(BlockHeader { length: 100_000, is_original: false }));
        assert_eq!(codec.header([0x0b, 0, 0]), Ok(BlockHeader { length: 5, is_original: true }));
        assert!(codec.header([0xff, 0xff, 0xff]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_stay_within_the_block(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            number in prop_oneof![Just(1u64), Just(2), Just(4), Just(5)],
        ) {
            let mut out = Vec::new();
            if codec(number, 1000).decompress(&bytes, &mut out).is_ok() {
                prop_assert!(out.len() <= 1000);
            }
        }
    }
}
