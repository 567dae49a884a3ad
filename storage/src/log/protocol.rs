//! What a table asks of its readers and writers, and which of it is known here.

use std::path::Path;

use super::actions::{Metadata, Protocol};
use super::error::TableError;

const READER_VERSION: i32 = 3;
const WRITER_VERSION: i32 = 7;
const READER_FEATURES: &[&str] = &["timestampNtz"];
const WRITER_FEATURES: &[&str] = &["timestampNtz"];
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
