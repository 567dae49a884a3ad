//! Sources: which objects there are, and their bytes.
//!
//! A [`Store`] lists the objects that match a [`PathPattern`] and opens them as [`ReadObject`]s. What was
//! listed is frozen: every byte that is read later belongs to the object with the listed size and ETag, or
//! the read fails with [`SourceError::ObjectChanged`].

mod change;
mod classify;
mod coalesce;
mod credentials;
mod environment;
mod error;
mod glob;
mod head;
mod list;
mod list_page;
mod local;
mod manifest;
mod metrics;
mod path;
mod pending;
mod read;
mod retry;
mod s3;
mod url_decode;

use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::Arc;

use longshore_crds::source::S3;
use longshore_storage::load::PlannedFile;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

pub use change::{Change, Tags};
pub use coalesce::coalesce;
pub use error::{SourceError, StoreAnswer};
pub use glob::{Glob, GlobError};
pub use manifest::{MAX_MANIFEST_BYTES, ManifestEntry, ManifestError, parse_manifest, split as split_path};
pub use metrics::{Operation, Outcome, RequestMetrics, RequestSnapshot};
pub use path::PathPattern;
pub use pending::PendingBytes;
pub use retry::RetryPolicy;
pub use url_decode::percent_decoded;

/// A frozen object that can be read by ranges from blocking threads.
pub trait ReadObject: Send + Sync + 'static {
    /// `s3://bucket/key`, or the local path.
    fn name(&self) -> &str;

    /// Bytes, as listed.
    fn size(&self) -> u64;

    /// Starts to read now; never blocks. Large ranges are split into parallel requests inside. Dropping
    /// the answer cancels the read. A range outside the object is an error of [`PendingBytes::wait`].
    fn fetch(&self, range: Range<u64>) -> PendingBytes;
}

/// What a connection needs from its process.
#[derive(Clone)]
pub struct ConnectContext {
    /// Folder of mounted Secrets: `<dir>/<secret>/{access-key-id,secret-access-key,session-token}`. With
    /// none, a `secretRef` is answered from the environment's `AWS_ACCESS_KEY_ID` and its fellows.
    pub secrets_dir: Option<PathBuf>,
    /// Where requests run.
    pub runtime: Handle,
    /// Where they are counted.
    pub metrics: Arc<RequestMetrics>,
    /// Ends every request, wait and listing with [`SourceError::Cancelled`].
    pub cancel: CancellationToken,
    /// Requests of one store in flight at once (at least 1).
    pub max_concurrent_requests: usize,
}

/// An object as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Bucket; empty for a local file.
    pub bucket: String,
    /// Key, or the path of a local file.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// ETag with its quotes taken off; of a local file, a text of size, time and inode.
    pub etag: String,
    /// Last change, milliseconds since the epoch.
    pub modified_ms: i64,
}

/// What takes the pages of a listing, and says whether it goes on.
pub type OnPage<'a> = dyn FnMut(&[ListedObject]) -> ControlFlow<()> + Send + 'a;

/// One store, one a source: an S3 endpoint with an identity, or the files of this machine. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Kind>);

enum Kind {
    S3(Arc<s3::S3Store>),
    Local(local::LocalFiles),
}

impl Store {
    /// Connects to S3: finds the credentials (and assumes the role) but asks the store nothing yet.
    pub async fn connect(s3: &S3, context: &ConnectContext) -> Result<Self, SourceError> {
        Self::connect_with(s3, context, RetryPolicy::default()).await
    }

    /// The same with another patience.
    pub async fn connect_with(
        s3: &S3,
        context: &ConnectContext,
        policy: RetryPolicy,
    ) -> Result<Self, SourceError> {
        let s3 = environment::with_endpoint(s3, |name| std::env::var(name).ok());
        let store = s3::S3Store::connect(&s3, context, policy).await?;
        Ok(Self(Arc::new(Kind::S3(Arc::new(store)))))
    }

    /// The files of this machine.
    pub fn local(context: &ConnectContext) -> Self {
        Self(Arc::new(Kind::Local(local::LocalFiles::new(context))))
    }

    /// Gives every object that matches, page by page in the order of keys, each once; folder markers (keys
    /// that end with `/`) are left out. No match at all is no error here.
    pub async fn list(
        &self,
        pattern: &PathPattern,
        on_page: &mut (dyn FnMut(&[ListedObject]) + Send),
    ) -> Result<(), SourceError> {
        let mut on_page = |page: &[ListedObject]| {
            on_page(page);
            ControlFlow::Continue(())
        };
        self.list_after(pattern, None, &mut on_page).await
    }

    /// The same of the keys that come after `after`, as long as `on_page` goes on: a listing that was broken off is
    /// taken up again after the last key that it gave.
    pub async fn list_after(
        &self,
        pattern: &PathPattern,
        after: Option<&str>,
        on_page: &mut OnPage<'_>,
    ) -> Result<(), SourceError> {
        match &*self.0 {
            Kind::S3(_) if pattern.is_local() => Err(SourceError::InvalidPath {
                path: pattern.to_string(),
                reason: "is a local path; a load reads s3:// only".to_owned(),
            }),
            Kind::S3(store) => list::list(store, pattern, after, on_page).await,
            Kind::Local(files) => files.list(pattern, after, on_page).await,
        }
    }

    /// Every object that matches at least one of the patterns, sorted by bucket and key, each once.
    pub async fn list_all(&self, patterns: &[PathPattern]) -> Result<Vec<ListedObject>, SourceError> {
        let mut found = Vec::new();
        for pattern in patterns {
            self.list(pattern, &mut |page| found.extend_from_slice(page)).await?;
        }
        found.sort_by(|a, b| (&a.bucket, &a.key).cmp(&(&b.bucket, &b.key)));
        found.dedup_by(|a, b| a.bucket == b.bucket && a.key == b.key);
        Ok(found)
    }

    /// One object by its exact key; `None`: there is none.
    pub async fn find(&self, bucket: &str, key: &str) -> Result<Option<ListedObject>, SourceError> {
        let found = match &*self.0 {
            Kind::S3(store) => store.head(bucket, key).await,
            Kind::Local(_) => {
                let reason = "is a local path; a manifest names s3:// only".to_owned();
                return Err(SourceError::InvalidPath { path: key.to_owned(), reason });
            }
        };
        match found {
            Ok(object) => Ok(Some(object)),
            Err(SourceError::ObjectNotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens an object that was listed. Asks the store nothing.
    pub fn object(&self, file: &PlannedFile) -> Arc<dyn ReadObject> {
        match &*self.0 {
            Kind::S3(store) => Arc::new(read::S3Object::new(store.clone(), file)),
            Kind::Local(files) => files.object(file),
        }
    }
}

/// Refuses a range that ends past the object: a fault of the caller or of the file's own offsets.
fn check_range(object: &str, range: &Range<u64>, size: u64) -> Result<(), SourceError> {
    if range.end <= size {
        return Ok(());
    }
    Err(SourceError::RangeOutside { object: object.to_owned(), start: range.start, end: range.end, size })
}

impl ListedObject {
    /// The object as a plan freezes it.
    pub fn planned(&self, source: u32) -> PlannedFile {
        PlannedFile {
            source,
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            size: self.size,
            etag: self.etag.clone(),
            modified_ms: self.modified_ms,
        }
    }
}
