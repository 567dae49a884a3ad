//! What the options of the text formats mean, checked: by the command line, the operator and the worker alike.

use crate::format::{CsvOptions, Format, JsonOptions};
use crate::json_path::{JsonPath, JsonPathError};
use crate::loadjob::LoadJobSpec;
use crate::separator::{SeparatorError, parse_separator};

/// Options that cannot be used. The text names the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A separator.
    #[error("csv.{field} {error}")]
    Separator {
        /// Its field.
        field: &'static str,
        /// What is wrong.
        error: SeparatorError,
    },
    /// An enclosure or an escape that is not one byte of ASCII.
    #[error("csv.{field} is {found:?}; it is one byte of ASCII")]
    NotOneByte {
        /// Its field.
        field: &'static str,
        /// The text.
        found: String,
    },
    /// Two options that make a text ambiguous.
    #[error("csv.{first} and csv.{second} share the byte {byte:?}; a text could not be told apart")]
    Ambiguous {
        /// One field.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// The byte.
        byte: char,
    },
    /// The same text twice.
    #[error("csv.columnSeparator and csv.rowDelimiter are the same")]
    SameSeparators,
    /// A path.
    #[error("json.{field}: {error}")]
    Path {
        /// Its field.
        field: &'static str,
        /// What is wrong.
        error: JsonPathError,
    },
    /// Paths without names.
    #[error("json.jsonPaths has {paths} paths, and columns has {columns} names; give each path its name")]
    PathsAndColumns {
        /// Number of paths.
        paths: usize,
        /// Number of names.
        columns: usize,
    },
}

/// The bytes that the options of CSV state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvBytes {
    /// Between fields: 1 to 50 bytes.
    pub column_separator: Vec<u8>,
    /// Behind records: 1 to 50 bytes.
    pub row_delimiter: Vec<u8>,
    /// Around fields.
    pub enclose: Option<u8>,
    /// Before a byte that is data.
    pub escape: Option<u8>,
}

/// The paths that the options of JSON state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPaths {
    /// Where in a document the record is.
    pub root: Option<JsonPath>,
    /// Where in a record each column is; empty: by name.
    pub paths: Vec<JsonPath>,
}

impl CsvOptions {
    /// The bytes of the separators, the enclosure and the escape (A16).
    ///
    /// # Errors
    /// [`FormatError`] if one of them is none, or if two of them cannot be told apart.
    pub fn bytes(&self) -> Result<CsvBytes, FormatError> {
        let separator = |field, text: &str| {
            parse_separator(text).map_err(|error| FormatError::Separator { field, error })
        };
        let bytes = CsvBytes {
            column_separator: separator("columnSeparator", &self.column_separator)?,
            row_delimiter: separator("rowDelimiter", &self.row_delimiter)?,
            enclose: one_byte("enclose", self.enclose.as_deref())?,
            escape: one_byte("escape", self.escape.as_deref())?,
        };
        if bytes.column_separator == bytes.row_delimiter {
            return Err(FormatError::SameSeparators);
        }
        for (first, byte) in [("enclose", bytes.enclose), ("escape", bytes.escape)] {
            let Some(byte) = byte else { continue };
            for (second, separator) in
                [("columnSeparator", &bytes.column_separator), ("rowDelimiter", &bytes.row_delimiter)]
            {
                if separator.contains(&byte) {
                    return Err(FormatError::Ambiguous { first, second, byte: char::from(byte) });
                }
            }
        }
        Ok(bytes)
    }
}

fn one_byte(field: &'static str, text: Option<&str>) -> Result<Option<u8>, FormatError> {
    let Some(text) = text else { return Ok(None) };
    // A backslash alone is what everyone writes for an escape.
    let bytes = match text {
        "\\" => Ok(vec![b'\\']),
        text => parse_separator(text),
    };
    match bytes.as_deref() {
        Ok([byte]) if byte.is_ascii() && *byte != 0 => Ok(Some(*byte)),
        _ => Err(FormatError::NotOneByte { field, found: text.to_owned() }),
    }
}

impl JsonOptions {
    /// The root and the paths, read.
    ///
    /// # Errors
    /// [`FormatError::Path`] if one of them is none.
    pub fn paths(&self) -> Result<JsonPaths, FormatError> {
        let path =
            |field, text: &str| JsonPath::parse(text).map_err(|error| FormatError::Path { field, error });
        let root = self.json_root.as_deref().map(|root| path("jsonRoot", root)).transpose()?;
        let paths: Result<Vec<_>, _> = self.json_paths.iter().map(|text| path("jsonPaths", text)).collect();
        Ok(JsonPaths { root, paths: paths? })
    }
}

impl Format {
    /// Checks what no schema can: the bytes of separators, paths, and that each path has its name in the
    /// `columns` of the source.
    ///
    /// # Errors
    /// [`FormatError`], the first found.
    pub fn check(&self, columns: Option<&[String]>) -> Result<(), FormatError> {
        match self {
            Self::Csv(options) => options.bytes().map(|_| ()),
            Self::Json(options) => {
                let paths = options.paths()?.paths.len();
                let columns = columns.map_or(0, <[String]>::len);
                if paths > 0 && paths != columns {
                    return Err(FormatError::PathsAndColumns { paths, columns });
                }
                Ok(())
            }
            Self::Parquet(_) | Self::Orc(_) | Self::Avro(_) => Ok(()),
        }
    }
}

impl LoadJobSpec {
    /// What [`Format::check`] finds in the sources, with the field before it.
    pub fn format_problem(&self) -> Option<String> {
        self.sources.iter().enumerate().find_map(|(index, source)| {
            let checked = source.format.as_ref()?.check(source.columns.as_deref());
            checked.err().map(|error| format!("spec.sources[{index}].format: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(separator: &str, delimiter: &str, enclose: Option<&str>, escape: Option<&str>) -> CsvOptions {
        CsvOptions {
            column_separator: separator.to_owned(),
            row_delimiter: delimiter.to_owned(),
            enclose: enclose.map(str::to_owned),
            escape: escape.map(str::to_owned),
            ..CsvOptions::default()
        }
    }

    #[test]
    fn the_defaults_are_tab_and_line_feed() {
        let bytes = CsvOptions::default().bytes();
        let expected = CsvBytes {
            column_separator: b"\t".to_vec(),
            row_delimiter: b"\n".to_vec(),
            enclose: None,
            escape: None,
        };
        assert_eq!(bytes, Ok(expected));
    }

    #[test]
    fn a16_what_cannot_be_told_apart_is_refused() {
        let message = |options: CsvOptions| options.bytes().unwrap_err().to_string();
        let long = "|".repeat(51);
        assert!(message(options(&long, "\n", None, None)).starts_with("csv.columnSeparator has 51 bytes"));
        assert!(message(options(",", &long, None, None)).starts_with("csv.rowDelimiter has 51 bytes"));
        assert_eq!(options(",", r"\x2c", None, None).bytes(), Err(FormatError::SameSeparators));
        assert!(message(options(",", "\n", Some("''"), None)).starts_with("csv.enclose"));
        assert!(message(options(",", "\n", Some("\u{e9}"), None)).starts_with("csv.enclose"));
        assert!(message(options("|\"", "\n", Some("\""), None)).contains("enclose and csv.columnSeparator"));
        assert!(message(options(",", "\\\\n", None, Some("\\"))).contains("escape and csv.rowDelimiter"));
        let bytes = options("||", "\n", Some("\\x22"), Some("\\")).bytes().unwrap();
        assert_eq!((bytes.enclose, bytes.escape), (Some(b'"'), Some(b'\\')));
    }

    #[test]
    fn paths_have_names() {
        let json = |paths: &[&str], root: Option<&str>| {
            let json_paths = paths.iter().map(|path| (*path).to_owned()).collect();
            Format::Json(JsonOptions {
                json_paths,
                json_root: root.map(str::to_owned),
                ..JsonOptions::default()
            })
        };
        let names = ["a".to_owned(), "b".to_owned()];
        assert_eq!(json(&["$.a", "$.b"], None).check(Some(&names)), Ok(()));
        assert_eq!(json(&[], Some("$.data")).check(None), Ok(()));
        let error = json(&["$.a"], None).check(Some(&names)).unwrap_err();
        assert_eq!(error, FormatError::PathsAndColumns { paths: 1, columns: 2 });
        assert!(json(&["$.a"], None).check(None).is_err());
        assert!(
            json(&["a"], None)
                .check(Some(&names[..1]))
                .unwrap_err()
                .to_string()
                .starts_with("json.jsonPaths")
        );
        assert!(json(&[], Some("$[*]")).check(None).unwrap_err().to_string().starts_with("json.jsonRoot"));
    }
}
