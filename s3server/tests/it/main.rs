//! The server under an AWS SDK client.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod access;
mod assume_role;
mod conditions;
mod faults;
mod listing;
mod objects;
mod process;
mod support;
