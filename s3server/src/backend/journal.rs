//! The index file: which key has which file and ETag, so that a restart hashes nothing again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::error::ServerError;

/// One line of the index file. A later line of a key replaces an earlier one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub bucket: String,
    pub key: String,
    /// Path below the data folder; None when the object was removed.
    pub file: Option<PathBuf>,
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: u64,
    pub etag: String,
}

impl Record {
    /// When the object came in.
    pub fn modified_time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(self.modified)
    }
}

/// Nanoseconds since 1970, as a record keeps them; times before 1970 become 0.
pub(crate) fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Reads the newest record of each (bucket, key). A missing file is an empty index, a torn line is left out.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<(String, String), Record>, ServerError> {
    let mut records = BTreeMap::new();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(records),
        Err(error) => return Err(ServerError::io("open", path, error)),
    };
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|error| ServerError::io("read", path, error))?;
        if let Ok(record) = serde_json::from_str::<Record>(&line) {
            records.insert((record.bucket.clone(), record.key.clone()), record);
        }
    }
    records.retain(|_, record| record.file.is_some());
    Ok(records)
}

/// Appends to the index file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Replaces the index file by these records and keeps it open for more.
    pub fn rewrite<'a>(path: &Path, records: impl Iterator<Item = &'a Record>) -> Result<Self, ServerError> {
        let write = || -> std::io::Result<File> {
            let temporary = path.with_extension("new");
            let mut writer = BufWriter::new(File::create(&temporary)?);
            for record in records {
                serde_json::to_writer(&mut writer, record)?;
                writer.write_all(b"\n")?;
            }
            writer.flush()?;
            std::fs::rename(&temporary, path)?;
            OpenOptions::new().append(true).open(path)
        };
        let file = write().map_err(|error| ServerError::io("write", path, error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends one record. It is not flushed to disk: a test server owes no durability.
    pub fn append(&mut self, record: &Record) -> Result<(), ServerError> {
        let mut append = || -> std::io::Result<()> {
            let mut line = serde_json::to_vec(record)?;
            line.push(b'\n');
            self.file.write_all(&line)
        };
        append().map_err(|error| ServerError::io("append to", &self.path, error))
    }
}
