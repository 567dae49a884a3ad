//! A process that is stopped just before something of it becomes durable, and another that began before: what
//! the other is told rests on names that a cut may take back.

use longshore_storage::durable::SyncSite;

use super::process::{Failed, Process};
use super::recording::Recording;
use super::volume::{Fault, Volume};
use super::workloads::{Does, copy, with_table};

/// Who is stopped where, while what happens.
pub struct Overtaken {
    name: &'static str,
    run: Does,
}

pub const OVERTAKEN: &[Overtaken] = &[
    Overtaken { name: "a load by another attempt", run: load },
    Overtaken { name: "a load by a claim", run: claim },
    Overtaken { name: "a compaction by an overwrite", run: compaction },
    Overtaken { name: "an overwrite by a vacuum", run: overwrite },
    Overtaken { name: "a column by the same column", run: column },
    Overtaken { name: "an epoch by a question", run: epoch },
    Overtaken { name: "a first fold by another", run: first_fold },
    Overtaken { name: "a second fold by another", run: second_fold },
    Overtaken { name: "two checkpoints by a cleaning", run: checkpoints },
    Overtaken { name: "a hint by a cleaning", run: late_hint },
    Overtaken { name: "a checkpoint by a newer one", run: newer_hint },
];

impl Overtaken {
    pub fn record(&self) -> Recording {
        let start = with_table();
        let volume = copy(&start);
        (self.run)(&volume).unwrap();
        Recording::end(self.name, &start, &volume)
    }
}

/// The next time that something becomes durable at a place, the other goes on first.
fn before_next(volume: &Volume, site: SyncSite, other: impl FnOnce() -> Result<(), Failed> + Send + 'static) {
    let done = volume.syncs_at(site);
    volume.pause_before(site, done, move || {
        // Losing is an outcome.
        other().ok();
    });
}

fn load(volume: &Volume) -> Result<(), Failed> {
    let mut first = Process::open(volume.writer(1), "b")?;
    let old = first.claim("l", 1)?;
    let folder = first.plan(&old, 1)?;
    let report = first.task(&folder, 0, 3)?;
    let mut second = Process::open(volume.clone(), "a")?;
    let claim = second.claim("l", 1)?;
    let folder = second.plan(&claim, 1)?;
    let own = second.adopt_or_do(&folder, 1, 0)?;
    before_next(volume, SyncSite::CommitName, move || first.commit(&old, &[report]));
    second.commit(&claim, &[own])
}

fn claim(volume: &Volume) -> Result<(), Failed> {
    let mut first = Process::open(volume.writer(1), "b")?;
    let old = first.claim("l", 1)?;
    let folder = first.plan(&old, 1)?;
    let report = first.task(&folder, 0, 3)?;
    let mut second = Process::open(volume.clone(), "a")?;
    before_next(volume, SyncSite::CommitName, move || first.commit(&old, &[report]));
    second.claim("l", 1).map(|_| ())
}

fn compaction(volume: &Volume) -> Result<(), Failed> {
    let mut compactor = Process::open(volume.writer(1), "b")?;
    compactor.load_small("l")?;
    let epoch = compactor.epoch()?;
    let (inputs, output) = compactor.merge(&epoch, 0)?;
    let mut other = Process::open(volume.clone(), "a")?;
    let claim = other.claim("m", 1)?;
    let folder = other.plan(&claim, 1)?;
    let report = other.task(&folder, 0, 3)?;
    before_next(volume, SyncSite::CommitName, move || compactor.replace(&epoch, &inputs, output));
    other.overwrite_by(&claim, &report)
}

fn overwrite(volume: &Volume) -> Result<(), Failed> {
    let mut one = Process::open(volume.clone(), "a")?;
    one.load_small("l")?;
    let claim = one.claim("m", 1)?;
    let folder = one.plan(&claim, 1)?;
    let report = one.task(&folder, 0, 3)?;
    let mut other = Process::open(volume.writer(1), "b")?;
    before_next(volume, SyncSite::CommitName, move || other.vacuum());
    one.overwrite_by(&claim, &report)
}

fn column(volume: &Volume) -> Result<(), Failed> {
    let mut other = Process::open(volume.writer(1), "b")?;
    before_next(volume, SyncSite::CommitName, move || other.add_column("Added"));
    Process::open(volume.clone(), "a")?.add_column("Added")
}

fn epoch(volume: &Volume) -> Result<(), Failed> {
    let mut other = Process::open(volume.writer(1), "b")?;
    before_next(volume, SyncSite::CommitName, move || other.answer_epoch());
    Process::open(volume.clone(), "a")?.epoch().map(|_| ())
}

fn first_fold(volume: &Volume) -> Result<(), Failed> {
    let mut one = Process::open(volume.clone(), "a")?;
    one.load_small("l")?;
    let mut other = Process::open(volume.writer(1), "b")?;
    before_next(volume, SyncSite::FoldedName, move || other.fold());
    one.fold()
}

fn second_fold(volume: &Volume) -> Result<(), Failed> {
    let mut one = Process::open(volume.clone(), "a")?;
    one.load_small("l")?;
    one.fold()?;
    one.load_small("m")?;
    let mut other = Process::open(volume.writer(1), "b")?;
    before_next(volume, SyncSite::FoldedName, move || other.fold());
    one.fold()
}

/// All that was committed is folded: nothing but the cleaning itself makes names in the log durable.
fn checkpoints(volume: &Volume) -> Result<(), Failed> {
    let mut one = Process::open(volume.clone(), "a")?;
    one.load_small("l")?;
    let mut second = Process::open(volume.writer(1), "b")?;
    second.claim("m", 1)?;
    second.fold()?;
    let (all, cleaner) = (volume.clone(), volume.writer(2));
    before_next(volume, SyncSite::CheckpointName, move || {
        before_next(&all, SyncSite::CheckpointName, move || Process::open(cleaner, "c")?.clean());
        second.checkpoint_here()
    });
    one.checkpoint_here()
}

/// Processes die before they raise the hint; the cleaning raises it, and removes what it named.
fn late_hint(volume: &Volume) -> Result<(), Failed> {
    let mut process = Process::open(volume.clone(), "a")?;
    process.load_small("l")?;
    process.checkpoint()?;
    for label in ["m", "n", "o"] {
        process.claim(label, 1)?;
        process.checkpoint_without_hint()?;
    }
    process.clean()
}

/// A process makes a newer checkpoint and dies before its name is durable; one with an older checkpoint finds
/// it and points the hint at it.
fn newer_hint(volume: &Volume) -> Result<(), Failed> {
    let mut one = Process::open(volume.clone(), "a")?;
    one.load_small("l")?;
    let mut second = Process::open(volume.writer(1), "b")?;
    second.claim("m", 1)?;
    volume.pause_behind(SyncSite::CheckpointName, move || {
        second.volume.fail(Fault::Place(SyncSite::CheckpointName));
        let made = second.checkpoint_here();
        assert!(second.volume.mend().is_some() && made.is_err(), "{made:?}");
    });
    one.checkpoint_here()
}

/// Two checkpoints side by side, of different versions.
pub fn two_checkpoints(seed: u64) -> Recording {
    let volume = with_table();
    let mut first = Process::open(volume.clone(), "a").unwrap();
    first.load_small("l").unwrap();
    let start = copy(&volume);
    let volume = copy(&start);
    let first = Process::open(volume.writer(1), "a").unwrap();
    Process::open(volume.clone(), "c").unwrap().claim("m", 1).unwrap();
    let second = Process::open(volume.writer(2), "b").unwrap();
    let checkpoint = |mut process: Process| process.checkpoint_here().unwrap();
    volume.interleave(seed, vec![Box::new(|_| checkpoint(first)), Box::new(|_| checkpoint(second))]);
    Recording::end(format!("two checkpoints, seed {seed}"), &start, &volume)
}
