//! Where a row comes from, and what is said of one that does not fit.

use std::fmt::{self, Debug};
use std::sync::Arc;

/// Where the rows of a batch stand in their file.
#[derive(Clone)]
pub enum Origin {
    /// One after the other.
    Rows {
        /// Number of the first row, from 1.
        first: u64,
    },
    /// Records of a text file.
    Records(Arc<dyn Records>),
}

/// The records of a text file that became the rows of a batch, by the row's place in the batch.
pub trait Records: Send + Sync {
    /// Number of the record in the file, from 1.
    fn number(&self, row: usize) -> u64;

    /// Where it begins, bytes from the beginning of the (decompressed) file.
    fn byte_offset(&self, row: usize) -> u64;

    /// Its text, what is no UTF-8 replaced, cut at 64 KiB.
    fn raw(&self, row: usize) -> String;
}

impl Origin {
    /// Number of a row in its file, from 1.
    pub fn number(&self, row: usize) -> u64 {
        match self {
            Self::Rows { first } => first + row as u64,
            Self::Records(records) => records.number(row),
        }
    }

    /// Where the record of a row begins; text formats only.
    pub fn byte_offset(&self, row: usize) -> Option<u64> {
        match self {
            Self::Rows { .. } => None,
            Self::Records(records) => Some(records.byte_offset(row)),
        }
    }

    /// The record of a row as it stands in the file; text formats only.
    pub fn raw(&self, row: usize) -> Option<String> {
        match self {
            Self::Rows { .. } => None,
            Self::Records(records) => Some(records.raw(row)),
        }
    }
}

impl Debug for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows { first } => formatter.debug_struct("Rows").field("first", first).finish(),
            Self::Records(_) => formatter.write_str("Records"),
        }
    }
}

/// A row that was filtered, named by its first column that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// Number of the row in its file, from 1; 0: the file as a whole.
    pub row: u64,
    /// Where its record begins, bytes from the beginning of the (decompressed) file; text formats only.
    pub byte_offset: Option<u64>,
    /// Name of the column in the table; empty where the record as a whole does not fit.
    pub column: String,
    /// Stable code: `ParseError`, `OutOfRange`, `TooLong`, `InvalidUtf8`, `InvalidJson`, `NullInNotNull`,
    /// `NoPartition`, `FieldCount`, `RecordTooLong`.
    pub code: &'static str,
    /// What is wrong, without the value.
    pub message: String,
    /// The value in the file as text, cut at 1 KiB; NULL is `NULL`.
    pub raw_value: String,
    /// The record as it stands in a text file, else the row's mapped columns as JSON under their names in the
    /// file; cut at 64 KiB.
    pub raw_record: String,
}

impl RejectedRow {
    /// A file that is left out as a whole: row 0, no column.
    pub fn of_file(code: &'static str, message: String) -> Self {
        Self {
            row: 0,
            byte_offset: None,
            column: String::new(),
            code,
            message,
            raw_value: String::new(),
            raw_record: String::new(),
        }
    }
}

/// Rows that were filtered for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedKind {
    /// Name of the column in the table; empty where the record as a whole does not fit.
    pub column: String,
    /// Stable code.
    pub code: &'static str,
    /// Number of rows.
    pub rows: u64,
}
