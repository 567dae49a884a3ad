//! Which format a file has, and opening it.

use std::sync::Arc;

use longshore_crds::source::{Format, Source};
use longshore_storage::schema::TableSchema;

use super::{DataFile, DecodeError, ParquetFile};
use crate::source::ReadObject;

/// What decides how a file is read, beside its bytes.
#[derive(Debug, Clone, Copy)]
pub struct FileContext<'a> {
    /// The source that names the file: format, columns, expressions.
    pub source: &'a Source,
    /// The table that takes the rows: formats without names or types take them from there.
    pub table: &'a Arc<TableSchema>,
}

/// Opens a file: by the format that its source states, else by its suffix. Blocks.
///
/// # Errors
/// [`DecodeError::UnknownFormat`] if neither tells, [`DecodeError::WrongFormat`] if the bytes are of another
/// format; what the format's own reader finds.
pub fn open(object: Arc<dyn ReadObject>, context: FileContext<'_>) -> Result<Arc<dyn DataFile>, DecodeError> {
    match &context.source.format {
        None | Some(Format::Parquet(_)) => Ok(Arc::new(ParquetFile::open(object)?)),
        Some(_) => Err(DecodeError::UnknownFormat { file: object.name().to_owned() }),
    }
}
