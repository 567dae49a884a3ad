//! What can be wrong with the columns and expressions of a source.

use longshore_expression::ExpressionError;

use crate::convert::MappingError;

/// A source's columns or expressions cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// `columns` does not fit the table.
    #[error(transparent)]
    Columns(#[from] MappingError),
    /// An expression of `set` or `where`.
    #[error("spec.{0}")]
    Expression(Box<ExpressionError>),
    /// An expression of `set` or `where` over the columns of a file.
    #[error("file {file}: spec.{error}")]
    ExpressionInFile {
        /// The file.
        file: String,
        /// The expression and what is wrong.
        error: Box<ExpressionError>,
    },
    /// `set` names what the table does not have.
    #[error("spec.sources[{source_index}].set: the table has no column {column}; it has {known}")]
    UnknownTarget {
        /// Index of the source in the request.
        source_index: usize,
        /// The name as given.
        column: String,
        /// The table's columns.
        known: String,
    },
    /// `set` names a column twice.
    #[error(
        "spec.sources[{source_index}].set: column {column} is computed twice; its names differ in case only"
    )]
    DuplicateTarget {
        /// Index of the source in the request.
        source_index: usize,
        /// The second name.
        column: String,
    },
    /// `columnsFromPath` names what nothing takes, or a name twice.
    #[error("spec.sources[{source_index}].columnsFromPath: {column} {reason}")]
    PathColumn {
        /// Index of the source in the request.
        source_index: usize,
        /// The name as given.
        column: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A key lacks a name of `columnsFromPath`.
    #[error(
        "file {file} has no {column}=… in its key, which columnsFromPath asks for; set onMissingPathKey to Null or \
         SkipFile, or narrow the paths"
    )]
    MissingPathKey {
        /// The file.
        file: String,
        /// The name.
        column: String,
    },
}

impl From<ExpressionError> for SelectError {
    fn from(error: ExpressionError) -> Self {
        Self::Expression(Box::new(error))
    }
}

impl SelectError {
    /// CamelCase, stable: reason of conditions and events, label of metrics.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Columns(error) => error.category(),
            Self::Expression(error) | Self::ExpressionInFile { error, .. } => error.category(),
            Self::UnknownTarget { .. } => "UnknownColumn",
            Self::DuplicateTarget { .. } => "DuplicateColumn",
            Self::PathColumn { .. } => "InvalidPathColumn",
            Self::MissingPathKey { .. } => "MissingPathKey",
        }
    }
}
