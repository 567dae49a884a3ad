//! How the blocks of a file are compressed.

use super::cursor::{Fault, Result};
use bytes::Bytes;
use liblzma::stream::Stream as XzStream;
use std::io::Read;

/// Memory that the decoder of an XZ block may take beside its output: its dictionary. The highest preset asks
/// for 64 MiB.
const XZ_MEMORY: u64 = 96 << 20;
/// Bytes behind a Snappy block: its checksum.
const CHECKSUM_BYTES: usize = 4;

/// The codec of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
    Bzip2,
    Xz,
}

impl Codec {
    /// The codec of this name in the header; absent is none.
    ///
    /// # Errors
    /// Why files of this codec cannot be read.
    pub fn named(name: Option<&[u8]>) -> std::result::Result<Self, String> {
        match name {
            None | Some(b"" | b"null") => Ok(Self::Null),
            Some(b"deflate") => Ok(Self::Deflate),
            Some(b"snappy") => Ok(Self::Snappy),
            Some(b"zstandard") => Ok(Self::Zstandard),
            Some(b"bzip2") => Ok(Self::Bzip2),
            Some(b"xz") => Ok(Self::Xz),
            Some(other) => {
                let name = String::from_utf8_lossy(other).chars().take(40).collect::<String>();
                Err(format!("its codec {name:?} is not supported"))
            }
        }
    }

    /// The bytes of a block, at most `limit`.
    pub fn decompress(self, block: &Bytes, limit: u64) -> Result<Bytes> {
        match self {
            Self::Null => Ok(block.clone()),
            Self::Snappy => snappy(block, limit),
            Self::Deflate => read_all(flate2::read::DeflateDecoder::new(block.as_ref()), block.len(), limit),
            Self::Zstandard => {
                let decoder = zstd::stream::read::Decoder::new(block.as_ref());
                read_all(decoder.map_err(|error| damaged(&error))?, block.len(), limit)
            }
            Self::Bzip2 => read_all(bzip2::read::MultiBzDecoder::new(block.as_ref()), block.len(), limit),
            Self::Xz => {
                let stream = XzStream::new_stream_decoder(XZ_MEMORY, 0).map_err(|error| damaged(&error))?;
                read_all(liblzma::read::XzDecoder::new_stream(block.as_ref(), stream), block.len(), limit)
            }
        }
    }
}

fn damaged(error: &dyn std::fmt::Display) -> Fault {
    Fault::Damaged(format!("it cannot be decompressed: {error}"))
}

fn read_all(decoder: impl Read, stored: usize, limit: u64) -> Result<Bytes> {
    let mut out =
        Vec::with_capacity(stored.saturating_mul(2).min(usize::try_from(limit).unwrap_or(usize::MAX)));
    // One byte more tells a longer block from one that just fits.
    decoder.take(limit.saturating_add(1)).read_to_end(&mut out).map_err(|error| damaged(&error))?;
    if out.len() as u64 > limit { Err(Fault::TooLarge(out.len() as u64)) } else { Ok(out.into()) }
}

fn snappy(block: &[u8], limit: u64) -> Result<Bytes> {
    let split = block.len().checked_sub(CHECKSUM_BYTES);
    let (data, checksum) =
        split.map(|at| block.split_at(at)).ok_or_else(|| Fault::damaged("it has no checksum"))?;
    let length = snap::raw::decompress_len(data).map_err(|error| damaged(&error))?;
    if length as u64 > limit {
        return Err(Fault::TooLarge(length as u64));
    }
    let mut out = vec![0; length];
    let written = snap::raw::Decoder::new().decompress(data, &mut out).map_err(|error| damaged(&error))?;
    out.truncate(written);
    if crc32fast::hash(&out).to_be_bytes() != *checksum {
        return Err(Fault::damaged("its checksum does not match"));
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn compress(codec: Codec, data: &[u8]) -> Bytes {
        let bytes = match codec {
            Codec::Null => data.to_vec(),
            Codec::Deflate => {
                let mut encoder =
                    flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Codec::Snappy => {
                let mut bytes = snap::raw::Encoder::new().compress_vec(data).unwrap();
                bytes.extend_from_slice(&crc32fast::hash(data).to_be_bytes());
                bytes
            }
            Codec::Zstandard => zstd::bulk::compress(data, 1).unwrap(),
            Codec::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Codec::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
        };
        bytes.into()
    }

    const COMPRESSED: [Codec; 5] = [Codec::Deflate, Codec::Snappy, Codec::Zstandard, Codec::Bzip2, Codec::Xz];

    #[test]
    fn every_codec_gives_the_block_back_and_refuses_a_longer_one() {
        let data: Vec<u8> = (0..50_000u32).flat_map(|i| (i / 50).to_le_bytes()).collect();
        for codec in COMPRESSED {
            let block = compress(codec, &data);
            assert_eq!(codec.decompress(&block, 200_000).unwrap(), data, "{codec:?}");
            let error = codec.decompress(&block, 199_999);
            assert!(matches!(error, Err(Fault::TooLarge(_))), "{codec:?}: {error:?}");
            let cut = block.slice(..block.len() / 2);
            assert!(matches!(codec.decompress(&cut, 200_000), Err(Fault::Damaged(_))), "{codec:?}");
        }
    }

    #[test]
    fn a_checksum_that_does_not_match_is_damage() {
        let mut block = compress(Codec::Snappy, b"some records").to_vec();
        let last = block.len() - 1;
        block[last] ^= 1;
        assert_eq!(
            Codec::Snappy.decompress(&block.into(), 100),
            Err(Fault::damaged("its checksum does not match"))
        );
        assert!(Codec::Snappy.decompress(&Bytes::from_static(b"abc"), 100).is_err());
    }

    #[test]
    fn names_of_codecs() {
        assert_eq!(Codec::named(None), Ok(Codec::Null));
        assert_eq!(Codec::named(Some(b"zstandard")), Ok(Codec::Zstandard));
        assert!(Codec::named(Some(b"lzo")).unwrap_err().contains("\"lzo\" is not supported"));
    }

    proptest! {
        #[test]
        fn any_bytes_stay_within_the_limit(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            number in 0usize..5,
        ) {
            if let Ok(out) = COMPRESSED[number].decompress(&bytes.into(), 1000) {
                prop_assert!(out.len() <= 1000);
            }
        }
    }
}
