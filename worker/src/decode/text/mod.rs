//! What the text formats share: the bytes of an object, fetched ahead and decompressed as a stream
//! ([`TextStream`]), cut one time and in order into blocks of whole records ([`BlockCutter`]) that any thread
//! can parse.
//!
//! Where a record ends is the format's own matter ([`Splitter`]). A block knows the number and the offset of
//! its first record, so that a record is named rightly however many threads read the file.

mod block;
mod codec;
mod cutter;
mod hadoop;
mod lz4;
mod parts;
mod ranges;
mod refused;
mod split;
mod stream;
mod strings;

pub use block::{Block, BlockRecords, RAW_RECORD_BYTES, Span};
pub use codec::Codec;
pub use cutter::{BlockCutter, Cut};
pub use parts::{BlockFormat, TextParts};
pub use split::{LineSplitter, Splitter};
pub use stream::{StreamLimits, TextStream};
pub use strings::{TextBuilder, validity};

#[cfg(test)]
mod tests;
