//! Files, folders and standard input, split into documents.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// One document of a file.
#[derive(Debug)]
pub struct Document {
    /// Where it stands, for messages: `load.yaml`, or `load.yaml, document 2`.
    pub place: String,
    /// What it says.
    pub value: Value,
}

/// Why manifests cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file itself.
    #[error("cannot read {path}: {error}")]
    File {
        /// The file or folder.
        path: String,
        /// The system's answer.
        error: io::Error,
    },
    /// Neither YAML nor JSON.
    #[error("{place} is neither YAML nor JSON: {error}")]
    Syntax {
        /// The document.
        place: String,
        /// Line and column, and what is wrong.
        error: serde_yaml::Error,
    },
    /// A folder without manifests.
    #[error("{path} holds no *.yaml, *.yml or *.json; name a file, or a folder with some")]
    EmptyFolder {
        /// The folder.
        path: String,
    },
}

/// Reads every document under the paths, in order: a folder gives its `*.yaml`, `*.yml` and `*.json` by name;
/// `-` is standard input. Empty documents are left out, a `List` is taken apart.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Document>, ReadError> {
    let mut documents = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map_err(|error| file_error(Path::new("-"), error))?;
            split("standard input", &text, &mut documents)?;
        } else if path.is_dir() {
            for file in manifests_of(path)? {
                read_file(&file, &mut documents)?;
            }
        } else {
            read_file(path, &mut documents)?;
        }
    }
    Ok(documents)
}

fn file_error(path: &Path, error: io::Error) -> ReadError {
    ReadError::File { path: path.display().to_string(), error }
}

fn manifests_of(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let entries = fs::read_dir(folder).map_err(|error| file_error(folder, error))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| file_error(folder, error))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("yaml" | "yml" | "json")) && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(ReadError::EmptyFolder { path: folder.display().to_string() });
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &Path, documents: &mut Vec<Document>) -> Result<(), ReadError> {
    let text = fs::read_to_string(path).map_err(|error| file_error(path, error))?;
    split(&path.display().to_string(), &text, documents)
}

fn split(name: &str, text: &str, documents: &mut Vec<Document>) -> Result<(), ReadError> {
    let mut found = Vec::new();
    for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let place = if index == 0 { name.to_owned() } else { format!("{name}, document {}", index + 1) };
        let value = Value::deserialize(document)
            .map_err(|error| ReadError::Syntax { place: place.clone(), error })?;
        match value {
            Value::Null => {}
            Value::Object(mut list) if list.get("kind").is_some_and(|kind| kind == "List") => {
                if let Some(Value::Array(items)) = list.remove("items") {
                    found.extend(items.into_iter().map(|value| Document { place: place.clone(), value }));
                }
            }
            value => found.push(Document { place, value }),
        }
    }
    documents.append(&mut found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<String> {
        let mut documents = Vec::new();
        split("f.yaml", text, &mut documents).unwrap();
        documents.into_iter().map(|document| document.place).collect()
    }

    #[test]
    fn documents_are_counted_and_empty_ones_left_out() {
        assert_eq!(places("a: 1\n---\nb: 2\n"), ["f.yaml", "f.yaml, document 2"]);
        assert_eq!(places("---\n---\nb: 2\n---\n"), ["f.yaml, document 2"]);
        assert_eq!(places("{\"a\": 1}"), ["f.yaml"]);
        assert_eq!(places("kind: List\nitems: [{a: 1}, {b: 2}]"), ["f.yaml", "f.yaml"]);
    }

    #[test]
    fn a_syntax_error_names_document_and_line() {
        let mut documents = Vec::new();
        let error = split("f.yaml", "a: 1\n---\nb: [\n", &mut documents).unwrap_err().to_string();
        assert!(error.starts_with("f.yaml, document 2 is neither YAML nor JSON: "), "{error}");
        assert!(error.contains("line"), "{error}");
    }

    #[test]
    fn folders_give_their_manifests_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.json", "c.txt"] {
            fs::write(folder.path().join(name), "{\"a\": 1}").unwrap();
        }
        let found = read(&[folder.path().to_owned()]).unwrap();
        let names: Vec<&str> = found.iter().filter_map(|d| d.place.rsplit('/').next()).collect();
        assert_eq!(names, ["a.json", "b.yaml"]);
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(read(&[empty.path().to_owned()]), Err(ReadError::EmptyFolder { .. })));
        assert!(matches!(read(&[empty.path().join("no.yaml")]), Err(ReadError::File { .. })));
    }
}
