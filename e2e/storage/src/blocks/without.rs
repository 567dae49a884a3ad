//! A volume on which one place's fsync does nothing: shows that these tests see what is lost then.

use std::io::{self, Write};
use std::path::Path;

use longshore_storage::durable::{DirectoryEntry, FileSystem, Posix, ReadFile, SyncSite, WriteFile};

/// The real volume without the fsyncs of one place.
#[derive(Debug)]
pub struct Without(pub SyncSite);

impl FileSystem for Without {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        Ok(Box::new(File { file: Posix.create(path)?, without: self.0 }))
    }

    fn sync_dir(&self, path: &Path, site: SyncSite) -> io::Result<()> {
        if site == self.0 { Ok(()) } else { Posix.sync_dir(path, site) }
    }

    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        Posix.create_dir(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        Posix.link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Posix.rename(from, to)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        Posix.open(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>> {
        Posix.list(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Posix.remove(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        Posix.remove_dir(path)
    }
}

struct File {
    file: Box<dyn WriteFile>,
    without: SyncSite,
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl WriteFile for File {
    fn sync(&mut self, site: SyncSite) -> io::Result<()> {
        if site == self.without { Ok(()) } else { self.file.sync(site) }
    }
}
