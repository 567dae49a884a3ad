//! Listing and reading against three servers: the embedded one, moto, and one that answers as written.

mod access;
mod canned;
mod canned_answers;
mod contract;
mod embedded;
mod faults;
mod listing;
mod moto;
mod support;
