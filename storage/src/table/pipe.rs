//! Epochs of pipes and their batches in the log (design §6): who takes the next epoch of a ledger shuts out
//! every worker that commits under an older one.

use std::sync::Arc;

use super::lines::{Lines, info, text};
use super::owner::Owner;
use super::{CommitError, CommitOutcome, LoadCommit, Table, TableError};
use crate::log::actions::CommitInfo;
use crate::log::claim::check_label;
use crate::log::head::{Decision, Ended, Head};

/// Folder of all ledgers, below the table's.
pub(crate) const PIPES_FOLDER: &str = "_longshore/pipes";

/// The right to commit batches of a ledger, until a newer epoch stands. Only the process that took it may commit
/// under it, one batch after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeEpoch {
    ledger: String,
    number: u32,
}

impl PipeEpoch {
    /// Name of the ledger.
    pub fn ledger(&self) -> &str {
        &self.ledger
    }

    /// Its number, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }
}

/// A batch of a pipe that is to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    epoch: PipeEpoch,
    number: u32,
    label: String,
}

impl Batch {
    pub(crate) fn new(epoch: &PipeEpoch, number: u32) -> Self {
        let label = batch_label(&epoch.ledger, number, epoch.number);
        Self { epoch: epoch.clone(), number, label }
    }

    /// The epoch under which it is committed.
    pub fn epoch(&self) -> &PipeEpoch {
        &self.epoch
    }

    /// Its number, from 1: higher than that of every batch before it.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The name under which the history tells of it: no label of a LoadJob holds a `/`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What stands for the ledger in the names of its segments, with the epoch as run and the number as attempt:
    /// vacuum knows by it whose they are.
    pub fn segment_label(&self) -> String {
        ledger_label(&self.epoch.ledger)
    }

    /// Its file, relative to the table's folder.
    pub fn path(&self) -> String {
        let (ledger, name) = (&self.epoch.ledger, batch_name(self.number, self.epoch.number));
        format!("{PIPES_FOLDER}/{ledger}/batches/{name}")
    }

    /// Name of its number in the log.
    pub(super) fn app_id(&self) -> String {
        batch_id(&self.epoch.ledger)
    }
}

/// The name under which the history tells of a batch.
pub fn batch_label(ledger: &str, number: u32, epoch: u32) -> String {
    format!("{}/{number}-{epoch}", ledger_label(ledger))
}

/// Ledger, number and epoch of a batch by its label; `None`: a label of a load.
pub(crate) fn batch_of_label(label: &str) -> Option<(&str, u32, u32)> {
    let (ledger, batch) = label.strip_prefix("pipe/")?.split_once('/')?;
    let (number, epoch) = batch.split_once('-')?;
    Some((ledger, number.parse().ok()?, epoch.parse().ok()?))
}

/// What stands for a ledger in names of files.
pub(crate) fn ledger_label(ledger: &str) -> String {
    format!("pipe/{ledger}")
}

/// What the name of the newest epoch's number in the log begins with.
pub(crate) const EPOCH_ID: &str = "pipe-epoch/";

/// Name of the newest epoch's number in the log.
fn epoch_id(ledger: &str) -> String {
    format!("{EPOCH_ID}{ledger}")
}

/// Name of the number of the last batch in the log.
fn batch_id(ledger: &str) -> String {
    format!("pipe/{ledger}")
}

/// Name of a batch's file.
pub(crate) fn batch_name(number: u32, epoch: u32) -> String {
    format!("{number:010}-{epoch:010}.json")
}

impl Table {
    /// Takes the next epoch of a ledger, durable on return: no batch commits under an older one afterwards.
    pub fn next_pipe_epoch(&mut self, ledger: &str) -> Result<PipeEpoch, CommitError> {
        check_label(ledger)?;
        self.head.refresh()?;
        let mut number = 0;
        let ended = self.head.commit_over(|head| -> Result<Decision<()>, CommitError> {
            // After a doubt the next is taken as well: a number of which no one knows that it is his.
            number = newest_epoch(head, ledger)?
                .checked_add(1)
                .ok_or_else(|| CommitError::Unwritable(format!("ledger {ledger} has no epoch left")))?;
            let info = CommitInfo {
                operation_parameters: [
                    ("ledger".to_owned(), text(ledger)),
                    ("epoch".to_owned(), text(number)),
                ]
                .into(),
                ..info("PIPE EPOCH", true)
            };
            let commit = Lines::txn(epoch_id(ledger), number.into()).commit(&info)?;
            Ok(Decision::Commit(Arc::new(commit)))
        })?;
        match ended {
            Ended::Committed(_) | Ended::Decided(()) => Ok(PipeEpoch { ledger: ledger.to_owned(), number }),
        }
    }

    /// Number of the newest epoch of a ledger at the version that was read; 0: none was taken.
    pub fn newest_pipe_epoch(&self, ledger: &str) -> Result<u32, TableError> {
        newest_epoch(&self.head, ledger)
    }

    /// Number of the last batch of a ledger that is committed at the version that was read; 0: none is.
    pub fn last_batch(&self, ledger: &str) -> Result<u32, TableError> {
        let number = self.head.txn(&batch_id(ledger))?.map_or(0, |txn| txn.number);
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// Commits the rows of a batch: all of them, once, and only while its epoch is the newest of its ledger;
    /// answers the version. The record is durable before, and its label must be [`Batch::label`]. Batches only
    /// append: whatever `mode` says, rows that are there stay.
    ///
    /// # Errors
    /// `PipeEpochLost`: another worker has taken over; nothing was committed. `OutcomeUnknown`: the process
    /// must end, and the next epoch learns from the log what became of the batch.
    pub fn commit_batch(&mut self, batch: &Batch, mut load: LoadCommit) -> Result<u64, CommitError> {
        load.mode = super::LoadMode::Append;
        load.record.label.clone_from(&batch.label);
        load.record.run = batch.epoch.number;
        load.record.attempt = batch.number;
        match self.commit_of(&Owner::Batch(batch), load)? {
            CommitOutcome::Committed { version } | CommitOutcome::AlreadyLoaded { version, .. } => {
                Ok(version)
            }
        }
    }
}

/// The newest epoch's number; 0: none.
pub(super) fn newest_epoch(head: &Head, ledger: &str) -> Result<u32, TableError> {
    let number = head.txn(&epoch_id(ledger))?.map_or(0, |txn| txn.number);
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_told_from_a_load_by_its_label() {
        assert_eq!(batch_label("l.1", 7, 2), "pipe/l.1/7-2");
        assert_eq!(batch_of_label("pipe/l.1/7-2"), Some(("l.1", 7, 2)));
        for other in ["pipe", "l", "pipe/l", "pipe/l/7", "pipe/l/x-2"] {
            assert_eq!(batch_of_label(other), None, "{other}");
        }
        assert!(check_label(&batch_label("l", 1, 1)).is_err(), "no LoadJob can have it");
    }
}
