//! Plans, reports and rejected rows of loads that are over; reports of dry runs; temporary files.

use super::owners::{Owners, Wanted};
use super::segments::list;
use super::{Run, VacuumKind};
use crate::durable::{DirectoryEntry, is_temporary_name};
use crate::history::HISTORY_FOLDER;
use crate::load::DRY_RUNS_FOLDER;
use crate::log::TableError;
use crate::log::claim::check_label;
use crate::log::folder::LOG_FOLDER;
use crate::table::{PIPES_FOLDER, TEMPORARY_FOLDER, Table};

/// Folder of all loads, below the table's.
const LOADS_FOLDER: &str = "_longshore/loads";

/// The folders of labels.
#[derive(Debug, Default)]
pub(super) struct Found {
    labels: Vec<DirectoryEntry>,
    foreign: u64,
}

impl Found {
    pub(super) fn want(&self, wanted: &mut Wanted) {
        for label in &self.labels {
            wanted.label(&label.name);
        }
    }
}

pub(super) fn find(table: &Table) -> Result<Found, TableError> {
    let mut found = Found::default();
    for entry in list(table, LOADS_FOLDER)? {
        if entry.is_dir && check_label(&entry.name).is_ok() {
            found.labels.push(entry);
        } else if !is_temporary_name(&entry.name) {
            found.foreign += 1;
        }
    }
    Ok(found)
}

/// What a file in the folder of an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Document {
    PlanOrReport,
    /// Rejected rows, and the whole report of a process.
    Kept,
    Temporary,
    Foreign,
}

impl Document {
    fn of(entry: &DirectoryEntry) -> Self {
        let name = entry.name.as_str();
        let between = |prefix, suffix| name.starts_with(prefix) && name.ends_with(suffix);
        if entry.is_dir {
            Self::Foreign
        } else if name == "plan.json" || between("plan-", ".jsonl") || between("task-", ".json") {
            Self::PlanOrReport
        } else if name.starts_with("rejected-") || between("report-", ".json") {
            Self::Kept
        } else if is_temporary_name(name) {
            Self::Temporary
        } else {
            Self::Foreign
        }
    }
}

pub(super) fn remove(
    table: &Table,
    run: &mut Run<'_>,
    found: &Found,
    owners: &Owners,
) -> Result<(), TableError> {
    run.outcome.foreign_files += found.foreign;
    for label in &found.labels {
        let folder = format!("{LOADS_FOLDER}/{}", label.name);
        let mut left = 0;
        for attempt in list(table, &folder)? {
            let path = format!("{folder}/{}", attempt.name);
            match run_of(&attempt) {
                Some(number) => left += remove_attempt(table, run, owners, &label.name, number, &path)?,
                None => {
                    run.outcome.foreign_files += 1;
                    left += 1;
                }
            }
        }
        // A new run makes its folder in this one: only where none can come, or where none did for long.
        let is_over = owners.is_loaded(&label.name) || run.is_older(label.modified, run.options.min_age);
        if left == 0 && is_over {
            run.remove(table, VacuumKind::EmptyFolder, folder, 0, "it is empty")?;
        }
    }
    Ok(())
}

/// Run of a folder `<run>-<attempt>`.
fn run_of(entry: &DirectoryEntry) -> Option<u32> {
    let (run, attempt) = entry.name.split_once('-').filter(|_| entry.is_dir)?;
    attempt.parse::<u32>().ok()?;
    run.parse().ok()
}

/// Gives 1 if the folder stays.
fn remove_attempt(
    table: &Table,
    run: &mut Run<'_>,
    owners: &Owners,
    label: &str,
    number: u32,
    folder: &str,
) -> Result<u64, TableError> {
    let over = owners.over_label(label, number);
    let mut left = 0;
    for entry in list(table, folder)? {
        let path = format!("{folder}/{}", entry.name);
        let (kind, why) = match (Document::of(&entry), over) {
            (Document::PlanOrReport, Some(over)) => (VacuumKind::LoadDocument, over.text()),
            (Document::Kept, Some(_)) if run.is_older(entry.modified, run.retention) => {
                (VacuumKind::RejectedRows, "the retention time is over")
            }
            (Document::Temporary, _) if run.is_older(entry.modified, run.options.min_age) => {
                (VacuumKind::TemporaryFile, "it was never put in place")
            }
            (Document::Foreign, _) => {
                run.outcome.foreign_files += 1;
                left += 1;
                continue;
            }
            (document, over) => {
                let is_open = document == Document::PlanOrReport && over.is_none();
                run.outcome.open_files += u64::from(is_open);
                left += 1;
                continue;
            }
        };
        run.remove(table, kind, path, entry.size, why)?;
    }
    if left == 0 && over.is_some() {
        run.remove(table, VacuumKind::EmptyFolder, folder.to_owned(), 0, "it is empty")?;
        return Ok(0);
    }
    Ok(1)
}

/// Removes the reports of dry runs that are older than the retention time.
pub(super) fn remove_dry_runs(table: &Table, run: &mut Run<'_>) -> Result<(), TableError> {
    for entry in list(table, DRY_RUNS_FOLDER)?.into_iter().filter(|entry| !entry.is_dir) {
        if entry.name.ends_with(".json") && run.is_older(entry.modified, run.retention) {
            let path = format!("{DRY_RUNS_FOLDER}/{}", entry.name);
            let why = "the retention time is over";
            run.remove(table, VacuumKind::RejectedRows, path, entry.size, why)?;
        }
    }
    Ok(())
}

/// Removes spills, and what was never put in place, of processes that died long ago.
pub(super) fn remove_temporary(table: &Table, run: &mut Run<'_>) -> Result<(), TableError> {
    let fixed = [TEMPORARY_FOLDER, LOG_FOLDER, HISTORY_FOLDER, LOADS_FOLDER, "_longshore"].map(str::to_owned);
    let ledgers = list(table, PIPES_FOLDER)?.into_iter().filter(|entry| entry.is_dir);
    let ledgers = ledgers.map(|entry| format!("{PIPES_FOLDER}/{}", entry.name));
    let ledgers: Vec<String> = ledgers.flat_map(|path| [format!("{path}/batches"), path]).collect();
    for folder in fixed.iter().chain(&ledgers) {
        for entry in list(table, folder)?.into_iter().filter(|entry| !entry.is_dir) {
            let is_ours = folder == TEMPORARY_FOLDER || is_temporary_name(&entry.name);
            if is_ours && run.is_older(entry.modified, run.options.min_age) {
                let path = format!("{folder}/{}", entry.name);
                let why = "it is worthless after its process";
                run.remove(table, VacuumKind::TemporaryFile, path, entry.size, why)?;
            }
        }
    }
    Ok(())
}
