//! The probe of a volume: what every commit relies on, tried once before a table is made.

use std::io;
use std::path::{Path, PathBuf};

use super::TableError;
use crate::durable::{FileSystem, SyncSite, VolumeError, discard, read_all, unique_name};

/// Tries exclusive creation, fsync, link(2) and its EEXIST, rename and fsync of a folder, in `folder`.
pub(super) fn probe(files: &dyn FileSystem, root: &Path, folder: &Path) -> Result<(), TableError> {
    let name = unique_name();
    let path = |part: &str| folder.join(format!("probe-{name}-{part}"));
    let probe =
        Probe { files, root, folder, first: path("first"), second: path("second"), third: path("third") };
    let result = probe.run();
    for path in [&probe.first, &probe.second, &probe.third] {
        discard(files, path);
    }
    result
}

struct Probe<'a> {
    files: &'a dyn FileSystem,
    root: &'a Path,
    folder: &'a Path,
    first: PathBuf,
    second: PathBuf,
    third: PathBuf,
}

impl Probe<'_> {
    fn run(&self) -> Result<(), TableError> {
        self.write(&self.first, b"first")?;
        match self.files.create(&self.first) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Ok(_) => return Err(self.unsupported("exclusive creation made a file that was there")),
            Err(error) => return Err(self.failed("create", &self.first, error)),
        }
        let link = |from, to| self.files.link(from, to);
        link(&self.first, &self.second).map_err(|e| self.failed("link", &self.second, e))?;
        self.write(&self.third, b"third")?;
        match link(&self.third, &self.second) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Ok(()) => return Err(self.unsupported("link(2) replaced a file that was there")),
            Err(error) => return Err(self.failed("link", &self.second, error)),
        }
        self.holds(&self.second, b"first", "link(2)")?;
        self.files.rename(&self.third, &self.second).map_err(|e| self.failed("rename", &self.second, e))?;
        self.holds(&self.second, b"third", "rename(2)")?;
        self.files
            .sync_dir(self.folder, SyncSite::ProbeNames)
            .map_err(|e| self.failed("fsync the folder", self.folder, e))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), TableError> {
        let mut file = self.files.create(path).map_err(|e| self.failed("create", path, e))?;
        file.write_all(bytes).map_err(|e| self.failed("write", path, e))?;
        file.sync(SyncSite::ProbeContents).map_err(|e| self.failed("fsync", path, e))
    }

    fn holds(&self, path: &Path, expected: &[u8], call: &str) -> Result<(), TableError> {
        let found = read_all(self.files, path).map_err(|e| self.failed("read", path, e))?;
        if found == expected {
            Ok(())
        } else {
            Err(self.unsupported(&format!("{call} gave a file other bytes")))
        }
    }

    /// A volume that is full or read-only is not unfit; one that knows no link is.
    fn failed(&self, action: &'static str, path: &Path, error: io::Error) -> TableError {
        let unfit = matches!(
            error.kind(),
            io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput | io::ErrorKind::TooManyLinks
        ) || (action == "link" && error.kind() == io::ErrorKind::PermissionDenied);
        if unfit {
            self.unsupported(&format!("{action}: {error}"))
        } else {
            VolumeError::new(action, path, error).into()
        }
    }

    fn unsupported(&self, what: &str) -> TableError {
        TableError::UnsupportedVolume { path: self.root.to_owned(), what: what.to_owned() }
    }
}
