//! The columns of all files as one list.

use std::collections::HashMap;

use longshore_crds::InferredColumn as Hint;
use longshore_storage::types::DataType;

use super::{InferError, guess_type, merged_type};
use crate::select::{PathValue, path_value};

/// A column that comes from files.
#[derive(Debug, Clone, PartialEq)]
pub struct InferredColumn {
    /// Its name as the first file has it.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Where the type comes from.
    pub from: InferredFrom,
}

/// Where the type of a column comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InferredFrom {
    /// From the files; the first that has the column.
    File(String),
    /// It was stated.
    Hint,
    /// From the keys.
    Path,
}

/// Columns of files, merged by name.
#[derive(Debug)]
pub struct Merged {
    columns: Vec<Column>,
    /// Places in `columns` by names in lower case.
    places: HashMap<String, usize>,
    hints: Vec<(String, DataType, bool)>,
}

#[derive(Debug)]
struct Column {
    name: String,
    /// The type so far: none if no file gave one yet, or why there is none.
    found: Option<Result<DataType, String>>,
    from: InferredFrom,
    first_file: String,
}

impl Merged {
    /// No files yet.
    ///
    /// # Errors
    /// A hint whose type is none.
    pub fn new(hints: &[Hint]) -> Result<Self, InferError> {
        let hints = hints.iter().enumerate().map(|(index, hint)| {
            let data_type = DataType::parse(&hint.data_type);
            let data_type = data_type.map_err(|error| InferError::HintType { index, error })?;
            Ok((hint.name.clone(), data_type, false))
        });
        let hints = hints.collect::<Result<_, InferError>>()?;
        Ok(Self { columns: Vec::new(), places: HashMap::new(), hints })
    }

    /// Adds the columns of a file: a type each, why there is none, or nothing where only NULL was seen.
    ///
    /// # Errors
    /// Names that differ in case only.
    pub fn add(
        &mut self,
        file: &str,
        columns: Vec<(String, Option<Result<DataType, String>>)>,
    ) -> Result<(), InferError> {
        for (name, found) in columns {
            let place = self.place(&name, file)?;
            let column = &mut self.columns[place];
            column.found = match (column.found.take(), found) {
                (Some(Ok(stands)), Some(Ok(found))) => Some(Ok(merged_type(&stands, &found))),
                (Some(Err(reason)), _) | (_, Some(Err(reason))) => Some(Err(reason)),
                (stands, found) => stands.or(found),
            };
        }
        Ok(())
    }

    /// Adds a column whose values stand in the keys as `name=value/`.
    ///
    /// # Errors
    /// A key without the name, or a name that a column of the files has.
    pub fn add_path_column<'a>(
        &mut self,
        name: &str,
        keys: impl Iterator<Item = &'a str>,
    ) -> Result<(), InferError> {
        let mut values = Vec::new();
        for key in keys {
            match path_value(key, name) {
                PathValue::Text(value) => values.push(value),
                PathValue::Null => {}
                PathValue::Missing => {
                    return Err(InferError::MissingPathKey { name: name.to_owned(), key: key.to_owned() });
                }
            }
        }
        let place = self.place(name, "the keys")?;
        let column = &mut self.columns[place];
        // What the key says of a file is said of all its rows: it wins over a column of the same name.
        column.found = guess_type(&values.iter().map(String::as_str)).map(Ok);
        column.from = InferredFrom::Path;
        Ok(())
    }

    fn place(&mut self, name: &str, file: &str) -> Result<usize, InferError> {
        let lower = name.to_ascii_lowercase();
        if let Some(place) = self.places.get(&lower).copied() {
            let stands = &self.columns[place];
            if stands.name != name {
                return Err(InferError::CaseConflict {
                    first: stands.name.clone(),
                    first_file: stands.first_file.clone(),
                    second: name.to_owned(),
                    second_file: file.to_owned(),
                });
            }
            return Ok(place);
        }
        self.places.insert(lower, self.columns.len());
        let (mut found, mut from) = (None, InferredFrom::File(file.to_owned()));
        if let Some(hint) = self.hints.iter_mut().find(|hint| hint.0.eq_ignore_ascii_case(name)) {
            (found, from, hint.2) = (Some(Ok(hint.1.clone())), InferredFrom::Hint, true);
        }
        self.columns.push(Column { name: name.to_owned(), found, from, first_file: file.to_owned() });
        Ok(self.columns.len() - 1)
    }

    /// Takes out the columns that cannot be read and whose type is not stated; with the reason of each.
    pub fn take_unreadable(&mut self) -> Vec<(String, String)> {
        let mut taken = Vec::new();
        let hints = &self.hints;
        self.columns.retain(|column| match &column.found {
            Some(Err(reason)) if !hints.iter().any(|hint| hint.0.eq_ignore_ascii_case(&column.name)) => {
                taken.push((column.name.clone(), reason.clone()));
                false
            }
            _ => true,
        });
        taken
    }

    /// The columns. One of which only NULL was seen is STRING.
    ///
    /// # Errors
    /// A column without a type, a hint for no column, no column at all.
    pub fn into_columns(self) -> Result<Vec<InferredColumn>, InferError> {
        let unknown = self.hints.iter().enumerate().find(|(_, hint)| !hint.2);
        if let Some((index, hint)) = unknown {
            return Err(InferError::UnknownHint { index, column: hint.0.clone() });
        }
        if self.columns.is_empty() {
            return Err(InferError::NoColumns);
        }
        let hints = self.hints;
        let columns =
            self.columns.into_iter().map(|column| {
                let hint = hints.iter().find(|hint| hint.0.eq_ignore_ascii_case(&column.name));
                let (found, from) = match hint {
                    Some(hint) => (Some(Ok(hint.1.clone())), InferredFrom::Hint),
                    None => (column.found, column.from),
                };
                let data_type = found.unwrap_or(Ok(DataType::String)).map_err(|reason| {
                    InferError::NoType { column: column.name.clone(), file: column.first_file, reason }
                })?;
                Ok(InferredColumn { name: column.name, data_type, from })
            });
        columns.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(columns: &[(&str, &str)]) -> Vec<(String, Option<Result<DataType, String>>)> {
        let parse = |text: &str| match text {
            "NULL" => None,
            "UNION" => Some(Err("type UNION is not supported".to_owned())),
            text => Some(Ok(DataType::parse(text).unwrap())),
        };
        columns.iter().map(|(name, text)| ((*name).to_owned(), parse(text))).collect()
    }

    fn hint(name: &str, data_type: &str) -> Hint {
        Hint { name: name.to_owned(), data_type: data_type.to_owned() }
    }

    fn found(merged: Merged) -> Vec<(String, String)> {
        let columns = merged.into_columns().unwrap();
        columns.into_iter().map(|column| (column.name, column.data_type.to_string())).collect()
    }

    #[test]
    fn columns_of_all_files_meet_and_hints_pin_some() {
        let mut merged = Merged::new(&[hint("B", "DATE"), hint("u", "STRING")]).unwrap();
        merged.add("1", columns(&[("a", "INT"), ("n", "NULL"), ("b", "STRING")])).unwrap();
        merged.add("2", columns(&[("c", "DOUBLE"), ("a", "BIGINT"), ("u", "UNION")])).unwrap();
        merged.add_path_column("dt", ["x/dt=2024-01-01/f", "x/dt=2024-01%2D02/f"].into_iter()).unwrap();
        let expected = [
            ("a", "BIGINT"),
            ("n", "STRING"),
            ("b", "DATE"),
            ("c", "DOUBLE"),
            ("u", "STRING"),
            ("dt", "DATE"),
        ];
        assert_eq!(found(merged), expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn a43_names_that_differ_in_case_only_are_refused() {
        let mut merged = Merged::new(&[]).unwrap();
        merged.add("s3://b/1", columns(&[("Id", "INT")])).unwrap();
        let error = merged.add("s3://b/2", columns(&[("ID", "INT")])).unwrap_err();
        assert_eq!(error.category(), "CaseConflict");
        assert!(
            error.to_string().starts_with("columns Id of s3://b/1 and ID of s3://b/2 differ in case only")
        );
    }

    #[test]
    fn what_has_no_type_and_what_no_file_has_is_refused() {
        let mut merged = Merged::new(&[]).unwrap();
        merged.add("f", columns(&[("u", "UNION")])).unwrap();
        assert!(merged.into_columns().unwrap_err().to_string().contains("column u of f: type UNION"));
        let merged = Merged::new(&[hint("x", "INT")]).unwrap();
        assert_eq!(merged.into_columns().unwrap_err().category(), "InvalidHint");
        assert!(Merged::new(&[hint("x", "NO")]).is_err());
        assert_eq!(Merged::new(&[]).unwrap().into_columns().unwrap_err().category(), "NoColumns");
        let mut merged = Merged::new(&[]).unwrap();
        let error = merged.add_path_column("dt", ["x/f"].into_iter()).unwrap_err();
        assert_eq!(error.category(), "MissingPathKey");
    }
}
