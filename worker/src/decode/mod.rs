//! Decoding: the bytes of an object become Arrow record batches of the file's own types.
//!
//! [`open`] chooses the format and gives a [`DataFile`]: its columns are known. [`DataFile::parts`] cuts it into
//! [`Part`]s, in order: row groups, stripes, blocks of whole records. Any thread decodes a part, batch by batch.

mod avro;
pub mod csv;
mod error;
mod fetch;
mod file;
#[cfg(test)]
pub(crate) mod fuzz;
pub mod json;
mod magic;
mod open;
mod orc;
pub mod parquet;
mod stored;
pub mod text;

pub use avro::AvroFile;
pub use error::DecodeError;
pub use file::{BatchReader, DataFile, Decoded, Part, Parts, Read};
pub use open::{FileContext, csv_fields, format_of_name, open};
pub use orc::OrcFile;
pub use parquet::{
    EXTENSION_BSON, EXTENSION_INTERVAL, EXTENSION_JSON, EXTENSION_KEY, EXTENSION_UUID, ParquetFile,
    ReadOptions, RowGroupReader, UNSUPPORTED_KEY,
};
