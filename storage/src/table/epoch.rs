//! Epochs of maintenance: who takes the next one shuts out whoever works under an older one.

use std::sync::{Arc, Mutex};

use super::lines::{Lines, info, text};
use super::{CommitError, Table, TableError};
use crate::durable::SyncSite;
use crate::log::actions::CommitInfo;
use crate::log::head::{Decision, Ended, Head};

/// Work that rewrites files without changing rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Maintenance {
    /// Compaction; vacuum takes an epoch of it before it deletes what compactions left.
    Compact,
}

impl Maintenance {
    /// Name of its number in the log.
    pub(crate) fn app_id(self) -> &'static str {
        match self {
            Self::Compact => "maintenance/compact",
        }
    }
}

/// An epoch of maintenance. One that was taken by [`Table::next_epoch`] may commit until a newer one stands;
/// one that was only read may not.
#[derive(Debug, Clone)]
pub struct Epoch {
    kind: Maintenance,
    number: u64,
    /// Commits that were begun under it, by the one process that took it; `None`: it was only read.
    begun: Option<Arc<Mutex<u32>>>,
}

impl Epoch {
    /// Of which work.
    pub fn kind(&self) -> Maintenance {
        self.kind
    }

    /// Its number, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The counter of the commits begun under it, if this process took it.
    pub(super) fn begun(&self) -> Option<&Mutex<u32>> {
        self.begun.as_deref()
    }
}

impl PartialEq for Epoch {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.number) == (other.kind, other.number)
    }
}

impl Eq for Epoch {}

impl Table {
    /// Takes the next epoch, durable on return: nothing commits under an older one afterwards.
    pub fn next_epoch(&mut self, kind: Maintenance) -> Result<Epoch, CommitError> {
        self.head.refresh()?;
        let mut number = 0;
        let ended = self.head.commit_over(|head| -> Result<Decision<()>, CommitError> {
            // After a doubt the next is taken as well: a number of which no one knows that it is his.
            number = newest(head, kind)? + 1;
            let info = CommitInfo {
                operation_parameters: [("epoch".to_owned(), text(number))].into(),
                ..info("EPOCH", true)
            };
            let commit = Lines::txn(kind.app_id().to_owned(), number.cast_signed()).commit(&info)?;
            Ok(Decision::Commit(Arc::new(commit)))
        })?;
        match ended {
            Ended::Committed(_) | Ended::Decided(()) => {
                Ok(Epoch { kind, number, begun: Some(Arc::default()) })
            }
        }
    }

    /// The newest epoch at the version that was read, durable on return; `None`: there was none yet. No
    /// process may commit under it but the one that took it.
    pub fn epoch(&self, kind: Maintenance) -> Result<Option<Epoch>, TableError> {
        let number = newest(&self.head, kind)?;
        self.head.make_durable(SyncSite::EpochAnswer)?;
        Ok((number > 0).then_some(Epoch { kind, number, begun: None }))
    }
}

/// The newest epoch's number; 0: none.
pub(super) fn newest(head: &Head, kind: Maintenance) -> Result<u64, TableError> {
    Ok(head.txn(kind.app_id())?.map_or(0, |txn| txn.number.cast_unsigned()))
}
