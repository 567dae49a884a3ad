//! A call to the volume that failed, with what was being done to which path.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A call to the volume that failed.
#[derive(Debug)]
pub struct VolumeError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl VolumeError {
    /// `action` is what follows "cannot", for instance `write`.
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_owned(), source }
    }

    /// `DiskFull`, `ReadOnlyVolume` or `VolumeError`.
    pub fn category(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "DiskFull",
            io::ErrorKind::ReadOnlyFilesystem => "ReadOnlyVolume",
            _ => "VolumeError",
        }
    }

    /// What the operating system said.
    pub fn io_kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether an fsync failed: that file must not be synced again.
    pub fn failed_to_sync(&self) -> bool {
        self.action.starts_with("fsync")
    }

    /// Whether the volume certainly did not do what it was asked for, so that nothing can turn up later.
    pub fn is_definite(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::ReadOnlyFilesystem
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::TooManyLinks
        )
    }
}

impl fmt::Display for VolumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.path.display(), self.source)?;
        match self.source.kind() {
            io::ErrorKind::StorageFull => f.write_str("; enlarge the volume or free space on it"),
            io::ErrorKind::QuotaExceeded => f.write_str("; raise the quota or free space"),
            io::ErrorKind::ReadOnlyFilesystem => f.write_str("; mount the volume for writing"),
            io::ErrorKind::PermissionDenied => {
                f.write_str("; the process needs the rights to read, write and make files there")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for VolumeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
