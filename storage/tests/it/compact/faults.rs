//! A process that dies, or a volume that fails, at any call.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use longshore_storage::durable::{DirectoryEntry, FileSystem, Posix, ReadFile, SyncSite, WriteFile};

use super::support::*;

/// A volume that does nothing any more once `left` calls are done: what a killed process asks of it.
#[derive(Debug, Clone)]
struct Dying(Arc<AtomicI64>);

impl Dying {
    fn step(&self) -> io::Result<()> {
        if self.0.fetch_sub(1, Ordering::SeqCst) <= 0 { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) }
    }
}

struct DyingFile(Box<dyn WriteFile>, Dying);

impl Write for DyingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The last call before the end is done by half.
        match self.1.step() {
            Ok(()) => self.0.write(bytes),
            Err(error) => {
                if self.1.0.load(Ordering::SeqCst) == -1 {
                    self.0.write_all(&bytes[..bytes.len() / 2])?;
                }
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl WriteFile for DyingFile {
    fn sync(&mut self, site: SyncSite) -> io::Result<()> {
        self.1.step()?;
        self.0.sync(site)
    }
}

impl FileSystem for Dying {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        self.step()?;
        Ok(Box::new(DyingFile(Posix.create(path)?, self.clone())))
    }
    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        self.step()?;
        Posix.create_dir(path)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        Posix.link(from, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        Posix.rename(from, to)
    }
    fn sync_dir(&self, path: &Path, site: SyncSite) -> io::Result<()> {
        self.step()?;
        Posix.sync_dir(path, site)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        self.step()?;
        Posix.open(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>> {
        self.step()?;
        Posix.list(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        Posix.remove(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        Posix.remove_dir(path)
    }
}

/// Opens the table and compacts it; the number of calls that were left.
fn compact_with(place: &Place, calls: i64) -> (bool, i64) {
    let left = Arc::new(AtomicI64::new(i64::MAX));
    let mut table = place.open_through(Arc::new(Dying(Arc::clone(&left))));
    left.store(calls, Ordering::SeqCst);
    let done = compact(&mut table).is_ok();
    (done, left.load(Ordering::SeqCst))
}

#[test]
fn a_compaction_that_is_killed_at_any_call_loses_nothing() {
    let mut killed = 0;
    for calls in 0.. {
        let (place, _) = narrow_table(2, 30);
        let due = rows(&place);
        let (done, left) = compact_with(&place, calls);
        assert_eq!(rows(&place), due, "after {calls} calls");
        if done {
            assert!(left >= 0);
            break;
        }
        killed += 1;
        // The next one finishes the work, whatever the killed one left.
        assert!(compact(&mut place.open()).is_ok(), "after {calls} calls");
        assert_eq!(rows(&place), due, "after {calls} calls");
        assert!(counts(&place).values().all(|count| *count == 1), "after {calls} calls");
    }
    assert!(killed > 30, "{killed}");
}

#[test]
fn an_error_of_the_volume_while_merging_leaves_no_file_behind() {
    let (place, _) = narrow_table(3, 60);
    let (files, due) = (place.segment_files(), rows(&place));
    let (faulty, volume) = crate::log::faulty::Faulty::shared();
    let mut table = place.open_through(volume);
    for begins in ["sync compact-", "create compact-", "write compact-", "sync_dir b-00001"] {
        faulty.fail_first(begins, crate::log::faulty::Fault::Fails(io::ErrorKind::StorageFull));
        let error = compact(&mut table).unwrap_err();
        assert_eq!(error.category(), "DiskFull", "{begins}: {error}");
        assert_eq!(place.segment_files(), files, "{begins}");
        assert_eq!(rows(&place), due, "{begins}");
    }
    faulty.calls();
    assert_eq!(compact(&mut table).unwrap().inputs, 6);
}
