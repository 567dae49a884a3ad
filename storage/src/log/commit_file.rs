//! Reading one version of the log.

use std::io;
use std::time::UNIX_EPOCH;

use super::actions::{Action, CommitInfo, Metadata, Protocol, Txn};
use super::error::TableError;
use super::folder::LogFolder;
use super::lines::Lines;

/// How our own commits, and those of every engine we know, begin a line that adds a file.
const ADD_LINE: &[u8] = b"{\"add\":";
/// The same for a line that removes one.
const REMOVE_LINE: &[u8] = b"{\"remove\":";

/// What every reader and writer must know of a version. The files that it adds and removes are not in
/// here: an append never looks at them.
#[derive(Debug, Default)]
pub(crate) struct CommitSummary {
    pub(crate) info: Option<CommitInfo>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) txns: Vec<Txn>,
    /// Lines of the JSON.
    pub(crate) actions: u64,
}

impl LogFolder {
    /// Reads a version without its files; `None`: there is no such name.
    pub(crate) fn read_summary(&self, version: u64) -> Result<Option<CommitSummary>, TableError> {
        let Some(mut lines) = self.open_commit(version)? else { return Ok(None) };
        let mut summary = CommitSummary::default();
        while let Some(line) = self.next_line(version, &mut lines)? {
            summary.actions += 1;
            let names_a_file = line.starts_with(ADD_LINE) || line.starts_with(REMOVE_LINE);
            if names_a_file && line.trim_ascii_end().ends_with(b"}}") {
                continue;
            }
            let action = self.parse(version, line)?;
            if let Some(info) = &action.commit_info {
                summary.info = Some(CommitInfo::of(info));
            }
            summary.protocol = action.protocol.or(summary.protocol);
            summary.metadata = action.meta_data.or(summary.metadata);
            summary.txns.extend(action.txn);
        }
        if summary.actions > 0 { Ok(Some(summary)) } else { Err(self.empty(version)) }
    }

    /// Reads a version with its files, an action at a time.
    pub(crate) fn for_each_action(
        &self,
        version: u64,
        mut visit: impl FnMut(Action) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        let Some(mut lines) = self.open_commit(version)? else {
            return Err(TableError::damaged(self.path(), format!("version {version} is missing")));
        };
        while let Some(line) = self.next_line(version, &mut lines)? {
            visit(self.parse(version, line)?)?;
        }
        Ok(())
    }

    /// Reads only the information about a commit, which stands in the first line of each of ours.
    pub(crate) fn read_info(&self, version: u64) -> Result<Option<CommitInfo>, TableError> {
        let Some(mut lines) = self.open_commit(version)? else { return Ok(None) };
        let Some(line) = self.next_line(version, &mut lines)? else { return Err(self.empty(version)) };
        let action = self.parse(version, line)?;
        Ok(Some(action.commit_info.as_deref().map(CommitInfo::of).unwrap_or_default()))
    }

    /// Whether a version still is the commit with this `txnId`. Then none above it was cleaned so far: what was
    /// read of those is no leftover of a writer that was paused. `false` also if that cannot be seen.
    pub(crate) fn stands(&self, version: u64, txn_id: &str) -> bool {
        matches!(self.read_info(version), Ok(Some(info)) if info.txn_id.as_deref() == Some(txn_id))
    }

    /// Milliseconds since the epoch before which a version was not visible. What its writer wrote down may be
    /// from long before: it can have been paused between writing and linking. The link itself sets this time.
    pub(crate) fn visible_since(&self, version: u64) -> Result<i64, TableError> {
        let path = self.commit_path(version);
        let file = self.files().open(&path).map_err(|e| TableError::volume("open", &path, e))?;
        let changed = file.changed().map_err(|e| TableError::volume("open", &path, e))?;
        let since = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn open_commit(&self, version: u64) -> Result<Option<Lines>, TableError> {
        let path = self.commit_path(version);
        match self.files().open(&path).and_then(Lines::new) {
            Ok(lines) => Ok(Some(lines)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TableError::volume("open", &path, error)),
        }
    }

    fn next_line<'a>(&self, version: u64, lines: &'a mut Lines) -> Result<Option<&'a [u8]>, TableError> {
        lines.next_line().map_err(|e| TableError::volume("read", &self.commit_path(version), e))
    }

    fn parse(&self, version: u64, line: &[u8]) -> Result<Action, TableError> {
        serde_json::from_slice(line).map_err(|error| {
            TableError::damaged(&self.commit_path(version), format!("version {version}: {error}"))
        })
    }

    fn empty(&self, version: u64) -> TableError {
        TableError::damaged(&self.commit_path(version), format!("version {version} is empty"))
    }
}
