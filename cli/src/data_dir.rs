//! Where local mode keeps what: objects, tables, secrets and locks under one folder.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::objects::Objects;

/// `--data-dir`.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

/// Why a label cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process loads it.
    #[error(
        "label `{label}` of table `{table}` is being loaded by another longshore process; wait until it ends, or stop it"
    )]
    Held {
        /// The Table.
        table: String,
        /// The label.
        label: String,
    },
    /// The lock file.
    #[error("cannot lock {path}: {error}")]
    File {
        /// The file.
        path: String,
        /// The system's answer.
        error: io::Error,
    },
}

/// Held while a label is loaded; the system frees it when the process ends, however it ends.
#[derive(Debug)]
pub struct LabelLock {
    _file: File,
}

impl DataDir {
    /// The folder; nothing is made yet.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Specs and statuses.
    pub fn objects(&self) -> Objects {
        Objects::new(&self.root)
    }

    /// Folder of a table.
    pub fn table(&self, name: &str) -> PathBuf {
        self.tables().join(name)
    }

    /// Folder of the tables.
    pub fn tables(&self) -> PathBuf {
        self.root.join("tables")
    }

    /// Where the prompt of `sql` keeps what was typed, if there is a data directory.
    pub fn sql_history(&self) -> Option<PathBuf> {
        self.root.is_dir().then(|| self.root.join("sql-history"))
    }

    /// Folder of secrets, if there is one; without it a `secretRef` is answered from the environment.
    pub fn secrets(&self) -> Option<PathBuf> {
        Some(self.root.join("secrets")).filter(|path| path.is_dir())
    }

    /// Makes sure that no other process of this machine loads the label at the same time.
    pub fn lock_label(&self, table: &str, label: &str) -> Result<LabelLock, LockError> {
        let folder = self.root.join("locks").join(table);
        let path = folder.join(format!("{label}.lock"));
        let file_error = |error| LockError::File { path: path.display().to_string(), error };
        fs::create_dir_all(&folder).map_err(file_error)?;
        let file =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(file_error)?;
        match file.try_lock() {
            Ok(()) => Ok(LabelLock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(LockError::Held { table: table.to_owned(), label: label.to_owned() })
            }
            Err(TryLockError::Error(error)) => Err(file_error(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_held_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::new(folder.path());
        let held = data_dir.lock_label("t", "l").unwrap();
        let refusal = data_dir.lock_label("t", "l").unwrap_err();
        assert!(refusal.to_string().starts_with("label `l` of table `t` is being loaded by another"));
        assert!(data_dir.lock_label("t", "other").is_ok());
        drop(held);
        assert!(data_dir.lock_label("t", "l").is_ok());
    }
}
