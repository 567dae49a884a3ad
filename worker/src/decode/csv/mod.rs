//! CSV: records of fields between separators, with or without enclosure and escape.
//!
//! The text is cut into blocks of whole records in order (`split`); a block is taken apart into
//! fields by `tokenize`, in one pass that looks at 64 bytes at a time where separators are single bytes,
//! and the fields wanted become columns of text (`text_column`). Fields are copied once, values that need
//! no change are never looked at again.

mod columns;
mod dialect;
mod field;
mod file;
mod general;
mod header;
mod plain;
mod quoted;
mod quoted_split;
mod specials;
mod split;
mod tokens;

pub use dialect::Dialect;
pub use file::CsvFile;
pub use header::fields_of_first_record;

#[cfg(test)]
mod tests;
