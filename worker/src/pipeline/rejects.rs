//! Rejected rows of a load: described up to a limit in total, written as one file a task.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_storage::durable::FileSystem;
use longshore_storage::load::{FirstError, RejectedError, RejectedRecord, RejectedWriter};

use crate::rows::RejectedRow;

/// Errors that a report names.
pub const FIRST_ERRORS: usize = 10;

/// What the rejected rows of one load share.
pub struct Rejects {
    files: Arc<dyn FileSystem>,
    root: PathBuf,
    label: String,
    /// Rows that may still be kept.
    left: AtomicU64,
    task: Mutex<TaskRejects>,
}

#[derive(Default)]
struct TaskRejects {
    path: String,
    writer: Option<RejectedWriter>,
    rows: u64,
    first_errors: Vec<FirstError>,
}

/// What a task's report says of its rejected rows: the file, its rows, the first errors.
pub type TaskResult = (Option<String>, u64, Vec<FirstError>);

impl Rejects {
    /// `limit`: rows to keep in total, −1 all, 0 none (A40); `kept`: rows that adopted tasks hold already.
    pub fn new(files: Arc<dyn FileSystem>, root: &Path, label: &str, limit: i64, kept: u64) -> Self {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        Self {
            files,
            root: root.to_owned(),
            label: label.to_owned(),
            left: AtomicU64::new(limit.saturating_sub(kept)),
            task: Mutex::default(),
        }
    }

    /// Rows that are worth describing now: those that may be kept, and enough for the first errors.
    pub fn wanted(&self) -> usize {
        let left = usize::try_from(self.left.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        left.max(FIRST_ERRORS - self.lock().first_errors.len())
    }

    /// A task begins; its rows go to `path`, relative to the table's folder.
    pub fn begin_task(&self, path: String) {
        *self.lock() = TaskRejects { path, ..TaskRejects::default() };
    }

    /// Keeps what the limit allows of these rows.
    pub fn keep(&self, file: &str, rows: Vec<RejectedRow>) -> Result<(), RejectedError> {
        let mut task = self.lock();
        for row in &rows {
            if task.first_errors.len() < FIRST_ERRORS {
                task.first_errors.push(first_error(file, row));
            }
        }
        let take = self.take(rows.len() as u64);
        let records: Vec<_> = rows
            .into_iter()
            .take(usize::try_from(take).unwrap_or(usize::MAX))
            .map(|row| record(&self.label, file, row))
            .collect();
        if records.is_empty() {
            return Ok(());
        }
        task.rows += records.len() as u64;
        if task.writer.is_none() {
            task.writer = Some(RejectedWriter::create(&self.files, &self.root.join(&task.path))?);
        }
        match &mut task.writer {
            Some(writer) => writer.write(&records),
            None => Ok(()),
        }
    }

    /// Takes up to `wanted` from what is left.
    fn take(&self, wanted: u64) -> u64 {
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left - left.min(wanted)));
        taken.map_or(0, |left| left.min(wanted))
    }

    /// The task is done: its file is durable when this returns.
    pub fn end_task(&self) -> Result<TaskResult, RejectedError> {
        let mut task = self.lock();
        let path = match task.writer.take() {
            Some(writer) => {
                if let Err(error) = writer.finish() {
                    self.remove(&task.path);
                    return Err(error);
                }
                Some(std::mem::take(&mut task.path))
            }
            None => None,
        };
        let TaskRejects { rows, first_errors, .. } = std::mem::take(&mut *task);
        Ok((path, rows, first_errors))
    }

    /// The task failed, or is done again: nothing of it stays, and its rows are none of the limit's.
    pub fn abandon_task(&self) {
        let task = std::mem::take(&mut *self.lock());
        self.left.fetch_add(task.rows, Ordering::Relaxed);
        if task.writer.is_some() {
            self.remove(&task.path);
        }
    }

    fn remove(&self, path: &str) {
        let path = self.root.join(path);
        if let Err(error) = self.files.remove(&path) {
            tracing::warn!(path = %path.display(), %error, "a file of rejected rows stays behind");
        }
    }

    fn lock(&self) -> MutexGuard<'_, TaskRejects> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn first_error(file: &str, row: &RejectedRow) -> FirstError {
    FirstError { file: file.to_owned(), row: row.row, column: row.column.clone(), code: row.code.to_owned() }
}

fn record(label: &str, file: &str, row: RejectedRow) -> RejectedRecord {
    RejectedRecord {
        label: label.to_owned(),
        file: file.to_owned(),
        row: row.row,
        byte_offset: row.byte_offset,
        column: row.column,
        code: row.code.to_owned(),
        message: row.message,
        raw_value: row.raw_value,
        raw_record: row.raw_record,
    }
}
