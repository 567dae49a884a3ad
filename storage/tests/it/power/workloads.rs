//! What is recorded. Each workload is a function of the volume, so that it can be run again with a call that
//! fails; what a process is told in it becomes a promise.

use std::path::Path;

use longshore_storage::durable::SyncSite;
use longshore_storage::schema::{PartitionBy, PartitionTerm, TableDefinition};
use longshore_storage::table::Table;

use super::process::{Failed, Process};
use super::recording::{ROOT, Recording};
use super::support::definition;
use super::volume::Volume;

/// Something to record.
pub struct Workload {
    pub name: &'static str,
    /// What it begins with, all of it durable.
    pub start: fn() -> Volume,
    pub run: fn(&Volume) -> Result<(), Failed>,
}

/// One process at a time.
pub const WORKLOADS: &[Workload] = &[
    Workload { name: "create and load", start: empty, run: create_and_load },
    Workload { name: "kill, adopt, commit", start: with_table, run: adopt },
    Workload { name: "fail, close, load again", start: with_table, run: close_and_retry },
    Workload { name: "cancel by another process", start: with_table, run: cancel },
    Workload { name: "checkpoints of two processes", start: with_table, run: checkpoints },
    Workload { name: "overwrite, add columns, compact", start: with_table, run: rewrite },
    Workload { name: "fold and clean", start: with_table, run: fold_and_clean },
    Workload { name: "fail, overwrite, vacuum", start: with_table, run: vacuum },
    Workload { name: "load into new partitions", start: with_partitions, run: partitions },
];

/// An empty volume.
fn empty() -> Volume {
    Volume::new("/volume")
}

/// A volume with an empty table.
pub fn with_table() -> Volume {
    let volume = empty();
    Process::create(volume.clone(), "creator").unwrap();
    copy(&volume)
}

/// A volume with an empty table that has partitions.
fn with_partitions() -> Volume {
    let volume = empty();
    let by = PartitionBy::Expression(vec![PartitionTerm::Column("BehaviorType".to_owned())]);
    let definition = TableDefinition { partition_by: by, ..definition() };
    Table::create(volume.files(), Path::new(ROOT), &definition).unwrap();
    copy(&volume)
}

/// A copy of a volume, all of it durable, without its past.
pub fn copy(volume: &Volume) -> Volume {
    let (nodes, contents) = volume.snapshot();
    Volume::with(nodes, contents)
}

impl Workload {
    pub fn record(&self) -> Recording {
        let start = (self.start)();
        let volume = copy(&start);
        (self.run)(&volume).unwrap();
        Recording::end(self.name, &start, &volume)
    }
}

fn create_and_load(volume: &Volume) -> Result<(), Failed> {
    let mut process = Process::create(volume.clone(), "a")?;
    let claim = process.claim("l", 1)?;
    let folder = process.plan(&claim, 2)?;
    // Several blocks a segment.
    let reports = [process.task(&folder, 0, 2_000)?, process.task(&folder, 1, 3)?];
    process.commit(&claim, &reports)?;
    process.tidy(&folder)
}

fn adopt(volume: &Volume) -> Result<(), Failed> {
    let mut killed = Process::open(volume.clone(), "a")?;
    let claim = killed.claim("l", 1)?;
    let folder = killed.plan(&claim, 2)?;
    killed.task(&folder, 0, 30)?;
    // The process is killed here; another takes over.
    let mut next = Process::open(volume.writer(1), "b")?;
    let claim = next.claim("l", 1)?;
    let folder = next.plan(&claim, 2)?;
    let reports = [next.adopt_or_do(&folder, 2, 0)?, next.adopt_or_do(&folder, 2, 1)?];
    next.commit(&claim, &reports)?;
    next.tidy(&folder)
}

fn close_and_retry(volume: &Volume) -> Result<(), Failed> {
    let mut process = Process::open(volume.clone(), "a")?;
    let claim = process.claim("l", 1)?;
    let folder = process.plan(&claim, 2)?;
    process.task(&folder, 0, 30)?;
    process.close("l", 1, Some(&claim))?;
    process.tidy(&folder)?;
    process.load("l", 2)
}

fn cancel(volume: &Volume) -> Result<(), Failed> {
    let mut worker = Process::open(volume.clone(), "a")?;
    let mut canceller = Process::open(volume.writer(1), "b")?;
    let claim = worker.claim("l", 1)?;
    let folder = worker.plan(&claim, 2)?;
    let reports = [worker.task(&folder, 0, 30)?, worker.task(&folder, 1, 3)?];
    canceller.close("l", 1, None)?;
    match worker.commit(&claim, &reports) {
        Err("ClaimLost") => canceller.answer("l"),
        other => other,
    }
}

fn checkpoints(volume: &Volume) -> Result<(), Failed> {
    let mut one = Process::open(volume.clone(), "a")?;
    let mut other = Process::open(volume.writer(1), "b")?;
    one.load_small("l")?;
    other.checkpoint()?;
    other.load_small("m")?;
    one.answer("m")?;
    one.checkpoint()?;
    other.answer("l")
}

fn rewrite(volume: &Volume) -> Result<(), Failed> {
    let mut one = Process::open(volume.clone(), "a")?;
    let mut other = Process::open(volume.writer(1), "b")?;
    one.load_small("l")?;
    one.add_column("Added")?;
    other.load_small("m")?;
    one.compact()?;
    other.overwrite("n", "Brought")?;
    one.answer("m")
}

fn fold_and_clean(volume: &Volume) -> Result<(), Failed> {
    let mut process = Process::open(volume.clone(), "a")?;
    process.load_small("l")?;
    process.claim("m", 1)?;
    process.close("m", 1, None)?;
    process.checkpoint()?;
    process.fold()?;
    process.load_small("n")?;
    process.checkpoint()?;
    // Folds what came since, together with what was folded before.
    process.clean()?;
    process.answer("l")?;
    process.answer("n")
}

fn vacuum(volume: &Volume) -> Result<(), Failed> {
    let mut process = Process::open(volume.clone(), "a")?;
    process.load_small("l")?;
    let claim = process.claim("m", 1)?;
    let folder = process.plan(&claim, 2)?;
    process.task(&folder, 0, 3)?;
    process.close("m", 1, None)?;
    process.overwrite("n", "Brought")?;
    process.vacuum()?;
    process.answer("n")
}

fn partitions(volume: &Volume) -> Result<(), Failed> {
    Process::open(volume.clone(), "a")?.load_small("l")
}

/// Two creators side by side.
pub fn two_creators(seed: u64) -> Recording {
    let (start, volume) = (empty(), empty());
    let create = |volume: Volume, name: &'static str| {
        Process::create(volume, name).unwrap();
    };
    volume.interleave(seed, vec![Box::new(|v| create(v, "a")), Box::new(|v| create(v, "b"))]);
    Recording::end(format!("two creators, seed {seed}"), &start, &volume)
}

/// Two loads side by side, of different labels or of one.
pub fn two_loads(seed: u64, labels: [&'static str; 2]) -> Recording {
    let start = with_table();
    let volume = copy(&start);
    let load = |volume: Volume, name: &'static str, label: &'static str| {
        let mut process = Process::open(volume, name).unwrap();
        let mut load = || -> Result<(), Failed> {
            let claim = process.claim(label, 1)?;
            let folder = process.plan(&claim, 1)?;
            let report = process.task(&folder, 0, 3)?;
            process.commit(&claim, &[report])?;
            process.checkpoint()
        };
        match load() {
            Ok(()) | Err("ClaimLost" | "AlreadyLoaded") => {}
            Err(other) => panic!("{other}"),
        }
    };
    volume
        .interleave(seed, vec![Box::new(|v| load(v, "a", labels[0])), Box::new(|v| load(v, "b", labels[1]))]);
    Recording::end(format!("two loads of {labels:?}, seed {seed}"), &start, &volume)
}

/// What a process does, as far as it gets.
pub type Does = fn(&Volume) -> Result<(), Failed>;

/// What another process does while one is stopped.
pub const MEANWHILE: &[(&str, Does)] = &[
    ("creates", |volume| Process::create(volume.clone(), "b").map(|_| ())),
    ("answers", |volume| Process::open(volume.clone(), "b")?.answer("l")),
    ("claims", |volume| Process::open(volume.clone(), "b")?.claim("l", 1).map(|_| ())),
    ("loads another label", |volume| Process::open(volume.clone(), "b")?.load("m", 1)),
    ("plans and does the same", |volume| {
        let mut other = Process::open(volume.clone(), "b")?;
        let claim = other.claim("l", 1)?;
        let folder = other.plan(&claim, 1)?;
        let report = other.adopt_or_do(&folder, 1, 0)?;
        other.commit(&claim, &[report])
    }),
    ("makes a checkpoint", |volume| Process::open(volume.clone(), "b")?.checkpoint()),
    ("closes the run", |volume| Process::open(volume.clone(), "b")?.close("l", 1, None)),
    ("folds", |volume| Process::open(volume.clone(), "b")?.fold()),
    ("vacuums", |volume| Process::open(volume.clone(), "b")?.vacuum()),
    ("cleans", |volume| Process::open(volume.clone(), "b")?.clean()),
];

/// A process that creates, loads and makes a checkpoint is stopped before its last fsync at a place; another
/// does something, and the first goes on. `None`: the place is not reached.
pub fn stopped(site: SyncSite, meanwhile: &(&'static str, Does)) -> Option<Recording> {
    // How often the place is reached tells which is the last.
    let reached = |volume: &Volume| volume.syncs_at(site);
    let volume = empty();
    load_and_checkpoint(&volume).unwrap();
    let last = reached(&volume).checked_sub(1)?;

    let (start, volume) = (empty(), empty());
    let other = volume.writer(1);
    let run = meanwhile.1;
    volume.pause_before(site, last, move || {
        // It may find no table yet, or lose: those are outcomes.
        run(&other).ok();
    });
    // So may the one that was stopped.
    load_and_checkpoint(&volume).ok();
    let name = format!("stopped before {}, another {}", site.id(), meanwhile.0);
    let mut recording = Recording::end(name, &start, &volume);
    recording.from = recording.steps.iter().position(|step| step.writer == 1).unwrap_or_default();
    Some(recording)
}

fn load_and_checkpoint(volume: &Volume) -> Result<(), Failed> {
    let mut process = Process::create(volume.clone(), "a")?;
    let claim = process.claim("l", 1)?;
    let folder = process.plan(&claim, 1)?;
    let report = process.task(&folder, 0, 3)?;
    process.commit(&claim, &[report])?;
    process.checkpoint()
}
