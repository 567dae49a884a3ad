//! Why a document is no row.

use super::scan::MAX_DEPTH;

/// Why a document is no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not JSON; the offset in the block.
    Malformed(usize),
    /// Objects and arrays in one another, deeper than [`MAX_DEPTH`].
    TooDeep,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// Longer than the limit.
    TooLong,
    /// An array, and `stripOuterArray` is not set.
    Array,
    /// A number, a string, a truth value or null where an object is wanted.
    NotAnObject,
    /// `jsonRoot` leads nowhere.
    NoRoot,
    /// The value of a column cannot be a nested value of its type.
    Mismatch(usize),
}

impl Fault {
    /// Stable code, as rejected rows carry it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Malformed(_) => "InvalidJson",
            Self::TooDeep => "NestedTooDeep",
            Self::InvalidUtf8 => "InvalidUtf8",
            Self::TooLong => "RecordTooLong",
            Self::Array | Self::NotAnObject => "NotAnObject",
            Self::NoRoot => "NoJsonRoot",
            Self::Mismatch(_) => "ParseError",
        }
    }

    /// What is wrong; `start`: offset of the document in its block.
    pub(super) fn message(self, start: usize) -> String {
        match self {
            Self::Malformed(at) => {
                format!("the document is not JSON from its byte {} on", at.saturating_sub(start) + 1)
            }
            Self::TooDeep => format!("values are nested more than {MAX_DEPTH} deep"),
            Self::InvalidUtf8 => "the bytes are not UTF-8".to_owned(),
            Self::TooLong => "the document is longer than maxRecordBytes".to_owned(),
            Self::Array => "the document is an array; set stripOuterArray to load its elements".to_owned(),
            Self::NotAnObject => "the document is not an object".to_owned(),
            Self::NoRoot => "jsonRoot leads to no value in the document".to_owned(),
            Self::Mismatch(_) => "the value has not the shape of the column's type".to_owned(),
        }
    }
}
