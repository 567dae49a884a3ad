//! Putting whole files in place so that they survive a power cut, and so that the first of any number of
//! writers wins.

use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{FileSystem, SyncSite, VolumeError};

/// The places that a file which is put in place makes durable: its contents, then its name.
#[derive(Debug, Clone, Copy)]
pub struct PutSites {
    /// The contents, before the name is taken.
    pub contents: SyncSite,
    /// The name, before the call returns.
    pub name: SyncSite,
}

/// The random 64-bit id of this process, 16 hex digits: it stands in the name of every file it makes.
pub fn writer_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        // The two halves carry the fixed bits of a UUID in different places.
        let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
        format!("{:016x}", high.rotate_left(32) ^ low)
    })
}

/// A name part that no other call and no other process uses: `<writer>-<n>`.
pub fn unique_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", writer_id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether a name is one that [`put_new`] and its like give to a file until it is in place:
/// `.<name>.<writer>-<n>.tmp`.
pub(crate) fn is_temporary_name(name: &str) -> bool {
    let unique = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp")?.rsplit_once('.'));
    let parts = unique.and_then(|(_, unique)| unique.split_once('-'));
    parts.is_some_and(|(writer, n)| {
        writer.len() == 16 && writer.bytes().all(|b| b.is_ascii_hexdigit()) && n.parse::<u64>().is_ok()
    })
}

/// Writes a new file with durable contents; its name is durable only after a sync of the folder. A file
/// that could not be completed is removed.
pub fn write_new(
    files: &dyn FileSystem,
    path: &Path,
    bytes: &[u8],
    site: SyncSite,
) -> Result<(), VolumeError> {
    let mut file = files.create(path).map_err(|e| VolumeError::new("create", path, e))?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.flush())
        .map_err(|e| VolumeError::new("write", path, e))
        .and_then(|()| file.sync(site).map_err(|e| VolumeError::new("fsync", path, e)));
    drop(file);
    if written.is_err() {
        discard(files, path);
    }
    written
}

/// Puts `folder/name` in place: whole, durable, and only if no one was first. `false`: another file has the
/// name. Either way the name that stands is durable on return.
pub fn put_new(
    files: &dyn FileSystem,
    folder: &Path,
    name: &str,
    bytes: &[u8],
    sites: PutSites,
) -> Result<bool, VolumeError> {
    let temporary = folder.join(format!(".{name}.{}.tmp", unique_name()));
    let path = folder.join(name);
    write_new(files, &temporary, bytes, sites.contents)?;
    let linked = files.link(&temporary, &path);
    discard(files, &temporary);
    let won = match linked {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(VolumeError::new("link", &path, error)),
    };
    files.sync_dir(folder, sites.name).map_err(|e| VolumeError::new("fsync the folder", folder, e))?;
    Ok(won)
}

/// Makes a folder and those above it that are missing, every new name durable in its parent.
pub fn make_dirs(files: &dyn FileSystem, path: &Path, site: SyncSite) -> Result<(), VolumeError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    match files.create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_dirs(files, parent, site)?;
            make_dir(files, path)?;
        }
        other => {
            other.map_err(|e| VolumeError::new("make the folder", path, e))?;
        }
    }
    // Also when it was there: whoever made it may not have come to its fsync.
    sync_parent(files, parent, site)
}

/// Makes the folders `below` a folder that is durable, one in the other. Each name is made durable, also of
/// those that were there: another process may have made any of them just now and not have come to its fsync.
pub fn make_dirs_below(
    files: &dyn FileSystem,
    folder: &Path,
    below: &Path,
    site: SyncSite,
) -> Result<(), VolumeError> {
    let mut parent = folder.to_owned();
    for part in below {
        let path = parent.join(part);
        make_dir(files, &path)?;
        sync_parent(files, &parent, site)?;
        parent = path;
    }
    Ok(())
}

/// Makes one folder; its name is durable only after a sync of its parent.
pub(crate) fn make_dir(files: &dyn FileSystem, path: &Path) -> Result<(), VolumeError> {
    files.create_dir(path).map(|_| ()).map_err(|e| VolumeError::new("make the folder", path, e))
}

fn sync_parent(files: &dyn FileSystem, parent: &Path, site: SyncSite) -> Result<(), VolumeError> {
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    files.sync_dir(parent, site).map_err(|e| VolumeError::new("fsync the folder", parent, e))
}

/// Removes a file that means nothing to anyone; one that stays costs space until vacuum.
pub(crate) fn discard(files: &dyn FileSystem, path: &Path) {
    if let Err(error) = files.remove(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(path = %path.display(), %error, "a worthless file could not be removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::{Posix, read_all};

    const SITES: PutSites = PutSites { contents: SyncSite::PlanContents, name: SyncSite::PlanName };

    #[test]
    fn the_first_writer_wins_and_no_temporary_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        assert!(put_new(&Posix, folder.path(), "a.json", b"first", SITES).unwrap());
        assert!(!put_new(&Posix, folder.path(), "a.json", b"second", SITES).unwrap());
        assert_eq!(read_all(&Posix, &folder.path().join("a.json")).unwrap(), b"first");
        assert_eq!(Posix.list(folder.path()).unwrap().len(), 1);
    }

    #[test]
    fn folders_are_made_with_those_above_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c");
        make_dirs(&Posix, &path, SITES.name).unwrap();
        make_dirs(&Posix, &path, SITES.name).unwrap();
        assert!(path.is_dir());
        make_dirs_below(&Posix, folder.path(), Path::new("a/d/e"), SITES.name).unwrap();
        assert!(folder.path().join("a/d/e").is_dir());
    }

    #[test]
    fn a_writer_has_one_id_of_64_bits() {
        assert_eq!(writer_id(), writer_id());
        assert_eq!(writer_id().len(), 16);
        assert_ne!(unique_name(), unique_name());
    }
}
