//! SQL expressions over record batches: the `set` and `where` of a load.
//!
//! A [`Compiler`] knows the columns that an expression may name; it turns text into an [`Expression`]:
//! checked, typed, with its constants folded, ready for any number of batches and threads. There is no
//! session, no catalog and no scan: an expression sees one row at a time.
//!
//! The language is that of StarRocks (a dialect of MySQL's): names regardless of case, text in single or
//! double quotes, names in backquotes, `/` of two integers is no integer. What has no value is NULL, row by
//! row: a division by zero, a cast that fails, a number out of range, a date that does not exist. No row
//! stops the rows around it.
//!
//! The functions ([`functions`]) are DataFusion's scalar functions, so that a query engine can register the
//! same.

mod access;
mod calls;
mod cast;
mod comparisons;
mod compile;
pub mod datetime;
mod dialect;
mod error;
mod evaluate;
pub mod functions;
mod literal;
mod operators;
mod parse;
mod scope;
mod suggest;
mod translate;
mod types;
pub mod zone;

#[cfg(test)]
mod tests;

pub use compile::{Compiler, check_condition_text, check_text, named_columns};
pub use error::{ExpressionError, Problem};
pub use evaluate::Expression;
pub use scope::Column;
