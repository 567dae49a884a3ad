//! A stream, decompressed block by block while it is read.

use super::codec::{Codec, HEADER_BYTES};
use super::fault::{Fault, Result};
use super::memory::Share;
use crate::decode::stored::Stored;
use bytes::Bytes;

/// A stream of a column. Holds one block; no memory is taken for what the bytes only claim.
pub(super) struct Stream {
    /// `None`: the stripe has no such stream, which is one without bytes.
    stored: Option<Stored>,
    codec: Option<Codec>,
    block: Block,
    at: usize,
    /// Memory of a decompressed block, used again for the next.
    buffer: Vec<u8>,
    share: Share,
}

/// What is being read.
enum Block {
    /// Stored as it is: a slice of a window.
    Window(Bytes),
    /// Decompressed, in the buffer.
    Buffer,
}

impl Stream {
    /// Reads what is stored; `None` for a stream that the stripe does not have.
    pub fn new(stored: Option<Stored>, codec: Option<Codec>, share: Share) -> Self {
        Self { stored, codec, block: Block::Window(Bytes::new()), at: 0, buffer: Vec::new(), share }
    }

    /// The unread rest of the block.
    fn rest(&self) -> &[u8] {
        match &self.block {
            Block::Window(bytes) => &bytes[self.at..],
            Block::Buffer => &self.buffer[self.at..],
        }
    }

    /// Unread bytes, as many as lie in one piece; none only at the end of the stream.
    pub fn chunk(&mut self) -> Result<&[u8]> {
        while self.rest().is_empty() && self.next_block()? {}
        Ok(self.rest())
    }

    /// The next block, which may be empty; false at the end.
    fn next_block(&mut self) -> Result<bool> {
        let Some(stored) = self.stored.as_mut().filter(|stored| stored.left() > 0) else { return Ok(false) };
        self.at = 0;
        let Some(codec) = &self.codec else {
            self.block = Block::Window(stored.piece()?);
            return Ok(true);
        };
        // The window of the block before is released first.
        self.block = Block::Window(Bytes::new());
        let short = || Fault::damaged("a block claims more bytes than its stream has");
        if stored.left() < HEADER_BYTES as u64 {
            return Err(short());
        }
        let header = stored.exactly(HEADER_BYTES)?;
        let header = codec.header([header[0], header[1], header[2]]).map_err(Fault::Damaged)?;
        if stored.left() < header.length as u64 {
            return Err(short());
        }
        let block = stored.exactly(header.length)?;
        if header.is_original {
            self.block = Block::Window(block);
        } else {
            self.share.hold(codec.block_bytes() as u64)?;
            codec.decompress(&block, &mut self.buffer).map_err(Fault::Damaged)?;
            self.share.hold(self.buffer.capacity() as u64)?;
            self.block = Block::Buffer;
        }
        Ok(true)
    }

    /// The next byte.
    ///
    /// # Errors
    /// Here and below: if the stream ends before.
    #[inline]
    pub fn byte(&mut self) -> Result<u8> {
        let byte = match self.rest().first() {
            Some(byte) => *byte,
            None => *self.chunk()?.first().ok_or_else(Fault::ended)?,
        };
        self.at += 1;
        Ok(byte)
    }

    /// Fills `out`.
    pub fn exact(&mut self, mut out: &mut [u8]) -> Result<()> {
        while !out.is_empty() {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Err(Fault::ended());
            }
            let taken = chunk.len().min(out.len());
            let (head, tail) = out.split_at_mut(taken);
            head.copy_from_slice(&chunk[..taken]);
            out = tail;
            self.at += taken;
        }
        Ok(())
    }

    /// Appends the next `count` bytes to `out`, which grows as they come.
    pub fn append(&mut self, out: &mut Vec<u8>, mut count: usize) -> Result<()> {
        while count > 0 {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Err(Fault::ended());
            }
            let taken = chunk.len().min(count);
            out.extend_from_slice(&chunk[..taken]);
            self.at += taken;
            count -= taken;
        }
        Ok(())
    }

    /// A number in groups of seven bits, the lowest first.
    #[inline]
    pub fn varint(&mut self) -> Result<u64> {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = self.byte()?;
            if shift > 63 {
                return Err(Fault::damaged("a number has more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    /// The same with up to 128 bits.
    pub fn wide_varint(&mut self) -> Result<u128> {
        let (mut value, mut shift) = (0u128, 0);
        loop {
            let byte = self.byte()?;
            if shift > 126 {
                return Err(Fault::damaged("a number has more than 128 bits"));
            }
            value |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift += 7;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::decode::orc::memory::Memory;
    use crate::decode::stored::Windows;
    use crate::source::{PendingBytes, ReadObject};
    use std::ops::Range;
    use std::sync::Arc;

    struct Object(Bytes);

    impl ReadObject for Object {
        fn name(&self) -> &str {
            "s3://bucket/file.orc"
        }

        fn size(&self) -> u64 {
            self.0.len() as u64
        }

        fn fetch(&self, range: Range<u64>) -> PendingBytes {
            PendingBytes::ready(Ok(self.0.slice(range.start as usize..range.end as usize)))
        }
    }

    /// A stream of these bytes, not compressed, in windows of 7 bytes.
    pub fn stream_of(bytes: &[u8]) -> Stream {
        compressed(bytes, None, 7)
    }

    fn compressed(bytes: &[u8], codec: Option<Codec>, window: u64) -> Stream {
        let object = Arc::new(Object(Bytes::copy_from_slice(bytes)));
        let windows = Windows { size: window, ahead: 1 };
        let stored = Stored::new(object, 0..bytes.len() as u64, &[], windows);
        Stream::new(Some(stored), codec, Memory::new(10_000).share())
    }

    #[test]
    fn blocks_follow_each_other_through_windows_of_any_size() {
        let codec = Codec::new(2, Some(5000)).unwrap();
        let mut stored = Vec::new();
        let mut put = |data: &[u8], original: bool| {
            let block =
                if original { data.to_vec() } else { snap::raw::Encoder::new().compress_vec(data).unwrap() };
            let header = (block.len() as u32) << 1 | u32::from(original);
            stored.extend_from_slice(&header.to_le_bytes()[..3]);
            stored.extend_from_slice(&block);
        };
        put(&[b'a'; 4000], false);
        put(b"", true);
        put(b"bcd", true);
        put(&[b'e'; 10], false);
        for window in [1, 3, 4, 50, 10_000] {
            let mut stream = compressed(&stored, codec, window);
            let mut all = Vec::new();
            stream.append(&mut all, 4001).unwrap();
            assert_eq!(stream.byte().unwrap(), b'c');
            let mut more = [0; 11];
            stream.exact(&mut more).unwrap();
            assert_eq!((&all[3999..], &more), (&b"ab"[..], b"deeeeeeeeee"));
            assert!(stream.chunk().unwrap().is_empty());
            assert!(matches!(stream.byte(), Err(Fault::Damaged(_))));
        }
    }

    #[test]
    fn a_block_above_the_memory_is_too_large() {
        let codec = Codec::new(5, Some(20_000)).unwrap();
        let block = zstd::bulk::compress(&[b'x'; 15_000], 1).unwrap();
        let mut stored = vec![(block.len() as u8) << 1, 0, 0];
        stored.extend_from_slice(&block);
        assert!(matches!(compressed(&stored, codec, 100).byte(), Err(Fault::TooLarge(20_000))));
    }

    #[test]
    fn numbers_end_within_their_bits() {
        assert_eq!(stream_of(&[0x96, 0x01]).varint().unwrap(), 150);
        assert!(stream_of(&[0xff; 12]).varint().is_err());
        assert!(stream_of(&[0xff]).varint().is_err());
        assert!(stream_of(&[0xff; 30]).wide_varint().is_err());
    }
}
