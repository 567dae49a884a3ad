//! The operator: one controller a kind, each in five steps (dereference, validate, build, apply, status).
//!
//! It holds no data and reads no Secret. Whether rows are in a table is only ever taken from what a worker
//! reports, and a worker takes it from the table's log.

pub mod apply;
pub mod args;
pub mod client;
pub mod config;
pub mod context;
pub mod controllers;
pub mod error;
pub mod events;
pub mod health;
pub mod holds;
pub mod leader;
pub mod loadjob;
pub mod metrics;
pub mod names;
pub mod pipe;
pub mod pod;
pub mod progress;
pub mod runner;
pub mod seen;
pub mod table;
pub mod writes;
