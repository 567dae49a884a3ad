//! Compaction: fewer segments, the same rows, whatever happens beside it.

mod beside_others;
mod faults;
mod rows;
pub mod support;
