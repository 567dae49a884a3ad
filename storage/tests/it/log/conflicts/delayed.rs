//! The real volume, slow by chance, and able to stop its own process at a call.

use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longshore_storage::durable::{DirectoryEntry, FileSystem, Posix, ReadFile, SyncSite, WriteFile};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Where a process stops itself (SIGSTOP).
#[derive(Debug, Clone)]
pub struct StopAt {
    /// How the text of the call begins, like `link 0` or `sync commit-name`.
    pub begins: String,
    /// After the call was done instead of before it.
    pub after: bool,
}

/// A volume on which each call waits up to three milliseconds, once it is armed.
#[derive(Debug)]
pub struct Delayed {
    random: Mutex<SmallRng>,
    armed: AtomicBool,
    stop_at: Mutex<Option<StopAt>>,
}

impl Delayed {
    pub fn new(seed: u64) -> Self {
        let random = Mutex::new(SmallRng::seed_from_u64(seed));
        Self { random, armed: AtomicBool::new(false), stop_at: Mutex::new(None) }
    }

    /// From now on calls wait by chance.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::Release);
    }

    /// From now on the first call that begins so stops the process.
    pub fn stop_at(&self, stop_at: StopAt) {
        *self.stop_at.lock().unwrap() = Some(stop_at);
    }

    fn call<T>(&self, text: &str, done: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.armed.load(Ordering::Acquire) {
            let pause = self.random.lock().unwrap().random_range(0..3_000);
            std::thread::sleep(Duration::from_micros(pause));
        }
        let stop = self.stop_at.lock().unwrap().take_if(|stop| text.starts_with(&stop.begins));
        match stop {
            None => done(),
            Some(StopAt { after: false, .. }) => {
                stop_self();
                done()
            }
            Some(StopAt { after: true, .. }) => {
                let result = done();
                stop_self();
                result
            }
        }
    }
}

/// Stops this process. A stop reaches one thread after another, and this one may be late: so it also waits
/// until it is told to go on.
fn stop_self() {
    let command = format!("kill -STOP {}", std::process::id());
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    assert_eq!(line, "go on\n");
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

impl FileSystem for Delayed {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        self.call(&format!("create {}", name(path)), || Posix.create(path))
    }

    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        self.call(&format!("create_dir {}", name(path)), || Posix.create_dir(path))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(&format!("link {}", name(to)), || Posix.link(from, to))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(&format!("rename {}", name(to)), || Posix.rename(from, to))
    }

    fn sync_dir(&self, path: &Path, site: SyncSite) -> io::Result<()> {
        self.call(&format!("sync {}", site.id()), || Posix.sync_dir(path, site))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        self.call(&format!("open {}", name(path)), || Posix.open(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>> {
        self.call(&format!("list {}", name(path)), || Posix.list(path))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(&format!("remove {}", name(path)), || Posix.remove(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.call(&format!("remove_dir {}", name(path)), || Posix.remove_dir(path))
    }
}
