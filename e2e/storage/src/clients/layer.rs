//! One client: every call is passed through to the folder of the server, by the rules of the client's caches
//! and faults.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuser::{Errno, FileAttr, FileHandle, FileType, INodeNo, OpenAccMode, OpenFlags};

use super::caches::{Caches, Names};
use super::faults::{Fate, Fault, Faults};
use super::operations::{Change, attributes, names};

/// What the kernel is answered.
pub type Answer<T> = Result<T, Errno>;

/// A client of the folder `served`.
#[derive(Debug)]
pub struct Layer {
    served: PathBuf,
    /// A folder of the same file system for files that are linked late.
    aside: PathBuf,
    faults: Arc<Faults>,
    caches: Mutex<Caches>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    files: HashMap<u64, Arc<File>>,
    listings: HashMap<u64, Arc<Names>>,
}

impl Open {
    fn add_file(&mut self, file: File) -> FileHandle {
        self.last += 1;
        self.files.insert(self.last, Arc::new(file));
        FileHandle(self.last)
    }

    fn add_listing(&mut self, names: Names) -> FileHandle {
        self.last += 1;
        self.listings.insert(self.last, Arc::new(names));
        FileHandle(self.last)
    }
}

impl Layer {
    /// A client that remembers nothing yet.
    pub fn new(served: &Path, aside: &Path, faults: Arc<Faults>) -> Self {
        Self {
            served: served.to_owned(),
            aside: aside.to_owned(),
            faults,
            caches: Mutex::new(Caches::new()),
            open: Mutex::default(),
        }
    }

    fn caches(&self) -> MutexGuard<'_, Caches> {
        self.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path of a number, relative to the root.
    fn path(&self, ino: INodeNo) -> Answer<PathBuf> {
        self.caches().path(ino).map(Path::to_owned).ok_or(Errno::ESTALE)
    }

    fn child(&self, parent: INodeNo, name: &OsStr) -> Answer<PathBuf> {
        Ok(self.path(parent)?.join(name))
    }

    fn file(&self, handle: FileHandle) -> Answer<Arc<File>> {
        self.open().files.get(&handle.0).map(Arc::clone).ok_or(Errno::EBADF)
    }

    /// Looks a name up.
    pub fn lookup_name(&self, parent: INodeNo, name: &OsStr) -> Answer<FileAttr> {
        self.look(&self.child(parent, name)?)
    }

    /// The attributes of a path, remembered or asked for.
    fn look(&self, path: &Path) -> Answer<FileAttr> {
        self.faults.call();
        let real = self.served.join(path);
        if self.caches().is_absent(path) {
            if real.exists() {
                self.faults.count(Fault::StaleAbsence);
            }
            return Err(Errno::ENOENT);
        }
        let remembered = self.caches().attributes(path);
        if let Some(remembered) = remembered {
            if fs::symlink_metadata(&real).map_or(true, |now| now.len() != remembered.size) {
                self.faults.count(Fault::StaleAttributes);
            }
            return Ok(remembered);
        }
        let found = fs::symlink_metadata(&real);
        let until = self.faults.remember();
        let mut caches = self.caches();
        match found {
            Ok(metadata) => {
                let attributes = attributes(caches.number(path), &metadata);
                if let Some(until) = until {
                    caches.remember_attributes(path, attributes, until);
                }
                Ok(attributes)
            }
            Err(error) => {
                if let Some(until) = until.filter(|_| error.kind() == io::ErrorKind::NotFound) {
                    caches.remember_absent(path, until);
                }
                Err(error.into())
            }
        }
    }

    /// Attributes by number, or those of an open file, which are never old.
    pub fn attributes_of(&self, ino: INodeNo, handle: Option<FileHandle>) -> Answer<FileAttr> {
        match handle {
            Some(handle) => Ok(attributes(ino, &self.file(handle)?.metadata()?)),
            None => self.look(&self.path(ino)?),
        }
    }

    /// Sets mode or length.
    pub fn set_attributes(&self, ino: INodeNo, mode: Option<u32>, size: Option<u64>) -> Answer<FileAttr> {
        let path = self.path(ino)?;
        let real = self.served.join(&path);
        if let Some(mode) = mode {
            fs::set_permissions(&real, fs::Permissions::from_mode(mode & 0o7777))?;
        }
        if let Some(size) = size {
            File::options().write(true).open(&real)?.set_len(size)?;
        }
        self.caches().forget_attributes(&path);
        Ok(attributes(ino, &fs::symlink_metadata(real)?))
    }

    /// Does a change as its fate is.
    fn change(&self, change: &Change) -> Answer<Option<File>> {
        self.faults.call();
        match self.faults.fate() {
            Fate::Done => Ok(change.perform()?),
            Fate::DoneBut(error) => {
                change.perform()?;
                Err(Errno::from_i32(error))
            }
            Fate::Repeated => {
                change.perform()?;
                Err(Errno::from_i32(change.repeated()))
            }
            Fate::Refused(error) => Err(Errno::from_i32(error)),
            Fate::Late(error, delay) => {
                change.perform_late(&self.aside, delay);
                Err(Errno::from_i32(error))
            }
        }
    }

    /// A change that gives a new name.
    fn make(&self, path: &Path, change: &Change) -> Answer<(FileAttr, Option<File>)> {
        let file = self.change(change)?;
        let metadata = fs::symlink_metadata(self.served.join(path))?;
        let mut caches = self.caches();
        let attributes = attributes(caches.number(path), &metadata);
        caches.made(path, attributes.kind);
        Ok((attributes, file))
    }

    /// Makes a file and opens it.
    pub fn create_file(&self, parent: INodeNo, name: &OsStr, mode: u32) -> Answer<(FileAttr, FileHandle)> {
        let path = self.child(parent, name)?;
        let (attributes, file) = self.make(&path, &Change::Create(self.served.join(&path), mode))?;
        let file = file.ok_or(Errno::EIO)?;
        Ok((attributes, self.open().add_file(file)))
    }

    /// Makes a folder.
    pub fn make_folder(&self, parent: INodeNo, name: &OsStr, mode: u32) -> Answer<FileAttr> {
        let path = self.child(parent, name)?;
        Ok(self.make(&path, &Change::MakeFolder(self.served.join(&path), mode))?.0)
    }

    /// Gives a file a second name.
    pub fn make_link(&self, ino: INodeNo, parent: INodeNo, name: &OsStr) -> Answer<FileAttr> {
        let (from, to) = (self.path(ino)?, self.child(parent, name)?);
        Ok(self.make(&to, &Change::Link(self.served.join(from), self.served.join(&to)))?.0)
    }

    /// Removes a file.
    pub fn remove_file(&self, parent: INodeNo, name: &OsStr) -> Answer<()> {
        let path = self.child(parent, name)?;
        self.remove(&path, &Change::Remove(self.served.join(&path)))
    }

    /// Removes a folder.
    pub fn remove_folder(&self, parent: INodeNo, name: &OsStr) -> Answer<()> {
        let path = self.child(parent, name)?;
        self.remove(&path, &Change::RemoveFolder(self.served.join(&path)))
    }

    fn remove(&self, path: &Path, change: &Change) -> Answer<()> {
        self.change(change)?;
        self.caches().removed(path);
        Ok(())
    }

    /// Replaces the second name by the first.
    pub fn rename_file(&self, from: (INodeNo, &OsStr), to: (INodeNo, &OsStr)) -> Answer<()> {
        let (from, to) = (self.child(from.0, from.1)?, self.child(to.0, to.1)?);
        self.change(&Change::Rename(self.served.join(&from), self.served.join(&to)))?;
        let mut caches = self.caches();
        caches.removed(&from);
        caches.made(&to, FileType::RegularFile);
        Ok(())
    }

    /// Opens a file.
    pub fn open_file(&self, ino: INodeNo, flags: OpenFlags) -> Answer<FileHandle> {
        self.faults.call();
        let path = self.path(ino)?;
        self.caches().forget_attributes(&path);
        let writes = flags.acc_mode() != OpenAccMode::O_RDONLY;
        let file = File::options().read(true).write(writes).open(self.served.join(path));
        // Its name was seen and is gone: the handle is stale.
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Errno::ESTALE,
            _ => error.into(),
        })?;
        Ok(self.open().add_file(file))
    }

    /// Reads up to so many bytes; fewer at the end only.
    pub fn read_file(&self, handle: FileHandle, offset: u64, size: u32) -> Answer<Vec<u8>> {
        self.faults.call();
        let file = self.file(handle)?;
        let mut bytes = vec![0; size as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Writes all bytes.
    pub fn write_file(&self, handle: FileHandle, offset: u64, data: &[u8]) -> Answer<()> {
        self.faults.call();
        Ok(self.file(handle)?.write_all_at(data, offset)?)
    }

    /// Makes something durable. The server's folder is not in question: only the answer can fail.
    pub fn sync(&self) -> Answer<()> {
        self.faults.call();
        if self.faults.fails_sync() { Err(Errno::EIO) } else { Ok(()) }
    }

    /// Opens a folder: its names are those of now, or of the listing that is remembered.
    pub fn open_folder(&self, ino: INodeNo) -> Answer<FileHandle> {
        self.faults.call();
        let path = self.path(ino)?;
        let real = self.served.join(&path);
        let remembered = self.caches().listing(&path);
        let listing = match remembered {
            Some(remembered) => {
                if names(&real).is_ok_and(|now| now != remembered) {
                    self.faults.count(Fault::StaleListing);
                }
                remembered
            }
            None => {
                let now = names(&real)?;
                if let Some(until) = self.faults.remember() {
                    self.caches().remember_listing(&path, now.clone(), until);
                }
                now
            }
        };
        Ok(self.open().add_listing(listing))
    }

    /// The names of an open folder from a place on: number, place of the next, kind, name. `take` says
    /// whether there was no more room.
    pub fn read_folder(
        &self,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut take: impl FnMut(INodeNo, u64, FileType, &OsStr) -> bool,
    ) -> Answer<()> {
        let listing = self.open().listings.get(&handle.0).map(Arc::clone).ok_or(Errno::EBADF)?;
        let folder = self.path(ino)?;
        for (place, (name, kind)) in (1..).zip(listing.iter()).skip(offset as usize) {
            let number = self.caches().number(&folder.join(name));
            if take(number, place, *kind, name) {
                break;
            }
        }
        Ok(())
    }

    /// Closes a file or a folder.
    pub fn close(&self, handle: FileHandle) {
        let mut open = self.open();
        open.files.remove(&handle.0);
        open.listings.remove(&handle.0);
    }
}
