//! The files of a task: opening them ahead of the decoders, and the accounting of their rows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use longshore_crds::SchemaDrift;
use longshore_storage::load::{FileReport, PlannedFile, PlannedTask};

use super::Job;
use super::work::WorkList;
use crate::convert::FileMapping;
use crate::decode::ParquetFile;
use crate::load::{LoadFailure, refuse_new_columns, wanted_columns};
use crate::progress::Progress;

/// A row group that waits to be decoded.
pub struct RowGroup {
    /// Place of the file in the task.
    pub file: usize,
    /// The file, opened.
    pub opened: Arc<OpenFile>,
    /// The row group's number.
    pub group: usize,
}

/// A file whose footer is read and whose columns are mapped.
pub struct OpenFile {
    /// The decoder.
    pub parquet: ParquetFile,
    /// Which columns feed which.
    pub mapping: FileMapping,
}

/// The files of one task with their counts.
pub struct TaskFiles<'a> {
    job: &'a Job,
    files: &'a [PlannedFile],
    counts: Vec<FileCounts>,
}

#[derive(Default)]
struct FileCounts {
    /// Rows that the footer announces; empty until the file is open.
    announced: OnceLock<u64>,
    read: AtomicU64,
    loaded: AtomicU64,
    filtered: AtomicU64,
    groups_left: AtomicU64,
    progress_bytes: AtomicU64,
}

impl<'a> TaskFiles<'a> {
    /// Nothing opened yet.
    pub fn new(job: &'a Job, task: &'a PlannedTask) -> Self {
        let counts = task.files.iter().map(|_| FileCounts::default()).collect();
        Self { job, files: &task.files, counts }
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// `s3://bucket/key` of a file.
    pub fn name(&self, file: usize) -> String {
        let PlannedFile { bucket, key, .. } = &self.files[file];
        if bucket.is_empty() { key.clone() } else { format!("s3://{bucket}/{key}") }
    }

    /// Opens one file and says which row groups it has.
    fn open(&self, file: usize) -> Result<Vec<RowGroup>, LoadFailure> {
        let planned = &self.files[file];
        let source = planned.source as usize;
        let object = self.job.stores[source].object(planned);
        let parquet = ParquetFile::open(object)?;
        let columns = self.job.request.sources[source].columns.as_deref();
        let wanted = wanted_columns(&self.job.schema, self.job.declared_columns, parquet.schema());
        if self.job.request.schema_drift == SchemaDrift::Fail && columns.is_none() {
            refuse_new_columns(&self.name(file), &self.job.schema, parquet.schema())?;
        }
        let mapping = FileMapping::new(
            &self.name(file),
            &self.job.schema,
            parquet.schema(),
            columns.or(wanted.as_deref()),
            self.job.on_missing(),
        )?;
        let counts = &self.counts[file];
        let groups = parquet.row_groups();
        counts.announced.get_or_init(|| parquet.total_rows());
        counts.groups_left.store(groups as u64, Ordering::Relaxed);
        if groups == 0 {
            self.file_done(file);
        }
        let opened = Arc::new(OpenFile { parquet, mapping });
        Ok((0..groups).map(|group| RowGroup { file, opened: Arc::clone(&opened), group }).collect())
    }

    /// Counts a converted batch.
    pub fn count(&self, file: usize, read: u64, loaded: u64, filtered: u64) {
        let counts = &self.counts[file];
        Progress::add(&counts.read, read);
        Progress::add(&counts.loaded, loaded);
        Progress::add(&counts.filtered, filtered);
        let progress = &self.job.progress;
        Progress::add(&progress.rows_read, read);
        Progress::add(&progress.rows_loaded, loaded);
        Progress::add(&progress.rows_filtered, filtered);
        // Bytes advance in proportion to the rows, so that the bar moves within a large row group too.
        if let Some(announced) = counts.announced.get().filter(|rows| **rows > 0) {
            let share = u128::from(self.files[file].size) * u128::from(read) / u128::from(*announced);
            let share = u64::try_from(share).unwrap_or(0);
            Progress::add(&counts.progress_bytes, share);
            Progress::add(&progress.bytes_read, share);
        }
    }

    /// A row group came to its end.
    pub fn group_done(&self, file: usize) {
        if self.counts[file].groups_left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.file_done(file);
        }
    }

    /// Brings the bytes of progress to the file's size, whatever the rounding left.
    fn file_done(&self, file: usize) {
        let shown = Progress::get(&self.counts[file].progress_bytes);
        Progress::add(&self.job.progress.bytes_read, self.files[file].size.saturating_sub(shown));
        Progress::add(&self.job.progress.files_done, 1);
    }

    /// The accounting, checked: each row that a footer announces was read, and each row read was loaded or
    /// filtered (A39).
    pub fn reports(&self) -> Result<Vec<FileReport>, LoadFailure> {
        (0..self.files.len()).map(|file| self.report(file)).collect()
    }

    fn report(&self, file: usize) -> Result<FileReport, LoadFailure> {
        let counts = &self.counts[file];
        let report = FileReport {
            read: Progress::get(&counts.read),
            loaded: Progress::get(&counts.loaded),
            filtered: Progress::get(&counts.filtered),
            unselected: 0,
            bytes: self.files[file].size,
        };
        let announced = counts.announced.get().copied().unwrap_or(0);
        let whole = counts.announced.get().is_some() && counts.groups_left.load(Ordering::Acquire) == 0;
        if !whole
            || report.read != announced
            || report.read != report.loaded + report.filtered + report.unselected
        {
            return Err(LoadFailure::RowAccounting { file: self.name(file), announced, report });
        }
        Ok(report)
    }
}

/// Opens files one after the other until none is left; several threads do.
pub fn open_all(files: &TaskFiles<'_>, work: &WorkList<RowGroup>) -> Result<(), LoadFailure> {
    while let Some(file) = work.next_file() {
        if files.job.cancel.is_cancelled() {
            work.opened([]);
            return Err(LoadFailure::Cancelled);
        }
        let start = Instant::now();
        let opened = files.open(file);
        files.job.clock.open.add(start.elapsed());
        match opened {
            Ok(groups) => work.opened(groups),
            Err(failure) => {
                work.opened([]);
                return Err(failure);
            }
        }
    }
    Ok(())
}
