//! Many cuts of one record: for each a fresh image, mounted, checked, unmounted, and the file system's own
//! check after it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;

use super::check::check_table;
use super::cuts::{Cut, choose, image_after, settle, within};
use super::image::Image;
use super::mounted::{Kind, Mounted};
use super::record::{Entry, read};
use crate::cli::Verdict;
use crate::model::{Operation, Promise, operations};

/// Which record, and how many cuts.
#[derive(Debug, Args)]
pub struct CutOptions {
    /// The record of the disk
    #[arg(long)]
    record: PathBuf,
    /// The file system on it
    #[arg(long)]
    kind: Kind,
    /// Size of the disk, MiB
    #[arg(long)]
    mebibytes: u64,
    /// The table's folder on the disk
    #[arg(long, default_value = "table")]
    table: PathBuf,
    /// Seed of the operations, and of the cuts
    #[arg(long)]
    seed: u64,
    /// Operations after the table's creation
    #[arg(long)]
    operations: usize,
    /// Number of cuts
    #[arg(long)]
    cuts: usize,
    /// End after so many seconds; the cuts that were made by then lie all over the record
    #[arg(long)]
    seconds: Option<u64>,
    /// Only these, as they were printed
    #[arg(long)]
    only: Vec<Cut>,
    /// Folder for images and their mount
    #[arg(long)]
    work: PathBuf,
}

/// Cuts, mounts and checks until the first violation.
pub fn cuts(options: &CutOptions) -> Result<Verdict> {
    let begun = Instant::now();
    let entries = read(&options.record)?;
    let mut cuts = options.only.clone();
    if cuts.is_empty() {
        cuts = choose(&entries, options.cuts, options.seed);
    }
    cuts.sort_unstable();
    let mut done = Figures::default();
    let over = || options.seconds.is_some_and(|seconds| begun.elapsed().as_secs() >= seconds);
    for pass in 0..PASSES {
        let mut replay = Replay::new(options, &entries)?;
        for cut in cuts.iter().skip(pass).step_by(PASSES).take_while(|_| !over()) {
            if let Err(violation) = replay.one(within(*cut, &entries)?, &mut done)? {
                println!("VIOLATION on {} at cut {cut}: {violation:#}", options.kind.name());
                println!("  {}", replay.promise_text());
                println!("  again: {}", again(options, *cut));
                return Ok(Verdict::Violated);
            }
        }
    }
    println!(
        "held on {}: {} of {} cuts{} in {} entries ({} fsyncs after the first mark), each image mounted and \
         checked, {} loose writes at the cuts, {} rows read, {:.0} s",
        options.kind.name(),
        done.cuts,
        cuts.len(),
        if done.cuts < cuts.len() { " (the time was up)" } else { "" },
        entries.len(),
        fsyncs(&entries),
        done.loose,
        done.rows,
        begun.elapsed().as_secs_f64()
    );
    Ok(Verdict::Held)
}

/// Times that the record is gone through, each with its share of the cuts: what is done when the time is up
/// lies all over it.
const PASSES: usize = 8;

#[derive(Debug, Default)]
struct Figures {
    cuts: usize,
    loose: usize,
    rows: u64,
}

struct Replay<'a> {
    options: &'a CutOptions,
    entries: &'a [Entry],
    operations: Vec<Operation>,
    image: PathBuf,
    folder: PathBuf,
    /// All up to the last fsync.
    durable: Image,
    /// Entries before it are in `durable`.
    settled: usize,
    /// Entries before it were looked at.
    next: usize,
    promise: Promise,
}

impl<'a> Replay<'a> {
    fn new(options: &'a CutOptions, entries: &'a [Entry]) -> Result<Self> {
        let folder = options.work.join("mounted");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self {
            options,
            entries,
            operations: operations(options.seed, options.operations),
            image: options.work.join("cut.img"),
            folder,
            durable: Image::default(),
            settled: 0,
            next: 0,
            promise: Promise::default(),
        })
    }

    /// One cut; cuts come in order. The outer error: the test could not be run; the inner: a violation.
    fn one(&mut self, cut: Cut, done: &mut Figures) -> Result<Result<()>> {
        self.advance(cut.at);
        let loose = &self.entries[self.settled..cut.at];
        done.loose += loose.iter().filter(|entry| is_write(entry)).count();
        let image = image_after(&self.durable, loose, cut.keep);
        image.save(&self.image, self.options.mebibytes << 20)?;
        let kind = self.options.kind;
        let mounted = Mounted::new(kind, &self.image, &self.folder)
            .with_context(|| format!("after cut {cut} the file system does not mount"))?;
        let checked = self.check(&self.folder.join(&self.options.table));
        mounted.unmount()?;
        done.cuts += 1;
        kind.check(&self.image).with_context(|| format!("after cut {cut} the file system is damaged"))?;
        Ok(checked.map(|rows| done.rows += rows))
    }

    fn check(&self, table: &Path) -> Result<u64> {
        check_table(table, &self.operations, &self.promise)
    }

    fn advance(&mut self, at: usize) {
        for index in self.next..at {
            match &self.entries[index] {
                Entry::Sync => {
                    for entry in &self.entries[self.settled..index] {
                        settle(&mut self.durable, entry);
                    }
                    self.settled = index + 1;
                }
                Entry::Mark(mark) => self.promise.add(*mark),
                Entry::Write { .. } | Entry::Zeros { .. } => {}
            }
        }
        self.next = self.next.max(at);
    }

    fn promise_text(&self) -> String {
        let Promise { begun, done, planned, reported, .. } = self.promise;
        let under_way = self.operations.get(done).filter(|_| begun > done);
        format!(
            "{done} operations were acknowledged; under way: {under_way:?}, plan {planned}, report {reported}"
        )
    }
}

fn is_write(entry: &Entry) -> bool {
    matches!(entry, Entry::Write { .. } | Entry::Zeros { .. })
}

fn fsyncs(entries: &[Entry]) -> usize {
    let marked = entries.iter().skip_while(|entry| !matches!(entry, Entry::Mark(_)));
    marked.filter(|entry| matches!(entry, Entry::Sync)).count()
}

fn again(options: &CutOptions, cut: Cut) -> String {
    format!(
        "longshore-e2e-storage cuts --record {} --kind {} --mebibytes {} --seed {} --operations {} --cuts 1 \
         --work <an empty folder> --only {cut}",
        options.record.display(),
        options.kind.name(),
        options.mebibytes,
        options.seed,
        options.operations
    )
}
