//! `DECIMAL(10,2)`, `ARRAY<INT>`, `STRUCT<a INT, b STRING>`: the text form of a type.

use super::DataType;

/// A type's text that is not one of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TypeError {
    message: String,
}

impl DataType {
    /// Reads a type as a user writes it, regardless of case and blanks.
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        Err(TypeError { message: format!("{text} is not a type") })
    }
}
