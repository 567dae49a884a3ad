//! Why a question has no answer.

use longshore_storage::ledger::LedgerError;
use longshore_storage::table::TableError;

use crate::pipe::RetryError;

/// A question that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Files cannot be put back.
    #[error(transparent)]
    Retry(#[from] RetryError),
    /// The path is no object's.
    #[error("{file:?} is no s3://bucket/key")]
    InvalidPath {
        /// As written.
        file: String,
    },
    /// The answer cannot be written.
    #[error("the answer cannot be written: {0}")]
    Format(#[from] std::fmt::Error),
}

impl AskError {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Table(error) => error.category(),
            Self::Ledger(error) => error.category(),
            Self::Retry(error) => error.category(),
            Self::InvalidPath { .. } => "InvalidPath",
            Self::Format(_) => "Internal",
        }
    }
}
