//! Checkpoints: the state of a version in one Parquet file, as the Delta protocol lays it out.
//!
//! Actions of a kind stand together, the numbers (`txn`) in order of their names, each kind in row groups of
//! its own. So a writer that needs the schema and its own number reads a few pages of a large file.

mod columns;
mod read;
mod rows;
mod write;

pub(crate) use read::{read_base, read_through, read_txn};
pub(crate) use read::{visit_adds, visit_removes, visit_txns};
pub(crate) use write::{CheckpointWriter, Written, count_rows};
