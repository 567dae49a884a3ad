//! Files of every kind that users have, by the writers that they use, loaded end to end: the rows are what the
//! writer meant. What is written, and what is to be stored, is said in `tests/oracles/real_files_*.py`.

mod avro;
mod csv;
mod json;
mod orc;
mod parquet;

use std::collections::BTreeMap;

use longshore_crds::Outcome;
use longshore_crds::format::Format;
use longshore_worker::load::LoadContext;
use serde::Deserialize;
use tempfile::TempDir;

use crate::oracles::python;
use crate::world::{World, column, definition};

/// How a file is loaded, and what comes of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    file: String,
    /// Names and types of the table's columns.
    columns: Vec<(String, String)>,
    /// Rows that are stored; absent: the file is refused.
    rows: Option<u64>,
    /// What the message of a refusal says.
    #[serde(default)]
    words: Vec<String>,
    format: Option<Format>,
    /// Names of the file's fields.
    names: Option<Vec<String>>,
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    allow_empty: bool,
}

/// Loads every file of a format; the names of those that were loaded, and of those that were refused.
fn load_all(format: &str) -> (Vec<String>, Vec<String>) {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    python("real_files.py", &["write", format, place]);
    let cases: Vec<Case> =
        serde_json::from_slice(&std::fs::read(folder.path().join("cases.json")).unwrap()).unwrap();
    let mut arguments = vec!["check".to_owned(), place.to_owned()];
    let (mut loaded, mut refused, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    let mut faults = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let columns = case.columns.iter().map(|(name, data_type)| column(name, data_type));
        let world = World::with_table(&definition(columns.collect()));
        world.put(&case.file, std::fs::read(folder.path().join(&case.file)).unwrap());
        let mut request = world.request("load", &case.file);
        request.allow_empty = case.allow_empty;
        let source = &mut request.sources[0];
        source.format.clone_from(&case.format);
        source.columns.clone_from(&case.names);
        source.set.clone_from(&case.set);
        // 1,000 columns, and pages of 40 MB, need more than a worker's least.
        let context = LoadContext { memory_bytes: 2 << 30, ..world.context() };
        let report = world.load_with(request, context);
        match case.rows {
            Some(rows) => {
                let found = (report.outcome, report.counts.sink_rows, report.counts.filtered_rows);
                if found != (Outcome::Loaded, rows, 0) {
                    faults.push(format!("{}: {rows} rows expected; {report:?}", case.file));
                    continue;
                }
                arguments.extend([number.to_string(), world.root().to_str().unwrap().to_owned()]);
                loaded.push(case.file.clone());
                kept.push(world);
            }
            None => {
                let is_said = case.words.iter().all(|word| report.message.contains(word));
                if report.outcome == Outcome::Loaded || !is_said || world.row_count() != 0 {
                    faults.push(format!("{} is to be refused with {:?}; {report:?}", case.file, case.words));
                }
                refused.push(case.file.clone());
            }
        }
    }
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), cases.len(), faults.join("\n"));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    println!("{}", python("real_files.py", &arguments));
    (loaded, refused)
}
