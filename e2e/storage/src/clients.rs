//! Two processes on one folder, each through its own client of a network volume: a FUSE layer that remembers
//! absent names and old listings, and loses replies; or mounts that are there already.

mod caches;
mod calls;
mod faults;
mod layer;
mod operations;
mod orders;
mod process;
mod rounds;
mod worker;

pub use rounds::{ClientsOptions, run};
pub use worker::obey;
