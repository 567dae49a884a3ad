//! What a client remembers: the numbers of paths, absent names, listings, attributes.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fuser::{FileAttr, FileType, INodeNo};

/// Names of a folder with their kinds.
pub type Names = BTreeMap<OsString, FileType>;

/// The memory of one client. Every path has a number for ever: two names of one file have two.
#[derive(Debug)]
pub struct Caches {
    paths: Vec<PathBuf>,
    numbers: HashMap<PathBuf, u64>,
    absent: HashMap<PathBuf, Instant>,
    listings: HashMap<PathBuf, (Instant, Names)>,
    attributes: HashMap<PathBuf, (Instant, FileAttr)>,
}

impl Caches {
    /// Nothing but the root, which is the empty path.
    pub fn new() -> Self {
        let root = PathBuf::new();
        Self {
            paths: vec![root.clone()],
            numbers: HashMap::from([(root, INodeNo::ROOT.0)]),
            absent: HashMap::new(),
            listings: HashMap::new(),
            attributes: HashMap::new(),
        }
    }

    /// The path of a number that was given out.
    pub fn path(&self, ino: INodeNo) -> Option<&Path> {
        let index = usize::try_from(ino.0.checked_sub(1)?).ok()?;
        self.paths.get(index).map(PathBuf::as_path)
    }

    /// The number of a path.
    pub fn number(&mut self, path: &Path) -> INodeNo {
        if let Some(number) = self.numbers.get(path) {
            return INodeNo(*number);
        }
        self.paths.push(path.to_owned());
        let number = self.paths.len() as u64;
        self.numbers.insert(path.to_owned(), number);
        INodeNo(number)
    }

    /// Whether a name is remembered as absent.
    pub fn is_absent(&mut self, path: &Path) -> bool {
        alive(&mut self.absent, path, |until| *until).is_some()
    }

    /// Remembers that a name was absent.
    pub fn remember_absent(&mut self, path: &Path, until: Instant) {
        self.absent.insert(path.to_owned(), until);
    }

    /// The attributes that are remembered.
    pub fn attributes(&mut self, path: &Path) -> Option<FileAttr> {
        alive(&mut self.attributes, path, |(until, _)| *until).map(|(_, attributes)| *attributes)
    }

    /// Remembers attributes.
    pub fn remember_attributes(&mut self, path: &Path, attributes: FileAttr, until: Instant) {
        self.attributes.insert(path.to_owned(), (until, attributes));
    }

    /// A file is opened: its attributes are asked for again (close-to-open).
    pub fn forget_attributes(&mut self, path: &Path) {
        self.attributes.remove(path);
    }

    /// The listing that is remembered.
    pub fn listing(&mut self, path: &Path) -> Option<Names> {
        alive(&mut self.listings, path, |(until, _)| *until).map(|(_, names)| names.clone())
    }

    /// Remembers a listing.
    pub fn remember_listing(&mut self, path: &Path, names: Names, until: Instant) {
        self.listings.insert(path.to_owned(), (until, names));
    }

    /// This client made a name, and knows it.
    pub fn made(&mut self, path: &Path, kind: FileType) {
        self.absent.remove(path);
        self.attributes.remove(path);
        if let Some((names, name)) = self.listing_with(path) {
            names.insert(name, kind);
        }
    }

    /// This client removed a name, and knows it.
    pub fn removed(&mut self, path: &Path) {
        self.attributes.remove(path);
        if let Some((names, name)) = self.listing_with(path) {
            names.remove(&name);
        }
    }

    fn listing_with(&mut self, path: &Path) -> Option<(&mut Names, OsString)> {
        let (_, names) = self.listings.get_mut(path.parent()?)?;
        Some((names, path.file_name()?.to_owned()))
    }
}

/// What is remembered of a path, unless its time is over.
fn alive<'a, T>(
    map: &'a mut HashMap<PathBuf, T>,
    path: &Path,
    until: impl Fn(&T) -> Instant,
) -> Option<&'a T> {
    if map.get(path).is_some_and(|value| until(value) <= Instant::now()) {
        map.remove(path);
    }
    map.get(path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_client_sees_its_own_changes_at_once_and_those_of_others_late() {
        let mut caches = Caches::new();
        let later = Instant::now() + Duration::from_secs(3600);
        let (folder, path) = (Path::new("a"), Path::new("a/b"));
        caches.remember_absent(path, later);
        caches.remember_listing(folder, Names::new(), later);
        assert!(caches.is_absent(path));
        caches.made(path, FileType::RegularFile);
        assert!(!caches.is_absent(path));
        assert_eq!(caches.listing(folder).unwrap().len(), 1);
        caches.removed(path);
        assert_eq!(caches.listing(folder).unwrap().len(), 0);
        caches.remember_listing(folder, Names::new(), Instant::now());
        assert!(caches.listing(folder).is_none());
    }

    #[test]
    fn a_path_keeps_its_number() {
        let mut caches = Caches::new();
        let number = caches.number(Path::new("a"));
        assert_eq!(caches.number(Path::new("a")), number);
        assert_eq!(caches.path(number), Some(Path::new("a")));
        assert_eq!(caches.path(INodeNo::ROOT), Some(Path::new("")));
    }
}
