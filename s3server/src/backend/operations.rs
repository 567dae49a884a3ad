//! The S3 operations on the store.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use md5::{Digest, Md5};
use s3s::dto::{
    Bucket as WireBucket, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, CreateBucketInput,
    CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput, ETag, GetBucketLocationInput,
    GetBucketLocationOutput, GetObjectInput, GetObjectOutput, GetObjectTaggingInput, GetObjectTaggingOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput,
    ListBucketsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    PutObjectInput, PutObjectOutput, PutObjectTaggingInput, PutObjectTaggingOutput, Range as WireRange,
    StreamingBlob, Tag, Timestamp,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::list_operations::Oddity;
use super::object::Object;
use super::store::{OpenObject, Store};
use super::{conditions, content, list_operations};
use crate::error::ServerError;
use crate::faults::FaultKind;

/// The fault that a request meets inside an operation; set by the gate in the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct ActiveFault(pub FaultKind);

/// Answers S3 operations from a store.
#[derive(Debug)]
pub(crate) struct Backend {
    pub store: Arc<Store>,
}

/// An object as this request is to see it: with a `Changed` fault, under another ETag.
struct View {
    open: OpenObject,
    etag: String,
    changed: bool,
    ignore_if_match: bool,
}

impl Backend {
    fn view<T>(&self, bucket: &str, key: &str, request: &S3Request<T>) -> S3Result<View> {
        let open = self.store.get(bucket, key).map_err(wire_error)?.ok_or_else(no_such_key)?;
        let mut view = View { etag: open.object.etag.clone(), open, changed: false, ignore_if_match: false };
        if let Some(ActiveFault(FaultKind::Changed { honour_if_match })) = request.extensions.get() {
            view.etag = view.etag.chars().rev().chain("-1".chars()).collect();
            view.changed = true;
            view.ignore_if_match = !honour_if_match;
        }
        Ok(view)
    }

    /// Makes a body the content of a key.
    async fn put(&self, bucket: &str, key: &str, body: Option<StreamingBlob>) -> S3Result<Object> {
        let file = self.store.new_file();
        match receive(&file, body).await {
            Ok((size, etag)) => self.store.adopt(bucket, key, &file, size, etag).map_err(wire_error),
            Err(error) => {
                discard(&file);
                Err(error)
            }
        }
    }
}

#[async_trait::async_trait]
impl S3 for Backend {
    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = &request.input;
        let view = self.view(&input.bucket, &input.key, &request)?;
        let if_match = input.if_match.as_ref().filter(|_| !view.ignore_if_match);
        conditions::check_read(&view.etag, if_match, input.if_none_match.as_ref())?;
        let size = view.open.object.size;
        let range = byte_range(input.range.as_ref(), size)?;
        let content_range =
            input.range.is_some().then(|| format!("bytes {}-{}/{size}", range.start, range.end - 1));
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(range.end - range.start).ok(),
            content_range,
            content_type: Some("binary/octet-stream".to_owned()),
            e_tag: Some(ETag::Strong(view.etag)),
            last_modified: Some(Timestamp::from(view.open.object.modified)),
            body: Some(content::stream(view.open.source, range, view.changed)),
            ..Default::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = &request.input;
        let view = self.view(&input.bucket, &input.key, &request)?;
        let if_match = input.if_match.as_ref().filter(|_| !view.ignore_if_match);
        conditions::check_read(&view.etag, if_match, input.if_none_match.as_ref())?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(view.open.object.size).ok(),
            content_type: Some("binary/octet-stream".to_owned()),
            e_tag: Some(ETag::Strong(view.etag)),
            last_modified: Some(Timestamp::from(view.open.object.modified)),
            ..Default::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let standing = self.store.get(&input.bucket, &input.key).map_err(wire_error)?;
        let etag = standing.as_ref().map(|open| open.object.etag.as_str());
        conditions::check_write(etag, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let object = self.put(&input.bucket, &input.key, input.body).await?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(ETag::Strong(object.etag)), ..Default::default() }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = &request.input;
        let ignores = matches!(request.extensions.get(), Some(ActiveFault(FaultKind::IgnoreIfMatch)));
        if let Some(condition) = input.if_match.as_ref().filter(|_| !ignores) {
            let standing = self.store.get(&input.bucket, &input.key).map_err(wire_error)?;
            let standing = standing.ok_or_else(no_such_key)?;
            conditions::check_write(Some(&standing.object.etag), Some(condition), None)?;
        }
        self.store.remove(&input.bucket, &input.key).map_err(wire_error)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = request.input;
        let CopySource::Bucket { bucket, key, .. } = &input.copy_source else {
            return Err(s3_error!(NotImplemented, "only objects of buckets are copied"));
        };
        let from = self.store.get(bucket, key).map_err(wire_error)?.ok_or_else(no_such_key)?;
        conditions::check_write(
            Some(&from.object.etag),
            input.copy_source_if_match.as_ref(),
            input.copy_source_if_none_match.as_ref(),
        )?;
        let size = from.object.size;
        let content = content::stream(from.source, 0..size, false);
        let object = self.put(&input.bucket, &input.key, Some(content)).await?;
        let result = CopyObjectResult {
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(Timestamp::from(object.modified)),
            ..Default::default()
        };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() }))
    }

    async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let (bucket, key) = (&request.input.bucket, &request.input.key);
        let tags = self.store.tags(bucket, key).map_err(wire_error)?.ok_or_else(no_such_key)?;
        let tag_set = tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) });
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set: tag_set.collect(), version_id: None }))
    }

    async fn put_object_tagging(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let input = request.input;
        let tags = input.tagging.tag_set.into_iter();
        let tags = tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect();
        if self.store.set_tags(&input.bucket, &input.key, tags).map_err(wire_error)? {
            return Ok(S3Response::new(PutObjectTaggingOutput::default()));
        }
        Err(no_such_key())
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let oddity = oddity(&request);
        list_operations::list_v2(&self.store, request.input, oddity).map(S3Response::new)
    }

    async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let oddity = oddity(&request);
        list_operations::list_v1(&self.store, request.input, oddity).map(S3Response::new)
    }

    async fn list_buckets(
        &self,
        _request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self.store.buckets().into_iter();
        let buckets = buckets.map(|name| WireBucket { name: Some(name), ..Default::default() }).collect();
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), ..Default::default() }))
    }

    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let bucket = request.input.bucket;
        if self.store.has_bucket(&bucket) {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        self.store.create_bucket(&bucket).map_err(wire_error)?;
        Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{bucket}")) }))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        if !self.store.has_bucket(&request.input.bucket) {
            return Err(no_such_bucket());
        }
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        if !self.store.has_bucket(&request.input.bucket) {
            return Err(no_such_bucket());
        }
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }
}

/// An error of the store as S3 tells it.
pub(crate) fn wire_error(error: ServerError) -> S3Error {
    match error {
        ServerError::NoSuchBucket { .. } => no_such_bucket(),
        ServerError::NoSuchKey { .. } => no_such_key(),
        other => S3Error::internal_error(other),
    }
}

fn no_such_bucket() -> S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

fn oddity<T>(request: &S3Request<T>) -> Oddity {
    match request.extensions.get() {
        Some(ActiveFault(FaultKind::RepeatedPage)) => Oddity { repeats_page: true, ..Oddity::default() },
        Some(ActiveFault(FaultKind::OddPage { max_keys, repeats, skips })) => {
            Oddity { repeats_page: false, max_keys: Some(*max_keys), repeats: *repeats, skips: *skips }
        }
        _ => Oddity::default(),
    }
}

fn byte_range(range: Option<&WireRange>, size: u64) -> S3Result<Range<u64>> {
    let Some(range) = range else { return Ok(0..size) };
    let satisfied = range.check(size).ok().filter(|range| range.start < range.end);
    satisfied.ok_or_else(|| {
        let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
        if let Ok(value) = http::HeaderValue::from_str(&format!("bytes */{size}")) {
            let mut headers = http::HeaderMap::new();
            headers.insert(http::header::CONTENT_RANGE, value);
            headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/xml"));
            error.set_headers(headers);
        }
        error
    })
}

/// Writes a request's body to a file; gives its size in bytes and its ETag.
async fn receive(file: &Path, body: Option<StreamingBlob>) -> S3Result<(u64, String)> {
    let mut target = File::create_new(file).map_err(S3Error::internal_error)?;
    let mut hasher = Md5::new();
    let mut size = 0;
    if let Some(mut body) = body {
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?;
            target.write_all(&piece).map_err(S3Error::internal_error)?;
            hasher.update(&piece);
            size += piece.len() as u64;
        }
    }
    Ok((size, hex::encode(hasher.finalize())))
}

fn discard(file: &Path) {
    if let Err(error) = std::fs::remove_file(file) {
        tracing::debug!(%error, file = %file.display(), "an unfinished upload stays on disk");
    }
}
