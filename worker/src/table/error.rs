//! Why a table was not declared or maintained.

use longshore_crds::{RequestError, exit};
use longshore_storage::compact::CompactionError;
use longshore_storage::table::{CommitError, TableError};

use super::TableSpecError;
use crate::infer::InferError;
use crate::load::LoadFailure;

/// Why a table was not declared or maintained; it is as it was, or maintained in part.
#[derive(Debug, thiserror::Error)]
pub enum TableTaskError {
    /// The request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The definition in it.
    #[error(transparent)]
    Definition(#[from] TableSpecError),
    /// The columns that it leaves to files.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// The table or its volume.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Merging segments.
    #[error(transparent)]
    Compaction(#[from] CompactionError),
    /// Stopped from outside.
    #[error("stopped before the end; what was merged until then stands, the rest is done the next time")]
    Cancelled,
    /// A thread of the worker died.
    #[error("the worker failed inside: {0}")]
    Internal(String),
}

impl TableTaskError {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Request(_) => "InvalidRequest",
            Self::Definition(error) => error.category(),
            Self::Infer(error) => error.category(),
            Self::Table(error) => error.category(),
            Self::Commit(error) => error.category(),
            Self::Compaction(error) => error.category(),
            Self::Cancelled => "Terminated",
            Self::Internal(_) => "Internal",
        }
    }

    /// The worker's exit code, by the rules of a load.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Request(_) | Self::Definition(_) => exit::REQUEST,
            Self::Infer(error) => match error {
                InferError::Source(error) => LoadFailure::from(error).exit_code(),
                InferError::Decode(error) => LoadFailure::from(error).exit_code(),
                InferError::Cancelled => exit::TERMINATED,
                InferError::Internal(_) => exit::TRANSIENT,
                _ => exit::REQUEST,
            },
            // Only an edit of the declaration mends it.
            Self::Table(TableError::InvalidDefinition(_))
            | Self::Commit(CommitError::Table(TableError::InvalidDefinition(_))) => exit::REQUEST,
            Self::Table(error) => LoadFailure::from(error).exit_code(),
            Self::Commit(CommitError::ColumnConflict { .. }) => exit::TABLE_REFUSED,
            Self::Commit(CommitError::Table(error)) => LoadFailure::from(error).exit_code(),
            Self::Commit(error) => LoadFailure::from(error).exit_code(),
            Self::Compaction(CompactionError::Table(error)) => LoadFailure::from(error).exit_code(),
            Self::Compaction(CompactionError::Commit(error)) => LoadFailure::from(error).exit_code(),
            Self::Compaction(_) | Self::Internal(_) => exit::TRANSIENT,
            Self::Cancelled => exit::TERMINATED,
        }
    }
}
