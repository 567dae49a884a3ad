//! Columns that the files have and the table does not (`schemaDrift`).

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use longshore_crds::source::Source;
use longshore_crds::{LoadRequest, OnFileError, SchemaDrift};
use longshore_storage::load::PlannedFile;
use longshore_storage::schema::{Column, TableSchema};
use longshore_storage::types::DataType;
use tokio_util::sync::CancellationToken;

use super::{LoadFailure, read_all};
use crate::convert::{MappingError, column_type, common_type};
use crate::decode::{self, FileContext};
use crate::select::named_columns;
use crate::source::Store;

/// Refuses a file of a source with a column that the table does not have.
pub fn refuse_new_columns(
    file: &str,
    table: &TableSchema,
    source: &Source,
    schema: &Schema,
) -> Result<(), MappingError> {
    match new_fields(table, &named_columns(source), schema).next() {
        Some(field) => {
            Err(MappingError::UnexpectedColumn { file: file.to_owned(), column: field.name().clone() })
        }
        None => Ok(()),
    }
}

/// What an expression names and the table does not have is `temporary`: it feeds other columns.
fn new_fields<'a>(
    table: &'a TableSchema,
    temporary: &'a [String],
    schema: &'a Schema,
) -> impl Iterator<Item = &'a Field> {
    let known = move |name: &str| {
        let mut names = table.columns().iter().map(|column| &column.name).chain(temporary);
        names.any(|other| other.eq_ignore_ascii_case(name))
    };
    schema.fields().iter().map(|field| &**field).filter(move |field| !known(field.name()))
}

/// The columns that a load with `schemaDrift: AddColumns` brings: of every file, not of a sample, for the
/// segments are written by the schema that comes out. Blocks while the footers are read. Empty with the
/// other policies.
pub fn new_columns(
    request: &LoadRequest,
    table: &Arc<TableSchema>,
    stores: &[Store],
    listed: &[PlannedFile],
    cancel: &CancellationToken,
) -> Result<Vec<Column>, LoadFailure> {
    if request.schema_drift != SchemaDrift::AddColumns {
        return Ok(Vec::new());
    }
    // A source with `columns` says what it takes.
    let drifting = |file: &&PlannedFile| request.sources[file.source as usize].columns.is_none();
    let files: Vec<&PlannedFile> = listed.iter().filter(drifting).collect();
    // The task that meets a bad file says what is wrong with it.
    let goes_on = request.on_file_error == OnFileError::SkipFile || request.dry_run.is_some();
    let temporary: Vec<Vec<String>> = request.sources.iter().map(named_columns).collect();
    let found = read_all(&files, cancel, |file| -> Result<Option<FileDrift>, LoadFailure> {
        let index = file.source as usize;
        let context = FileContext {
            source: &request.sources[index],
            table,
            strict: request.strict_mode,
            now_micros: 0,
        };
        let drift = decode::open(stores[index].object(file), context)
            .map_err(LoadFailure::from)
            .and_then(|data| Ok(drift_of(data.name(), table, &temporary[index], data.schema())?));
        match drift {
            Err(failure) if goes_on && failure.is_of_file() => Ok(None),
            drift => drift.map(Some),
        }
    })?;
    let mut columns = NewColumns::default();
    for drift in found.into_iter().flatten() {
        columns.add(drift)?;
    }
    Ok(columns.into_columns())
}

/// The schema that the load writes.
pub fn widened(table: &Arc<TableSchema>, new: &[Column]) -> Result<Arc<TableSchema>, LoadFailure> {
    if new.is_empty() {
        return Ok(Arc::clone(table));
    }
    let mut definition = table.definition().clone();
    definition.columns.extend_from_slice(new);
    definition.validate().map_err(|error| LoadFailure::Drift { reason: error.to_string() })?;
    Ok(Arc::new(TableSchema::new(definition)))
}

/// What a file without `columns` is to feed, where the load brings new columns (those from `declared` on): a
/// new column that this file lacks is NULL for its rows, whatever `onMissingColumn` says of declared ones.
/// `None`: everything.
pub fn wanted(schema: &TableSchema, declared: usize, file: &Schema) -> Option<Vec<String>> {
    let (declared, new) = schema.columns().split_at_checked(declared)?;
    if new.is_empty() {
        return None;
    }
    let has = |column: &&Column| file.fields().iter().any(|f| f.name().eq_ignore_ascii_case(&column.name));
    Some(declared.iter().chain(new.iter().filter(has)).map(|column| column.name.clone()).collect())
}

/// What one file has beyond the table.
#[derive(Debug)]
struct FileDrift {
    file: String,
    columns: Vec<(String, DataType)>,
}

fn drift_of(
    file: &str,
    table: &TableSchema,
    temporary: &[String],
    schema: &Schema,
) -> Result<FileDrift, MappingError> {
    let columns = new_fields(table, temporary, schema).map(|field| {
        let data_type = column_type(field).map_err(|reason| MappingError::CannotAdd {
            file: file.to_owned(),
            column: field.name().clone(),
            reason,
        })?;
        Ok((field.name().clone(), data_type))
    });
    Ok(FileDrift { file: file.to_owned(), columns: columns.collect::<Result<_, _>>()? })
}

/// New columns, in the order in which the files bring them.
#[derive(Debug, Default)]
struct NewColumns {
    columns: Vec<NewColumn>,
}

#[derive(Debug)]
struct NewColumn {
    name: String,
    data_type: DataType,
    first_file: String,
}

impl NewColumns {
    fn add(&mut self, drift: FileDrift) -> Result<(), MappingError> {
        for (name, data_type) in drift.columns {
            let stands = self.columns.iter_mut().find(|column| column.name.eq_ignore_ascii_case(&name));
            match stands {
                None => self.columns.push(NewColumn { name, data_type, first_file: drift.file.clone() }),
                Some(stands) => {
                    stands.data_type = common_type(&stands.data_type, &data_type).ok_or_else(|| {
                        MappingError::NoCommonType {
                            column: stands.name.clone(),
                            first: format!("{} in file {}", stands.data_type, stands.first_file),
                            second: format!("{data_type} in file {}", drift.file),
                        }
                    })?;
                }
            }
        }
        Ok(())
    }

    fn into_columns(self) -> Vec<Column> {
        let columns = self.columns.into_iter();
        columns
            .map(|NewColumn { name, data_type, .. }| Column {
                name,
                data_type,
                nullable: true,
                default: None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, columns: &[(&str, &str)]) -> FileDrift {
        let columns = columns.iter().map(|(name, data_type)| {
            let data_type = DataType::parse(data_type).unwrap();
            ((*name).to_owned(), data_type)
        });
        FileDrift { file: name.to_owned(), columns: columns.collect() }
    }

    #[test]
    fn the_columns_of_all_files_become_one_list_with_types_that_hold_all() {
        let mut columns = NewColumns::default();
        for drift in [
            file("1", &[("a", "INT")]),
            file("2", &[("b", "DATE"), ("A", "BIGINT")]),
            file("3", &[]),
            file("4", &[("B", "DATETIME")]),
        ] {
            columns.add(drift).unwrap();
        }
        let columns: Vec<_> = columns
            .into_columns()
            .into_iter()
            .map(|column| (column.name, column.data_type.to_string(), column.nullable))
            .collect();
        assert_eq!(
            columns,
            [("a".to_owned(), "BIGINT".to_owned(), true), ("b".to_owned(), "DATETIME".to_owned(), true)]
        );
    }

    #[test]
    fn two_files_that_disagree_are_both_named() {
        let mut columns = NewColumns::default();
        columns.add(file("s3://b/1", &[("a", "INT")])).unwrap();
        let error = columns.add(file("s3://b/2", &[("a", "STRING")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "column a is INT in file s3://b/1 and STRING in file s3://b/2, and no type holds both without loss; \
             declare it in the table"
        );
        assert_eq!(error.category(), "CannotAddColumn");
    }
}
