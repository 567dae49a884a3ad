//! Putting one version into the log. The order of the calls is the promise:
//! temporary file → write → fsync → link(2) → unlink → fsync of the folder → check → acknowledge.

use std::io;
use std::time::Instant;

use super::actions::{Action, CommitInfo, Metadata, Protocol, Txn};
use super::error::{CommitError, TableError};
use super::folder::{LOOK_AGAIN, LogFolder};
use super::names::commit_name;
use crate::durable::{SyncSite, VolumeError, discard, unique_name, write_new};

/// A commit that is ready to be put at any version.
#[derive(Debug)]
pub(crate) struct Commit {
    /// The lines.
    body: Vec<u8>,
    txn_id: String,
    /// Lines.
    pub(crate) actions: u64,
    pub(crate) txns: Vec<Txn>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) metadata: Option<Metadata>,
}

impl Commit {
    /// Writes the lines: the information first, for whoever looks for it.
    pub(crate) fn new(info: &CommitInfo, actions: Vec<Action>) -> Result<Self, serde_json::Error> {
        let mut commit = Self {
            body: Vec::new(),
            txn_id: info.txn_id.clone().unwrap_or_default(),
            actions: 0,
            txns: Vec::new(),
            protocol: None,
            metadata: None,
        };
        let info = serde_json::value::to_raw_value(info)?;
        commit.line(&Action { commit_info: Some(info), ..Action::default() })?;
        for action in actions {
            commit.line(&action)?;
            commit.txns.extend(action.txn);
            commit.protocol = action.protocol.or(commit.protocol);
            commit.metadata = action.meta_data.or(commit.metadata);
        }
        Ok(commit)
    }

    fn line(&mut self, action: &Action) -> Result<(), serde_json::Error> {
        serde_json::to_writer(&mut self.body, action)?;
        self.body.push(b'\n');
        self.actions += 1;
        Ok(())
    }

    /// Random: no other commit has it.
    pub(crate) fn txn_id(&self) -> &str {
        &self.txn_id
    }
}

/// How putting a version ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It stands, durable.
    Committed,
    /// Another commit has the number.
    Taken,
    /// The name may have been cleaned under a paused writer: only the state can tell.
    InDoubt,
}

impl LogFolder {
    /// Puts a commit at a version. `before`: the `txnId` of the version below it, as it was read, if known.
    pub(crate) fn put(
        &self,
        version: u64,
        commit: &Commit,
        before: Option<&str>,
    ) -> Result<Put, CommitError> {
        let temporary = self.path().join(format!(".{}.{}.tmp", commit_name(version), unique_name()));
        write_new(self.files(), &temporary, &commit.body, SyncSite::CommitContents)
            .map_err(|e| self.not_written(version, e))?;
        let path = self.commit_path(version);
        let linked = self.files().link(&temporary, &path);
        discard(self.files(), &temporary);
        if let Err(error) = linked {
            // The reply to a link that was done can be lost, also as EEXIST of its repetition.
            match self.who_has(version, commit, VolumeError::new("link", &path, error))? {
                Put::Committed => {}
                other => return Ok(other),
            }
        }
        self.sync(SyncSite::CommitName).map_err(|error| self.unknown(version, &error))?;
        // Names are cleaned oldest first: while the version below stands, no one had ever this name before.
        if before.is_some_and(|before| version > 0 && self.stands(version - 1, before)) {
            return Ok(Put::Committed);
        }
        let listing = self.list().map_err(|error| self.unknown(version, &error))?;
        if listing.may_be_cleaned(version) {
            return Ok(Put::InDoubt);
        }
        Ok(Put::Committed)
    }

    /// After an error of the link: whose commit has the name?
    fn who_has(&self, version: u64, commit: &Commit, error: VolumeError) -> Result<Put, CommitError> {
        let exists = error.io_kind() == io::ErrorKind::AlreadyExists;
        let until = Instant::now() + self.name_wait();
        loop {
            match self.read_info(version) {
                Ok(Some(info)) if info.txn_id.as_deref() == Some(&commit.txn_id) => {
                    return Ok(Put::Committed);
                }
                Ok(Some(_)) => return Ok(Put::Taken),
                Ok(None) => {}
                Err(read) => return Err(self.unknown(version, &read)),
            }
            let listing = self.list().map_err(|read| self.unknown(version, &read))?;
            if listing.may_be_cleaned(version) {
                return Ok(Put::InDoubt);
            }
            if !exists && error.is_definite() {
                return Err(error.into());
            }
            if !exists || Instant::now() >= until {
                return Err(self.unknown(version, &error));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// A temporary file that failed was never linked; but what an fsync lost is not ours alone.
    fn not_written(&self, version: u64, error: VolumeError) -> CommitError {
        if error.failed_to_sync() && !error.is_definite() {
            self.unknown(version, &error)
        } else {
            TableError::from(error).into()
        }
    }

    pub(crate) fn unknown(&self, version: u64, error: &dyn std::fmt::Display) -> CommitError {
        CommitError::OutcomeUnknown { path: self.path().to_owned(), version, what: error.to_string() }
    }
}
