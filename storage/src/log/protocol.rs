//! What a table asks of its readers and writers, and which of it is known here.

use std::path::Path;

use super::actions::{Metadata, Protocol};
use super::error::TableError;
use crate::schema::Column;
use crate::types::DataType;

const READER_VERSION: i32 = 3;
const WRITER_VERSION: i32 = 7;
const READER_FEATURES: &[&str] = &[TIMESTAMP_NTZ];
const WRITER_FEATURES: &[&str] = &[TIMESTAMP_NTZ];
const TIMESTAMP_NTZ: &str = "timestampNtz";
const COLUMN_MAPPING_MODE: &str = "delta.columnMapping.mode";

/// The protocol of a new table.
pub(crate) fn initial() -> Protocol {
    let names = |features: &[&str]| Some(features.iter().map(|f| (*f).to_owned()).collect());
    Protocol {
        min_reader_version: READER_VERSION,
        min_writer_version: WRITER_VERSION,
        reader_features: names(READER_FEATURES),
        writer_features: names(WRITER_FEATURES),
    }
}

/// The protocol that a table needs for more columns; `None`: it has it.
pub(crate) fn needed(stands: &Protocol, columns: &[Column]) -> Option<Protocol> {
    let lacks = |features: &Option<Vec<String>>| !features.iter().flatten().any(|f| f == TIMESTAMP_NTZ);
    if !columns.iter().any(|column| holds_datetime(&column.data_type))
        || !(lacks(&stands.reader_features) || lacks(&stands.writer_features))
    {
        return None;
    }
    let with = |features: &Option<Vec<String>>| {
        let mut features = features.clone().unwrap_or_default();
        if !features.iter().any(|f| f == TIMESTAMP_NTZ) {
            features.push(TIMESTAMP_NTZ.to_owned());
        }
        Some(features)
    };
    Some(Protocol {
        min_reader_version: READER_VERSION,
        min_writer_version: WRITER_VERSION,
        reader_features: with(&stands.reader_features),
        writer_features: with(&stands.writer_features),
    })
}

fn holds_datetime(data_type: &DataType) -> bool {
    match data_type {
        DataType::DateTime => true,
        DataType::Array(element) => holds_datetime(element),
        DataType::Map(key, value) => holds_datetime(key) || holds_datetime(value),
        DataType::Struct(fields) => fields.iter().any(|field| holds_datetime(&field.data_type)),
        _ => false,
    }
}

/// Refuses a table that asks for anything unknown, by the name of the first such thing.
pub(crate) fn check(root: &Path, protocol: &Protocol, metadata: &Metadata) -> Result<(), TableError> {
    let refuse = |feature: String| Err(TableError::UnsupportedFeature { path: root.to_owned(), feature });
    let unknown = |features: &Option<Vec<String>>, known: &[&str]| {
        features.iter().flatten().find(|f| !known.contains(&f.as_str())).cloned()
    };
    if let Some(feature) = unknown(&protocol.reader_features, READER_FEATURES) {
        return refuse(format!("the reader feature {feature}"));
    }
    if let Some(feature) = unknown(&protocol.writer_features, WRITER_FEATURES) {
        return refuse(format!("the writer feature {feature}"));
    }
    let versions = (protocol.min_reader_version, protocol.min_writer_version);
    if versions != (READER_VERSION, WRITER_VERSION) {
        return refuse(format!("the protocol versions {versions:?}"));
    }
    match metadata.configuration.get(COLUMN_MAPPING_MODE) {
        Some(mode) if mode != "none" => return refuse(format!("column mapping by {mode}")),
        _ => {}
    }
    if !metadata.partition_columns.is_empty() {
        return refuse("partition columns that are not in the files".to_owned());
    }
    if metadata.format.provider != "parquet" {
        return refuse(format!("data files of the format {}", metadata.format.provider));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(data_type: &str) -> Column {
        let data_type = DataType::parse(data_type).unwrap();
        Column { name: "c".to_owned(), data_type, nullable: true, default: None }
    }

    #[test]
    fn a_feature_is_asked_for_when_a_column_needs_it() {
        let without = Protocol { reader_features: Some(vec![]), writer_features: None, ..initial() };
        assert_eq!(needed(&without, &[column("INT")]), None);
        assert_eq!(needed(&without, &[column("ARRAY<STRUCT<a DATETIME>>")]), Some(initial()));
        assert_eq!(needed(&initial(), &[column("DATETIME")]), None);
    }
}
