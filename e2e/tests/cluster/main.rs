//! Tests on a real Kubernetes. They are ignored without one: `make e2e` starts a cluster and runs them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bed;
mod definitions;
mod ends;
mod faults;
mod from_files;
mod harness;
mod image;
mod install;
mod loads;
mod many;
mod pipes;
mod quality;
mod rights;
mod table;
