//! Everything at once: processes that load, overwrite, compact, clean, vacuum and widen one table, killed at
//! random instants. After each kill the table is what its history says, row for row. Every second table has
//! partitions, which are replaced by name and by the rows that come.

mod oracle;
mod process;
mod rows;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_storage::durable::Posix;
use longshore_storage::history::{HistoryOutcome, HistoryRecord};
use longshore_storage::log::CleanOptions;
use longshore_storage::table::{LabelState, Table};
use longshore_storage::vacuum::VacuumOptions;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::log::support::Place;
use oracle::check;
use rows::{Label, definition};

/// Processes at work at a time.
const PROCESSES: usize = 3;
/// Kills after which all processes end, the table is tidied up, and a new one is begun.
const KILLS_A_TABLE: u32 = 15;
/// A process that does nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// One process at work, and what it has acknowledged.
struct Worker {
    child: Child,
    acknowledged: PathBuf,
}

impl Worker {
    fn start(root: &Path, number: u32, seed: u64) -> Self {
        let acknowledged = root.with_extension(format!("acknowledged-{number}"));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "mix::process::mixed_work", "--ignored", "--nocapture"])
            .env("MIX_ROOT", root)
            .env("MIX_SEED", seed.to_string())
            .env("MIX_ACKNOWLEDGED", &acknowledged)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, acknowledged }
    }

    /// SIGKILL; a process that ended by itself has met an error.
    fn kill(&mut self, seed: u64) {
        if let Some(status) = self.child.try_wait().unwrap() {
            let mut said = String::new();
            for pipe in [
                self.child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn std::io::Read>),
                self.child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn std::io::Read>),
            ] {
                pipe.unwrap().read_to_string(&mut said).unwrap();
            }
            panic!("seed {seed}: a process ended with {status}:\n{said}");
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn acknowledged(&self) -> String {
        std::fs::read_to_string(&self.acknowledged).unwrap_or_default()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// `KILLS` processes die at random instants of a mix of all kinds of work; `SEED` chooses another one.
#[test]
fn processes_that_are_killed_at_any_instant_of_any_work_lose_and_double_nothing() {
    let kills: u32 = std::env::var("KILLS").ok().map_or(120, |text| text.parse().expect("KILLS is a number"));
    let seed = std::env::var("SEED").ok().map_or(11, |text| text.parse().expect("SEED is a number"));
    let mut random = StdRng::seed_from_u64(seed);
    let begin = Instant::now();
    let (mut killed, mut tables, mut seen) = (0, 0_u32, oracle::Seen::default());
    while killed < kills {
        let place = Place::empty();
        tables += 1;
        Table::create(Arc::new(Posix), &place.root, &definition(tables % 2 == 0)).unwrap();
        let mut next = 0;
        let mut start = |random: &mut StdRng| {
            next += 1;
            Worker::start(&place.root, next, random.random())
        };
        let mut workers: Vec<Worker> = (0..PROCESSES).map(|_| start(&mut random)).collect();
        let mut over = String::new();
        for _ in 0..KILLS_A_TABLE.min(kills - killed) {
            wait_for_progress(&place.root, &mut random);
            let victim = random.random_range(0..PROCESSES);
            workers[victim].kill(seed);
            killed += 1;
            over.push_str(&workers[victim].acknowledged());
            let acknowledged = workers.iter().fold(over.clone(), |all, worker| all + &worker.acknowledged());
            seen.add(&check(&place.root, &acknowledged, &format!("kill {killed} of seed {seed}")));
            workers[victim] = start(&mut random);
        }
        for worker in &mut workers {
            worker.kill(seed);
            over.push_str(&worker.acknowledged());
        }
        killed += PROCESSES as u32;
        tidy_up(&place.root, &over, seed);
        if killed % 100 < KILLS_A_TABLE {
            println!("{killed} of {kills} kills, {:?}", begin.elapsed());
        }
    }
    println!("{killed} kills in {:?}: {seen:?}", begin.elapsed());
    seen.assert_all_kinds();
}

/// Waits until something was committed, then for a random part of a commit's time.
fn wait_for_progress(root: &Path, random: &mut StdRng) {
    let begin = Instant::now();
    let version = || Table::open(Arc::new(Posix), root).ok().map(|table| table.version());
    let mut first = version();
    while version() < first.map(|first| first + 2) || first.is_none() {
        first = first.or_else(version);
        assert!(begin.elapsed() < PATIENCE, "nothing is committed any more");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_micros(random.random_range(0..20_000)));
}

/// After the last process died: open runs are closed, what no one needs goes, and nothing else.
fn tidy_up(root: &Path, acknowledged: &str, seed: u64) {
    let mut table = Table::open(Arc::new(Posix), root).unwrap();
    for label in Label::all() {
        if let LabelState::Claimed { run, .. } = table.label(&label.name()).unwrap() {
            let record = HistoryRecord::new(&label.name(), run, 0, HistoryOutcome::Cancelled);
            table.close_run(&label.name(), run, None, record).unwrap();
        }
    }
    let before = oracle::visible(root);
    table.checkpoint().unwrap();
    table.fold_history().unwrap();
    table.checkpoint().unwrap();
    table.clean_log(&CleanOptions { min_age: Duration::ZERO }).unwrap();
    let everything =
        VacuumOptions { retention: Some(Duration::ZERO), min_age: Duration::ZERO, dry_run: false };
    table.vacuum(&everything, &mut |_| {}).unwrap();
    assert_eq!(oracle::visible(root), before, "seed {seed}: tidying up changed the rows");
    check(root, acknowledged, &format!("the end of a table of seed {seed}"));
    let named: std::collections::BTreeSet<String> =
        table.segments().unwrap().into_iter().map(|segment| segment.path).collect();
    let there: std::collections::BTreeSet<String> = crate::tablet::files_below(root)
        .into_iter()
        .filter(|path| path.starts_with("b-") || path.starts_with("p-"))
        .collect();
    assert_eq!(there, named, "seed {seed}: files that no version names are left, or named ones are gone");
}
