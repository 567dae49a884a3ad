//! Response bodies: counted, and on request slow or cut off.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::{Body, Frame, SizeHint};
use s3s::StdError;

use crate::connection::ResetSwitch;
use crate::counters::Counters;

/// A response body of any kind.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, StdError>;

/// Time for what was sent to leave the buffers before the connection is broken.
const FLUSH_TIME: Duration = Duration::from_millis(30);
/// A slow body sends a piece each such interval.
const PACE: Duration = Duration::from_millis(50);

/// How a body departs from the true one.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// The connection closes after this many bytes.
    Cut { after_bytes: u64 },
    /// The connection is reset after this many bytes.
    Reset { after_bytes: u64, switch: ResetSwitch },
    /// At most this many bytes a second.
    Slow { bytes_per_second: u64 },
}

/// Gives the body the shape.
pub(crate) fn shape(body: s3s::Body, shape: Shape) -> ResponseBody {
    let frames = BodyStream::new(body).filter_map(async |frame| match frame {
        Ok(frame) => frame.into_data().ok().map(Ok),
        Err(error) => Some(Err(error)),
    });
    match shape {
        Shape::Cut { after_bytes } => stream_body(cut(frames, after_bytes, None)),
        Shape::Reset { after_bytes, switch } => stream_body(cut(frames, after_bytes, Some(switch))),
        Shape::Slow { bytes_per_second } => stream_body(slow(frames, bytes_per_second)),
    }
}

fn stream_body(pieces: impl Stream<Item = Result<Bytes, StdError>> + Send + 'static) -> ResponseBody {
    UnsyncBoxBody::new(StreamBody::new(pieces.map(|piece| piece.map(Frame::data))))
}

/// The first bytes, then an error, at which the connection is broken off.
fn cut(
    pieces: impl Stream<Item = Result<Bytes, StdError>> + Send + 'static,
    after_bytes: u64,
    switch: Option<ResetSwitch>,
) -> impl Stream<Item = Result<Bytes, StdError>> + Send + 'static {
    let state = (Box::pin(pieces), after_bytes, switch);
    futures::stream::unfold(state, async |(mut pieces, left, switch)| {
        if left > 0
            && let Some(piece) = pieces.next().await
        {
            let piece = piece.map(|bytes| bytes.slice(..bytes.len().min(saturating(left))));
            let left = left - piece.as_ref().map_or(left, |bytes| bytes.len() as u64);
            return Some((piece, (pieces, left, switch)));
        }
        tokio::time::sleep(FLUSH_TIME).await;
        if let Some(switch) = &switch {
            switch.pull();
        }
        Some((Err("the body was cut off on request".into()), (pieces, 0, switch)))
    })
}

fn slow(
    pieces: impl Stream<Item = Result<Bytes, StdError>> + Send + 'static,
    bytes_per_second: u64,
) -> impl Stream<Item = Result<Bytes, StdError>> + Send + 'static {
    let step = saturating((bytes_per_second / 20).max(1));
    // Below 20 bytes a second one byte is the step, and the pace gets slower.
    let pace = PACE.max(Duration::from_secs(1) / u32::try_from(bytes_per_second.max(1)).unwrap_or(u32::MAX));
    let state = (Box::pin(pieces), Bytes::new());
    futures::stream::unfold(state, move |(mut pieces, mut held)| async move {
        if held.is_empty() {
            held = match pieces.next().await? {
                Ok(bytes) => bytes,
                Err(error) => return Some((Err(error), (pieces, Bytes::new()))),
            };
        }
        tokio::time::sleep(pace).await;
        let piece = held.split_to(held.len().min(step));
        Some((Ok(piece), (pieces, held)))
    })
}

fn saturating(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Counts the bytes of a body as they are handed to the network.
pub(crate) fn counted<B>(body: B, counters: Arc<Counters>) -> ResponseBody
where
    B: Body<Data = Bytes, Error = StdError> + Send + Unpin + 'static,
{
    Counted { body, counters }.boxed_unsync()
}

struct Counted<B> {
    body: B,
    counters: Arc<Counters>,
}

impl<B> Body for Counted<B>
where
    B: Body<Data = Bytes, Error = StdError> + Unpin,
{
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let frame = std::task::ready!(Pin::new(&mut this.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(bytes) = frame.data_ref()
        {
            this.counters.count_bytes(bytes.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
