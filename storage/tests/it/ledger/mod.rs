//! The file ledger of a pipe.

mod damage;
mod epochs;
mod model;
mod rebuild;
pub mod support;
