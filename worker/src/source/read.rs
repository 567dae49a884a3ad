//! Ranges of a frozen object: asked for in parts, side by side, and believed only when size and ETag of
//! every response are those that were listed.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use futures::future::try_join_all;
use longshore_storage::load::PlannedFile;

use super::classify::{Failure, Subject, causes, classify};
use super::error::SourceError;
use super::list_page::bare_etag;
use super::metrics::{Operation, Outcome};
use super::pending::PendingBytes;
use super::s3::S3Store;
use super::{ReadObject, check_range};

/// Longest range of one request, bytes.
const PART: u64 = 8 << 20;

/// An object of an S3 store.
pub(super) struct S3Object(Arc<Frozen>);

struct Frozen {
    store: Arc<S3Store>,
    bucket: String,
    key: String,
    name: String,
    size: u64,
    etag: String,
}

impl S3Object {
    pub(super) fn new(store: Arc<S3Store>, file: &PlannedFile) -> Self {
        Self(Arc::new(Frozen {
            store,
            bucket: file.bucket.clone(),
            key: file.key.clone(),
            name: format!("s3://{}/{}", file.bucket, file.key),
            size: file.size,
            etag: file.etag.clone(),
        }))
    }
}

impl ReadObject for S3Object {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn size(&self) -> u64 {
        self.0.size
    }

    fn fetch(&self, range: Range<u64>) -> PendingBytes {
        if range.start >= range.end {
            return PendingBytes::ready(Ok(Bytes::new()));
        }
        if let Err(error) = check_range(&self.0.name, &range, self.0.size) {
            return PendingBytes::ready(Err(error));
        }
        let object = self.0.clone();
        PendingBytes::spawn(&self.0.store.runtime, async move { object.read(range).await })
    }
}

/// Cuts a range into equal parts of at most [`PART`] bytes.
fn parts(range: &Range<u64>) -> Vec<Range<u64>> {
    let length = range.end - range.start;
    let count = length.div_ceil(PART);
    let cut = |part: u64| range.start + (u128::from(length) * u128::from(part) / u128::from(count)) as u64;
    (0..count).map(|part| cut(part)..cut(part + 1)).collect()
}

impl Frozen {
    async fn read(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        // One allocation, handed out in pieces: parts that are put side by side again need no copy.
        let mut whole = BytesMut::with_capacity((range.end - range.start) as usize);
        let reads = parts(&range).into_iter().map(|part| {
            let rest = whole.split_off((part.end - part.start) as usize);
            self.part(part, std::mem::replace(&mut whole, rest))
        });
        let reads: Vec<_> = reads.collect();
        let mut joined = BytesMut::new();
        for part in try_join_all(reads).await? {
            joined.unsplit(part);
        }
        Ok(joined.freeze())
    }

    async fn part(&self, range: Range<u64>, buffer: BytesMut) -> Result<BytesMut, SourceError> {
        let subject = self.store.subject(Operation::Get, &self.bucket, &self.key);
        let buffer = tokio::sync::Mutex::new(buffer);
        let read = self.store.request(&subject, async |number| {
            let mut buffer = buffer.lock().await;
            buffer.clear();
            self.attempt(&subject, &range, &mut buffer, number).await
        });
        read.await?;
        Ok(buffer.into_inner())
    }

    async fn attempt(
        &self,
        subject: &Subject<'_>,
        range: &Range<u64>,
        buffer: &mut BytesMut,
        number: u32,
    ) -> Result<(), Failure> {
        let response = self
            .store
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(&self.key)
            .range(format!("bytes={}-{}", range.start, range.end - 1))
            .if_match(format!("\"{}\"", self.etag))
            .send()
            .await
            .map_err(|error| classify(&error, subject, number))?;
        self.check(&response, subject, range, number)?;
        self.receive(response.body, range, buffer, number).await
    }

    /// Compares what the response says of itself with what was listed. Some stores ignore `If-Match`.
    fn check(
        &self,
        response: &GetObjectOutput,
        subject: &Subject<'_>,
        range: &Range<u64>,
        number: u32,
    ) -> Result<(), Failure> {
        let odd = |message: String| Err(Failure::odd_answer(subject, number, message));
        match response.e_tag().map(bare_etag) {
            None => return odd("its response has no ETag, so a change would not be seen".to_owned()),
            Some(found) if found != self.etag => {
                return Err(self.changed(format!("ETag {:?} was listed and is {found:?}", self.etag)));
            }
            Some(_) => {}
        }
        let Some(text) = response.content_range() else {
            // Without a range in the answer it is the whole object.
            return match response.content_length() {
                Some(length) if *range == (0..self.size) && u64::try_from(length) == Ok(self.size) => Ok(()),
                Some(length) if u64::try_from(length) != Ok(self.size) => {
                    Err(self.changed(format!("{} bytes were listed and are {length}", self.size)))
                }
                _ => odd("it ignores ranges".to_owned()),
            };
        };
        match content_range(text) {
            Some((_, Some(total))) if total != self.size => {
                Err(self.changed(format!("{} bytes were listed and are {total}", self.size)))
            }
            Some((found, _)) if found == *range => Ok(()),
            _ => odd(format!("bytes {}..{} were asked for and it answers {text:?}", range.start, range.end)),
        }
    }

    fn changed(&self, difference: String) -> Failure {
        Failure::new(Outcome::Changed, SourceError::ObjectChanged { object: self.name.clone(), difference })
    }

    async fn receive(
        &self,
        mut body: ByteStream,
        range: &Range<u64>,
        buffer: &mut BytesMut,
        number: u32,
    ) -> Result<(), Failure> {
        let expected = (range.end - range.start) as usize;
        let stall = self.store.policy.stall;
        loop {
            let (action, resource, attempts) = ("read", self.name.clone(), number);
            match tokio::time::timeout(stall, body.next()).await {
                Err(_) => {
                    let cause = format!("no byte came for {stall:?}");
                    let error = SourceError::Timeout { action, resource, attempts, cause };
                    return Err(Failure::new(Outcome::Timeout, error));
                }
                Ok(None) => break,
                Ok(Some(Err(error))) => {
                    let cause = causes(&error);
                    if is_short(&cause) {
                        break;
                    }
                    let error = SourceError::ConnectionLost { action, resource, attempts, cause };
                    return Err(Failure::new(Outcome::Transient, error));
                }
                Ok(Some(Ok(chunk))) => {
                    self.store.metrics.received(chunk.len() as u64);
                    let room = expected - buffer.len();
                    buffer.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if chunk.len() > room {
                        break;
                    }
                }
            }
        }
        if buffer.len() == expected {
            return Ok(());
        }
        let error = SourceError::Truncated {
            object: self.name.clone(),
            start: range.start,
            end: range.end,
            received: buffer.len() as u64,
            attempts: number,
        };
        Err(Failure::new(Outcome::Transient, error))
    }
}

/// Whether a body's error says that it ended too early (the types of these errors are private).
fn is_short(cause: &str) -> bool {
    ["end of file", "unexpected EOF", "Content-Length", "content-length"]
        .iter()
        .any(|text| cause.contains(text))
}

/// `bytes 0-9/100` as a range and the total, where the store says it.
fn content_range(text: &str) -> Option<(Range<u64>, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_content_range() {
        assert_eq!(content_range("bytes 0-9/100"), Some((0..10, Some(100))));
        assert_eq!(content_range("bytes 5-5/*"), Some((5..6, None)));
        for text in ["bytes */100", "0-9/100", "bytes 0-9", "bytes 0-18446744073709551615/1"] {
            assert_eq!(content_range(text), None, "{text}");
        }
    }

    #[test]
    fn long_ranges_become_equal_parts() {
        assert_eq!(parts(&(5..10)), vec![5..10]);
        assert_eq!(parts(&(0..PART)).len(), 1);
        let range = 3..3 + 2 * PART + 1;
        let cut = parts(&range);
        assert_eq!(cut.len(), 3);
        assert_eq!((cut[0].start, cut[2].end), (range.start, range.end));
        assert!(cut.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert!(cut.iter().all(|part| part.end - part.start <= PART));
    }
}
