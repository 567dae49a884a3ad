//! From the columns of a file to the columns of the table: which column feeds which ([`FileMapping`]),
//! how a value of one type becomes a value of another ([`Converter`]), and which rows do not fit
//! ([`RejectedRow`](crate::rows::RejectedRow)).
//!
//! The rules are our own, not those of Arrow's casts: the same text gives the same value on every host, in
//! every zone and in every build, and what does not fit is counted and never becomes a silent NULL:
//!
//! - A value that cannot be cast filters its row in strict mode, else it becomes NULL (and filters its row
//!   if the column is NOT NULL).
//! - Text longer than `VARCHAR(n)`, `CHAR(n)` or `VARBINARY(n)` (n counts bytes), JSON over 16 MiB, bytes
//!   that are not UTF-8 in a text column and NULL in a NOT NULL column filter the row in both modes.
//! - Fractions are cut toward zero on the way to an integer, and rounded half up (away from zero) on the way
//!   to a DECIMAL. A FLOAT or DOUBLE becomes a DECIMAL through its shortest decimal text: `1.005` is 1.005.
//! - An instant (a timestamp with a zone, text with `Z` or an offset) becomes a DATETIME in the request's
//!   zone; a timestamp without a zone stays as it is.
//! - Within a nested value the same rules hold for each part; a part that filters filters the whole row.

mod binary;
mod boolean;
mod cast;
mod column;
mod converter;
mod decimal;
mod default;
mod derived;
mod dictionary;
mod error;
mod float;
mod infer;
mod integer;
mod json;
mod map;
mod mapping;
mod nested;
mod parse;
mod pattern;
mod quality;
mod text;
mod time;
mod type_name;

pub use converter::{Converted, Converter, Rules};
pub use default::check_default;
pub use derived::{Derived, Expressions, Input, as_type};
pub use error::{ConvertError, MappingError};
pub use infer::{column_type, common_type, reads_as};
pub use longshore_expression::zone::{Zone, ZoneError};
pub use mapping::{FileColumns, FileMapping, Filling, check_columns};
pub use type_name::type_name;

#[cfg(test)]
mod tests;
