//! A model of the commit protocol, explored state by state.
//!
//! The log is a folder of names that are taken once; beside it are data files, plans, reports and batch
//! files. Actors (loaders, cancellers, pipes, vacuum, compaction, checkpoints and cleaning, schema changes,
//! readers) take atomic steps in any order, sleep between any two of them, and die in power cuts, which keep
//! any part of what was not synced. In every state that can be reached, within small bounds, the
//! [`invariants`] must hold; and each of the [`rules`] must be needed: with it switched off, one of them
//! breaks.
//!
//! `MODEL=states,walks` says how far each scenario is explored.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod actor;
mod actors;
mod columns;
mod commit;
mod conflicts;
mod exploration;
mod explore;
mod files;
mod guarantees;
mod invariants;
mod log;
mod matrix;
mod mutations;
mod rows;
mod rules;
mod scenarios;
mod world;
