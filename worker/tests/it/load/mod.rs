//! Loads end to end: S3 over HTTP, files on disk, the driver that a pod runs.

mod atomicity;
mod close;
pub mod codecs;
mod columns;
pub mod csv;
mod drift;
mod dry_run;
mod expressions;
mod identity;
pub mod json;
mod manifest;
mod overwrite;
mod partitions;
mod paths;
pub mod quality;
mod skip;
mod types;

pub use quality::rejected;
