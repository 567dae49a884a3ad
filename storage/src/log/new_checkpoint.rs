//! Making a checkpoint: temporary file → fsync → reopen and compare → link → fsync of the folder → hint.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::actions::Txn;
use super::checkpoint::{self, CheckpointWriter, count_rows};
use super::error::TableError;
use super::folder::{CheckpointFile, LastCheckpoint, LogFolder};
use super::head::Head;
use super::names::{LAST_CHECKPOINT, checkpoint_name};
use crate::durable::{SyncSite, discard, unique_name, write_new};

/// Commits before which no checkpoint is made.
const MIN_COMMITS: u64 = 50;
/// Commits after which one is made whatever its size.
const MAX_COMMITS: u64 = 1_000;
/// A checkpoint is made when the commits since the last one have a quarter of its actions. Not of its bytes: in
/// columns an action takes a tenth of what it takes in a commit, so that small commits would pay for forty each.
const SHARE: u64 = 4;
/// How long a removed file stays known if the table does not say (Delta's default).
const REMOVED_FILE_RETENTION: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Property of the table that says how long.
const RETENTION_PROPERTY: &str = "delta.deletedFileRetentionDuration";

/// Whether a checkpoint pays.
fn is_due(commits: u64, actions: u64, checkpoint_actions: u64) -> bool {
    commits >= MAX_COMMITS || (commits >= MIN_COMMITS && actions.saturating_mul(SHARE) > checkpoint_actions)
}

impl Head {
    /// Makes a checkpoint of this version if one pays.
    pub(crate) fn checkpoint_if_due(&mut self) -> Result<Option<u64>, TableError> {
        let due = |head: &Self| {
            let tail = head.tail();
            is_due(tail.end - tail.start, head.tail_actions(), head.checkpoint_actions())
        };
        if !due(self) {
            return Ok(None);
        }
        // Another writer may have been first.
        if self.log().list()?.newest_checkpoint() > self.checkpoint() {
            self.reopen()?;
            if !due(self) {
                return Ok(None);
            }
        }
        match self.write_checkpoint() {
            Ok(version) => Ok(Some(version)),
            // Others made two checkpoints meanwhile: this one is not needed any more.
            Err(TableError::SnapshotExpired { .. }) => self.reopen().map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// Makes a checkpoint of this version.
    pub(crate) fn write_checkpoint(&mut self) -> Result<u64, TableError> {
        let version = self.version();
        // It must never hold what a power cut could take back.
        self.make_durable(SyncSite::CheckpointBaseNames)?;
        let log = self.log();
        let name = checkpoint_name(version);
        let temporary = log.path().join(format!(".{name}.{}.tmp", unique_name()));
        let linked = self.write_checkpoint_file(&temporary).and_then(|written| {
            match log.files().link(&temporary, &log.path().join(&name)) {
                Ok(()) => Ok((Some(written.bytes), written.rows)),
                // Another writer's of the same version: equal, and checked by it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok((None, written.rows)),
                Err(error) => Err(TableError::volume("link", &log.path().join(&name), error)),
            }
        });
        discard(log.files(), &temporary);
        let (own_bytes, actions) = linked?;
        log.sync(SyncSite::CheckpointName)?;
        let newest = log.list()?.newest_checkpoint();
        let listed = newest.filter(|newest| newest.version == version).map(|newest| newest.bytes);
        log.raise_hint(Some(version))?;
        let bytes = own_bytes.or(listed).unwrap_or_default();
        self.rebase_on(CheckpointFile { version, bytes }, actions);
        Ok(version)
    }

    /// How long checkpoints hold files that were removed.
    pub(crate) fn removed_file_retention(&self) -> Duration {
        let property = self.metadata().and_then(|metadata| metadata.configuration.get(RETENTION_PROPERTY));
        property.and_then(|text| interval(text)).unwrap_or(REMOVED_FILE_RETENTION)
    }

    /// Writes the whole state to a file, durable, and reads back how much it holds.
    fn write_checkpoint_file(&self, path: &std::path::Path) -> Result<checkpoint::Written, TableError> {
        let (Some(protocol), Some(metadata)) = (self.protocol(), self.metadata()) else {
            return Err(TableError::damaged(path, "there is no protocol or no metaData to write"));
        };
        let touched = self.touched()?;
        let expired = milliseconds(SystemTime::now() - self.removed_file_retention());
        let mut writer = CheckpointWriter::create(self.log(), path, protocol, metadata)?;
        self.visit_txns(|txn| writer.txn(txn))?;
        writer.end_kind()?;
        self.visit_removed(&touched, |remove| {
            if remove.deletion_timestamp.unwrap_or(0) < expired { Ok(()) } else { writer.remove(remove) }
        })?;
        writer.end_kind()?;
        self.visit_files(&touched, |add| writer.add(add))?;
        self.check_not_expired()?;
        let written = writer.finish()?;
        let read = count_rows(self.log(), path)?;
        if read != written.rows {
            let what = format!("{} actions were written and {read} can be read", written.rows);
            return Err(TableError::damaged(path, what));
        }
        tracing::debug!(files = written.files, bytes = written.bytes, "checkpoint written");
        Ok(written)
    }

    /// Gives every number, those of the checkpoint and those set since merged in order of their names.
    pub(crate) fn visit_txns(
        &self,
        mut visit: impl FnMut(Txn) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        let mut tail: BTreeMap<&str, &Txn> = self.tail_txns().map(|txn| (txn.app_id.as_str(), txn)).collect();
        let newer: std::collections::HashSet<&str> = tail.keys().copied().collect();
        if let Some(base) = self.checkpoint() {
            checkpoint::visit_txns(self.log(), base.version, |txns| {
                for txn in txns.into_iter().filter(|txn| !newer.contains(txn.app_id.as_str())) {
                    while let Some(first) =
                        tail.first_entry().filter(|first| *first.key() < txn.app_id.as_str())
                    {
                        visit(first.remove().clone())?;
                    }
                    visit(txn)?;
                }
                Ok(())
            })?;
        }
        tail.into_values().try_for_each(|txn| visit(txn.clone()))
    }
}

impl LogFolder {
    /// Points the hint at the newest checkpoint, which is durable before if it is not above `durable` already.
    /// The hint itself need not be: what an older one names is cleaned only after a sync of the folder. Two
    /// writers may pass each other between look and rename: so each looks again afterwards, and the last one
    /// to look has seen the newest.
    pub(super) fn raise_hint(&self, durable: Option<u64>) -> Result<(), TableError> {
        loop {
            let listing = self.list()?;
            let Some(newest) = listing.newest_checkpoint() else { return Ok(()) };
            if self.last_checkpoint()?.is_some_and(|hint| hint.version >= newest.version) {
                return Ok(());
            }
            if Some(newest.version) > durable {
                self.sync(SyncSite::HintBaseNames)?;
            }
            let path = self.checkpoint_path(newest.version);
            let hint = LastCheckpoint {
                version: newest.version,
                size: count_rows(self, &path)?,
                size_in_bytes: Some(newest.bytes),
                num_of_add_files: None,
            };
            let bytes = serde_json::to_vec(&hint).map_err(|e| TableError::damaged(&path, e.to_string()))?;
            let temporary = self.path().join(format!(".{LAST_CHECKPOINT}.{}.tmp", unique_name()));
            write_new(self.files(), &temporary, &bytes, SyncSite::HintContents)?;
            let target = self.path().join(LAST_CHECKPOINT);
            if let Err(error) = self.files().rename(&temporary, &target) {
                discard(self.files(), &temporary);
                return Err(TableError::volume("rename", &target, error));
            }
        }
    }
}

/// A time as Delta's properties have it: `interval 7 days`, at most a hundred years.
fn interval(text: &str) -> Option<Duration> {
    let mut words = text.split_ascii_whitespace();
    let (interval, number, unit) = (words.next()?, words.next()?, words.next()?);
    let seconds: u64 = match unit.to_ascii_lowercase().trim_end_matches('s') {
        "week" => 7 * 24 * 3_600,
        "day" => 24 * 3_600,
        "hour" => 3_600,
        "minute" => 60,
        "second" => 1,
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(seconds)?;
    let known = interval.eq_ignore_ascii_case("interval") && words.next().is_none();
    (known && seconds <= 100 * 365 * 24 * 3_600).then(|| Duration::from_secs(seconds))
}

fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_as_other_engines_write_them() {
        assert_eq!(interval("interval 1 week"), Some(REMOVED_FILE_RETENTION));
        assert_eq!(interval("INTERVAL 30 HOURS"), Some(Duration::from_secs(30 * 3_600)));
        for other in
            ["", "7 days", "interval days", "interval -1 days", "interval 1 month", "interval 99999999 weeks"]
        {
            assert_eq!(interval(other), None, "{other}");
        }
    }

    #[test]
    fn a_checkpoint_is_made_by_bytes_between_fifty_and_a_thousand_commits() {
        assert!(!is_due(49, u64::MAX, 0));
        assert!(is_due(50, 1, 0));
        assert!(!is_due(50, 25, 100));
        assert!(is_due(50, 26, 100));
        assert!(!is_due(999, 1, 100));
        assert!(is_due(1_000, 1, 100));
    }
}
