//! Compaction: small segments of one tablet become one large one, without a change to any row (design §10).
//!
//! [`Candidates`] decides what is worth merging; [`Compactor`] merges it and commits, several tablets at a
//! time. Readers and loads go on meanwhile: a commit that removes one of the inputs makes the work void,
//! nothing else does.

mod compactor;
mod error;
mod input;
mod merge;
mod output;
mod plan;

pub use compactor::{CompactionOptions, CompactionReport, Compactor};
pub use error::CompactionError;
pub use plan::{Candidates, Group, PlanOptions};
