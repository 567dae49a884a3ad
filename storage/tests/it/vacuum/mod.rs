//! Vacuum: what no one can need goes, and nothing else.

mod beside_others;
mod documents;
mod faults;
mod segments;
pub mod support;
