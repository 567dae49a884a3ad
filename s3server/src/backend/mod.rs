//! The objects and the S3 operations on them.

mod bucket;
mod conditions;
mod content;
pub(crate) mod digest;
mod journal;
pub(crate) mod key_range;
mod list_operations;
mod listing;
pub(crate) mod object;
mod operations;
mod plain_files;
pub(crate) mod store;

pub(crate) use operations::{ActiveFault, Backend};
