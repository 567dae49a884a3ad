//! What can be wrong with a mapping before any row is read, and with a conversion apart from its rows.

use arrow::error::ArrowError;
use longshore_expression::ExpressionError;

/// A source's columns cannot feed the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// `columns` names what the table does not have.
    #[error(
        "spec.sources[{source_index}].columns[{index}]: the table has no column {column}; it has {known}"
    )]
    UnknownColumn {
        /// Index of the source in the request.
        source_index: usize,
        /// Index in `columns`.
        index: usize,
        /// The name as given.
        column: String,
        /// The table's columns, for the message.
        known: String,
    },
    /// `columns` names a column twice.
    #[error("spec.sources[{source_index}].columns[{index}]: column {column} is named twice; name it once")]
    DuplicateColumn {
        /// Index of the source in the request.
        source_index: usize,
        /// Index in `columns` of the second mention.
        index: usize,
        /// The name as given.
        column: String,
    },
    /// A NOT NULL column without a default is left out of `columns`.
    #[error(
        "spec.sources[{source_index}].columns: column {column} is NOT NULL, has no default and is not listed; \
         list it, or declare a default"
    )]
    UnfedColumn {
        /// Index of the source in the request.
        source_index: usize,
        /// Name in the table.
        column: String,
    },
    /// Two columns of a file feed the same column of the table.
    #[error(
        "file {file}: columns {first} and {second} differ in case only, and both match column {column}; rename one"
    )]
    AmbiguousColumn {
        /// The file.
        file: String,
        /// Name in the table.
        column: String,
        /// Name in the file.
        first: String,
        /// Name in the file.
        second: String,
    },
    /// A file lacks a column, and the policy is to fail.
    #[error(
        "file {file} has no column {column}, and no default is declared for it; declare one, or set \
         onMissingColumn to UseDefault"
    )]
    MissingColumn {
        /// The file.
        file: String,
        /// Name in the table, or the path of a part of a STRUCT.
        column: String,
    },
    /// A file lacks a NOT NULL column, and there is nothing to put in its place.
    #[error("file {file} has no column {column}, which is NOT NULL and has no default; declare a default")]
    MissingNotNull {
        /// The file.
        file: String,
        /// Name in the table.
        column: String,
    },
    /// No value of the file's type can become a value of the table's.
    #[error("file {file}, column {column}: {from} cannot become {to}; declare the column with another type")]
    Uncastable {
        /// The file.
        file: String,
        /// Name in the table, or the path of a part of a nested column.
        column: String,
        /// Type in the file.
        from: String,
        /// Type in the table.
        to: String,
    },
    /// The decoder cannot read a column that the table wants.
    #[error(
        "file {file}, column {column}: {reason}; leave the column out of the table, or write it with another type"
    )]
    Unsupported {
        /// The file.
        file: String,
        /// Name in the table.
        column: String,
        /// What the decoder says.
        reason: String,
    },
    /// A file has a column that the table does not, and the policy is to fail.
    #[error(
        "file {file} has a column {column} that the table does not have; add it to the table, set schemaDrift to \
         AddColumns, or to Ignore to leave it out"
    )]
    UnexpectedColumn {
        /// The file.
        file: String,
        /// Name in the file.
        column: String,
    },
    /// A file has a column that the table cannot get.
    #[error(
        "file {file}: column {column} cannot be added to the table: {reason}; rename it, declare it in the \
         table, or list the columns to load in `columns`"
    )]
    CannotAdd {
        /// The file.
        file: String,
        /// Name in the file.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two files disagree about a column that the table is to get.
    #[error(
        "column {column} is {first} and {second}, and no type holds both without loss; declare it in the table"
    )]
    NoCommonType {
        /// Name in the first file.
        column: String,
        /// Type so far, and the first file with the column.
        first: String,
        /// The type that does not fit, and its file.
        second: String,
    },
    /// A declared default does not fit its column.
    #[error("the default of column {column} does not fit {data_type}: {reason}")]
    InvalidDefault {
        /// Name in the table.
        column: String,
        /// Type in the table.
        data_type: String,
        /// What is wrong.
        reason: String,
    },
}

impl MappingError {
    /// Whether one file alone is at fault: it lacks a column, has one twice, or one of a type that cannot be
    /// taken. A column that the table does not have is none of it: `schemaDrift` says what follows.
    pub fn is_of_file(&self) -> bool {
        matches!(
            self,
            Self::AmbiguousColumn { .. }
                | Self::MissingColumn { .. }
                | Self::MissingNotNull { .. }
                | Self::Uncastable { .. }
                | Self::Unsupported { .. }
        )
    }

    /// Stable name of the class of error.
    pub fn category(&self) -> &'static str {
        match self {
            Self::UnknownColumn { .. } => "UnknownColumn",
            Self::DuplicateColumn { .. } => "DuplicateColumn",
            Self::UnfedColumn { .. } | Self::MissingColumn { .. } | Self::MissingNotNull { .. } => {
                "MissingColumn"
            }
            Self::AmbiguousColumn { .. } => "AmbiguousColumn",
            Self::Uncastable { .. } => "TypeMismatch",
            Self::Unsupported { .. } => "UnsupportedType",
            Self::UnexpectedColumn { .. } => "UnexpectedColumn",
            Self::CannotAdd { .. } | Self::NoCommonType { .. } => "CannotAddColumn",
            Self::InvalidDefault { .. } => "InvalidDefault",
        }
    }
}

/// A batch cannot be converted: the fault is not one row's.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The batch is not the projection that the mapping asked for.
    #[error("file {file}: the decoder gave {found} columns, the mapping asked for {expected}")]
    Projection {
        /// The file.
        file: String,
        /// Columns of the batch.
        found: usize,
        /// Columns of the projection.
        expected: usize,
    },
    /// The types of the batch are not those the mapping was made for, or a default does not fit.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// Arrow refused: a column of one batch holds more than 2 GiB of text, for example.
    #[error("file {file}, column {column}: {error}")]
    Arrow {
        /// The file.
        file: String,
        /// Name in the table.
        column: String,
        /// What Arrow said.
        error: ArrowError,
    },
    /// An expression has no values for a batch.
    #[error("file {file}: {error}")]
    Expression {
        /// The file.
        file: String,
        /// The expression and what is wrong.
        error: Box<ExpressionError>,
    },
    /// The system has no randomness for `uuid()`.
    #[error("cannot make uuid() for column {column}: {error}")]
    Random {
        /// Name in the table.
        column: String,
        /// What the system said.
        error: getrandom::Error,
    },
}

impl ConvertError {
    /// Stable name of the class of error.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Projection { .. } => "DecoderMismatch",
            Self::Mapping(error) => error.category(),
            Self::Arrow { .. } => "BatchTooLarge",
            Self::Expression { error, .. } => error.category(),
            Self::Random { .. } => "NoRandomness",
        }
    }
}
