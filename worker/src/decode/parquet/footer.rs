//! The footer of a Parquet file: found, checked and parsed.

use super::thrift::{Kind, Walker};
use crate::decode::error::{DecodeError, shielded};
use crate::source::ReadObject;
use bytes::Bytes;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};

/// Bytes of the tail that are fetched at once, in the hope that the whole footer lies in them.
const TAIL_BYTES: u64 = 64 * 1024;
/// Length of the footer, then the magic.
const TRAILER_BYTES: u64 = 8;
const MAGIC: &[u8] = b"PAR1";
const MAGIC_ENCRYPTED: &[u8] = b"PARE";

/// Reads, checks and parses the footer: one fetch, or two if it is longer than 64 KiB.
///
/// # Errors
/// `InvalidParquet` for whatever is not a whole Parquet file with a sound footer; what the source says.
pub(super) fn read_footer(object: &dyn ReadObject) -> Result<ParquetMetaData, DecodeError> {
    let invalid = |reason: String| DecodeError::InvalidParquet { file: object.name().to_owned(), reason };
    let size = object.size();
    if size < TRAILER_BYTES + MAGIC.len() as u64 {
        return Err(invalid(format!("it has {size} bytes, too few for a footer")));
    }
    let tail_start = size.saturating_sub(TAIL_BYTES);
    let tail = fetch_exactly(object, tail_start, size)?;
    let trailer = tail.slice(tail.len() - TRAILER_BYTES as usize..);
    let (length, magic) = trailer.split_at(4);
    if magic == MAGIC_ENCRYPTED {
        return Err(invalid("its footer is encrypted, and encrypted files are not supported".into()));
    }
    if magic != MAGIC {
        return Err(invalid("it does not end with the bytes PAR1".into()));
    }
    let length = length.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let end = size - TRAILER_BYTES;
    let room = end - MAGIC.len() as u64;
    if length == 0 || length > room {
        return Err(invalid(format!("its footer claims {length} bytes, and the file has room for {room}")));
    }
    let start = end - length;
    let footer = if start >= tail_start {
        tail.slice((start - tail_start) as usize..tail.len() - TRAILER_BYTES as usize)
    } else {
        fetch_exactly(object, start, end)?
    };
    Walker::new(&footer)
        .skip(Kind::Struct)
        .map_err(|_| invalid("its footer is damaged: a length in it is out of bounds".into()))?;
    let metadata = parse(&footer).map_err(&invalid)?;
    check(&metadata, start).map_err(&invalid)?;
    Ok(metadata)
}

/// The bytes of a range, all of them.
fn fetch_exactly(object: &dyn ReadObject, start: u64, end: u64) -> Result<Bytes, DecodeError> {
    let bytes = object.fetch(start..end).wait()?;
    if bytes.len() as u64 == end - start {
        return Ok(bytes);
    }
    Err(DecodeError::InvalidParquet {
        file: object.name().to_owned(),
        reason: format!("of the bytes {start} to {end} only {} came", bytes.len()),
    })
}

/// Statistics are left out: nothing here reads them, and in wide files they are most of the footer.
fn parse(footer: &[u8]) -> Result<ParquetMetaData, String> {
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    shielded(|| ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options)))?
        .map_err(|error| format!("its footer is damaged: {error}"))
}

/// Checks what the decoder takes for granted: every column chunk lies before the footer, and no count is
/// negative.
fn check(metadata: &ParquetMetaData, data_end: u64) -> Result<(), String> {
    let columns = metadata.file_metadata().schema_descr().num_columns();
    for (number, group) in metadata.row_groups().iter().enumerate() {
        if group.num_rows() < 0 {
            return Err(format!("row group {number} claims {} rows", group.num_rows()));
        }
        if group.num_columns() != columns {
            return Err(format!(
                "row group {number} has {} columns, the schema {columns}",
                group.num_columns()
            ));
        }
        for chunk in group.columns() {
            let name = chunk.column_path().string();
            let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
            let length = chunk.compressed_size();
            let inside = u64::try_from(start)
                .ok()
                .zip(u64::try_from(length).ok())
                .and_then(|(start, length)| start.checked_add(length))
                .is_some_and(|end| end <= data_end);
            if !inside {
                return Err(format!(
                    "row group {number}, column {name:?} claims {length} bytes at {start}, outside of the file"
                ));
            }
            if chunk.num_values() < 0 || chunk.uncompressed_size() < 0 || chunk.file_path().is_some() {
                return Err(format!("row group {number}, column {name:?} has damaged counts"));
            }
        }
    }
    Ok(())
}
