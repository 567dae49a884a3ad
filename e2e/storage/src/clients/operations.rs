//! What the server does: the calls on the folder behind the clients. Each is atomic, and seen at once by
//! whoever asks the server.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use fuser::{FileAttr, FileType, INodeNo};

use super::caches::Names;

/// A change of a folder's names.
#[derive(Debug, Clone)]
pub enum Change {
    /// Makes a file that is not there.
    Create(PathBuf, u32),
    /// Makes a folder.
    MakeFolder(PathBuf, u32),
    /// Gives a file another name.
    Link(PathBuf, PathBuf),
    /// Replaces the second name by the first.
    Rename(PathBuf, PathBuf),
    /// Removes a file.
    Remove(PathBuf),
    /// Removes a folder.
    RemoveFolder(PathBuf),
}

impl Change {
    /// Does it; answers the file that it made.
    pub fn perform(&self) -> io::Result<Option<File>> {
        match self {
            Self::Create(path, mode) => {
                let mut options = File::options();
                return options.read(true).write(true).create_new(true).mode(*mode).open(path).map(Some);
            }
            Self::MakeFolder(path, mode) => fs::DirBuilder::new().mode(*mode).create(path)?,
            Self::Link(from, to) => fs::hard_link(from, to)?,
            Self::Rename(from, to) => fs::rename(from, to)?,
            Self::Remove(path) => fs::remove_file(path)?,
            Self::RemoveFolder(path) => fs::remove_dir(path)?,
        }
        Ok(None)
    }

    /// The error number that its repetition is answered by once it is done.
    pub fn repeated(&self) -> i32 {
        const ENOENT: i32 = 2;
        const EEXIST: i32 = 17;
        match self {
            Self::Create(..) | Self::MakeFolder(..) | Self::Link(..) => EEXIST,
            Self::Rename(..) | Self::Remove(_) | Self::RemoveFolder(_) => ENOENT,
        }
    }

    /// Does it after a while, whatever became of the names meanwhile. The file of a link is kept in `aside`
    /// until then.
    pub fn perform_late(&self, aside: &Path, delay: Duration) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut change = self.clone();
        if let Self::Link(from, _) = &mut change {
            let kept = aside.join(format!("late-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
            if fs::hard_link(&*from, &kept).is_err() {
                return;
            }
            *from = kept;
        }
        std::thread::spawn(move || {
            std::thread::sleep(delay);
            // Nobody waits for the answers any more.
            drop(change.perform());
            if let Self::Link(kept, _) = &change {
                drop(fs::remove_file(kept));
            }
        });
    }
}

/// Attributes under a number.
pub fn attributes(ino: INodeNo, metadata: &fs::Metadata) -> FileAttr {
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    FileAttr {
        ino,
        size: metadata.size(),
        blocks: metadata.blocks(),
        atime: modified,
        mtime: modified,
        ctime: modified,
        crtime: modified,
        kind: kind(metadata.file_type()),
        perm: (metadata.permissions().mode() & 0o7777) as u16,
        nlink: metadata.nlink() as u32,
        uid: metadata.uid(),
        gid: metadata.gid(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

/// The names in a folder.
pub fn names(path: &Path) -> io::Result<Names> {
    let entries = fs::read_dir(path)?;
    entries.map(|entry| entry.and_then(|entry| Ok((entry.file_name(), kind(entry.file_type()?))))).collect()
}

/// Only files and folders are served.
fn kind(file_type: fs::FileType) -> FileType {
    if file_type.is_dir() { FileType::Directory } else { FileType::RegularFile }
}
