//! The functions: our own by StarRocks' names and rules, and DataFusion's for arrays, maps and structs.

mod base64;
pub(crate) mod calendar;
mod call;
mod conditional;
mod datetime;
mod datetime_arithmetic;
mod definition;
mod digest;
mod identity;
mod joda;
mod json;
mod json_build;
mod json_path;
mod map;
mod math;
mod nested;
mod regex;
mod registry;
#[cfg(test)]
mod tests;
mod text;
mod text_search;
mod time_format;
mod url;

pub use definition::{Definition, Kind, Returns, Session};
pub use nested::Nested;
pub(crate) use registry::{Named, refusal};
pub use registry::{Registry, definitions, document};
