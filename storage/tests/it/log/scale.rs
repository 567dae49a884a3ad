//! What an append asks of the volume does not grow with the table: counted, not timed.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use longshore_storage::durable::{DirectoryEntry, FileSystem, Posix, ReadFile, SyncSite, WriteFile};
use longshore_storage::table::{CleanOptions, Table};

use super::support::{Place, load, load_of};

/// Counts files opened and bytes read, those of checkpoints apart.
#[derive(Debug, Clone, Default)]
struct Counting {
    opened: Arc<AtomicU64>,
    read: Arc<AtomicU64>,
    read_of_checkpoints: Arc<AtomicU64>,
    listed: Arc<AtomicU64>,
    /// Names whose times were asked for.
    looked_at: Arc<AtomicU64>,
}

impl Counting {
    fn take(&self) -> (u64, u64, u64) {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::SeqCst);
        (take(&self.opened), take(&self.read), take(&self.read_of_checkpoints))
    }
}

struct CountingFile(Box<dyn ReadFile>, Arc<AtomicU64>);

impl ReadFile for CountingFile {
    fn changed(&self) -> io::Result<std::time::SystemTime> {
        self.0.changed()
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.1.fetch_add(buffer.len() as u64, Ordering::SeqCst);
        self.0.read_exact_at(buffer, offset)
    }
}

impl FileSystem for Counting {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        Posix.create(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        Posix.create_dir(path)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        Posix.link(from, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Posix.rename(from, to)
    }
    fn sync_dir(&self, path: &Path, site: SyncSite) -> io::Result<()> {
        Posix.sync_dir(path, site)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        let file = Posix.open(path)?;
        let checkpoint = path.to_string_lossy().ends_with(".checkpoint.parquet");
        if !checkpoint {
            self.opened.fetch_add(1, Ordering::SeqCst);
        }
        let counter = if checkpoint { &self.read_of_checkpoints } else { &self.read };
        Ok(Box::new(CountingFile(file, Arc::clone(counter))))
    }
    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>> {
        self.listed.fetch_add(1, Ordering::SeqCst);
        let entries = Posix.list(path)?;
        self.looked_at.fetch_add(entries.len() as u64, Ordering::SeqCst);
        Ok(entries)
    }
    fn entry(&self, path: &Path) -> io::Result<DirectoryEntry> {
        self.looked_at.fetch_add(1, Ordering::SeqCst);
        Posix.entry(path)
    }
    fn list_names(&self, path: &Path) -> io::Result<Vec<String>> {
        self.listed.fetch_add(1, Ordering::SeqCst);
        Posix.list_names(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Posix.remove(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        Posix.remove_dir(path)
    }
}

/// Loads so many files in one commit, and makes a checkpoint, so that the tables differ only in it.
fn table_with(files: u64) -> Place {
    let (place, mut table) = Place::with_table();
    let claim = table.claim("before", 1).unwrap();
    let mut many = load_of(&table, &claim, files);
    let one = many.segments.pop().unwrap();
    many.segments.extend((0..files).map(|number| {
        let path = format!("b-00001/{number:08}.parquet");
        longshore_storage::load::Segment { path, ..one.clone() }
    }));
    table.commit_load(&claim, many).unwrap();
    table.checkpoint().unwrap();
    place
}

/// What two loads into a table that is open ask for.
fn cost_of_appends(place: &Place) -> (u64, u64, u64) {
    let counting = Counting::default();
    let mut table = Table::open(Arc::new(counting.clone()), &place.root).unwrap();
    counting.take();
    load(&mut table, "one", 1);
    load(&mut table, "two", 1);
    counting.take()
}

#[test]
fn an_append_costs_the_same_on_twenty_thousand_files_as_on_one() {
    let (opened, read, checkpoint) = cost_of_appends(&table_with(1));
    let (opened_of_many, read_of_many, checkpoint_of_many) = cost_of_appends(&table_with(20_000));
    assert_eq!(opened_of_many, opened);
    // The hint tells the number of actions and the size of the checkpoint: a few digits more.
    assert!(read_of_many <= read + 200, "{read_of_many} bytes read, {read} on one file");
    // Labels are looked up in their own row groups; the footer names two row groups of files more.
    assert!(
        checkpoint_of_many <= checkpoint + 64_000,
        "{checkpoint_of_many} bytes of the checkpoint read, {checkpoint} on one file"
    );
}

#[test]
fn a_load_looks_at_no_listing_however_many_names_the_folder_has() {
    let (place, mut others) = Place::with_table();
    let counting = Counting::default();
    let mut table = Table::open(Arc::new(counting.clone()), &place.root).unwrap();
    let listings_of = |table: &mut Table, label: &str| {
        counting.listed.store(0, Ordering::SeqCst);
        load(table, label, 1);
        counting.listed.load(Ordering::SeqCst)
    };
    assert_eq!(listings_of(&mut table, "one"), 0);
    load(&mut others, "of_another", 1);
    assert_eq!(listings_of(&mut table, "two"), 0);
    table.checkpoint().unwrap();
    assert_eq!(listings_of(&mut table, "three"), 0);
    // A checkpoint does not tell by which commit it was: the first who goes on from it has to look.
    others.refresh().unwrap();
    others.checkpoint().unwrap();
    let mut table = Table::open(Arc::new(counting.clone()), &place.root).unwrap();
    assert!(listings_of(&mut table, "four") > 0);
    assert_eq!(listings_of(&mut table, "five"), 0);
}

#[test]
fn cleaning_looks_at_the_times_of_what_may_go_and_of_one_commit_more() {
    let (place, mut table) = Place::with_table();
    for number in 0..100 {
        load(&mut table, &format!("l{number}"), 1);
    }
    table.checkpoint().unwrap();
    load(&mut table, "last", 1);
    table.checkpoint().unwrap();
    table.fold_history().unwrap();
    let counting = Counting::default();
    let mut table = Table::open(Arc::new(counting.clone()), &place.root).unwrap();
    counting.looked_at.store(0, Ordering::SeqCst);
    let outcome = table.clean_log(&CleanOptions::default()).unwrap();
    assert_eq!(outcome.commits, 0);
    let few = counting.looked_at.load(Ordering::SeqCst);
    assert!(few <= 10, "{few} files were looked at");
    let outcome = table.clean_log(&CleanOptions { min_age: std::time::Duration::ZERO }).unwrap();
    assert!(outcome.commits >= 100, "{outcome:?}");
}

#[test]
fn opening_reads_the_footer_and_the_schema_of_a_checkpoint_not_its_files() {
    let opening = |place: &Place| {
        let counting = Counting::default();
        drop(Table::open(Arc::new(counting.clone()), &place.root).unwrap());
        counting.take().2
    };
    let (one, place) = (opening(&table_with(1)), table_with(20_000));
    let many = opening(&place);
    assert!(many <= one + 64_000, "{many} bytes read, {one} on one file");
}
