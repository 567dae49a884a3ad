//! ORC: stripes of columns of streams.
//!
//! [`OrcFile::open`] reads the tail. Its parts are stripes. A stripe's streams are asked for together in few
//! large fetches, or, if they do not fit in the budget, through windows; each is decompressed block by block
//! while it is decoded. No memory is taken for what bytes only claim: a block is at most as long as the
//! postscript says (8 MiB at most), a dictionary grows while it is read, and the arrays of a batch are counted
//! before they are made. A batch that would be too large is begun again with fewer rows, down to one.
//!
//! TIMESTAMP is the local time of the writer, whose zone stands in the stripe's footer: what its wall clock
//! showed is what the column holds. TIMESTAMP_INSTANT is an instant. Both are cut to microseconds.

mod bits;
mod codec;
mod column;
mod decimal;
mod fault;
mod file;
mod integer;
mod layout;
mod memory;
mod protobuf;
mod reader;
mod schema;
mod slots;
mod stream;
mod streams;
mod tail;
mod text;
mod time;

pub use file::OrcFile;
