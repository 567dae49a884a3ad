//! Avro object container files: a header with the schema, then blocks of records between sync markers.
//!
//! [`AvroFile::open`] reads the header. The file is cut one time, in order, into runs of whole blocks: a
//! block's count and size are held against the file and the budget before memory is taken, and the marker
//! behind it has to be the file's. Any thread decompresses and decodes a run, record by record; columns that
//! are not asked for are passed over.
//!
//! A column whose type has no counterpart (a union of several types, a type that contains itself) is refused
//! alone, when it is read; the others are read all the same.

mod codec;
mod column;
mod cursor;
mod file;
mod header;
mod node;
mod parts;
mod reader;
mod schema;
mod values;

pub use file::AvroFile;
