//! Cleaning of the log: what it leaves tells all that was told before.

mod faults;
mod paused;
mod rules;
mod support;
