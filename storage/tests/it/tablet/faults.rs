//! A volume that is full, or fails, at any operation.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arrow::array::*;
use longshore_storage::durable::{DirectoryEntry, ReadFile, SyncSite, WriteFile};
use longshore_storage::types::DataType;

use super::*;

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// A volume whose operations fail once `left` are done; removing always works.
#[derive(Debug)]
struct Failing {
    left: Arc<AtomicI64>,
    /// Operations that were tried.
    tried: Arc<AtomicU64>,
    code: i32,
}

impl Failing {
    fn new(left: i64, code: i32) -> Self {
        Self { left: Arc::new(AtomicI64::new(left)), tried: Arc::default(), code }
    }

    fn step(&self) -> io::Result<()> {
        step(&self.left, &self.tried, self.code)
    }
}

fn step(left: &AtomicI64, tried: &AtomicU64, code: i32) -> io::Result<()> {
    tried.fetch_add(1, Ordering::Relaxed);
    if left.fetch_sub(1, Ordering::Relaxed) <= 0 { Err(io::Error::from_raw_os_error(code)) } else { Ok(()) }
}

struct FailingFile {
    inner: Box<dyn WriteFile>,
    left: Arc<AtomicI64>,
    tried: Arc<AtomicU64>,
    code: i32,
}

impl Write for FailingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        step(&self.left, &self.tried, self.code)?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl WriteFile for FailingFile {
    fn sync(&mut self, site: SyncSite) -> io::Result<()> {
        step(&self.left, &self.tried, self.code)?;
        self.inner.sync(site)
    }
}

impl FileSystem for Failing {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        self.step()?;
        let (left, tried) = (Arc::clone(&self.left), Arc::clone(&self.tried));
        Ok(Box::new(FailingFile { inner: Posix.create(path)?, left, tried, code: self.code }))
    }
    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        self.step()?;
        Posix.create_dir(path)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        Posix.link(from, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
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
        Posix.list(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Posix.remove(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        Posix.remove_dir(path)
    }
}

fn load(
    files: &Arc<dyn FileSystem>,
    root: &Path,
    options: WriterOptions,
) -> Result<Vec<Segment>, TabletError> {
    let schema = table(&[("a", DataType::Int), ("b", DataType::BigInt)], &["a"], hash(&["a"], 2));
    let (mut writer, metrics) = writer(files, root, &schema, options);
    for start in 0..5 {
        let a: ArrayRef =
            Arc::new(Int32Array::from_iter_values((0..20_000).map(|i| (i * 7919 + start) % 10_007)));
        let b: ArrayRef = Arc::new(Int64Array::from_iter_values(0..20_000));
        if let Err(error) = writer.append(&batch(&schema, vec![a, b])) {
            writer.abandon();
            assert_eq!(metrics.buffered_bytes.load(Ordering::Relaxed), 0);
            return Err(error);
        }
    }
    writer.finish()
}

fn fails_cleanly_at_every_operation(options: WriterOptions) {
    let root = tempfile::tempdir().unwrap();
    let whole = Failing::new(i64::MAX, ENOSPC);
    let tried = Arc::clone(&whole.tried);
    let segments = load(&(Arc::new(whole) as Arc<dyn FileSystem>), root.path(), options).unwrap();
    assert_eq!(segments.iter().map(|segment| segment.rows).sum::<u64>(), 100_000);
    let operations = i64::try_from(tried.load(Ordering::Relaxed)).unwrap();
    assert!(operations > 10, "{operations}");
    for (code, category) in [(ENOSPC, "DiskFull"), (EIO, "VolumeError")] {
        for left in 0..operations {
            let root = tempfile::tempdir().unwrap();
            let files: Arc<dyn FileSystem> = Arc::new(Failing::new(left, code));
            let error = load(&files, root.path(), options).expect_err("operations are fewer than needed");
            assert_eq!(error.category(), category, "after {left} operations: {error}");
            assert!(error.to_string().contains(root.path().to_str().unwrap()), "{error}");
            assert_eq!(files_below(root.path()), Vec::<String>::new(), "after {left} operations");
        }
    }
}

#[test]
fn a_full_disk_at_any_write_from_memory() {
    fails_cleanly_at_every_operation(WriterOptions { threads: 1, ..WriterOptions::default() });
}

#[test]
fn a_full_disk_at_any_write_of_spills_and_merges() {
    fails_cleanly_at_every_operation(WriterOptions { threads: 1, ..tiny() });
}

#[test]
fn a_full_disk_with_two_threads() {
    fails_cleanly_at_every_operation(tiny());
}

#[test]
fn a_writer_that_is_dropped_leaves_no_spill() {
    let root = tempfile::tempdir().unwrap();
    let schema = table(&[("a", DataType::Int)], &["a"], hash(&["a"], 2));
    let (mut writer, metrics) = writer(&posix(), root.path(), &schema, tiny());
    let a: ArrayRef = Arc::new(Int32Array::from_iter_values((0..200_000).rev()));
    writer.append(&batch(&schema, vec![a])).unwrap();
    assert!(metrics.buffered_bytes.load(Ordering::Relaxed) > 0);
    let spills: Vec<PathBuf> = files_below(root.path()).into_iter().map(PathBuf::from).collect();
    assert!(spills.iter().any(|path| path.starts_with("_longshore/tmp")), "{spills:?}");
    drop(writer);
    assert_eq!(files_below(root.path()), Vec::<String>::new());
    assert_eq!(metrics.buffered_bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn a_name_that_is_taken_is_never_overwritten() {
    // One thread: of two, the faster takes the lower number, and the second load might take free names.
    let one_thread = WriterOptions { threads: 1, ..WriterOptions::default() };
    let root = tempfile::tempdir().unwrap();
    load(&posix(), root.path(), one_thread).unwrap();
    let before = files_below(root.path());
    let error = load(&posix(), root.path(), one_thread).unwrap_err();
    assert_eq!(error.category(), "VolumeError");
    assert_eq!(files_below(root.path()), before);
}
