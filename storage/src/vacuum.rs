//! Vacuum: removes files that no one can need any more (design §10).
//!
//! The log decides who owns a file, never a clock or a list of processes: what a load left goes only once
//! no version names it and none ever can (the label is loaded, its run closed, or a higher run claimed);
//! what a compaction left only after vacuum itself took the next epoch. Clocks only delay: what a version
//! removed stays for the retention time, temporary files for a day. Files whose names are not ours are
//! counted and never touched.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, SystemTime};

use crate::log::{CommitError, TableError};
use crate::table::Table;

mod documents;
mod ledgers;
mod named;
mod owners;
mod records;
mod segments;

/// How old a temporary file is at least before it goes.
const MIN_AGE: Duration = Duration::from_secs(24 * 3_600);

/// What vacuum may remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VacuumOptions {
    /// How long files that a version removed, rejected rows and reports stay. None: as long as the table says
    /// (`delta.deletedFileRetentionDuration`, else 7 days); never longer.
    pub retention: Option<Duration>,
    /// How long temporary files and empty folders stay, by the volume's time of their last change.
    pub min_age: Duration,
    /// Only say what would go.
    pub dry_run: bool,
}

impl Default for VacuumOptions {
    fn default() -> Self {
        Self { retention: None, min_age: MIN_AGE, dry_run: false }
    }
}

/// What a file that goes was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum VacuumKind {
    /// A segment that a version removed, longer ago than the retention time.
    RemovedSegment,
    /// A segment of a load that never came into a version.
    LoadSegment,
    /// A segment of a compaction that never came into a version.
    CompactionSegment,
    /// A plan or a report of a load that is over.
    LoadDocument,
    /// Rejected rows, the whole report of a load or that of a dry run, older than the retention time.
    RejectedRows,
    /// A history record that no commit names, or that is folded.
    HistoryRecord,
    /// A spill, or a file that was never put in place.
    TemporaryFile,
    /// A folder without anything in it.
    EmptyFolder,
}

impl VacuumKind {
    /// As a person reads it.
    pub fn text(self) -> &'static str {
        match self {
            Self::RemovedSegment => "removed segment",
            Self::LoadSegment => "segment of a load",
            Self::CompactionSegment => "segment of a compaction",
            Self::LoadDocument => "plan or report",
            Self::RejectedRows => "rejected rows or report",
            Self::HistoryRecord => "history record",
            Self::TemporaryFile => "temporary file",
            Self::EmptyFolder => "empty folder",
        }
    }
}

/// A file that goes, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct VacuumItem {
    /// Relative to the table's folder.
    pub path: String,
    /// Bytes; 0 for a folder.
    pub bytes: u64,
    /// What it was.
    pub kind: VacuumKind,
    /// Why no one can need it.
    pub why: String,
}

/// Files of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct VacuumCount {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What vacuum removed, or would remove.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VacuumOutcome {
    /// The version of the table by which it was decided.
    pub version: u64,
    /// What went, by kind.
    pub removed: BTreeMap<VacuumKind, VacuumCount>,
    /// Files that no version names and that stay: whoever made them may still commit.
    pub open_files: u64,
    /// Files whose names are not ours: never touched.
    pub foreign_files: u64,
}

impl VacuumOutcome {
    /// Over all kinds.
    pub fn total(&self) -> VacuumCount {
        let add = |sum: VacuumCount, count: &VacuumCount| VacuumCount {
            files: sum.files + count.files,
            bytes: sum.bytes + count.bytes,
        };
        self.removed.values().fold(VacuumCount::default(), add)
    }
}

/// One run of vacuum.
struct Run<'a> {
    options: VacuumOptions,
    retention: Duration,
    now: SystemTime,
    outcome: VacuumOutcome,
    visit: &'a mut dyn FnMut(&VacuumItem),
}

pub(crate) fn vacuum(
    table: &mut Table,
    options: &VacuumOptions,
    visit: &mut dyn FnMut(&VacuumItem),
) -> Result<VacuumOutcome, CommitError> {
    table.refresh()?;
    let known = table.head().removed_file_retention();
    let retention = options.retention.unwrap_or(known);
    if retention > known {
        return Err(TableError::RetentionTooLong { asked: retention, known }.into());
    }
    let now = SystemTime::now();
    let mut run = Run { options: *options, retention, now, outcome: VacuumOutcome::default(), visit };
    let segments = segments::find(table, &mut run)?;
    let documents = documents::find(table)?;
    let mut wanted = owners::Wanted::default();
    segments.want(&mut wanted);
    documents.want(&mut wanted);
    let records = records::find(table, &mut wanted)?;
    let owners = owners::Owners::read(table.head(), &wanted)?;
    run.outcome.version = table.version();
    // Nothing may go because of what a power cut could take back.
    if !options.dry_run {
        table.head().make_durable(crate::durable::SyncSite::VacuumBaseNames)?;
    }
    segments::remove(table, &mut run, segments, &owners)?;
    records::remove(table, &mut run, &records, &owners)?;
    documents::remove(table, &mut run, &documents, &owners)?;
    documents::remove_dry_runs(table, &mut run)?;
    ledgers::remove(table, &mut run)?;
    documents::remove_temporary(table, &mut run)?;
    Ok(run.outcome)
}

impl Run<'_> {
    /// Whether something changed at least so long ago; a time to come is no age.
    fn is_older(&self, modified: SystemTime, than: Duration) -> bool {
        self.now.duration_since(modified).unwrap_or_default() >= than
    }

    /// Removes a file, or says that it would go.
    fn remove(
        &mut self,
        table: &Table,
        kind: VacuumKind,
        path: String,
        bytes: u64,
        why: &str,
    ) -> Result<(), TableError> {
        if !self.options.dry_run {
            let full = table.root().join(&path);
            let removed = match kind {
                VacuumKind::EmptyFolder => table.files().remove_dir(&full),
                _ => table.files().remove(&full),
            };
            match removed {
                Ok(()) => {}
                // Another one was faster, or the folder is in use again.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) =>
                {
                    return Ok(());
                }
                Err(error) => return Err(TableError::volume("remove", &full, error)),
            }
        }
        let count = self.outcome.removed.entry(kind).or_default();
        count.files += 1;
        count.bytes += bytes;
        (self.visit)(&VacuumItem { path, bytes, kind, why: why.to_owned() });
        Ok(())
    }
}
