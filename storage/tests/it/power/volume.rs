//! A volume in memory that writes down every operation, with who did it, so that a power cut at any of them
//! can be replayed; it can also fail calls, and stop one writer at a call while others go on.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::SystemTime;

use longshore_storage::durable::{DirectoryEntry, FileSystem, ReadFile, SyncSite, WriteFile};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::promise::Promise;

/// Number of a file, whatever its names.
pub type Inode = usize;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    Folder,
    File(Inode),
}

/// One operation, as it was done.
#[derive(Debug, Clone)]
pub enum Operation {
    /// A file gets its first name.
    Create {
        path: String,
        inode: Inode,
    },
    /// A file grows to `length` bytes.
    Write {
        inode: Inode,
        length: usize,
    },
    Sync {
        inode: Inode,
        site: SyncSite,
    },
    /// What was not durable will never be: the kernel gives such pages up.
    SyncFailed {
        inode: Inode,
    },
    MakeFolder {
        path: String,
    },
    Link {
        path: String,
        inode: Inode,
    },
    Rename {
        from: String,
        to: String,
        inode: Inode,
    },
    Remove {
        path: String,
    },
    RemoveFolder {
        path: String,
    },
    SyncFolder {
        path: String,
        site: SyncSite,
    },
    /// A process was told something on which it, or a person, relies from now on.
    Promise(Promise),
}

/// An operation and who did it.
#[derive(Debug, Clone)]
pub struct Step {
    pub writer: usize,
    pub operation: Operation,
}

/// A call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call with this number, from 0, is not done.
    At(usize, ErrorKind),
    /// The fsync with this number is not done: what it should have made durable never is.
    Sync(usize),
    /// The next rename is not done.
    Rename,
    /// The next fsync at a place is not done.
    Place(SyncSite),
}

#[derive(Debug)]
struct Inner {
    nodes: BTreeMap<String, Node>,
    /// Bytes by inode. A file is only ever appended to.
    contents: Vec<Arc<Vec<u8>>>,
    /// Files that others left here.
    left: usize,
    steps: Vec<Step>,
    calls: usize,
    syncs: usize,
    fault: Option<Fault>,
    /// The call that met the fault.
    failed: Option<String>,
    pause: Option<Pause>,
    turns: Option<Turns>,
}

/// What happens just before a call to make something durable at a place.
struct Pause {
    site: SyncSite,
    /// Calls at that place before; the last of them has just been done if it is `behind`.
    after: usize,
    behind: bool,
    meanwhile: Box<dyn FnOnce() + Send>,
}

impl std::fmt::Debug for Pause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pause before {}", self.site.id())
    }
}

/// Who may do the next call.
#[derive(Debug)]
struct Turns {
    random: StdRng,
    left: Vec<usize>,
    next: usize,
}

impl Turns {
    fn pass(&mut self) {
        if !self.left.is_empty() {
            self.next = self.left[self.random.random_range(0..self.left.len())];
        }
    }
}

/// The volume, as one writer sees it: all see the same.
#[derive(Debug, Clone)]
pub struct Volume {
    shared: Arc<(Mutex<Inner>, Condvar)>,
    writer: usize,
}

impl Volume {
    /// An empty one, but for the folder `parent`.
    pub fn new(parent: &str) -> Self {
        Self::with(BTreeMap::from([(parent.to_owned(), Node::Folder)]), Vec::new())
    }

    /// One that holds this, all of it durable.
    pub fn with(nodes: BTreeMap<String, Node>, contents: Vec<Arc<Vec<u8>>>) -> Self {
        let inner = Inner {
            nodes,
            left: contents.len(),
            contents,
            steps: Vec::new(),
            calls: 0,
            syncs: 0,
            fault: None,
            failed: None,
            pause: None,
            turns: None,
        };
        Self { shared: Arc::new((Mutex::new(inner), Condvar::new())), writer: 0 }
    }

    /// The same volume in the hands of another writer.
    pub fn writer(&self, writer: usize) -> Self {
        Self { writer, ..self.clone() }
    }

    pub fn files(&self) -> Arc<dyn FileSystem> {
        Arc::new(self.clone())
    }

    /// From now on someone relies on this.
    pub fn promise(&self, promise: Promise) {
        let mut inner = self.my_turn();
        inner.steps.push(Step { writer: self.writer, operation: Operation::Promise(promise) });
    }

    /// Everything that was done.
    pub fn steps(&self) -> Vec<Step> {
        self.inner().steps.clone()
    }

    /// What there is now.
    pub fn snapshot(&self) -> (BTreeMap<String, Node>, Vec<Arc<Vec<u8>>>) {
        let inner = self.inner();
        (inner.nodes.clone(), inner.contents.clone())
    }

    /// Bytes of a file.
    pub fn read(&self, path: &str) -> Option<Arc<Vec<u8>>> {
        let inner = self.inner();
        match inner.nodes.get(path)? {
            Node::File(inode) => Some(Arc::clone(&inner.contents[*inode])),
            Node::Folder => None,
        }
    }

    /// Counts calls from here, and lets one fail.
    pub fn fail(&self, fault: Fault) {
        let mut inner = self.inner();
        (inner.calls, inner.syncs, inner.fault, inner.failed) = (0, 0, Some(fault), None);
    }

    /// Ends the fault; the call that met it, if one did.
    pub fn mend(&self) -> Option<String> {
        let mut inner = self.inner();
        inner.fault = None;
        inner.failed.take()
    }

    /// Just before an fsync at a place, whoever calls for it, `meanwhile` happens; `after` so many others there.
    pub fn pause_before(&self, site: SyncSite, after: usize, meanwhile: impl FnOnce() + Send + 'static) {
        self.inner().pause = Some(Pause { site, after, behind: false, meanwhile: Box::new(meanwhile) });
    }

    /// Just after the next fsync at a place, whoever calls for it, `meanwhile` happens.
    pub fn pause_behind(&self, site: SyncSite, meanwhile: impl FnOnce() + Send + 'static) {
        let mut inner = self.inner();
        let after = inner.syncs_at(site) + 1;
        inner.pause = Some(Pause { site, after, behind: true, meanwhile: Box::new(meanwhile) });
    }

    /// How often something was made durable at a place.
    pub fn syncs_at(&self, site: SyncSite) -> usize {
        self.inner().syncs_at(site)
    }

    /// Runs writers side by side, call by call in an order that depends on the seed alone.
    pub fn interleave(&self, seed: u64, writers: Vec<Box<dyn FnOnce(Volume) + Send + '_>>) {
        let mut turns =
            Turns { random: StdRng::seed_from_u64(seed), left: (1..=writers.len()).collect(), next: 1 };
        turns.pass();
        self.inner().turns = Some(turns);
        std::thread::scope(|scope| {
            for (number, run) in (1..).zip(writers) {
                let volume = self.writer(number);
                scope.spawn(move || {
                    let _end = EndOfTurns(volume.clone());
                    run(volume);
                });
            }
        });
        self.inner().turns = None;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.shared.0.lock().unwrap()
    }

    fn my_turn(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner();
        while inner.turns.as_ref().is_some_and(|turns| self.writer > 0 && turns.next != self.writer) {
            inner = self.shared.1.wait(inner).unwrap();
        }
        inner
    }

    /// One call: when it is this writer's turn, and if it does not fail.
    fn call<T>(
        &self,
        what: &str,
        path: &str,
        done: impl FnOnce(&mut Inner) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut inner = self.my_turn();
        let number = inner.calls;
        inner.calls += 1;
        let fault = match inner.fault {
            Some(Fault::At(at, kind)) if at == number => Some(kind),
            Some(Fault::Sync(at)) if what.starts_with("sync") => {
                inner.syncs += 1;
                (inner.syncs == at + 1).then_some(ErrorKind::Other)
            }
            Some(Fault::Rename) if what == "rename" && inner.failed.is_none() => Some(ErrorKind::Other),
            _ => None,
        };
        let result = match fault {
            Some(kind) => {
                inner.failed = Some(format!("{what} {path}"));
                Err(kind.into())
            }
            None => done(&mut inner),
        };
        if let Some(turns) = &mut inner.turns {
            turns.pass();
            self.shared.1.notify_all();
        }
        result
    }

    fn change<T>(
        &self,
        what: &str,
        path: &str,
        done: impl FnOnce(&mut Inner) -> io::Result<(T, Option<Operation>)>,
    ) -> io::Result<T> {
        self.call(what, path, |inner| {
            let (value, operation) = done(inner)?;
            inner.steps.extend(operation.map(|operation| Step { writer: self.writer, operation }));
            Ok(value)
        })
    }

    /// One fsync, with what happens before and behind it.
    fn sync_at(&self, site: SyncSite, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.pause(site, false);
        let fails = {
            let mut inner = self.inner();
            let fails = inner.fault == Some(Fault::Place(site)) && inner.failed.is_none();
            if fails {
                inner.failed = Some(site.id().to_owned());
            }
            fails
        };
        if fails {
            return Err(ErrorKind::Other.into());
        }
        sync()?;
        self.pause(site, true);
        Ok(())
    }

    fn pause(&self, site: SyncSite, behind: bool) {
        let pause = {
            let mut inner = self.inner();
            let done = inner.syncs_at(site);
            let now = |pause: &mut Pause| (pause.site, pause.after, pause.behind) == (site, done, behind);
            inner.pause.take_if(now)
        };
        if let Some(pause) = pause {
            (pause.meanwhile)();
        }
    }
}

/// A writer that ends leaves the turns to the others, also when it panics.
struct EndOfTurns(Volume);

impl Drop for EndOfTurns {
    fn drop(&mut self) {
        let Ok(mut inner) = self.0.shared.0.lock() else { return };
        if let Some(turns) = &mut inner.turns {
            turns.left.retain(|writer| *writer != self.0.writer);
            turns.pass();
        }
        self.0.shared.1.notify_all();
    }
}

impl Inner {
    fn syncs_at(&self, site: SyncSite) -> usize {
        let done = |step: &&Step| match step.operation {
            Operation::Sync { site: done, .. } | Operation::SyncFolder { site: done, .. } => done == site,
            _ => false,
        };
        self.steps.iter().filter(done).count()
    }

    /// A name can be made only in a folder that is there.
    fn free(&self, path: &str) -> io::Result<()> {
        match self.nodes.get(path) {
            Some(_) => Err(ErrorKind::AlreadyExists.into()),
            None => match self.nodes.get(parent(path)) {
                Some(Node::Folder) => Ok(()),
                Some(Node::File(_)) => Err(ErrorKind::NotADirectory.into()),
                None => Err(ErrorKind::NotFound.into()),
            },
        }
    }

    fn file(&self, path: &str) -> io::Result<Inode> {
        match self.nodes.get(path) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Folder) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn folder(&self, path: &str) -> io::Result<()> {
        match self.nodes.get(path) {
            Some(Node::Folder) => Ok(()),
            Some(Node::File(_)) => Err(ErrorKind::NotADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    /// Paths below a folder, whole, at any depth.
    fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, Node)> {
        let from = format!("{path}/");
        let start = from.clone();
        self.nodes
            .range(start..)
            .take_while(move |(below, _)| below.starts_with(&from))
            .map(|(below, node)| (below.as_str(), *node))
    }
}

/// The folder of a path.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Whether a name is one that only its maker uses, before a file gets its own.
pub fn is_temporary(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with('.') && name.ends_with(".tmp"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl FileSystem for Volume {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let path = text(path);
        let inode = self.change("create", path, |inner| {
            inner.free(path)?;
            let inode = inner.contents.len();
            inner.contents.push(Arc::default());
            inner.nodes.insert(path.to_owned(), Node::File(inode));
            Ok((inode, Some(Operation::Create { path: path.to_owned(), inode })))
        })?;
        Ok(Box::new(OpenFile { volume: self.clone(), inode, path: path.to_owned() }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        let path = text(path);
        self.change("create_dir", path, |inner| {
            if inner.folder(path).is_ok() {
                return Ok((false, None));
            }
            inner.free(path)?;
            inner.nodes.insert(path.to_owned(), Node::Folder);
            Ok((true, Some(Operation::MakeFolder { path: path.to_owned() })))
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (text(from), text(to));
        self.change("link", to, |inner| {
            let inode = inner.file(from)?;
            inner.free(to)?;
            inner.nodes.insert(to.to_owned(), Node::File(inode));
            Ok(((), Some(Operation::Link { path: to.to_owned(), inode })))
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (text(from), text(to));
        assert_eq!(parent(from), parent(to), "the replay knows renames inside one folder only");
        self.change("rename", to, |inner| {
            let inode = inner.file(from)?;
            inner.nodes.remove(from);
            inner.nodes.insert(to.to_owned(), Node::File(inode));
            Ok(((), Some(Operation::Rename { from: from.to_owned(), to: to.to_owned(), inode })))
        })
    }

    fn sync_dir(&self, path: &Path, site: SyncSite) -> io::Result<()> {
        let path = text(path);
        self.sync_at(site, || {
            self.change("sync_dir", path, |inner| {
                inner.folder(path)?;
                Ok(((), Some(Operation::SyncFolder { path: path.to_owned(), site })))
            })
        })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        let path = text(path);
        self.call("open", path, |inner| {
            let inode = inner.file(path)?;
            assert!(inode >= inner.left || !is_temporary(path), "{path} of another process is read");
            Ok(Box::new(Contents(Arc::clone(&inner.contents[inode]))) as Box<dyn ReadFile>)
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>> {
        let path = text(path);
        self.call("list", path, |inner| {
            inner.folder(path)?;
            let entries = inner.below(path).filter(|(below, _)| parent(below) == path);
            let entry = |(below, node): (&str, Node)| DirectoryEntry {
                name: below[path.len() + 1..].to_owned(),
                is_dir: node == Node::Folder,
                size: match node {
                    Node::Folder => 0,
                    Node::File(inode) => inner.contents[inode].len() as u64,
                },
                modified: SystemTime::now(),
                changed: SystemTime::UNIX_EPOCH,
            };
            Ok(entries.map(entry).collect())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = text(path);
        self.change("remove", path, |inner| {
            inner.file(path)?;
            inner.nodes.remove(path);
            Ok(((), Some(Operation::Remove { path: path.to_owned() })))
        })
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let path = text(path);
        self.change("remove_dir", path, |inner| {
            inner.folder(path)?;
            if inner.below(path).next().is_some() {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            inner.nodes.remove(path);
            Ok(((), Some(Operation::RemoveFolder { path: path.to_owned() })))
        })
    }
}

struct OpenFile {
    volume: Volume,
    inode: Inode,
    path: String,
}

impl Write for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let inode = self.inode;
        self.volume.change("write", &self.path, |inner| {
            let contents = Arc::make_mut(&mut inner.contents[inode]);
            contents.extend_from_slice(bytes);
            let length = contents.len();
            Ok((bytes.len(), Some(Operation::Write { inode, length })))
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl WriteFile for OpenFile {
    fn sync(&mut self, site: SyncSite) -> io::Result<()> {
        let inode = self.inode;
        let synced = self.volume.sync_at(site, || {
            self.volume.change("sync", &self.path, |_| Ok(((), Some(Operation::Sync { inode, site }))))
        });
        if synced.is_err() {
            let step = Step { writer: self.volume.writer, operation: Operation::SyncFailed { inode } };
            self.volume.inner().steps.push(step);
        }
        synced
    }
}

/// The bytes of a file when it was opened.
struct Contents(Arc<Vec<u8>>);

impl ReadFile for Contents {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn changed(&self) -> io::Result<SystemTime> {
        Ok(SystemTime::UNIX_EPOCH)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = self.0.get(start..start.saturating_add(buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}
