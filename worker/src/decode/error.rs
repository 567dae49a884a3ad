//! Why a file could not be decoded.

use crate::source::SourceError;

/// Why a file could not be decoded. Every message names the file, what in it is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The file is not a whole Parquet file: no magic, a truncated or damaged footer, an encrypted one.
    #[error(
        "file {file}: cannot be read as Parquet: {reason}; check that it was uploaded whole, or leave it out"
    )]
    InvalidParquet {
        /// Name of the object.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The footer is sound, but the pages of a column do not hold what it promises.
    #[error(
        "file {file}, row group {row_group}, column {column:?}: damaged data: {reason}; write the file again, or leave it out"
    )]
    CorruptPage {
        /// Name of the object.
        file: String,
        /// Row group, counted from 0.
        row_group: usize,
        /// Column of the file.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A page or a column uses an encoding or a codec that cannot be decoded.
    #[error(
        "file {file}, row group {row_group}, column {column:?}: {encoding} cannot be decoded; write the column with another encoding, or do not load it"
    )]
    UnsupportedEncoding {
        /// Name of the object.
        file: String,
        /// Row group, counted from 0.
        row_group: usize,
        /// Column of the file.
        column: String,
        /// The encoding or codec.
        encoding: String,
    },
    /// A column that is to be read has a type with no counterpart.
    #[error(
        "file {file}, column {column:?}: {reason}; convert the column before the load, or do not load it"
    )]
    UnsupportedType {
        /// Name of the object.
        file: String,
        /// Column of the file.
        column: String,
        /// The type, and why it is refused.
        reason: String,
    },
    /// The dictionary and one page of a column do not fit in the memory of this reader.
    #[error(
        "file {file}, row group {row_group}, column {column:?}: needs {needed} bytes of memory to decode one page with its dictionary, and {budget} are given; give the worker more memory, or write the file with smaller pages"
    )]
    MemoryBudgetTooSmall {
        /// Name of the object.
        file: String,
        /// Row group, counted from 0.
        row_group: usize,
        /// Column of the file.
        column: String,
        /// Bytes that would do.
        needed: u64,
        /// Bytes that are given.
        budget: u64,
    },
    /// The file is of another format than stated, or than its suffix says.
    #[error(
        "file {file}: is not {format}: {found}; state its format under sources[].format, or leave it out"
    )]
    WrongFormat {
        /// Name of the object.
        file: String,
        /// The format that was expected.
        format: &'static str,
        /// What its first bytes are.
        found: String,
    },
    /// The format of a file is not known: no suffix tells, and none is stated.
    #[error(
        "file {file}: its name does not tell its format; state one under sources[].format, for instance csv: {{}}"
    )]
    UnknownFormat {
        /// Name of the object.
        file: String,
    },
    /// The file as a whole cannot be read: a damaged header or footer, an encrypted or truncated file.
    #[error(
        "file {file}: cannot be read as {format}: {reason}; check that it was uploaded whole, or leave it out"
    )]
    InvalidFile {
        /// Name of the object.
        file: String,
        /// The format.
        format: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A part of the file does not hold what it promises.
    #[error("file {file}, {place}: damaged data: {reason}; write the file again, or leave it out")]
    Damaged {
        /// Name of the object.
        file: String,
        /// Where: `stripe 3, column "a"`, `byte 1024`.
        place: String,
        /// What is wrong there.
        reason: String,
    },
    /// A part of the file does not fit in the memory of its reader.
    #[error(
        "file {file}, {place}: needs {needed} bytes of memory, and {budget} are given; give the worker more memory, or write the file in smaller parts"
    )]
    PartTooLarge {
        /// Name of the object.
        file: String,
        /// Where: `stripe 3, column "a"`, `block at byte 1024`.
        place: String,
        /// Bytes that are needed, as far as that is known.
        needed: u64,
        /// Bytes that are given.
        budget: u64,
    },
    /// A record is refused by a policy that fails the load.
    #[error("file {file}, record {row} at byte {byte_offset}: {reason}")]
    RefusedRecord {
        /// Name of the object.
        file: String,
        /// Number of the record, from 1.
        row: u64,
        /// Where it begins, bytes from the beginning of the (decompressed) file.
        byte_offset: u64,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The bytes could not be fetched.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl DecodeError {
    /// Stable name of the kind of error.
    pub fn category(&self) -> &'static str {
        match self {
            Self::InvalidParquet { .. } => "InvalidParquet",
            Self::CorruptPage { .. } => "CorruptPage",
            Self::UnsupportedEncoding { .. } => "UnsupportedEncoding",
            Self::UnsupportedType { .. } => "UnsupportedType",
            Self::MemoryBudgetTooSmall { .. } | Self::PartTooLarge { .. } => "MemoryBudgetTooSmall",
            Self::WrongFormat { .. } => "WrongFormat",
            Self::UnknownFormat { .. } => "UnknownFormat",
            Self::InvalidFile { .. } => "InvalidFile",
            Self::Damaged { .. } => "DamagedFile",
            Self::RefusedRecord { .. } => "RefusedRecord",
            Self::Source(source) => source.category(),
        }
    }
}

/// Where in a file something stands: what an error of that place has to name.
#[derive(Debug, Clone)]
pub(in crate::decode) struct Place {
    pub file: String,
    pub row_group: usize,
    pub column: String,
}

impl Place {
    /// The pages of this column are damaged.
    pub fn corrupt(&self, reason: impl Into<String>) -> DecodeError {
        DecodeError::CorruptPage {
            file: self.file.clone(),
            row_group: self.row_group,
            column: self.column.clone(),
            reason: reason.into(),
        }
    }

    /// This column uses what cannot be decoded.
    pub fn unsupported_encoding(&self, encoding: impl Into<String>) -> DecodeError {
        DecodeError::UnsupportedEncoding {
            file: self.file.clone(),
            row_group: self.row_group,
            column: self.column.clone(),
            encoding: encoding.into(),
        }
    }

    /// `needed` bytes are more than the budget.
    pub fn too_small(&self, needed: u64, budget: u64) -> DecodeError {
        DecodeError::MemoryBudgetTooSmall {
            file: self.file.clone(),
            row_group: self.row_group,
            column: self.column.clone(),
            needed,
            budget,
        }
    }
}

/// Runs a step of the decoder; a panic in it (damaged data may cause one) becomes the text of an error.
pub(in crate::decode) fn shielded<T>(step: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)).map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "unknown cause".to_owned());
        format!("the decoder gave up: {text}")
    })
}
