//! The file ledger of a pipe.

mod damage;
mod epochs;
mod model;
mod rebuild;
mod settled;
pub mod support;
