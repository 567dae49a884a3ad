//! What the loop of a pipe decides, without doing any of it: which files make the next batch, when a file is
//! tried again, when the source is listed and from where.

pub mod batches;
pub mod rounds;
pub mod waits;
