//! Loads end to end: S3 over HTTP, files on disk, the driver that a pod runs.

mod atomicity;
mod close;
mod codecs;
mod columns;
mod csv;
mod drift;
mod dry_run;
mod expressions;
mod identity;
mod json;
mod manifest;
mod overwrite;
mod partitions;
mod paths;
mod quality;
mod skip;
mod types;
