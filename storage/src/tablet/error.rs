//! What can go wrong while rows become segments.

use std::io;
use std::path::{Path, PathBuf};

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

use crate::log::TableError;

/// ENOSPC: no space is left.
const ENOSPC: i32 = 28;
/// EDQUOT: the quota is used up.
const EDQUOT: i32 = 122;

/// An error of a [`super::TabletWriter`].
#[derive(Debug, thiserror::Error)]
pub enum TabletError {
    /// The volume is full (ENOSPC or EDQUOT).
    #[error("no space is left on the volume for {path} ({source}): make the volume larger or remove files")]
    DiskFull {
        /// The file or folder that could not be written.
        path: PathBuf,
        /// What the volume said.
        source: io::Error,
    },
    /// The volume failed in another way.
    #[error("cannot write {path}: {source}")]
    VolumeError {
        /// The file or folder.
        path: PathBuf,
        /// What the volume said.
        source: io::Error,
    },
    /// The budget cannot hold the least that one writer needs.
    #[error(
        "the memory budget of {budget} bytes is too small for {columns} columns: at least {needed} bytes are needed"
    )]
    MemoryBudgetTooSmall {
        /// Bytes given.
        budget: usize,
        /// Bytes needed.
        needed: usize,
        /// Columns of the table.
        columns: usize,
    },
    /// The distribution names a column that cannot be hashed.
    #[error(
        "column {column} of type {data_type} cannot be a distribution column: choose an integer, a decimal, a date, a datetime or a string"
    )]
    UnsupportedDistribution {
        /// Name.
        column: String,
        /// SQL type.
        data_type: String,
    },
    /// More buckets than a tablet writer can tell apart, or none.
    #[error("{buckets} buckets are not supported: choose 1 to 65536")]
    UnsupportedBuckets {
        /// Buckets asked for.
        buckets: u32,
    },
    /// The rows of one load would make too many partitions.
    #[error(
        "the load would make more than {limit} new partitions, `{partition}` among them: load less at a time, or declare partitions by a coarser unit"
    )]
    TooManyPartitions {
        /// New partitions that one load may make.
        limit: usize,
        /// The first one beyond.
        partition: String,
    },
    /// The partitions of the table could not be read.
    #[error(transparent)]
    Table(Box<TableError>),
    /// A batch that does not have the table's columns; a defect of the caller.
    #[error("a batch does not fit the table: {0}")]
    WrongBatch(String),
    /// The encoder failed for a reason that is not the volume's.
    #[error("cannot encode {path}: {source}")]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        source: ParquetError,
    },
    /// A kernel failed.
    #[error("cannot order the rows: {0}")]
    Arrow(#[from] ArrowError),
    /// A spill does not hold what was written to it.
    #[error("a spill does not hold what was written to it: the volume is not reliable")]
    DamagedSpill,
    /// A thread ended before its work was done.
    #[error("a writer thread ended before its work was done")]
    Thread,
}

impl TabletError {
    /// Stable name of the kind of error.
    pub fn category(&self) -> &'static str {
        match self {
            Self::DiskFull { .. } => "DiskFull",
            Self::VolumeError { .. } | Self::DamagedSpill => "VolumeError",
            Self::MemoryBudgetTooSmall { .. } => "MemoryBudgetTooSmall",
            Self::UnsupportedDistribution { .. } | Self::UnsupportedBuckets { .. } => {
                "UnsupportedDistribution"
            }
            Self::TooManyPartitions { .. } => "TooManyPartitions",
            Self::Table(error) => error.category(),
            Self::WrongBatch(_) | Self::Encode { .. } | Self::Arrow(_) | Self::Thread => "Internal",
        }
    }

    /// The error of an operation on `path`.
    pub(crate) fn volume(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        let full = matches!(source.raw_os_error(), Some(ENOSPC | EDQUOT))
            || matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        if full { Self::DiskFull { path, source } } else { Self::VolumeError { path, source } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_volumes_are_told_apart() {
        let of = |code| TabletError::volume(Path::new("x"), io::Error::from_raw_os_error(code));
        assert_eq!(of(ENOSPC).category(), "DiskFull");
        assert_eq!(of(EDQUOT).category(), "DiskFull");
        assert_eq!(of(5).category(), "VolumeError");
        assert!(of(5).to_string().contains('x'));
    }
}
