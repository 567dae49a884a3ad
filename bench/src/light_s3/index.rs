//! What lies in the folder, read once.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// An object.
#[derive(Debug)]
pub(super) struct Entry {
    pub path: PathBuf,
    pub size: u64,
    /// With quotes.
    pub etag: String,
}

/// Buckets with their keys in order.
#[derive(Debug, Default)]
pub(super) struct Index(BTreeMap<String, BTreeMap<String, Entry>>);

impl Index {
    /// Reads the folders of `folder` as buckets; hidden files are left out.
    pub fn read(folder: &Path) -> std::io::Result<Self> {
        let mut index = Self::default();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if path.is_dir() {
                let mut keys = BTreeMap::new();
                read_folder(&path, &path, &mut keys)?;
                index.0.insert(name.to_owned(), keys);
            }
        }
        Ok(index)
    }

    pub fn bucket(&self, name: &str) -> Option<&BTreeMap<String, Entry>> {
        self.0.get(name)
    }
}

fn read_folder(base: &Path, folder: &Path, keys: &mut BTreeMap<String, Entry>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let key = path.strip_prefix(base).ok().and_then(Path::to_str).map(str::to_owned);
        let (false, Some(key)) = (hidden, key) else { continue };
        let metadata = path.metadata()?;
        if metadata.is_dir() {
            read_folder(base, &path, keys)?;
        } else {
            let etag = format!(
                "\"{:x}-{:x}\"",
                metadata.mtime_nsec() + metadata.mtime() * 1_000_000_000,
                metadata.size()
            );
            keys.insert(key, Entry { path, size: metadata.size(), etag });
        }
    }
    Ok(())
}
