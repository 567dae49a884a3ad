//! Names of a file's types in messages: SQL's, not Arrow's.

use arrow::datatypes::{DataType, Field};

/// Key of a field's metadata that names an extension type.
const EXTENSION: &str = "ARROW:extension:name";
/// Key of a field's metadata that says why the decoder cannot read the column.
const UNSUPPORTED: &str = "longshore.unsupported";

/// Whether a field of 16 bytes is a UUID.
pub(super) fn is_uuid(field: &Field) -> bool {
    *field.data_type() == DataType::FixedSizeBinary(16) && extension(field) == Some("arrow.uuid")
}

/// Whether a field is a VARIANT.
pub(super) fn is_variant(field: &Field) -> bool {
    extension(field) == Some("arrow.parquet.variant")
}

/// Whether a field's bytes are a BSON document or an INTERVAL: VARBINARY can hold them, nothing else.
pub(super) fn is_opaque(field: &Field) -> bool {
    matches!(extension(field), Some("longshore.bson" | "longshore.interval"))
}

/// Why the decoder cannot read a field's column.
pub(super) fn unsupported(field: &Field) -> Option<&str> {
    field.metadata().get(UNSUPPORTED).map(String::as_str)
}

fn extension(field: &Field) -> Option<&str> {
    field.metadata().get(EXTENSION).map(String::as_str)
}

/// Name of the type of a file's column.
pub fn type_name(field: &Field) -> String {
    if is_uuid(field) {
        return "UUID".to_owned();
    }
    if is_variant(field) {
        return "VARIANT".to_owned();
    }
    match extension(field) {
        Some("longshore.bson") => return "BSON".to_owned(),
        Some("longshore.interval") => return "INTERVAL".to_owned(),
        _ => {}
    }
    match field.data_type() {
        DataType::Null => "NULL".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt8 => "TINYINT UNSIGNED".to_owned(),
        DataType::UInt16 => "SMALLINT UNSIGNED".to_owned(),
        DataType::UInt32 => "INT UNSIGNED".to_owned(),
        DataType::UInt64 => "BIGINT UNSIGNED".to_owned(),
        DataType::Float16 | DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => format!("DECIMAL({p},{s})"),
        DataType::Date32 | DataType::Date64 => "DATE".to_owned(),
        DataType::Timestamp(_, None) => "TIMESTAMP".to_owned(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "TIME".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "INTERVAL".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "STRING".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "BINARY".to_owned(),
        DataType::FixedSizeBinary(size) => format!("BINARY({size})"),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::FixedSizeList(element, _)
        | DataType::ListView(element)
        | DataType::LargeListView(element) => format!("ARRAY<{}>", type_name(element)),
        DataType::Map(entry, _) => match entry.data_type() {
            DataType::Struct(parts) if parts.len() == 2 => {
                format!("MAP<{},{}>", type_name(&parts[0]), type_name(&parts[1]))
            }
            _ => "MAP".to_owned(),
        },
        DataType::Struct(parts) => {
            let parts = parts.iter().map(|part| format!("{} {}", part.name(), type_name(part)));
            format!("STRUCT<{}>", parts.collect::<Vec<_>>().join(","))
        }
        DataType::Union(..) => "UNION".to_owned(),
        DataType::Dictionary(_, values) => type_name(&Field::new("", values.as_ref().clone(), true)),
        DataType::RunEndEncoded(_, values) => type_name(values),
    }
}
