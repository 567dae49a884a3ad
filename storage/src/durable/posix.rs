//! The real volume, through POSIX calls.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{DirectoryEntry, FileSystem, ReadFile, SyncSite, WriteFile};

/// Mode of every file: the volume's group may read and write.
const FILE_MODE: u32 = 0o660;
/// Mode of every folder: setgid, so that what is made below keeps the group.
const DIRECTORY_MODE: u32 = 0o2770;

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
            // What has the name may be out of sight on a network volume: only a file that is seen is refused.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match fs::metadata(path) {
                Ok(metadata) if !metadata.is_dir() => Err(error),
                _ => Ok(false),
            },
            Err(error) => Err(error),
        }
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, path: &Path, _: SyncSite) -> io::Result<()> {
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
            match entry.metadata().and_then(|metadata| directory_entry(name, &metadata)) {
                Ok(entry) => entries.push(entry),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn list_names(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn entry(&self, path: &Path) -> io::Result<DirectoryEntry> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        directory_entry(name.to_owned(), &fs::symlink_metadata(path)?)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }
}

fn directory_entry(name: String, metadata: &fs::Metadata) -> io::Result<DirectoryEntry> {
    Ok(DirectoryEntry {
        name,
        is_dir: metadata.is_dir(),
        size: metadata.size(),
        modified: metadata.modified()?,
        changed: changed(metadata),
    })
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
    fn sync(&mut self, _: SyncSite) -> io::Result<()> {
        self.0.sync_all()
    }
}

impl ReadFile for PosixFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn changed(&self) -> io::Result<SystemTime> {
        self.0.metadata().map(|metadata| changed(&metadata))
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
}

/// The time that `link(2)` sets; `utimes(2)` cannot.
fn changed(metadata: &fs::Metadata) -> SystemTime {
    let seconds = u64::try_from(metadata.ctime()).unwrap_or_default();
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}
