//! The ledger of a pipe and the table's log together: whenever the power goes, the ledger opens, says FINISHED of
//! the files of every batch that a commit names and of no other, and knows what was acknowledged.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longshore_storage::durable::SyncSite;
use longshore_storage::history::HistoryFilter;
use longshore_storage::ledger::{FileEvent, FileKey, FileState, Ledger, LedgerReader, LedgerTotals};
use longshore_storage::table::{Batch, Table};

use super::cut::Order;
use super::process::Failed;
use super::promise::{Invariant, Promise, Violation};
use super::recording::{ROOT, Recording};
use super::replay::{Depth, Figures, Memory, Observer, Replay};
use super::support::write_segment;
use super::volume::{Fault, Operation, Volume};
use super::workloads::{Workload, copy, with_table};
use crate::ledger::support::{LEDGER, SMALL, commit, fault, finished, key, known, staged, start, tell};

/// One worker at a time.
pub const LEDGER_WORKLOADS: &[Workload] = &[
    Workload { name: "a worker of a pipe, and the next", start: with_table, run: two_workers },
    Workload { name: "a ledger is made again", start: with_table, run: rebuild },
];

/// A worker of a pipe, which says what it was told as long as no other has taken over.
struct Worker {
    volume: Volume,
    table: Table,
    ledger: Ledger,
    is_over: Arc<AtomicBool>,
}

fn failed<E: Into<longshore_storage::ledger::LedgerError>>(error: E) -> Failed {
    error.into().category()
}

/// A number that only grows: files known, twice those given up, three times those loaded.
fn weight(totals: &LedgerTotals) -> u64 {
    FileState::ALL
        .iter()
        .map(|state| {
            let weight = match state {
                FileState::Unloaded | FileState::Loading | FileState::Ignored => 1,
                FileState::Error => 2,
                FileState::Finished => 3,
            };
            weight * totals.of(*state).files
        })
        .sum()
}

impl Worker {
    fn begin(volume: Volume, is_over: Arc<AtomicBool>) -> Result<Self, Failed> {
        Self::begin_by(volume, is_over, |table| Ledger::begin(table, LEDGER, SMALL))
    }

    fn begin_by(
        volume: Volume,
        is_over: Arc<AtomicBool>,
        begin: impl FnOnce(&mut Table) -> Result<Ledger, longshore_storage::ledger::LedgerError>,
    ) -> Result<Self, Failed> {
        let mut table = Table::open(volume.files(), Path::new(ROOT)).map_err(|error| error.category())?;
        let ledger = begin(&mut table).map_err(failed)?;
        let worker = Self { volume, table, ledger, is_over };
        worker.told();
        Ok(worker)
    }

    fn told(&self) {
        if !self.is_over.load(Ordering::SeqCst) {
            self.volume.promise(Promise::Version(weight(self.ledger.totals())));
        }
    }

    fn path(&self, batch: &Batch) -> String {
        format!("{ROOT}/{}", batch.path())
    }

    fn stage(&mut self, numbers: std::ops::Range<usize>) -> Result<(), Failed> {
        self.ledger.record(numbers.map(staged).collect()).map_err(failed)?;
        self.told();
        Ok(())
    }

    fn give_up(&mut self, number: usize) -> Result<(), Failed> {
        let event = FileEvent::GivenUp { fault: fault(), now_ms: 1_700_000_300_000 };
        self.ledger.record(vec![(key(number), event)]).map_err(failed)?;
        self.told();
        Ok(())
    }

    fn start(&mut self, numbers: &[usize]) -> Result<Batch, Failed> {
        let batch = start(&mut self.ledger, &self.table, numbers).map_err(failed)?;
        if !self.is_over.load(Ordering::SeqCst) {
            self.volume.promise(Promise::File(self.path(&batch)));
        }
        Ok(batch)
    }

    /// Commits a batch; whoever takes over removes its file.
    fn commit(&mut self, batch: &Batch, numbers: &[usize]) -> Result<u64, Failed> {
        let name = format!("{}-{}", batch.number(), batch.epoch().number());
        let segment = write_segment(&self.volume, &name, 0, 3).map_err(|_| "VolumeError")?;
        let version = commit(&mut self.table, batch, vec![segment], numbers).map_err(|e| e.category())?;
        self.volume.promise(Promise::Release(self.path(batch)));
        Ok(version)
    }

    fn load(&mut self, numbers: &[usize]) -> Result<(), Failed> {
        let batch = self.start(numbers)?;
        let version = self.commit(&batch, numbers)?;
        tell(&mut self.ledger, &batch, version, numbers).map_err(failed)?;
        self.told();
        Ok(())
    }

    fn fold(&mut self) -> Result<(), Failed> {
        self.ledger.fold(&mut self.table).map_err(failed)
    }
}

fn first_worker(volume: &Volume, is_over: &Arc<AtomicBool>) -> Result<(), Failed> {
    let mut worker = Worker::begin(volume.clone(), Arc::clone(is_over))?;
    worker.stage(0..7)?;
    worker.load(&[0, 1])?;
    worker.fold()?;
    worker.stage(7..10)?;
    worker.give_up(2)?;
    worker.load(&[3, 8])?;
    worker.fold()?;
    worker.stage(10..12)?;
    // Killed between the commit and the entry.
    let batch = worker.start(&[4, 10])?;
    worker.commit(&batch, &[4, 10]).map(|_| ())
}

fn next_worker(volume: &Volume) -> Result<(), Failed> {
    let mut worker = Worker::begin(volume.writer(1), Arc::default())?;
    worker.stage(20..22)?;
    worker.load(&[5, 20])?;
    worker.fold()?;
    worker.load(&[6])?;
    worker.fold()
}

fn two_workers(volume: &Volume) -> Result<(), Failed> {
    first_worker(volume, &Arc::default())?;
    next_worker(volume)
}

fn rebuild(volume: &Volume) -> Result<(), Failed> {
    let mut worker = Worker::begin(volume.clone(), Arc::default())?;
    // Only what is loaded comes back.
    worker.stage(0..4)?;
    worker.load(&[0, 1])?;
    worker.fold()?;
    worker.load(&[2, 3])?;
    let begin = |table: &mut Table| Ledger::rebuild(table, LEDGER, SMALL);
    let mut worker = Worker::begin_by(volume.writer(1), Arc::default(), begin)?;
    worker.stage(4..6)?;
    worker.load(&[4])?;
    worker.fold()
}

/// The first worker is stopped before an fsync at a place while the next begins and works; then it goes on, as far
/// as it gets. `None`: the place is not reached so often.
fn stopped(site: SyncSite, after: usize) -> Option<Recording> {
    let start = with_table();
    let volume = copy(&start);
    let is_over: Arc<AtomicBool> = Arc::default();
    let (other, over) = (volume.clone(), Arc::clone(&is_over));
    volume.pause_before(site, after, move || {
        over.store(true, Ordering::SeqCst);
        // What the first put is the second's to remove.
        for (path, _) in other.snapshot().0.iter().filter(|(path, _)| path.contains("/batches/")) {
            other.promise(Promise::Release(path.clone()));
        }
        next_worker(&other).ok();
    });
    first_worker(&volume, &is_over).ok();
    if !is_over.load(Ordering::SeqCst) {
        return None;
    }
    let name = format!("stopped before {} number {after}, another worker begins", site.id());
    let mut recording = Recording::end(name, &start, &volume);
    recording.from = recording.steps.iter().position(|step| step.writer == 1).unwrap_or_default();
    Some(recording)
}

/// Looks at a state as the worker that starts after the cut.
struct LedgerChecker;

fn broken<E: std::fmt::Display>(doing: &str) -> impl FnOnce(E) -> Violation {
    move |error| Violation::new(Invariant::Ledger, format!("{doing}: {error}"))
}

/// The files of the batches that commits name; each is in one of them.
fn committed(table: &Table) -> Result<BTreeSet<FileKey>, Violation> {
    let entries = table.history(&HistoryFilter::default()).map_err(broken("the history cannot be read"))?;
    let mut files = BTreeSet::new();
    for entry in entries {
        let entry = entry.map_err(broken("the history cannot be read"))?;
        for file in entry.record.files {
            let key = FileKey::new(&file.bucket, &file.key, &file.etag);
            if !files.insert(key.clone()) {
                return Err(Violation::new(Invariant::Ledger, format!("{key:?} was loaded twice")));
            }
        }
    }
    Ok(files)
}

fn compare(table: &Table, ledger: &mut Ledger) -> Result<(), Violation> {
    let told = finished(&known(ledger.reader()).map_err(broken("the ledger cannot be read"))?);
    let named = committed(table)?;
    if told == named {
        return Ok(());
    }
    let what = format!("the ledger says FINISHED of {told:?}, commits name {named:?}");
    Err(Violation::new(Invariant::Ledger, what))
}

impl Observer for LedgerChecker {
    fn observe(&mut self, volume: Volume) -> Result<Option<u64>, Violation> {
        let table = Table::open(volume.files(), Path::new(ROOT));
        let mut table = table.map_err(broken("the table does not open"))?;
        let beside = LedgerReader::open(&volume, Path::new(ROOT), LEDGER);
        beside.map_err(broken("the ledger cannot be read"))?;
        let ledger = Ledger::begin(&mut table, LEDGER, SMALL);
        let mut ledger = ledger.map_err(broken("the ledger cannot be begun"))?;
        ledger.reader().verify().map_err(broken("the ledger is damaged"))?;
        compare(&table, &mut ledger)?;
        let found = weight(ledger.totals());
        // The next batch takes whatever waits, and a file that is new.
        let last = table.last_batch(LEDGER).map_err(broken("the log cannot be read"))?;
        ledger.record(vec![staged(30)]).map_err(broken("nothing can be recorded"))?;
        let waits = |number: &usize| {
            let state = ledger.reader().state(&key(*number));
            state.is_ok_and(|state| state == Some(FileState::Unloaded))
        };
        let numbers: Vec<usize> = (0..31).filter(waits).collect();
        let batch = start(&mut ledger, &table, &numbers).map_err(broken("no batch can be put"))?;
        if batch.number() <= last {
            let what = format!("batch {} comes after {last}", batch.number());
            return Err(Violation::new(Invariant::Ledger, what));
        }
        let segment = write_segment(&volume, "after", 0, 1).map_err(broken("no segment"))?;
        let version = commit(&mut table, &batch, vec![segment], &numbers);
        let version = version.map_err(broken("the next batch is not committed"))?;
        tell(&mut ledger, &batch, version, &numbers).map_err(broken("the batch is not recorded"))?;
        ledger.fold(&mut table).map_err(broken("the ledger is not merged"))?;
        compare(&table, &mut ledger)?;
        let mut ledger = Ledger::begin(&mut table, LEDGER, SMALL).map_err(broken("it is not begun again"))?;
        ledger.reader().verify().map_err(broken("the ledger is damaged afterwards"))?;
        compare(&table, &mut ledger)?;
        Ok(Some(found))
    }
}

/// Replays a recording; what breaks.
fn replay(
    recording: &Recording,
    memory: &mut Memory,
    without: Option<SyncSite>,
    seeds: usize,
) -> Result<Figures, (Violation, String)> {
    let mut all = Figures::default();
    for order in [Order::Journal, Order::Any] {
        let depth = Depth { seeds, singles: true };
        let (observer, figures, memory) = (LedgerChecker, Figures::default(), &mut *memory);
        let mut replay = Replay { recording, order, without, depth, observer, figures, memory };
        replay.run().map_err(|(violation, state)| (violation, format!("{order:?}, {state}")))?;
        all += replay.figures;
    }
    Ok(all)
}

/// The first invariant that breaks without a place; `None`: none does.
pub fn shown(site: SyncSite) -> Option<Invariant> {
    let workloads = LEDGER_WORKLOADS.iter().map(Workload::record);
    workloads.into_iter().find_map(|recording| {
        let (violation, _) = replay(&recording, &mut Memory::default(), Some(site), 0).err()?;
        println!("{}: {violation}", site.id());
        Some(violation.invariant)
    })
}

fn hold(recordings: impl IntoIterator<Item = Recording>, seeds: usize) {
    let seeds = std::env::var("POWER").ok().map_or(seeds, |seeds| seeds.parse().unwrap());
    let mut all = Figures::default();
    let mut count = 0;
    for recording in recordings {
        count += 1;
        match replay(&recording, &mut Memory::default(), None, seeds) {
            Ok(figures) => all += figures,
            Err((violation, state)) => panic!("{violation}\n{state}"),
        }
    }
    println!("{count} recordings, {all:?}");
}

#[test]
fn ledger_one_worker_at_a_time() {
    hold(LEDGER_WORKLOADS.iter().map(Workload::record), 20);
}

#[test]
fn ledger_a_worker_stopped_before_each_fsync_while_another_takes_over() {
    let sites = [
        SyncSite::LedgerContents,
        SyncSite::LedgerName,
        SyncSite::LedgerAppend,
        SyncSite::LedgerSortedContents,
        SyncSite::LedgerSortedName,
        SyncSite::BatchContents,
        SyncSite::BatchName,
        SyncSite::RecordName,
        SyncSite::CommitContents,
        SyncSite::CommitName,
    ];
    let all = std::env::var_os("POWER").is_some();
    let mut count = 0;
    for site in sites {
        for after in (0..).take_while(|after| all || *after < 3) {
            let Some(recording) = stopped(site, after) else { break };
            count += 1;
            hold([recording], 0);
        }
    }
    assert!(count >= 20, "{count} stops");
}

#[test]
fn ledger_an_error_at_every_fsync() {
    every_fault(Fault::Sync, &["VolumeError", "OutcomeUnknown"]);
}

#[test]
fn ledger_a_full_volume_at_every_call() {
    every_fault(
        |number| Fault::At(number, std::io::ErrorKind::StorageFull),
        &["DiskFull", "OutcomeUnknown", "VolumeError"],
    );
}

/// Runs the workloads with one fault after the other: what was acknowledged holds, at once and after a cut.
fn every_fault(fault: impl Fn(usize) -> Fault, says: &[&str]) {
    for workload in LEDGER_WORKLOADS {
        let start = (workload.start)();
        for number in 0.. {
            let volume = copy(&start);
            volume.fail(fault(number));
            let outcome = (workload.run)(&volume);
            let Some(failed) = volume.mend() else {
                assert_eq!(outcome, Ok(()), "{}", workload.name);
                println!("{}: {number} faults", workload.name);
                break;
            };
            let what = format!("{}, {:?} at {failed}: {outcome:?}", workload.name, fault(number));
            if let Err(category) = outcome {
                assert!(says.contains(&category), "{what}");
            }
            let recording = Recording::end(what, &start, &volume);
            let found = LedgerChecker.observe(copy(&volume));
            let found = found.unwrap_or_else(|violation| panic!("{violation}, {}", recording.name));
            let promised = recording.steps.iter().filter_map(|step| match step.operation {
                Operation::Promise(Promise::Version(told)) => Some(told),
                _ => None,
            });
            assert!(promised.max() <= found, "{}", recording.name);
            let mut memory = Memory::default();
            for order in [Order::Journal, Order::Any] {
                let (observer, depth) = (LedgerChecker, Depth { seeds: 0, singles: false });
                let (without, figures, memory, recording) =
                    (None, Figures::default(), &mut memory, &recording);
                let mut replay = Replay { recording, order, without, depth, observer, figures, memory };
                if let Err((violation, state)) = replay.run_last() {
                    panic!("{violation}\n{order:?}, {state}");
                }
            }
        }
    }
}
