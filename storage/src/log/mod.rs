//! The table log: Delta Lake's, written and read by our own code (design §10, `docs/table-format.md`).
//!
//! From the bottom up: `folder` knows the names, `commit_file` reads one version, `put` makes one,
//! `head` is a reader's place in the log with what it must know there, and retries a commit over others'.

pub(crate) mod actions;
pub(crate) mod checkpoint;
pub(crate) mod claim;
mod clean;
pub(crate) mod commit_file;
pub(crate) mod compatible;
pub mod conflict;
pub(crate) mod delta_schema;
mod error;
pub(crate) mod files;
pub(crate) mod folder;
pub(crate) mod follow;
pub(crate) mod head;
mod lines;
pub(crate) mod names;
mod new_checkpoint;
pub(crate) mod protocol;
pub(crate) mod put;
pub mod stats;

pub(crate) use clean::clean;
pub use clean::{CleanOptions, CleanOutcome};
pub use error::{ClaimError, CommitError, TableError};
