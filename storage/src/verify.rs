//! Verify: compares what is on the volume with what the log says, and changes nothing.
//!
//! Segments with their sizes, footers and rows; rows with the history; records with their digests;
//! checkpoints with a replay of the commits that are still there; in full, every row with the statistics,
//! the order and the tablet that the log promises. What no one needs is told as well, by a dry run of vacuum.

use crate::log::{CommitError, TableError};
use crate::table::Table;
use crate::vacuum::VacuumOptions;

mod contents;
mod log;
mod rows;
mod segments;

/// How closely to look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Read every row of every segment too.
    pub full: bool,
}

/// How much a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Nothing is wrong.
    Info,
    /// Nothing is lost, but something should be done.
    Warning,
    /// Rows or knowledge are lost or wrong.
    Error,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// How much it means.
    pub severity: Severity,
    /// The file, relative to the table's folder; empty: the table as a whole.
    pub file: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// The verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyOutcome {
    /// Version that was looked at.
    pub version: u64,
    /// Segments that were looked at.
    pub segments: u64,
    /// Rows in them, as the log says.
    pub rows: u64,
    /// Bytes of them, as the log says.
    pub bytes: u64,
    /// Rows that were read and compared.
    pub rows_read: u64,
    /// History records that were read.
    pub records: u64,
    /// Checkpoints that were compared with the commits.
    pub checkpoints: u64,
    /// Findings that mean loss.
    pub errors: u64,
    /// Findings that ask for something.
    pub warnings: u64,
}

impl VerifyOutcome {
    /// Whether nothing is lost or wrong.
    pub fn is_sound(&self) -> bool {
        self.errors == 0
    }
}

/// One run of verify.
struct Run<'a> {
    full: bool,
    outcome: VerifyOutcome,
    visit: &'a mut dyn FnMut(&Finding),
}

impl Run<'_> {
    fn find(&mut self, severity: Severity, file: &str, what: impl Into<String>, advice: &str) {
        match severity {
            Severity::Error => self.outcome.errors += 1,
            Severity::Warning => self.outcome.warnings += 1,
            Severity::Info => {}
        }
        let (file, what, advice) = (file.to_owned(), what.into(), advice.to_owned());
        (self.visit)(&Finding { severity, file, what, advice });
    }

    /// What cannot be read is a finding; a volume that fails ends the run.
    fn take<T>(&mut self, read: Result<T, TableError>) -> Result<Option<T>, TableError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(error @ (TableError::DamagedLog { .. } | TableError::History(_))) => {
                let advice = "restore the file from a backup";
                self.find(Severity::Error, "", error.to_string(), advice);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }
}

pub(crate) fn verify(
    table: &mut Table,
    options: &VerifyOptions,
    visit: &mut dyn FnMut(&Finding),
) -> Result<VerifyOutcome, CommitError> {
    table.refresh()?;
    let mut run = Run { full: options.full, outcome: VerifyOutcome::default(), visit };
    run.outcome.version = table.version();
    let counted = segments::check(table, &mut run)?;
    rows::check(table, &mut run, &counted)?;
    log::check(table, &mut run)?;
    what_is_not_needed(table, &mut run)?;
    Ok(run.outcome)
}

/// Files that no version names, by a dry run of vacuum.
fn what_is_not_needed(table: &mut Table, run: &mut Run<'_>) -> Result<(), CommitError> {
    let options = VacuumOptions { dry_run: true, ..VacuumOptions::default() };
    let outcome = match table.vacuum(&options, &mut |_| {}) {
        Err(CommitError::Table(error)) => return Ok(run.take::<()>(Err(error)).map(|_| ())?),
        other => other?,
    };
    for (kind, count) in &outcome.removed {
        let what =
            format!("{} of kind {:?} with {} bytes that no one needs", count.files, kind.text(), count.bytes);
        run.find(Severity::Info, "", what, "vacuum removes them");
    }
    if outcome.open_files > 0 {
        let what = format!("{} files of loads that may still commit, or were paused", outcome.open_files);
        run.find(Severity::Info, "", what, "end or close these loads; vacuum removes the files then");
    }
    if outcome.foreign_files > 0 {
        let what = format!("{} files or folders whose names are not Longshore's", outcome.foreign_files);
        run.find(Severity::Info, "", what, "nothing: they are never touched");
    }
    Ok(())
}
