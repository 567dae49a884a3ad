//! Rounds of two processes on one folder, and what must hold after each: every label once, one winner of
//! each claim and each plan, no acknowledged commit lost. The folder itself is read without any client.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use fuser::BackgroundSession;
use longshore_storage::durable::Posix;
use longshore_storage::table::{LabelState, Table};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::calls::mount;
use super::faults::Faults;
use super::layer::Layer;
use super::orders::{Answer, Order};
use super::process::Process;
use crate::cli::Verdict;
use crate::table::{label, read_rows, verify};

/// Rounds on one table before the next is made.
const ROUNDS_A_TABLE: u32 = 12;

/// Where, how many rounds, and by which lots.
#[derive(Debug, Args)]
pub struct ClientsOptions {
    /// An empty folder for the volume and its mounts
    #[arg(long)]
    work: PathBuf,
    /// Seed of the rounds and of the faults
    #[arg(long)]
    seed: u64,
    /// Number of rounds
    #[arg(long)]
    rounds: u32,
    /// The volume's folder on its server, with --client; absent: a FUSE layer plays the clients
    #[arg(long, requires = "client")]
    volume: Option<PathBuf>,
    /// The same folder as a client has mounted it; twice
    #[arg(long, requires = "volume")]
    client: Vec<PathBuf>,
}

/// Plays all rounds, until the first violation.
pub fn run(options: &ClientsOptions) -> Result<Verdict> {
    let begun = Instant::now();
    let volume = Volume::new(options)?;
    let [first, second] = &volume.clients;
    let processes = [Process::start(first)?, Process::start(second)?];
    let mut rounds = Rounds {
        rng: StdRng::seed_from_u64(options.seed),
        served: volume.served.clone(),
        processes,
        state: TableState::default(),
        tables: 0,
        loads: 0,
        figures: Figures::default(),
    };
    let mut played = 0;
    let violation = loop {
        if played == options.rounds {
            break None;
        }
        let end = (played + ROUNDS_A_TABLE).min(options.rounds);
        match rounds.play_table(end - played) {
            Ok(None) => played = end,
            Ok(Some(violation)) => break Some(violation),
            Err(error) => return Err(error),
        }
    };
    let Figures { acknowledged, shut_out, errors, rows } = &rounds.figures;
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{} rounds on {} tables: {} labels, {acknowledged} acknowledgements, {shut_out} shut out by a newer \
         claim, {rows} rows read, errors that were met: {errors:?}, {seconds:.0} s",
        options.rounds, rounds.tables, rounds.loads
    );
    for (number, faults) in volume.faults.iter().enumerate() {
        println!("client {}: {faults}", number + 1);
    }
    drop(rounds);
    volume.close()?;
    let Some(violation) = violation else { return Ok(Verdict::Held) };
    println!("VIOLATION: {violation:#}");
    println!("  again: the same with --seed {} (threads and delays differ a little)", options.seed);
    Ok(Verdict::Violated)
}

/// The folder on its server, and as the two clients see it.
struct Volume {
    served: PathBuf,
    clients: [PathBuf; 2],
    faults: Vec<Arc<Faults>>,
    sessions: Vec<BackgroundSession>,
}

impl Volume {
    fn new(options: &ClientsOptions) -> Result<Self> {
        if let Some(volume) = &options.volume {
            let Ok(clients) = <[PathBuf; 2]>::try_from(options.client.clone()) else {
                bail!("--client must stand twice, it stands {} times", options.client.len());
            };
            return Ok(Self { served: volume.clone(), clients, faults: Vec::new(), sessions: Vec::new() });
        }
        let served = options.work.join("served");
        let aside = options.work.join("aside");
        let clients = ["client-1", "client-2"].map(|name| options.work.join(name));
        for folder in clients.iter().chain([&served, &aside]) {
            fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut volume = Self { served, clients, faults: Vec::new(), sessions: Vec::new() };
        for (number, client) in volume.clients.iter().enumerate() {
            let faults = Arc::new(Faults::new(options.seed.wrapping_add(number as u64 + 1)));
            let layer = Layer::new(&volume.served, &aside, Arc::clone(&faults));
            volume.sessions.push(mount(layer, client)?);
            volume.faults.push(faults);
        }
        Ok(volume)
    }

    fn close(self) -> Result<()> {
        for session in self.sessions {
            session.umount_and_join().context("cannot unmount a client")?;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Figures {
    acknowledged: u64,
    shut_out: u64,
    errors: BTreeMap<String, u32>,
    rows: u64,
}

/// What was acknowledged on the table of now.
#[derive(Debug, Default)]
struct TableState {
    root: PathBuf,
    /// Rows of every label that was tried.
    tried: BTreeMap<u32, u32>,
    /// Version of every label that was acknowledged.
    versions: BTreeMap<u32, u64>,
    /// Attempts of every label that were given to a process.
    attempts: BTreeMap<u32, BTreeSet<u32>>,
    /// Plan that stands, by label and attempt.
    plans: BTreeMap<(u32, u32), String>,
}

struct Rounds {
    rng: StdRng,
    served: PathBuf,
    processes: [Process; 2],
    state: TableState,
    tables: u32,
    loads: u32,
    figures: Figures,
}

impl Rounds {
    /// Plays rounds on a new table, then reads it whole. The outer error: the test could not be run.
    fn play_table(&mut self, rounds: u32) -> Result<Option<anyhow::Error>> {
        self.tables += 1;
        let name = format!("table-{}", self.tables);
        self.state = TableState { root: self.served.join(&name), ..TableState::default() };
        let order = Order::Create { name };
        let answers = self.both([&order, &order])?;
        if let Err(violation) = self.check_creation(&answers) {
            return Ok(Some(violation));
        }
        for _ in 0..rounds {
            if let Err(violation) = self.round()? {
                return Ok(Some(violation));
            }
        }
        let checked = self.check_table();
        if checked.is_ok() {
            let root = &self.state.root;
            fs::remove_dir_all(root).with_context(|| format!("cannot remove {}", root.display()))?;
        }
        Ok(checked.err())
    }

    /// Gives both an order at once and waits for both.
    fn both(&mut self, orders: [&Order; 2]) -> Result<[Answer; 2]> {
        for (process, order) in self.processes.iter_mut().zip(orders) {
            process.give(order)?;
        }
        let [first, second] = &mut self.processes;
        Ok([first.answer()?, second.answer()?])
    }

    /// One round, by lot.
    fn round(&mut self) -> Result<Result<()>> {
        let rows = self.rng.random_range(1..400);
        match self.rng.random_range(0..12) {
            // One label, two processes that know nothing of each other.
            0..=2 => {
                let load = self.next_load(rows);
                let order = Order::Load { load, rows };
                let answers = self.both([&order, &order])?;
                Ok(self.check(load, &answers[0]).and_then(|()| self.check(load, &answers[1])))
            }
            // A label each: commits side by side.
            3..=5 => {
                let loads = [self.next_load(rows), self.next_load(rows)];
                let orders = loads.map(|load| Order::Load { load, rows });
                let answers = self.both([&orders[0], &orders[1]])?;
                Ok(self.check(loads[0], &answers[0]).and_then(|()| self.check(loads[1], &answers[1])))
            }
            // Two planners, two tasks, two commits of one claim.
            6..=8 => {
                let load = self.next_load(rows);
                self.twins(load, rows)
            }
            // Maintenance beside a load.
            _ => {
                let load = self.next_load(rows);
                let orders = [Order::Checkpoint, Order::Compact, Order::CleanLog, Order::Vacuum];
                let order = &orders[self.rng.random_range(0..orders.len())];
                let answers = self.both([order, &Order::Load { load, rows }])?;
                Ok(self.take(&answers[0]).and_then(|()| self.check(load, &answers[1])))
            }
        }
    }

    fn twins(&mut self, load: u32, rows: u32) -> Result<Result<()>> {
        let one = self.rng.random_range(0..2);
        self.processes[one].give(&Order::Claim { load })?;
        let claimed = self.processes[one].answer()?;
        if let Err(violation) = self.check(load, &claimed) {
            return Ok(Err(violation));
        }
        let Some(attempt) = claimed.attempts.last().copied() else { return Ok(Ok(())) };
        let order = Order::Twin { load, rows, attempt };
        let answers = self.both([&order, &order])?;
        Ok(self.check(load, &answers[0]).and_then(|()| self.check(load, &answers[1])))
    }

    fn next_load(&mut self, rows: u32) -> u32 {
        self.loads += 1;
        self.state.tried.insert(self.loads, rows);
        self.loads
    }

    fn check_creation(&mut self, answers: &[Answer; 2]) -> Result<()> {
        self.take(&answers[0])?;
        self.take(&answers[1])?;
        let [first, second] = answers;
        ensure!(first.table == second.table, "two tables were made: {:?}, {:?}", first.table, second.table);
        let table = Table::open(Arc::new(Posix), &self.state.root).context("it does not open once made")?;
        ensure!(Some(table.id()) == first.table.as_deref(), "another table stands than was answered");
        Ok(())
    }

    /// What any answer may say.
    fn take(&mut self, answer: &Answer) -> Result<()> {
        for (category, count) in &answer.errors {
            *self.figures.errors.entry(category.clone()).or_default() += count;
        }
        match &answer.violation {
            Some(violation) => bail!("{violation}"),
            None => Ok(()),
        }
    }

    /// Checks what a process answered of a label against all answers before and against the log.
    fn check(&mut self, load: u32, answer: &Answer) -> Result<()> {
        self.take(answer)?;
        self.figures.shut_out += u64::from(answer.shut_out);
        for attempt in &answer.attempts {
            let first = self.state.attempts.entry(load).or_default().insert(*attempt);
            ensure!(first, "attempt {attempt} of load {load} was given to two");
        }
        for (attempt, plan) in &answer.plans {
            let standing = self.state.plans.entry((load, *attempt)).or_insert_with(|| plan.clone());
            ensure!(standing == plan, "two plans stand for attempt {attempt} of load {load}");
        }
        let Some(version) = answer.version else { return Ok(()) };
        self.figures.acknowledged += 1;
        let standing = *self.state.versions.entry(load).or_insert(version);
        ensure!(standing == version, "load {load} was acknowledged in versions {standing} and {version}");
        let table = Table::open(Arc::new(Posix), &self.state.root).context("the table does not open")?;
        match table.label(&label(load))? {
            LabelState::Loaded { version: found, .. } if found == version => Ok(()),
            other => bail!("load {load} was acknowledged in version {version}, its label is {other:?}"),
        }
    }

    /// Reads every row of the table: each acknowledged label whole, every other one whole or not at all.
    fn check_table(&mut self) -> Result<()> {
        let root: &Path = &self.state.root;
        let mut table = Table::open(Arc::new(Posix), root).context("the table does not open")?;
        let rows = read_rows(&table).context("the rows do not read")?;
        self.figures.rows += rows.values().map(|rows| u64::from(*rows)).sum::<u64>();
        for load in self.state.versions.keys() {
            ensure!(rows.contains_key(load), "load {load} was acknowledged, its rows are not there");
        }
        for (load, found) in &rows {
            let due = self.state.tried.get(load).copied();
            ensure!(due == Some(*found), "load {load} has {found} rows, it brought {due:?}");
            let state = table.label(&label(*load))?;
            ensure!(matches!(state, LabelState::Loaded { .. }), "load {load} has rows, it is {state:?}");
        }
        verify(&mut table)
    }
}
