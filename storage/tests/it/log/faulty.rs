//! A volume that writes down what it is asked for, and fails where a test says.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use longshore_storage::durable::{DirectoryEntry, FileSystem, Posix, ReadFile, SyncSite, WriteFile};

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not done, and says so.
    Fails(io::ErrorKind),
    /// It is done, and says that it was not.
    LostReply(io::ErrorKind),
}

#[derive(Debug, Default)]
struct Script {
    calls: Vec<String>,
    /// The number of a call, from 0, and what happens there.
    at: Option<(usize, Fault)>,
    /// The number of a call, from 0: neither it nor any that follows is done, the process is dead.
    dead_from: Option<usize>,
    /// The first call whose text begins so, and what happens there.
    first: Option<(String, Fault)>,
    /// What becomes of bytes that are written.
    rewrite: Option<Rewrite>,
    /// Files tell as the time of their last change of contents or names that of the contents alone.
    names_have_no_time: bool,
    /// How many listings still miss every name that begins so.
    overlooked: Option<(String, u32)>,
    /// What happens just before the first call whose text begins so: the process was paused there.
    pause: Option<(String, Pause)>,
}

struct Pause(Box<dyn FnOnce() + Send>);

#[derive(Clone, Copy)]
struct Rewrite(fn(&[u8]) -> Vec<u8>);

impl std::fmt::Debug for Rewrite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("rewrite")
    }
}

impl std::fmt::Debug for Pause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("pause")
    }
}

/// The real volume behind a script.
#[derive(Debug, Clone, Default)]
pub struct Faulty(Arc<Mutex<Script>>);

impl Faulty {
    pub fn shared() -> (Self, Arc<dyn FileSystem>) {
        let faulty = Self::default();
        (faulty.clone(), Arc::new(faulty))
    }

    /// Forgets the calls so far; the `n`-th from here, from 0, meets the fault.
    pub fn fail_at(&self, n: usize, fault: Fault) {
        *self.script() = Script { at: Some((n, fault)), ..Script::default() };
    }

    /// Forgets the calls so far; the process dies at the `n`-th from here, from 0.
    pub fn die_at(&self, n: usize) {
        *self.script() = Script { dead_from: Some(n), ..Script::default() };
    }

    /// Forgets the calls so far; the first that begins so meets the fault.
    pub fn fail_first(&self, begins: &str, fault: Fault) {
        *self.script() = Script { first: Some((begins.to_owned(), fault)), ..Script::default() };
    }

    /// Forgets the calls so far; before the first that begins so, `meanwhile` happens.
    pub fn pause_at(&self, begins: &str, meanwhile: impl FnOnce() + Send + 'static) {
        let pause = Some((begins.to_owned(), Pause(Box::new(meanwhile))));
        *self.script() = Script { pause, ..Script::default() };
    }

    /// Forgets the calls so far; what is written from here on is changed on its way.
    pub fn rewrite(&self, rewrite: fn(&[u8]) -> Vec<u8>) {
        *self.script() = Script { rewrite: Some(Rewrite(rewrite)), ..Script::default() };
    }

    /// Files are as old as their contents, as if each had got its name when it was written.
    pub fn forget_times_of_names(&self) {
        self.script().names_have_no_time = true;
    }

    /// Forgets the calls so far; the next `listings` that meet a name that begins so do not show it, as
    /// readdir(3) may miss a file that took the place of another meanwhile.
    pub fn overlook(&self, begins: &str, listings: u32) {
        let overlooked = Some((begins.to_owned(), listings));
        *self.script() = Script { overlooked, ..Script::default() };
    }

    /// Ends the faults; gives the calls, like `link .tmp -> 00000000000000000001.json`.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.script()).calls
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    fn call<T>(&self, text: String, done: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let pause = self.script().pause.take_if(|(begins, _)| text.starts_with(begins.as_str()));
        if let Some((_, Pause(meanwhile))) = pause {
            meanwhile();
        }
        let fault = {
            let mut script = self.script();
            let number = script.calls.len();
            let hit = script.first.as_ref().is_some_and(|(begins, _)| text.starts_with(begins));
            script.calls.push(text);
            match script.at {
                Some((at, fault)) if at == number => Some(fault),
                _ if script.dead_from.is_some_and(|from| number >= from) => {
                    Some(Fault::Fails(io::ErrorKind::Other))
                }
                _ if hit => script.first.take().map(|(_, fault)| fault),
                _ => None,
            }
        };
        match fault {
            None => done(),
            Some(Fault::Fails(kind)) => Err(kind.into()),
            Some(Fault::LostReply(kind)) => done().and(Err(kind.into())),
        }
    }
}

/// A name without what differs from run to run.
fn name(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    match name.split_once(".json.").or_else(|| name.split_once(".parquet.")) {
        Some((first, rest)) if rest.ends_with(".tmp") => format!("{first}.tmp"),
        _ => name,
    }
}

impl FileSystem for Faulty {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let file = self.call(format!("create {}", name(path)), || Posix.create(path))?;
        Ok(Box::new(FaultyFile { file, name: name(path), script: self.clone() }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        self.call(format!("create_dir {}", name(path)), || Posix.create_dir(path))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(format!("link {} -> {}", name(from), name(to)), || Posix.link(from, to))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(format!("rename {} -> {}", name(from), name(to)), || Posix.rename(from, to))
    }

    fn sync_dir(&self, path: &Path, site: SyncSite) -> io::Result<()> {
        self.call(format!("sync_dir {}", name(path)), || Posix.sync_dir(path, site))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        self.call(format!("open {}", name(path)), || Posix.open(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>> {
        let mut entries = self.call(format!("list {}", name(path)), || Posix.list(path))?;
        if self.script().names_have_no_time {
            entries.iter_mut().for_each(|entry| entry.changed = entry.modified);
        }
        if let Some((begins, listings)) = &mut self.script().overlooked
            && *listings > 0
            && entries.iter().any(|entry| entry.name.starts_with(begins.as_str()))
        {
            *listings -= 1;
            entries.retain(|entry| !entry.name.starts_with(begins.as_str()));
        }
        Ok(entries)
    }

    fn entry(&self, path: &Path) -> io::Result<DirectoryEntry> {
        let mut entry = self.call(format!("stat {}", name(path)), || Posix.entry(path))?;
        if self.script().names_have_no_time {
            entry.changed = entry.modified;
        }
        Ok(entry)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(format!("remove {}", name(path)), || Posix.remove(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.call(format!("remove_dir {}", name(path)), || Posix.remove_dir(path))
    }
}

struct FaultyFile {
    file: Box<dyn WriteFile>,
    name: String,
    script: Faulty,
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = &mut self.file;
        let rewrite = self.script.script().rewrite;
        self.script.call(format!("write {}", self.name), || match rewrite {
            Some(Rewrite(rewrite)) => file.write_all(&rewrite(bytes)).map(|()| bytes.len()),
            None => file.write(bytes),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl WriteFile for FaultyFile {
    fn sync(&mut self, site: SyncSite) -> io::Result<()> {
        let file = &mut self.file;
        self.script.call(format!("sync {}", self.name), || file.sync(site))
    }
}
