//! What can go wrong with a ledger.

use std::path::{Path, PathBuf};

use crate::durable::VolumeError;
use crate::history::HistoryError;
use crate::log::{CommitError, TableError};

/// A ledger that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The volume said no.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The table could not be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The epoch was not taken.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A file is not as it was written.
    #[error(
        "the ledger's file {} is damaged: {what}; `longshore pipe rebuild-ledger` makes the ledger again from the table's history",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file that others build on is not there.
    #[error(
        "a file of the ledger in {} is missing: {what}; `longshore pipe rebuild-ledger` makes the ledger again from the table's history",
        path.display()
    )]
    Missing {
        /// The folder.
        path: PathBuf,
        /// Which one.
        what: String,
    },
    /// An append failed before: what is durable of it only a new process can tell.
    #[error("an append to {} failed before, so nothing more is written to it; the worker must start again", path.display())]
    FailedBefore {
        /// The file.
        path: PathBuf,
    },
    /// Another process has the name of a file that only this one makes.
    #[error("{} is there already, of another process; the worker must start again", path.display())]
    NameTaken {
        /// The file.
        path: PathBuf,
    },
}

impl LedgerError {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Volume(error) => error.category(),
            Self::Table(error) => error.category(),
            Self::Commit(error) => error.category(),
            Self::Damaged { .. } | Self::Missing { .. } => "DamagedLedger",
            Self::FailedBefore { .. } | Self::NameTaken { .. } => "OutcomeUnknown",
        }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }

    pub(super) fn volume(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Volume(VolumeError::new(action, path, source))
    }
}

impl From<HistoryError> for LedgerError {
    fn from(error: HistoryError) -> Self {
        Self::Table(error.into())
    }
}
