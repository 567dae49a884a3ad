//! What is checked of a source before any request to a store.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field, Schema};
use longshore_crds::source::{Format, Source};
use longshore_expression::{check_condition_text, check_text};
use longshore_storage::schema::TableSchema;

use super::PSEUDO_COLUMNS;
use super::error::SelectError;
use super::file::{FileFacts, compile};
use super::named::named_columns;
use crate::convert::{Zone, check_columns};

/// Checks the columns and expressions of a source against the table. Where the columns and types of its files
/// are known without them (CSV without a header, JSON) every error shows here; else the grammar, the
/// functions and the names on the left side, and the rest when a file is open.
pub fn check_source(
    table: &Arc<TableSchema>,
    source_index: usize,
    source: &Source,
    zone: Zone,
) -> Result<(), SelectError> {
    let named = named(source_index, source)?;
    check_targets(table, source_index, source)?;
    check_path_columns(table, source_index, source, &named)?;
    let positional = positional(source);
    let temporary = |name: &str| positional || named.contains(&name.to_lowercase());
    let fed = |name: &str| {
        source.set.keys().chain(&source.columns_from_path).any(|other| other.eq_ignore_ascii_case(name))
    };
    check_columns(table, source_index, source.columns.as_deref(), temporary, fed)?;
    if let Some(schema) = known_schema(table, source) {
        let facts = FileFacts {
            source_index,
            source,
            table,
            name: "",
            key: "",
            size: 0,
            etag: "",
            modified_ms: 0,
            label: "",
            zone,
            now_micros: 0,
        };
        let in_path: Vec<_> = source.columns_from_path.iter().map(|name| (name.clone(), None)).collect();
        compile(&facts, &schema, &in_path)?;
    }
    Ok(())
}

/// Every word of the expressions that may be a column, in small letters.
fn named(source_index: usize, source: &Source) -> Result<BTreeSet<String>, SelectError> {
    let mut named = BTreeSet::new();
    for (target, text) in &source.set {
        named.extend(check_text(&format!("sources[{source_index}].set.{target}"), text)?);
    }
    if let Some(text) = &source.filter {
        named.extend(check_condition_text(&format!("sources[{source_index}].where"), text)?);
    }
    Ok(named)
}

fn check_targets(table: &TableSchema, source_index: usize, source: &Source) -> Result<(), SelectError> {
    let mut seen = HashSet::new();
    for target in source.set.keys() {
        let known = || table.columns().iter().map(|column| column.name.as_str());
        if !known().any(|name| name.eq_ignore_ascii_case(target)) {
            let known = known().collect::<Vec<_>>().join(", ");
            return Err(SelectError::UnknownTarget { source_index, column: target.clone(), known });
        }
        if !seen.insert(target.to_lowercase()) {
            return Err(SelectError::DuplicateTarget { source_index, column: target.clone() });
        }
    }
    Ok(())
}

fn check_path_columns(
    table: &TableSchema,
    source_index: usize,
    source: &Source,
    named: &BTreeSet<String>,
) -> Result<(), SelectError> {
    let mut seen = HashSet::new();
    for column in &source.columns_from_path {
        let lower = column.to_lowercase();
        let in_table = table.columns().iter().any(|other| other.name.eq_ignore_ascii_case(column));
        let listed = source.columns.iter().flatten().any(|other| other.eq_ignore_ascii_case(column));
        let reason = if !seen.insert(lower.clone()) {
            "stands twice; name it once"
        } else if PSEUDO_COLUMNS.contains(&lower.as_str()) {
            "is the name of a pseudo column"
        } else if listed {
            "stands in columns too; a value comes from the file or from its path"
        } else if !in_table && !named.contains(&lower) {
            "is no column of the table, and no expression names it"
        } else {
            continue;
        };
        return Err(SelectError::PathColumn { source_index, column: column.clone(), reason });
    }
    Ok(())
}

/// Whether names go to fields by their place.
fn positional(source: &Source) -> bool {
    match &source.format {
        Some(Format::Csv(options)) => !options.header,
        Some(Format::Json(options)) => !options.json_paths.is_empty(),
        Some(_) => false,
        None => source.paths.iter().any(|path| is_plain_csv(path)),
    }
}

fn is_plain_csv(path: &str) -> bool {
    let path = path.to_lowercase();
    let codecs = [".gz", ".bz2", ".zst", ".lz4", ".deflate", ".snappy"];
    let plain = codecs.iter().find_map(|codec| path.strip_suffix(codec)).unwrap_or(&path);
    [".csv", ".tsv", ".txt"].iter().any(|suffix| plain.ends_with(suffix))
}

/// The columns that the files will have, where no file needs to be looked at.
fn known_schema(table: &TableSchema, source: &Source) -> Option<Schema> {
    let known = match &source.format {
        Some(Format::Csv(options)) => !options.header,
        Some(Format::Json(_)) => true,
        Some(_) => false,
        None => !source.paths.is_empty() && source.paths.iter().all(|path| is_plain_csv(path)),
    };
    let mut names: Vec<String> = match &source.columns {
        Some(columns) => columns.clone(),
        None => table.columns().iter().map(|column| column.name.clone()).collect(),
    };
    if matches!(&source.format, Some(Format::Json(options)) if options.json_paths.is_empty()) {
        // A record may have any key; of equal names the first counts.
        names.extend(named_columns(source));
    }
    let fields: Vec<Field> = names.into_iter().map(|name| Field::new(name, ArrowType::Utf8, true)).collect();
    known.then(|| Schema::new(fields))
}
