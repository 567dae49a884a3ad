//! All file access of this crate: one small trait, so that tests can cut the power, fill the disk or fail
//! an fsync, and so that an object store with conditional PUT can stand behind it later (design §10).
//!
//! Two promises are kept apart, because POSIX keeps them apart: [`WriteFile::sync`] makes *contents*
//! durable, [`FileSystem::sync_dir`] makes *names* durable.

use std::fmt::Debug;
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

mod error;
mod posix;
mod put;
mod site;

pub use error::VolumeError;
pub use posix::Posix;
pub use put::{PutSites, make_dirs, make_dirs_below, put_new, unique_name, write_new, writer_id};
pub(crate) use put::{discard, is_temporary_name, make_dir};
pub use site::SyncSite;

/// What the storage crate asks of a volume. Paths are absolute or relative to the process, never escaped.
pub trait FileSystem: Send + Sync + Debug {
    /// Makes a new file for writing, mode 0660; `AlreadyExists` if the name is taken (`O_CREAT|O_EXCL`).
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>>;
    /// Makes one folder, mode 2770. `Ok(true)`: made; `Ok(false)`: it was there.
    fn create_dir(&self, path: &Path) -> io::Result<bool>;
    /// Gives `from` a second name; `AlreadyExists` if that name is taken (`link(2)`): exactly one of any
    /// number of writers wins.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Replaces `to` by `from` (`rename(2)`): only for hints that may be lost.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable. `site` says which place asks: no volume acts on it.
    fn sync_dir(&self, path: &Path, site: SyncSite) -> io::Result<()>;
    /// Opens a file for reading at offsets.
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>>;
    /// Entries of a folder in no order; a fresh `readdir`, which is no snapshot beside a busy writer.
    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>>;
    /// Names of the entries of a folder in no order: a volume may tell them for much less than their sizes and
    /// times.
    fn list_names(&self, path: &Path) -> io::Result<Vec<String>> {
        Ok(self.list(path)?.into_iter().map(|entry| entry.name).collect())
    }
    /// One entry; `NotFound` if there is none. A volume may tell it for much less than a listing.
    fn entry(&self, path: &Path) -> io::Result<DirectoryEntry> {
        let (folder, name) = (path.parent(), path.file_name().and_then(|name| name.to_str()));
        let found = match (folder, name) {
            (Some(folder), Some(name)) => self.list(folder)?.into_iter().find(|entry| entry.name == name),
            _ => None,
        };
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
}

/// A file that is being written for the first and only time.
pub trait WriteFile: Write + Send {
    /// Makes the contents durable (fsync). After an error the file must be given up, not synced again:
    /// the kernel may have dropped the dirty pages. `site` says which place asks: no volume acts on it.
    fn sync(&mut self, site: SyncSite) -> io::Result<()>;
}

/// A file open for reading.
pub trait ReadFile: Send + Sync {
    /// Bytes of the file.
    fn len(&self) -> io::Result<u64>;
    /// Time of the last change of the file's contents *or names*, by the volume's clock (POSIX: ctime): a file
    /// had none of its names later than that.
    fn changed(&self) -> io::Result<SystemTime>;
    /// Fills `buffer` from `offset`; `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Whether there is no byte.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Name without the folder; entries whose names are not UTF-8 are left out (we never make such).
    pub name: String,
    /// Folder or not.
    pub is_dir: bool,
    /// Bytes.
    pub size: u64,
    /// Time of the last change of its contents.
    pub modified: SystemTime,
    /// Time of the last change of its contents or names, as in [`ReadFile::changed`].
    pub changed: SystemTime,
}

/// Reads a whole file.
pub fn read_all(files: &dyn FileSystem, path: &Path) -> io::Result<Vec<u8>> {
    let file = files.open(path)?;
    let size = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
