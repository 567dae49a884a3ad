//! Why no columns come from files.

use longshore_storage::types::TypeError;

use crate::convert::ConvertError;
use crate::decode::DecodeError;
use crate::rows::RejectedRow;
use crate::select::SelectError;
use crate::source::SourceError;

/// Why no columns come from files. A message names the file or the field, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// Listing or reading failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Names that differ in case only.
    #[error(
        "columns {first} of {first_file} and {second} of {second_file} differ in case only; rename one, or declare the columns of the table"
    )]
    CaseConflict {
        /// One name.
        first: String,
        /// Where it stands first.
        first_file: String,
        /// The other.
        second: String,
        /// Where it stands.
        second_file: String,
    },
    /// A column that cannot be read, and whose type is not stated.
    #[error("column {column} of {file}: {reason}; declare the columns of the table, without this one")]
    NoType {
        /// The column.
        column: String,
        /// The first file that has it.
        file: String,
        /// Why it has no type.
        reason: String,
    },
    /// A text file without names.
    #[error(
        "file {file}: its columns have no names; state format.csv.header: true where the first record names them, or declare the columns of the table"
    )]
    NoNames {
        /// The file.
        file: String,
    },
    /// Two of `jsonPaths` with one name.
    #[error(
        "format.json.jsonPaths: {first} and {second} would both be the column {name}; read them without \
         jsonPaths, or declare the columns of the table"
    )]
    SamePathName {
        /// One path.
        first: String,
        /// The other.
        second: String,
        /// The name.
        name: String,
    },
    /// A record that is no row of the columns that were found.
    #[error(
        "file {file}, row {row}{place}: {message}; look at the options of the format, or load the files, which \
         counts such rows and keeps them"
    )]
    Row {
        /// The file.
        file: String,
        /// Number of the row, from 1.
        row: u64,
        /// `, column x`, where it is one column.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// The columns of files do not fit what was found before.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// A file whose rows cannot be cast.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// A hint that names no column.
    #[error("inferFrom.columns[{index}].name: no file has a column {column}")]
    UnknownHint {
        /// Index of the hint.
        index: usize,
        /// Its name.
        column: String,
    },
    /// A hint whose type is none.
    #[error("inferFrom.columns[{index}].type: {error}")]
    HintType {
        /// Index of the hint.
        index: usize,
        /// What is wrong with it.
        error: TypeError,
    },
    /// A key without a value for a column of the path.
    #[error("inferFrom.columnsFromPath: key {key} has no {name}=value/; leave the name out, or the file")]
    MissingPathKey {
        /// The name.
        name: String,
        /// The key.
        key: String,
    },
    /// The files have no columns at all.
    #[error("the files have no columns; state the columns of the table")]
    NoColumns,
    /// Stopped from outside.
    #[error("stopped while the columns of the files were read")]
    Cancelled,
    /// A fault of this program.
    #[error("a fault of longshore itself: {0}")]
    Internal(String),
}

impl InferError {
    /// A row of a file that does not fit.
    pub(super) fn row(file: &str, rejected: &RejectedRow) -> Self {
        let column = &rejected.column;
        let place = if column.is_empty() { String::new() } else { format!(", column {column}") };
        Self::Row { file: file.to_owned(), row: rejected.row, place, message: rejected.message.clone() }
    }

    /// Stable name of the kind of error.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Source(error) => error.category(),
            Self::Decode(error) => error.category(),
            Self::CaseConflict { .. } => "CaseConflict",
            Self::NoNames { .. } => "NoColumnNames",
            Self::NoType { .. } => "NoColumnType",
            Self::SamePathName { .. } => "DuplicateColumn",
            Self::Row { .. } => "InvalidRow",
            Self::Select(error) => error.category(),
            Self::Convert(error) => error.category(),
            Self::UnknownHint { .. } | Self::HintType { .. } => "InvalidHint",
            Self::MissingPathKey { .. } => "MissingPathKey",
            Self::NoColumns => "NoColumns",
            Self::Cancelled => "Cancelled",
            Self::Internal(_) => "Internal",
        }
    }
}
