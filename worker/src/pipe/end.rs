//! How a pipe's worker ends.

use longshore_crds::exit;
use longshore_storage::ledger::LedgerError;
use longshore_storage::table::TableError;

use super::after_load::InvalidAfterLoad;
use super::rules::InvalidStart;
use crate::load::LoadFailure;
use crate::source::SourceError;

/// Why a pipe's worker ends before its work is done.
#[derive(Debug, thiserror::Error)]
pub enum PipeFailure {
    /// The request cannot be worked on.
    #[error(transparent)]
    Start(#[from] InvalidStart),
    /// What it asks for after loading.
    #[error(transparent)]
    AfterLoad(#[from] InvalidAfterLoad),
    /// A path of it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A commit whose end is not known, or an epoch that is lost.
    #[error(transparent)]
    Batch(Box<LoadFailure>),
}

impl PipeFailure {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Start(_) | Self::AfterLoad(_) => "InvalidRequest",
            Self::Source(error) => error.category(),
            Self::Table(error) => error.category(),
            Self::Ledger(error) => error.category(),
            Self::Batch(failure) => failure.category(),
        }
    }

    /// The worker's exit code (`crds/exit.rs`).
    pub fn exit_code(&self) -> u8 {
        match self.category() {
            "OutcomeUnknown" => exit::OUTCOME_UNKNOWN,
            "PipeEpochLost" => exit::CLAIM_LOST,
            "DiskFull" | "VolumeError" | "ReadOnlyVolume" => exit::TRANSIENT,
            "Terminated" => exit::TERMINATED,
            _ => match self {
                Self::Start(_) | Self::AfterLoad(_) => exit::REQUEST,
                Self::Source(error) if error.is_transient() => exit::TRANSIENT,
                Self::Source(_) => exit::SOURCE,
                Self::Table(_) | Self::Ledger(_) => exit::TABLE_REFUSED,
                Self::Batch(failure) => failure.exit_code(),
            },
        }
    }
}

/// How a pipe's worker ended.
#[derive(Debug)]
pub enum PipeEnd {
    /// `autoIngest: false`: every file that was listed is loaded, left alone or given up. The number of those
    /// in ERROR.
    Finished {
        /// Files in ERROR.
        errors: u64,
    },
    /// Stopped from outside: the next worker goes on.
    Stopped,
    /// It cannot go on.
    Failed(PipeFailure),
}

impl PipeEnd {
    /// The worker's exit code (`crds/exit.rs`).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Finished { errors: 0 } => exit::LOADED,
            Self::Finished { .. } => exit::QUALITY,
            Self::Stopped => exit::TERMINATED,
            Self::Failed(failure) => failure.exit_code(),
        }
    }
}
