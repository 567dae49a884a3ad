//! The columns that an expression may name.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use crate::error::Problem;
use crate::suggest::near;

/// Names that a message lists when none is near.
const LISTED: usize = 12;

/// A column that an expression may name.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name; matched regardless of case.
    pub name: String,
    /// Its type: one of a table's, so text is `Utf8` and a DATETIME is in microseconds without a zone.
    pub data_type: DataType,
    /// One row of that type: the value in every row, so that what follows from it is computed once.
    pub value: Option<ArrayRef>,
}

impl Column {
    /// A column whose values come with each batch.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type, value: None }
    }

    /// A column with the same value in each row: `value` is one row.
    pub fn constant(name: impl Into<String>, value: ArrayRef) -> Self {
        Self { name: name.into(), data_type: value.data_type().clone(), value: Some(value) }
    }
}

/// Columns by name.
#[derive(Debug)]
pub(crate) struct Scope {
    columns: Vec<Column>,
    by_name: HashMap<String, usize>,
}

impl Scope {
    /// Of two columns with one name the first counts.
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        let mut by_name = HashMap::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            by_name.entry(column.name.to_lowercase()).or_insert(index);
        }
        Self { columns, by_name }
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The place of a column.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_lowercase()).copied()
    }

    pub(crate) fn unknown(&self, name: &str) -> Problem {
        let names = || self.columns.iter().map(|column| column.name.as_str());
        let mut hint = near(name, names());
        if hint.is_empty() {
            let listed: Vec<&str> = names().filter(|name| !name.starts_with('_')).take(LISTED).collect();
            let more = if names().count() > LISTED { ", …" } else { "" };
            hint = format!("; the columns are {}{more}", listed.join(", "));
        }
        Problem::UnknownColumn { name: name.to_owned(), hint }
    }
}
