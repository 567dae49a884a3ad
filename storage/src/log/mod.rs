//! The table log.

pub mod stats;
