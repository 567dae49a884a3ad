//! What can go wrong while segments are merged.

use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

use crate::log::{CommitError, TableError};
use crate::tablet::TabletError;

/// An error of a compaction. Nothing of the table is lost by any of them.
#[derive(Debug, thiserror::Error)]
pub enum CompactionError {
    /// A segment cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    VolumeError {
        /// The segment.
        path: PathBuf,
        /// What the volume said.
        source: std::io::Error,
    },
    /// A segment is not what the log says.
    #[error("the segment {path} is damaged: {what}; nothing was changed")]
    DamagedSegment {
        /// The segment.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// Other rows came out than went in.
    #[error(
        "the merge of {segments} segments of {tablet} gave {written} rows of {read}: nothing was changed"
    )]
    RowsDiffer {
        /// Folder of the tablet.
        tablet: String,
        /// Segments merged.
        segments: usize,
        /// Rows that the segments hold.
        read: u64,
        /// Rows that came out.
        written: u64,
    },
    /// Not even two segments can be merged within the budget.
    #[error(
        "the memory budget is too small to merge {path}: at least {needed} bytes are needed for each thread"
    )]
    MemoryBudgetTooSmall {
        /// One of the segments.
        path: PathBuf,
        /// Bytes needed.
        needed: usize,
    },
    /// The outputs could not be written.
    #[error(transparent)]
    Tablet(#[from] TabletError),
    /// The log could not be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The commit failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl CompactionError {
    /// Stable name of the kind of error.
    pub fn category(&self) -> &'static str {
        match self {
            Self::VolumeError { .. } => "VolumeError",
            Self::DamagedSegment { .. } => "DamagedSegment",
            Self::RowsDiffer { .. } => "Internal",
            Self::MemoryBudgetTooSmall { .. } => "MemoryBudgetTooSmall",
            Self::Tablet(error) => error.category(),
            Self::Table(error) => error.category(),
            Self::Commit(error) => error.category(),
        }
    }

    /// A segment that the decoder does not understand, or whose bytes the volume did not give.
    pub(crate) fn damaged(path: &Path, error: ParquetError) -> Self {
        let path = path.to_owned();
        match error {
            ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
                Ok(source) => Self::VolumeError { path, source: *source },
                Err(other) => Self::DamagedSegment { path, what: other.to_string() },
            },
            other => Self::DamagedSegment { path, what: other.to_string() },
        }
    }
}
