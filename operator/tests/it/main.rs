//! Tests of the operator against the files that are installed and the pages that describe it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod kstatus;
mod pages;
mod rights;
