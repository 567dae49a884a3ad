//! `pipe retry`: files that were given up are put back.

use std::path::Path;
use std::sync::Arc;

use longshore_storage::durable::Posix;
use longshore_storage::ledger::{
    FileEvent, FileKey, FileState, Ledger, LedgerError, LedgerOptions, LedgerReader,
};
use longshore_storage::table::{Table, TableError};

/// What was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Files.
    pub files: u64,
}

/// Why nothing was put back.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The path is no object's.
    #[error("{file:?} is no s3://bucket/key")]
    InvalidPath {
        /// As written.
        file: String,
    },
    /// The ledger does not know the file.
    #[error("ledger {ledger} does not know {file}; it lists what the paths of the pipe's source match")]
    UnknownFile {
        /// The ledger.
        ledger: String,
        /// The file.
        file: String,
    },
    /// The file was not given up.
    #[error("{file} is {state} in ledger {ledger}, not ERROR; only what was given up is tried again")]
    NotInError {
        /// The ledger.
        ledger: String,
        /// The file.
        file: String,
        /// Where it stands.
        state: &'static str,
    },
}

impl RetryError {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Table(error) => error.category(),
            Self::Ledger(error) => error.category(),
            Self::InvalidPath { .. } => "InvalidPath",
            Self::UnknownFile { .. } => "UnknownFile",
            Self::NotInError { .. } => "NotInError",
        }
    }
}

/// Puts every file in ERROR back, or the one that is named. It takes the next epoch of the ledger: a worker that
/// runs is shut out, and its successor begins with these files. Blocks.
///
/// # Errors
/// A file that the ledger does not know, or that was not given up.
pub fn retry(table_root: &Path, ledger: &str, file: Option<&str>) -> Result<Retry, RetryError> {
    let mut table = Table::open(Arc::new(Posix), table_root)?;
    let mut reader = LedgerReader::open(&Posix, table_root, ledger)?;
    let keys = match file {
        Some(file) => in_error(&mut reader, ledger, file)?,
        None => all_in_error(&mut reader)?,
    };
    if keys.is_empty() {
        return Ok(Retry { files: 0 });
    }
    let mut writer = Ledger::begin(&mut table, ledger, LedgerOptions::default())?;
    let files = keys.len() as u64;
    writer.record(keys.into_iter().map(|key| (key, FileEvent::Retried)).collect())?;
    Ok(Retry { files })
}

fn all_in_error(reader: &mut LedgerReader) -> Result<Vec<FileKey>, LedgerError> {
    let mut keys = Vec::new();
    reader.visit(&[FileState::Error], |key, _| {
        keys.push(key.clone());
        true
    })?;
    Ok(keys)
}

fn in_error(reader: &mut LedgerReader, ledger: &str, file: &str) -> Result<Vec<FileKey>, RetryError> {
    let Some((bucket, key)) = FileKey::parse_uri(file) else {
        return Err(RetryError::InvalidPath { file: file.to_owned() });
    };
    let versions = reader.versions(bucket, key)?;
    let (ledger, file) = (ledger.to_owned(), file.to_owned());
    let Some((_, last)) = versions.last() else {
        return Err(RetryError::UnknownFile { ledger, file });
    };
    let state = last.state.name();
    let failed = versions.into_iter().filter(|(_, entry)| entry.state == FileState::Error);
    let keys: Vec<FileKey> = failed.map(|(key, _)| key).collect();
    if keys.is_empty() { Err(RetryError::NotInError { ledger, file, state }) } else { Ok(keys) }
}
