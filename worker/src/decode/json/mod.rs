//! JSON: documents a line, concatenated or in one array, whose objects become rows.
//!
//! The text is cut into blocks of whole documents in order; a block is scanned once, without a tree: each
//! value is checked and passed over, and where a key is wanted its place is kept. A document that is sound to
//! its end gives its values to the columns as text, numbers with all the digits that were written; only parts
//! of nested columns are looked at a second time.

mod block;
mod builder;
mod fault;
mod file;
mod layout;
mod number;
mod path;
mod record;
mod scan;
mod split;
mod text;
mod values;

pub use file::JsonFile;
pub use record::{Absent, JsonColumn};
pub use values::{JsonKey, JsonValues};

#[cfg(test)]
mod tests;
