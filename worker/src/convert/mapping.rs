//! Which column of a file feeds which column of the table, decided for every file and not from a sample.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, new_empty_array};
use arrow::datatypes::{DataType as ArrowType, Field, Schema as ArrowSchema};
use longshore_crds::OnMissingColumn;
use longshore_storage::schema::{Column, DefaultValue, TableSchema};

use super::cast::{CastError, Context, cast};
use super::derived::{Derived, Expressions};
use super::error::MappingError;
use super::type_name::{type_name, unsupported};

/// Checks the `columns` of a source against the table, before any request to a store: every name is a column
/// of the table (regardless of case) or one that may be `temporary`, none stands twice, and no NOT NULL
/// column without a default is left out that is not `fed` in another way. `None`: every column of the table
/// that a file has.
pub fn check_columns(
    table: &TableSchema,
    source_index: usize,
    columns: Option<&[String]>,
    temporary: impl Fn(&str) -> bool,
    fed: impl Fn(&str) -> bool,
) -> Result<(), MappingError> {
    let Some(columns) = columns else { return Ok(()) };
    let mut listed = vec![false; table.columns().len()];
    let mut names = HashSet::new();
    for (index, column) in columns.iter().enumerate() {
        if !names.insert(column.to_lowercase()) {
            return Err(MappingError::DuplicateColumn { source_index, index, column: column.clone() });
        }
        if temporary(column) && position(table, column).is_none() {
            continue;
        }
        let Some(place) = position(table, column) else {
            let known = table.columns().iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(MappingError::UnknownColumn { source_index, index, column: column.clone(), known });
        };
        listed[place] = true;
    }
    match table
        .columns()
        .iter()
        .zip(listed)
        .find(|(column, listed)| !listed && !has_substitute(column) && !fed(&column.name))
    {
        Some((column, _)) => Err(MappingError::UnfedColumn { source_index, column: column.name.clone() }),
        None => Ok(()),
    }
}

fn position(table: &TableSchema, name: &str) -> Option<usize> {
    table.columns().iter().position(|column| column.name.eq_ignore_ascii_case(name))
}

fn has_substitute(column: &Column) -> bool {
    column.nullable || column.default.is_some()
}

/// What fills a column of the table.
#[derive(Debug, Clone)]
pub(super) enum Feed {
    /// The column at this place of the projection; its field in the file.
    File(usize, Arc<Field>),
    /// An expression.
    Computed(Box<Derived>),
    /// The declared default.
    Default(DefaultValue),
    /// NULL in each row.
    Null,
}

/// What fills a column of the table, for those who show it.
#[derive(Debug, Clone, Copy)]
pub enum Filling<'a> {
    /// A column of the file.
    File(&'a Field),
    /// An expression of `set`.
    Computed,
    /// The declared default.
    Default(&'a DefaultValue),
    /// NULL in each row.
    Null,
}

impl<'a> Filling<'a> {
    fn of(feed: &'a Feed) -> Self {
        match feed {
            Feed::File(_, field) => Self::File(field),
            Feed::Computed(_) => Self::Computed,
            Feed::Default(default) => Self::Default(default),
            Feed::Null => Self::Null,
        }
    }
}

/// For one file: which of its columns feed which columns of the table; the others take their default, or
/// NULL.
#[derive(Debug, Clone)]
pub struct FileMapping {
    pub(super) file: String,
    pub(super) table: Arc<TableSchema>,
    pub(super) feeds: Vec<Feed>,
    pub(super) on_missing: OnMissingColumn,
    /// Of the columns that the mapping was made of, those that are needed, ascending.
    pub(super) places: Vec<usize>,
    /// The rows that are taken.
    pub(super) condition: Option<Derived>,
    /// For columns that no file holds: their field, and one row with the value of every row.
    pub(super) constants: Vec<(Arc<Field>, ArrayRef)>,
    /// How many of `places` are columns of the file.
    decoded: usize,
    dictionary_columns: Vec<usize>,
}

/// The columns of a file, and what a load adds to them.
#[derive(Debug, Clone, Default)]
pub struct FileColumns {
    /// Columns with the same value in each row of the file: their field, and that value as one row. Their
    /// indices follow those of the file's own columns.
    pub constants: Vec<(Arc<Field>, ArrayRef)>,
    /// What is computed; indices of columns are those of the file, then of the constants.
    pub expressions: Expressions,
}

impl FileMapping {
    /// Maps the columns of `file` (its name is for messages) by name, regardless of case; columns that the
    /// table does not have are left alone. `columns`, if given, narrows what is taken.
    ///
    /// Fails if two columns of the file match one column of the table, if a column is missing and the policy
    /// or NOT NULL forbids it, and if no value of the file's type could ever become one of the table's.
    pub fn new(
        file: &str,
        table: &Arc<TableSchema>,
        file_schema: &ArrowSchema,
        columns: Option<&[String]>,
        on_missing: OnMissingColumn,
    ) -> Result<Self, MappingError> {
        Self::with(file, table, file_schema, columns, on_missing, FileColumns::default())
    }

    /// [`Self::new`] for a file to whose columns a load adds some. A constant column counts before a column
    /// of the file with its name.
    pub fn with(
        file: &str,
        table: &Arc<TableSchema>,
        file_schema: &ArrowSchema,
        columns: Option<&[String]>,
        on_missing: OnMissingColumn,
        added: FileColumns,
    ) -> Result<Self, MappingError> {
        let FileColumns { constants, expressions } = added;
        let Expressions { computed, condition } = expressions;
        let mut computed: HashMap<usize, Derived> = computed.into_iter().collect();
        let file_columns = file_schema.fields().len();
        let by_name = group_by_name(file_schema);
        let constant = |column: &Column| {
            let place =
                constants.iter().position(|(field, _)| field.name().eq_ignore_ascii_case(&column.name));
            place.map(|place| file_columns + place)
        };
        let mut places = Vec::with_capacity(table.columns().len());
        for (index, column) in table.columns().iter().enumerate() {
            if computed.contains_key(&index) {
                places.push(None);
                continue;
            }
            if let Some(place) = constant(column) {
                places.push(Some(place));
                continue;
            }
            let wanted =
                columns.is_none_or(|names| names.iter().any(|n| n.eq_ignore_ascii_case(&column.name)));
            let place = if wanted { find(file, file_schema, &by_name, column)? } else { None };
            if place.is_none() {
                check_missing(file, column, wanted, on_missing)?;
            }
            places.push(place);
        }
        let derived = computed.values().chain(&condition);
        let mut needed: Vec<usize> =
            places.iter().copied().flatten().chain(derived.flat_map(Derived::file_columns)).collect();
        needed.sort_unstable();
        needed.dedup();
        let mut dictionary_columns = Vec::new();
        let mut feeds = Vec::with_capacity(places.len());
        for (table_index, (column, place)) in table.columns().iter().zip(places).enumerate() {
            if let Some(derived) = computed.remove(&table_index) {
                feeds.push(Feed::Computed(Box::new(derived)));
                continue;
            }
            feeds.push(match place {
                Some(index) => {
                    let field = match index.checked_sub(file_columns) {
                        Some(place) => Arc::clone(&constants[place].0),
                        None => Arc::clone(&file_schema.fields()[index]),
                    };
                    check_types(file, &field, column, on_missing)?;
                    if index < file_columns && is_text(field.data_type()) {
                        dictionary_columns.push(index);
                    }
                    Feed::File(needed.partition_point(|&other| other < index), field)
                }
                None => column.default.clone().map_or(Feed::Null, Feed::Default),
            });
        }
        dictionary_columns.sort_unstable();
        let decoded = needed.partition_point(|&index| index < file_columns);
        let constants =
            needed[decoded..].iter().map(|index| constants[index - file_columns].clone()).collect();
        Ok(Self {
            file: file.to_owned(),
            table: Arc::clone(table),
            feeds,
            on_missing,
            places: needed,
            condition,
            constants,
            decoded,
            dictionary_columns,
        })
    }

    /// What fills each column of the table, in its order.
    pub fn fillings(&self) -> impl Iterator<Item = (&Column, Filling<'_>)> {
        self.table.columns().iter().zip(self.feeds.iter().map(Filling::of))
    }

    /// Indices of the file's columns to decode, ascending; batches hold them in this order.
    pub fn projection(&self) -> &[usize] {
        &self.places[..self.decoded]
    }

    /// Of the projection, the indices of those columns of the *file* that hold text: decoded as
    /// `Dictionary(Int32, Utf8)` each distinct value is parsed and checked once.
    pub fn dictionary_columns(&self) -> Vec<usize> {
        self.dictionary_columns.clone()
    }
}

fn group_by_name(schema: &ArrowSchema) -> HashMap<String, Vec<usize>> {
    let mut groups: HashMap<String, Vec<usize>> = HashMap::with_capacity(schema.fields().len());
    for (index, field) in schema.fields().iter().enumerate() {
        groups.entry(field.name().to_ascii_lowercase()).or_default().push(index);
    }
    groups
}

fn find(
    file: &str,
    schema: &ArrowSchema,
    by_name: &HashMap<String, Vec<usize>>,
    column: &Column,
) -> Result<Option<usize>, MappingError> {
    match by_name.get(&column.name.to_ascii_lowercase()).map(Vec::as_slice) {
        None | Some([]) => Ok(None),
        Some([index]) => Ok(Some(*index)),
        Some([first, second, ..]) => Err(MappingError::AmbiguousColumn {
            file: file.to_owned(),
            column: column.name.clone(),
            first: schema.field(*first).name().clone(),
            second: schema.field(*second).name().clone(),
        }),
    }
}

fn check_missing(
    file: &str,
    column: &Column,
    wanted: bool,
    on_missing: OnMissingColumn,
) -> Result<(), MappingError> {
    let (file, name) = (file.to_owned(), column.name.clone());
    if column.default.is_some() {
        return Ok(());
    }
    if !column.nullable {
        return Err(MappingError::MissingNotNull { file, column: name });
    }
    // Who leaves a column out of `columns` asks for its NULL; the policy is about what a file lacks.
    if wanted && on_missing == OnMissingColumn::Fail {
        return Err(MappingError::MissingColumn { file, column: name });
    }
    Ok(())
}

/// A pair of types is refused exactly if the cast of no rows is.
fn check_types(
    file: &str,
    field: &Field,
    column: &Column,
    on_missing: OnMissingColumn,
) -> Result<(), MappingError> {
    if let Some(reason) = unsupported(field) {
        return Err(MappingError::Unsupported {
            file: file.to_owned(),
            column: column.name.clone(),
            reason: reason.to_owned(),
        });
    }
    let empty = new_empty_array(field.data_type());
    let context = Context { zone: super::Zone::UTC, on_missing };
    match cast(&empty, field, &column.data_type, &context) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.at(file, &column.name, || (type_name(field), column.data_type.to_string()))),
    }
}

impl CastError {
    /// The mapping's error for a cast of `column` that was refused.
    pub(super) fn at(
        self,
        file: &str,
        column: &str,
        whole: impl FnOnce() -> (String, String),
    ) -> MappingError {
        let path = |part: &str| format!("{column}{part}");
        match self {
            Self::Unsupported { path: part, from, to } => {
                MappingError::Uncastable { file: file.to_owned(), column: path(&part), from, to }
            }
            Self::MissingPart { path: part } => {
                MappingError::MissingColumn { file: file.to_owned(), column: path(&part) }
            }
            Self::AmbiguousPart { path: part, first, second } => {
                MappingError::AmbiguousColumn { file: file.to_owned(), column: path(&part), first, second }
            }
            Self::Arrow(_) => {
                let (from, to) = whole();
                MappingError::Uncastable { file: file.to_owned(), column: column.to_owned(), from, to }
            }
        }
    }
}

fn is_text(data_type: &ArrowType) -> bool {
    match data_type {
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => true,
        ArrowType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}
