//! What a file's columns become, and its format, in words.

use arrow::datatypes::Schema;
use longshore_crds::source::{Format, Source};

use super::report::{CheckedColumn, Fill, NamedType};
use crate::convert::{FileMapping, Filling, type_name};
use crate::select::named_columns;

/// What fills each column of the table, and the columns of the file that are left out: that feed none, and no
/// expression names. A source with `columns` says what it takes: what it does not name is no surprise.
pub fn fills(mapping: &FileMapping, source: &Source, file: &Schema) -> (Vec<CheckedColumn>, Vec<NamedType>) {
    let columns = mapping.fillings().map(|(column, filling)| CheckedColumn {
        column: NamedType { name: column.name.clone(), data_type: column.data_type.to_string() },
        from: match filling {
            Filling::File(field) => {
                Fill::File(NamedType { name: field.name().clone(), data_type: type_name(field) })
            }
            Filling::Computed => Fill::Computed,
            Filling::Default(default) => Fill::Default(default.to_string()),
            Filling::Null => Fill::Null,
        },
    });
    let named = named_columns(source);
    let is_left = |index: &usize, name: &str| {
        source.columns.is_none()
            && !mapping.projection().contains(index)
            && !named.iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    let left = file.fields().iter().enumerate().filter(|(index, field)| is_left(index, field.name()));
    let left = left.map(|(_, field)| NamedType { name: field.name().clone(), data_type: type_name(field) });
    (columns.collect(), left.collect())
}

/// The format that a source states, else what the file's suffix says.
pub fn format_of(source: &Source, key: &str) -> &'static str {
    match &source.format {
        Some(Format::Parquet(_)) => "parquet",
        Some(Format::Orc(_)) => "orc",
        Some(Format::Avro(_)) => "avro",
        Some(Format::Csv(_)) => "csv",
        Some(Format::Json(_)) => "json",
        None => of_suffix(key),
    }
}

fn of_suffix(key: &str) -> &'static str {
    let name = key.rsplit('/').next().unwrap_or(key).to_ascii_lowercase();
    let is = |suffix: &str| name.split('.').skip(1).any(|part| part == suffix);
    let known: [(&str, &[&str]); 5] = [
        ("parquet", &["parquet", "parq"]),
        ("orc", &["orc"]),
        ("avro", &["avro"]),
        ("csv", &["csv", "tsv", "txt"]),
        ("json", &["json", "jsonl", "ndjson"]),
    ];
    known.iter().find(|(_, suffixes)| suffixes.iter().any(|s| is(s))).map_or("parquet", |(name, _)| name)
}
