//! One of the two processes. The volume fails now and then: it opens the table again and tries once more,
//! as a pod that is started again does.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use longshore_storage::compact::CompactionError;
use longshore_storage::durable::Posix;
use longshore_storage::load::Plan;
use longshore_storage::table::{Claim, ClaimError, CommitError, CommitOutcome, LoadMode, Table, TableError};
use longshore_storage::tablet::TabletError;

use super::orders::{Answer, Order};
use crate::cli::Verdict;
use crate::table::{clean_log, compact, definition, label, load_commit, plan, vacuum, write_task};

/// Tries of one order, and the pause between two: a process is not started again in no time.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_millis(20);

/// Age at which a temporary file is taken for one that a dead process left.
const TEMPORARY_AGE: Duration = Duration::from_secs(3_600);

/// Does what standard input says until it ends.
pub fn obey(volume: &Path) -> Result<Verdict> {
    let mut worker = Worker { volume: volume.to_owned(), root: PathBuf::new(), table: None };
    for line in std::io::stdin().lock().lines() {
        let order = serde_json::from_str(&line?)?;
        let answer = worker.obey(&order);
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, &answer)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(Verdict::Held)
}

struct Worker {
    volume: PathBuf,
    root: PathBuf,
    table: Option<Table>,
}

impl Worker {
    fn obey(&mut self, order: &Order) -> Answer {
        let mut answer = Answer::default();
        let mut last = String::new();
        for _ in 0..TRIES {
            match self.attempt(order, &mut answer) {
                Ok(()) => return answer,
                Err(error) => {
                    // After an error nothing that is held in memory is trusted.
                    self.table = None;
                    last = format!("{error:#}");
                    std::thread::sleep(PAUSE);
                    match category(&error) {
                        Some(category) => *answer.errors.entry(category.to_owned()).or_default() += 1,
                        None => {
                            answer.violation = Some(format!("{order:?}: {last}"));
                            return answer;
                        }
                    }
                }
            }
        }
        answer.violation = Some(format!("{order:?}: no success in {TRIES} tries, the last: {last}"));
        answer
    }

    fn attempt(&mut self, order: &Order, answer: &mut Answer) -> Result<()> {
        match order {
            Order::Create { name } => {
                self.root = self.volume.join(name);
                let table = Table::create(Arc::new(Posix), &self.root, &definition())?;
                answer.table = Some(table.id().to_owned());
                self.table = Some(table);
                Ok(())
            }
            Order::Load { load, rows } => {
                if let Some(claim) = self.claim(*load, answer)? {
                    self.load(&claim, *load, *rows, answer)?;
                }
                Ok(())
            }
            Order::Claim { load } => self.claim(*load, answer).map(drop),
            Order::Twin { load, rows, attempt } => {
                let claim = self.table()?.resume_claim(&label(*load), 1, *attempt)?;
                self.load(&claim, *load, *rows, answer)
            }
            Order::Checkpoint => self.table()?.checkpoint().map(drop).map_err(Into::into),
            Order::Compact => compact(self.table()?).map(drop),
            Order::CleanLog => clean_log(self.table()?).map(drop),
            // Temporary files of the other process are in use.
            Order::Vacuum => vacuum(self.table()?, TEMPORARY_AGE).map(drop),
        }
    }

    fn table(&mut self) -> Result<&mut Table> {
        let table = match self.table.take() {
            Some(table) => table,
            None => Table::open(Arc::new(Posix), &self.root)?,
        };
        Ok(self.table.insert(table))
    }

    /// A claim; `None`: the label is loaded.
    fn claim(&mut self, load: u32, answer: &mut Answer) -> Result<Option<Claim>> {
        match self.table()?.claim(&label(load), 1) {
            Ok(claim) => {
                answer.attempts.push(claim.attempt());
                Ok(Some(claim))
            }
            Err(ClaimError::AlreadyLoaded { version, .. }) => {
                answer.version = Some(version);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn load(&mut self, claim: &Claim, load: u32, rows: u32, answer: &mut Answer) -> Result<()> {
        let table = self.table()?;
        let folder = table.load_folder(claim)?;
        // Two planners write different plans: the process is the difference.
        let own = plan(table, load, rows, i64::from(std::process::id()));
        let standing = folder.put_plan(&own)?;
        let digest = digest(&standing);
        let before = answer.plans.insert(claim.attempt(), digest.clone());
        if before.is_some_and(|before| before != digest) {
            answer.violation = Some(format!("the plan of {claim:?} changed: {digest}"));
            return Ok(());
        }
        let report = write_task(table, claim, load, rows)?;
        let report = folder.put_task_report(&report)?;
        if !folder.segments_stand(&report.segments)? {
            bail!("a segment of the report that stands is not there: {report:?}");
        }
        let commit = load_commit(table, claim, &report, LoadMode::Append);
        match table.commit_load(claim, commit) {
            Ok(CommitOutcome::Committed { version } | CommitOutcome::AlreadyLoaded { version, .. }) => {
                answer.version = Some(version);
                Ok(())
            }
            Err(CommitError::ClaimLost { .. }) => {
                answer.shut_out = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn digest(plan: &Plan) -> String {
    format!("{}-{}", plan.now_micros, plan.tasks.len())
}

/// The category of an error that a broken volume explains; `None`: it is none of those.
fn category(error: &anyhow::Error) -> Option<&'static str> {
    let category = if let Some(error) = error.downcast_ref::<TableError>() {
        error.category()
    } else if let Some(error) = error.downcast_ref::<CommitError>() {
        error.category()
    } else if let Some(error) = error.downcast_ref::<ClaimError>() {
        error.category()
    } else {
        match error.downcast_ref::<CompactionError>() {
            Some(error) => error.category(),
            None => error.downcast_ref::<TabletError>()?.category(),
        }
    };
    let expected =
        ["VolumeError", "OutcomeUnknown", "CreationUnknown", "SyncFailedBefore", "SnapshotExpired"];
    expected.contains(&category).then_some(category)
}
