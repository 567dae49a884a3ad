//! The user guide's data set `user_behavior`, generated: what a shop's visitors did to its items.
//!
//! UserID, ItemID and CategoryID are INT64, BehaviorType is one of four texts, Timestamp is text such
//! as `2017-11-25 01:21:25`. Equal [`Options`] give equal files, on any machine.

mod expected;
mod rows;
mod write;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use expected::{Expected, FileEntry};
pub use rows::{BEHAVIORS, Batch, RowGenerator};
pub use write::generate;

/// In which order rows stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// All rows of a user together, in the order of time, as in the guide's files.
    Grouped,
    /// Any user in any row: the hardest input for a table that is sorted by user.
    Random,
}

impl std::str::FromStr for Order {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "grouped" => Ok(Self::Grouped),
            "random" => Ok(Self::Random),
            other => Err(format!("{other} is no order; use grouped or random")),
        }
    }
}

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// Rows in all files together.
    pub rows: u64,
    /// Number of files, at least 1; rows are spread evenly.
    pub files: u32,
    /// Order of the rows.
    pub order: Order,
    /// Seed of the random numbers.
    pub seed: u64,
}

impl Options {
    /// The rows of file `index`, as numbers in the whole data set.
    pub fn rows_of(&self, index: u32) -> std::ops::Range<u64> {
        let files = u64::from(self.files.max(1));
        let bound = |index: u64| self.rows / files * index + (self.rows % files).min(index);
        bound(u64::from(index))..bound(u64::from(index) + 1)
    }
}

/// Why data could not be generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A file or folder cannot be written or read.
    #[error("cannot write {path}: {source}; check that the folder is writable and has space")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The Parquet writer failed.
    #[error("cannot write rows to {path}: {source}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The writer's error.
        source: parquet::errors::ParquetError,
    },
    /// A thread that wrote files ended early.
    #[error("a thread that wrote files ended early")]
    Thread,
}

impl GenerateError {
    fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// The class of the error: stable, in CamelCase.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Io { .. } => "Io",
            Self::Parquet { .. } => "Parquet",
            Self::Thread => "Thread",
        }
    }
}
