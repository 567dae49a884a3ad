//! The command line as a person uses it: the built program, its words and its exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod apply;
mod files;
mod help;
mod kubectl;
mod load;
mod manifests;
mod pipe;
mod plan;
mod program;
mod sql;
mod table;
