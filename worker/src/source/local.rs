//! Files of this machine behind the same face as objects: for previews and local data.

use std::fs::{self, File, Metadata};
use std::io;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use bytes::Bytes;
use longshore_storage::load::PlannedFile;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::error::SourceError;
use super::glob::{Glob, Position};
use super::path::PathPattern;
use super::pending::PendingBytes;
use super::{ConnectContext, ListedObject, ReadObject};

/// Lists and opens local files.
pub(super) struct LocalFiles {
    runtime: Handle,
    cancel: CancellationToken,
}

impl LocalFiles {
    pub(super) fn new(context: &ConnectContext) -> Self {
        Self { runtime: context.runtime.clone(), cancel: context.cancel.clone() }
    }

    /// Walks the folders that can lead to a match; all matches after `after` are one page.
    pub(super) async fn list(
        &self,
        pattern: &PathPattern,
        after: Option<&str>,
        on_page: &mut super::OnPage<'_>,
    ) -> Result<(), SourceError> {
        if !pattern.is_local() {
            return Err(SourceError::InvalidPath {
                path: pattern.to_string(),
                reason: "is not a local path".to_owned(),
            });
        }
        let (glob, cancel) = (pattern.glob().clone(), self.cancel.clone());
        let walk = self.runtime.spawn_blocking(move || {
            let mut walk = Walk { glob: &glob, cancel: &cancel, found: Vec::new() };
            walk.start()?;
            walk.found.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(walk.found)
        });
        let mut found = walk.await.unwrap_or(Err(SourceError::Cancelled))?;
        found.retain(|object| after.is_none_or(|after| object.key.as_str() > after));
        if !found.is_empty() {
            let (ControlFlow::Continue(()) | ControlFlow::Break(())) = on_page(&found);
        }
        Ok(())
    }

    pub(super) fn object(&self, file: &PlannedFile) -> Arc<dyn ReadObject> {
        Arc::new(LocalObject {
            path: file.key.clone(),
            size: file.size,
            etag: file.etag.clone(),
            runtime: self.runtime.clone(),
            cancel: self.cancel.clone(),
        })
    }
}

struct Walk<'a> {
    glob: &'a Glob,
    cancel: &'a CancellationToken,
    found: Vec<ListedObject>,
}

impl Walk<'_> {
    fn start(&mut self) -> Result<(), SourceError> {
        let prefix = self.glob.literal_prefix();
        if !self.glob.has_wildcards() {
            return self.visit(prefix, self.glob.after_prefix());
        }
        let folder = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
        self.folder(folder)
    }

    /// Visits the entries of a folder (a text that is empty or ends with `/`) from which a match can come.
    fn folder(&mut self, folder: &str) -> Result<(), SourceError> {
        let entries = match fs::read_dir(if folder.is_empty() { "." } else { folder }) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(folder, &error)),
        };
        for entry in entries {
            if self.cancel.is_cancelled() {
                return Err(SourceError::Cancelled);
            }
            let entry = entry.map_err(|error| failed(folder, &error))?;
            let name = entry.file_name();
            let path = format!("{folder}{}", name.to_string_lossy());
            let position = self.position(&path);
            if position.is_dead() {
                continue;
            }
            if name.to_str().is_none() {
                let cause = "its name is not UTF-8; rename it".to_owned();
                return Err(SourceError::LocalFile { path, cause });
            }
            self.visit(&path, &position)?;
        }
        Ok(())
    }

    fn visit(&mut self, path: &str, position: &Position) -> Result<(), SourceError> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(failed(path, &error)),
        };
        if metadata.is_dir() {
            let inside = format!("{path}/");
            return if self.position(&inside).is_dead() { Ok(()) } else { self.folder(&inside) };
        }
        if metadata.is_file() && self.glob.accepts(position) {
            self.found.push(listed(path, &metadata));
        }
        Ok(())
    }

    /// Where the pattern stands after `path`, which may still be inside the literal prefix.
    fn position(&self, path: &str) -> Position {
        let prefix = self.glob.literal_prefix();
        match path.strip_prefix(prefix) {
            Some(rest) => self.glob.advance(self.glob.after_prefix(), rest),
            None if prefix.starts_with(path) => self.glob.after_prefix().clone(),
            None => self.glob.dead(),
        }
    }
}

fn listed(path: &str, metadata: &Metadata) -> ListedObject {
    ListedObject {
        bucket: String::new(),
        key: path.to_owned(),
        size: metadata.len(),
        etag: identity(metadata),
        modified_ms: metadata.mtime() * 1000 + metadata.mtime_nsec() / 1_000_000,
    }
}

/// What an ETag is for an object: another text when the content is another.
fn identity(metadata: &Metadata) -> String {
    format!("{}-{}.{:09}-{}", metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino())
}

fn failed(path: &str, error: &io::Error) -> SourceError {
    SourceError::LocalFile { path: path.to_owned(), cause: error.to_string() }
}

#[derive(Clone)]
struct LocalObject {
    path: String,
    size: u64,
    etag: String,
    runtime: Handle,
    cancel: CancellationToken,
}

impl ReadObject for LocalObject {
    fn name(&self) -> &str {
        &self.path
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn fetch(&self, range: Range<u64>) -> PendingBytes {
        if range.start >= range.end {
            return PendingBytes::ready(Ok(Bytes::new()));
        }
        let object = self.clone();
        PendingBytes::spawn_blocking(&self.runtime, move || object.read(range))
    }
}

impl LocalObject {
    fn read(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        if self.cancel.is_cancelled() {
            return Err(SourceError::Cancelled);
        }
        let file = File::open(&self.path).map_err(|error| failed(&self.path, &error))?;
        let found = identity(&file.metadata().map_err(|error| failed(&self.path, &error))?);
        if found != self.etag {
            return Err(SourceError::ObjectChanged {
                object: self.path.clone(),
                difference: format!("size, time and inode were {} and are {found}", self.etag),
            });
        }
        super::check_range(&self.path, &range, self.size)?;
        let mut content = vec![0; (range.end - range.start) as usize];
        file.read_exact_at(&mut content, range.start).map_err(|error| failed(&self.path, &error))?;
        Ok(content.into())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::runtime::Runtime;

    use super::super::{RequestMetrics, Store};
    use super::*;

    fn store(runtime: &Runtime) -> Store {
        Store::local(&ConnectContext {
            secrets_dir: None,
            runtime: runtime.handle().clone(),
            metrics: Arc::new(RequestMetrics::default()),
            cancel: CancellationToken::new(),
            max_concurrent_requests: 4,
        })
    }

    fn write(root: &Path, files: &[&str]) {
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
    }

    fn list(runtime: &Runtime, root: &Path, pattern: &str) -> Vec<String> {
        let root = format!("{}/", root.display());
        let pattern = PathPattern::parse(&format!("{root}{pattern}")).unwrap();
        let found = runtime.block_on(store(runtime).list_all(&[pattern])).unwrap();
        found.into_iter().map(|f| f.key.strip_prefix(&root).unwrap().to_owned()).collect()
    }

    #[test]
    fn lists_what_matches_in_order() {
        let (runtime, root) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
        write(root.path(), &["a/x.csv", "a/b/y.csv", "a/b-1/y.csv", "a/b/c/z.csv", "q.csv", "a/%3A,+ ü.csv"]);
        assert_eq!(list(&runtime, root.path(), "a/*.csv"), ["a/%3A,+ ü.csv", "a/x.csv"]);
        assert_eq!(list(&runtime, root.path(), "a/*/*.csv"), ["a/b-1/y.csv", "a/b/y.csv"]);
        assert_eq!(list(&runtime, root.path(), "{q,a/b/y}.csv"), ["a/b/y.csv", "q.csv"]);
        assert_eq!(list(&runtime, root.path(), "q.csv"), ["q.csv"]);
        assert!(list(&runtime, root.path(), "none/*.csv").is_empty());
        assert!(list(&runtime, root.path(), "a").is_empty());
    }

    #[test]
    fn reads_ranges_of_what_was_listed_only() {
        let (runtime, root) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
        write(root.path(), &["x.csv"]);
        let path = root.path().join("x.csv");
        let pattern = PathPattern::parse(path.to_str().unwrap()).unwrap();
        let store = store(&runtime);
        let found = runtime.block_on(store.list_all(&[pattern])).unwrap();
        let object = store.object(&found[0].planned(0));
        assert_eq!(object.size(), 5);
        assert_eq!(object.fetch(1..4).wait().unwrap(), ".cs");
        assert_eq!(object.fetch(2..2).wait().unwrap(), "");
        assert!(object.fetch(2..9).wait().is_err());
        fs::write(&path, "another").unwrap();
        assert_eq!(object.fetch(1..4).wait().unwrap_err().category(), "ObjectChanged");
    }
}
