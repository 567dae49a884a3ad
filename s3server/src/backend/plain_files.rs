//! Files that somebody dropped below a bucket's folder.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::ServerError;

/// A file whose path below its bucket is its key.
#[derive(Debug)]
pub(crate) struct PlainFile {
    pub path: PathBuf,
    pub key: String,
    pub size: u64,
    pub modified: SystemTime,
}

/// The folders of the data folder that are buckets: those whose name does not begin with a dot.
pub(crate) fn buckets(root: &Path) -> Result<Vec<String>, ServerError> {
    let mut names = Vec::new();
    for entry in entries(root)? {
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if !name.starts_with('.') && entry.path().is_dir() {
            names.push(name);
        }
    }
    Ok(names)
}

/// All files below the bucket's folder; names that are no UTF-8 cannot be keys and are left out.
pub(crate) fn files(root: &Path, bucket: &str) -> Result<Vec<PlainFile>, ServerError> {
    let base = root.join(bucket);
    let mut found = Vec::new();
    let mut folders = vec![base.clone()];
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder)? {
            let path = entry.path();
            let metadata = path.metadata().map_err(|error| ServerError::io("read", &path, error))?;
            if metadata.is_dir() {
                folders.push(path);
                continue;
            }
            let Some(key) = path.strip_prefix(&base).ok().and_then(Path::to_str).map(str::to_owned) else {
                continue;
            };
            let modified = metadata.modified().map_err(|error| ServerError::io("read", &path, error))?;
            found.push(PlainFile { path, key, size: metadata.len(), modified });
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<std::fs::DirEntry>, ServerError> {
    std::fs::read_dir(folder)
        .and_then(Iterator::collect)
        .map_err(|error| ServerError::io("list", folder, error))
}
