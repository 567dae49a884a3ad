//! What lies in the folder, read once; a bucket with a file `.live` is read at each request. A line `prefix count file` in
//! a file `.copies` stands for so many keys `<prefix>0000000.parquet` with the content of that file of the bucket.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// An object.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub path: PathBuf,
    pub size: u64,
    /// With quotes.
    pub etag: String,
}

/// Keys of a bucket, in order.
pub(super) type Keys = BTreeMap<String, Entry>;

/// A bucket that is read at each request has its folder.
#[derive(Debug)]
enum Bucket {
    Read(Keys),
    Live(PathBuf),
}

/// Buckets by name.
#[derive(Debug, Default)]
pub(super) struct Index(BTreeMap<String, Bucket>);

impl Index {
    /// Reads the folders of `folder` as buckets; hidden files are left out.
    pub fn read(folder: &Path) -> std::io::Result<Self> {
        let mut index = Self::default();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if path.is_dir() {
                let name = name.to_owned();
                let bucket = if path.join(".live").exists() {
                    Bucket::Live(path)
                } else {
                    let mut keys = Keys::new();
                    read_folder(&path, &path, &mut keys)?;
                    read_copies(&path, &mut keys)?;
                    Bucket::Read(keys)
                };
                index.0.insert(name, bucket);
            }
        }
        Ok(index)
    }

    pub fn bucket(&self, name: &str) -> Option<Cow<'_, Keys>> {
        match self.0.get(name)? {
            Bucket::Read(keys) => Some(Cow::Borrowed(keys)),
            Bucket::Live(folder) => {
                let mut keys = Keys::new();
                read_folder(folder, folder, &mut keys).ok()?;
                Some(Cow::Owned(keys))
            }
        }
    }
}

fn read_copies(folder: &Path, keys: &mut Keys) -> std::io::Result<()> {
    let lines = match std::fs::read_to_string(folder.join(".copies")) {
        Ok(lines) => lines,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for line in lines.lines() {
        let invalid = || std::io::Error::other(format!("{line:?} is no `prefix count file`"));
        let [prefix, count, file] = line.split(' ').collect::<Vec<_>>()[..] else { return Err(invalid()) };
        let path = folder.join(file);
        let size = path.metadata()?.len();
        for number in 0..count.parse::<u64>().map_err(|_| invalid())? {
            let entry = Entry { path: path.clone(), size, etag: format!("\"{number:032x}\"") };
            keys.insert(format!("{prefix}{number:07}.parquet"), entry);
        }
    }
    Ok(())
}

fn read_folder(base: &Path, folder: &Path, keys: &mut Keys) -> std::io::Result<()> {
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
