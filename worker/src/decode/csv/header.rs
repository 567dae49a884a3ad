//! The first record of a file: names, or how many fields there are.

use std::sync::Arc;

use longshore_crds::format::CsvOptions;

use super::columns::text_column;
use super::dialect::Dialect;
use super::split::splitter;
use super::tokens::{Fault, Mismatch, Shape, tokenize};
use crate::decode::DecodeError;
use crate::decode::text::{Block, BlockCutter, Codec, Cut, StreamLimits, TextStream};
use crate::source::ReadObject;

/// Bytes fetched at once by the stream that reads a header; it goes on to the end of the file.
const HEADER_BYTES: usize = 256 << 10;

/// The names in the first record, `None` in a file without any; and the stream behind it.
pub(super) fn read_header(
    object: &Arc<dyn ReadObject>,
    codec: Codec,
    dialect: &Dialect,
) -> Result<(Option<Vec<String>>, BlockCutter), DecodeError> {
    let mut cutter = cutter(object, codec, dialect);
    let names = match first_block(&mut cutter)? {
        None => None,
        Some(block) => {
            Some(header_names(&block.bytes, dialect).map_err(|reason| invalid(cutter.file(), reason))?)
        }
    };
    Ok((names, cutter))
}

/// Fields of the first record that is not blank, behind those that are skipped; `None`: there is none.
///
/// # Errors
/// Options that cannot be used, a record that cannot be read; those of reading.
pub fn fields_of_first_record(
    object: &Arc<dyn ReadObject>,
    options: &CsvOptions,
    codec: Codec,
) -> Result<Option<usize>, DecodeError> {
    let dialect = Dialect::of(options).map_err(|error| invalid(object.name(), error.to_string()))?;
    let mut cutter = cutter(object, codec, &dialect);
    cutter.skip(u64::from(options.skip_header))?;
    while let Some(block) = first_block(&mut cutter)? {
        let fields = width(&block.bytes, &dialect).map_err(|reason| invalid(cutter.file(), reason))?;
        if fields.is_some() {
            return Ok(fields);
        }
    }
    Ok(None)
}

fn cutter(object: &Arc<dyn ReadObject>, codec: Codec, dialect: &Dialect) -> BlockCutter {
    let stream = TextStream::open(object, codec, StreamLimits::of(HEADER_BYTES, HEADER_BYTES));
    BlockCutter::new(stream, splitter(dialect), dialect.max_record_bytes)
}

fn first_block(cutter: &mut BlockCutter) -> Result<Option<Block>, DecodeError> {
    match cutter.first_record()? {
        None => Ok(None),
        Some(Cut::Block(block)) => Ok(Some(block)),
        Some(Cut::TooLong { length, .. }) => {
            let reason = format!("its first record has {length} bytes, more than maxRecordBytes");
            Err(invalid(cutter.file(), reason))
        }
    }
}

fn invalid(file: &str, reason: String) -> DecodeError {
    DecodeError::InvalidFile { file: file.to_owned(), format: "CSV", reason }
}

/// Fields of a record; `None`: it is a blank line.
fn width(record: &[u8], dialect: &Dialect) -> Result<Option<usize>, String> {
    let tokens = tokenize(record, dialect, Shape { expected: 1, mismatch: Mismatch::Filter });
    match tokens.faults.first() {
        None => Ok((!tokens.rows.is_empty()).then_some(1)),
        Some((_, Fault::ColumnCount(found))) => Ok(Some(*found)),
        Some((_, fault)) => Err(format!("its first record cannot be read: {}", fault.message(1))),
    }
}

/// The fields of a header. Blanks around a name are no part of it.
fn header_names(record: &[u8], dialect: &Dialect) -> Result<Vec<String>, String> {
    let width = width(record, dialect)?.ok_or("its header is a blank line")?;
    let tokens = tokenize(record, dialect, Shape { expected: width, mismatch: Mismatch::Filter });
    let name = |column| {
        let text = text_column(record, &tokens, (column, width), 0..1, dialect).map_err(|e| e.to_string())?;
        let text = arrow::array::AsArray::as_string::<i32>(&text).iter().next().flatten().unwrap_or_default();
        Ok(text.trim().to_owned())
    };
    (0..width).map(name).collect()
}
