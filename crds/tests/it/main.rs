//! Tests of the API types as an apiserver sees them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod generated;
mod pipe;
mod request;
mod rules;
