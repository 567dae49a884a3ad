//! LZ4 frames, several in a row.

use std::io::{self, BufRead, Read};

use lz4_flex::frame::FrameDecoder;

/// Reads all frames. The decoder takes the end of the input within a frame for the end of the frame: here it
/// is an error.
pub(super) struct Lz4Reader<R: BufRead> {
    decoder: FrameDecoder<Watched<R>>,
}

/// Remembers that the end was met.
struct Watched<R> {
    inner: R,
    at_end: bool,
}

impl<R: BufRead> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.at_end |= read == 0 && !buffer.is_empty();
        Ok(read)
    }
}

impl<R: BufRead> Lz4Reader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { decoder: FrameDecoder::new(Watched { inner, at_end: false }) }
    }
}

impl<R: BufRead> Read for Lz4Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let read = self.decoder.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            let input = self.decoder.get_mut();
            if input.at_end {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // A frame is over; the next one begins only if there are bytes for it.
            if input.inner.fill_buf()?.is_empty() {
                return Ok(0);
            }
        }
    }
}
