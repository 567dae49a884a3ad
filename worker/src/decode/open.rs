//! Which format a file has, and opening it.

use std::sync::Arc;

use longshore_crds::format::{CsvOptions, Format, JsonOptions, TextCompression};
use longshore_crds::source::Source;
use longshore_storage::schema::{DefaultValue, TableSchema};

use super::csv::{self, CsvFile};
use super::json::{Absent, JsonColumn, JsonFile};
use super::magic::kind;
use super::text::Codec;
use super::{AvroFile, DataFile, DecodeError, OrcFile, ParquetFile};
use crate::select::named_columns;
use crate::source::ReadObject;

/// First bytes that are looked at to say what a file is.
const HEAD: u64 = 64;

/// What decides how a file is read, beside its bytes.
#[derive(Debug, Clone, Copy)]
pub struct FileContext<'a> {
    /// The source that names the file: format, columns, expressions.
    pub source: &'a Source,
    /// The table that takes the rows: formats without names or types take them from there.
    pub table: &'a Arc<TableSchema>,
    /// Whether a value that does not fit filters its row.
    pub strict: bool,
    /// The instant of CURRENT_TIMESTAMP, microseconds since the epoch.
    pub now_micros: i64,
}

/// Opens a file: by the format that its source states, whatever its name says (A22), else by its suffix.
/// Blocks.
///
/// # Errors
/// [`DecodeError::UnknownFormat`] if neither tells, [`DecodeError::WrongFormat`] if the bytes are of another
/// format; what the format's own reader finds. Text is looked at only when it is read.
pub fn open(object: Arc<dyn ReadObject>, context: FileContext<'_>) -> Result<Arc<dyn DataFile>, DecodeError> {
    let by_suffix;
    let format = match &context.source.format {
        Some(format) => format,
        None => {
            by_suffix = format_of_name(object.name())
                .ok_or_else(|| DecodeError::UnknownFormat { file: object.name().to_owned() })?;
            &by_suffix
        }
    };
    match format {
        Format::Parquet(_) => match ParquetFile::open(Arc::clone(&object)) {
            Ok(file) => Ok(Arc::new(file)),
            Err(error) => Err(explained(&*object, "Parquet", b"PAR1", error)),
        },
        Format::Csv(options) => open_csv(object, options, context),
        Format::Json(options) => open_json(object, options, context),
        Format::Orc(_) => match OrcFile::open(Arc::clone(&object)) {
            Ok(file) => Ok(Arc::new(file)),
            Err(error) => Err(explained(&*object, "ORC", b"ORC", error)),
        },
        Format::Avro(_) => match AvroFile::open(Arc::clone(&object)) {
            Ok(file) => Ok(Arc::new(file)),
            Err(error) => Err(explained(&*object, "Avro", b"Obj\x01", error)),
        },
    }
}

/// The format that the end of a name states, regardless of case; text formats may be compressed. Separators
/// and all other options are the defaults.
pub fn format_of_name(name: &str) -> Option<Format> {
    let (plain, codec) = Codec::of_name(name);
    let suffix = plain.rsplit('/').next()?.rsplit_once('.')?.1.to_ascii_lowercase();
    let compressed = codec != Codec::None;
    match suffix.as_str() {
        "parquet" | "parq" if !compressed => Some(Format::Parquet(Default::default())),
        "orc" if !compressed => Some(Format::Orc(Default::default())),
        "avro" if !compressed => Some(Format::Avro(Default::default())),
        "csv" | "tsv" | "txt" => Some(Format::Csv(CsvOptions::default())),
        "json" | "jsonl" | "ndjson" => Some(Format::Json(JsonOptions::default())),
        _ => None,
    }
}

/// The stated codec, or that of the name.
fn codec(name: &str, stated: TextCompression) -> Codec {
    match stated {
        TextCompression::Auto => Codec::of_name(name).1,
        TextCompression::None => Codec::None,
        TextCompression::Gzip => Codec::Gzip,
        TextCompression::Bzip2 => Codec::Bzip2,
        TextCompression::Zstd => Codec::Zstd,
        TextCompression::Lz4 => Codec::Lz4,
        TextCompression::Deflate => Codec::Deflate,
        TextCompression::Snappy => Codec::Snappy,
    }
}

fn open_csv(
    object: Arc<dyn ReadObject>,
    options: &CsvOptions,
    context: FileContext<'_>,
) -> Result<Arc<dyn DataFile>, DecodeError> {
    let codec = codec(object.name(), options.compression);
    Ok(Arc::new(CsvFile::open(object, options, codec, names(context))?))
}

fn open_json(
    object: Arc<dyn ReadObject>,
    options: &JsonOptions,
    context: FileContext<'_>,
) -> Result<Arc<dyn DataFile>, DecodeError> {
    let codec = codec(object.name(), options.compression);
    let mut keys = names(context);
    if options.json_paths.is_empty() {
        // A record has any key; expressions may name those that nothing else asks for.
        let known = |keys: &[String], name: &str| keys.iter().any(|key| key.eq_ignore_ascii_case(name));
        for name in named_columns(context.source) {
            if !known(&keys, &name) {
                keys.push(name);
            }
        }
    }
    let columns: Vec<JsonColumn> = keys.into_iter().map(|name| json_column(name, context)).collect();
    Ok(Arc::new(JsonFile::open(object, options, codec, &columns, context.strict)?))
}

/// Fields of the first record of a CSV file behind those that are skipped; `None`: there is none. Blocks.
///
/// # Errors
/// As for opening and reading such a file.
pub fn csv_fields(source: &Source, object: &Arc<dyn ReadObject>) -> Result<Option<usize>, DecodeError> {
    let by_suffix = format_of_name(object.name());
    let options = match source.format.as_ref().or(by_suffix.as_ref()) {
        Some(Format::Csv(options)) => options,
        _ => return Err(DecodeError::UnknownFormat { file: object.name().to_owned() }),
    };
    let codec = codec(object.name(), options.compression);
    csv::fields_of_first_record(object, options, codec)
}

/// Names for the fields of a file that has none: those that the source states, else the table's columns, but
/// not those that the path feeds.
fn names(context: FileContext<'_>) -> Vec<String> {
    let FileContext { source, table, .. } = context;
    if let Some(columns) = &source.columns {
        return columns.clone();
    }
    let from_path =
        |name: &str| source.columns_from_path.iter().any(|column| column.eq_ignore_ascii_case(name));
    table.columns().iter().map(|column| column.name.clone()).filter(|name| !from_path(name)).collect()
}

/// What a key feeds: the column of the table that it will be mapped to, if there is one.
fn json_column(name: String, context: FileContext<'_>) -> JsonColumn {
    let column = context.table.columns().iter().find(|column| column.name.eq_ignore_ascii_case(&name));
    let absent = match column.and_then(|column| column.default.as_ref()) {
        None => Absent::Null,
        Some(DefaultValue::Literal(text)) => Absent::Text(text.clone()),
        Some(DefaultValue::Uuid) => Absent::Uuid,
        // With its zone, so that the load's zone makes it a DATETIME as it does elsewhere.
        Some(DefaultValue::CurrentTimestamp) => chrono::DateTime::from_timestamp_micros(context.now_micros)
            .map_or(Absent::Null, |now| Absent::Text(now.to_rfc3339())),
    };
    JsonColumn { name, data_type: column.map(|column| column.data_type.clone()), absent }
}

/// An error of a reader that did not find its format, with what the file is instead.
fn explained(object: &dyn ReadObject, format: &'static str, magic: &[u8], error: DecodeError) -> DecodeError {
    if !matches!(error, DecodeError::InvalidParquet { .. } | DecodeError::InvalidFile { .. })
        || object.size() == 0
    {
        return error;
    }
    match object.fetch(0..object.size().min(HEAD)).wait() {
        Ok(head) if !head.starts_with(magic) => DecodeError::WrongFormat {
            file: object.name().to_owned(),
            format,
            found: format!("its first bytes are {}", kind(&head)),
        },
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_tell_the_format() {
        let kind = |name: &str| match format_of_name(name) {
            Some(Format::Parquet(_)) => "parquet",
            Some(Format::Orc(_)) => "orc",
            Some(Format::Avro(_)) => "avro",
            Some(Format::Csv(_)) => "csv",
            Some(Format::Json(_)) => "json",
            None => "unknown",
        };
        for (name, expected) in [
            ("s3://b/a.parquet", "parquet"),
            ("s3://b/a.PARQ", "parquet"),
            ("s3://b/a.orc", "orc"),
            ("s3://b/a.avro", "avro"),
            ("s3://b/a.csv", "csv"),
            ("s3://b/a.TSV.GZ", "csv"),
            ("s3://b/a.txt.snappy", "csv"),
            ("s3://b/a.json.zst", "json"),
            ("s3://b/a.jsonl.lz4", "json"),
            ("s3://b/a.ndjson.deflate", "json"),
            ("s3://b/a.parquet.gz", "unknown"),
            ("s3://b/a.gz", "unknown"),
            ("s3://b/csv", "unknown"),
            ("s3://b/x.csv/part-0", "unknown"),
            ("s3://b/a", "unknown"),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }
}
