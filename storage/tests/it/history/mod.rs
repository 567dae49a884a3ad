//! Folding of the history: what counts stays, whoever folds and wherever it ends.

mod faults;
mod folding;
mod many;
mod races;
pub mod support;
