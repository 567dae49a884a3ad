//! Removing commits that no one needs any more, and the checkpoints below them.
//!
//! A commit goes only if it is below the second newest checkpoint, both of the two newest can be read from
//! end to end, it is old enough for whoever reads the log by name, and the record that it names is folded
//! and has its digest. Oldest first: what is left has no gap, and a version that stands tells that none above it
//! was ever cleaned.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::checkpoint;
use super::claim::{Claim, claim_id, load_id};
use super::error::TableError;
use super::folder::{Listing, LogFolder};
use super::head::Head;
use super::names::LogName;
use crate::durable::{SyncSite, is_temporary_name};
use crate::history::{HISTORY_FOLDER, HistoryError, Naming, OpenHistory};

/// How old a file of the log is at least before it goes.
const MIN_AGE: Duration = Duration::from_secs(24 * 3_600);

/// What may be removed from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanOptions {
    /// Least age of a commit, a checkpoint or a temporary file, by the volume's time of the last change of its contents or names.
    /// Default: 24 hours, as other engines go on from a version by name.
    pub min_age: Duration,
}

impl Default for CleanOptions {
    fn default() -> Self {
        Self { min_age: MIN_AGE }
    }
}

/// What was removed from the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CleanOutcome {
    /// Commits.
    pub commits: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Temporary files of processes that died.
    pub temporary_files: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// A file of the log that is old enough.
struct OldFile {
    version: u64,
    bytes: u64,
}

/// What is old enough to go.
#[derive(Default)]
struct Old {
    commits: Vec<OldFile>,
    checkpoints: Vec<OldFile>,
    temporary: Vec<(String, u64)>,
    /// The oldest commit that is there and stays.
    first_kept: u64,
}

/// Removes what is not needed any more. Any number of processes may do so at once.
pub(crate) fn clean(head: &Head, options: &CleanOptions) -> Result<CleanOutcome, TableError> {
    let log = head.log();
    let listing = log.list()?;
    let mut old = look(log, &listing, options)?;
    let mut outcome = CleanOutcome::default();
    if old.commits.is_empty() && old.checkpoints.is_empty() && old.temporary.is_empty() {
        return Ok(outcome);
    }
    if !old.commits.is_empty() || !old.checkpoints.is_empty() {
        for version in listing.checkpoints.iter().rev().take(2) {
            checkpoint::read_through(log, *version)?;
        }
    }
    // What the hint names, and what is left to read from, must be there after a power cut.
    log.sync(SyncSite::CleanBaseNames)?;
    if let Some(newest) = listing.newest_checkpoint() {
        log.raise_hint(Some(newest.version))?;
    }
    if !old.checkpoints.is_empty() {
        log.sync(SyncSite::HintName)?;
    }
    remove_commits(head, &mut old, &mut outcome)?;
    // One checkpoint stays below the oldest commit: those that follow it can be read from there.
    for file in old.checkpoints.iter().filter(|file| file.version + 1 < old.first_kept) {
        log.remove(&log.checkpoint_path(file.version))?;
        outcome.checkpoints += 1;
        outcome.bytes += file.bytes;
    }
    for (name, bytes) in &old.temporary {
        log.remove(&log.path().join(name))?;
        outcome.temporary_files += 1;
        outcome.bytes += bytes;
    }
    Ok(outcome)
}

/// Looks at times only as far as files can go: a log has many names that are younger than a day.
fn look(log: &LogFolder, listing: &Listing, options: &CleanOptions) -> Result<Old, TableError> {
    let limit = listing.second_newest_checkpoint().unwrap_or(0);
    let mut old = Old { first_kept: limit, ..Old::default() };
    let names = log.files().list_names(log.path()).map_err(|e| TableError::volume("list", log.path(), e))?;
    let (mut commits, mut checkpoints) = (Vec::new(), Vec::new());
    for name in names {
        match LogName::parse(&name) {
            LogName::Commit(version) if version < limit => commits.push(version),
            LogName::Checkpoint(version) if version < limit => checkpoints.push(version),
            LogName::Other if is_temporary_name(&name) => {
                if let Some(bytes) = bytes_if_old(log, &log.path().join(&name), options)? {
                    old.temporary.push((name, bytes));
                }
            }
            _ => {}
        }
    }
    // Oldest first, and nothing above the first that stays.
    commits.sort_unstable();
    for version in commits {
        let Some(bytes) = bytes_if_old(log, &log.commit_path(version), options)? else {
            old.first_kept = version;
            break;
        };
        old.commits.push(OldFile { version, bytes });
    }
    for version in checkpoints.into_iter().filter(|version| version + 1 < old.first_kept) {
        if let Some(bytes) = bytes_if_old(log, &log.checkpoint_path(version), options)? {
            old.checkpoints.push(OldFile { version, bytes });
        }
    }
    Ok(old)
}

/// Bytes of a file that is old enough to go; `None`: it stays, or another process removed it meanwhile.
fn bytes_if_old(log: &LogFolder, path: &Path, options: &CleanOptions) -> Result<Option<u64>, TableError> {
    let entry = match log.files().entry(path) {
        Ok(entry) => entry,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(TableError::volume("look at", path, error)),
    };
    // Since the name was given, not since the contents were written: a writer can have been paused between.
    // A time to come is no age.
    let last = entry.modified.max(entry.changed);
    let is_old =
        !entry.is_dir && SystemTime::now().duration_since(last).unwrap_or_default() >= options.min_age;
    Ok(is_old.then_some(entry.size))
}

fn remove_commits(head: &Head, old: &mut Old, outcome: &mut CleanOutcome) -> Result<(), TableError> {
    let (Some(first), Some(last)) = (old.commits.first(), old.commits.last()) else { return Ok(()) };
    let log = head.log();
    let history = OpenHistory::open(log.files(), head.root())?;
    let mut folded = history.records(first.version, last.version).peekable();
    let mut below = None;
    for file in &old.commits {
        // A listing may have missed the name below. Whoever finds that one takes this one for never cleaned.
        if below.is_some_and(|below| below + 1 < file.version) && log.read_info(file.version - 1)?.is_some() {
            old.first_kept = old.first_kept.min(file.version);
            break;
        }
        below = Some(file.version);
        if file.version >= history.next {
            old.first_kept = old.first_kept.min(file.version);
            break;
        }
        // Another process was here.
        let Some(info) = log.read_info(file.version)? else { continue };
        let mut here = None;
        while let Some(record) =
            folded.next_if(|record| !matches!(record, Ok(r) if r.naming.version > file.version))
        {
            let naming = record?.naming;
            here = (naming.version == file.version).then_some(naming);
        }
        if let Some(naming) = Naming::of(file.version, info)
            && here.as_ref().map(|folded| &folded.reference) != Some(&naming.reference)
            && !is_without_effect(head, &history, &naming)?
        {
            let record = naming.reference.path;
            let what =
                format!("version {} names {record}, which is not folded as that version's", file.version);
            return Err(HistoryError::Damaged { path: head.root().join(HISTORY_FOLDER), what }.into());
        }
        log.remove(&log.commit_path(file.version))?;
        outcome.commits += 1;
        outcome.bytes += file.bytes;
    }
    Ok(())
}

/// Whether a commit is what a paused writer left at a name that had been cleaned: the state does not have its
/// number, or has it from another version.
fn is_without_effect(head: &Head, history: &OpenHistory, naming: &Naming) -> Result<bool, TableError> {
    if history.record_at(&naming.reference.path)?.is_some_and(|r| r.naming.version != naming.version) {
        return Ok(true);
    }
    let claim = Claim::new(&naming.label, naming.run, naming.attempt);
    Ok(if naming.loads {
        head.txn(&load_id(&naming.label))?.is_none_or(|txn| txn.number != claim.number())
    } else {
        head.txn(&claim_id(&naming.label))?.is_none_or(|txn| txn.number < claim.number())
    })
}
