//! All file access of this crate: one small trait, so that tests can cut the power, fill the disk or fail
//! an fsync, and so that an object store with conditional PUT can stand behind it later (design §10).
//!
//! Two promises are kept apart, because POSIX keeps them apart: [`WriteFile::sync`] makes *contents*
//! durable, [`FileSystem::sync_dir`] makes *names* durable.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

/// Mode of every file: the volume's group may read and write.
const FILE_MODE: u32 = 0o660;
/// Mode of every folder: setgid, so that what is made below keeps the group.
const DIRECTORY_MODE: u32 = 0o2770;

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
    /// Makes the names in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Opens a file for reading at offsets.
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>>;
    /// Entries of a folder in no order; a fresh `readdir`, which is no snapshot beside a busy writer.
    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
}

/// A file that is being written for the first and only time.
pub trait WriteFile: Write + Send {
    /// Makes the contents durable (fsync). After an error the file must be given up, not synced again:
    /// the kernel may have dropped the dirty pages.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file open for reading.
pub trait ReadFile: Send + Sync {
    /// Bytes of the file.
    fn len(&self) -> io::Result<u64>;
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
    /// Time of the last change.
    pub modified: SystemTime,
}

/// The real volume.
#[derive(Debug, Clone, Copy, Default)]
pub struct Posix;

impl FileSystem for Posix {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
        // The umask of the process must not take the group's rights away.
        file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
        Ok(Box::new(PosixFile(file)))
    }

    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        match fs::DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
            Ok(()) => {
                fs::set_permissions(path, fs::Permissions::from_mode(DIRECTORY_MODE))?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        Ok(Box::new(PosixFile(File::open(path)?)))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // A file may go between readdir and stat: it is simply not there any more.
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            entries.push(DirectoryEntry {
                name,
                is_dir: metadata.is_dir(),
                size: metadata.size(),
                modified: metadata.modified()?,
            });
        }
        Ok(entries)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }
}

struct PosixFile(File);

impl Write for PosixFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl WriteFile for PosixFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

impl ReadFile for PosixFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
}

/// Reads a whole file.
pub fn read_all(files: &dyn FileSystem, path: &Path) -> io::Result<Vec<u8>> {
    let file = files.open(path)?;
    let size = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
