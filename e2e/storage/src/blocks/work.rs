//! The workload: the operations of a seed on a table, each written down when it begins and when it is
//! acknowledged.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use longshore_storage::durable::{FileSystem, Posix, SyncSite};
use longshore_storage::history::{HistoryOutcome, HistoryRecord};
use longshore_storage::load::{LoadFolder, TaskReport};
use longshore_storage::table::{
    AlterOutcome, Claim, CloseOutcome, CommitOutcome, LoadMode, OverwriteScope, Table,
};

use super::without::Without;
use crate::cli::Verdict;
use crate::model::{Mark, Operation, operations};
use crate::table::{
    added_column, added_columns, clean_log, compact, definition, label, load_commit, plan, vacuum, write_task,
};

/// Which operations, and where.
#[derive(Debug, Args)]
pub struct WorkOptions {
    /// The table's folder
    #[arg(long)]
    table: PathBuf,
    /// File that takes one mark a write
    #[arg(long)]
    journal: PathBuf,
    /// Seed of the operations
    #[arg(long)]
    seed: u64,
    /// Operations after the table's creation
    #[arg(long)]
    operations: usize,
    /// Id of a place whose fsync does nothing
    #[arg(long, env = "LONGSHORE_E2E_WITHOUT", value_parser = site)]
    without: Option<SyncSite>,
}

fn site(id: &str) -> Result<SyncSite> {
    let known = || SyncSite::ALL.iter().map(|site| site.id()).collect::<Vec<_>>().join(", ");
    let site = SyncSite::ALL.iter().find(|site| site.id() == id);
    site.copied().ok_or_else(|| anyhow!("there is no place {id}; there are {}", known()))
}

/// Does all operations; any error ends it, for nothing fails on this volume.
pub fn work(options: &WorkOptions) -> Result<Verdict> {
    let files: Arc<dyn FileSystem> = match options.without {
        Some(site) => Arc::new(Without(site)),
        None => Arc::new(Posix),
    };
    let journal = File::options().write(true).open(&options.journal)?;
    let operations = operations(options.seed, options.operations);
    let mut journal = Journal(journal);
    let mut table = None;
    for (number, operation) in operations.iter().enumerate() {
        journal.mark(Mark::Begin(number))?;
        let done = perform(&files, &options.table, &mut table, operation, &mut |stage| match stage {
            Stage::Planned => journal.mark(Mark::Planned(number)),
            Stage::Reported => journal.mark(Mark::Reported(number)),
        });
        let version = done.with_context(|| format!("operation {number}, {operation:?}"))?;
        journal.mark(Mark::Done(number, version))?;
    }
    println!("done: {} operations", operations.len());
    Ok(Verdict::Held)
}

struct Journal(File);

impl Journal {
    fn mark(&mut self, mark: Mark) -> Result<()> {
        // One call of write(2): it returns once the mark is recorded.
        Ok(self.0.write_all(&serde_json::to_vec(&mark)?)?)
    }
}

/// What is durable in the middle of a load.
#[derive(Debug, Clone, Copy)]
pub enum Stage {
    /// Its plan.
    Planned,
    /// Its task's report, with the segments.
    Reported,
}

fn perform(
    files: &Arc<dyn FileSystem>,
    root: &Path,
    table: &mut Option<Table>,
    operation: &Operation,
    reached: &mut dyn FnMut(Stage) -> Result<()>,
) -> Result<u64> {
    if *operation == Operation::Create {
        *table = Some(Table::create(Arc::clone(files), root, &definition())?);
    }
    let table = table.as_mut().context("the first operation makes the table")?;
    match operation {
        Operation::Create => Ok(table.version()),
        Operation::Load { load, rows } | Operation::Overwrite { load, rows } => {
            let (claim, report) = write_label(table, *load, *rows, reached)?;
            commit_label(table, &claim, &report, mode(operation))
        }
        Operation::AddColumn => {
            let column = added_column(added_columns(table));
            match table.add_columns(&[column])? {
                AlterOutcome::Altered { version } => Ok(version),
                AlterOutcome::Unchanged { version } => bail!("the column stood in {version}"),
            }
        }
        Operation::Fail { load, rows } => fail_label(table, *load, *rows, reached),
        Operation::Clean { load } => {
            let folder = folder_of(table, *load)?;
            table.remove_own(&folder)?;
            Ok(table.version())
        }
        Operation::Checkpoint => Ok(table.checkpoint()?),
        Operation::Compact => compact(table),
        Operation::CleanLog => clean_log(table),
        Operation::Vacuum => vacuum(table, Duration::ZERO),
    }
}

/// What becomes of the rows that are there when an operation commits its own.
pub fn mode(operation: &Operation) -> LoadMode {
    match operation {
        Operation::Overwrite { .. } => LoadMode::Overwrite(OverwriteScope::Table),
        _ => LoadMode::Append,
    }
}

/// Commits what a report names; answers the version.
pub fn commit_label(table: &mut Table, claim: &Claim, report: &TaskReport, mode: LoadMode) -> Result<u64> {
    let commit = load_commit(table, claim, report, mode);
    match table.commit_load(claim, commit)? {
        CommitOutcome::Committed { version } => Ok(version),
        CommitOutcome::AlreadyLoaded { version, .. } => bail!("{} stands in {version}", claim.label()),
    }
}

/// Claims a label, plans and writes it; answers the claim and the report that stands.
pub fn write_label(
    table: &mut Table,
    load: u32,
    rows: u32,
    reached: &mut dyn FnMut(Stage) -> Result<()>,
) -> Result<(Claim, TaskReport)> {
    let claim = table.claim(&label(load), 1)?;
    let folder = table.load_folder(&claim)?;
    folder.put_plan(&plan(table, load, rows, 0))?;
    reached(Stage::Planned)?;
    let report = write_task(table, &claim, load, rows)?;
    let report = folder.put_task_report(&report)?;
    reached(Stage::Reported)?;
    Ok((claim, report))
}

fn fail_label(
    table: &mut Table,
    load: u32,
    rows: u32,
    reached: &mut dyn FnMut(Stage) -> Result<()>,
) -> Result<u64> {
    let (claim, _) = write_label(table, load, rows, reached)?;
    let record = HistoryRecord::new(claim.label(), 1, claim.attempt(), HistoryOutcome::Failed);
    match table.close_run(claim.label(), 1, Some(&claim), record)? {
        CloseOutcome::Closed { version } => Ok(version),
        other => bail!("closing answered {other:?}"),
    }
}

/// The folder of a load that is over: its attempt was the first.
fn folder_of(table: &Table, load: u32) -> Result<LoadFolder> {
    let claim = table.resume_claim(&label(load), 1, 1)?;
    Ok(table.load_folder(&claim)?)
}
