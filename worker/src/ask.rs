//! What a person asks of a pipe's ledger: one code for the command line, where the table is a folder of this machine,
//! and for the short pod that `kubectl longshore pipe` starts with the table's volume.

mod error;
mod grid;
mod options;
mod why;

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use longshore_storage::durable::Posix;
use longshore_storage::ledger::{FileEntry, FileKey, FileState, Ledger, LedgerOptions, LedgerReader};
use longshore_storage::table::Table;

use crate::pipe::{instant, retry};

pub use error::AskError;
pub use grid::grid;
pub use options::{FilesOptions, StateName};

const HEADER: [&str; 8] = ["FILE", "STATE", "SIZE", "ROWS", "VERSION", "LISTED", "FINISHED", "ERROR"];

/// The ledger of a pipe. Every answer is text for a person, with a line end. All of them block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerOf {
    /// The Pipe, as `kubectl` names it.
    pub title: String,
    /// The table's folder.
    pub table_root: PathBuf,
    /// Name of the ledger.
    pub ledger: String,
}

impl LedgerOf {
    /// The ledger of the Pipe `name` in a table's folder.
    pub fn new(name: &str, table_root: PathBuf, ledger: String) -> Self {
        Self { title: format!("pipe.longshore.dev/{name}"), table_root, ledger }
    }

    fn reader(&self) -> Result<LedgerReader, AskError> {
        Ok(LedgerReader::open(&Posix, &self.table_root, &self.ledger)?)
    }

    /// The files in some states, in the order of their names.
    ///
    /// # Errors
    /// A ledger that cannot be read.
    pub fn files(&self, options: &FilesOptions) -> Result<String, AskError> {
        let mut reader = self.reader()?;
        let states = options.states();
        let all: u64 = states.iter().map(|state| reader.totals().of(*state).files).sum();
        let mut found: Vec<(FileKey, FileEntry)> = Vec::new();
        reader.visit(&states, |key, entry| {
            found.push((key.clone(), entry.clone()));
            options.limit == 0 || found.len() < options.limit
        })?;
        if found.is_empty() {
            return Ok(format!("no such file in the ledger of {}\n", self.title));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let rows: Vec<Vec<String>> = found.iter().map(|(key, entry)| row(key, entry)).collect();
        let mut text = grid(&HEADER.map(str::to_owned), &rows);
        if (found.len() as u64) < all {
            writeln!(text, "{} of {all} files; --limit 0 shows all", found.len())?;
        }
        Ok(text)
    }

    /// Puts every file in ERROR back, or the one that is named, also while the pipe's worker runs: that is shut out,
    /// and the next one begins with these files.
    ///
    /// # Errors
    /// A file that the ledger does not know, or that was not given up.
    pub fn retry(&self, file: Option<&str>) -> Result<String, AskError> {
        Ok(match retry(&self.table_root, &self.ledger, file)?.files {
            0 => format!("no file of {} is in ERROR\n", self.title),
            1 => format!("1 file of {} waits again\n", self.title),
            files => format!("{files} files of {} wait again\n", self.title),
        })
    }

    /// What became of a file, a line for each object that was under its key; `None`: the ledger does not know it.
    ///
    /// # Errors
    /// A path that names no object.
    pub fn why(&self, file: &str) -> Result<Option<String>, AskError> {
        let invalid = || AskError::InvalidPath { file: file.to_owned() };
        let (bucket, key) = FileKey::parse_uri(file).ok_or_else(invalid)?;
        let mut reader = self.reader()?;
        let mut text = String::new();
        for (key, entry) in reader.versions(bucket, key)? {
            writeln!(text, "{}: {}", self.title, why::told(&mut reader, &key, &entry)?)?;
        }
        Ok((!text.is_empty()).then_some(text))
    }

    /// Makes the ledger again from the table's history.
    ///
    /// # Errors
    /// The table, or the volume.
    pub fn rebuild(&self) -> Result<String, AskError> {
        let mut table = Table::open(Arc::new(Posix), &self.table_root)?;
        let ledger = Ledger::rebuild(&mut table, &self.ledger, LedgerOptions::default())?;
        let finished = ledger.totals().of(FileState::Finished).files;
        Ok(format!(
            "the ledger of {} is made again from the history: {finished} files are loaded\n",
            self.title
        ))
    }
}

fn row(key: &FileKey, entry: &FileEntry) -> Vec<String> {
    let at = |ms: u64| if ms == 0 { String::new() } else { instant(ms) };
    let counted = |number: u64| if entry.version == 0 { String::new() } else { number.to_string() };
    vec![
        key.uri().replace('\n', "\\n"),
        entry.state.name().to_owned(),
        entry.size.to_string(),
        counted(entry.rows),
        counted(entry.version),
        at(entry.staged_ms),
        at(entry.finished_ms),
        entry.fault.as_ref().map(|fault| fault.category.clone()).unwrap_or_default(),
    ]
}
