//! The decompressed text of an object.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use super::codec::Codec;
use super::hadoop::{ChunkCodec, HadoopReader};
use super::lz4::Lz4Reader;
use super::ranges::{RangeReader, Trace};
use crate::decode::error::DecodeError;
use crate::decode::magic::check_text;
use crate::source::ReadObject;

/// Bytes of a range that is fetched: enough for S3's bandwidth, little enough to hold several.
const SMALLEST_RANGE: usize = 256 << 10;
const LARGEST_RANGE: usize = 4 << 20;
/// Ranges on their way while one is read.
const AHEAD: usize = 2;
/// What the object begins with is looked at so far to see what it is.
const HEAD: usize = 64;
/// zstd windows up to 2^23 (8 MiB) are what every writer may use without being asked.
const SMALLEST_WINDOW_LOG: u32 = 23;
const LARGEST_WINDOW_LOG: u32 = 31;

/// What a stream may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes of a range that is fetched; two more are asked for ahead of it.
    pub range_bytes: usize,
    /// Bytes for the window of a decompressor.
    pub window_bytes: usize,
}

impl StreamLimits {
    /// Ranges of a block's size; a window in what a reader may hold.
    pub fn of(block_bytes: usize, budget_bytes: usize) -> Self {
        Self { range_bytes: block_bytes.clamp(SMALLEST_RANGE, LARGEST_RANGE), window_bytes: budget_bytes }
    }

    fn window_log(self) -> u32 {
        self.window_bytes.max(1).ilog2().clamp(SMALLEST_WINDOW_LOG, LARGEST_WINDOW_LOG)
    }
}

/// The text of an object from its first byte to its last, without a byte order mark. Reading blocks.
pub struct TextStream {
    file: String,
    codec: Codec,
    reader: Option<Box<dyn Read + Send>>,
    trace: Trace,
    /// The first bytes, read to see what they are, and how many of them were given.
    head: (Vec<u8>, usize),
    started: bool,
}

impl TextStream {
    /// Begins to fetch. Nothing is read yet.
    pub fn open(object: &Arc<dyn ReadObject>, codec: Codec, limits: StreamLimits) -> Self {
        let trace = Trace::default();
        let ranges = RangeReader::new(Arc::clone(object), limits.range_bytes as u64, AHEAD, trace.clone());
        // A decompressor refuses an empty file; it holds no rows, as an empty plain file does.
        let reader = (object.size() > 0).then(|| Box::new(Opening { ranges, codec, limits }));
        Self {
            file: object.name().to_owned(),
            codec,
            reader: reader.map(|opening| Box::new(Lazy::Opening(Some(opening))) as Box<dyn Read + Send>),
            trace,
            head: (Vec::new(), 0),
            started: false,
        }
    }

    /// Name of the object.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Bytes of the object that were consumed so far.
    pub fn compressed_offset(&self) -> u64 {
        self.trace.offset()
    }

    /// Reads into `buffer`; 0 only at the end of the text (or into an empty buffer).
    ///
    /// # Errors
    /// [`DecodeError::Source`] if a fetch failed, [`DecodeError::Damaged`] if the stream is cut or
    /// damaged, [`DecodeError::WrongFormat`] if the text is that of another format.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, DecodeError> {
        if !self.started {
            self.start()?;
        }
        let (head, given) = &mut self.head;
        if *given < head.len() {
            let length = buffer.len().min(head.len() - *given);
            buffer[..length].copy_from_slice(&head[*given..*given + length]);
            *given += length;
            return Ok(length);
        }
        self.read_through(buffer)
    }

    /// Looks at the first bytes: they must be text, and a byte order mark is dropped.
    fn start(&mut self) -> Result<(), DecodeError> {
        self.started = true;
        let mut head = vec![0; HEAD];
        let mut length = 0;
        while length < HEAD {
            match self.read_through(&mut head[length..])? {
                0 => break,
                read => length += read,
            }
        }
        head.truncate(length);
        check_text(&self.file, &head)?;
        let mark = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        self.head = (head, mark);
        Ok(())
    }

    fn read_through(&mut self, buffer: &mut [u8]) -> Result<usize, DecodeError> {
        let Some(reader) = &mut self.reader else { return Ok(0) };
        loop {
            match reader.read(buffer) {
                Ok(0) if !buffer.is_empty() => {
                    // The decompressor and the last range are released.
                    self.reader = None;
                    return Ok(0);
                }
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(&error)),
            }
        }
    }

    fn failure(&self, error: &io::Error) -> DecodeError {
        if let Some(failure) = self.trace.take_failure() {
            return failure.into();
        }
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the file ends within it; was it uploaded whole?".to_owned(),
            _ => error.to_string(),
        };
        DecodeError::Damaged {
            file: self.file.clone(),
            place: format!("byte {}", self.trace.offset()),
            reason: format!("{} data: {reason}", self.codec.name()),
        }
    }
}

impl std::fmt::Debug for TextStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TextStream")
            .field("file", &self.file)
            .field("codec", &self.codec)
            .field("offset", &self.trace.offset())
            .finish_non_exhaustive()
    }
}

/// What a decompressor is made of, once the first bytes are here.
struct Opening {
    ranges: RangeReader,
    codec: Codec,
    limits: StreamLimits,
}

/// A decompressor that is chosen when it is first read: some codecs are told apart by their first bytes.
enum Lazy {
    Opening(Option<Box<Opening>>),
    Open(Box<dyn Read + Send>),
}

impl Read for Lazy {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Opening(opening) = self {
            let Some(opening) = opening.take() else { return Ok(0) };
            *self = Self::Open(decompressor(*opening)?);
        }
        match self {
            Self::Open(reader) => reader.read(buffer),
            Self::Opening(_) => Ok(0),
        }
    }
}

fn decompressor(opening: Opening) -> io::Result<Box<dyn Read + Send>> {
    let Opening { mut ranges, codec, limits } = opening;
    let head = ranges.fill_buf()?;
    Ok(match codec {
        Codec::None => Box::new(ranges),
        Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(ranges)),
        Codec::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(ranges)),
        Codec::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(ranges)?;
            decoder.window_log_max(limits.window_log())?;
            Box::new(decoder)
        }
        Codec::Lz4 if head.starts_with(b"\x04\x22\x4d\x18") || is_legacy_lz4(head) => {
            Box::new(Lz4Reader::new(ranges))
        }
        Codec::Lz4 => Box::new(HadoopReader::new(ranges, ChunkCodec::Lz4)),
        Codec::Snappy if head.starts_with(b"\xff\x06\x00\x00") => {
            Box::new(snap::read::FrameDecoder::new(ranges))
        }
        Codec::Snappy => Box::new(HadoopReader::new(ranges, ChunkCodec::Snappy)),
        Codec::Deflate if is_zlib(head) => Box::new(Whole(flate2::bufread::ZlibDecoder::new(ranges))),
        Codec::Deflate => Box::new(Whole(flate2::bufread::DeflateDecoder::new(ranges))),
    })
}

/// What `lz4 -l` writes.
fn is_legacy_lz4(head: &[u8]) -> bool {
    head.starts_with(b"\x02\x21\x4c\x18")
}

/// The header of zlib: deflate, and a check of the two bytes. Raw deflate that passes begins with a stored
/// block that is not the last and has a type that does not exist.
fn is_zlib(head: &[u8]) -> bool {
    matches!(head, [first, second, ..] if first & 0x0f == 8
        && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0)
}

/// A single compressed stream that must fill its object.
struct Whole<D>(D);

/// A decoder that gives its input back.
trait Inner {
    fn input(&mut self) -> &mut RangeReader;
}

impl Inner for flate2::bufread::ZlibDecoder<RangeReader> {
    fn input(&mut self) -> &mut RangeReader {
        self.get_mut()
    }
}

impl Inner for flate2::bufread::DeflateDecoder<RangeReader> {
    fn input(&mut self) -> &mut RangeReader {
        self.get_mut()
    }
}

impl<D: Read + Inner> Read for Whole<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        if read == 0 && !buffer.is_empty() && !self.0.input().fill_buf()?.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "bytes follow the compressed data"));
        }
        Ok(read)
    }
}
