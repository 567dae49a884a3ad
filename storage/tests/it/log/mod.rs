//! The log: creating, claiming, committing, checkpoints, and what a broken volume does to them.

mod checkpoints;
mod claims;
mod conflicts;
mod faults;
pub mod faulty;
mod folders;
mod foreign_checkpoints;
mod model;
mod opening;
mod partitions;
mod races;
mod scale;
pub mod support;
