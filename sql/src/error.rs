//! Why a statement has no answer.

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use longshore_storage::ledger::LedgerError;
use longshore_storage::scan::ScanError;
use longshore_storage::table::TableError;
use longshore_worker::infer::InferError;
use longshore_worker::source::SourceError;

/// A statement that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The text is no SQL.
    #[error("line {line} column {column}: {message}")]
    Syntax {
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        /// What is wrong.
        message: String,
    },
    /// `files(…)` is called in a way that is not taken.
    #[error("files(…): {0}")]
    FilesCall(String),
    /// The engine does not take the statement, or failed on it.
    #[error("{}", engine_message(.0))]
    Engine(#[from] DataFusionError),
    /// A table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The ledger of a pipe.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The rows of a table.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// Listing or reading files.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The columns and the rows of files.
    #[error(transparent)]
    Files(#[from] InferError),
    /// Formatting the answer.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// Writing the answer.
    #[error("cannot write {path}: {error}")]
    Output {
        /// Where to.
        path: String,
        /// What the system said.
        error: String,
    },
    /// Ctrl-C.
    #[error("the query was stopped")]
    Cancelled,
}

impl SqlError {
    /// Stable name of the class of error.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "SqlSyntax",
            Self::FilesCall(_) => "InvalidFilesCall",
            Self::Engine(_) | Self::Arrow(_) => "QueryFailed",
            Self::Table(error) => error.category(),
            Self::Ledger(error) => error.category(),
            Self::Scan(error) => error.category(),
            Self::Source(error) => error.category(),
            Self::Files(error) => error.category(),
            Self::Output { .. } => "OutputFailed",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// The engine's message without its class and its trace.
fn engine_message(error: &DataFusionError) -> String {
    let message = error.strip_backtrace();
    let classes = ["Error during planning: ", "SQL error: ", "External error: ", "Schema error: "];
    classes
        .iter()
        .fold(message, |message, class| message.strip_prefix(class).map_or(message.clone(), str::to_owned))
}
