//! An object's bytes as a stream, read from the file piece by piece.

use std::ops::Range;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use s3s::dto::StreamingBlob;

use super::store::Source;

/// Bytes of one read.
const PIECE: u64 = 256 * 1024;

/// The bytes of `range`. With `changed`, other bytes than the true ones: each is inverted.
pub(crate) fn stream(source: Source, range: Range<u64>, changed: bool) -> StreamingBlob {
    StreamingBlob::wrap(pieces(source, range, changed))
}

fn pieces(
    source: Source,
    range: Range<u64>,
    changed: bool,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Sync + 'static {
    // Reads are plain calls, not sent to another thread: the files are small or in the page cache,
    // and a hand-over for each piece would cost more than the read.
    stream::iter(split(range)).map(move |piece| {
        let bytes = read(&source, piece)?;
        Ok(if changed { bytes.iter().map(|byte| !byte).collect() } else { bytes })
    })
}

/// Cuts a range in pieces of at most [`PIECE`] bytes.
fn split(range: Range<u64>) -> impl Iterator<Item = Range<u64>> + Send + Sync {
    let end = range.end;
    let mut at = range.start;
    std::iter::from_fn(move || {
        let piece = at..end.min(at + PIECE);
        at = piece.end;
        (piece.start < piece.end).then_some(piece)
    })
}

fn read(source: &Source, piece: Range<u64>) -> Result<Bytes, std::io::Error> {
    let length = usize::try_from(piece.end - piece.start).map_err(std::io::Error::other)?;
    match source {
        Source::File(file) => {
            let mut buffer = vec![0; length];
            file.read_exact_at(&mut buffer, piece.start)?;
            Ok(Bytes::from(buffer))
        }
        Source::Memory(bytes) => {
            let start = usize::try_from(piece.start).map_err(std::io::Error::other)?;
            Ok(bytes.slice(start..start + length))
        }
        Source::Zeros => Ok(Bytes::from(vec![0; length])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_range() {
        let pieces: Vec<_> = split(5..2 * PIECE + 6).collect();
        assert_eq!(pieces, [5..PIECE + 5, PIECE + 5..2 * PIECE + 5, 2 * PIECE + 5..2 * PIECE + 6]);
        assert_eq!(split(7..7).count(), 0);
    }
}
