//! The block format in which Hadoop writes `.snappy` and `.lz4` files.
//!
//! A file is a row of blocks. A block is the length of its decompressed bytes and then chunks until they are
//! complete; a chunk is the length of its compressed bytes and those bytes, compressed on their own. All
//! lengths are 32-bit big-endian.

use std::io::{self, BufRead, Read};

/// Most bytes that a block or a chunk may claim: Hadoop's own buffers are 256 KiB; 64 MiB is what someone may
/// have set. More is damage.
const LONGEST: usize = 64 << 20;

/// How a chunk is compressed.
#[derive(Debug, Clone, Copy)]
pub(super) enum ChunkCodec {
    Snappy,
    Lz4,
}

/// Decompresses the block format.
pub(super) struct HadoopReader<R> {
    inner: R,
    codec: ChunkCodec,
    compressed: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
    /// Decompressed bytes that the current block still lacks.
    missing: usize,
}

impl<R: BufRead> HadoopReader<R> {
    pub(super) fn new(inner: R, codec: ChunkCodec) -> Self {
        Self { inner, codec, compressed: Vec::new(), ready: Vec::new(), given: 0, missing: 0 }
    }

    /// Makes the next chunk ready; false at the end of the file.
    fn next_chunk(&mut self) -> io::Result<bool> {
        self.ready.clear();
        self.given = 0;
        while self.missing == 0 {
            if self.inner.fill_buf()?.is_empty() {
                return Ok(false);
            }
            self.missing = self.length("block")?;
        }
        let length = self.length("chunk")?;
        // Grows with what is really there: a length alone takes no memory.
        self.compressed.clear();
        self.inner.by_ref().take(length as u64).read_to_end(&mut self.compressed)?;
        if self.compressed.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.decompress()?;
        if self.ready.is_empty() || self.ready.len() > self.missing {
            let (found, missing) = (self.ready.len(), self.missing);
            return Err(damaged(format!("a chunk has {found} bytes, and its block lacks {missing}")));
        }
        self.missing -= self.ready.len();
        Ok(true)
    }

    fn length(&mut self, what: &str) -> io::Result<usize> {
        let mut bytes = [0; 4];
        self.inner.read_exact(&mut bytes)?;
        let length = u32::from_be_bytes(bytes) as usize;
        if length > LONGEST {
            return Err(damaged(format!(
                "a {what} claims {length} bytes; neither a frame nor Hadoop's blocks"
            )));
        }
        Ok(length)
    }

    fn decompress(&mut self) -> io::Result<()> {
        match self.codec {
            ChunkCodec::Snappy => {
                let length = snap::raw::decompress_len(&self.compressed)?;
                if length > self.missing {
                    return Err(damaged(format!("a chunk claims {length} bytes, more than its block")));
                }
                self.ready = snap::raw::Decoder::new().decompress_vec(&self.compressed)?;
            }
            ChunkCodec::Lz4 => {
                self.ready = lz4_flex::block::decompress(&self.compressed, self.missing)
                    .map_err(|error| damaged(error.to_string()))?;
            }
        }
        Ok(())
    }
}

fn damaged(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl<R: BufRead> Read for HadoopReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || (self.given == self.ready.len() && !self.next_chunk()?) {
            return Ok(0);
        }
        let rest = &self.ready[self.given..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snappy_file(blocks: &[&[&[u8]]]) -> Vec<u8> {
        let mut file = Vec::new();
        for chunks in blocks {
            let length: usize = chunks.iter().map(|chunk| chunk.len()).sum();
            file.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
            for chunk in *chunks {
                let compressed = snap::raw::Encoder::new().compress_vec(chunk).unwrap();
                file.extend_from_slice(&u32::try_from(compressed.len()).unwrap().to_be_bytes());
                file.extend_from_slice(&compressed);
            }
        }
        file
    }

    fn read(file: &[u8], codec: ChunkCodec) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        HadoopReader::new(file, codec).read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn blocks_of_chunks_and_empty_blocks() {
        let file = snappy_file(&[&[b"abc", b"def"], &[], &[b"ghi"]]);
        assert_eq!(read(&file, ChunkCodec::Snappy).unwrap(), b"abcdefghi");
        assert_eq!(read(&[], ChunkCodec::Snappy).unwrap(), b"");
    }

    #[test]
    fn a_file_that_is_cut_within_a_block_is_an_error() {
        let file = snappy_file(&[&[b"abc", b"def"]]);
        for length in 1..file.len() {
            assert!(read(&file[..length], ChunkCodec::Snappy).is_err(), "{length}");
        }
    }

    #[test]
    fn lengths_that_lie_take_no_memory() {
        for claim in [[0xff; 8], [0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff], [0, 0, 0, 1, 3, 0, 0, 0]] {
            for codec in [ChunkCodec::Snappy, ChunkCodec::Lz4] {
                assert!(read(&claim, codec).is_err());
            }
        }
    }
}
