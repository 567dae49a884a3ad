//! The mapping of one file: its own columns, those of its path, and the expressions over both.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType as ArrowType, Field, Schema};
use longshore_crds::OnMissingColumn;
use longshore_crds::source::{OnMissingPathKey, Source};
use longshore_expression::{Column, Compiler, Expression, ExpressionError};
use longshore_storage::schema::TableSchema;
use longshore_storage::types::DataType;

use super::error::SelectError;
use super::path::{PathValue, path_value};
use crate::convert::{Derived, Expressions, FileColumns, FileMapping, Input, Zone, as_type, column_type};

/// What is known of a file before it is decoded.
#[derive(Debug, Clone, Copy)]
pub struct FileFacts<'a> {
    /// Index of its source in the request.
    pub source_index: usize,
    /// Its source.
    pub source: &'a Source,
    /// The table that takes the rows.
    pub table: &'a Arc<TableSchema>,
    /// `s3://bucket/key`.
    pub name: &'a str,
    /// The key alone: values of the path stand in it.
    pub key: &'a str,
    /// Bytes.
    pub size: u64,
    /// ETag as listed.
    pub etag: &'a str,
    /// Last change, milliseconds since the epoch.
    pub modified_ms: i64,
    /// Label of the load.
    pub label: &'a str,
    /// Zone of local times.
    pub zone: Zone,
    /// The one instant of `now()`, microseconds since the epoch.
    pub now_micros: i64,
}

/// A column of the path: its name, and its value where a file is looked at (`Some(None)`: NULL).
pub(super) type PathColumn = (String, Option<Option<String>>);

/// Why a file is left out: the name of `columnsFromPath` that its key lacks, where such files are.
pub fn left_out(source: &Source, file: &str, key: &str) -> Option<SelectError> {
    if source.on_missing_path_key != OnMissingPathKey::SkipFile {
        return None;
    }
    let column = source.columns_from_path.iter().find(|name| path_value(key, name) == PathValue::Missing)?;
    Some(SelectError::MissingPathKey { file: file.to_owned(), column: column.clone() })
}

/// Maps the columns of a file with all that its source adds to them. `columns`: the names to take, if the
/// source or the policy says so.
pub fn mapping(
    facts: &FileFacts<'_>,
    schema: &Schema,
    columns: Option<&[String]>,
    on_missing: OnMissingColumn,
) -> Result<FileMapping, SelectError> {
    let in_path = path_columns(facts)?;
    let expressions = compile(facts, schema, &in_path).map_err(|error| match error {
        SelectError::Expression(error) => {
            SelectError::ExpressionInFile { file: facts.name.to_owned(), error }
        }
        other => other,
    })?;
    let constants = in_path
        .iter()
        .map(|(name, value)| {
            let value: ArrayRef = Arc::new(StringArray::from(vec![value.clone().flatten()]));
            (Arc::new(Field::new(name, ArrowType::Utf8, true)), value)
        })
        .collect();
    // The names of the source are those of the file; a column of the path is taken beside them.
    let columns = columns.map(|columns| {
        let mut all = columns.to_vec();
        all.extend(facts.source.columns_from_path.iter().cloned());
        all
    });
    let added = FileColumns { constants, expressions };
    Ok(FileMapping::with(facts.name, facts.table, schema, columns.as_deref(), on_missing, added)?)
}

fn path_columns(facts: &FileFacts<'_>) -> Result<Vec<PathColumn>, SelectError> {
    let fails = facts.source.on_missing_path_key == OnMissingPathKey::Fail;
    let one = |name: &String| match path_value(facts.key, name) {
        PathValue::Text(text) => Ok((name.clone(), Some(Some(text)))),
        PathValue::Missing if fails => {
            Err(SelectError::MissingPathKey { file: facts.name.to_owned(), column: name.clone() })
        }
        PathValue::Null | PathValue::Missing => Ok((name.clone(), Some(None))),
    };
    facts.source.columns_from_path.iter().map(one).collect()
}

/// Compiles `set` and `where` over the columns of a file of this schema.
pub(super) fn compile(
    facts: &FileFacts<'_>,
    schema: &Schema,
    in_path: &[PathColumn],
) -> Result<Expressions, SelectError> {
    let source = facts.source;
    if source.set.is_empty() && source.filter.is_none() {
        return Ok(Expressions::default());
    }
    let mut common = Names::default();
    common.pseudo(facts);
    common.path(facts, in_path, schema.fields().len());
    let mut of_set = common.clone();
    of_set.file(facts, schema);
    let compiler = of_set.compiler(facts);
    let mut computed = Vec::with_capacity(source.set.len());
    for (target, text) in &source.set {
        let Some(index) = facts.table.columns().iter().position(|c| c.name.eq_ignore_ascii_case(target))
        else {
            continue;
        };
        let place = format!("sources[{}].set.{target}", facts.source_index);
        computed.push((index, of_set.derived(compiler.compile(&place, text))?));
    }
    let condition = match &source.filter {
        None => None,
        Some(text) => {
            let mut of_where = common;
            of_where.table(facts.table);
            of_where.file(facts, schema);
            let place = format!("sources[{}].where", facts.source_index);
            Some(of_where.derived(of_where.compiler(facts).compile_condition(&place, text))?)
        }
    };
    Ok(Expressions { computed, condition })
}

/// The columns that an expression may name, and where their values come from; `None`: a constant.
#[derive(Debug, Clone, Default)]
struct Names {
    columns: Vec<Column>,
    inputs: Vec<Option<Input>>,
}

impl Names {
    fn constant(&mut self, name: &str, value: ArrayRef) {
        self.columns.push(Column::constant(name, value));
        self.inputs.push(None);
    }

    fn column(&mut self, name: &str, data_type: ArrowType, input: Input) {
        self.columns.push(Column::new(name, data_type));
        self.inputs.push(Some(input));
    }

    fn pseudo(&mut self, facts: &FileFacts<'_>) {
        let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let size = i64::try_from(facts.size).unwrap_or(i64::MAX);
        let modified = facts.modified_ms.checked_mul(1000).and_then(|micros| facts.zone.local_micros(micros));
        self.constant("_file", text(facts.name));
        self.constant("_file_size", Arc::new(Int64Array::from(vec![size])));
        self.constant("_file_modified", Arc::new(TimestampMicrosecondArray::from(vec![modified])));
        self.constant("_file_etag", text(facts.etag));
        self.constant("_load_label", text(facts.label));
        self.column("_file_row", ArrowType::Int64, Input::RowNumber);
    }

    /// Columns of the path: of the type of the table's column of that name, if it is not computed.
    fn path(&mut self, facts: &FileFacts<'_>, in_path: &[PathColumn], file_columns: usize) {
        for (place, (name, value)) in in_path.iter().enumerate() {
            let to = plain_column(facts, name)
                .map_or(DataType::String, |index| facts.table.columns()[index].data_type.clone());
            let Some(value) = value else {
                self.column(name, to.arrow(), Input::File(file_columns + place, to));
                continue;
            };
            let text: ArrayRef = Arc::new(StringArray::from(vec![value.clone()]));
            if let Some(value) = as_type(&text, &to, facts.zone) {
                self.constant(name, value);
            }
        }
    }

    /// Columns of the table, as it will hold them.
    fn table(&mut self, table: &TableSchema) {
        for (index, column) in table.columns().iter().enumerate() {
            self.column(&column.name, column.data_type.arrow(), Input::Table(index));
        }
    }

    /// Columns of the file; those whose type cannot be read cannot be named.
    fn file(&mut self, facts: &FileFacts<'_>, schema: &Schema) {
        for (index, field) in schema.fields().iter().enumerate() {
            let Ok(own) = column_type(field) else { continue };
            let is_text = own.arrow() == ArrowType::Utf8;
            match plain_column(facts, field.name()).filter(|_| is_text) {
                Some(column) => {
                    let to = facts.table.columns()[column].data_type.arrow();
                    self.column(field.name(), to, Input::Table(column));
                }
                None => self.column(field.name(), own.arrow(), Input::File(index, own)),
            }
        }
    }

    fn compiler(&self, facts: &FileFacts<'_>) -> Compiler {
        Compiler::new(self.columns.clone(), facts.zone, facts.now_micros)
    }

    fn derived(&self, compiled: Result<Expression, ExpressionError>) -> Result<Derived, SelectError> {
        let expression = compiled?;
        let inputs = expression.columns().iter().filter_map(|index| self.inputs[*index].clone()).collect();
        Ok(Derived::new(expression, inputs))
    }
}

/// The column of the table that takes a column of the file of this name as it is.
fn plain_column(facts: &FileFacts<'_>, name: &str) -> Option<usize> {
    let computed = facts.source.set.keys().any(|target| target.eq_ignore_ascii_case(name));
    let left_out = facts.source.columns.as_ref().is_some_and(|columns| {
        !columns.iter().chain(&facts.source.columns_from_path).any(|listed| listed.eq_ignore_ascii_case(name))
    });
    if computed || left_out {
        return None;
    }
    facts.table.columns().iter().position(|column| column.name.eq_ignore_ascii_case(name))
}
