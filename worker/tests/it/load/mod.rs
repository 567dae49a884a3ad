//! Loads end to end: S3 over HTTP, files on disk, the driver that a pod runs.

mod atomicity;
mod close;
mod columns;
mod drift;
mod identity;
mod overwrite;
mod partitions;
mod paths;
mod quality;
mod types;
