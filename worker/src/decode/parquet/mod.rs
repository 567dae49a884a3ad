//! Parquet: a part is a row group.
//!
//! [`ParquetFile::open`] reads the footer, [`ParquetFile::read`] decodes one row group. A column chunk is
//! read page by page through windows of ranges, never as a whole unless it fits; every page's header is
//! checked against the footer and against the budget before memory is taken for the page, and a panic of
//! the decoder on damaged data becomes an error. Three layouts share out a reader's budget, the first that
//! fits is taken:
//!
//! 1. *whole*: all chunks of the row group are asked for at once, near ones together;
//! 2. *windows*: each chunk has two windows of 64 KiB to 8 MiB, one in use and one on its way;
//! 3. *slices*: for wide files whose pages together exceed the budget. Columns are decoded one after the
//!    other, for one (small) batch at a time, and each begins again at the page where the batch begins: a
//!    page is fetched and decompressed as often as batches touch it, a dictionary once a batch, and a
//!    column with lists or several leaves is read from its beginning for every batch. A 2,000-column file
//!    fits in 64 MiB so. A reader that meets larger pages than usual writers make goes on in slices by
//!    itself.
//!
//! What does not fit even so (one column's dictionary with its largest page in 5/8 of the budget) fails
//! with [`DecodeError::MemoryBudgetTooSmall`](crate::decode::DecodeError::MemoryBudgetTooSmall): before any row is given if the dictionary or the first page
//! is too large, else at the page.

mod column;
mod delta_guard;
mod file;
mod footer;
mod layout;
mod memory;
mod page_header;
mod pages;
mod parts;
mod plan;
mod row_group;
mod schema;
mod slices;
mod thrift;
mod windows;

pub use file::{ParquetFile, ReadOptions};
pub use row_group::RowGroupReader;
pub use schema::{
    EXTENSION_BSON, EXTENSION_INTERVAL, EXTENSION_JSON, EXTENSION_KEY, EXTENSION_UUID, UNSUPPORTED_KEY,
};
