//! Integration tests of the worker: one binary, a module a part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bad_input;
mod columnar;
mod crash;
mod decode;
mod equal_rows;
mod formats;
mod http;
mod infer;
mod load;
mod oracles;
mod pipe;
mod process;
mod real_files;
mod refused;
mod source;
mod table_task;
mod volume;
mod world;
mod zones;
