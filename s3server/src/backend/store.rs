//! Objects on a folder: an ordered index in memory, contents in files.
//!
//! `<data>/<bucket>/<path>` are plain files that somebody dropped there: key = path. Objects that
//! are put lie in `<data>/.objects/<number>`, so that any key is possible, also `a` beside `a/b`;
//! `<data>/.objects/index.jsonl` says which is which.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use bytes::Bytes;

use super::bucket::Bucket;
use super::digest;
use super::journal::{self, Journal, Record};
use super::key_range::KeyRange;
use super::listing::{self, ListPage, ListRequest};
use super::object::{Content, Object};
use super::plain_files::{self, PlainFile};
use crate::error::ServerError;

const OBJECTS: &str = ".objects";
const INDEX: &str = "index.jsonl";

/// All buckets of a server.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    next_number: AtomicU64,
    buckets: RwLock<BTreeMap<String, Bucket>>,
    /// Tags by bucket, key and ETag, in memory only.
    tags: Mutex<BTreeMap<(String, String, String), Tags>>,
    journal: Mutex<Journal>,
}

/// Tags of an object: key and value.
pub(crate) type Tags = Vec<(String, String)>;

/// An object together with its open content, so that a later replacement does not disturb the reader.
#[derive(Debug)]
pub(crate) struct OpenObject {
    pub object: Object,
    pub source: Source,
}

/// Content that can be read at any offset.
#[derive(Debug)]
pub(crate) enum Source {
    File(File),
    Memory(Bytes),
    Zeros,
}

impl Store {
    /// Opens a data folder (made if absent) and indexes what lies in it.
    pub fn open(root: &Path) -> Result<Self, ServerError> {
        let objects = root.join(OBJECTS);
        std::fs::create_dir_all(&objects).map_err(|error| ServerError::io("create", &objects, error))?;
        let root = root.canonicalize().map_err(|error| ServerError::io("open", root, error))?;
        let index = root.join(OBJECTS).join(INDEX);
        let mut records = journal::read(&index)?;
        records.retain(|_, record| still_there(&root, record));

        let mut buckets = BTreeMap::new();
        for name in plain_files::buckets(&root)? {
            for file in plain_files::files(&root, &name)? {
                index_plain_file(&mut records, &name, file)?;
            }
            buckets.insert(name, Bucket::default());
        }
        let mut next_number = 0;
        for record in records.values() {
            let file = record.file.clone().unwrap_or_default();
            next_number = next_number.max(number_of(&file).map_or(0, |number| number + 1));
            let object = Object {
                size: record.size,
                etag: record.etag.clone(),
                modified: record.modified_time(),
                content: Content::File(root.join(file)),
            };
            buckets.entry(record.bucket.clone()).or_default().insert(record.key.clone(), object);
        }
        let journal = Mutex::new(Journal::rewrite(&index, records.values())?);
        let (next_number, tags) = (AtomicU64::new(next_number), Mutex::default());
        Ok(Self { root, next_number, buckets: RwLock::new(buckets), tags, journal })
    }

    /// Makes a bucket; one that exists stays as it is.
    pub fn create_bucket(&self, bucket: &str) -> Result<(), ServerError> {
        let folder = self.root.join(bucket);
        std::fs::create_dir_all(&folder).map_err(|error| ServerError::io("create", &folder, error))?;
        self.write().entry(bucket.to_owned()).or_default();
        Ok(())
    }

    /// Whether the bucket exists.
    pub fn has_bucket(&self, bucket: &str) -> bool {
        self.read().contains_key(bucket)
    }

    /// The names of all buckets, in order.
    pub fn buckets(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    /// A path for a new object's content that nothing else uses.
    pub fn new_file(&self) -> PathBuf {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        self.root.join(OBJECTS).join(number.to_string())
    }

    /// Makes the file (of [`Store::new_file`]) the content of the key. Gives the new object.
    pub fn adopt(
        &self,
        bucket: &str,
        key: &str,
        file: &Path,
        size: u64,
        etag: String,
    ) -> Result<Object, ServerError> {
        let object =
            Object { size, etag, modified: SystemTime::now(), content: Content::File(file.to_owned()) };
        let record = Record {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            file: file.strip_prefix(&self.root).ok().map(Path::to_owned),
            size,
            modified: journal::nanoseconds(object.modified),
            etag: object.etag.clone(),
        };
        let replaced = {
            let mut buckets = self.write();
            let target = buckets.get_mut(bucket).ok_or_else(|| no_such_bucket(bucket))?;
            self.append(&record)?;
            target.insert(key.to_owned(), object.clone())
        };
        remove_content(replaced.as_ref())?;
        Ok(object)
    }

    /// Removes an object; false if there was none.
    pub fn remove(&self, bucket: &str, key: &str) -> Result<bool, ServerError> {
        let removed = {
            let mut buckets = self.write();
            buckets.get_mut(bucket).ok_or_else(|| no_such_bucket(bucket))?.remove(key)
        };
        if let Some(object) = &removed {
            self.append(&Record {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                file: None,
                size: 0,
                modified: journal::nanoseconds(object.modified),
                etag: String::new(),
            })?;
        }
        remove_content(removed.as_ref())?;
        Ok(removed.is_some())
    }

    /// Adds a range of keys without files.
    pub fn add_range(&self, bucket: &str, range: KeyRange) -> Result<(), ServerError> {
        self.write().get_mut(bucket).ok_or_else(|| no_such_bucket(bucket))?.add_range(range);
        Ok(())
    }

    /// The object of a key with its content open; None if there is none.
    pub fn get(&self, bucket: &str, key: &str) -> Result<Option<OpenObject>, ServerError> {
        let buckets = self.read();
        let Some(object) = buckets.get(bucket).ok_or_else(|| no_such_bucket(bucket))?.get(key).cloned()
        else {
            return Ok(None);
        };
        // Opened under the lock: a file is removed only after its object has left the index.
        let source = match &object.content {
            Content::File(path) => {
                Source::File(File::open(path).map_err(|error| ServerError::io("open", path, error))?)
            }
            Content::Memory(bytes) => Source::Memory(bytes.clone()),
            Content::Zeros => Source::Zeros,
        };
        Ok(Some(OpenObject { object, source }))
    }

    /// The tags of an object; None if there is none.
    pub fn tags(&self, bucket: &str, key: &str) -> Result<Option<Tags>, ServerError> {
        let Some(open) = self.get(bucket, key)? else { return Ok(None) };
        let place = (bucket.to_owned(), key.to_owned(), open.object.etag);
        let tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(tags.get(&place).cloned().unwrap_or_default()))
    }

    /// Gives an object other tags; false if there is none.
    pub fn set_tags(&self, bucket: &str, key: &str, tags: Tags) -> Result<bool, ServerError> {
        let Some(open) = self.get(bucket, key)? else { return Ok(false) };
        let place = (bucket.to_owned(), key.to_owned(), open.object.etag);
        self.tags.lock().unwrap_or_else(PoisonError::into_inner).insert(place, tags);
        Ok(true)
    }

    /// One page of keys.
    pub fn list(&self, bucket: &str, request: &ListRequest<'_>) -> Result<ListPage, ServerError> {
        let buckets = self.read();
        let bucket = buckets.get(bucket).ok_or_else(|| no_such_bucket(bucket))?;
        Ok(listing::list(bucket, request))
    }

    /// How many objects with files the bucket has.
    pub fn count(&self, bucket: &str) -> usize {
        self.read().get(bucket).map_or(0, |bucket| bucket.objects().count())
    }

    fn append(&self, record: &Record) -> Result<(), ServerError> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).append(record)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_such_bucket(bucket: &str) -> ServerError {
    ServerError::NoSuchBucket { bucket: bucket.to_owned() }
}

/// Whether the record's file still is what it was; a plain file may have been written anew since.
fn still_there(root: &Path, record: &Record) -> bool {
    let Some(file) = &record.file else { return false };
    let Ok(metadata) = root.join(file).metadata() else { return false };
    let same_time = || metadata.modified().is_ok_and(|time| journal::nanoseconds(time) == record.modified);
    metadata.len() == record.size && (number_of(file).is_some() || same_time())
}

/// The number of an object's file; None for a plain file.
fn number_of(file: &Path) -> Option<u64> {
    file.strip_prefix(OBJECTS).ok()?.to_str()?.parse().ok()
}

fn index_plain_file(
    records: &mut BTreeMap<(String, String), Record>,
    bucket: &str,
    file: PlainFile,
) -> Result<(), ServerError> {
    let name = (bucket.to_owned(), file.key.clone());
    if records.contains_key(&name) {
        return Ok(());
    }
    let etag = digest::of_file(&file.path)?;
    let record = Record {
        bucket: bucket.to_owned(),
        file: Some(Path::new(bucket).join(&file.key)),
        key: file.key,
        size: file.size,
        modified: journal::nanoseconds(file.modified),
        etag,
    };
    records.insert(name, record);
    Ok(())
}

fn remove_content(object: Option<&Object>) -> Result<(), ServerError> {
    let Some(Object { content: Content::File(path), .. }) = object else { return Ok(()) };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(ServerError::io("remove", path, error))
        }
        _ => Ok(()),
    }
}
