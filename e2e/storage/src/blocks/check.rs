//! What must hold of a table after a power cut: it opens, each acknowledged operation is whole, the one that
//! was under way is whole or absent, and loading goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use longshore_storage::durable::{FileSystem, Posix};
use longshore_storage::table::{LabelState, LoadMode, Table};

use super::work::{commit_label, mode, write_label};
use crate::cli::Verdict;
use crate::model::{Contents, Operation, Promise, operations};
use crate::table::{added_columns, definition, label, plan, read_rows, rows_of, vacuum, verify, write_task};

/// Number of the load after the cut.
const NEXT_LOAD: u32 = 1_000_000;
const NEXT_ROWS: u32 = 100;

/// Which table, and what was promised of it.
#[derive(Debug, Args)]
pub struct CheckOptions {
    /// The table's folder
    #[arg(long)]
    table: PathBuf,
    /// Seed of the operations
    #[arg(long)]
    seed: u64,
    /// Operations that were begun, creation among them
    #[arg(long)]
    begun: usize,
    /// Operations that were acknowledged
    #[arg(long)]
    done: usize,
}

/// Checks a table by hand; as after any cut, it is loaded into.
pub fn check(options: &CheckOptions) -> Result<Verdict> {
    let promise = Promise { begun: options.begun, done: options.done, ..Promise::default() };
    match check_table(&options.table, &operations(options.seed, options.begun), &promise) {
        Ok(rows) => {
            println!("held: {rows} rows");
            Ok(Verdict::Held)
        }
        Err(violation) => {
            println!("VIOLATION: {violation:#}");
            Ok(Verdict::Violated)
        }
    }
}

/// Checks a table on a volume where nothing fails: every error is a broken promise. Answers the rows that
/// were read.
pub fn check_table(root: &Path, operations: &[Operation], promise: &Promise) -> Result<u64> {
    let files: Arc<dyn FileSystem> = Arc::new(Posix);
    let due = Contents::after(&operations[..promise.done]);
    let mut table = if due.exists {
        Table::open(files, root).context("the table does not open")?
    } else {
        // Interrupted, it is completed; not begun, it is made.
        Table::create(files, root, &definition()).context("the creation is not completed")?
    };
    check_versions(&table, promise)?;
    let under_way = operations.get(promise.done).filter(|_| promise.begun > promise.done);
    let after = Contents::after(&operations[..promise.begun.max(promise.done)]);
    let rows = read_rows(&table).context("the rows do not read")?;
    let standing = [&due, &after].into_iter().find(|contents| contents.loads == rows);
    let standing = standing.with_context(|| {
        format!("rows by load are {rows:?}, they must be {:?} or {:?}", due.loads, after.loads)
    })?;
    let columns = added_columns(&table);
    ensure!(
        columns == due.columns || columns == after.columns,
        "{columns} columns were added, it must be {} or {}",
        due.columns,
        after.columns
    );
    check_labels(&table, standing)?;
    let mut whole = rows.clone();
    if let Some(operation) = under_way
        && finish(&mut table, operation, promise).with_context(|| format!("going on with {operation:?}"))?
    {
        whole.clone_from(&after.loads);
        whole.extend(operation.brings());
    }
    let (claim, report) =
        write_label(&mut table, NEXT_LOAD, NEXT_ROWS, &mut |_| Ok(())).context("writing the next load")?;
    commit_label(&mut table, &claim, &report, LoadMode::Append).context("committing the next load")?;
    whole.insert(NEXT_LOAD, NEXT_ROWS);
    check_again(root, &whole)?;
    Ok(rows.values().map(|rows| u64::from(*rows)).sum())
}

/// No acknowledged version is gone.
fn check_versions(table: &Table, promise: &Promise) -> Result<()> {
    let acknowledged = promise.versions.values().max().copied().unwrap_or_default();
    let version = table.version();
    ensure!(version >= acknowledged, "version {acknowledged} was acknowledged, the table is at {version}");
    Ok(())
}

/// Every label that was acknowledged says so, with its rows; every run that was closed is closed.
fn check_labels(table: &Table, standing: &Contents) -> Result<()> {
    for (load, rows) in &standing.labels {
        match table.label(&label(*load)).with_context(|| format!("the history of load {load}"))? {
            LabelState::Loaded { record, .. } => {
                let counted = record.counts.sink_rows;
                ensure!(
                    counted == u64::from(*rows),
                    "the record of load {load} counts {counted}, not {rows}"
                );
            }
            other => bail!("load {load} is loaded, its label is {other:?}"),
        }
    }
    for load in &standing.closed {
        let state = table.label(&label(*load))?;
        ensure!(matches!(state, LabelState::Closed { run: 1 }), "load {load} was closed, it is {state:?}");
    }
    Ok(())
}

/// Goes on with what was under way, from what had been acknowledged of it; answers whether that committed
/// rows.
fn finish(table: &mut Table, operation: &Operation, promise: &Promise) -> Result<bool> {
    let Some((load, rows)) = operation.brings() else { return Ok(false) };
    if matches!(table.label(&label(load))?, LabelState::Loaded { .. } | LabelState::Closed { .. }) {
        return Ok(false);
    }
    let claim = table.claim(&label(load), 1).context("claiming again")?;
    let folder = table.load_folder(&claim)?;
    let earlier = folder.earlier().context("what the attempt before left")?;
    let earlier = earlier.first();
    if promise.planned {
        let earlier = earlier.context("the plan was acknowledged, it is gone")?;
        let due = plan(table, load, rows, 0);
        ensure!(earlier.plan.tasks == due.tasks, "the plan was {:?}", earlier.plan);
    }
    let reported = earlier.and_then(|earlier| earlier.reports.get(&0)).cloned();
    ensure!(reported.is_some() || !promise.reported, "the report was acknowledged, it is gone");
    let report = match reported {
        Some(report) => {
            ensure!(folder.segments_stand(&report.segments)?, "a reported segment is gone");
            let read = rows_of(table.files(), table.root(), table, &report.segments)?;
            ensure!(read.get(&load) == Some(&rows), "the reported segments hold {read:?}, not {rows} rows");
            report
        }
        None => write_task(table, &claim, load, rows)?,
    };
    commit_label(table, &claim, &report, mode(operation))?;
    Ok(true)
}

/// Reads all again with a table that is opened anew, before and after a vacuum, and verifies it.
fn check_again(root: &Path, due: &BTreeMap<u32, u32>) -> Result<()> {
    let mut table = Table::open(Arc::new(Posix), root).context("it does not open after the next load")?;
    for after in ["the next load", "a vacuum"] {
        let rows = read_rows(&table).with_context(|| format!("the rows do not read after {after}"))?;
        ensure!(rows == *due, "after {after} rows by load are {rows:?}, they must be {due:?}");
        vacuum(&mut table, Duration::ZERO).context("vacuum")?;
    }
    verify(&mut table)
}
