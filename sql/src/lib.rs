//! Queries over the tables of a data directory, over files, and over what became of loads.
//!
//! An [`Engine`] answers one statement at a time: it reads the names in the text, opens what they stand for
//! as it is now, and hands both to DataFusion with the functions of [`longshore_expression`]. Nothing is
//! written: a statement is a query.

mod engine;
mod error;
mod files;
mod filter;
mod ledgers;
mod output;
mod pipe_files;
mod pipes;
mod statement;
mod table;
mod views;

pub use engine::{Engine, Options, Rows};
pub use error::SqlError;
pub use ledgers::Pipes;
pub use output::{Form, write_parquet, write_text};
