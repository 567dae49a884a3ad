//! Tests of the crate from outside, in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::unwrap_in_result, clippy::panic, missing_docs)]

mod clean;
mod compact;
mod history;
mod ledger;
mod log;
mod mix;
mod power;
mod tablet;
mod vacuum;
mod verify;
